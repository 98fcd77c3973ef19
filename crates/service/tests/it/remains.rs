//! What an erasure could leave of a person: beside arguments, in facts, in long texts, under other
//! spellings, and in what comes in meanwhile.

use std::collections::BTreeSet;

use countersign_core::entry::{Body, Role};
use countersign_core::refs::Sha256;
use countersign_service::{ErrorCode, ServiceError};
use countersign_wire::{EraseRequest, Erased, OpenRequest, Selection};
use serde_json::{Value, json};

use crate::epochs::all_that_opens;
use crate::kit::{Kit, bundle, mail_request};

const PAT: &str = "pat@acme.example";
const LEE: &str = "lee@acme.example";

pub(crate) fn subject(text: &str) -> Selection {
    Selection {
        subject: Some(text.to_owned()),
        ..Selection::default()
    }
}

impl Kit {
    pub(crate) fn erases(&self, selection: Selection) -> Erased {
        let request = EraseRequest {
            selection,
            authority: "request 4821".to_owned(),
            ..EraseRequest::default()
        };
        let admin = self.caller(Role::Admin);
        self.service().erase(&admin, &request).unwrap()
    }

    /// What is read by whoever may.
    fn read(&self, reference: &Sha256) -> Result<String, ErrorCode> {
        let request = OpenRequest {
            purpose: Some("a look".to_owned()),
            ..OpenRequest::default()
        };
        let reader = self.caller(Role::VaultReader);
        let opened = self.service().open_record(&reader, *reference, &request);
        opened
            .map(|opened| format!("{opened:?}"))
            .map_err(|error| error.code)
    }

    /// The refs of a decision's call, facts and reasoning.
    fn sealed_by(&self, entry: &str) -> Vec<Sha256> {
        let log = self.log();
        let entry = log.iter().find(|it| it.entry_id().to_string() == entry);
        let Some(Body::Decision(body)) = entry.unwrap().body() else {
            panic!("no decision");
        };
        let call = body.call_ref.map(Sha256::from);
        let facts = body.facts_ref.map(Sha256::from);
        let reasoning = body.reasoning_ref.map(Sha256::from);
        [call, facts, reasoning].into_iter().flatten().collect()
    }

    /// What opens and speaks of Pat, and rows of pseudonyms that still go.
    pub(crate) fn left_of_pat(&self) -> Vec<String> {
        let mut left = all_that_opens(self);
        left.retain(|text| {
            let text = text.to_lowercase();
            text.contains("pat@") || text.contains("pat+")
        });
        let rows = self.service().ledger().scan("retired/", None, 100).unwrap();
        left.extend(rows.iter().map(|(key, _)| key.to_string()));
        left
    }

    fn reported(&self, decision: &str, result: &Value) -> Result<Sha256, ServiceError> {
        let body = json!({"decision": decision, "phase": "finished", "result": result}).to_string();
        let tool = self.caller(Role::Tool);
        let answer = self.service().report_execution(&tool, body.as_bytes())?;
        Ok(answer.result_ref.unwrap().parse().unwrap())
    }
}

#[test]
fn who_stands_beside_the_arguments_of_a_call_is_found() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to lee@acme.example").intent_ref;
    let with = |member: &str, value: Value| {
        let mut request = mail_request(&turn, LEE);
        request[member] = value;
        kit.decide(&request).unwrap().entry_id
    };
    let sha = "sha256:".to_owned() + &"0".repeat(64);
    let calls = [
        with("external_call_id", json!("pat@acme.example/17")),
        with(
            "wire",
            json!({"sha256": sha, "profile": "http", "destination": "https://mail.example/to/pat@acme.example"}),
        ),
        with(
            "workspace",
            json!({"root": "/home/pat@acme.example", "cwd": "/home/pat@acme.example", "links": {}}),
        ),
    ];
    kit.erases(subject(PAT));
    for call in calls {
        for reference in kit.sealed_by(&call) {
            assert_eq!(kit.read(&reference), Err(ErrorCode::Erased), "{call}");
        }
    }
}

