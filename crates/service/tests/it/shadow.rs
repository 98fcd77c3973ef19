//! A bundle in shadow: it judges every call, it is recorded, and nothing comes of it.

use std::collections::BTreeMap;

use countersign_core::document::ESCALATION_TTL_S;
use countersign_core::document::PolicyFile;
use countersign_core::entry::{Body, Decision, Mode, PolicyPhase, Role};
use countersign_core::ids::EntryId;
use countersign_core::verdict::Outcome;
use countersign_service::{EntryQuery, ErrorCode};
use countersign_wire::{CloseSession, SetCurrentBundle};
use serde_json::json;

use crate::kit::{Kit, bundle, mail_request};

impl Kit {
    /// Stores a bundle; its ref.
    pub(crate) fn store(&self, content: &countersign_core::document::BundleContent) -> String {
        let author = self.caller(Role::Author);
        let body = serde_json::to_vec(content).unwrap();
        let stored = self.service().store_bundle(&author, &body).unwrap();
        stored.policy_ref
    }

    pub(crate) fn set_shadow(&self, policy_ref: &str) -> Result<(), ErrorCode> {
        let author = self.caller(Role::Author);
        let set = self.service().set_shadow(&author, &named(policy_ref));
        set.map(|_| ()).map_err(|error| error.code)
    }

    /// `allow-all` in force, and this in shadow.
    fn trying(content: &countersign_core::document::BundleContent) -> (Self, String) {
        let kit = Self::with_bundle(bundle("allow-all"));
        let policy_ref = kit.store(content);
        kit.set_shadow(&policy_ref).unwrap();
        (kit, policy_ref)
    }

    /// Every decision of the log with its id.
    fn decisions(&self) -> Vec<(EntryId, Decision)> {
        let log = self.log().into_iter();
        log.filter_map(|entry| match entry.body() {
            Some(Body::Decision(decision)) => Some((entry.entry_id(), decision.clone())),
            _ => None,
        })
        .collect()
    }

    fn in_shadow(&self) -> Vec<(EntryId, Decision)> {
        let mut all = self.decisions();
        all.retain(|(_, decision)| decision.mode == Mode::Shadow);
        all
    }

    fn phases(&self) -> Vec<PolicyPhase> {
        let log = self.log().into_iter();
        log.filter_map(|entry| match entry.body() {
            Some(Body::Policy(policy)) => Some(policy.phase),
            _ => None,
        })
        .collect()
    }
}

pub(crate) fn named(policy_ref: &str) -> SetCurrentBundle {
    SetCurrentBundle {
        policy_ref: policy_ref.to_owned(),
    }
}

/// The mail agent's bundle with one more policy.
pub(crate) fn mail_agent_and(policy: &str) -> countersign_core::document::BundleContent {
    let mut content = bundle("mail-agent");
    content.policies.push(PolicyFile {
        name: "more.cedar".to_owned(),
        text: policy.to_owned(),
    });
    content
}

pub(crate) const ASK: &str = "@id(\"ask-first\") @reason(\"A person is asked first.\") @escalate\nforbid(principal, action == Action::\"email.send\", resource);";

