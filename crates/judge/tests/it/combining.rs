//! How policies and targets are combined into one verdict.

use countersign_core::document::UnknownTools;
use countersign_core::verdict::Outcome;
use countersign_judge::check;
use serde_json::{Value, json};

use crate::support::{Scene, compile, content, mail, x};

const TARGETED: &str = r#"{"tool": "send", "action": "mail.send", "effect": "irreversible",
    "arguments": {"type": "object", "additionalProperties": false, "properties": {
        "to": {"type": "array", "items": {"type": "string"}},
        "count": {"type": "integer"}, "note": {"type": ["string", "null"]}}},
    "targets": [{"at": "/to", "type": "email", "entity": "Contact"}],
    "roles": {"/count": "quantity", "/note": "text"}}"#;
const BARE: &str = r#"{"tool": "ping", "action": "net.ping", "effect": "read",
    "arguments": {"type": "object", "additionalProperties": false, "properties": {
        "count": {"type": "integer"}, "big": {"type": "integer"}}}}"#;

fn scene(policies: &str) -> Scene {
    let tools: Vec<Value> = [TARGETED, BARE]
        .iter()
        .map(|tool| serde_json::from_str(tool).unwrap())
        .collect();
    let schema = r#"entity Contact = { "status"?: String, "score"?: Long, "boss"?: Contact };"#;
    Scene::new(compile(content(policies, schema, json!(tools))))
}

fn send(scene: &Scene, to: &[&str]) -> (Outcome, Vec<String>) {
    scene.verdict("send", json!({"to": to}))
}

const PERMIT: &str = r#"@id("ok") permit (principal, action, resource);"#;
const ASK: &str = r#"@id("ask") @escalate
    forbid (principal, action == Action::"mail.send", resource)
    when { context.target.domain == "ask.example" };"#;
const NEVER: &str = r#"@id("never")
    forbid (principal, action == Action::"mail.send", resource)
    when { context.target.domain == "never.example" };"#;

#[test]
fn a_permit_approves_and_is_the_reason() {
    assert_eq!(
        send(&scene(PERMIT), &["a@b.example"]),
        (Outcome::Approved, vec!["ok".to_owned()])
    );
}

#[test]
fn an_escalating_forbid_asks_only_where_a_rule_permits() {
    let permitted = scene(&format!("{PERMIT}{ASK}"));
    assert_eq!(
        send(&permitted, &["a@ask.example"]),
        (Outcome::Escalated, vec!["ask".to_owned()])
    );
    assert_eq!(send(&permitted, &["a@b.example"]).0, Outcome::Approved);
    assert_eq!(
        send(&scene(ASK), &["a@ask.example"]),
        (Outcome::Rejected, vec!["countersign.no-permit".to_owned()])
    );
}

#[test]
fn a_forbid_wins_over_everything() {
    let all = scene(&format!("{PERMIT}{ASK}{NEVER}"));
    assert_eq!(
        send(&all, &["a@never.example"]),
        (Outcome::Rejected, vec!["never".to_owned()])
    );
    let both = r#"@id("never-too") forbid (principal, action == Action::"mail.send", resource)
        when { context.target.domain == "ask.example" };"#;
    assert_eq!(
        send(&scene(&format!("{PERMIT}{ASK}{both}")), &["a@ask.example"]),
        (Outcome::Rejected, vec!["never-too".to_owned()])
    );
}

#[test]
fn the_worst_target_decides_and_gives_the_reasons() {
    let all = scene(&format!("{PERMIT}{ASK}{NEVER}"));
    assert_eq!(
        send(&all, &["a@b.example", "a@ask.example"]),
        (Outcome::Escalated, vec!["ask".to_owned()])
    );
    assert_eq!(
        send(&all, &["a@b.example", "a@ask.example", "a@never.example"]),
        (Outcome::Rejected, vec!["never".to_owned()])
    );
    let named = r#"@id("named") permit (principal, action, resource == Contact::"a@b.example");"#;
    assert_eq!(
        send(
            &scene(&format!("{named}{NEVER}")),
            &["a@never.example", "c@d.example", "a@b.example"]
        ),
        (
            Outcome::Rejected,
            vec!["countersign.no-permit".to_owned(), "never".to_owned()]
        )
    );
}

#[test]
fn every_request_sees_all_targets_of_the_call() {
    let alone = scene(
        r#"@id("alone") permit (principal, action == Action::"mail.send", resource)
           when { context.targets == ["a@b.example"] && context.target_count == 1 };"#,
    );
    assert_eq!(send(&alone, &["A@B.example"]).0, Outcome::Approved);
    assert_eq!(
        send(&alone, &["a@b.example", "c@d.example"]).0,
        Outcome::Rejected
    );
}