#[test]
fn who_stands_in_what_the_directory_says_of_somebody_else_is_found() {
    let kit = Kit::new();
    let author = kit.caller(Role::Author);
    let attributes = br#"{"name": "c/o pat@acme.example", "status": "active"}"#;
    kit.service()
        .put_entity(&author, "Contact", LEE, attributes)
        .unwrap();
    let turn = kit.turn("s1", "Write to lee@acme.example").intent_ref;
    let sent = kit.mail(&turn, LEE).entry_id;
    kit.erases(subject(PAT));
    for reference in kit.sealed_by(&sent) {
        let read = kit.read(&reference).unwrap_or_default();
        assert!(!read.contains(PAT), "{read}");
    }
    let again = kit.mail(&turn, LEE);
    assert_eq!(again.outcome, "approved", "and calls are judged as before");
}

#[test]
fn who_stands_in_a_long_text_is_found_however_they_are_spelt() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to lee@acme.example").intent_ref;
    let long = |text: &str| {
        let sent = kit.mail(&turn, LEE).entry_id;
        let text = format!("{}{text}{}", "x ".repeat(150_000), " y".repeat(10));
        (
            text.clone(),
            kit.reported(&sent, &json!({"text": text})).unwrap(),
        )
    };
    let pats = [
        long("Pat+news@ACME.example"),
        long("mailto:pat%40acme.example"),
        long("pat (at) acme.example"),
    ];
    let phones = [long("call +49 30 90 18 20 now")];
    kit.erases(subject(PAT));
    kit.erases(subject("+4930901820"));
    let mut left = Vec::new();
    for (text, reference) in pats.iter().chain(&phones) {
        if kit.read(reference) != Err(ErrorCode::Erased) {
            left.push(text.trim_matches(['x', 'y', ' ']));
        }
    }
    assert_eq!(left, Vec::<&str>::new());
}

#[test]
fn who_stands_in_a_text_is_found_as_mails_and_pages_write_them() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to lee@acme.example").intent_ref;
    let texts = [
        "PAT@ACME.EXAMPLE",
        "Pat Doe <pat+x@acme.example>",
        "pat&#64;acme.example",
        "pat&#x40;acme.example",
        "pat&commat;acme.example",
        "<a href=\"mailto:pat%40acme.example\">",
        "pat%2540acme.example",
        "to=3Dpat=40acme.example",
        "pat [at] acme [dot] example",
        "p\u{200b}at@acme.example",
        "pat\u{ff20}acme.example",
        "{\"to\": \"pat\\u0040acme.example\"}",
        "write to <b>pat</b>@acme.example",
        "pat@acme.exam=\r\nple",
    ];
    let results: Vec<Sha256> = texts
        .iter()
        .map(|text| {
            let sent = kit.mail(&turn, LEE).entry_id;
            kit.reported(&sent, &json!({"text": text})).unwrap()
        })
        .collect();
    kit.erases(subject(PAT));
    let mut left = Vec::new();
    for (text, reference) in texts.iter().zip(&results) {
        if kit.read(reference) != Err(ErrorCode::Erased) {
            left.push(*text);
        }
    }
    assert_eq!(left, Vec::<&str>::new());
}

#[test]
fn a_person_of_an_international_domain_is_found_in_both_spellings() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to lee@acme.example").intent_ref;
    let report = |text: &str| {
        let sent = kit.mail(&turn, LEE).entry_id;
        kit.reported(&sent, &json!({"text": text})).unwrap()
    };
    let (unicode, ascii) = (
        report("pat@bücher.example"),
        report("pat@xn--bcher-kva.example"),
    );
    kit.erases(subject("pat@bücher.example"));
    assert_eq!(kit.read(&unicode), Err(ErrorCode::Erased));
    assert_eq!(kit.read(&ascii), Err(ErrorCode::Erased));
}

#[test]
fn a_session_that_is_named_after_a_person_goes_with_them() {
    let kit = Kit::new();
    kit.turn("thread:pat@acme.example", "Write to lee@acme.example");
    kit.erases(subject(PAT));
    for entry in kit.log() {
        if let Some(Body::Intent(body)) = entry.body() {
            assert_eq!(kit.read(&body.intent_ref.into()), Err(ErrorCode::Erased));
        }
    }
}

