//! What the check of a bundle finds although every part of it is sound.

use countersign_core::document::{BundleContent, UnknownTools};
use countersign_judge::{Finding, Severity, check, source};
use serde_json::{Value, json};

use crate::support::{content, starter, x};

/// Transfers, and a file store: one with words, one without.
fn tools() -> Value {
    let object = |properties: Value, required: Value| {
        json!({"type": "object", "additionalProperties": false, "properties": properties,
            "required": required})
    };
    json!([
        {
            "tool": "pay", "action": "money.send", "effect": "irreversible",
            "arguments": object(json!({
                "to": {"type": "string"}, "amount": {"type": "integer"},
                "files": {"type": "array", "items": {"type": "string"}},
                "note": {"type": "string", "maxLength": 100}}), json!(["to", "amount"])),
            "targets": [{"at": "/to", "type": "id", "entity": "Payee"}],
            "roles": {"/amount": "quantity", "/files": "identity", "/note": "text"},
            "words": {"en": {"verbs": ["pay", "send"], "nouns": ["money"]}},
        },
        {
            "tool": "drop", "action": "file.drop", "effect": "write",
            "arguments": object(json!({"ids": {"type": "array", "items": {"type": "string"}}}), json!([])),
            "targets": [{"at": "/ids", "type": "id", "entity": "File", "optional": true}],
        },
        {
            "tool": "list", "action": "file.list", "effect": "read",
            "arguments": object(json!({}), json!([])),
        },
    ])
}

/// A permit that asks all that there is to ask, so that only what a test adds is found.
const SOUND: &str = r#"@id("sound") permit (principal, action, resource)
when { context.intent.live && context has target && context.target.sources.contains("user") };
@id("files") forbid (principal, action, resource)
when { context has sources.files && !["user"].containsAll(context.sources.files) };
"#;

fn of(policies: &str) -> BundleContent {
    content(&format!("{SOUND}{policies}"), "", tools())
}

fn shown(content: &BundleContent) -> String {
    let found: Vec<String> = check(content, &x("acme"))
        .iter()
        .map(Finding::to_string)
        .collect();
    found.join("\n\n")
}

fn lint(condition: &str) -> String {
    shown(&of(&format!(
        "@id(\"a\") permit (principal, action == Action::\"money.send\", resource)\nwhen {{ {condition} }};"
    )))
}

#[test]
fn a_sound_bundle_has_no_findings() {
    assert_eq!(shown(&of("")), "");
}

