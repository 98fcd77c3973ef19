//! What a manifest must say of the arguments of a tool that changes something.

use countersign_core::document::Bundle;
use countersign_judge::{CompiledBundle, Finding, Severity, check};
use serde_json::{Value, json};

use crate::support::{content, x};

fn transfer() -> Value {
    json!({
        "tool": "pay", "action": "money.send", "effect": "irreversible",
        "arguments": {"type": "object", "additionalProperties": false, "properties": {
            "to": {"type": "string"},
            "amount": {"type": "number"},
            "note": {"type": "string", "maxLength": 100},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
        }, "$defs": {"part": {"type": "object", "additionalProperties": false, "properties": {
            "file_id": {"type": "string"},
            "meta": {"anyOf": [{"type": "null"}, {"type": "object", "additionalProperties": false,
                "properties": {"title": {"type": "string"}}}]},
        }}}},
        "targets": [{"at": "/to", "type": "id", "entity": "Payee"}],
        "roles": {"/amount": "quantity", "/note": "text", "/parts/file_id": "identity",
            "/parts/meta": "text"},
    })
}

fn findings(change: impl FnOnce(&mut Value)) -> Vec<Finding> {
    let mut tool = transfer();
    change(&mut tool);
    let policies = r#"@id("p") permit (principal, action, resource)
        when { context.target.sources.contains("user") };"#;
    check(&content(policies, "", json!([tool])), &x("acme"))
}

/// The errors, each with its hint.
fn errors(change: impl FnOnce(&mut Value)) -> String {
    let found: Vec<String> = findings(change)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| format!("{} | {}", finding.message, finding.hint.unwrap_or_default()))
        .collect();
    found.join("\n")
}

#[test]
fn a_role_holds_for_all_that_is_below() {
    assert_eq!(errors(|_| {}), "");
    assert_eq!(
        errors(|t| t["roles"] = json!({"/amount": "quantity", "/note": "text", "/parts": "text"})),
        ""
    );
}

#[test]
fn an_argument_without_a_role_is_an_error() {
    let found = errors(|t| {
        t["roles"].as_object_mut().unwrap().remove("/amount");
    });
    assert!(found.starts_with("the argument `/amount` has no role | say what each is for, as in `\"roles\": {\"/amount\": \"text\"}`"), "{found}");
    let found = errors(|t| t["roles"] = json!({"/note": "text"}));
    assert!(
        found.starts_with(
            "3 arguments have no role: `/amount`, `/parts/file_id`, `/parts/meta/title` |"
        ),
        "{found}"
    );
    // One effect that changes something is enough; reading needs no roles.
    let reads = |t: &mut Value| {
        t["effect"] = json!("read");
        t["roles"] = json!({});
    };
    assert_eq!(errors(reads), "");
    let found = errors(|t| {
        reads(t);
        t["effects"] = json!([{"action": "log.write", "effect": "write"}]);
    });
    assert!(found.contains("4 arguments have no role"), "{found}");
}

#[test]
fn a_role_for_a_name_that_the_schema_lacks_is_an_error() {
    for (wrong, meant) in [
        ("/ammount", "/amount"),
        ("amount", "/amount"),
        ("/parts/0/file_id", "/parts/file_id"),
        ("/parts/fileid", "/parts/file_id"),
        ("/parts/meta/titel", "/parts/meta/title"),
    ] {
        let found = errors(|t| t["roles"][wrong] = json!("text"));
        assert_eq!(
            found,
            format!(
                "the role of `{wrong}` names no argument of the schema | did you mean `{meant}`?"
            )
        );
    }
    let found = errors(|t| t["roles"]["/something/else"] = json!("text"));
    assert!(found.contains("by its JSON Pointer"), "{found}");
}

#[test]
fn a_target_is_an_identity() {
    assert_eq!(errors(|t| t["roles"]["/to"] = json!("identity")), "");
    let found = errors(|t| t["roles"]["/to"] = json!("text"));
    assert!(
        found.starts_with("the target `/to` has the role `text` |"),
        "{found}"
    );
    let found = errors(|t| {
        t["effects"] = json!([{"action": "file.send", "effect": "write", "targets": [
            {"at": "$.parts[*].file_id", "type": "id", "entity": "File"}]}]);
        t["roles"]["/parts/file_id"] = json!("text");
    });
    assert!(
        found.starts_with("the target `$.parts[*].file_id` has the role `text` |"),
        "{found}"
    );
}