/// What came in between the selection and the erasure is looked for again.
#[test]
fn what_is_reported_while_a_turn_is_erased_goes_too() {
    for _ in 0..3 {
        let kit = Kit::new();
        let turn = kit.turn("s1", "Write to lee@acme.example").intent_ref;
        let sent: Vec<String> = (0..40).map(|_| kit.mail(&turn, LEE).entry_id).collect();
        std::thread::scope(|scope| {
            let (kit, sent) = (&kit, &sent);
            for half in 0..2 {
                scope.spawn(move || {
                    for decision in sent.iter().skip(half).step_by(2) {
                        let _refused = kit.reported(decision, &json!({"of": decision}));
                    }
                });
            }
            let turn = turn.clone();
            scope.spawn(move || {
                kit.erases(Selection {
                    intent: Some(turn),
                    ..Selection::default()
                })
            });
        });
        let results: BTreeSet<Sha256> = kit
            .log()
            .iter()
            .filter_map(|entry| match entry.body() {
                Some(Body::Execution(body)) => body.result_ref.map(Sha256::from),
                _ => None,
            })
            .collect();
        let left = results.iter().filter(|it| kit.read(it).is_ok()).count();
        assert_eq!(left, 0, "of {} results", results.len());
    }
}

#[test]
fn whom_spellings_of_their_own_stand_for_is_gone_too() {
    let counting = json!({
        "name": "people", "kind": "count_distinct", "key": "actor", "over": "/subject",
        "actions": ["email.send"],
    });
    let mut content = bundle("mail-agent");
    content
        .counters
        .push(serde_json::from_value(counting).unwrap());
    let kit = Kit::with_bundle(content);
    let mut turn = crate::kit::turn_request("s1", "Write to Pat+news@Acme.Example");
    turn["principal"] = json!("user:Pat+x@Acme.Example");
    let turn = kit.try_turn(turn).unwrap().intent_ref;
    let mut request = mail_request(&turn, "Pat+news@Acme.Example");
    request["args"]["subject"] = json!("Dear PAT@acme.EXAMPLE");
    assert_eq!(kit.decide(&request).unwrap().outcome, "approved");
    assert!(kit.left_of_pat().len() >= 6, "{:?}", kit.left_of_pat());
    kit.erases(subject(PAT));
    assert_eq!(kit.left_of_pat(), Vec::<String>::new());
}

#[test]
fn who_is_only_mentioned_is_gone_from_all_that_was_judged() {
    let kit = Kit::new();
    kit.set_shadow(&kit.store(&bundle("allow-all"))).unwrap();
    let both = kit.turn(
        "s1",
        "Write to lee@acme.example, and not to pat@acme.example",
    );
    kit.mail(&both.intent_ref, LEE);
    let turn = kit.turn("s2", "Write to lee@acme.example").intent_ref;
    for intent in [Some(&turn), None] {
        for member in ["args", "reasoning"] {
            let mut request = mail_request(&turn, LEE);
            request["intent_ref"] = json!(intent);
            let names: Vec<String> = (0..40).map(|n| format!("p{n}@many.example")).collect();
            let text = format!("{} {PAT}", names.join(" "));
            match member {
                "args" => request["args"]["body"] = json!(text),
                _ => request[member] = json!(text),
            }
            kit.decide(&request).unwrap();
        }
    }
    assert!(kit.left_of_pat().len() >= 8, "{:?}", kit.left_of_pat());
    kit.erases(subject(PAT));
    assert_eq!(kit.left_of_pat(), Vec::<String>::new());
}

/// One record of a call may go before the others: they are found by themselves.
#[test]
fn who_stands_in_facts_is_found_when_the_call_is_gone() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to lee@acme.example").intent_ref;
    let mut request = mail_request(&turn, LEE);
    request["args"]["body"] = json!("as pat@acme.example said");
    request["reasoning"] = json!("pat@acme.example asked");
    let sent = kit.decide(&request).unwrap().entry_id;
    kit.reported(&sent, &json!({"ok": true})).unwrap();
    let call = kit.sealed_by(&sent)[0].to_string();
    kit.erases(Selection {
        refs: Some(vec![call]),
        ..Selection::default()
    });
    assert_eq!(kit.left_of_pat().len(), 3);
    kit.erases(subject(PAT));
    assert_eq!(kit.left_of_pat(), Vec::<String>::new());
}
