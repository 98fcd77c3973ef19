//! Flags, escalations that run out, and requests that were too many.

use countersign_core::document::ESCALATION_TTL_S;
use countersign_core::entry::{Body, Detector, Role, Surface};
use countersign_wire::NewCredential;
use serde_json::json;

use crate::kit::{AGENT, Kit, bundle, mail_request};

#[test]
fn a_pattern_of_rejections_raises_one_flag_that_says_where_it_began() {
    let mut kit = Kit::new();
    let turn = kit.turn("s1", "Answer the ticket").intent_ref;
    let mut rejected = Vec::new();
    for to in ["a@x.example", "b@x.example", "c@x.example", "d@x.example"] {
        rejected.push(kit.mail(&turn, to).entry_id);
        kit.service().settle_watch().unwrap();
        kit.clock.turn(1_000);
    }
    let flags: Vec<_> = kit
        .log()
        .into_iter()
        .filter_map(|entry| match entry.body() {
            Some(Body::Flag(flag)) => Some(flag.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(flags.len(), 1, "{flags:?}");
    assert_eq!(flags[0].detector, Detector::Burst);
    assert_eq!(flags[0].onset.to_string(), rejected[0]);
    let named: Vec<_> = flags[0].entries.iter().map(ToString::to_string).collect();
    assert_eq!(named, rejected[..3]);

    let size = kit.size();
    kit.restart();
    kit.service().settle_watch().unwrap();
    assert_eq!(kit.size(), size, "a restart raises nothing twice");
    let listed = kit
        .service()
        .flags(&kit.caller(Role::Auditor))
        .unwrap()
        .flags;
    assert_eq!((listed.len(), listed[0].state.as_str()), (1, "open"));
    kit.clock.turn(3_600_000);
    kit.service().settle_watch().unwrap();
    assert_eq!(
        kit.service()
            .flags(&kit.caller(Role::Auditor))
            .unwrap()
            .flags[0]
            .state,
        "closed"
    );
}

#[test]
fn a_call_without_a_turn_is_flagged() {
    let kit = Kit::new();
    let mut request = mail_request("", "a@x.example");
    request.as_object_mut().unwrap().remove("intent_ref");
    let entry = kit.decide(&request).unwrap().entry_id;
    kit.service().settle_watch().unwrap();
    match kit.last() {
        Body::Flag(flag) => {
            assert_eq!(flag.detector, Detector::Unmandated);
            assert_eq!(flag.actor.unwrap().as_str(), AGENT);
            assert_eq!(flag.onset.to_string(), entry);
        }
        other => panic!("{}", other.kind()),
    }
}

/// A credential for a prefix of names can bring up as many actors as it likes.
#[test]
fn more_flags_at_once_than_one_commit_holds_are_all_written() {
    let mut kit = Kit::new();
    let request = NewCredential {
        roles: vec!["agent".to_owned()],
        actors: vec!["agent:swarm/".to_owned()],
        ..NewCredential::default()
    };
    let admin = kit.caller(Role::Admin);
    let created = kit.service().add_credential(&admin, &request).unwrap();
    let swarm = kit.service().authenticate(&created.token).unwrap();
    let actors = countersign_ledger::limits::UNIT_ENTRIES + 20;
    for n in 0..actors {
        let mut request = mail_request("", "a@x.example");
        let members = request.as_object_mut().unwrap();
        members.remove("intent_ref");
        members.insert("actor".to_owned(), json!(format!("agent:swarm/{n}")));
        let body = request.to_string();
        let decided = kit
            .service()
            .decide(&swarm, body.as_bytes(), Surface::Api, None);
        decided.unwrap();
    }
    kit.service().settle_watch().unwrap();
    let count = |kit: &Kit, kind: &str| kit.log().iter().filter(|of| of.kind() == kind).count();
    assert_eq!(count(&kit, "flag"), actors);
    kit.clock.turn(3_600_000);
    kit.restart();
    kit.service().settle_watch().unwrap();
    assert_eq!(count(&kit, "flag"), actors);
    assert_eq!(count(&kit, "flag-close"), actors);
}

#[test]
fn an_escalation_that_nobody_answers_is_closed_by_one_entry() {
    let mut content = bundle("mail-agent");
    content.policies.push(countersign_core::document::PolicyFile {
        name: "ask.cedar".to_owned(),
        text: "@id(\"ask-first\") @reason(\"A person is asked first.\") @escalate\nforbid(principal, action == Action::\"email.send\", resource);".to_owned(),
    });
    let kit = Kit::with_bundle(content);
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let answer = kit.mail(&turn, "a@b.example");
    assert_eq!(
        (answer.outcome.as_str(), answer.permit.is_none()),
        ("escalated", true)
    );
    assert_eq!(answer.reasons[0].id, "ask-first");
    assert_eq!(
        kit.mail(&turn, "x@y.example").outcome,
        "rejected",
        "what no rule permits cannot be asked for"
    );
    assert_eq!(kit.service().expire_escalations().unwrap(), 0);
    kit.clock.turn(i64::from(ESCALATION_TTL_S) * 1_000);
    assert_eq!(kit.service().expire_escalations().unwrap(), 1);
    assert_eq!(kit.service().expire_escalations().unwrap(), 0);
    let again = kit
        .service()
        .decision(&kit.caller(Role::Agent), answer.entry_id.parse().unwrap())
        .unwrap();
    assert_eq!(again.resolution.unwrap().kind, "expired");
    assert_eq!(
        kit.log()
            .iter()
            .filter(|entry| entry.kind() == "expired")
            .count(),
        1
    );
}

#[test]
fn throttled_requests_are_counted_in_one_entry() {
    let kit = Kit::new();
    let agent = kit.caller(Role::Agent);
    for _ in 0..5 {
        kit.service().note_throttled(agent.id());
        kit.clock.turn(10);
    }
    assert_eq!(kit.service().flush_throttled().unwrap(), 1);
    assert_eq!(kit.service().flush_throttled().unwrap(), 0);
    match kit.last() {
        Body::Throttled(throttled) => {
            assert_eq!((throttled.requests, throttled.credential), (5, agent.id()));
            assert_eq!(throttled.until.millis_since(throttled.since), 40);
        }
        other => panic!("{}", other.kind()),
    }
    // Counted, then revoked; and the clock was put back a little meanwhile.
    kit.service().note_throttled(agent.id());
    kit.service()
        .revoke_credential(&kit.caller(Role::Admin), agent.id())
        .unwrap();
    kit.clock.turn(-1_000);
    assert_eq!(kit.service().flush_throttled().unwrap(), 1);
    assert_eq!(kit.log().last().unwrap().kind(), "throttled");
}

#[test]
fn a_stopped_call_is_no_unmandated_one() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let stop = serde_json::from_value(json!({"scope": "everything"})).unwrap();
    kit.service().stop(&kit.caller(Role::Admin), &stop).unwrap();
    assert_eq!(kit.mail(&turn, "a@b.example").outcome, "rejected");
    kit.service().settle_watch().unwrap();
    assert!(kit.log().iter().all(|entry| entry.kind() != "flag"));
}
