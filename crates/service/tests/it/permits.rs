//! Permits at the tool's side: used up once, refused with an entry, and never flooding the ledger.
//! That the verifier and `fsck` agree is held at the end of every test.

use std::sync::Barrier;

use countersign_core::entry::{
    Body, Execution, ExecutionPhase, PermitRefusal, PermitRefused, Role,
};
use countersign_core::json::CanonicalJson;
use countersign_core::refs::Sha256;
use countersign_keys::KeyRing;
use countersign_permit::{Claims, PermitSigner, PermitVerifier};
use countersign_service::{CONSUME_BODY_BYTES, Caller, ErrorCode, ServiceError, permit_audience};
use countersign_wire::{CloseSession, Consumed, NewCredential};
use serde_json::{Value, json};

use crate::kit::{AGENT, Kit, bundle, mail_request, turn_request};

const WORDS: &str = "Write to pat@acme.example and kim@acme.example";
const NAMED: &str = "pat@acme.example";

impl Kit {
    /// An approved mail: its decision and permit.
    fn permit(&self) -> (String, String) {
        let turn = self.turn("s1", WORDS).intent_ref;
        self.permit_of(&mail_request(&turn, NAMED))
    }

    fn permit_of(&self, request: &Value) -> (String, String) {
        let answer = self.decide(request).unwrap();
        (answer.entry_id, answer.permit.unwrap())
    }

    fn consume(&self, by: &Caller, request: &Value) -> Result<Consumed, ServiceError> {
        self.service()
            .consume_permit(by, request.to_string().as_bytes())
    }

    fn try_permit(&self, permit: &str) -> Result<Consumed, ServiceError> {
        self.consume(&self.caller(Role::Tool), &shown(permit))
    }

    /// The reason of a refusal, which stands in the entry that it names.
    fn refused(&self, request: &Value) -> PermitRefused {
        let error = self.consume(&self.caller(Role::Tool), request).unwrap_err();
        assert_eq!(error.code, ErrorCode::PermitRefused, "{error}");
        let entry = self.log().pop().unwrap();
        assert_eq!(error.entry_id, Some(entry.entry_id()));
        match entry.body().unwrap() {
            Body::PermitRefused(refused) => {
                let word = format!("`{}`", refused.reason);
                assert!(error.detail.contains(&word), "{error}");
                refused.clone()
            }
            other => panic!("the last entry is {}", other.kind()),
        }
    }

    fn started(&self) -> Vec<Execution> {
        let log = self.log();
        let bodies = log.iter().filter_map(|entry| match entry.body() {
            Some(Body::Execution(it)) if it.phase == ExecutionPhase::Started => Some(it.clone()),
            _ => None,
        });
        bodies.collect()
    }

    fn claims(&self, permit: &str) -> Claims {
        let jwks = &self.service().public_keys().jwks;
        let verifier = PermitVerifier::from_jwks(jwks.as_bytes()).unwrap();
        verifier.authentic(permit).unwrap()
    }

    fn finish(&self, decision: &str, phase: &str) -> Result<(), ErrorCode> {
        let body = json!({"decision": decision, "phase": phase}).to_string();
        let tool = self.caller(Role::Tool);
        let reported = self.service().report_execution(&tool, body.as_bytes());
        reported.map(drop).map_err(|error| error.code)
    }
}

fn args_sha256() -> String {
    let args = &mail_request("", NAMED)["args"];
    CanonicalJson::of(args).unwrap().digest().to_string()
}

fn shown(permit: &str) -> Value {
    json!({
        "permit": permit, "audience": permit_audience("email.send"), "tool": "email.send",
        "args_sha256": args_sha256(),
    })
}

fn shown_with(permit: &str, member: &str, value: Value) -> Value {
    let mut request = shown(permit);
    request[member] = value;
    request
}

#[test]
fn a_permit_is_used_up_and_its_call_is_in_the_ledger_before_it_leaves() {
    let kit = Kit::new();
    let (decision, permit) = kit.permit();
    let consumed = kit.try_permit(&permit).unwrap();
    assert_eq!(consumed.decision, decision);
    assert_eq!(
        (consumed.action.as_str(), consumed.actor.as_str()),
        ("email.send", AGENT)
    );
    let entry: Value = serde_json::from_str(consumed.entry.get()).unwrap();
    assert_eq!(entry["entry_id"], consumed.entry_id);
    let started = kit.started().pop().unwrap();
    assert_eq!(started.permit, Some(kit.claims(&permit).jti));
    assert_eq!(started.links.decision.unwrap().to_string(), decision);
    assert!(started.session.is_some() && started.intent_ref.is_some());

    let again = kit.refused(&shown(&permit));
    assert_eq!(again.reason, PermitRefusal::Used);
    assert_eq!(
        (again.permit, again.links.decision),
        (started.permit, started.links.decision)
    );
    kit.finish(&decision, "finished").unwrap();
    assert_eq!(kit.refused(&shown(&permit)).reason, PermitRefusal::Used);
    assert_eq!(kit.finish(&decision, "started"), Err(ErrorCode::Conflict));
}

