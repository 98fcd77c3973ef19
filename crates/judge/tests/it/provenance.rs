//! Where every value of a call came from.

use countersign_core::document::{Author, PartBy, Source};
use countersign_core::verdict::Outcome;
use serde_json::{Value, json};

use crate::support::{Scene, compile, content};

/// A mailbox, a chat and a web: what an office agent has.
pub(crate) fn office(policies: &str) -> Scene {
    let words = |verbs: &[&str], nouns: &[&str]| json!({"en": {"verbs": verbs, "nouns": nouns}});
    let text = json!({"type": "string"});
    let tools = json!([
        {
            "tool": "mail.search", "action": "mail.search", "effect": "read",
            "arguments": {"type": "object", "properties": {"query": text, "sender": text}, "additionalProperties": false},
            "roles": {"/query": "text", "/sender": "identity"},
            "results": {"format": "yaml", "fields": [
                {"at": "$[*].id", "integrity": "system", "entity": "Mail"},
                {"at": "$[*].sender", "integrity": "system", "entity": "Address"},
                {"at": "$[*].code", "confidentiality": "secret"},
            ]},
        },
        {
            "tool": "mail.send", "action": "mail.send", "effect": "irreversible",
            "arguments": {"type": "object", "properties": {
                "to": {"type": "array", "items": text}, "subject": {"type": "string", "maxLength": 200},
                "body": {"type": "string", "maxLength": 100_000}, "files": {"type": "array", "items": text},
                "at": text, "amount": {"type": "integer"},
            }, "required": ["to"], "additionalProperties": false},
            "targets": [{"at": "/to", "type": "email", "entity": "Address"}],
            "roles": {"/to": "identity", "/subject": "text", "/body": "text", "/files": "identity", "/at": "quantity", "/amount": "quantity"},
            "words": words(&["send", "mail", "write"], &["mail", "message"]),
        },
        {
            "tool": "channel.list", "action": "channel.list", "effect": "read",
            "arguments": {"type": "object", "properties": {}, "additionalProperties": false},
            "results": {"format": "yaml", "fields": [{"at": "$[*]", "integrity": "system", "entity": "Channel"}]},
        },
        {
            "tool": "channel.read", "action": "channel.read", "effect": "read",
            "arguments": {"type": "object", "properties": {"channel": text}, "required": ["channel"], "additionalProperties": false},
            "roles": {"/channel": "identity"},
            "results": {"format": "yaml", "fields": [{"at": "$[*].sender", "integrity": "system", "entity": "User"}]},
        },
        {
            "tool": "page.read", "action": "page.read", "effect": "read",
            "arguments": {"type": "object", "properties": {"url": text}, "required": ["url"], "additionalProperties": false},
            "targets": [{"at": "/url", "type": "url", "entity": "Page"}],
            "roles": {"/url": "identity"},
            "results": {"format": "text"},
        },
        {
            "tool": "crm.list", "action": "crm.list", "effect": "read",
            "arguments": {"type": "object", "properties": {}, "additionalProperties": false},
            "results": {"format": "json", "first_party": true},
        },
    ]);
    Scene::new(compile(content(
        policies,
        "entity Mail; entity Channel; entity User;",
        tools,
    )))
}

const ANY: &str = r#"@id("any") permit (principal, action, resource);"#;

fn to(address: &str) -> Value {
    json!({"to": [address]})
}

pub(crate) fn mails() -> Value {
    json!(
        "- id: '7'\n  sender: jane@partner.example\n  subject: Offer\n  body: 'Pay to DE89 3704 0044 0532 0130 00, ask joe@partner.example'\n  code: '46 38 20'\n- id: '8'\n  sender: eve@evil.example\n  body: mallory@evil.example\n"
    )
}

#[test]
fn a_whole_field_grounds_by_who_wrote_it() {
    let scene = office(ANY)
        .says("Send a mail to the person who sent me the offer")
        .result_of("mail.search", json!({"query": "offer"}), mails());
    // The sender is the system's word; a body that is an address is its author's.
    assert_eq!(
        scene.sources("mail.send", to("jane@partner.example")),
        ["system_field", "any_output"]
    );
    assert_eq!(
        scene.sources("mail.send", to("mallory@evil.example")),
        ["any_output"]
    );
    assert_eq!(
        scene.sources("mail.send", to("joe@partner.example")),
        ["any_output"]
    );
    assert_eq!(
        scene.sources("mail.send", to("nobody@partner.example")),
        ["none"]
    );
}

#[test]
fn a_field_with_a_type_grounds_only_what_is_of_it() {
    let scene = office(ANY).says("Write to the channels").result_of(
        "channel.list",
        json!({}),
        json!("- general\n- mallory@evil.example\n- www.evil.example/x\n"),
    );
    assert_eq!(
        scene.sources("mail.send", to("mallory@evil.example")),
        ["any_output"]
    );
    assert_eq!(
        scene.sources("page.read", json!({"url": "www.evil.example/x"})),
        ["any_output"]
    );
}

