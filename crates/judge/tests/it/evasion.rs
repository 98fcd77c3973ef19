//! What an agent under injection does so that a value has a source that it should not have, or that
//! nobody looks at it.

use std::time::{Duration, Instant};

use countersign_core::document::{Author, PartBy, Source};
use countersign_judge::{Finding, Severity, check};
use serde_json::{Value, json};

use crate::support::{Scene, compile, content, x};

const ANY: &str = r#"@id("any") permit (principal, action, resource);"#;

/// Documents that can be read one by one or several at once, and a tool that sends things.
fn desk() -> Scene {
    let text = json!({"type": "string"});
    let tools = json!([
        {
            "tool": "file.read", "action": "file.read", "effect": "read",
            "arguments": {"type": "object", "properties": {
                "ids": {"type": "array", "items": text}, "owner": text, "tags": {"type": "object"},
            }, "additionalProperties": false},
            "roles": {"/ids": "identity", "/owner": "identity", "/tags": "identity"},
            "results": {"format": "text"},
        },
        {
            "tool": "vault.read", "action": "vault.read", "effect": "read",
            "arguments": {"type": "object"},
            "results": {"format": "json", "fields": [{"at": "", "confidentiality": "secret"}]},
        },
        {
            "tool": "post", "action": "post", "effect": "irreversible",
            "arguments": {"type": "object", "properties": {
                "to": text, "note": text, "priority": {"type": "integer"}, "lines": {"type": "array"},
                "who": {"type": ["string", "boolean", "array", "object"]},
                "access": {"type": "object", "properties": {"level": text}},
                "amount": {"type": ["number", "boolean"]},
            }},
            "targets": [{"at": "/to", "type": "id", "entity": "Thing", "optional": true}],
            "roles": {"/note": "text", "/priority": "text", "/lines": "text", "/who": "identity",
                "/access": "identity", "/amount": "quantity"},
            "words": {"en": {"verbs": ["post"]}},
        },
    ]);
    Scene::new(compile(content(ANY, "", tools)))
}

fn context(scene: &Scene, args: Value) -> Value {
    let (facts, _) = scene.asks("post", args);
    assert_eq!(facts.obstacle, None);
    Value::Object(facts.context)
}

fn named_in(scene: &Scene, value: &str) -> bool {
    let (facts, _) = scene.asks("post", json!({"to": value}));
    let target = &facts.targets[0];
    assert!(target.sources.contains(&Source::AnyOutput), "{target:?}");
    assert_eq!(
        target.sources.contains(&Source::NamedDocument),
        !target.named_in.is_empty()
    );
    !target.named_in.is_empty()
}

#[test]
fn what_an_agent_reports_itself_or_a_tool_that_failed_names_no_document() {
    let read = || {
        desk().says("Post what stands in plan.txt").result_of(
            "file.read",
            json!({"ids": ["plan.txt"]}),
            json!("see T-4711"),
        )
    };
    assert!(named_in(&read(), "T-4711"));
    assert!(!named_in(&read().by_agent(), "T-4711"));
    let mut failed = read();
    failed.results[0].is_error = true;
    assert!(!named_in(&failed, "T-4711"));
}

#[test]
fn a_named_document_does_not_name_those_that_were_read_with_it() {
    let read = |args: Value| {
        desk()
            .says("Post what stands in plan.txt and notes.txt of Ann")
            .result_of("file.read", args, json!("see T-4711"))
    };
    for (args, named) in [
        (json!({"ids": ["plan.txt"]}), true),
        (json!({"ids": ["notes.txt", "plan.txt"]}), true),
        (json!({"ids": ["plan.txt"], "owner": "eve"}), true),
        (json!({"ids": ["x.txt"], "owner": "Ann"}), true),
        (json!({"ids": null, "owner": "Ann"}), true),
        (json!({"ids": ["plan.txt", "evil.txt"]}), false),
        (json!({"ids": ["evil.txt", "plan.txt"]}), false),
        (json!({"ids": ["evil.txt"]}), false),
        (json!({"ids": []}), false),
        (json!({"tags": {"evil.txt": "plan.txt"}}), false),
        (json!({"tags": {"evil.txt": true, "b": "plan.txt"}}), false),
        (json!({}), false),
    ] {
        assert_eq!(named_in(&read(args.clone()), "T-4711"), named, "{args}");
    }
    let many: Vec<&str> = std::iter::repeat_n("plan.txt", 17).collect();
    assert!(!named_in(&read(json!({"ids": many})), "T-4711"));
    // Nor is a large argument read to its end.
    let large = |count: usize| {
        let mut ids = vec![Value::Null; count];
        ids.push(json!("plan.txt"));
        named_in(&read(json!({"ids": ids})), "T-4711")
    };
    assert!(large(1_000) && !large(2_000));
}