#[test]
fn each_call_is_judged_under_the_bundle_in_shadow_beside_what_is_enforced() {
    let (kit, policy_ref) = Kit::trying(&bundle("mail-agent"));
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    for to in ["a@b.example", "x@y.example"] {
        let answer = kit.mail(&turn, to);
        assert_eq!(answer.outcome, "approved");
        assert!(answer.permit.is_some());
        // An agent under somebody's influence must not learn what would be stopped.
        let told = serde_json::to_string(&answer).unwrap();
        assert!(!told.contains("shadow") && !told.contains(&policy_ref));
    }
    let log = kit.log();
    let tail: Vec<&str> = log[log.len() - 4..].iter().map(|e| e.kind()).collect();
    assert_eq!(tail, ["decision"; 4]);
    let decisions = kit.decisions();
    let [said, refused] = [&decisions[1].1, &decisions[3].1];
    assert_eq!(said.outcome, Outcome::Approved);
    assert_eq!(refused.outcome, Outcome::Rejected);
    assert_eq!(refused.reasons[0].as_str(), "countersign.no-permit");
    for pair in decisions.chunks(2) {
        let [(id, enforced), (_, shadow)] = pair else {
            panic!("an enforced decision alone");
        };
        assert_eq!(enforced.mode, Mode::Enforced);
        assert_eq!(shadow.mode, Mode::Shadow);
        assert_eq!(shadow.links.shadows, Some(*id));
        assert_eq!(shadow.policy_ref.to_string(), policy_ref);
        assert_eq!(shadow.call_ref, enforced.call_ref);
        assert_eq!(shadow.intent_ref, enforced.intent_ref);
        assert_eq!(shadow.action.as_str(), "email.send");
        assert!(shadow.facts_ref.is_some() && shadow.facts_ref != enforced.facts_ref);
        assert!(shadow.counts.is_empty());
    }
}

#[test]
fn nothing_comes_of_a_verdict_in_shadow() {
    let (kit, _) = Kit::trying(&mail_agent_and(ASK));
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    kit.mail(&turn, "a@b.example");
    for _ in 0..5 {
        kit.mail(&turn, "x@y.example");
    }
    let shadows = kit.in_shadow();
    assert_eq!(shadows[0].1.outcome, Outcome::Escalated);
    assert_eq!(shadows[5].1.outcome, Outcome::Rejected);
    // No escalation waits, no detector counts, and no list gives it an outcome.
    kit.clock.turn(i64::from(ESCALATION_TTL_S) * 1_000);
    assert_eq!(kit.service().expire_escalations().unwrap(), 0);
    kit.service().settle_watch().unwrap();
    let auditor = kit.caller(Role::Auditor);
    assert!(kit.service().flags(&auditor).unwrap().flags.is_empty());
    for outcome in ["rejected", "escalated"] {
        let query = EntryQuery {
            outcome: Some(outcome.to_owned()),
            ..EntryQuery::default()
        };
        let found = kit.service().entries(&auditor, &query).unwrap();
        assert!(found.entries.is_empty(), "{outcome}");
    }
    let session = CloseSession {
        session: "s1".to_owned(),
    };
    let held = kit
        .service()
        .close_session(&kit.caller(Role::Ingress), &session)
        .unwrap();
    assert_eq!(held.decisions, 6);
}

#[test]
fn a_verdict_in_shadow_is_no_decision_to_anybody_who_acts() {
    let kit = Kit::new();
    kit.set_shadow(&kit.store(&bundle("allow-all"))).unwrap();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    assert_eq!(kit.mail(&turn, "x@y.example").outcome, "rejected");
    let (id, decision) = kit.in_shadow().remove(0);
    assert_eq!(decision.outcome, Outcome::Approved);
    for role in [Role::Agent, Role::Tool, Role::Auditor, Role::Reviewer] {
        let asked = kit.service().decision(&kit.caller(role), id);
        assert_eq!(asked.unwrap_err().code, ErrorCode::NotFound, "{role}");
    }
    let report = json!({"decision": id.to_string(), "phase": "started"});
    let tool = kit.caller(Role::Tool);
    let ran = kit
        .service()
        .report_execution(&tool, report.to_string().as_bytes());
    assert_eq!(ran.unwrap_err().code, ErrorCode::NotFound);
    let mut next = mail_request(&turn, "a@b.example");
    next["links"] = json!({"continues": id.to_string()});
    let refused = kit.decide(&next).unwrap_err();
    assert_eq!(refused.code, ErrorCode::MalformedRequest);
    // Whoever audits can have it explained, and is told what it is.
    let explained = kit.service().explain(&kit.reader(), id, Some("audit"));
    let explained = explained.unwrap();
    assert!(explained.notes[0].contains("in shadow"), "{explained:?}");
    let agent = kit.caller(Role::Agent);
    let asked = kit.service().shadow(&agent).unwrap_err();
    assert_eq!(asked.code, ErrorCode::WrongRole);
}

