//! What a bundle is refused for, and where the finding points.

use countersign_judge::{Finding, Severity, check, lookup_form, source};
use serde_json::{Value, json};

use crate::support::{compile, content, files, repository, starter, x};
use countersign_core::document::{BundleContent, TargetType};

fn tool(action: &str, targets: Value) -> Value {
    json!({"tool": action, "action": action, "effect": "write", "arguments": {
        "type": "object", "additionalProperties": false, "properties": {
            "to": {"type": "array", "items": {"type": "string"}}, "n": {"type": "integer"}}},
        "targets": targets, "roles": {"/n": "quantity"}})
}

fn to_contact() -> Value {
    json!([{"at": "/to", "type": "email", "entity": "Contact"}])
}

fn findings(content: &BundleContent) -> String {
    let found: Vec<String> = check(content, &x("acme"))
        .iter()
        .map(Finding::to_string)
        .collect();
    found.join("\n\n")
}

fn of_policies(policies: &str) -> String {
    let tools = json!([tool("mail.send", to_contact())]);
    findings(&content(
        policies,
        r#"entity Contact = { "status"?: String };"#,
        tools,
    ))
}

fn of_tool(change: impl FnOnce(&mut Value)) -> String {
    let mut one = tool("mail.send", to_contact());
    change(&mut one);
    findings(&content("", "", json!([one])))
}