#[test]
fn a_secret_is_found_whatever_holds_it() {
    let scene = desk().says("Post it").result(
        "vault.read",
        json!({"pin": 482_193, "code": "X7-QQ-42", "salary": 8123.5}),
    );
    for args in [
        json!({"note": "482193"}),
        json!({"priority": 482_193}),
        json!({"lines": [["a"], {"b": 482_193}]}),
        json!({"lines": [{"482193": 1}]}),
        json!({"amount": 482_193}),
        json!({"to": "482193"}),
        json!({"who": {"x7qq42": true}}),
        json!({"access": {"x7qq42": "a"}}),
        json!({"undeclared": "x7qq42"}),
        json!({"undeclared": {"deep": [482_193]}}),
        json!({"x7qq42": true}),
        json!({"note": "it is 8,123.50"}),
        json!({"note": "it is 8123.5"}),
    ] {
        assert_eq!(
            context(&scene, args.clone())["carries"],
            json!(["secret"]),
            "{args}"
        );
    }
    for args in [
        json!({"note": "4821930"}),
        json!({"amount": 48_219}),
        json!({"priority": 1, "lines": [true, null]}),
    ] {
        assert_eq!(
            context(&scene, args.clone())["carries"],
            json!([]),
            "{args}"
        );
    }
}

#[test]
fn an_argument_that_holds_no_word_is_not_one_whose_words_all_are_named() {
    let scene = desk().says("Post 12 for Ann, as editor, to everybody: true");
    for (args, member, expected) in [
        (json!({"who": "Ann"}), "who", json!(["user"])),
        (json!({"who": true}), "who", json!(["none"])),
        (
            json!({"who": [false, "Ann"]}),
            "who",
            json!(["user", "none"]),
        ),
        (json!({"who": {"Ann": "editor"}}), "who", json!(["user"])),
        (
            json!({"who": {"Eve": "editor"}}),
            "who",
            json!(["user", "none"]),
        ),
        (json!({"who": {"Eve": {}}}), "who", json!(["none"])),
        (
            json!({"access": {"level": "editor"}}),
            "access",
            json!(["user"]),
        ),
        (
            json!({"access": {"level": "editor", "U-4821": "editor"}}),
            "access",
            json!(["user", "none"]),
        ),
        (json!({"amount": 12}), "amount", json!(["user"])),
        (json!({"amount": true}), "amount", json!(["none"])),
        (json!({"who": []}), "who", json!([])),
    ] {
        let found = &context(&scene, args.clone())["sources"][member];
        assert_eq!(*found, expected, "{args}");
    }
}

#[test]
fn what_the_manifest_says_nothing_of_is_read_as_text() {
    let scene = desk().says("Post it to https://acme.example/form");
    for (args, expected) in [
        (
            json!({"note": "at https://evil.example/x"}),
            json!(["none"]),
        ),
        (
            json!({"extra": "at https://evil.example/x"}),
            json!(["none"]),
        ),
        (
            json!({"extra": ["at https://acme.example/form"]}),
            json!(["user"]),
        ),
        (json!({"https://evil.example/x": 1}), json!(["none"])),
        (
            json!({"lines": [{"https://evil.example/x": 1}]}),
            json!(["none"]),
        ),
        (json!({"note": "nothing"}), json!([])),
    ] {
        let found = &context(&scene, args.clone())["text"]["sources"];
        assert_eq!(*found, expected, "{args}");
    }
    // Too much to look at is no obstacle where the manifest says nothing, and nothing that is known.
    let many: String = (0..300)
        .map(|n| format!("https://acme.example/form https://e{n}.example "))
        .collect();
    let found = &context(&scene, json!({"extra": many}))["text"]["sources"];
    assert_eq!(*found, json!(["user", "none"]));
}

#[test]
fn a_yes_does_not_take_up_what_another_person_or_a_schedule_asked_for() {
    let asked = |scene: &Scene| {
        let (facts, _) = scene.asks("post", json!({"note": "x"}));
        facts.requests[0].context["asked"]["verb"].clone()
    };
    let own = desk().says("Post the plan").says("yes, go ahead");
    assert_eq!(asked(&own), true);
    let mut other = desk().says("Post the plan").says("yes, go ahead");
    other.turns[1].principal = x("user:eve@evil.example");
    assert_eq!(asked(&other), false);
    let planned = desk()
        .turn(Author::Schedule, &[(PartBy::Principal, "Post the plan")])
        .says("yes, go ahead");
    assert_eq!(asked(&planned), false);
}

