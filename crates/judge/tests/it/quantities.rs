//! How much and when, and what stands in texts: attacks on both.

use countersign_core::document::{EntityKind, Source};
use countersign_core::verdict::Outcome;
use serde_json::{Value, json};

use crate::support::{Scene, compile, content};

const IBAN: &str = "DE89370400440532013000";

/// Pays what the turn says, when it says, and says nothing of anybody else.
fn bank() -> Scene {
    let text = json!({"type": "string", "maxLength": 1_000_000});
    let tools = json!([{
        "tool": "bank.pay", "action": "bank.pay", "effect": "irreversible",
        "arguments": {
            "type": "object",
            "properties": {
                "to": text, "amount": {"type": ["number", "string"]}, "due": text, "note": text,
            },
            "required": ["to", "amount", "due", "note"], "additionalProperties": false,
        },
        "targets": [{"at": "/to", "type": "id", "entity": "Account"}],
        "roles": {"/to": "identity", "/amount": "quantity", "/due": "quantity", "/note": "text"},
    }]);
    let policies = r#"
        @id("as-said") permit (principal, action == Action::"bank.pay", resource)
        when {
            context.target.sources.contains("user")
            && ["user"].containsAll(context.sources.amount)
            && ["user"].containsAll(context.sources.due)
        };
        @id("nobody-else") forbid (principal, action == Action::"bank.pay", resource)
        unless { ["user"].containsAll(context.text.sources) };
    "#;
    Scene::new(compile(content(policies, "", tools)))
        .says("Pay $1,250.00 to DE89370400440532013000 on May 24th, 2026 at 10am. Contact: jo@acme.example")
}

fn pay(changed: &str, value: Value) -> (Outcome, Vec<String>) {
    let mut args = json!({
        "to": IBAN, "amount": 1250, "due": "2026-05-24 10:00", "note": "Thanks",
    });
    args[changed] = value;
    bank().verdict("bank.pay", args)
}

#[test]
fn what_the_turn_says_passes_in_each_notation() {
    for (argument, value) in [
        ("amount", json!(1250)),
        ("amount", json!(1250.0)),
        ("amount", json!(1.25e3)),
        ("amount", json!("1250.00")),
        ("amount", json!("$1250")),
        ("due", json!("2026-05-24T10:00:00")),
        ("due", json!("2026-05-24")),
        ("due", json!("24 May 2026")),
        ("due", json!("5/24/2026")),
        ("due", json!("10:00")),
        (
            "note",
            json!("Questions to JO@acme.example, or (jo@acme.example)."),
        ),
        (
            "note",
            json!("For DE89 3704 0044 0532 0130 00, on 2026-05-24 10:00, 1250.00"),
        ),
    ] {
        let (outcome, reasons) = pay(argument, value.clone());
        assert_eq!(
            outcome,
            Outcome::Approved,
            "{argument} {value}: {reasons:?}"
        );
    }
}

#[test]
fn what_the_turn_does_not_say_does_not() {
    for (argument, value) in [
        ("amount", json!(12500)),
        ("amount", json!(1.25)),
        ("amount", json!(125_000)),
        ("amount", json!(-1250)),
        ("amount", json!(10)),
        ("amount", json!(24)),
        ("amount", json!(2026)),
        ("amount", json!("1,250")),
        ("amount", json!("1.250")),
        ("amount", json!("1e3")),
        ("amount", json!("1250e0")),
        ("amount", json!("0x4e2")),
        ("amount", json!("EUR 1250")),
        ("amount", json!("\u{ff11}\u{ff12}\u{ff15}\u{ff10}")),
        ("amount", json!("12\u{200b}50")),
        ("amount", json!("1250\r\n9")),
        ("amount", json!("")),
        ("due", json!("2026-05-25 10:00")),
        ("due", json!("2027-05-24")),
        ("due", json!("2026-05-24T10:00Z")),
        ("due", json!("2026-05-24T10:00+02:00")),
        ("due", json!("2026-05-24 22:00")),
        ("due", json!("24/05/26")),
        ("due", json!("tomorrow")),
        ("due", json!("2026-05-24 10:00 every day")),
        ("due", json!("\u{202e}2026-05-24")),
        ("to", json!("DE89370400440532013001")),
        ("to", json!("DE89 3704 0044 0532 0130 00 1")),
    ] {
        let (outcome, reasons) = pay(argument, value.clone());
        assert_eq!(
            outcome,
            Outcome::Rejected,
            "{argument} {value}: {reasons:?}"
        );
    }
}