#[test]
fn each_finding_shows_its_place_and_what_helps() {
    let live = "context.intent.live";
    let permit = |condition: &str| lint(&format!("{live} && {condition}"));
    let rule = |text: &str| shown(&of(text));
    let mut unread = of("");
    let (only, _) = SOUND.split_once("@id(\"files\")").unwrap();
    unread.policies[0].text = only.into();
    let all = [
        ("unknown source", permit(r#"context.target.sources.contains("usr")"#)),
        ("unknown source of an argument", permit(r#"["user", "system-field"].containsAll(context.sources.amount)"#)),
        ("unknown author", lint(r#"context.intent has author && context.intent.author == "humen""#)),
        ("unknown action", permit(r#"context.target.named_in.contains("file.lst")"#)),
        ("unknown tool", lint(r#"context.intent.live && context.tool == "pey""#)),
        ("unknown label", permit(r#"!context.carries.contains("confidential")"#)),
        (
            "targets that may be none",
            rule(r#"@id("a") permit (principal, action == Action::"file.drop", resource)
when { context.intent.live && context.mentioned.ids.containsAll(context.targets) };"#),
        ),
        ("sources that may be none", permit(r#"context has sources.files && ["user"].containsAll(context.sources.files)"#)),
        ("everything holds of nothing", permit("context.mentioned.ids.containsAll([])")),
        ("one of several", permit(r#"context has sources.files && context.sources.files.contains("user")"#)),
        (
            "one of several, in an exception",
            rule("@id(\"a\") forbid (principal, action == Action::\"money.send\", resource)\nunless { context.text.sources.containsAny([\"user\", \"directory\"]) };"),
        ),
        (
            "shadowed",
            rule("@id(\"never\")\n@reason(\"No money.\")\nforbid (principal, action in Action::\"irreversible\", resource);\n\n@id(\"a\")\npermit (principal, action == Action::\"money.send\", resource is Payee)\nwhen { context.intent.live };"),
        ),
        ("condition that cannot hold", rule("@id(\"a\")\npermit (principal, action, resource)\nwhen { context.intent.live && 1 == 2 };")),
        ("no call fits the scope", rule("@id(\"a\")\nforbid (principal, action == Action::\"file.list\", resource is Payee);")),
        ("asks nothing", rule("@id(\"a\")\npermit (principal, action, resource);")),
        ("asks only for the action", permit("context.asked.verb")),
        (
            "no words",
            rule("@id(\"a\")\nforbid (principal, action == Action::\"file.drop\", resource)\nunless { context.asked.verb };"),
        ),
        ("unread identity", shown(&unread)),
        (
            "personal",
            rule("// Ask jane@acme.example about this.\n@id(\"a\") @reason(\"Only Jo, +49 171 2345678.\")\nforbid (principal, action, resource)\nunless { context.intent has principal && context.intent.principal == \"user:jo@acme.example\" };"),
        ),
        ("unknown counter", counted("context.counters.payd.after <= 5")),
        ("unread counter", counted("context.intent.live")),
    ]
    .map(|(name, text)| format!("=== {name}\n{text}"));
    insta::assert_snapshot!(all.join("\n\n"));
}

/// A bundle with a counter `paid`.
fn counted(condition: &str) -> String {
    let mut content = of(&format!(
        "@id(\"cap\") forbid (principal, action == Action::\"money.send\", resource)\nunless {{ {condition} }};"
    ));
    content.counters = serde_json::from_value(json!([{"name": "paid", "kind": "sum",
        "actions": ["money.send"], "over": "/amount", "decimals": 2, "key": "principal"}]))
    .unwrap();
    shown(&content)
}

#[test]
fn what_is_meant_is_not_found() {
    for condition in [
        r#"context.intent.live && context.target.sources.containsAny(["user", "system_field"])"#,
        r#"context.intent.live && ["user"].containsAll(context.target.sources)"#,
        r#"context.intent.live && ["user"].containsAll(context.sources.amount)"#,
        r#"context.intent.live && context.sources.amount.contains("user")"#,
        r#"context.intent.live && context.target.sources.contains("user") && ["user"].containsAll(context.text.sources)"#,
        r#"context.intent.live && context has sources.files && !context.sources.files.isEmpty() && ["user"].containsAll(context.sources.files)"#,
        r#"context.intent.live && context has sources.files && !context.sources.files.contains("none")"#,
        r#"context.intent.live && context.mentioned.ids.containsAll(context.targets)"#,
        r#"context.asked.verb && context.target.sources.contains("user")"#,
        r#"context.intent.live && context.target.kind == "id" && context.tool == "pay""#,
    ] {
        assert_eq!(lint(condition), "", "{condition}");
    }
    for policy in [
        // A forbid that spares what has no entity in its texts is meant so.
        r#"@id("a") forbid (principal, action == Action::"money.send", resource)
           unless { ["user"].containsAll(context.text.sources) };"#,
        // A forbid that escalates, or has a condition, leaves something to its permits.
        r#"@id("a") @escalate forbid (principal, action == Action::"money.send", resource);"#,
        r#"@id("a") forbid (principal, action, resource) when { !context.intent.live };"#,
        // Reading needs no words.
        r#"@id("a") forbid (principal, action in [Action::"file.list", Action::"money.send"], resource)
           unless { context.effect == "read" || context.asked.verb };"#,
    ] {
        assert_eq!(shown(&of(policy)), "", "{policy}");
    }
    assert_eq!(counted("context.counters.paid.after <= 50000"), "");
}

#[test]
fn a_word_that_can_never_be_there_is_an_error_and_the_rest_are_warnings() {
    let severity = |condition: &str| {
        let policy = format!(
            "@id(\"a\") permit (principal, action == Action::\"money.send\", resource)\nwhen {{ {condition} }};"
        );
        check(&of(&policy), &x("acme"))[0].severity
    };
    assert_eq!(
        severity(r#"context.intent.live && context.target.sources.contains("usr")"#),
        Severity::Error
    );
    assert_eq!(
        severity("context.intent.live && context.asked.verb"),
        Severity::Warning
    );
}

#[test]
fn a_tool_of_another_name_may_be_meant_where_unknown_tools_are_judged() {
    let mut content =
        of(r#"@id("a") forbid (principal, action, resource) when { context.tool == "shell" };"#);
    assert!(shown(&content).contains("`shell` can never be in `context.tool`"));
    content.settings.unknown_tools = UnknownTools::Judge;
    assert!(!shown(&content).contains("shell"));
}

#[test]
fn an_acknowledged_literal_may_stand() {
    let policy = r#"@id("a") forbid (principal, action, resource)
        when { context.mentioned.emails.contains("desk@acme.example") };"#;
    let mut content = of(policy);
    assert!(shown(&content).contains("`desk@acme.example` looks like an e-mail address"));
    content.acknowledged = vec!["Desk@acme.example".into()];
    assert_eq!(shown(&content), "");
    content.acknowledged.push("nobody@acme.example".into());
    assert_eq!(
        shown(&content),
        "warning: the acknowledged literal `nobody@acme.example` stands nowhere in the bundle\n  --> bundle.toml\nhint: take it out of `acknowledged`"
    );
    // Manifests count as well, whatever part of them.
    let mut content = of("");
    content.tools[0].description = "Asks +49 171 2345678.".into();
    content.tools[1].arguments["properties"]["ids"]["examples"] = json!(["jo@acme.example"]);
    let found = shown(&content);
    assert!(
        found.contains("`+49 171 2345678` looks like a phone number\n  --> tools/pay.json"),
        "{found}"
    );
    assert!(
        found.contains("`jo@acme.example` looks like an e-mail address\n  --> tools/drop.json"),
        "{found}"
    );
}

#[test]
fn a_label_for_a_type_that_nothing_declares_is_an_error() {
    let mut content = of("");
    let results = json!({"format": "json", "fields": [
        {"at": "$[*].owner", "integrity": "system", "entity": "Payees"}]});
    content.tools[2].results = serde_json::from_value(results).unwrap();
    let found = shown(&content);
    assert!(
        found.contains("error: the label of `$[*].owner` names the entity type `Payees`, which nothing declares\n  --> tools/list.json\nhint: did you mean `Payee`?"),
        "{found}"
    );
}

#[test]
fn a_word_that_the_schema_does_not_list_is_an_error() {
    let with = |schema: Value, condition: &str| {
        let mut content = of(&format!(
            "@id(\"a\") forbid (principal, action == Action::\"file.list\", resource)\nwhen {{ {condition} }};"
        ));
        content.tools[2].arguments["properties"]["kind"] = schema;
        shown(&content)
    };
    let one = json!({"anyOf": [{"enum": ["open", "closed"]}, {"type": "null"}]});
    let many = json!({"type": "array", "items": {"type": "string", "enum": ["open", "closed"]}});
    let is = |word: &str| format!(r#"context.args has kind && context.args.kind == "{word}""#);
    let has =
        |word: &str| format!(r#"context.args has kind && context.args.kind.contains("{word}")"#);
    assert_eq!(with(one.clone(), &is("open")), "");
    assert_eq!(with(many.clone(), &has("closed")), "");
    for found in [with(one, &is("opne")), with(many, &has("opne"))] {
        assert!(
            found.starts_with("error: `opne` can never be in `context.args.kind`")
                && found.ends_with("hint: did you mean `open`?"),
            "{found}"
        );
    }
    assert_eq!(with(json!({"type": "string"}), &is("anything")), "");
}

#[test]
fn findings_of_manifests_and_settings_are_placed_in_their_files() {
    let tools = "[\n  {\"tool\": \"list\", \"action\": \"file.list\", \"effect\": \"read\",\n   \"arguments\": {\"type\": \"object\", \"additionalProperties\": false}},\n  {\"tool\": \"pay\", \"action\": \"money.send\", \"effect\": \"write\",\n   \"arguments\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n     \"to\": {\"type\": \"string\"},\n     \"note\": {\"type\": \"string\"}}},\n   \"targets\": [{\"at\": \"/too\", \"type\": \"id\", \"entity\": \"Payee\"}]}\n]\n";
    let place = |tools: &str, head: &str| {
        let files = vec![
            ("bundle.toml".to_owned(), head.to_owned()),
            ("tools/all.json".to_owned(), tools.to_owned()),
        ];
        let content = source::read(&files).unwrap();
        let mut found = check(&content, &x("acme"));
        source::locate(&files, &mut found);
        let found: Vec<String> = found
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        found.join("\n")
    };
    let head = "name = \"x\"\n";
    assert!(
        place(tools, head).starts_with("error: the target `/too` names no argument of the schema\n  --> tools/all.json:8:24\n  |\n8 |    \"targets\": [{\"at\": \"/too\""),
        "{}", place(tools, head)
    );
    let fixed = tools.replace("/too", "/to");
    assert!(
        place(&fixed, head)
            .starts_with("error: the argument `/note` has no role\n  --> tools/all.json:7:7\n"),
        "{}",
        place(&fixed, head)
    );
    let roles = fixed.replace(
        "\"targets\"",
        "\"roles\": {\"/note\": \"text\"}, \"targets\"",
    );
    assert_eq!(place(&roles, head), "");
    let found = place(&roles, "name = \"x\"\n\n[settings]\npermit_ttl_s = 0\n");
    assert!(
        found.contains("`permit_ttl_s` is 0; allowed are 1 to 3600\n  --> bundle.toml:4:1"),
        "{found}"
    );
    let found = place(
        &roles,
        "name = \"x\"\n[[counters]]\nname = \"n\"\nkind = \"count\"\nactions = [\"money.sent\"]\nkey = \"actor\"\n",
    );
    assert!(
        found.contains("`money.sent`, which no tool does\n  --> bundle.toml:"),
        "{found}"
    );
}

#[test]
fn thousands_of_rules_are_checked() {
    let mut content = starter("mail-agent");
    for (n, file) in content.policies.iter_mut().enumerate() {
        file.text = (n * 1_000..(n + 1) * 1_000)
            .map(|n| {
                format!(
                    "@id(\"p{n}\") permit (principal, action == Action::\"email.send\", resource) when {{ context.targets.contains(\"{n}\") }};\n"
                )
            })
            .collect();
    }
    let found = check(&content, &x("acme"));
    assert!(
        found
            .iter()
            .all(|finding| finding.severity == Severity::Warning),
        "{}",
        found[0]
    );
    assert!(found.len() <= 200);
}