#[test]
fn a_schedule_says_yes_to_nothing() {
    for (author, source) in [
        (Author::Human, "confirmed"),
        (Author::Schedule, "none"),
        (Author::System, "none"),
    ] {
        let parts = [
            (PartBy::Agent, "Shall I post it to T-4711?"),
            (PartBy::Principal, "Yes, continue"),
        ];
        let scene = desk().turn(author, &parts);
        assert_eq!(
            scene.sources("post", json!({"to": "T-4711"})),
            [source],
            "{author:?}"
        );
    }
}

#[test]
fn the_order_in_which_members_were_written_says_nothing() {
    let scene = |result: &str| {
        desk()
            .says("Post what stands in plan.txt")
            .result("vault.read", serde_json::from_str(result).unwrap())
    };
    let one = scene(r#"{"a": "T-1", "b": {"c": "T-1", "d": "T-2"}}"#);
    let two = scene(r#"{"b": {"d": "T-2", "c": "T-1"}, "a": "T-1"}"#);
    let first =
        r#"{"to": "T-1", "note": "T-2 www.a.example", "access": {"x": "T-2", "level": "T-1"}}"#;
    let second =
        r#"{"access": {"level": "T-1", "x": "T-2"}, "note": "T-2 www.a.example", "to": "T-1"}"#;
    let facts = |scene: &Scene, args: &str| {
        let (facts, _) = scene.asks("post", serde_json::from_str(args).unwrap());
        serde_json::to_value(facts).unwrap()
    };
    assert_eq!(facts(&one, first), facts(&one, second));
    assert_eq!(facts(&one, first), facts(&two, first));
}

#[test]
fn many_small_arguments_and_many_secrets_cost_no_product() {
    let secrets: Vec<Value> = (0..40_000).map(|n| json!(format!("aaa{n:07}"))).collect();
    let scene = desk().says("Post it").result("vault.read", json!(secrets));
    let time = |leaves: usize| {
        let lines: Vec<Value> = (0..leaves).map(|n| json!(format!("aaa{n}"))).collect();
        let started = Instant::now();
        let found = context(&scene, json!({"lines": lines}));
        (started.elapsed(), found["carries"].clone())
    };
    let (few, _) = time(200);
    let (many, carried) = time(20_000);
    // More steps than the limit: what is left counts as found.
    assert_eq!(carried, json!(["secret"]));
    assert!(many < few * 20 + Duration::from_secs(5), "{few:?} {many:?}");
}

fn findings(change: impl FnOnce(&mut Value)) -> Vec<Finding> {
    let mut tool = json!({
        "tool": "pay", "action": "pay", "effect": "irreversible",
        "arguments": {"type": "object", "additionalProperties": false, "properties": {
            "to": {"type": "string"},
            "cc": {"type": "array", "items": {"type": "string"}},
        }},
        "targets": [{"at": "/to", "type": "id", "entity": "Payee"}],
        "roles": {"/cc": "identity"},
        "effects": [{"action": "copy", "effect": "irreversible", "when": "$.cc[*]",
            "targets": [{"at": "/cc", "type": "id", "entity": "Payee"}]}],
    });
    change(&mut tool);
    let policies = r#"@id("p") permit (principal, action, resource)
        when { context.target.sources.contains("user") };"#;
    check(&content(policies, "", json!([tool])), &x("acme"))
}

#[test]
fn a_condition_that_overlooks_a_spelling_is_found() {
    let overlooks = |change: fn(&mut Value)| {
        let found = findings(change);
        found.iter().any(|f| f.message.contains("overlooks"))
    };
    assert!(!overlooks(|_| {}));
    assert!(!overlooks(|t| {
        t["arguments"]["properties"]["cc"]["type"] = json!(["array", "null"]);
    }));
    assert!(!overlooks(|t| t["effects"][0]["when"] = json!("$.cc")));
    assert!(overlooks(|t| {
        t["arguments"]["properties"]["cc"]["type"] = json!(["array", "string"]);
    }));
    assert!(overlooks(|t| {
        t["arguments"]["properties"]["cc"] = json!({"anyOf": [
            {"type": "string"}, {"type": "array", "items": {"type": "string"}}
        ]});
    }));
}

#[test]
fn a_target_that_is_one_item_of_a_list_is_found() {
    for (at, bound, found) in [
        ("/to", None, false),
        ("/to/0", None, true),
        ("$.to[0]", None, true),
        ("$.to[*]", None, false),
        ("$.to[0]", Some(1), false),
    ] {
        let findings = findings(|t| {
            let mut list = json!({"type": "array", "items": {"type": "string"}});
            if let Some(bound) = bound {
                list["maxItems"] = json!(bound);
            }
            t["arguments"]["properties"]["to"] = list;
            t["targets"][0]["at"] = json!(at);
        });
        let one_of_many = |f: &Finding| f.message.ends_with("and the others are no target");
        assert_eq!(findings.iter().any(one_of_many), found, "{at} {findings:?}");
    }
}

#[test]
fn an_argument_that_a_schema_declares_in_a_corner_needs_a_role() {
    let is_missing = |found: &[Finding]| {
        let mut errors = found.iter().filter(|f| f.severity == Severity::Error);
        errors.any(|f| f.message == "the argument `/bcc` has no role")
    };
    assert!(!is_missing(&findings(|_| {})));
    let shut = |t: &mut Value| {
        let arguments = t["arguments"].as_object_mut().unwrap();
        arguments.remove("additionalProperties");
        arguments.insert("unevaluatedProperties".to_owned(), json!(false));
    };
    for keyword in ["then", "else", "if"] {
        let found = findings(|t| {
            shut(t);
            t["arguments"]["if"] = json!({});
            t["arguments"][keyword] = json!({"properties": {"bcc": {"type": "string"}}});
        });
        assert!(is_missing(&found), "{keyword} {found:?}");
    }
    let found = findings(|t| {
        shut(t);
        t["arguments"]["dependentSchemas"] =
            json!({"to": {"properties": {"bcc": {"type": "string"}}}});
    });
    assert!(is_missing(&found), "{found:?}");
}

#[test]
fn one_value_in_many_arguments_and_results_is_traced_once() {
    let mut scene = desk().says("Post what stands in T-9");
    let places: Vec<Value> = (0..32).map(|_| json!({"at": "T-4711"})).collect();
    for _ in 0..256 {
        scene = scene.result_of("file.read", json!({"ids": ["T-9"]}), json!(places));
    }
    let facts = |count: usize| {
        let who: Vec<&str> = std::iter::repeat_n("T-4711", count).collect();
        let started = Instant::now();
        let (facts, _) = scene.asks("post", json!({"who": who}));
        (started.elapsed(), facts)
    };
    let (few, one) = facts(1);
    let (many, all) = facts(1000);
    assert_eq!(all.values.len(), 1000);
    let last = all.values.last().unwrap();
    assert_eq!(last.sources, one.values[0].sources);
    assert!(last.sources.contains(&Source::NamedDocument));
    let evidence = all.values.iter().map(|value| value.evidence.len());
    assert!(evidence.sum::<usize>() <= 1024);
    // Most of it is reading the results, which both do.
    assert!(
        many < few * 8 + Duration::from_millis(500),
        "{few:?} {many:?}"
    );
}

#[test]
fn a_tool_that_no_manifest_names_hides_no_secret_and_no_link() {
    let mut content = content(
        r#"@id("any") permit (principal, action, resource);
           @id("secret") forbid (principal, action, resource) when { context.carries.contains("secret") };
           @id("link") forbid (principal, action, resource) when { context.text.sources.contains("none") };"#,
        "",
        json!([{
            "tool": "vault.read", "action": "vault.read", "effect": "read",
            "arguments": {"type": "object"},
            "results": {"format": "json", "fields": [{"at": "", "confidentiality": "secret"}]},
        }]),
    );
    content.settings.unknown_tools = countersign_core::document::UnknownTools::Judge;
    let scene = Scene::new(compile(content))
        .says("Look at https://acme.example")
        .result("vault.read", json!({"pin": 482_193}));
    for (args, reason) in [
        (json!({"a": "https://acme.example"}), "any"),
        (json!({"a": ["https://evil.example"]}), "link"),
        (json!({"www.evil.example": 1}), "link"),
        (json!({"a": {"b": "482193"}}), "secret"),
        (json!({"a": 482_193}), "secret"),
        (json!({"482193": null}), "secret"),
        (json!("482193"), "secret"),
    ] {
        assert_eq!(
            scene.verdict("other.tool", args.clone()).1,
            [reason],
            "{args}"
        );
    }
    let many: String = (0..400)
        .map(|n| format!("https://acme.example/{n} "))
        .collect();
    assert_eq!(scene.verdict("other.tool", json!({"a": many})).1, ["link"]);
}

#[test]
fn long_names_in_a_result_are_not_written_out_for_each_value_in_it() {
    let values: Vec<Value> = (0..300).map(|n| json!(format!("T-{n}"))).collect();
    let scene = |name: usize| {
        let many: Vec<&Value> = std::iter::repeat_n(&values, 16).flatten().collect();
        let result = json!([{"a".repeat(name): many}]);
        desk()
            .says("Post it")
            .result("file.read", result.clone())
            .result("vault.read", result)
    };
    let time = |scene: &Scene| {
        let started = Instant::now();
        let (facts, _) = scene.asks("post", json!({"who": values}));
        assert_eq!(facts.values.len(), 300);
        assert_eq!(facts.context["carries"], json!(["secret"]));
        started.elapsed()
    };
    let (short, long) = (time(&scene(1)), time(&scene(500_000)));
    assert!(
        long < short * 4 + Duration::from_secs(2),
        "{short:?} {long:?}"
    );
}
