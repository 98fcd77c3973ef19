//! Opening records: no more than the bundle allows, and by two people where it says so. That the
//! verifier and `fsck` agree is held at the end of every test.

use countersign_core::document::BundleContent;
use countersign_core::entry::{AccessPhase, Body, Role, VaultAccess};
use countersign_core::refs::Sha256;
use countersign_service::{
    Caller, EntryQuery, ErrorCode, ExportProgress, OpenAnswer, ServiceError,
};
use countersign_verify::Check;
use countersign_wire::{
    NewCredential, OpenRequest, Opened, OpeningConfirmed, OpeningRequested, ReplayRequest,
};
use serde_json::json;

use crate::kit::{Kit, bundle};

const MINUTE: i64 = 60_000;

fn of_vault(vault: &serde_json::Value) -> BundleContent {
    let mut content = bundle("mail-agent");
    content.settings.vault = serde_json::from_value(vault.clone()).unwrap();
    content
}

fn four_eyes() -> Kit {
    Kit::with_bundle(of_vault(
        &json!({"four_eyes": true, "second_reader_s": 600}),
    ))
}

impl Kit {
    /// Somebody who may open records, with the person's name where one is given.
    fn person(&self, principal: Option<&str>) -> Caller {
        let request = NewCredential {
            roles: vec!["vault-reader".to_owned()],
            principal: principal.map(str::to_owned),
            ..NewCredential::default()
        };
        let admin = self.caller(Role::Admin);
        let created = self.service().add_credential(&admin, &request).unwrap();
        self.service().authenticate(&created.token).unwrap()
    }

    /// The call of a decision that was just made.
    fn a_call(&self) -> Sha256 {
        let turn = self.turn("s1", "Write to a@b.example").intent_ref;
        self.mail(&turn, "a@b.example");
        self.last_decision().call_ref.unwrap().into()
    }

    fn ask(&self, who: &Caller, record: Sha256) -> OpeningRequested {
        match self.try_open(who, record, purpose("incident 7")).unwrap() {
            OpenAnswer::Requested(asked) => asked,
            OpenAnswer::Opened(_) => panic!("one person opened it"),
        }
    }

    fn confirm(
        &self,
        who: &Caller,
        asked: &OpeningRequested,
    ) -> Result<OpeningConfirmed, ServiceError> {
        let request = asked.request.parse().unwrap();
        self.service().confirm_opening(who, request)
    }

    fn open_with(
        &self,
        who: &Caller,
        record: Sha256,
        asked: &OpeningRequested,
    ) -> Result<Opened, ServiceError> {
        let request = OpenRequest {
            purpose: None,
            request: Some(asked.request.clone()),
            alone: false,
        };
        match self.try_open(who, record, request)? {
            OpenAnswer::Opened(opened) => Ok(opened),
            OpenAnswer::Requested(_) => panic!("asked for again"),
        }
    }

    fn try_open(
        &self,
        who: &Caller,
        record: Sha256,
        request: OpenRequest,
    ) -> Result<OpenAnswer, ServiceError> {
        self.service().open_record(who, record, &request)
    }

    fn last_access(&self) -> VaultAccess {
        match self.last() {
            Body::VaultAccess(access) => access,
            other => panic!("the last entry is {}", other.kind()),
        }
    }
}

fn purpose(words: &str) -> OpenRequest {
    OpenRequest {
        purpose: Some(words.to_owned()),
        request: None,
        alone: false,
    }
}

struct Silent;

impl ExportProgress for Silent {
    fn step(&self, _what: &str, _done: u64, _total: u64) {}
}

#[test]
fn a_credential_opens_no_more_than_the_bundle_allows_by_whatever_way() {
    let kit = Kit::with_bundle(of_vault(&json!({"opened_per_hour": 6})));
    let call = kit.a_call();
    let decision = kit.log().last().unwrap().entry_id();
    let reader = kit.reader();
    let open = || kit.try_open(&reader, call, purpose("a look"));
    open().unwrap();
    // Turn, call, facts and reasoning.
    kit.service()
        .explain(&reader, decision, Some("a look"))
        .unwrap();
    open().unwrap();
    let size = kit.size();
    let refused = open().err().unwrap();
    assert_eq!(refused.code, ErrorCode::RateLimited);
    let wait = refused.retry_after.expect("it says when");
    assert!(
        wait.as_secs() > 3_500 && wait.as_secs() <= 3_720,
        "{wait:?}"
    );
    let explained = kit
        .service()
        .explain(&reader, decision, Some("a look"))
        .unwrap_err();
    assert_eq!(explained.code, ErrorCode::RateLimited);
    let exported = kit
        .service()
        .open_documents(&reader, "all", &Silent, |_, _| panic!("one was given"))
        .unwrap_err();
    assert_eq!(exported.code, ErrorCode::RateLimited);
    let replay = ReplayRequest {
        purpose: "again".to_owned(),
        policy_ref: Some(kit.last_decision_before(size).policy_ref.to_string()),
        ..replay_request()
    };
    let replayed = kit.service().replay_decisions(&reader, &replay);
    assert_eq!(replayed.unwrap_err().code, ErrorCode::RateLimited);
    assert_eq!(kit.size(), size, "nothing was opened");
    // Another credential has an hour of its own.
    kit.try_open(&kit.person(None), call, purpose("a look"))
        .unwrap();
    kit.clock.turn(i64::try_from(wait.as_millis()).unwrap());
    open().unwrap();
}

