//! A person's answer as a fact: what it lifts, and what it does not.

use std::collections::BTreeSet;

use countersign_core::document::{Document as _, Facts, ReviewBy, ReviewFact, Source};
use countersign_core::entry::ReviewAnswer;
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_core::verdict::Outcome;
use countersign_judge::{RejudgeInputs, judge, redraw, rejudge};
use serde_json::{Value, json};

use crate::support::{Entities, Scene, call, compile, content};

const TOOL: &str = r#"{"tool": "send", "action": "mail.send", "effect": "irreversible",
    "arguments": {"type": "object", "additionalProperties": false, "properties": {
        "to": {"type": "array", "items": {"type": "string"}}, "amount": {"type": "integer"}}},
    "targets": [{"at": "/to", "type": "email", "entity": "Contact"}],
    "roles": {"/amount": "quantity"}}"#;

/// Any call, but a person is asked about some; the one who asked may answer for `self.example`.
const RULES: &str = r#"
@id("ok") permit (principal, action, resource);
@id("never") forbid (principal, action == Action::"mail.send", resource)
    when { context.target.domain == "never.example" };
@id("ask") @escalate forbid (principal, action == Action::"mail.send", resource)
    when { context.target.domain == "ask.example" };
@id("ask-too") @escalate forbid (principal, action == Action::"mail.send", resource)
    when { context.target.domain == "too.example" };
@id("self") @escalate("requester") forbid (principal, action == Action::"mail.send", resource)
    when { context.target.domain == "self.example" };
@id("unknown-amount") @escalate forbid (principal, action == Action::"mail.send", resource)
    when { context.sources has amount && context.sources.amount.contains("none") };"#;

fn scene() -> Scene {
    let tool: Value = serde_json::from_str(TOOL).unwrap();
    let schema = "entity Contact;";
    Scene::new(compile(content(RULES, schema, json!([tool])))).says("Send what is due")
}

fn answered(answer: ReviewAnswer, by: ReviewBy, reasons: &[&str]) -> Scene {
    let mut scene = scene();
    scene.review = Some(ReviewFact {
        entry: "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap(),
        escalation: "01HYB7K3M4FXQZ9V2N6PTJD8RD".parse().unwrap(),
        answer,
        policy_ref: scene.bundle.policy_ref(),
        reasons: reasons.iter().map(|id| id.parse().unwrap()).collect(),
        by,
    });
    scene
}

fn yes(reasons: &[&str]) -> Scene {
    answered(ReviewAnswer::Approve, ReviewBy::Reviewer, reasons)
}

fn send(scene: &Scene, to: &[&str]) -> (Outcome, Vec<String>) {
    scene.verdict("send", json!({"to": to}))
}

fn is(outcome: Outcome, reasons: &[&str]) -> (Outcome, Vec<String>) {
    (outcome, reasons.iter().map(ToString::to_string).collect())
}

#[test]
fn a_yes_lifts_the_rules_that_asked_and_the_permits_are_the_reasons() {
    let to = ["a@ask.example", "b@open.example"];
    assert_eq!(send(&scene(), &to), is(Outcome::Escalated, &["ask"]));
    assert_eq!(send(&yes(&["ask"]), &to), is(Outcome::Approved, &["ok"]));
}

#[test]
fn a_rule_that_was_not_asked_about_asks_again_and_with_it_all_that_ask() {
    let to = ["a@ask.example", "b@too.example"];
    let again = is(Outcome::Escalated, &["ask", "ask-too"]);
    assert_eq!(send(&yes(&["ask"]), &to), again);
    assert_eq!(send(&yes(&[]), &to), again);
    let both = yes(&["ask", "ask-too"]);
    assert_eq!(send(&both, &to), is(Outcome::Approved, &["ok"]));
}

#[test]
fn what_no_person_may_permit_stays_rejected() {
    let to = ["a@ask.example", "b@never.example"];
    let all = ["ask", "never", "ok", "self"];
    assert_eq!(send(&yes(&all), &to), is(Outcome::Rejected, &["never"]));
    let no = answered(ReviewAnswer::Reject, ReviewBy::Reviewer, &["ask"]);
    assert_eq!(
        send(&no, &to),
        is(Outcome::Rejected, &["never"]),
        "the rules decide first"
    );
}

#[test]
fn a_no_rejects_also_what_nobody_would_ask_about_any_more() {
    let no = is(Outcome::Rejected, &["countersign.review-rejected"]);
    let mut scene = answered(ReviewAnswer::Reject, ReviewBy::Reviewer, &["ask"]);
    assert_eq!(send(&scene, &["a@ask.example"]), no);
    assert_eq!(send(&scene, &["a@open.example"]), no);
    other_bundle(&mut scene);
    assert_eq!(send(&scene, &["a@ask.example"]), no, "whatever the bundle");
}

