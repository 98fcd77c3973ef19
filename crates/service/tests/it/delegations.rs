//! Delegations: who may give what to whom, what the receiver may then do, and what ends it. That
//! verifier and `fsck` agree with each of it is held at the end of every test.

use countersign_core::entry::{AnyEntry, Body, PermitRefusal, Role, Surface};
use countersign_core::json::CanonicalJson;
use countersign_core::limits::DELEGATION_DEPTH;
use countersign_service::{Caller, DELEGATIONS_HELD, ErrorCode, ServiceError, permit_audience};
use countersign_verify::{Audit, Check, Trust};
use countersign_wire::{
    DecisionAnswer, DelegationAnswer, DelegationRequest, NewCredential, StopRequest,
};
use serde_json::json;

use crate::kit::{Kit, mail_request, turn_request};
use crate::sessions::Memory;

const LEAD: &str = "agent:support";
const HELPER: &str = "agent:support/mailer";
const SECOND: &str = "agent:support/second";
const NAMED: &str = "a@b.example";

/// A kit with a credential that speaks for an agent and its helpers.
struct Team {
    kit: Kit,
    caller: Caller,
}

impl Team {
    fn new() -> Self {
        let kit = Kit::new();
        let caller = agent(&kit, &[LEAD, "agent:support/"]);
        Self { kit, caller }
    }

    fn turn(&self) -> String {
        self.kit.turn("s1", "Write to a@b.example").intent_ref
    }

    fn give(&self, request: DelegationRequest) -> Result<DelegationAnswer, ServiceError> {
        self.kit.service().delegate(&self.caller, &request)
    }

    /// A call of an actor under a turn.
    fn mail(&self, actor: &str, intent_ref: &str) -> DecisionAnswer {
        let mut request = mail_request(intent_ref, NAMED);
        request["actor"] = json!(actor);
        self.decide(&request)
    }

    fn decide(&self, request: &serde_json::Value) -> DecisionAnswer {
        let body = request.to_string();
        self.kit
            .service()
            .decide(&self.caller, body.as_bytes(), Surface::Api, None)
            .unwrap()
    }

    /// Whether the last call rested on a turn, and on which delegation.
    fn last(&self) -> (bool, Option<String>) {
        let decision = self.kit.last_decision();
        let delegation = decision.links.delegation.map(|id| id.to_string());
        (decision.intent_ref.is_some(), delegation)
    }
}

fn agent(kit: &Kit, actors: &[&str]) -> Caller {
    let request = NewCredential {
        roles: vec!["agent".to_owned()],
        actors: actors.iter().map(|actor| (*actor).to_owned()).collect(),
        ..NewCredential::default()
    };
    let created = kit
        .service()
        .add_credential(&kit.caller(Role::Admin), &request)
        .unwrap();
    kit.service().authenticate(&created.token).unwrap()
}

fn giving(intent_ref: &str, from: &str, to: &str) -> DelegationRequest {
    DelegationRequest {
        intent_ref: Some(intent_ref.to_owned()),
        from: from.to_owned(),
        to: to.to_owned(),
        ..DelegationRequest::default()
    }
}

fn only(actions: &[&str], request: DelegationRequest) -> DelegationRequest {
    DelegationRequest {
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        ..request
    }
}

#[test]
fn a_helper_acts_on_what_it_was_given_and_the_decision_says_by_which_delegation() {
    let team = Team::new();
    let turn = team.turn();
    assert_eq!(team.mail(HELPER, &turn).outcome, "rejected");
    assert_eq!(team.last(), (false, None));
    let given = team.give(giving(&turn, LEAD, HELPER)).unwrap();
    assert!(given.is_new);
    assert_eq!(given.intent_ref, turn);
    let answer = team.mail(HELPER, &turn);
    assert_eq!(answer.outcome, "approved", "{:?}", answer.reasons);
    assert_eq!(team.last(), (true, Some(given.entry_id.clone())));
    let auditor = team.kit.caller(Role::Auditor);
    let id = answer.entry_id.parse().unwrap();
    let explained = team.kit.service().explain(&auditor, id, None).unwrap();
    let notes = explained.notes.join("\n");
    assert!(notes.contains(&format!("`{LEAD}` gave it")), "{notes}");
    // It grounds nothing that the turn does not say, and the giver's own calls rest on the turn.
    let mut request = mail_request(&turn, "other@b.example");
    request["actor"] = json!(HELPER);
    assert_eq!(team.decide(&request).outcome, "rejected");
    assert_eq!(team.last(), (true, Some(given.entry_id.clone())));
    assert_eq!(team.mail(LEAD, &turn).outcome, "approved");
    assert_eq!(team.last(), (true, None));
    // Asked again, it is the same entry.
    let size = team.kit.size();
    let again = team.give(giving(&turn, LEAD, HELPER)).unwrap();
    assert_eq!((again.is_new, &again.entry_id), (false, &given.entry_id));
    assert_eq!(team.kit.size(), size);
    // Nobody else has anything of it.
    assert_eq!(team.mail(SECOND, &turn).outcome, "rejected");
    assert_eq!(team.last(), (false, None));
}