#[test]
fn a_bundle_of_the_log_is_not_held_to_rules_that_came_later() {
    let mut tool = transfer();
    tool.as_object_mut().unwrap().remove("roles");
    let bundle = Bundle {
        tenant: x("acme"),
        content: content("", "", json!([tool])),
    };
    let refused = CompiledBundle::compile(bundle.clone()).err().unwrap();
    assert!(
        refused.to_string().contains("4 arguments have no role"),
        "{refused}"
    );
    let stored = CompiledBundle::stored(bundle).unwrap();
    assert!(
        stored
            .warnings()
            .iter()
            .any(|finding| finding.message.contains("4 arguments have no role"))
    );
}

#[test]
fn effects_are_compiled_like_the_action() {
    let with = |effects: Value| errors(|t| t["effects"] = effects);
    let file = json!([{"at": "$.parts[*].file_id", "type": "id", "entity": "File"}]);
    let effect = |action: &str, when: Value| json!([{"action": action, "effect": "write", "when": when, "targets": file}]);
    assert_eq!(with(effect("file.send", json!("$.parts[*]"))), "");
    assert_eq!(with(effect("file.send", Value::Null)), "");
    assert_eq!(
        with(effect("file.send", json!("$.parts[?@.file_id == 'x']"))),
        ""
    );
    for (effects, problem) in [
        (
            effect("money.send", Value::Null),
            "two effects of the tool are `money.send` |",
        ),
        (
            effect("file.send", json!("$.prats")),
            "the condition `$.prats` of an effect can find nothing | did you mean `$.parts`?",
        ),
        (
            effect("file.send", json!("parts")),
            "the condition `parts` of an effect is no JSONPath",
        ),
        (
            effect("reads", Value::Null),
            "the action `reads` is reserved",
        ),
        (
            json!([{"action": "a", "effect": "read", "targets": [
                {"at": "/too", "type": "id", "entity": "File"}]}]),
            "the target `/too` names no argument of the schema | did you mean `/to`?",
        ),
        (
            json!([{"action": "a", "effect": "read", "targets": [
                {"at": "/to", "type": "email", "entity": "Payee"}]}]),
            "the entity type `Payee` stands for values of type `id` and of type `email`",
        ),
        (
            (0..17)
                .map(|n| json!({"action": format!("a{n}"), "effect": "read"}))
                .collect(),
            "17 effects are more than 16",
        ),
    ] {
        let found = with(effects);
        assert!(found.contains(problem), "{problem}: {found}");
    }
}

#[test]
fn counters_are_held_to_the_tools_that_they_count() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut counter = json!({"name": "paid", "kind": "sum", "actions": ["money.send"],
            "over": "/amount", "decimals": 2, "key": "principal", "window_s": 86400});
        change(&mut counter);
        let mut content = content("", "", json!([transfer()]));
        content.counters = serde_json::from_value(json!([counter])).unwrap();
        let found: Vec<String> = check(&content, &x("acme"))
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| format!("{} | {}", finding.message, finding.hint.unwrap_or_default()))
            .collect();
        found.join("\n")
    };
    assert_eq!(with(&|_| {}), "");
    for (name, value, problem) in [
        (
            "name",
            json!("Paid out"),
            "`Paid out` cannot be the name of a counter",
        ),
        ("actions", json!([]), "the counter `paid` counts no action"),
        (
            "actions",
            json!(["money.sent"]),
            "the counter `paid` counts `money.sent`, which no tool does | did you mean `money.send`?",
        ),
        (
            "over",
            json!("/amuont"),
            "the counter `paid` is over `/amuont`, which `pay` does not have | did you mean `/amount`?",
        ),
        (
            "over",
            json!("/note"),
            "the counter `paid` adds up `/note`, which is no number in `pay`",
        ),
        (
            "over",
            json!("/parts/file_id"),
            "the counter `paid` is over `/parts/file_id`, which `pay` does not have | a counter is over one value",
        ),
        ("over", Value::Null, "the counter `paid` adds up nothing"),
        (
            "kind",
            json!("count"),
            "the counter `paid` counts calls, and so cannot be over `/amount`",
        ),
        (
            "decimals",
            json!(10),
            "the counter `paid` has 10 decimals; allowed are 0 to 9",
        ),
        (
            "window_s",
            json!(0),
            "the window of the counter `paid` is 0; allowed are 1 to 31622400",
        ),
    ] {
        let found = with(&|counter| counter[name] = value.clone());
        assert!(found.contains(problem), "{problem}: {found}");
    }
    let found = with(&|counter| {
        *counter = json!({"name": "n", "kind": "count_distinct", "actions": ["money.send"],
            "key": "target"});
    });
    assert!(
        found.contains("the counter `n` counts the targets of each target"),
        "{found}"
    );
}
