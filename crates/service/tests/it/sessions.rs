//! Sessions: opened by their first turn, counted, closed by hand or for want of anything new.

use countersign_core::entry::{AnyEntry, Body, Role};
use countersign_keys::KeyRing;
use countersign_merkle::tile::layout::nodes_at;
use countersign_merkle::tile::{TILE_HEIGHT, encode_bundle};
use countersign_merkle::{AnyTile, CompactRange, Hash, leaf_hash};
use countersign_note::Checkpoint;
use countersign_service::{Caller, ErrorCode, SESSION_IDLE_MS, ServiceError, TURN_TTL_S};
use countersign_verify::{Audit, Check, LogSource, SourceError, Trust};
use countersign_wire::{
    CloseSession, NewCredential, OpenSession, SessionClosed, SessionOpened, TurnAnswer,
};
use serde_json::json;

use crate::kit::{AGENT, Kit, turn_request};

impl Kit {
    fn close(&self, role: Role, session: &str) -> Result<SessionClosed, ServiceError> {
        let session = session.to_owned();
        let request = CloseSession { session };
        self.service().close_session(&self.caller(role), &request)
    }

    fn execute(&self, decision: &str) {
        let body = json!({"decision": decision, "phase": "finished", "result": {"ok": true}});
        self.service()
            .report_execution(&self.caller(Role::Tool), body.to_string().as_bytes())
            .unwrap();
    }

    fn kinds(&self) -> Vec<String> {
        self.log()
            .iter()
            .map(|entry| entry.kind().to_owned())
            .collect()
    }
}

fn counts(closed: &SessionClosed) -> [u32; 3] {
    [closed.turns, closed.decisions, closed.executions]
}

#[test]
fn a_session_opens_with_its_first_turn_and_its_end_counts_what_it_held() {
    let kit = Kit::new();
    let before = kit.size() as usize;
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    assert_eq!(kit.kinds()[before..], ["session-open", "intent"]);
    let sent = kit.mail(&turn, "a@b.example");
    kit.execute(&sent.entry_id);
    kit.mail(&turn, "other@b.example");
    let second = kit.turn("s1", "Thank you").intent_ref;
    assert_eq!(
        kit.kinds()[before + 2..],
        ["decision", "execution", "decision", "intent"]
    );
    // What names no live turn of the session is not of it.
    kit.mail(&turn, "a@b.example");
    kit.turn("s2", "Something else");
    let closed = kit.close(Role::Ingress, "s1").unwrap();
    assert_eq!(counts(&closed), [2, 2, 1]);
    let Body::SessionClose(entry) = kit.last() else {
        panic!("the last entry is {}", kit.last().kind());
    };
    assert_eq!([entry.turns, entry.decisions, entry.executions], [2, 2, 1]);
    assert_eq!(entry.credential, Some(kit.caller(Role::Ingress).id()));
    // Its turns have ended.
    let late = kit.mail(&second, "a@b.example");
    assert_eq!(late.outcome, "rejected");
    let decision = kit.last_decision();
    assert_eq!((decision.intent_ref, decision.session), (None, None));
    assert_eq!(decision.claimed_intent_ref.unwrap().to_string(), second);
}

#[test]
fn a_turn_opens_a_closed_session_anew_and_the_turns_before_stay_ended() {
    let kit = Kit::new();
    let first = kit.turn("s1", "Write to a@b.example").intent_ref;
    let sent = kit.mail(&first, "a@b.example");
    kit.close(Role::Admin, "s1").unwrap();
    // What was approved is reported after the end; it counts towards the next one.
    kit.execute(&sent.entry_id);
    let second = kit.turn("s1", "Yes, do it").intent_ref;
    assert_eq!(
        kit.kinds()
            .iter()
            .filter(|kind| *kind == "session-open")
            .count(),
        2
    );
    let Body::Intent(intent) = kit.last() else {
        panic!("the last entry is {}", kit.last().kind());
    };
    assert_eq!(intent.parent, None);
    // The address stands in a turn of the session that was closed.
    assert_eq!(kit.mail(&second, "a@b.example").outcome, "rejected");
    assert_eq!(kit.mail(&first, "a@b.example").outcome, "rejected");
    let closed = kit.close(Role::Ingress, "s1").unwrap();
    assert_eq!(counts(&closed), [1, 1, 1]);
}