#[test]
fn the_one_who_asked_lifts_only_the_rules_that_say_so() {
    let by_requester =
        |reasons: &[&str]| answered(ReviewAnswer::Approve, ReviewBy::Requester, reasons);
    let own = ["a@self.example"];
    assert_eq!(
        send(&by_requester(&["self"]), &own),
        is(Outcome::Approved, &["ok"])
    );
    assert_eq!(send(&yes(&["self"]), &own), is(Outcome::Approved, &["ok"]));
    let both = ["a@self.example", "b@ask.example"];
    assert_eq!(
        send(&by_requester(&["ask", "self"]), &both),
        is(Outcome::Escalated, &["ask", "self"])
    );
}

#[test]
fn a_yes_is_void_under_another_bundle() {
    let mut scene = yes(&["ask"]);
    other_bundle(&mut scene);
    let asked = is(Outcome::Escalated, &["ask"]);
    assert_eq!(send(&scene, &["a@ask.example"]), asked);
    let facts = facts(&scene, json!({"to": ["a@ask.example"]}));
    assert!(!facts.targets[0].sources.contains(&Source::Approved));
}

fn other_bundle(scene: &mut Scene) {
    let other: PolicyRef = Sha256::of(b"another bundle").into();
    scene.review.as_mut().unwrap().policy_ref = other;
}

fn facts(scene: &Scene, args: Value) -> Facts {
    scene.facts(&call("send", args))
}

#[test]
fn approved_is_a_source_beside_the_others_and_takes_none_away() {
    let args = json!({"to": ["a@ask.example"], "amount": 12});
    let scene = yes(&["ask", "unknown-amount"]);
    let facts = facts(&scene, args.clone());
    let both: BTreeSet<Source> = [Source::None, Source::Approved].into();
    assert_eq!(facts.targets[0].sources, both);
    assert_eq!(facts.values[0].sources, both);
    // A rule that asks for values without a source sees one, as it did when it asked.
    assert_eq!(facts.context["sources"]["amount"], json!(["none"]));
    assert_eq!(judge(&scene.bundle, &facts).outcome, Outcome::Approved);
    let unasked = yes(&["ask"]).verdict("send", args);
    assert_eq!(unasked, is(Outcome::Escalated, &["ask", "unknown-amount"]));
}

#[test]
fn judged_again_offline_an_answer_counts_as_it_did() {
    for (scene, outcome) in [
        (yes(&["ask"]), Outcome::Approved),
        (yes(&[]), Outcome::Escalated),
        (
            answered(ReviewAnswer::Reject, ReviewBy::Requester, &["ask"]),
            Outcome::Rejected,
        ),
    ] {
        let call = call("send", json!({"to": ["a@ask.example"]}));
        let facts = scene.facts(&call);
        let stored = Facts::from_canonical(facts.canonical().unwrap().as_bytes()).unwrap();
        let inputs = RejudgeInputs {
            bundle: &scene.bundle,
            facts: &stored,
            call: &call,
            intents: &scene.turns,
            results: &[],
        };
        assert_eq!(rejudge(&inputs).unwrap().outcome, outcome);
        // Facts without the answer that they were drawn with are others.
        let mut without = stored.clone();
        without.inputs.review = None;
        let inputs = RejudgeInputs {
            facts: &without,
            ..inputs
        };
        let approved = outcome != Outcome::Rejected;
        assert_eq!(rejudge(&inputs).is_err(), approved, "{outcome:?}");
    }
}

#[test]
fn a_replay_takes_the_answer_as_given_to_the_other_bundle() {
    let scene = yes(&["ask"]);
    let call = call("send", json!({"to": ["a@ask.example"]}));
    let facts = scene.facts(&call);
    let tool: Value = serde_json::from_str(TOOL).unwrap();
    let more = format!("{RULES}\n@id(\"more\") permit (principal, action, resource);");
    let other = compile(content(&more, "entity Contact;", json!([tool])));
    let inputs = RejudgeInputs {
        bundle: &other,
        facts: &facts,
        call: &call,
        intents: &scene.turns,
        results: &[],
    };
    let again = redraw(&inputs, &Entities::default()).unwrap();
    let verdict = judge(&other, &again);
    assert_eq!(verdict.outcome, Outcome::Approved);
    assert_eq!(verdict.reasons.len(), 2);
}