#[test]
fn of_many_at_once_one_passes() {
    let kit = Kit::new();
    let (_, permit) = kit.permit();
    let barrier = Barrier::new(8);
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    usize::from(kit.try_permit(&permit).is_ok())
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!((passed, kit.started().len()), (1, 1));
}

#[test]
fn a_permit_for_anything_else_is_refused_and_still_good() {
    let kit = Kit::new();
    let (_, permit) = kit.permit();
    let wire = json!({"profile": "http:POST", "destination": "https://a.example", "sha256": args_sha256()});
    for (member, value, reason) in [
        (
            "audience",
            json!("tool:inbox.read"),
            PermitRefusal::Audience,
        ),
        ("tool", json!("inbox.read"), PermitRefusal::Audience),
        (
            "args_sha256",
            json!(Sha256::of(b"other").to_string()),
            PermitRefusal::Arguments,
        ),
        ("wire", wire, PermitRefusal::Arguments),
    ] {
        let refused = kit.refused(&shown_with(&permit, member, value));
        assert_eq!(refused.reason, reason, "{member}");
        assert!(refused.permit.is_some() && refused.links.decision.is_some());
    }
    kit.try_permit(&permit).unwrap();
}

#[test]
fn a_permit_that_names_bytes_is_good_for_these_bytes_alone() {
    let kit = Kit::new();
    let turn = kit.turn("s1", WORDS).intent_ref;
    let mut request = mail_request(&turn, NAMED);
    let wire = json!({
        "profile": "http:POST", "destination": "https://mail.example/send",
        "sha256": Sha256::of(b"bytes").to_string(),
    });
    request["wire"] = wire.clone();
    let (_, permit) = kit.permit_of(&request);
    for (member, value) in [
        ("profile", json!("http:PUT")),
        ("destination", json!("https://mail.example/send?x=1")),
        ("sha256", json!(Sha256::of(b"other").to_string())),
    ] {
        let mut other = wire.clone();
        other[member] = value;
        let refused = kit.refused(&shown_with(&permit, "wire", other));
        assert_eq!(refused.reason, PermitRefusal::Arguments, "{member}");
    }
    kit.consume(&kit.caller(Role::Tool), &shown_with(&permit, "wire", wire))
        .unwrap();
}