#[test]
fn an_evaluation_error_is_a_rejection() {
    let overflowing = scene(
        r#"@id("ok") permit (principal, action, resource);
           @id("sum") forbid (principal, action == Action::"net.ping", resource)
           when { context.args has count && context.args.count + 9223372036854775807 < 0 };"#,
    );
    assert_eq!(
        overflowing.verdict("ping", json!({"count": 0})).0,
        Outcome::Approved
    );
    assert_eq!(
        overflowing.verdict("ping", json!({"count": 1})),
        (
            Outcome::Rejected,
            vec!["countersign.evaluation-error".to_owned(), "sum".to_owned()]
        )
    );
    let asking = scene(
        r#"@id("ok") permit (principal, action, resource);
           @id("sum") @escalate forbid (principal, action == Action::"net.ping", resource)
           when { context.args has count && context.args.count + 9223372036854775807 < 0 };"#,
    );
    assert_eq!(
        asking.verdict("ping", json!({"count": 1})).0,
        Outcome::Rejected
    );
}

#[test]
fn an_integer_that_cedar_cannot_hold_is_a_rejection() {
    let open = scene(PERMIT);
    assert_eq!(
        open.verdict("ping", json!({"count": 5.0})).0,
        Outcome::Approved
    );
    for big in [
        json!(1e20),
        json!(18_446_744_073_709_551_615_u64),
        json!(-1e300),
    ] {
        assert_eq!(
            open.verdict("ping", json!({"big": big})).1,
            ["countersign.evaluation-error"],
            "{big}"
        );
    }
}

#[test]
fn null_is_the_absence_of_an_argument_that_may_be_null() {
    let with_note = scene(
        r#"@id("ok") permit (principal, action == Action::"mail.send", resource)
           unless { context.args has note };"#,
    );
    let asks = |note: Value| {
        with_note
            .verdict("send", json!({"to": ["a@b.example"], "note": note}))
            .0
    };
    assert_eq!(asks(json!(null)), Outcome::Approved);
    assert_eq!(asks(json!("x")), Outcome::Rejected);
}

#[test]
fn an_entity_of_another_type_than_declared_is_a_rejection() {
    let policies = format!(
        r#"{PERMIT} @id("churned") forbid (principal, action, resource is Contact)
           when {{ resource has status && resource.status == "churned" }};"#
    );
    let with = |attributes: Value| scene(&policies).entity("Contact", "a@b.example", attributes);
    let to = ["a@b.example"];
    assert_eq!(
        send(&with(json!({"status": "active"})), &to).0,
        Outcome::Approved
    );
    assert_eq!(
        send(&with(json!({"status": null})), &to).0,
        Outcome::Approved
    );
    assert_eq!(
        send(&with(json!({"undeclared": 1})), &to).0,
        Outcome::Approved
    );
    for bad in [
        json!(5),
        json!(["churned"]),
        json!({"is": "churned"}),
        json!(true),
    ] {
        assert_eq!(
            send(&with(json!({"status": bad})), &to).1,
            ["countersign.evaluation-error"],
            "{bad}"
        );
    }
}

#[test]
fn what_an_entity_refers_to_and_what_a_policy_names_is_in_the_slice() {
    let policies = format!(
        r#"{PERMIT}
        @id("boss") forbid (principal, action, resource is Contact)
        when {{ resource has boss && resource.boss has status && resource.boss.status == "gone" }};
        @id("literal") forbid (principal, action, resource is Contact)
        when {{ Contact::"switch" has status && Contact::"switch".status == "off" }};"#
    );
    let boss = scene(&policies)
        .entity(
            "Contact",
            "a@b.example",
            json!({"boss": {"__entity": {"type": "Contact", "id": "c@d.example"}}}),
        )
        .entity("Contact", "c@d.example", json!({"status": "gone"}));
    assert_eq!(send(&boss, &["a@b.example"]).1, ["boss"]);
    let switch = scene(&policies).entity("Contact", "switch", json!({"status": "off"}));
    assert_eq!(send(&switch, &["a@b.example"]).1, ["literal"]);
}

#[test]
fn cedars_escapes_in_arguments_are_only_text() {
    let tool = json!({"tool": "t", "action": "t.do", "effect": "write", "arguments": {
        "type": "object", "properties": {"o": {"type": "object", "properties": {
            "__entity": {"type": "string"}, "__extn": {"type": "string"}, "type": {"type": "string"}}}}}});
    let scene = Scene::new(compile(content(
        r#"@id("ok") permit (principal, action, resource)
           when { context.args.o has "__extn" && context.args.o["__extn"] == "x" };"#,
        "",
        json!([{"tool": "t", "action": "t.do", "effect": "write", "arguments": {
            "type": "object", "required": ["o"], "properties": tool["arguments"]["properties"]},
            "roles": {"/o": "text"}}]),
    )));
    let (outcome, reasons) = scene.verdict("t", json!({"o": {"__extn": "x", "__entity": "y"}}));
    assert_eq!(outcome, Outcome::Approved, "{reasons:?}");
}

