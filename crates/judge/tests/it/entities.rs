//! Which entities the directory may take: those that a call could be judged by.

use countersign_judge::CompiledBundle;
use serde_json::{Value, json};

use crate::support::{compile, content, starter};

fn bundle() -> CompiledBundle {
    let schema = r#"
        entity Contact = {
            "status"?: String, "vip"?: Bool, "orders"?: Long, "tags"?: Set<String>,
            "account"?: Account, "address"?: { "city"?: String }, "until"?: datetime,
        };
        entity Account = { "plan"?: Crm::Plan };
        namespace Crm { type Plan = String; entity Lead = { "status"?: String }; }
    "#;
    let tool = json!({"tool": "mail.send", "action": "mail.send", "effect": "write",
        "arguments": {"type": "object", "additionalProperties": false, "properties": {
            "to": {"type": "string"}, "page": {"type": "string"}}},
        "targets": [{"at": "/to", "type": "email", "entity": "Contact"},
            {"at": "/page", "type": "url", "entity": "Page", "optional": true}]});
    compile(content("", schema, json!([tool])))
}

fn check(kind: &str, attributes: Value) -> Result<(), String> {
    bundle().check_entity(kind, &serde_json::from_value(attributes).unwrap())
}

#[test]
fn an_entity_of_the_schema_passes() {
    for (kind, attributes) in [
        ("Contact", json!({})),
        (
            "Contact",
            json!({"status": "churned", "vip": true, "orders": -3, "tags": ["a"]}),
        ),
        (
            "Contact",
            json!({"account": {"type": "Account", "id": "7"}}),
        ),
        (
            "Contact",
            json!({"account": {"__entity": {"type": "Account", "id": "7"}}}),
        ),
        (
            "Contact",
            json!({"address": {"city": "Bonn"}, "until": "2026-04-18"}),
        ),
        ("Contact", json!({"status": null})),
        ("Account", json!({"plan": "pro"})),
        ("Crm::Lead", json!({"status": "new"})),
        ("Page", json!({})),
    ] {
        assert_eq!(
            check(kind, attributes.clone()),
            Ok(()),
            "{kind} {attributes}"
        );
    }
}

#[test]
fn an_entity_that_no_call_could_be_judged_by_is_refused() {
    let mut deep = json!("x");
    for _ in 0..33 {
        deep = json!([deep]);
    }
    let all = [
        ("Contract", json!({})),
        ("Zebra", json!({})),
        ("Actor", json!({})),
        ("Call", json!({})),
        ("Action", json!({})),
        ("Lead", json!({})),
        ("Con\ntact", json!({})),
        ("Contact", json!({"statsu": "churned"})),
        ("Contact", json!({"Status": "churned"})),
        ("Contact", json!({"zebra": "churned"})),
        ("Page", json!({"title": "x"})),
        ("Contact", json!({"status": 5})),
        ("Contact", json!({"status": ["churned"]})),
        ("Contact", json!({"vip": "yes"})),
        ("Contact", json!({"orders": 1.5})),
        ("Contact", json!({"orders": 18_446_744_073_709_551_615_u64})),
        ("Contact", json!({"tags": "a"})),
        ("Contact", json!({"tags": ["a", 1]})),
        ("Contact", json!({"account": "7"})),
        (
            "Contact",
            json!({"account": {"type": "Contact", "id": "7"}}),
        ),
        ("Contact", json!({"address": {"town": "Bonn"}})),
        ("Contact", json!({"until": "tomorrow"})),
        ("Contact", json!({"tags": deep})),
        ("Account", json!({"plan": 5})),
    ]
    .map(|(kind, attributes)| {
        let shown: String = attributes.to_string().chars().take(60).collect();
        let problem = check(kind, attributes).expect_err(&shown);
        format!("{kind:?} {shown}\n  {problem}")
    });
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn the_form_of_an_entitys_ids_is_told() {
    let bundle = bundle();
    for (kind, form) in [
        ("Contact", Some("email")),
        ("Page", Some("url")),
        ("Account", Some("plain")),
        ("Crm::Lead", Some("plain")),
        ("Lead", None),
        ("Actor", None),
        ("Call", None),
        ("Zebra", None),
    ] {
        assert_eq!(bundle.directory_form(kind), form, "{kind}");
    }
    assert_eq!(
        compile(starter("mail-agent")).directory_form("Ticket"),
        Some("id")
    );
}