#[test]
fn what_the_bundle_in_shadow_cannot_judge_touches_nothing() {
    let fails = "@id(\"fails\") @reason(\"It cannot be evaluated.\")\nforbid(principal, action == Action::\"email.send\", resource) when { if context.intent.live then 9223372036854775807 + 1 > 0 else false };";
    let (kit, _) = Kit::trying(&mail_agent_and(fails));
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    assert_eq!(kit.mail(&turn, "a@b.example").outcome, "approved");
    let (_, decision) = kit.in_shadow().remove(0);
    assert_eq!(decision.outcome, Outcome::Rejected);
    let reasons: Vec<&str> = decision.reasons.iter().map(|r| r.as_str()).collect();
    assert_eq!(reasons, ["countersign.evaluation-error", "fails"]);
}

#[test]
fn the_log_says_from_when_to_when_a_bundle_was_in_shadow() {
    let mut kit = Kit::new();
    let author = kit.caller(Role::Author);
    let first = kit.service().current_bundle(&author).unwrap().policy_ref;
    let allow_all = kit.store(&bundle("allow-all"));
    let asking = kit.store(&mail_agent_and(ASK));
    let unknown = countersign_core::refs::Sha256::of(b"x").to_string();
    assert_eq!(kit.set_shadow(&unknown), Err(ErrorCode::NotFound));
    assert_eq!(kit.set_shadow(&first), Err(ErrorCode::Conflict));
    let none = kit.service().end_shadow(&author).unwrap_err();
    assert_eq!(none.code, ErrorCode::NotFound);
    kit.set_shadow(&asking).unwrap();
    assert_eq!(kit.set_shadow(&asking), Err(ErrorCode::Conflict));
    kit.set_shadow(&allow_all).unwrap();
    kit.restart();
    let author = kit.caller(Role::Author);
    let shadow = kit.service().shadow(&author).unwrap();
    assert_eq!(shadow.policy_ref, allow_all);
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    kit.mail(&turn, "x@y.example");
    assert_eq!(kit.in_shadow().len(), 1);
    // What comes into force is no longer tried.
    let set = kit.service();
    set.set_bundle(&author, &named(&allow_all), Some(&first))
        .unwrap();
    kit.mail(&turn, "x@y.example");
    assert_eq!(kit.in_shadow().len(), 1);
    assert!(kit.service().shadow(&author).is_err());
    kit.set_shadow(&asking).unwrap();
    kit.service().end_shadow(&author).unwrap();
    use PolicyPhase::{InForce, Shadow, ShadowEnd, Stored};
    let phases = [
        Stored, InForce, Stored, Stored, Shadow, Shadow, ShadowEnd, InForce, Shadow, ShadowEnd,
    ];
    assert_eq!(kit.phases(), phases);
    let agent = kit.caller(Role::Agent);
    let refused = kit.service().set_shadow(&agent, &named(&first));
    assert_eq!(refused.unwrap_err().code, ErrorCode::WrongRole);
}

#[test]
fn a_call_that_is_asked_for_twice_is_judged_in_shadow_once() {
    let (kit, _) = Kit::trying(&bundle("mail-agent"));
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let request = mail_request(&turn, "a@b.example");
    let first = kit.decide_once(&request, Some("k1")).unwrap();
    let again = kit.decide_once(&request, Some("k1")).unwrap();
    assert_eq!(
        (first.entry_id, first.permit),
        (again.entry_id, again.permit)
    );
    assert_eq!(kit.decisions().len(), 2);
}