#[test]
fn a_call_that_does_what_was_not_given_is_unmandated() {
    let team = Team::new();
    let turn = team.turn();
    let reads = only(&["inbox.read"], giving(&turn, LEAD, HELPER));
    let reads = team.give(reads).unwrap();
    assert_eq!(reads.actions, ["inbox.read"]);
    assert_eq!(team.mail(HELPER, &turn).outcome, "rejected");
    assert_eq!(team.last(), (false, None));
    let decision = team.kit.last_decision();
    assert_eq!(decision.claimed_intent_ref.unwrap().to_string(), turn);
    let read = json!({"tool": "inbox.read", "actor": HELPER, "intent_ref": turn, "args": {}});
    assert_eq!(team.decide(&read).outcome, "approved");
    assert_eq!(team.last(), (true, Some(reads.entry_id.clone())));
    // A tool that no manifest names does nothing that was given.
    let unknown = json!({"tool": "no.such", "actor": HELPER, "intent_ref": turn, "args": {}});
    assert_eq!(team.decide(&unknown).outcome, "rejected");
    assert_eq!(team.last(), (false, None));
    // With a second one beside it, each call rests on the one that covers it.
    let mails = only(&["email.send"], giving(&turn, LEAD, HELPER));
    let mails = team.give(mails).unwrap();
    assert_eq!(team.mail(HELPER, &turn).outcome, "approved");
    assert_eq!(team.last(), (true, Some(mails.entry_id)));
    assert_eq!(team.decide(&read).outcome, "approved");
    assert_eq!(team.last(), (true, Some(reads.entry_id)));
}

#[test]
fn what_is_passed_on_only_narrows() {
    let team = Team::new();
    let turn = team.turn();
    let given = only(&["email.send", "inbox.read"], giving(&turn, LEAD, HELPER));
    let given = DelegationRequest {
        expires_in_s: Some(600),
        ..given
    };
    let first = team.give(given).unwrap();
    let refused = |request: DelegationRequest| {
        let error = team.give(request).unwrap_err();
        assert_eq!(error.code, ErrorCode::Conflict, "{}", error.detail);
    };
    // More actions, or for longer.
    refused(only(&["crm.lookup"], giving(&turn, HELPER, SECOND)));
    refused(only(
        &["email.send", "crm.lookup"],
        giving(&turn, HELPER, SECOND),
    ));
    refused(DelegationRequest {
        expires_in_s: Some(601),
        ..giving(&turn, HELPER, SECOND)
    });
    refused(DelegationRequest {
        expires_in_s: Some(3_601),
        ..giving(&turn, LEAD, SECOND)
    });
    // All that the giver has is what the giver was given, and no longer.
    let second = team.give(giving(&turn, HELPER, SECOND)).unwrap();
    assert_eq!(second.actions, ["email.send", "inbox.read"]);
    assert_eq!(second.expires_at, first.expires_at);
    assert_eq!(team.mail(SECOND, &turn).outcome, "approved");
    assert_eq!(team.last(), (true, Some(second.entry_id.clone())));
    let Some(Body::Delegation(entry)) = team
        .kit
        .log()
        .iter()
        .find(|entry| entry.entry_id().to_string() == second.entry_id)
        .and_then(|entry| entry.body().cloned())
    else {
        panic!("no such delegation");
    };
    assert_eq!(entry.links.delegation.unwrap().to_string(), first.entry_id);
    // Not back to one that it came from, and not to oneself.
    refused(giving(&turn, SECOND, HELPER));
    let own = team.give(giving(&turn, LEAD, LEAD)).unwrap_err();
    assert_eq!(own.code, ErrorCode::MalformedRequest);
    refused(giving(&turn, HELPER, LEAD));
    // It ends at its time, and so does what was passed on.
    team.kit.clock.turn(599_999);
    assert_eq!(team.mail(SECOND, &turn).outcome, "approved");
    team.kit.clock.turn(1);
    for actor in [HELPER, SECOND] {
        assert_eq!(team.mail(actor, &turn).outcome, "rejected");
        assert_eq!(team.last(), (false, None));
    }
    refused(giving(&turn, HELPER, "agent:support/third"));
}