#[test]
fn a_standing_instruction_ends_with_its_session() {
    let kit = Kit::new();
    let mut standing = turn_request("standing", "Write to a@b.example every night");
    standing["expires_in_s"] = json!(86_400);
    let standing = kit.try_turn(standing).unwrap().intent_ref;
    let night = || {
        let mut turn = turn_request("nightly", "");
        turn["author"] = json!("schedule");
        turn["mandate"] = json!(standing);
        turn["parts"] = json!([{"by": "system", "text": "It is two in the morning"}]);
        kit.try_turn(turn)
    };
    let turn = night().unwrap().intent_ref;
    kit.mail(&turn, "a@b.example");
    assert_eq!(kit.last_decision().intent_ref.unwrap().to_string(), turn);
    kit.close(Role::Ingress, "standing").unwrap();
    assert_eq!(kit.mail(&turn, "a@b.example").outcome, "rejected");
    assert_eq!(kit.last_decision().intent_ref, None);
    assert_eq!(night().unwrap_err().code, ErrorCode::MalformedRequest);
}

#[test]
fn a_session_is_closed_once_and_by_whom_it_concerns() {
    let kit = Kit::new();
    kit.turn("s1", "Hello");
    let admin = kit.caller(Role::Admin);
    let request = NewCredential {
        roles: vec!["ingress".to_owned()],
        actors: vec![AGENT.to_owned()],
        ..NewCredential::default()
    };
    let other = kit.service().add_credential(&admin, &request).unwrap();
    let other = kit.service().authenticate(&other.token).unwrap();
    let s1 = CloseSession {
        session: "s1".to_owned(),
    };
    let refused = kit.service().close_session(&other, &s1).unwrap_err();
    assert_eq!(refused.code, ErrorCode::OutOfBounds);
    for role in [Role::Agent, Role::Tool, Role::Reviewer, Role::Auditor] {
        assert_eq!(
            kit.close(role, "s1").unwrap_err().code,
            ErrorCode::WrongRole
        );
    }
    assert_eq!(
        kit.close(Role::Ingress, "s2").unwrap_err().code,
        ErrorCode::NotFound
    );
    let size = kit.size();
    kit.close(Role::Ingress, "s1").unwrap();
    assert_eq!(
        kit.close(Role::Ingress, "s1").unwrap_err().code,
        ErrorCode::Conflict
    );
    assert_eq!(
        kit.close(Role::Admin, "s1").unwrap_err().code,
        ErrorCode::Conflict
    );
    assert_eq!(kit.size(), size + 1);
}

#[test]
fn a_session_in_which_nothing_happens_any_more_is_closed_without_being_asked() {
    let kit = Kit::new();
    let sweep = || kit.service().close_idle_sessions().unwrap();
    kit.turn("s1", "Hello");
    let mut long = turn_request("s2", "Write to a@b.example");
    long["expires_in_s"] = json!(86_400);
    let long = kit.try_turn(long).unwrap().intent_ref;
    let ttl = i64::try_from(TURN_TTL_S).unwrap() * 1_000;
    kit.clock.turn(ttl + SESSION_IDLE_MS);
    assert_eq!(sweep(), 0);
    kit.clock.turn(1);
    assert_eq!(sweep(), 1);
    let Body::SessionClose(entry) = kit.last() else {
        panic!("the last entry is {}", kit.last().kind());
    };
    assert_eq!(
        (entry.turns, entry.decisions, entry.credential),
        (1, 0, None)
    );
    assert_eq!(sweep(), 0);
    // The other one's turn goes on, and a report in it holds it open.
    kit.clock.turn(86_400_000 - ttl - SESSION_IDLE_MS - 1_000);
    let sent = kit.mail(&long, "a@b.example");
    assert_eq!(sent.outcome, "approved");
    kit.clock.turn(SESSION_IDLE_MS);
    kit.execute(&sent.entry_id);
    kit.clock.turn(SESSION_IDLE_MS);
    assert_eq!(sweep(), 0);
    kit.clock.turn(1);
    assert_eq!(sweep(), 1);
    let Body::SessionClose(entry) = kit.last() else {
        panic!("the last entry is {}", kit.last().kind());
    };
    assert_eq!([entry.turns, entry.decisions, entry.executions], [1, 1, 1]);
}

/// A log in memory.
pub(crate) struct Memory {
    leaves: Vec<Vec<u8>>,
    nodes: Vec<Vec<Hash>>,
    checkpoint: String,
}