#[test]
fn while_a_bundle_is_in_shadow_every_judged_call_has_its_verdict_and_no_other_has() {
    let kit = Kit::with_bundle(bundle("allow-all"));
    let candidate = kit.store(&bundle("mail-agent"));
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20 {
                    kit.decide(&mail_request(&turn, "x@y.example")).unwrap();
                }
            });
        }
        let author = kit.caller(Role::Author);
        for _ in 0..8 {
            kit.set_shadow(&candidate).unwrap();
            kit.service().end_shadow(&author).unwrap();
        }
    });
    let mut is_on = false;
    let mut due: BTreeMap<EntryId, bool> = BTreeMap::new();
    for entry in kit.log() {
        match entry.body().unwrap() {
            Body::Policy(policy) => is_on = policy.phase == PolicyPhase::Shadow,
            Body::Decision(decision) => match decision.links.shadows {
                None => {
                    let is_due = is_on && decision.facts_ref.is_some();
                    due.insert(entry.entry_id(), is_due);
                }
                Some(beside) => assert_eq!(due.insert(beside, false), Some(true)),
            },
            _ => {}
        }
    }
    assert!(due.values().all(|is_due| !is_due));
}

/// The mail agent's bundle with a counter of mails, and a rule that stops the one after `most`.
fn counting(most: u32) -> countersign_core::document::BundleContent {
    let policy = format!(
        "@id(\"few\") @reason(\"Too many mails.\")\nforbid(principal, action == Action::\"email.send\", resource) when {{ context.counters.mails.after > {most} }};"
    );
    let mut content = mail_agent_and(&policy);
    let counter = json!({"name": "mails", "kind": "count", "actions": ["email.send"], "key": "actor", "window_s": 3600});
    content
        .counters
        .push(serde_json::from_value(counter).unwrap());
    content
}

#[test]
fn a_counter_in_shadow_sees_what_was_enforced_and_adds_nothing() {
    // Declared by both alike: what was enforced counts for both.
    let kit = Kit::with_bundle(counting(100));
    kit.set_shadow(&kit.store(&counting(1))).unwrap();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    for _ in 0..3 {
        assert_eq!(kit.mail(&turn, "a@b.example").outcome, "approved");
    }
    let shadows = kit.in_shadow();
    let outcomes: Vec<Outcome> = shadows.iter().map(|(_, d)| d.outcome).collect();
    use Outcome::{Approved, Rejected};
    assert_eq!(outcomes, [Approved, Rejected, Rejected]);
    assert!(shadows.iter().all(|(_, d)| d.counts.is_empty()));
    // Declared by the one in shadow alone: nothing is counted for it.
    let kit = Kit::new();
    kit.set_shadow(&kit.store(&counting(1))).unwrap();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    for _ in 0..3 {
        kit.mail(&turn, "a@b.example");
    }
    let shadows = kit.in_shadow();
    assert!(shadows.iter().all(|(_, d)| d.outcome == Approved));
}

/// Judged again at the end of the test under the bundle in shadow, from its own facts.
#[test]
fn results_are_read_as_the_manifests_in_shadow_say() {
    let (kit, policy_ref) = Kit::trying(&bundle("mail-agent"));
    let turn = kit.turn("s1", "Answer the ticket").intent_ref;
    let read = json!({"tool": "inbox.read", "actor": "agent:support", "intent_ref": turn, "args": {"limit": 1}});
    let read = kit.decide(&read).unwrap();
    let report =
        json!({"decision": read.entry_id, "phase": "finished", "result": {"from": "a@b.example"}});
    kit.service()
        .report_execution(&kit.caller(Role::Tool), report.to_string().as_bytes())
        .unwrap();
    kit.mail(&turn, "a@b.example");
    let (id, _) = kit.in_shadow().remove(1);
    let explained = kit.service().explain(&kit.reader(), id, Some("audit"));
    let explained = explained.unwrap();
    assert_eq!(explained.policy_ref, policy_ref);
    let sources = &explained.targets[0].sources;
    assert!(sources.contains(&"any_output".to_owned()), "{sources:?}");
}