#[test]
fn who_may_delegate() {
    let team = Team::new();
    let turn = team.turn();
    let code = |caller: &Caller, request: &DelegationRequest| {
        team.kit
            .service()
            .delegate(caller, request)
            .unwrap_err()
            .code
    };
    let size = team.kit.size();
    let given = giving(&turn, LEAD, HELPER);
    for role in [Role::Ingress, Role::Tool, Role::Reviewer, Role::Admin] {
        let caller = team.kit.caller(role);
        assert_eq!(code(&caller, &given), ErrorCode::WrongRole);
    }
    // The credential must speak for both.
    let lead = team.kit.caller(Role::Agent);
    assert_eq!(code(&lead, &given), ErrorCode::OutOfBounds);
    let night = giving(&turn, "agent:night", HELPER);
    assert_eq!(code(&team.caller, &night), ErrorCode::OutOfBounds);
    // And the giver must have it: turns of others, and of nobody.
    let from_helper = giving(&turn, HELPER, SECOND);
    assert_eq!(code(&team.caller, &from_helper), ErrorCode::Conflict);
    let zero = format!("sha256:{}", "0".repeat(64));
    let unknown = giving(&zero, LEAD, HELPER);
    assert_eq!(code(&team.caller, &unknown), ErrorCode::Conflict);
    for malformed in [
        giving("sha256:12", LEAD, HELPER),
        giving(&turn, LEAD, "no actor"),
        only(&["No Action"], given.clone()),
        only(&["a.b"; 65], given.clone()),
        DelegationRequest {
            intent_ref: None,
            ..given.clone()
        },
        DelegationRequest {
            session: Some("s1".to_owned()),
            ..given.clone()
        },
        DelegationRequest {
            expires_in_s: Some(0),
            ..given.clone()
        },
    ] {
        assert_eq!(code(&team.caller, &malformed), ErrorCode::MalformedRequest);
    }
    assert_eq!(team.kit.size(), size);
    // One whom the turn names needs none.
    let mut both = turn_request("s2", "Write to a@b.example");
    both["actors"] = json!([LEAD, "agent:night"]);
    let both = team.kit.try_turn(both).unwrap().intent_ref;
    let all = agent(&team.kit, &[LEAD, "agent:night"]);
    let needless = giving(&both, LEAD, "agent:night");
    assert_eq!(code(&all, &needless), ErrorCode::Conflict);
}

#[test]
fn it_ends_with_the_turn_its_session_and_what_a_person_says_next() {
    let team = Team::new();
    let ended = |turn: &str| {
        assert_eq!(team.mail(HELPER, turn).outcome, "rejected");
        assert_eq!(team.last(), (false, None));
        let error = team.give(giving(turn, LEAD, SECOND)).unwrap_err();
        assert_eq!(error.code, ErrorCode::Conflict);
    };
    let given = || {
        let turn = team.turn();
        team.give(giving(&turn, LEAD, HELPER)).unwrap();
        assert_eq!(team.mail(HELPER, &turn).outcome, "approved");
        turn
    };
    let first = given();
    // "Stop, do not write to them" counts for helpers, too.
    let newer = given();
    ended(&first);
    let ingress = team.kit.caller(Role::Ingress);
    let service = team.kit.service();
    let newer_ref = newer.parse().unwrap();
    service.revoke_turn(&ingress, newer_ref).unwrap();
    ended(&newer);
    // The one before it counts again, for the giver as for the helper.
    assert_eq!(team.mail(HELPER, &first).outcome, "approved");
    let third = given();
    let session = "s1".to_owned();
    let close = countersign_wire::CloseSession { session };
    service.close_session(&ingress, &close).unwrap();
    ended(&third);
    let fourth = given();
    team.kit.clock.turn(3_600_000);
    ended(&fourth);
}