impl Memory {
    /// These leaves, signed by the log's own key.
    pub(crate) fn signed(kit: &Kit, leaves: Vec<Vec<u8>>) -> Self {
        let mut range = CompactRange::new();
        let mut nodes = vec![Vec::new(); 8];
        for leaf in &leaves {
            range
                .append(leaf_hash(leaf), &mut |level, _, hash| {
                    if level % TILE_HEIGHT == 0 {
                        nodes[usize::from(level / TILE_HEIGHT)].push(hash);
                    }
                })
                .unwrap();
        }
        let keys = KeyRing::load(&kit.dir.path().join("keys")).unwrap();
        let checkpoint = Checkpoint::new(keys.origin().as_str(), range.size(), range.root());
        let note = checkpoint.unwrap().sign(&[&keys.log_signer()]).unwrap();
        for (level, nodes) in (0_u8..).zip(&nodes) {
            assert_eq!(nodes.len() as u64, nodes_at(level, range.size()));
        }
        Self {
            leaves,
            nodes,
            checkpoint: note.to_string(),
        }
    }
}

impl LogSource for Memory {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        Ok(self.checkpoint.clone().into_bytes())
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        let within = |range: std::ops::Range<u64>| range.start as usize..range.end as usize;
        Ok(match tile {
            AnyTile::Entries(tile) => encode_bundle(&self.leaves[within(tile.leaves())]).unwrap(),
            AnyTile::Hashes(tile) => {
                let level = &self.nodes[usize::from(tile.level())];
                level[within(tile.nodes())]
                    .iter()
                    .flat_map(|hash| *hash.as_bytes())
                    .collect()
            }
        })
    }
}

#[test]
fn an_entry_that_is_taken_out_of_a_closed_session_is_missed_even_by_the_keys_holder() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    let sent = kit.mail(&turn, "a@b.example");
    kit.execute(&sent.entry_id);
    kit.mail(&turn, "other@b.example");
    kit.turn("s1", "Thank you");
    kit.close(Role::Ingress, "s1").unwrap();
    let log_key = kit.service().public_keys().log_key.parse().unwrap();
    let audit = Audit::new(Trust::in_key(log_key));
    let checks = |leaves: Vec<Vec<u8>>| -> Vec<Check> {
        let log = Memory::signed(&kit, leaves);
        let report = audit.run(&log, &mut |_| {}).unwrap();
        report
            .findings
            .iter()
            .map(|finding| finding.check)
            .collect()
    };
    let leaves = kit.leaves();
    assert_eq!(checks(leaves.clone()), []);
    let without = |is_out: &dyn Fn(&Body) -> bool| {
        let keeps = |leaf: &&Vec<u8>| {
            !AnyEntry::from_leaf(leaf)
                .unwrap()
                .body()
                .is_some_and(is_out)
        };
        let left: Vec<Vec<u8>> = leaves.iter().filter(keeps).cloned().collect();
        assert_eq!(left.len() + 1, leaves.len());
        checks(left)
    };
    let rejected =
        without(&|body| matches!(body, Body::Decision(body) if body.outcome.name() == "rejected"));
    assert_eq!(rejected, [Check::SessionCounts]);
    let execution = without(&|body| matches!(body, Body::Execution(_)));
    assert_eq!(execution, [Check::SessionCounts]);
    let turn = without(&|body| matches!(body, Body::Intent(body) if body.parent.is_some()));
    assert_eq!(turn, [Check::SessionCounts]);
    let opening = without(&|body| matches!(body, Body::SessionOpen(_)));
    assert_eq!(opening, [Check::SessionCounts]);
}

/// An ingress for one actor, as the hook of a coding assistant has it.
fn ingress(kit: &Kit, own_sessions: bool) -> Caller {
    let request = NewCredential {
        roles: vec!["ingress".to_owned()],
        actors: vec![AGENT.to_owned()],
        own_sessions,
        ..NewCredential::default()
    };
    let created = kit
        .service()
        .add_credential(&kit.caller(Role::Admin), &request)
        .unwrap();
    kit.service().authenticate(&created.token).unwrap()
}

fn open(kit: &Kit, caller: &Caller, session: &str) -> Result<SessionOpened, ServiceError> {
    let session = session.to_owned();
    kit.service().open_session(caller, &OpenSession { session })
}

fn register(kit: &Kit, caller: &Caller, session: &str) -> Result<TurnAnswer, ServiceError> {
    let body = turn_request(session, "Write to a@b.example").to_string();
    kit.service().register_turn(caller, body.as_bytes())
}

