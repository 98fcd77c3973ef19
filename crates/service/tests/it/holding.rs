//! Legal holds and retention: what is held stays, what is over goes, and a wrong clock takes nothing.
//! That the verifier and `fsck` agree is held at the end of every test.

use countersign_core::document::BundleContent;
use countersign_core::entry::{Body, Erasure, Hold, HoldChange, Role};
use countersign_core::refs::Sha256;
use countersign_service::{ErrorCode, ServiceError};
use countersign_wire::{
    EraseRequest, Erased, HoldPlaced, HoldReleased, HoldRequest, ReleaseRequest, Selection,
};
use serde_json::json;

use crate::kit::{AGENT, Kit, bundle, mail_request};

const HOUR: i64 = 3_600_000;
const DAYS: i64 = 24 * HOUR;

fn keeping(retention: &serde_json::Value) -> BundleContent {
    let mut content = bundle("mail-agent");
    content.settings.vault = serde_json::from_value(json!({"retention": retention})).unwrap();
    content
}

/// What one call left: its turn, call, facts, reasoning and result.
struct Left {
    turn: Sha256,
    call: Sha256,
    facts: Sha256,
    reasoning: Sha256,
}

impl Left {
    fn all(&self) -> [Sha256; 4] {
        [self.turn, self.call, self.facts, self.reasoning]
    }
}

impl Kit {
    fn a_day(&self, session: &str) -> Left {
        let turn = self.turn(session, "Write to a@b.example").intent_ref;
        self.mail(&turn, "a@b.example");
        let decision = self.last_decision();
        Left {
            turn: turn.parse().unwrap(),
            call: decision.call_ref.unwrap().into(),
            facts: decision.facts_ref.unwrap().into(),
            reasoning: decision.reasoning_ref.unwrap().into(),
        }
    }

    fn hold(&self, role: Role, refs: &[Sha256]) -> Result<HoldPlaced, ServiceError> {
        let request = HoldRequest {
            selection: these(refs),
            authority: "court order 12".to_owned(),
        };
        self.service().place_hold(&self.caller(role), &request)
    }

    fn release(&self, role: Role, request: ReleaseRequest) -> Result<HoldReleased, ServiceError> {
        let request = ReleaseRequest {
            authority: "the case is closed".to_owned(),
            ..request
        };
        self.service().release_hold(&self.caller(role), &request)
    }

    fn erase_these(&self, refs: &[Sha256], except_held: bool) -> Result<Erased, ServiceError> {
        let request = EraseRequest {
            selection: these(refs),
            authority: "request of the person".to_owned(),
            except_held,
            dry_run: false,
        };
        self.service().erase(&self.caller(Role::Admin), &request)
    }

    fn is_there(&self, record: Sha256) -> bool {
        self.service().ledger().sealed(&record).unwrap().is_some()
    }

    /// Lets time go by as it does, looking at what is over as often as the server might.
    fn go_on(&self, millis: i64) -> usize {
        let mut expired = 0;
        for _ in 0..millis / HOUR {
            self.clock.turn(HOUR);
            expired += self.service().expire_records().unwrap();
        }
        expired
    }

    fn expirings(&self) -> Vec<Erasure> {
        let log = self.log();
        let erasures = log.iter().filter_map(|entry| match entry.body() {
            Some(Body::Erasure(erasure)) => Some(erasure.clone()),
            _ => None,
        });
        erasures.filter(|it| it.credential.is_none()).collect()
    }
}

fn these(refs: &[Sha256]) -> Selection {
    Selection {
        refs: Some(refs.iter().map(Sha256::to_string).collect()),
        ..Selection::default()
    }
}

fn one(hold: &str) -> ReleaseRequest {
    ReleaseRequest {
        hold: Some(hold.to_owned()),
        ..ReleaseRequest::default()
    }
}

#[test]
fn what_is_held_is_not_erased_until_every_hold_is_lifted() {
    let kit = Kit::new();
    let left = kit.a_day("s1");
    let first = kit.hold(Role::Admin, &[left.call, left.facts]).unwrap();
    let second = kit.hold(Role::Admin, &[left.call]).unwrap();
    assert_eq!((first.records, second.records), (2, 1));
    let Body::Hold(Hold { change, refs, .. }) = kit.last() else {
        panic!("a hold is an entry");
    };
    assert_eq!((change, refs), (HoldChange::Placed, vec![left.call]));

    let size = kit.size();
    let refused = kit.erase_these(&left.all(), false).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Held, "{refused}");
    assert_eq!(kit.size(), size, "nothing was erased");
    let erased = kit.erase_these(&left.all(), true).unwrap();
    assert_eq!((erased.records, erased.held), (2, 2));
    assert!(kit.is_there(left.call) && kit.is_there(left.facts));
    assert!(!kit.is_there(left.reasoning));

    let released = kit.release(Role::Admin, one(&first.holds[0])).unwrap();
    assert_eq!((released.records, released.still_held), (2, 1));
    assert_eq!(
        kit.erase_these(&[left.call], false).unwrap_err().code,
        ErrorCode::Held
    );
    kit.erase_these(&[left.facts], false).unwrap();
    let twice = kit.release(Role::Admin, one(&first.holds[0])).unwrap_err();
    assert_eq!(twice.code, ErrorCode::NotFound);
    kit.release(Role::Admin, one(&second.holds[0])).unwrap();
    kit.erase_these(&[left.call], false).unwrap();
    assert!(!kit.is_there(left.call));
    let gone = kit.hold(Role::Admin, &[left.call]).unwrap_err();
    assert_eq!(gone.code, ErrorCode::NotFound, "nothing is there to hold");
}