#[test]
fn a_newer_turn_for_one_on_the_way_ends_what_came_through_it() {
    let team = Team::new();
    let turn = team.turn();
    team.give(giving(&turn, LEAD, HELPER)).unwrap();
    team.give(giving(&turn, HELPER, SECOND)).unwrap();
    assert_eq!(team.mail(SECOND, &turn).outcome, "approved");
    let mut own = turn_request("s1", "Write to nobody any more");
    own["actors"] = json!([HELPER]);
    let all = team.kit.caller(Role::Admin);
    let request = NewCredential {
        roles: vec!["ingress".to_owned()],
        actors: vec!["agent:support/".to_owned()],
        ..NewCredential::default()
    };
    let ingress = team.kit.service().add_credential(&all, &request).unwrap();
    let ingress = team.kit.service().authenticate(&ingress.token).unwrap();
    let body = own.to_string();
    team.kit
        .service()
        .register_turn(&ingress, body.as_bytes())
        .unwrap();
    for actor in [HELPER, SECOND] {
        assert_eq!(team.mail(actor, &turn).outcome, "rejected");
        assert_eq!(team.last(), (false, None));
    }
    assert_eq!(team.mail(LEAD, &turn).outcome, "approved");
}

#[test]
fn who_is_stopped_gives_nothing_and_what_came_through_them_ends() {
    let team = Team::new();
    let turn = team.turn();
    team.give(giving(&turn, LEAD, HELPER)).unwrap();
    team.give(giving(&turn, HELPER, SECOND)).unwrap();
    let admin = team.kit.caller(Role::Admin);
    let stop = |actor: &str, effect: &str| {
        let request = StopRequest {
            scope: "actor".to_owned(),
            actor: Some(actor.to_owned()),
            effect: Some(effect.to_owned()),
        };
        team.kit.service().stop(&admin, &request).unwrap();
    };
    for giver in [LEAD, HELPER] {
        assert_eq!(team.mail(SECOND, &turn).outcome, "approved");
        stop(giver, "stop");
        assert_eq!(team.mail(SECOND, &turn).outcome, "rejected");
        assert_eq!(team.last(), (false, None));
        let error = team
            .give(giving(&turn, giver, "agent:support/third"))
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::Conflict);
        stop(giver, "resume");
    }
    assert_eq!(team.mail(SECOND, &turn).outcome, "approved");
}

#[test]
fn a_permit_ends_when_one_is_stopped_through_whom_the_mandate_came() {
    let team = Team::new();
    let turn = team.turn();
    team.give(giving(&turn, LEAD, HELPER)).unwrap();
    let permit = team.mail(HELPER, &turn).permit.unwrap();
    let request = StopRequest {
        scope: "actor".to_owned(),
        actor: Some(LEAD.to_owned()),
        effect: None,
    };
    let admin = team.kit.caller(Role::Admin);
    team.kit.service().stop(&admin, &request).unwrap();
    let args = mail_request("", NAMED)["args"].clone();
    let digest = CanonicalJson::of(&args).unwrap().digest();
    let shown = json!({
        "permit": permit, "audience": permit_audience("email.send"), "tool": "email.send",
        "args_sha256": digest,
    });
    let tool = team.kit.caller(Role::Tool);
    let body = shown.to_string();
    let refused = team.kit.service().consume_permit(&tool, body.as_bytes());
    assert_eq!(refused.unwrap_err().code, ErrorCode::PermitRefused);
    let Body::PermitRefused(entry) = team.kit.last() else {
        panic!("the last entry is {}", team.kit.last().kind());
    };
    assert_eq!(entry.reason, PermitRefusal::Stopped);
}

#[test]
fn a_surface_that_knows_only_its_session_delegates_and_calls_in_it() {
    let team = Team::new();
    let by_session = || DelegationRequest {
        intent_ref: None,
        session: Some("s1".to_owned()),
        ..giving("", LEAD, HELPER)
    };
    let error = team.give(by_session()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict);
    let first = team.turn();
    let call = || {
        let mut request = mail_request("", NAMED);
        let members = request.as_object_mut().unwrap();
        members.remove("intent_ref");
        members.insert("actor".to_owned(), json!(HELPER));
        members.insert("session".to_owned(), json!("s1"));
        members.insert("session_turn".to_owned(), json!(true));
        team.decide(&request)
    };
    assert_eq!(call().outcome, "rejected");
    assert_eq!(team.give(by_session()).unwrap().intent_ref, first);
    assert_eq!(call().outcome, "approved");
    // A newer turn has to be delegated anew.
    let second = team.turn();
    assert_eq!(call().outcome, "rejected");
    assert_eq!(team.last(), (false, None));
    assert_eq!(team.give(by_session()).unwrap().intent_ref, second);
    assert_eq!(call().outcome, "approved");
}