fn replay_request() -> ReplayRequest {
    serde_json::from_value(json!({"purpose": "again"})).unwrap()
}

impl Kit {
    fn last_decision_before(&self, size: u64) -> countersign_core::entry::Decision {
        let log = self.log();
        let before = log.iter().take(usize::try_from(size).unwrap()).rev();
        let mut decisions = before.filter_map(|entry| match entry.body() {
            Some(Body::Decision(decision)) => Some(decision.clone()),
            _ => None,
        });
        decisions.next().unwrap()
    }
}

#[test]
fn two_people_open_what_one_may_not() {
    let kit = four_eyes();
    let call = kit.a_call();
    let (first, second) = (kit.person(None), kit.person(None));
    let asked = kit.ask(&first, call);
    let access = kit.last_access();
    assert_eq!(access.phase, Some(AccessPhase::Requested));
    assert_eq!((access.refs, access.request), (vec![call], None));

    let early = kit.open_with(&first, call, &asked).unwrap_err();
    assert_eq!(early.code, ErrorCode::SecondReader);
    let view = kit
        .service()
        .opening_asked_for(&second, asked.request.parse().unwrap())
        .unwrap();
    assert_eq!(view.state, "requested");
    assert_eq!(view.purpose.as_deref(), Some("incident 7"));
    assert_eq!(view.credential, first.id().to_string());

    kit.confirm(&second, &asked).unwrap();
    let access = kit.last_access();
    assert_eq!(access.phase, Some(AccessPhase::Confirmed));
    assert_eq!(access.credential, second.id());
    let opened = kit.open_with(&first, call, &asked).unwrap();
    assert_eq!(opened.kind, "call");
    let access = kit.last_access();
    assert_eq!((access.phase, access.credential), (None, first.id()));
    assert_eq!(access.request.unwrap().to_string(), asked.request);

    let size = kit.size();
    let twice = kit.open_with(&first, call, &asked).unwrap_err();
    assert_eq!(twice.code, ErrorCode::Conflict, "{twice}");
    assert!(twice.detail.contains("used up"), "{twice}");
    assert_eq!(kit.size(), size);
}

#[test]
fn the_second_is_another_person_and_says_yes_in_time() {
    let kit = four_eyes();
    let call = kit.a_call();
    let first = kit.person(Some("user:ann@acme.example"));
    let asked = kit.ask(&first, call);
    let refused = |who: &Caller| kit.confirm(who, &asked).unwrap_err();
    assert_eq!(refused(&first).code, ErrorCode::SecondReader);
    let herself = kit.person(Some("user:ann@acme.example"));
    assert_eq!(refused(&herself).code, ErrorCode::SecondReader);
    for role in [Role::Admin, Role::Auditor, Role::Agent, Role::Reviewer] {
        assert_eq!(refused(&kit.caller(role)).code, ErrorCode::WrongRole);
    }
    let second = kit.person(Some("user:bob@acme.example"));
    kit.confirm(&second, &asked).unwrap();
    assert_eq!(refused(&second).code, ErrorCode::Conflict, "only once");

    // Who confirmed does not open, and another record is another request.
    let theirs = kit.open_with(&second, call, &asked).unwrap_err();
    assert_eq!(theirs.code, ErrorCode::OutOfBounds);
    let facts = kit.last_decision_before(kit.size()).facts_ref.unwrap();
    let other = kit.open_with(&first, facts.into(), &asked).unwrap_err();
    assert_eq!(other.code, ErrorCode::Conflict);
    kit.clock.turn(10 * MINUTE);
    let late = kit.open_with(&first, call, &asked).unwrap_err();
    assert!(late.detail.contains("ended"), "{late}");

    let asked = kit.ask(&first, call);
    kit.clock.turn(10 * MINUTE);
    let late = kit.confirm(&second, &asked).unwrap_err();
    assert!(late.detail.contains("ended"), "{late}");
    let view = kit
        .service()
        .opening_asked_for(&second, asked.request.parse().unwrap());
    assert_eq!(view.unwrap().state, "expired");
}