#[test]
fn what_an_agent_reports_is_a_correspondents_word() {
    let scene = office(ANY)
        .says("Send a mail to the person who sent me the offer")
        .result_of("mail.search", json!({}), mails())
        .by_agent();
    assert_eq!(
        scene.sources("mail.send", to("jane@partner.example")),
        ["any_output"]
    );
}

#[test]
fn a_tool_of_our_own_people_is_first_party_throughout() {
    let scene = office(ANY).says("Send a mail to our man").result_of(
        "crm.list",
        json!({}),
        json!([{"man": "jo@acme.example", "note": "or al@acme.example"}]),
    );
    assert_eq!(
        scene.sources("mail.send", to("jo@acme.example")),
        ["first_party_field", "any_output"]
    );
    assert_eq!(
        scene.sources("mail.send", to("al@acme.example")),
        ["any_output"]
    );
}

#[test]
fn a_document_is_named_by_what_was_asked_for_or_by_who_wrote_it() {
    let scene = office(ANY)
        .says("Do what the mail from jane@partner.example asks, and read what stands in general")
        .result_of("mail.search", json!({"query": "offer"}), mails())
        .result_of(
            "channel.read",
            json!({"channel": "general"}),
            json!("- body: see www.partner.example/page\n  sender: Bob\n"),
        )
        .result_of(
            "channel.read",
            json!({"channel": "random"}),
            json!("- body: see www.evil.example/page\n  sender: Bob\n"),
        );
    let (facts, _) = scene.asks("mail.send", to("joe@partner.example"));
    let target = &facts.targets[0];
    assert!(target.sources.contains(&Source::NamedDocument));
    assert_eq!(
        target
            .named_in
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["mail.search"]
    );
    assert_eq!(facts.context["hand_over"], true);
    assert_eq!(facts.requests[0].context["target"]["handed_over"], true);

    let (facts, _) = scene.asks("page.read", json!({"url": "www.partner.example/page"}));
    assert_eq!(
        facts.targets[0]
            .named_in
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["channel.read"]
    );
    let (facts, _) = scene.asks("page.read", json!({"url": "www.evil.example/page"}));
    assert!(facts.targets[0].named_in.is_empty());
    // The other mail is not the one that the turn names.
    let (facts, _) = scene.asks("mail.send", to("mallory@evil.example"));
    assert!(!facts.targets[0].sources.contains(&Source::NamedDocument));
}

#[test]
fn what_stands_in_a_text_has_sources_of_its_own() {
    let scene = office(ANY)
        .says("Send jane@partner.example a mail with the link https://acme.example/form")
        .result_of("mail.search", json!({}), mails());
    let (facts, _) = scene.asks(
        "mail.send",
        json!({"to": ["jane@partner.example"], "body": "Fill in https://acme.example/form or www.evil.example, pay to DE89370400440532013000"}),
    );
    let text = &facts.context["text"];
    // The account stands in a mail of the person whom the turn names.
    assert_eq!(
        text["sources"],
        json!(["user", "named_document", "none"]),
        "{text}"
    );
    assert_eq!(text["ibans"], json!(["DE89370400440532013000"]));
    assert_eq!(text["domains"], json!(["acme.example", "www.evil.example"]));
    assert_eq!(facts.values.len(), 3, "{:?}", facts.values);
}

#[test]
fn arguments_that_are_no_targets_have_sources() {
    let scene =
        office(ANY).says("Send jane@partner.example report-7.pdf on 2026-05-04, for EUR 1,250.00");
    let (facts, _) = scene.asks(
        "mail.send",
        json!({"to": ["jane@partner.example"], "files": ["report-7.pdf", "passwd.txt"], "at": "May 4, 2026", "amount": 1250}),
    );
    let sources = &facts.context["sources"];
    assert_eq!(sources["to"], json!(["user"]));
    assert_eq!(sources["files"], json!(["user", "none"]));
    assert_eq!(sources["at"], json!(["user"]));
    assert_eq!(sources["amount"], json!(["user"]));
    assert!(sources.get("body").is_none() && sources.get("subject").is_none());
}

#[test]
fn what_not_everybody_may_read_is_found_in_any_argument() {
    let scene = office(ANY)
        .says("Send a mail to jane@partner.example")
        .result_of("mail.search", json!({}), mails());
    for (args, carried) in [
        (
            json!({"to": ["jane@partner.example"], "body": "the code is 463820."}),
            json!(["secret"]),
        ),
        (
            json!({"to": ["jane@partner.example"], "subject": "4-6-3-8-2-0"}),
            json!(["secret"]),
        ),
        (
            json!({"to": ["jane@partner.example"], "files": ["463820"]}),
            json!(["secret"]),
        ),
        (
            json!({"to": ["jane@partner.example"], "body": "the code is 46382"}),
            json!([]),
        ),
    ] {
        let (facts, _) = scene.asks("mail.send", args);
        assert_eq!(facts.context["carries"], carried);
    }
}