#[test]
fn tokens_that_are_none_of_ours_name_no_permit() {
    let kit = Kit::new();
    let (_, permit) = kit.permit();
    let claims = kit.claims(&permit);
    let foreign = PermitSigner::from_seed(&[7; 32]).unwrap();
    let mut tokens = vec![
        String::new(),
        "a.b.c".to_owned(),
        "é".repeat(1_000),
        "x".repeat(17 * 1024),
        foreign.sign(&claims).unwrap(),
        // The claims of the one with the signature of another: the last character holds two bits.
        match permit.strip_suffix('A') {
            Some(rest) => format!("{rest}Q"),
            None => format!("{}A", permit.get(..permit.len() - 1).unwrap()),
        },
        Kit::new().permit().1,
    ];
    // Somebody has the very key, and signs what nobody approved or what was approved otherwise.
    let ring = KeyRing::load(&kit.dir.path().join("keys")).unwrap();
    let turn = kit.turn("s2", WORDS);
    let registered: Value = serde_json::from_str(turn.entry.get()).unwrap();
    let registered = registered["entry_id"].as_str().unwrap().to_owned();
    let rejected = kit.mail(&turn.intent_ref, "eve@evil.test").entry_id;
    let forge = |change: &dyn Fn(&mut Claims)| {
        let mut forged = claims.clone();
        change(&mut forged);
        ring.permit_signer().sign(&forged).unwrap()
    };
    tokens.extend([
        forge(&|it| it.entry_id = "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap()),
        forge(&|it| it.entry_id = registered.parse().unwrap()),
        forge(&|it| it.entry_id = rejected.parse().unwrap()),
        forge(&|it| it.jti = "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap()),
        forge(&|it| it.args_sha256 = Sha256::of(b"other")),
        forge(&|it| it.exp += 3_600),
        forge(&|it| it.aud = "tool:other".to_owned()),
        forge(&|it| it.iss = "other.example".to_owned()),
        forge(&|it| it.tenant = "other".parse().unwrap()),
        forge(&|it| it.sub = "agent:night".parse().unwrap()),
        forge(&|it| it.intent_ref = None),
    ]);
    assert!(tokens.len() <= 20, "past that they are only counted");
    for token in &tokens {
        let refused = kit.refused(&shown(token));
        assert_eq!(refused.reason, PermitRefusal::Signature);
        assert_eq!((refused.permit, refused.links.decision), (None, None));
    }
    assert_eq!(ring.permit_signer().sign(&claims).unwrap(), permit);
    kit.try_permit(&permit).unwrap();
}

#[test]
fn a_permit_ends_with_its_time_and_with_what_it_rests_on() {
    let ended = |end: &dyn Fn(&Kit, &str)| {
        let kit = Kit::new();
        let turn = kit.turn("s1", WORDS).intent_ref;
        let (_, permit) = kit.permit_of(&mail_request(&turn, NAMED));
        end(&kit, &turn);
        assert!(kit.started().is_empty());
        let reason = kit.refused(&shown(&permit)).reason;
        assert!(kit.started().is_empty());
        reason
    };
    let stop = |kit: &Kit, body: Value| {
        let request = serde_json::from_value(body).unwrap();
        kit.service()
            .stop(&kit.caller(Role::Admin), &request)
            .unwrap();
    };
    assert_eq!(
        ended(&|kit, _| kit.clock.turn(60_000)),
        PermitRefusal::Expired
    );
    let everything = ended(&|kit, _| stop(kit, json!({"scope": "everything"})));
    assert_eq!(everything, PermitRefusal::Stopped);
    let actor = ended(&|kit, _| stop(kit, json!({"scope": "actor", "actor": AGENT})));
    assert_eq!(actor, PermitRefusal::Stopped);
    let asker = ended(&|kit, _| {
        let agent = kit.caller(Role::Agent).id();
        kit.service()
            .revoke_credential(&kit.caller(Role::Admin), agent)
            .unwrap();
    });
    assert_eq!(asker, PermitRefusal::Stopped);
    let turn = ended(&|kit, turn| {
        let turn = turn.parse().unwrap();
        kit.service()
            .revoke_turn(&kit.caller(Role::Ingress), turn)
            .unwrap();
    });
    assert_eq!(turn, PermitRefusal::Intent);
    let session = ended(&|kit, _| {
        let session = CloseSession {
            session: "s1".to_owned(),
        };
        kit.service()
            .close_session(&kit.caller(Role::Ingress), &session)
            .unwrap();
    });
    assert_eq!(session, PermitRefusal::Intent);
    let policy = ended(&|kit, _| {
        let author = kit.caller(Role::Author);
        let content = serde_json::to_vec(&bundle("allow-all")).unwrap();
        let stored = kit.service().store_bundle(&author, &content).unwrap();
        let current = kit.service().current_bundle(&author).unwrap();
        let request = countersign_wire::SetCurrentBundle {
            policy_ref: stored.policy_ref,
        };
        let before = format!("\"{}\"", current.policy_ref);
        kit.service()
            .set_bundle(&author, &request, Some(&before))
            .unwrap();
    });
    assert_eq!(policy, PermitRefusal::Policy);
}

#[test]
fn what_was_said_later_or_stopped_for_others_does_not_hold_a_permit_up() {
    let kit = Kit::new();
    let (_, permit) = kit.permit();
    kit.turn("s1", "And then look into the inbox");
    let other = serde_json::from_value(json!({"scope": "actor", "actor": "agent:other"})).unwrap();
    kit.service()
        .stop(&kit.caller(Role::Admin), &other)
        .unwrap();
    kit.clock.turn(59_000);
    kit.try_permit(&permit).unwrap();
}

#[test]
fn a_turn_on_a_schedule_ends_with_the_standing_one() {
    let kit = Kit::new();
    let standing = kit.turn("standing", WORDS).intent_ref;
    let scheduled = |session: &str| {
        let mut request = turn_request(session, "");
        request["author"] = json!("schedule");
        request["parts"] = json!([{"by": "system", "text": "It is two o'clock"}]);
        request["mandate"] = json!(standing);
        kit.try_turn(request).unwrap().intent_ref
    };
    let read = |session: &str| {
        let args = json!({"limit": 5});
        let request = json!({
            "tool": "inbox.read", "actor": AGENT, "intent_ref": scheduled(session), "args": args,
        });
        let mut shown = shown(&kit.permit_of(&request).1);
        shown["tool"] = json!("inbox.read");
        shown["audience"] = json!(permit_audience("inbox.read"));
        shown["args_sha256"] = json!(CanonicalJson::of(&args).unwrap().digest().to_string());
        shown
    };
    let (first, second) = (read("night-1"), read("night-2"));
    kit.consume(&kit.caller(Role::Tool), &first).unwrap();
    let revoked = standing.parse().unwrap();
    kit.service()
        .revoke_turn(&kit.caller(Role::Ingress), revoked)
        .unwrap();
    assert_eq!(kit.refused(&second).reason, PermitRefusal::Intent);
}

/// What the tool's side has told of a call by another way, is a call that ran.
#[test]
fn a_call_that_was_reported_before_is_not_made_again() {
    let kit = Kit::new();
    for phase in ["started", "finished", "unknown"] {
        let (decision, permit) = kit.permit();
        kit.finish(&decision, phase).unwrap();
        assert_eq!(
            kit.refused(&shown(&permit)).reason,
            PermitRefusal::Used,
            "{phase}"
        );
    }
    // An agent's word keeps nothing out.
    let (decision, permit) = kit.permit();
    let body = json!({"decision": decision, "phase": "finished"}).to_string();
    kit.service()
        .report_execution(&kit.caller(Role::Agent), body.as_bytes())
        .unwrap();
    kit.try_permit(&permit).unwrap();
}

#[test]
fn only_a_tools_side_uses_permits_up() {
    let kit = Kit::new();
    let (_, permit) = kit.permit();
    let size = kit.size();
    for role in Role::ALL.iter().filter(|role| **role != Role::Tool) {
        let error = kit
            .consume(&kit.caller(*role), &shown(&permit))
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::WrongRole, "{role}");
    }
    for (request, code) in [
        (json!({}), ErrorCode::MalformedRequest),
        (
            shown_with(&permit, "args_sha256", json!("md5:0")),
            ErrorCode::MalformedRequest,
        ),
        (
            shown_with(&permit, "more", json!(1)),
            ErrorCode::MalformedRequest,
        ),
        (shown(&"x".repeat(CONSUME_BODY_BYTES)), ErrorCode::TooLarge),
    ] {
        let error = kit.consume(&kit.caller(Role::Tool), &request).unwrap_err();
        assert_eq!(error.code, code);
    }
    assert_eq!(kit.size(), size);
    kit.try_permit(&permit).unwrap();
}

/// Whoever reaches a tool's side can send what they like, and one permit can be shown for ever.
#[test]
fn refusals_past_so_many_are_counted_and_not_written() {
    let kit = Kit::new();
    let (_, used) = kit.permit();
    let (_, other) = kit.permit();
    kit.try_permit(&used).unwrap();
    let size = kit.size();
    let refused_without_entry = |token: &str| {
        let error = kit.try_permit(token).unwrap_err();
        assert_eq!(error.code, ErrorCode::PermitRefused);
        usize::from(error.entry_id.is_none())
    };
    let counted: usize = (0..100)
        .map(|n| refused_without_entry(&format!("a.b.{n}")))
        .sum();
    assert_eq!((counted, kit.size()), (80, size + 20));
    let counted: usize = (0..50).map(|_| refused_without_entry(&used)).sum();
    assert_eq!((counted, kit.size()), (46, size + 24));
    // What is refused in a flood hides nothing else, and holds nothing up.
    let elsewhere = shown_with(&other, "tool", json!("inbox.read"));
    assert_eq!(kit.refused(&elsewhere).reason, PermitRefusal::Audience);
    kit.try_permit(&other).unwrap();
    assert_eq!(kit.service().flush_throttled().unwrap(), 1);
    let Body::Throttled(throttled) = kit.last() else {
        panic!("nothing was counted");
    };
    assert_eq!(throttled.requests, 126);
    assert_eq!(throttled.credential, kit.caller(Role::Tool).id());
    // Another credential has a count of its own, and a minute later all begin anew.
    let request = NewCredential {
        roles: vec!["tool".to_owned()],
        ..NewCredential::default()
    };
    let created = kit
        .service()
        .add_credential(&kit.caller(Role::Admin), &request)
        .unwrap();
    let by = kit.service().authenticate(&created.token).unwrap();
    assert!(
        kit.consume(&by, &shown("a.b.c"))
            .unwrap_err()
            .entry_id
            .is_some()
    );
    kit.clock.turn(60_000);
    assert_eq!(
        kit.refused(&shown("a.b.c")).reason,
        PermitRefusal::Signature
    );
}

#[test]
fn a_restart_forgets_no_use() {
    let mut kit = Kit::new();
    let (_, used) = kit.permit();
    let (_, fresh) = kit.permit();
    kit.try_permit(&used).unwrap();
    kit.restart();
    assert_eq!(kit.refused(&shown(&used)).reason, PermitRefusal::Used);
    kit.try_permit(&fresh).unwrap();
}