#[test]
fn nobody_else_hides_in_a_text() {
    for note in [
        "eve@evil.test",
        "EVE@EVIL.TEST",
        "mailto:eve@evil.test?bcc=jo@acme.example",
        "jo@acme.example,eve@evil.test",
        "jo@acme.example <eve@evil.test>",
        "\"jo@acme.example\" <eve@evil.test>",
        "\"jo@acme.example\"@evil.test",
        "jo@acme.example@evil.test",
        "jo+x@acme.example",
        "jo@acme.example.evil.test",
        "j\u{43e}@acme.example",
        "jo@\u{430}cme.example",
        "jo@acme\u{200b}.example",
        "\u{202e}jo@acme.example",
        "eve%40evil%2etest",
        "eve%2540evil.test",
        "eve [at] evil [dot] test",
        "eve&#64;evil.test",
        "{\"to\":\"eve\\u0040evil.test\"}",
        "eve\u{ff20}evil.test",
        "x\r\nBcc: eve@evil.test",
        "[jo@acme.example](https://evil.test/)",
        "<a href='https://evil.test'>jo@acme.example</a>",
        "https:\\/\\/evil.test\\/x",
        "hxxps://evil[.]test/x",
        "evil.test",
        "www.evil.test/x?y=1",
        "Evil.Com",
        "http://2130706433/",
        "https://acme.example@evil.test/",
        "javascript:fetch(1)",
        "GB29 NWBK 6016 1331 9268 19",
        "gb29-nwbk-6016-1331-9268-19",
        "+44 20 7946 0958",
        "call (202) 555-0143",
        "tel:2025550143",
        "see /etc/passwd",
        "C:\\Windows\\system.ini",
        "~/.ssh/id_rsa",
    ] {
        let (outcome, reasons) = pay("note", json!(note));
        assert_eq!(outcome, Outcome::Rejected, "{note:?}: {reasons:?}");
        assert_eq!(reasons, ["nobody-else"], "{note:?}");
    }
}

#[test]
fn more_than_anybody_looks_at_is_rejected() {
    let crowd: String = (0..300).map(|n| format!("u{n}@evil.test ")).collect();
    let (outcome, reasons) = pay("note", json!(crowd));
    assert_eq!(outcome, Outcome::Rejected, "{reasons:?}");
    assert_ne!(reasons, ["nobody-else"]);
}

#[test]
fn each_value_has_its_place() {
    let args = json!({
        "to": IBAN, "amount": 1250, "due": "May 24, 2026", "note": "Ask eve@evil.test",
    });
    let (facts, _) = bank().asks("bank.pay", args);
    let seen: Vec<_> = facts
        .values
        .iter()
        .map(|fact| {
            let written: Vec<_> = fact.evidence.iter().map(|e| e.as_written.clone()).collect();
            (
                fact.at.as_str(),
                fact.sources.contains(&Source::User),
                written,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("/amount", true, vec![Some("$1,250.00".to_owned())]),
            ("/due", true, vec![Some("May 24th, 2026".to_owned())]),
            ("/note", false, vec![]),
        ]
    );
    let found = facts.values.last().and_then(|fact| fact.found).unwrap();
    assert_eq!((found.kind, found.offset), (EntityKind::Email, 4));
}

/// As long as a turn and a text may be.
#[test]
fn a_turn_of_a_mebibyte_is_read() {
    let filler =
        "Pay 1 of 2,000 to a.b at 10:00 or 5/6/2024, see x@y.example/z (do the tasks in it). ";
    let long = filler.repeat(1024 * 1024 / filler.len() - 4);
    let turn = format!("{long} Pay $77 to {IBAN} on 2026-05-24.");
    let scene = bank().says(&turn);
    let args = |amount: u32| json!({"to": IBAN, "amount": amount, "due": "2026-05-24", "note": "x".repeat(900_000)});
    assert_eq!(scene.verdict("bank.pay", args(77)).0, Outcome::Approved);
}