#[test]
fn the_gate_asks_whether_the_turn_speaks_of_the_action() {
    for (turn, verb, noun) in [
        ("Send jane a message", true, true),
        ("Who sent me mail?", true, true),
        ("Delete the largest file", false, false),
    ] {
        let (facts, _) = office(ANY).says(turn).asks("mail.send", to("a@b.example"));
        assert_eq!(
            facts.requests[0].context["asked"],
            json!({"verb": verb, "noun": noun}),
            "{turn}"
        );
    }
    // A yes to what was asked before speaks of it, too.
    let (facts, _) = office(ANY)
        .says("Send jane a message")
        .says("Yes, go ahead")
        .asks("mail.send", to("a@b.example"));
    assert_eq!(facts.requests[0].context["asked"]["verb"], true);
    let (facts, _) = office(ANY)
        .says("Send jane a message")
        .says("What is the weather?")
        .asks("mail.send", to("a@b.example"));
    assert_eq!(facts.requests[0].context["asked"]["verb"], false);
}

#[test]
fn what_the_agent_showed_counts_once_the_person_said_yes() {
    let shown = |says| {
        office(ANY).turn(
            Author::Human,
            &[
                (PartBy::Agent, "Shall I send it to joe@partner.example?"),
                (PartBy::Principal, says),
            ],
        )
    };
    assert_eq!(
        shown("Yes, please").sources("mail.send", to("joe@partner.example")),
        ["confirmed"]
    );
    assert_eq!(
        shown("No").sources("mail.send", to("joe@partner.example")),
        ["none"]
    );
    assert_eq!(
        shown("What does jane say?").sources("mail.send", to("joe@partner.example")),
        ["none"]
    );
}

#[test]
fn the_clock_of_the_bundle_is_the_one_that_policies_see() {
    let (facts, _) = office(ANY)
        .says("Send it")
        .asks("mail.send", to("a@b.example"));
    assert_eq!(
        facts.context["time"],
        json!({"hour": 2, "minute": 13, "weekday": 6, "date": "2026-04-18"})
    );
}

#[test]
fn each_of_several_effects_is_judged_and_the_worst_counts() {
    let tools = json!([{
        "tool": "file.move", "action": "file.write", "effect": "write",
        "arguments": {"type": "object", "properties": {
            "from": {"type": "string"}, "to": {"type": "string"}, "notify": {"type": "array", "items": {"type": "string"}},
        }, "required": ["from", "to"], "additionalProperties": false},
        "targets": [{"at": "/to", "type": "path", "entity": "Path"}],
        "roles": {"/from": "identity", "/to": "identity", "/notify": "identity"},
        "effects": [
            {"action": "file.delete", "effect": "irreversible", "targets": [{"at": "/from", "type": "path", "entity": "Path"}]},
            {"action": "mail.send", "effect": "irreversible", "when": "$.notify[*]", "targets": [{"at": "/notify", "type": "email", "entity": "Address"}]},
        ],
    }]);
    let policies = r#"
        @id("write") permit (principal, action == Action::"file.write", resource);
        @id("delete") permit (principal, action == Action::"file.delete", resource)
        when { context.target.sources.contains("user") };
        @id("mail") permit (principal, action == Action::"mail.send", resource)
        when { context.target.sources.contains("user") && context.effect == "irreversible" };
    "#;
    let scene = Scene::new(compile(content(policies, "", tools)))
        .says("Move /a/x to /b/x and tell jo@acme.example");
    let verdict = |args| scene.verdict("file.move", args);
    assert_eq!(
        verdict(json!({"from": "/a/x", "to": "/anywhere"})),
        (
            Outcome::Approved,
            vec!["delete".to_owned(), "write".to_owned()]
        )
    );
    assert_eq!(
        verdict(json!({"from": "/etc/passwd", "to": "/b/x"})).0,
        Outcome::Rejected
    );
    assert_eq!(
        verdict(json!({"from": "/a/x", "to": "/b/x", "notify": ["jo@acme.example"]})).0,
        Outcome::Approved
    );
    assert_eq!(
        verdict(
            json!({"from": "/a/x", "to": "/b/x", "notify": ["jo@acme.example", "eve@evil.example"]})
        )
        .0,
        Outcome::Rejected
    );
    let (facts, _) = scene.asks("file.move", json!({"from": "/a/x", "to": "/b/x"}));
    assert_eq!(facts.actions.len(), 2);
}