#[test]
fn how_far_and_how_often_it_is_passed_on_has_a_bound() {
    let team = Team::new();
    let turn = team.turn();
    let at = |n: usize| match n {
        0 => LEAD.to_owned(),
        n => format!("agent:support/n{n}"),
    };
    for n in 0..DELEGATION_DEPTH {
        team.give(giving(&turn, &at(n), &at(n + 1))).unwrap();
    }
    assert_eq!(team.mail(&at(DELEGATION_DEPTH), &turn).outcome, "approved");
    let too_far = giving(&turn, &at(DELEGATION_DEPTH), "agent:support/end");
    let error = team.give(too_far).unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict);
    // Held at one time; what has ended makes room.
    let short = |n: usize| DelegationRequest {
        expires_in_s: Some(60 + n as u64),
        ..giving(&turn, LEAD, HELPER)
    };
    for n in 0..DELEGATIONS_HELD {
        assert!(team.give(short(n)).unwrap().is_new);
    }
    let error = team.give(short(DELEGATIONS_HELD)).unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict);
    assert_eq!(team.mail(HELPER, &turn).outcome, "approved");
    team.kit.clock.turn(60_000);
    team.give(short(DELEGATIONS_HELD)).unwrap();
    assert_eq!(team.mail(HELPER, &turn).outcome, "approved");
}

#[test]
fn a_standing_instruction_is_passed_on_and_ends_for_the_helper_too() {
    let team = Team::new();
    let mut standing = turn_request("standing", "Write to a@b.example every night");
    standing["expires_in_s"] = json!(86_400);
    let standing = team.kit.try_turn(standing).unwrap().intent_ref;
    let mut night = turn_request("nightly", "");
    night["author"] = json!("schedule");
    night["mandate"] = json!(standing);
    night["parts"] = json!([{"by": "system", "text": "It is two in the morning"}]);
    let night = team.kit.try_turn(night).unwrap().intent_ref;
    team.give(giving(&night, LEAD, HELPER)).unwrap();
    team.mail(HELPER, &night);
    assert!(team.last().0);
    let ingress = team.kit.caller(Role::Ingress);
    let standing_ref = standing.parse().unwrap();
    team.kit
        .service()
        .revoke_turn(&ingress, standing_ref)
        .unwrap();
    team.mail(HELPER, &night);
    assert_eq!(team.last(), (false, None));
}

/// Whoever holds the log's key can write anything; the verifier says what does not fit.
#[test]
fn a_delegation_that_was_changed_is_found_even_if_the_keys_holder_did_it() {
    let team = Team::new();
    let turn = team.turn();
    let mails = only(&["email.send"], giving(&turn, LEAD, HELPER));
    team.give(mails).unwrap();
    team.mail(HELPER, &turn);
    let kit = &team.kit;
    let log_key = kit.service().public_keys().log_key.parse().unwrap();
    let audit = Audit::new(Trust::in_key(log_key));
    let checks = |leaves: Vec<Vec<u8>>| -> Vec<Check> {
        let report = audit
            .run(&Memory::signed(kit, leaves), &mut |_| {})
            .unwrap();
        report.findings.iter().map(|found| found.check).collect()
    };
    let leaves = kit.leaves();
    assert_eq!(checks(leaves.clone()), []);
    let changed = |from: &str, to: &str| {
        let mut leaves = leaves.clone();
        for leaf in &mut leaves {
            let text = String::from_utf8(leaf.clone()).unwrap();
            if AnyEntry::from_leaf(leaf).unwrap().kind() == "delegation" {
                assert!(text.contains(from), "{text}");
                *leaf = text.replace(from, to).into_bytes();
            }
        }
        checks(leaves)
    };
    assert_eq!(changed("email.send", "inbox.read"), [Check::Delegation]);
    let to_another = changed(HELPER, SECOND);
    assert_eq!(to_another, [Check::Delegation]);
    let foreign = changed(HELPER, "agent:elsewhere");
    assert_eq!(foreign, [Check::Credential, Check::Delegation]);
    let agent = kit.caller(Role::Agent).id().to_string();
    let by_another = changed(&team.caller.id().to_string(), &agent);
    assert_eq!(by_another, [Check::Credential]);
}
