//! A verdict taken apart: which policy, which condition, which value, which sources.

use countersign_core::verdict::Outcome;
use countersign_judge::{
    Had, Held, SourceComparison, SourceTest, SourcesOf, TargetTrace, Unmet, trace,
};

use crate::support::{Scene, call, compile, content, x};
use serde_json::{Value, json};

fn tools() -> Value {
    let text = json!({"type": "string", "maxLength": 1000});
    json!([
        {
            "tool": "mail.send", "action": "mail.send", "effect": "irreversible",
            "arguments": {"type": "object", "properties": {
                "to": {"type": "array", "items": text},
                "files": {"type": "array", "items": text},
                "body": text, "count": {"type": "integer"},
            }, "required": ["to", "files", "body"], "additionalProperties": false},
            "targets": [{"at": "/to", "type": "email", "entity": "Address"}],
            "roles": {"/files": "identity", "/body": "text", "/count": "quantity"},
            "effects": [{"action": "file.share", "effect": "irreversible", "when": "$.files[*]"}],
        },
        {
            "tool": "files.list", "action": "files.list", "effect": "read",
            "arguments": {"type": "object", "additionalProperties": false},
            "results": {"fields": [{"at": "/*/id", "integrity": "system"}]},
        },
    ])
}

fn traced(policies: &str, args: Value) -> Vec<TargetTrace> {
    let scene = Scene::new(compile(content(policies, "", tools())))
        .says("Send f-1 to jo@acme.example")
        .result("files.list", json!([{"id": "f-2", "name": "f-3"}]));
    trace(&scene.bundle, &scene.facts(&call("mail.send", args)))
}

fn unmet(policies: &str, args: Value) -> Unmet {
    let targets = traced(policies, args);
    match &targets[0].policies[&x("p")].held {
        Held::No(unmet) => unmet.clone(),
        other => panic!("{other:?}"),
    }
}

fn had(test: &SourceTest) -> Vec<String> {
    let text = |had: &Had| {
        let sources: Vec<&str> = had.sources.iter().map(|source| source.name()).collect();
        format!("{} {} {}", had.at, had.value, sources.join(","))
    };
    test.had.iter().map(text).collect()
}

const MAIL: &str = r#"@id("files") permit (principal, action == Action::"file.share", resource)
    when { context.intent.live && context.tool == "mail.send" };"#;

#[test]
fn of_an_argument_with_several_values_those_are_shown_that_fail() {
    let policies = format!(
        r#"{MAIL} @id("p") permit (principal, action == Action::"mail.send", resource)
           when {{ context.intent.live && ["user", "system_field"].containsAll(context.sources.files) }};"#
    );
    let args =
        json!({"to": ["jo@acme.example"], "files": ["f-1", "f-2", "f-3", "f-4"], "body": ""});
    let unmet = unmet(&policies, args);
    assert!(unmet.condition.contains("containsAll"), "{unmet:?}");
    let [test] = &unmet.asks[..] else {
        panic!("{unmet:?}");
    };
    assert_eq!(test.of, SourcesOf::Argument("files".into()));
    assert_eq!(test.test, SourceComparison::OnlyFrom);
    assert_eq!(had(test), ["/files/2 f-3 any_output", "/files/3 f-4 none"]);
}

#[test]
fn of_a_text_what_stands_in_it_is_shown() {
    let policies = format!(
        r#"{MAIL} @id("p") permit (principal, action == Action::"mail.send", resource)
           when {{ context.intent.live && ["user"].containsAll(context.text.sources) }};"#
    );
    let body = "jo@acme.example knows https://evil.example/x";
    let args = json!({"to": ["jo@acme.example"], "files": [], "body": body});
    let unmet = unmet(&policies, args);
    assert_eq!(unmet.asks[0].of, SourcesOf::Text);
    assert_eq!(had(&unmet.asks[0]), ["/body https://evil.example/x none"]);
}

#[test]
fn each_effect_is_traced_with_its_own_policies() {
    let policies = r#"
        @id("p") permit (principal, action == Action::"mail.send", resource)
        when { context.intent.live && context.target.sources.contains("user") };
        @id("files") permit (principal, action == Action::"file.share", resource)
        when { context.intent.live && ["user"].containsAll(context.sources.files) };
    "#;
    let args = json!({"to": ["jo@acme.example"], "files": ["f-2"], "body": ""});
    let targets = traced(policies, args);
    let told: Vec<_> = targets
        .iter()
        .map(|target| (target.action.as_str(), target.at.as_deref(), target.outcome))
        .collect();
    assert_eq!(
        told,
        [
            ("mail.send", Some("/to/0"), Outcome::Approved),
            ("file.share", None, Outcome::Rejected)
        ]
    );
    assert_eq!(targets[0].policies[&x("p")].held, Held::Yes);
    assert!(!targets[0].policies.contains_key(&x("files")));
    assert!(matches!(targets[1].policies[&x("files")].held, Held::No(_)));
}

#[test]
fn a_policy_that_cannot_be_evaluated_says_so() {
    let policies = format!(
        r#"{MAIL} @id("p") permit (principal, action == Action::"mail.send", resource)
           when {{ context.intent.live && context.args has count && context.args.count * 2 > 1 }};"#
    );
    let args = json!({"to": ["jo@acme.example"], "files": [], "body": "", "count": i64::MAX});
    let targets = traced(&policies, args);
    assert!(matches!(targets[0].policies[&x("p")].held, Held::Failed(_)));
    assert_eq!(targets[0].outcome, Outcome::Rejected);
}

#[test]
fn no_policy_is_traced_where_none_was_asked() {
    assert!(traced(MAIL, json!({"to": 7})).is_empty());
}