#[test]
fn findings_of_policies_point_at_the_place() {
    let all = [
        ("syntax", "@id(\"a\")\npermit (principal, action, resource)\nwhen { context. };"),
        ("no id", "// a comment; with a semicolon\n\npermit (principal, action, resource);"),
        ("same id", "@id(\"a\") permit (principal, action, resource);\n\n@id(\"a\")\nforbid (principal, action, resource);"),
        ("reserved id", "@id(\"countersign.x\") permit (principal, action, resource);"),
        ("id with text", "@id(\"send it all\") permit (principal, action, resource);"),
        ("escalating permit", "@id(\"a\") @escalate permit (principal, action, resource);"),
        ("escalating to whom", "@id(\"a\") @escalate(\"bob\") forbid (principal, action, resource);"),
        ("unknown annotation", "@id(\"a\") @severity(\"high\") permit (principal, action, resource);"),
        ("template", "@id(\"a\") permit (principal == ?principal, action, resource);"),
        ("unknown action", "@id(\"a\")\npermit (principal, action == Action::\"mail.sned\", resource);"),
        ("unknown entity type", "@id(\"a\")\npermit (principal, action, resource is Contract);"),
        ("misspelt attribute", "@id(\"a\")\npermit (principal, action, resource)\nwhen { context.intent.alive };"),
        ("no such argument", "@id(\"a\")\npermit (principal, action, resource)\nwhen { context.args.amount > 1 };"),
        ("unguarded attribute", "@id(\"a\")\npermit (principal, action, resource)\nwhen { resource.status == \"x\" };"),
        ("wrong type", "@id(\"a\")\npermit (principal, action, resource)\nwhen { context.tool == 1 };"),
        ("never applies", "@id(\"a\") permit (principal, action, resource) when { 1 == 2 };"),
    ]
    .map(|(name, text)| format!("=== {name}\n{}", of_policies(text)));
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn findings_of_tools_name_the_tool() {
    let at = |at: &str| json!([{"at": at, "type": "email", "entity": "Contact"}]);
    let all = [
        ("misspelt target", of_tool(|t| t["targets"] = at("/too"))),
        ("target is a number", of_tool(|t| t["targets"] = at("/n"))),
        (
            "neither pointer nor path",
            of_tool(|t| t["targets"] = at("to")),
        ),
        ("misspelt path", of_tool(|t| t["targets"] = at("$.too[*]"))),
        ("no path", of_tool(|t| t["targets"] = at("$..[?"))),
        (
            "target twice",
            of_tool(|t| t["targets"] = json!([t["targets"][0], t["targets"][0]])),
        ),
        (
            "reserved entity",
            of_tool(|t| t["targets"][0]["entity"] = json!("Actor")),
        ),
        (
            "bad entity",
            of_tool(|t| t["targets"][0]["entity"] = json!("a contact")),
        ),
        (
            "undeclared namespace",
            of_tool(|t| t["targets"][0]["entity"] = json!("Crm::Contact")),
        ),
        ("reserved action", of_tool(|t| t["action"] = json!("reads"))),
        (
            "built-in action",
            of_tool(|t| t["action"] = json!("countersign.unknown")),
        ),
        (
            "no object",
            of_tool(|t| t["arguments"] = json!({"type": "array"})),
        ),
        (
            "no schema",
            of_tool(|t| t["arguments"] = json!({"type": "object", "properties": 5})),
        ),
        (
            "remote reference",
            of_tool(|t| {
                t["arguments"]["properties"]["n"] =
                    json!({"$ref": "https://evil.test/schema.json"});
            }),
        ),
        (
            "file reference",
            of_tool(|t| {
                t["arguments"]["properties"]["n"] = json!({"$ref": "file:///etc/passwd"});
            }),
        ),
        (
            "dangling reference",
            of_tool(|t| {
                t["arguments"]["properties"]["n"] = json!({"$ref": "#/$defs/none"});
            }),
        ),
        (
            "endless reference",
            of_tool(|t| t["arguments"]["allOf"] = json!([{"$ref": "#"}])),
        ),
        (
            "huge pattern",
            of_tool(|t| {
                t["arguments"]["properties"]["n"] =
                    json!({"type": "string", "pattern": "((a{1000}){1000}){1000}"});
            }),
        ),
        (
            "open schema, unseen arguments",
            of_tool(|t| {
                t["arguments"]["additionalProperties"] = json!(true);
                t["effect"] = json!("read");
                t["arguments"]["properties"]["amount"] = json!({"type": "number"});
                t["arguments"]["properties"]["free"] = json!({"type": "object"});
                t["arguments"]["properties"]["any"] = json!({});
                t["arguments"]["properties"]["maybe"] =
                    json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
            }),
        ),
    ]
    .map(|(name, text)| format!("=== {name}\n{text}"));
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn findings_across_files() {
    let mut other = tool("mail.send", json!([]));
    other["tool"] = json!("mail.send2");
    other["effect"] = json!("read");
    other["arguments"]["properties"]["n"] = json!({"type": "string"});
    let two = content("", "", json!([tool("mail.send", to_contact()), other]));
    let twice = content(
        "",
        "",
        json!([tool("a", to_contact()), tool("a", to_contact())]),
    );
    let as_id = json!([{"at": "/to", "type": "id", "entity": "Contact"}]);
    let kinds = content("", "", json!([tool("a", to_contact()), tool("b", as_id)]));
    let mut counters = content("", "", json!([]));
    counters.counters = serde_json::from_value(
        json!([{"name": "Mails", "kind": "count", "actions": ["mail.send"], "key": "actor"}]),
    )
    .unwrap();
    let schema = |text: &str| findings(&content("", text, json!([tool("a", to_contact())])));
    let all = [
        ("two effects", findings(&two)),
        ("two manifests", findings(&twice)),
        ("two types of one entity", findings(&kinds)),
        ("counters", findings(&counters)),
        (
            "required attribute",
            schema("entity Other;\nentity Contact = {\n  \"status\": String,\n};"),
        ),
        (
            "required in a common type",
            schema("type C = { status: String };\nentity Contact = C;"),
        ),
        (
            "schema syntax",
            schema("entity Contact = {\n  status?: Sting\n};\n"),
        ),
        (
            "schema bracket",
            schema("entity Contact = {\n  status?: String\n"),
        ),
        ("built-in type", schema("entity Actor;")),
        (
            "own action",
            schema(
                "entity Contact;\naction go appliesTo { principal: Contact, resource: Contact };",
            ),
        ),
    ]
    .map(|(name, text)| format!("=== {name}\n{text}"));
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn findings_of_files() {
    let read = |files: &[(&str, &str)]| {
        let files: Vec<(String, String)> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        match source::read(&files) {
            Ok(_) => "no findings".to_owned(),
            Err(found) => found
                .iter()
                .map(Finding::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        }
    };
    let head = ("bundle.toml", "name = \"x\"\n");
    let all = [
        ("empty", read(&[])),
        (
            "just a head",
            read(&[head, ("README.md", "x"), (".gitignore", "x")]),
        ),
        (
            "unknown member",
            read(&[("bundle.toml", "name = \"x\"\nnmae = 1\n")]),
        ),
        (
            "unknown setting",
            read(&[("bundle.toml", "name = \"x\"\n[settings]\npermit_ttl = 5\n")]),
        ),
        ("no toml", read(&[("bundle.toml", "name = ")])),
        ("misnamed policy", read(&[head, ("policies/a.cedr", "")])),
        ("nested policy", read(&[head, ("policies/a/b.cedar", "")])),
        (
            "duplicate key",
            read(&[
                head,
                ("tools/a.json", "{\n \"tool\": \"a\",\n \"tool\": \"b\"}"),
            ]),
        ),
        (
            "unknown manifest member",
            read(&[
                head,
                ("tools/a.json", "{\"tool\": \"a\", \"efect\": \"read\"}"),
            ]),
        ),
    ]
    .map(|(name, text)| format!("=== {name}\n{text}"));
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn the_starter_bundles_have_no_findings() {
    for name in ["mail-agent", "allow-all", "coding-agent"] {
        assert_eq!(findings(&starter(name)), "", "{name}");
    }
    let again = files(&repository().join("bundles/mail-agent"));
    let mut backwards = again.clone();
    backwards.reverse();
    assert_eq!(
        source::read(&again).unwrap(),
        source::read(&backwards).unwrap()
    );
}

#[test]
fn a_policy_is_found_with_its_text_and_reason() {
    let bundle = compile(starter("mail-agent"));
    let id = x("no-churned-contacts");
    let text = bundle.policy_text(&id).unwrap();
    assert_eq!(text.file, "policies/mail.cedar");
    assert_eq!(text.line, 12);
    assert!(
        text.text.starts_with("@id(\"no-churned-contacts\")"),
        "{}",
        text.text
    );
    assert!(text.text.ends_with("== \"churned\" };"), "{}", text.text);
    assert!(bundle.reason_text(&id).unwrap().contains("churned"));
    let built_in = x("countersign.no-permit");
    assert_eq!(
        bundle.reason_text(&built_in),
        Some("no rule permits this call")
    );
    assert!(bundle.policy_text(&built_in).is_none());
    assert!(bundle.schema_text().contains("email.send"));
    assert_eq!(bundle.escalates_to_requester(&id), None);
}

#[test]
fn the_directory_keeps_values_in_their_lookup_form() {
    let bundle = compile(starter("mail-agent"));
    let id = |kind: &str, id: &str| bundle.directory_id(kind, id);
    assert_eq!(
        id("Contact", "Jane@Customer.Example").as_deref(),
        Some("jane@customer.example")
    );
    assert_eq!(id("Contact", "not an address"), None);
    assert_eq!(id("Ticket", "#4821").as_deref(), Some("4821"));
    assert_eq!(id("Elsewhere", "As It Is").as_deref(), Some("As It Is"));
    assert_eq!(
        lookup_form(TargetType::Email, "\u{ff2a}ane@Müller.example").as_deref(),
        Some("jane@xn--mller-kva.example")
    );
}

#[test]
fn limits_are_errors() {
    let many: String = (0..10_001)
        .map(|n| format!("@id(\"p{n}\") permit (principal, action, resource);\n"))
        .collect();
    assert!(of_policies(&many).contains("10001 policies are more than 10000"));
    let long = format!(
        "@id(\"a\") @reason(\"{}\") permit (principal, action, resource);",
        "x".repeat(1025)
    );
    assert!(of_policies(&long).contains("longer than 1024 bytes"));
    let huge = format!("// {}", "x".repeat(1024 * 1024));
    assert!(of_policies(&huge).contains("are more than 1048576"));
    let tools: Vec<Value> = (0..1001)
        .map(|n| tool(&format!("t{n}"), json!([])))
        .collect();
    assert!(findings(&content("", "", json!(tools))).contains("1001 tools are more than 1000"));
    assert_eq!(
        check(&content("", "", json!([])), &x("acme"))[0].severity,
        Severity::Warning
    );
}

#[test]
fn tools_that_share_an_action_share_what_they_have_in_common() {
    let mut other = tool("mail.send", to_contact());
    other["tool"] = json!("mail.send2");
    other["arguments"]["properties"]["extra"] = json!({"type": "boolean"});
    other["roles"]["/extra"] = json!("text");
    other["arguments"]["required"] = json!(["n"]);
    let both = json!([tool("mail.send", to_contact()), other]);
    let guarded = r#"@id("a") permit (principal, action, resource)
        when { context.intent.live && context.args has extra && context.args.extra && context.args has n };"#;
    assert_eq!(findings(&content(guarded, "", both.clone())), "");
    let unguarded = r#"@id("a") permit (principal, action, resource) when { context.args.n > 1 };"#;
    assert!(findings(&content(unguarded, "", both)).contains("optional attribute `args.n`"));
}

#[test]
fn a_bundle_that_could_not_be_read_again_is_refused() {
    let nested = |levels: usize| {
        let mut schema = json!({"type": "string"});
        for _ in 0..levels {
            schema = json!({"not": schema});
        }
        of_tool(|t| t["arguments"]["properties"]["deep"] = schema)
    };
    // The schema of the tool, its `properties`, and the innermost schema are three levels.
    assert!(!nested(57).contains("read again"), "{}", nested(57));
    for levels in [58, 61] {
        let found = nested(levels);
        assert!(found.contains("nested deeper than 64 levels"), "{found}");
        assert!(found.contains("tools/mail.send.json"), "{found}");
    }
}

#[test]
fn an_id_is_found_in_the_text_that_it_was_read_from() {
    let scope = "permit (principal, action, resource);";
    for plain in [
        r#"@id("only-x")"#,
        "@id (\n // a comment with \"quotes\"\n \"only-x\" )",
        r#"@reason("say \"@id(\"") @id("only-x")"#,
        "@reason(\"\\u{2d}\") // why\n@id(\"only-x\")",
        r#"@escalate @id("only-x")"#,
    ] {
        let scope = scope.replace("permit", "forbid");
        assert_eq!(of_policies(&format!("{plain} {scope}")), "", "{plain}");
    }
    for escaped in [
        r#"@id("only\u{2d}x")"#,
        r#"@id("only\x2dx")"#,
        "@reason(\"only-x\") @id(\"only\\u{2d}x\")",
        "// @id(\"only-x\")\n@id(\"only\\u{2d}x\")",
    ] {
        let found = of_policies(&format!("{escaped} {scope}"));
        assert!(
            found.contains("not written as it reads"),
            "{escaped}: {found}"
        );
    }
}

#[test]
fn unbounded_text_of_an_irreversible_tool_is_warned_of() {
    let with = |subject: Value| {
        of_tool(|t| {
            t["effect"] = json!("irreversible");
            t["arguments"]["properties"]["subject"] = subject;
            t["arguments"]["properties"]["body"] = json!({"type": ["string", "null"]});
        })
    };
    let found = with(json!({"type": "string"}));
    assert!(
        found.contains("nothing bounds what the tool writes irreversibly: `subject`, `body`"),
        "{found}"
    );
    for bound in [
        json!({"maxLength": 9}),
        json!({"pattern": "^x$"}),
        json!({"enum": ["x"]}),
    ] {
        let mut subject = bound.clone();
        subject["type"] = json!("string");
        let found = with(subject);
        assert!(found.contains("irreversibly: `body`"), "{bound}: {found}");
    }
    let reversible = of_tool(|t| t["arguments"]["properties"]["note"] = json!({"type": "string"}));
    assert!(!reversible.contains("irreversibly"), "{reversible}");
}

#[test]
fn every_open_object_of_a_schema_is_warned_of() {
    let found = |schema: Value| -> Vec<String> {
        let mut one = tool("mail.send", json!([]));
        one["arguments"] = schema;
        check(&content("", "", json!([one])), &x("acme"))
            .into_iter()
            .map(|finding| finding.message)
            .filter(|message| message.contains("does not declare"))
            .collect()
    };
    let of = |at: &str| format!("the schema admits members of `{at}` that it does not declare");
    let root = "the schema admits arguments that it does not declare".to_owned();
    for open in [
        json!({}),
        json!({"additionalProperties": true}),
        json!({"additionalProperties": {}}),
        json!({"additionalProperties": {"type": "string"}}),
        json!({"additionalProperties": false, "patternProperties": {"": {}}}),
        json!({"anyOf": [{"additionalProperties": false}, {}]}),
    ] {
        let mut schema = open.clone();
        schema["type"] = json!("object");
        assert_eq!(found(schema), std::slice::from_ref(&root), "{open}");
    }
    for closed in [
        json!({"additionalProperties": false}),
        json!({"additionalProperties": {"not": {}}}),
        json!({"unevaluatedProperties": false, "allOf": [{"properties": {"a": {"type": "string"}}}]}),
        json!({"allOf": [{"additionalProperties": false}]}),
        json!({"oneOf": [{"additionalProperties": false}, {"type": "null"}]}),
    ] {
        let mut schema = closed.clone();
        schema["type"] = json!("object");
        assert_eq!(found(schema), Vec::<String>::new(), "{closed}");
    }
    let nested = json!({
        "type": "object", "additionalProperties": false,
        "$defs": {"tree": {"type": "object", "properties": {"kids": {
            "type": "array", "items": {"$ref": "#/$defs/tree"}}}}},
        "properties": {
            "who": {"type": "object", "properties": {"name": {"type": "string"}}},
            "shut": {"type": "object", "additionalProperties": false, "properties": {
                "list": {"type": "array", "items": {"type": "object"}}}},
            "either": {"anyOf": [{"type": "object", "properties": {}}, {"type": "null"}]},
            "tree": {"$ref": "#/$defs/tree"},
        },
    });
    assert_eq!(
        found(nested),
        [of("/either"), of("/shut/list/*"), of("/tree"), of("/who")]
    );
}

#[test]
fn settings_have_bounds() {
    let with = |settings: Value| {
        let mut content = starter("mail-agent");
        content.settings = serde_json::from_value(settings).unwrap();
        findings(&content)
    };
    for (settings, problem) in [
        (
            json!({"permit_ttl_s": 0}),
            "`permit_ttl_s` is 0; allowed are 1 to 3600",
        ),
        (json!({"permit_ttl_s": 3601}), "`permit_ttl_s` is 3601"),
        (
            json!({"permit_ttl_s": u32::MAX}),
            "`permit_ttl_s` is 4294967295",
        ),
        (
            json!({"watch": {"burst_rejections": 1001}}),
            "`watch.burst_rejections` is 1001",
        ),
        (
            json!({"watch": {"unmandated_calls": u32::MAX}}),
            "`watch.unmandated_calls` is",
        ),
        (
            json!({"watch": {"burst_window_s": 0}}),
            "`watch.burst_window_s` is 0",
        ),
        (
            json!({"watch": {"unmandated_window_s": 604_801}}),
            "`watch.unmandated_window_s` is",
        ),
        (
            json!({"vault": {"retention": {"call_days": 0}}}),
            "`vault.retention.call_days` is 0; allowed are 1 to 36500",
        ),
        (
            json!({"vault": {"retention": {"intent_days": 36_501}}}),
            "`vault.retention.intent_days` is 36501",
        ),
        (
            json!({"vault": {"second_reader_s": 0}}),
            "`vault.second_reader_s` is 0; allowed are 1 to 86400",
        ),
        (
            json!({"vault": {"opened_per_hour": 1_000_001}}),
            "`vault.opened_per_hour` is 1000001; allowed are 0 to 1000000",
        ),
        (
            json!({"vault": {"erasure_window_h": 8_761}}),
            "`vault.erasure_window_h` is 8761; allowed are 0 to 8760",
        ),
        (
            json!({"vault": {"four_eyes": true}, "publishing": {"replay": true}}),
            "`vault.four_eyes` and `publishing.replay` stand together",
        ),
        (
            json!({"watch": {"retry": {"attempts": 1001}}}),
            "`watch.retry.attempts` is 1001; allowed are 0 to 1000",
        ),
        (
            json!({"watch": {"missing_execution": {"after_s": 0}}}),
            "`watch.missing_execution.after_s` is 0",
        ),
        (
            json!({"watch": {"baseline": {"past_calls": 0}}}),
            "`watch.baseline.past_calls` is 0",
        ),
        (
            json!({"watch": {"mute": vec![json!({"detector": "burst"}); 65]}}),
            "`watch.mute` has 65 items; allowed are at most 64",
        ),
    ] {
        let found = with(settings);
        assert!(
            found.starts_with("error: ") && found.contains(problem),
            "{found}"
        );
    }
    assert_eq!(
        with(
            json!({"permit_ttl_s": 3600, "watch": {"burst_rejections": 0,
        "unmandated_calls": 1000, "burst_window_s": 604_800, "unmandated_window_s": 1,
        "off_hours": {"calls": 0}, "mute": vec![json!({"detector": "retry", "actor": "agent:a/",
        "action": "email.send", "until": "2027-01-01T00:00:00.000Z"}); 64]}})
        ),
        ""
    );
}

#[test]
fn too_many_entities_that_policies_look_into_are_refused() {
    let of = |count: usize, condition: &str| {
        let policies: String = (0..count)
            .map(|n| {
                let condition = condition.replace("{n}", &n.to_string());
                format!(
                    "@id(\"p{n}\") forbid (principal, action, resource) when {{ {condition} }};\n"
                )
            })
            .collect();
        of_policies(&policies)
    };
    let look = r#"Contact::"c{n}" has status && Contact::"c{n}".status == "x""#;
    let found = of(300, look);
    assert!(
        found.contains("ask for the attributes of 300 entities by name, more than 128"),
        "{found}"
    );
    let hidden = r#"(if context.has_targets then Contact::"c{n}" else resource) has status"#;
    assert!(of(300, hidden).contains("300 entities"));
    assert_eq!(of(128, look), "");
    assert_eq!(of(300, r#"resource == Contact::"c{n}""#), "");
    assert_eq!(
        of(300, r#"[Contact::"c{n}", Contact::"d"].contains(resource)"#),
        ""
    );
}

#[test]
fn an_action_that_nothing_permits_is_warned_of() {
    let mut content = starter("mail-agent");
    content
        .policies
        .retain(|file| file.name != "policies/desk.cedar");
    let found = check(&content, &x("acme"));
    let messages: Vec<&str> = found.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        messages,
        ["crm.lookup", "inbox.read", "ticket.update"]
            .map(|action| format!("no rule permits `{action}`: each such call is rejected"))
    );
    assert!(found.iter().all(|one| one.severity == Severity::Warning));
}

#[test]
fn a_fault_of_a_manifest_is_none_of_the_counters_that_count_its_action() {
    let mut content = starter("library");
    let counted = content.counters[0].actions[0].clone();
    let tool = content.tools.iter_mut().find(|tool| tool.action == counted);
    tool.unwrap().targets[0].at = "/nosuch".into();
    let found = check(&content, &x("acme"));
    assert!(found.iter().any(|one| one.message.contains("`/nosuch`")));
    assert!(
        found.iter().all(|one| !one.message.contains("counter")),
        "{found:#?}"
    );
}