#[test]
fn an_unknown_tool_is_judged_only_where_the_bundle_says_so() {
    let open = Scene::new(compile(crate::support::starter("allow-all")));
    assert_eq!(
        open.verdict("rm -rf /", json!({"anything": [1.5, null]})),
        (Outcome::Approved, vec!["allow-all".to_owned()])
    );
    let mut but = crate::support::starter("allow-all");
    but.policies[0].text.push_str(
        r#"@id("no-rm") forbid (principal, action == Action::"countersign.unknown", resource)
           when { context.tool like "rm *" };"#,
    );
    assert_eq!(
        Scene::new(compile(but)).verdict("rm -rf /", json!({})).1,
        ["no-rm"]
    );
    assert!(check(&crate::support::starter("allow-all"), &x("acme")).is_empty());
}

#[test]
fn the_two_constraints_of_the_first_issue_hold_in_both_directions() {
    let named = Scene::mail_agent().says("Write to jane@customer.example");
    assert_eq!(
        named
            .verdict("email.send", mail(&["jane@customer.example"]))
            .0,
        Outcome::Approved
    );
    assert_eq!(
        named
            .verdict("email.send", mail(&["joe@customer.example"]))
            .0,
        Outcome::Rejected
    );
    let churned = Scene::mail_agent()
        .says("Write to jane@customer.example")
        .entity(
            "Contact",
            "jane@customer.example",
            json!({"status": "churned"}),
        );
    assert_eq!(
        churned
            .verdict("email.send", mail(&["jane@customer.example"]))
            .1,
        ["no-churned-contacts"]
    );
}

#[test]
fn many_policies_may_name_an_entity_each() {
    let mut content = crate::support::starter("mail-agent");
    for n in 0..300 {
        use std::fmt::Write as _;
        write!(
            content.policies[0].text,
            "@id(\"not-{n}\") forbid (principal, action == Action::\"email.send\", \
             resource == Contact::\"c{n}@customer.example\");\n\
             @id(\"nor-{n}\") forbid (principal, action == Action::\"email.send\", resource) \
             when {{ resource == Contact::\"d{n}@customer.example\" }};\n"
        )
        .unwrap();
    }
    content.policies[0].text.push_str(
        r#"@id("frozen") forbid (principal, action == Action::"email.send", resource)
           when { Contact::"boss@acme.example" has status
               && Contact::"boss@acme.example".status == "away" };"#,
    );
    let mut scene = Scene::new(compile(content))
        .says("Write to jane@customer.example, c299@customer.example and d7@customer.example");
    for n in 0..300 {
        scene = scene.entity("Contact", &format!("c{n}@customer.example"), json!({}));
    }
    let reasons = |scene: &Scene, to: &str| scene.verdict("email.send", mail(&[to])).1;
    assert_eq!(
        reasons(&scene, "jane@customer.example"),
        ["only-addresses-named-in-the-turn"]
    );
    assert_eq!(reasons(&scene, "c299@customer.example"), ["not-299"]);
    assert_eq!(reasons(&scene, "d7@customer.example"), ["nor-7"]);
    let scene = scene.entity("Contact", "boss@acme.example", json!({"status": "away"}));
    assert_eq!(reasons(&scene, "jane@customer.example"), ["frozen"]);
}

#[test]
fn a_disguised_name_of_a_declared_tool_is_no_unknown_tool_to_judge() {
    let mut content = crate::support::starter("mail-agent");
    content.settings.unknown_tools = UnknownTools::Judge;
    content.policies[0]
        .text
        .push_str(r#"@id("any") permit (principal, action, resource);"#);
    let scene = Scene::new(compile(content));
    let reasons = |tool: &str| scene.verdict(tool, json!({})).1;
    for disguised in [
        "EMAIL.send",
        "Email.Send",
        " email.send",
        "email.send ",
        "email .send",
        "email.send\u{200b}",
        "email\u{2060}.send",
        "email\u{ff0e}send",
        "\u{ff45}mail.send",
        "email.send\u{a0}",
        "email.send\n",
        "email.send\0",
        "other\u{200b}tool",
        "other\u{7}tool",
        "other\u{202e}tool",
    ] {
        assert_eq!(
            reasons(disguised),
            ["countersign.unknown-tool"],
            "{disguised:?}"
        );
    }
    for other in ["email.send2", "other tool", "email-send"] {
        assert_eq!(reasons(other), ["any"], "{other:?}");
    }
}