#[test]
fn only_an_admin_holds_and_releases() {
    let kit = Kit::new();
    let left = kit.a_day("s1");
    let held = kit.hold(Role::Admin, &[left.call]).unwrap();
    for role in Role::ALL.iter().filter(|role| **role != Role::Admin) {
        let refused = kit.hold(*role, &[left.call]).unwrap_err();
        assert_eq!(refused.code, ErrorCode::WrongRole, "{role}");
        let refused = kit.release(*role, one(&held.holds[0])).unwrap_err();
        assert_eq!(refused.code, ErrorCode::WrongRole, "{role}");
        let listed = kit.service().holds(&kit.caller(*role), None);
        assert_eq!(listed.is_ok(), *role == Role::Auditor, "{role}");
    }
    for (request, code) in [
        (ReleaseRequest::default(), ErrorCode::MalformedRequest),
        (one("x"), ErrorCode::MalformedRequest),
        (
            ReleaseRequest {
                refs: vec![left.facts.to_string()],
                ..one(&held.holds[0])
            },
            ErrorCode::Conflict,
        ),
    ] {
        let refused = kit.release(Role::Admin, request).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
    }
}

#[test]
fn a_large_hold_is_several_entries_and_is_lifted_as_one() {
    let mut kit = Kit::new();
    let turn = kit.turn("s1", "Write to a@b.example").intent_ref;
    for n in 0..30 {
        let mut request = mail_request(&turn, "a@b.example");
        request["args"]["subject"] = json!(format!("Refund {n}"));
        kit.decide(&request).unwrap();
    }
    let request = HoldRequest {
        selection: Selection {
            intent: Some(turn.clone()),
            ..Selection::default()
        },
        authority: "court order 12".to_owned(),
    };
    let admin = kit.caller(Role::Admin);
    let held = kit.service().place_hold(&admin, &request).unwrap();
    assert_eq!(held.records, 91, "a turn, and three records of each call");
    assert_eq!(held.holds.len(), 2);
    kit.restart();
    let admin = kit.caller(Role::Admin);
    let list = kit.service().holds(&admin, None).unwrap();
    assert_eq!(list.holds.len(), 2);
    assert!(
        list.holds
            .iter()
            .all(|it| it.authority_ref == held.authority_ref)
    );
    assert!(list.next.is_none());
    let after = kit
        .service()
        .holds(&admin, Some(&list.holds[0].hold))
        .unwrap();
    assert_eq!(after.holds.len(), 1);
    assert_eq!(after.holds[0].hold, list.holds[1].hold);

    // A record that comes later is under no hold.
    let mut request = mail_request(&turn, "a@b.example");
    request["args"]["subject"] = json!("later");
    kit.decide(&request).unwrap();
    let later: Sha256 = kit.last_decision().call_ref.unwrap().into();
    kit.erase_these(&[later], false).unwrap();

    let some = ReleaseRequest {
        refs: vec![turn.clone()],
        authority_ref: Some(held.authority_ref.clone()),
        ..ReleaseRequest::default()
    };
    assert_eq!(kit.release(Role::Admin, some).unwrap().records, 1);
    let all = ReleaseRequest {
        authority_ref: Some(held.authority_ref.clone()),
        ..ReleaseRequest::default()
    };
    let released = kit.release(Role::Admin, all.clone()).unwrap();
    assert_eq!((released.records, released.still_held), (90, 0));
    let list = kit.service().holds(&admin, None).unwrap();
    assert!(list.holds.is_empty());
    let again = kit.release(Role::Admin, all).unwrap_err();
    assert_eq!(again.code, ErrorCode::NotFound);
}

#[test]
fn records_expire_kind_by_kind_when_their_time_is_over() {
    let kit = Kit::with_bundle(keeping(&json!({"call_days": 10, "intent_days": 20})));
    let left = kit.a_day("s1");
    assert_eq!(kit.go_on(10 * DAYS - HOUR), 0);
    assert!(kit.is_there(left.call));
    assert_eq!(kit.go_on(2 * HOUR), 1);
    assert!(!kit.is_there(left.call) && kit.is_there(left.turn));
    let erasure = kit.expirings().pop().unwrap();
    assert_eq!(erasure.refs, [left.call]);
    // The turn lived for an hour, and its days count from then.
    assert_eq!(kit.go_on(10 * DAYS - HOUR), 0);
    assert_eq!(kit.go_on(2 * HOUR), 1);
    assert!(!kit.is_there(left.turn));
    assert!(kit.is_there(left.facts) && kit.is_there(left.reasoning));
    assert_eq!(kit.go_on(2 * DAYS), 0, "and nothing twice");
}