#[test]
fn a_session_that_was_opened_first_is_not_opened_again_by_its_first_turn() {
    let kit = Kit::new();
    let ingress = kit.caller(Role::Ingress);
    let before = kit.size() as usize;
    let opened = open(&kit, &ingress, "s1").unwrap();
    assert!(opened.is_new);
    // The same again, before a turn and after one, is the same entry and no other.
    let again = open(&kit, &ingress, "s1").unwrap();
    assert!(!again.is_new);
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    assert_eq!(kit.mail(&turn, "a@b.example").outcome, "approved");
    let later = open(&kit, &ingress, "s1").unwrap();
    let id = |opened: &SessionOpened| {
        let entry: serde_json::Value = serde_json::from_str(opened.entry.get()).unwrap();
        entry["entry_id"].clone()
    };
    assert_eq!([id(&again), id(&later)], [id(&opened), id(&opened)]);
    assert_eq!(
        kit.kinds()[before..],
        ["session-open", "intent", "decision"]
    );
    let closed = kit.close(Role::Ingress, "s1").unwrap();
    assert_eq!(counts(&closed), [1, 1, 0]);
    // Opened anew, the turns before it stay ended, and an end without any turn counts none.
    assert!(open(&kit, &ingress, "s1").unwrap().is_new);
    assert_eq!(kit.mail(&turn, "a@b.example").outcome, "rejected");
    assert_eq!(kit.last_decision().intent_ref, None);
    let closed = kit.close(Role::Ingress, "s1").unwrap();
    assert_eq!(counts(&closed), [0, 0, 0]);
    assert!(open(&kit, &ingress, "s1").unwrap().is_new);
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    assert_eq!(kit.mail(&turn, "a@b.example").outcome, "approved");
}

#[test]
fn a_session_without_a_turn_stays_open_for_a_while() {
    let kit = Kit::new();
    open(&kit, &kit.caller(Role::Ingress), "s1").unwrap();
    kit.clock.turn(SESSION_IDLE_MS);
    assert_eq!(kit.service().close_idle_sessions().unwrap(), 0);
    kit.clock.turn(1);
    assert_eq!(kit.service().close_idle_sessions().unwrap(), 1);
    let Body::SessionClose(entry) = kit.last() else {
        panic!("the last entry is {}", kit.last().kind());
    };
    assert_eq!([entry.turns, entry.decisions, entry.executions], [0, 0, 0]);
}

#[test]
fn a_session_is_opened_by_an_ingress_and_only_one_of_them() {
    let mut kit = Kit::new();
    for role in [Role::Agent, Role::Tool, Role::Reviewer, Role::Admin] {
        let refused = open(&kit, &kit.caller(role), "s1").unwrap_err();
        assert_eq!(refused.code, ErrorCode::WrongRole);
    }
    let refused = open(&kit, &kit.caller(Role::Ingress), "").unwrap_err();
    assert_eq!(refused.code, ErrorCode::MalformedRequest);
    let size = kit.size();
    let other = ingress(&kit, false);
    open(&kit, &other, "s1").unwrap();
    let refused = open(&kit, &kit.caller(Role::Ingress), "s1").unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);
    // It is bound to no session of its own, so it may still speak in this one.
    register(&kit, &kit.caller(Role::Ingress), "s1").unwrap();
    assert_eq!(kit.size(), size + 3);
    // What is open is so after a restart, too.
    open(&kit, &other, "s2").unwrap();
    kit.restart();
    assert!(!open(&kit, &other, "s2").unwrap().is_new);
}

#[test]
fn an_ingress_bound_to_a_session_opens_no_other() {
    let kit = Kit::new();
    let request = NewCredential {
        roles: vec!["ingress".to_owned()],
        actors: vec![AGENT.to_owned()],
        session: Some("s1".to_owned()),
        ..NewCredential::default()
    };
    let created = kit
        .service()
        .add_credential(&kit.caller(Role::Admin), &request)
        .unwrap();
    let bound = kit.service().authenticate(&created.token).unwrap();
    assert_eq!(
        open(&kit, &bound, "s2").unwrap_err().code,
        ErrorCode::OutOfBounds
    );
    assert!(open(&kit, &bound, "s1").unwrap().is_new);
}