#[test]
fn a_credential_that_was_revoked_in_between_counts_for_nothing() {
    let kit = four_eyes();
    let call = kit.a_call();
    let (first, second, third) = (kit.person(None), kit.person(None), kit.person(None));
    let revoke = |who: &Caller| {
        let admin = kit.caller(Role::Admin);
        kit.service().revoke_credential(&admin, who.id()).unwrap();
    };
    let asked = kit.ask(&first, call);
    kit.confirm(&second, &asked).unwrap();
    revoke(&second);
    let refused = kit.open_with(&first, call, &asked).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);

    let asked = kit.ask(&first, call);
    revoke(&first);
    let refused = kit.confirm(&third, &asked).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);
    assert!(kit.open_with(&first, call, &asked).is_err());
}

#[test]
fn no_other_way_of_opening_goes_round_the_second_person() {
    let kit = four_eyes();
    let call = kit.a_call();
    let decision = kit.log().last().unwrap().entry_id();
    let reader = kit.reader();
    let size = kit.size();
    let explained = kit.service().explain(&reader, decision, Some("a look"));
    assert_eq!(explained.unwrap_err().code, ErrorCode::SecondReader);
    let exported = kit
        .service()
        .open_documents(&reader, "all", &Silent, |_, _| panic!("one was given"));
    assert_eq!(exported.unwrap_err().code, ErrorCode::SecondReader);
    let replay = ReplayRequest {
        policy_ref: Some(kit.last_decision_before(size).policy_ref.to_string()),
        ..replay_request()
    };
    let replayed = kit.service().replay_decisions(&reader, &replay);
    assert_eq!(replayed.unwrap_err().code, ErrorCode::SecondReader);
    // Nor is a guess at a name confirmed.
    for query in [
        EntryQuery {
            target: Some("Contact::pat@acme.example".to_owned()),
            ..EntryQuery::default()
        },
        EntryQuery {
            session: Some("s1".to_owned()),
            ..EntryQuery::default()
        },
    ] {
        let guessed = kit.service().entries(&reader, &query);
        assert_eq!(guessed.unwrap_err().code, ErrorCode::SecondReader);
    }
    assert_eq!(kit.size(), size);
    // What is sealed stays sealed, and the rest is told.
    kit.service().explain(&reader, decision, None).unwrap();
    let both = OpenRequest {
        purpose: Some("x".to_owned()),
        request: Some(decision.to_string()),
        alone: false,
    };
    for request in [both, OpenRequest::default()] {
        let refused = kit.try_open(&reader, call, request).err().unwrap();
        assert_eq!(refused.code, ErrorCode::MalformedRequest);
    }
    let alone = OpenRequest {
        alone: true,
        ..purpose("a look")
    };
    let refused = kit.try_open(&reader, call, alone).err().unwrap();
    assert_eq!(refused.code, ErrorCode::SecondReader);
    assert_eq!(kit.size(), size, "and nobody is asked");
    let no_request = OpenRequest {
        purpose: None,
        request: Some(decision.to_string()),
        alone: false,
    };
    let refused = kit.try_open(&reader, call, no_request).err().unwrap();
    assert_eq!(refused.code, ErrorCode::NotFound);
}

#[test]
fn a_request_outlives_a_restart_and_is_used_once_by_whoever_is_first() {
    let mut kit = four_eyes();
    let call = kit.a_call();
    let (first, second) = (kit.person(None), kit.person(None));
    let asked = kit.ask(&first, call);
    kit.restart();
    kit.confirm(&second, &asked).unwrap();
    kit.restart();
    let opened = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| kit.open_with(&first, call, &asked).is_ok()))
            .collect();
        tries
            .into_iter()
            .map(|it| it.join().unwrap())
            .filter(|ok| *ok)
            .count()
    });
    assert_eq!(opened, 1);
}

#[test]
fn only_readers_open() {
    let kit = Kit::new();
    let call = kit.a_call();
    for role in Role::ALL.iter().filter(|role| **role != Role::VaultReader) {
        let refused = kit.try_open(&kit.caller(*role), call, purpose("a look"));
        assert_eq!(refused.err().unwrap().code, ErrorCode::WrongRole, "{role}");
    }
}

#[test]
fn a_request_that_was_confirmed_by_hand_is_found_in_the_rows_and_in_the_entries() {
    let mut kit = four_eyes();
    let call = kit.a_call();
    let first = kit.person(None);
    let asked = kit.ask(&first, call);
    kit.service = None;
    let database = rusqlite::Connection::open(kit.dir.path().join("ledger.db")).unwrap();
    let said = format!(
        "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), '\"until\"', \
         '\"confirmed\":{{\"entry\":\"{}\",\"credential\":\"{}\"}},\"until\"') AS BLOB) \
         WHERE key GLOB 'opening/*'",
        asked.request,
        // Any credential that is in force.
        first.id()
    );
    assert_eq!(database.execute(&said, []).unwrap(), 1);
    drop(database);
    kit.restart();
    kit.open_with(&first, call, &asked).unwrap();
    assert!(kit.state_findings().total() > 0);
    let report = kit.audit(std::collections::BTreeMap::new(), None);
    let found = report.findings.iter().any(|it| it.check == Check::Opening);
    assert!(found, "{:?}", report.findings);
    kit.service = None;
}