#[test]
fn what_expires_after_a_restart_is_found_again_and_erased_once() {
    let mut kit = Kit::with_bundle(keeping(&json!({"facts_days": 3, "statement_days": 3})));
    let first = kit.a_day("s1");
    kit.go_on(2 * DAYS);
    let second = kit.a_day("s2");
    kit.go_on(DAYS + HOUR);
    assert!(!kit.is_there(first.facts) && kit.is_there(second.facts));
    kit.restart();
    kit.go_on(2 * DAYS);
    assert!(!kit.is_there(second.facts));
    let named: usize = kit.expirings().iter().map(|it| it.refs.len()).sum();
    assert_eq!(named, 2);
}

#[test]
fn what_is_held_does_not_expire_before_it_is_released() {
    let kit = Kit::with_bundle(keeping(&json!({"call_days": 3})));
    let (one_call, other) = (kit.a_day("s1"), kit.a_day("s2"));
    let held = kit.hold(Role::Admin, &[one_call.call]).unwrap();
    assert_eq!(kit.go_on(5 * DAYS), 1);
    assert!(kit.is_there(one_call.call) && !kit.is_there(other.call));
    kit.release(Role::Admin, one(&held.holds[0])).unwrap();
    assert_eq!(kit.go_on(2 * HOUR), 1);
    assert!(!kit.is_there(one_call.call));
}

#[test]
fn a_clock_that_leaps_takes_nothing_for_a_day() {
    let kit = Kit::with_bundle(keeping(&json!({"call_days": 30})));
    let left = kit.a_day("s1");
    kit.go_on(2 * DAYS);
    // Years ahead: everything would be over.
    kit.clock.turn(3_650 * DAYS);
    assert_eq!(kit.service().expire_records().unwrap(), 0);
    assert_eq!(kit.go_on(23 * HOUR), 0);
    assert!(kit.is_there(left.call));
    // Somebody has set it right, and nothing was lost.
    kit.clock.turn(-3_650 * DAYS - 23 * HOUR);
    assert_eq!(kit.service().expire_records().unwrap(), 0);
    assert!(kit.is_there(left.call));
    assert_eq!(kit.go_on(29 * DAYS), 1);
}

#[test]
fn a_leap_between_two_starts_takes_nothing_for_a_day_either() {
    let mut kit = Kit::with_bundle(keeping(&json!({"call_days": 30})));
    let left = kit.a_day("s1");
    kit.go_on(2 * DAYS);
    kit.clock.turn(3_650 * DAYS);
    kit.restart();
    assert_eq!(kit.service().expire_records().unwrap(), 0);
    // Calls go on, so that the log itself says that it is ten years later.
    kit.decide(&json!({"tool": "email.send", "actor": AGENT, "args": {}}))
        .unwrap();
    kit.restart();
    assert_eq!(kit.go_on(23 * HOUR), 0);
    assert!(kit.is_there(left.call));
    assert_eq!(kit.go_on(2 * HOUR), 1, "nobody has set it back for a day");
}

#[test]
fn without_retention_nothing_expires() {
    let kit = Kit::new();
    let left = kit.a_day("s1");
    assert_eq!(kit.go_on(40 * DAYS), 0);
    assert!(left.all().iter().all(|record| kit.is_there(*record)));
}

#[test]
fn a_hold_that_was_lifted_by_hand_is_found_in_the_rows() {
    let mut kit = Kit::new();
    let left = kit.a_day("s1");
    kit.hold(Role::Admin, &[left.call]).unwrap();
    kit.service = None;
    let database = rusqlite::Connection::open(kit.dir.path().join("ledger.db")).unwrap();
    database
        .execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM state")
        .unwrap();
    for edit in [
        "UPDATE state SET value = NULL WHERE key GLOB 'hold/*'",
        "DELETE FROM state WHERE key GLOB 'hold/*'",
        "UPDATE state SET value = CAST('{\"holds\":[]}' AS BLOB) WHERE key GLOB 'hold/*'",
        "DELETE FROM state WHERE key GLOB 'hold-placed/*'",
        "UPDATE state SET key = key || '0' WHERE key GLOB 'hold/*'",
    ] {
        assert_eq!(database.execute(edit, []).unwrap(), 1, "{edit}");
        assert!(kit.state_findings().total() > 0, "{edit}");
        database
            .execute_batch("DELETE FROM state; INSERT INTO state SELECT * FROM kept")
            .unwrap();
        assert_eq!(kit.state_findings().total(), 0);
    }
    drop(database);
    kit.restart();
}