#[test]
fn an_ingress_of_its_own_sessions_speaks_in_no_other() {
    let kit = Kit::new();
    let hook = ingress(&kit, true);
    kit.turn("theirs", "Write to jo@acme.example");
    let size = kit.size();
    for refused in [
        register(&kit, &hook, "theirs").map(|_| ()),
        open(&kit, &hook, "theirs").map(|_| ()),
    ] {
        assert_eq!(refused.unwrap_err().code, ErrorCode::OutOfBounds);
    }
    // Not after its end either: what its tools answered would still be there.
    kit.close(Role::Ingress, "theirs").unwrap();
    for refused in [
        register(&kit, &hook, "theirs").map(|_| ()),
        open(&kit, &hook, "theirs").map(|_| ()),
    ] {
        assert_eq!(refused.unwrap_err().code, ErrorCode::OutOfBounds);
    }
    assert_eq!(kit.size(), size + 1);
    // Its own: opened by request, by the first turn, and anew.
    open(&kit, &hook, "s1").unwrap();
    let turn = register(&kit, &hook, "s1").unwrap().intent_ref;
    assert_eq!(kit.mail(&turn, "a@b.example").outcome, "approved");
    register(&kit, &hook, "s2").unwrap();
    kit.close(Role::Admin, "s1").unwrap();
    register(&kit, &hook, "s1").unwrap();
    // Another one of the kind has no part in it.
    let second = ingress(&kit, true);
    for session in ["s1", "s2"] {
        let refused = register(&kit, &second, session).unwrap_err();
        assert_eq!(refused.code, ErrorCode::OutOfBounds);
    }
    // An ingress without the bound may open a closed one; then it is the hook's no longer.
    kit.close(Role::Admin, "s2").unwrap();
    kit.turn("s2", "Write to a@b.example");
    let refused = register(&kit, &hook, "s2").unwrap_err();
    assert_eq!(refused.code, ErrorCode::OutOfBounds);
}

fn triggered(
    kit: &Kit,
    caller: &Caller,
    session: &str,
    mandate: &str,
) -> Result<TurnAnswer, ServiceError> {
    let mut body = turn_request(session, "A new ticket came in");
    body["parts"][0]["by"] = "system".into();
    body["mandate"] = mandate.into();
    kit.service()
        .register_turn(caller, body.to_string().as_bytes())
}

#[test]
fn an_ingress_of_its_own_sessions_rests_on_no_words_of_another() {
    let kit = Kit::new();
    let hook = ingress(&kit, true);
    let theirs = kit.turn("theirs", "Write to jo@acme.example").intent_ref;
    let size = kit.size();
    let refused = triggered(&kit, &hook, "s1", &theirs).unwrap_err();
    assert_eq!(refused.code, ErrorCode::OutOfBounds);
    assert_eq!(kit.size(), size);
    let own = register(&kit, &hook, "s1").unwrap().intent_ref;
    assert_eq!(kit.size(), size + 2);
    triggered(&kit, &hook, "s2", &own).unwrap();
    // Who is not bound so may: a scheduler acts on what a person said elsewhere.
    triggered(&kit, &ingress(&kit, false), "s3", &theirs).unwrap();
}

#[test]
fn a_turn_in_anothers_session_is_found_even_if_the_keys_holder_wrote_it() {
    let kit = Kit::new();
    let hook = ingress(&kit, true);
    kit.turn("theirs", "Write to jo@acme.example");
    register(&kit, &hook, "own").unwrap();
    let instruction = kit.turn("other", "Write to jo@acme.example").intent_ref;
    let scheduler = ingress(&kit, false);
    triggered(&kit, &scheduler, "triggered", &instruction).unwrap();
    let log_key = kit.service().public_keys().log_key.parse().unwrap();
    let audit = Audit::new(Trust::in_key(log_key));
    let leaves = kit.leaves();
    let theirs = kit.caller(Role::Ingress).id().to_string();
    let own = hook.id().to_string();
    // The opening of the session is put to the other one's name, or the turn to this one's.
    let changed = |kind: &str, from: &str, to: &str| -> Vec<Check> {
        let mut leaves = leaves.clone();
        for leaf in &mut leaves {
            let text = String::from_utf8(leaf.clone()).unwrap();
            let is_meant = kind.contains(AnyEntry::from_leaf(leaf).unwrap().kind());
            if is_meant {
                *leaf = text.replace(from, to).into_bytes();
            }
        }
        let report = audit
            .run(&Memory::signed(&kit, leaves), &mut |_| {})
            .unwrap();
        report.findings.iter().map(|found| found.check).collect()
    };
    assert_eq!(changed("session-open", &own, &own), []);
    assert_eq!(changed("session-open", &own, &theirs), [Check::Credential]);
    assert_eq!(changed("intent", &theirs, &own), [Check::Credential; 2]);
    let agent = kit.caller(Role::Agent).id().to_string();
    let by_an_agent = changed("session-open", &theirs, &agent);
    assert_eq!(by_an_agent, [Check::Credential; 2]);
    // A turn of a session of its own that rests on another's instruction.
    let scheduler = scheduler.id().to_string();
    let both = changed("session-open, intent", &scheduler, &own);
    assert_eq!(both, [Check::Credential]);
}
