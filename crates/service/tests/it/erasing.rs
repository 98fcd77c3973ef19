//! Erasing: what is asked for is gone from every file, all else opens, and the log still verifies. At
//! the end of every test the verifier and `fsck` look at what is left.

use std::collections::BTreeSet;
use std::path::Path;

use countersign_core::document::{Document as _, Facts};
use countersign_core::entry::{Body, ErasurePhase, Role};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::Sha256;
use countersign_ledger::Store as _;
use countersign_service::{ErrorCode, ServiceError};
use countersign_store_sqlite::SqliteStore;
use countersign_verify::Check;
use countersign_wire::{EraseRequest, Erased, HoldRequest, OpenRequest, Selection};
use serde_json::{Value, json};

use crate::kit::{AGENT, Kit, mail_request};

const PAT: &str = "pat@acme.example";
const LEE: &str = "lee@acme.example";

fn subject(text: &str) -> Selection {
    Selection {
        subject: Some(text.to_owned()),
        ..Selection::default()
    }
}

fn request(selection: Selection) -> EraseRequest {
    EraseRequest {
        selection,
        authority: "request 4821".to_owned(),
        ..EraseRequest::default()
    }
}

impl Kit {
    fn erase(&self, selection: Selection) -> Result<Erased, ServiceError> {
        let admin = self.caller(Role::Admin);
        self.service().erase(&admin, &request(selection))
    }

    fn turn_of(&self, principal: &str, session: &str, words: &str) -> String {
        let turn = json!({
            "principal": principal, "channel": "chat", "session": session, "actors": [AGENT],
            "parts": [{"by": "principal", "text": words}],
        });
        self.try_turn(turn).unwrap().intent_ref
    }

    fn finished(&self, decision: &str, result: Value) -> String {
        let body = json!({"decision": decision, "phase": "finished", "result": result}).to_string();
        let tool = self.caller(Role::Tool);
        let answer = self.service().report_execution(&tool, body.as_bytes());
        answer.unwrap().result_ref.unwrap()
    }

    fn opens(&self, reference: &Sha256) -> Result<(), ErrorCode> {
        let request = OpenRequest {
            purpose: Some("a look".to_owned()),
            ..OpenRequest::default()
        };
        let reader = self.caller(Role::VaultReader);
        let opened = self.service().open_record(&reader, *reference, &request);
        opened.map(drop).map_err(|error| error.code)
    }

    /// The refs that entries of these ids name.
    fn refs_of(&self, entry: &str) -> BTreeSet<Sha256> {
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

    fn targets_of(&self, entry: &str) -> Vec<Pseudonym> {
        let log = self.log();
        let entry = log.iter().find(|it| it.entry_id().to_string() == entry);
        match entry.unwrap().body() {
            Some(Body::Decision(body)) => body.targets.clone(),
            _ => panic!("no decision"),
        }
    }

    /// Pieces of records as they lie in the database.
    fn pieces(&self, refs: impl IntoIterator<Item = Sha256>) -> Vec<Vec<u8>> {
        let store = SqliteStore::open_read_only(&self.dir.path().join("ledger.db")).unwrap();
        let records = refs
            .into_iter()
            .map(|it| store.sealed(&it).unwrap().unwrap());
        let pieces = records.flat_map(|record| {
            [
                record.ciphertext[..24].to_vec(),
                record.wrapped_key[..24].to_vec(),
            ]
        });
        pieces.collect()
    }

    fn is_found(&self, piece: &[u8]) -> bool {
        files(self.dir.path())
            .iter()
            .any(|file| file.windows(piece.len()).any(|bytes| bytes == piece))
    }
}

fn files(dir: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(std::fs::read(&path).unwrap()),
        }
    }
    found
}

fn refs(texts: &[&str]) -> BTreeSet<Sha256> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn what_is_held_about_a_person_is_gone_from_every_file_and_nothing_else_is() {
    let kit = Kit::new();
    let author = kit.caller(Role::Author);
    let attributes = br#"{"status": "active"}"#;
    for id in [PAT, LEE] {
        let put = kit.service().put_entity(&author, "Contact", id, attributes);
        put.unwrap();
    }
    // Pat is written to by somebody else; asks something; and stands in a result of a third call.
    let asked = kit.turn_of("user:jo@acme.example", "s1", "Write to Pat@Acme.Example");
    let sent = kit.mail(&asked, PAT);
    assert_eq!(sent.outcome, "approved");
    let own = kit.turn_of("user:pat@acme.example", "s2", "Write to lee@acme.example");
    let by_pat = kit.mail(&own, LEE);
    let other = kit.turn_of("user:kim@acme.example", "s3", "Write to lee@acme.example");
    let unrelated = kit.mail(&other, LEE);
    let result = kit.finished(
        &unrelated.entry_id,
        json!({"seen": ["a", {"by": "<PAT@acme.example>"}]}),
    );
    let quiet = kit.mail(&other, LEE);
    let mut gone = kit.refs_of(&sent.entry_id);
    gone.extend(kit.refs_of(&by_pat.entry_id));
    gone.extend(refs(&[&asked, &own, &result]));
    let mut kept = kit.refs_of(&unrelated.entry_id);
    kept.extend(kit.refs_of(&quiet.entry_id));
    kept.extend(refs(&[&other]));
    let pieces = kit.pieces(gone.clone());
    let target = kit.targets_of(&sent.entry_id);

    let dry = EraseRequest {
        dry_run: true,
        ..request(subject(PAT))
    };
    let planned = kit.service().erase(&kit.caller(Role::Admin), &dry).unwrap();
    assert!(
        pieces.iter().all(|piece| kit.is_found(piece)),
        "nothing was done"
    );
    let erased = kit.erase(subject(PAT)).unwrap();
    assert!(erased.log_is_emptied);
    assert_eq!(
        (planned.records, planned.kinds),
        (erased.records, erased.kinds.clone())
    );
    for piece in &pieces {
        assert!(!kit.is_found(piece));
    }
    for reference in &gone {
        assert_eq!(kit.opens(reference), Err(ErrorCode::Erased));
    }
    for reference in &kept {
        assert_eq!(kit.opens(reference), Ok(()));
    }
    // Two changes of the directory (of Pat alone, and the one that the entry names), and whom three
    // pseudonyms stand for: the principal, the target, and the session that was Pat's alone.
    let of = |kind: &str| {
        erased
            .kinds
            .iter()
            .find(|it| it.kind == kind)
            .map(|it| it.records)
    };
    assert_eq!(of("changeset"), Some(2));
    assert_eq!(of("pseudonym"), Some(3));
    assert_eq!(of("intent"), Some(2));
    assert_eq!(of("result"), Some(1));
    assert_eq!(erased.turns_revoked, 2);
    // The entries say it, and name nobody.
    let entries: Vec<_> = kit.log();
    let named: BTreeSet<Sha256> = entries
        .iter()
        .filter_map(|entry| match entry.body() {
            Some(Body::Erasure(body)) if body.phase == ErasurePhase::Requested => {
                Some(body.refs.clone())
            }
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(named.len() as u64, erased.records);
    assert!(named.is_superset(&gone));
    // Who comes again is somebody new.
    let again = kit.turn_of("user:jo@acme.example", "s9", "Write to pat@acme.example");
    let sent = kit.mail(&again, PAT);
    assert_eq!(sent.outcome, "approved");
    assert_ne!(kit.targets_of(&sent.entry_id), target);
    // And nothing is left of before.
    let twice = kit.erase(subject(PAT)).unwrap();
    let opened = kit.refs_of(&sent.entry_id);
    assert!(
        opened
            .iter()
            .all(|it| kit.opens(it) == Err(ErrorCode::Erased))
    );
    assert_eq!(kit.erase(subject(PAT)).unwrap().records, 0, "{twice:?}");
}

#[test]
fn only_an_admin_erases() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to pat@acme.example").intent_ref;
    kit.mail(&turn, PAT);
    let size = kit.size();
    for role in Role::ALL
        .iter()
        .copied()
        .filter(|role| *role != Role::Admin)
    {
        let erased = kit
            .service()
            .erase(&kit.caller(role), &request(subject(PAT)));
        assert_eq!(erased.unwrap_err().code, ErrorCode::WrongRole, "{role:?}");
    }
    assert_eq!(kit.size(), size);
    assert_eq!(kit.opens(&turn.parse().unwrap()), Ok(()));
}

#[test]
fn what_is_under_hold_stays_until_it_is_left_out() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to pat@acme.example").intent_ref;
    let sent = kit.mail(&turn, PAT).entry_id;
    let call = *kit.refs_of(&sent).first().unwrap();
    let admin = kit.caller(Role::Admin);
    let hold = HoldRequest {
        selection: Selection {
            refs: Some(vec![call.to_string()]),
            ..Selection::default()
        },
        authority: "case 12".to_owned(),
    };
    kit.service().place_hold(&admin, &hold).unwrap();
    let size = kit.size();
    let refused = kit.erase(subject(PAT)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Held);
    assert_eq!(kit.size(), size);
    let except = EraseRequest {
        except_held: true,
        ..request(subject(PAT))
    };
    let erased = kit.service().erase(&admin, &except).unwrap();
    assert_eq!(erased.held, 1);
    assert_eq!(kit.opens(&call), Ok(()));
    assert_eq!(kit.opens(&turn.parse().unwrap()), Err(ErrorCode::Erased));
}

#[test]
fn an_erased_approval_gives_no_permit_again_and_is_not_made_twice() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to pat@acme.example").intent_ref;
    let mail = mail_request(&turn, PAT);
    let sent = kit.decide_once(&mail, Some("once")).unwrap();
    assert!(sent.permit.is_some());
    kit.erase(Selection {
        entry: Some(sent.entry_id.clone()),
        ..Selection::default()
    })
    .unwrap();
    let size = kit.size();
    for body in [&mail, &mail_request(&turn, LEE)] {
        let again = kit.decide_once(body, Some("once")).unwrap_err();
        assert_eq!(again.code, ErrorCode::Erased);
    }
    assert_eq!(kit.size(), size);
    let agent = kit.caller(Role::Agent);
    let id = sent.entry_id.parse().unwrap();
    let read = kit.service().decision(&agent, id).unwrap_err();
    assert_eq!(read.code, ErrorCode::Erased);
    // The turn itself stands: it was not asked for.
    assert_eq!(kit.mail(&turn, PAT).outcome, "approved");
}

#[test]
fn later_calls_are_judged_without_erased_results() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to pat@acme.example").intent_ref;
    let sent = kit.mail(&turn, PAT).entry_id;
    let first = kit.finished(&sent, json!({"participants": ["one@acme.example"]}));
    let sent = kit.mail(&turn, PAT).entry_id;
    let second = kit.finished(&sent, json!({"participants": ["two@acme.example"]}));
    let drawn_from = || {
        kit.mail(&turn, PAT);
        let facts = kit.last_decision().facts_ref.unwrap();
        let facts = Facts::from_canonical(&kit.documents().unwrap()[&facts.into()]).unwrap();
        let results = facts.inputs.results.iter();
        results.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(drawn_from(), [first.clone(), second.clone()]);
    kit.erase(Selection {
        refs: Some(vec![first]),
        ..Selection::default()
    })
    .unwrap();
    assert_eq!(drawn_from(), std::slice::from_ref(&second));
    let sent = kit.mail(&turn, PAT).entry_id;
    let third = kit.finished(&sent, json!("third"));
    assert_eq!(drawn_from(), [second.clone(), third.clone()]);
    kit.erase(subject("two@acme.example")).unwrap();
    assert_eq!(drawn_from(), [third]);
}

#[test]
fn what_was_cut_off_is_ended_by_asking_again() {
    let mut kit = Kit::new();
    let turn = kit.turn("s1", "Write to pat@acme.example").intent_ref;
    let mut all = refs(&[&turn]);
    for _ in 0..5 {
        let sent = kit.mail(&turn, PAT).entry_id;
        let result = kit.finished(&sent, json!({"to": PAT}));
        all.extend(kit.refs_of(&sent));
        all.extend(refs(&[&result]));
    }
    // As far as a server came that was killed then: some are erased, and the rows that lead to the
    // others are there.
    let some: Vec<String> = all.iter().take(7).map(Sha256::to_string).collect();
    let part = kit.erase(Selection {
        refs: Some(some),
        ..Selection::default()
    });
    assert_eq!(part.unwrap().records, 7);
    kit.restart();
    let rest = kit.erase(subject(PAT)).unwrap();
    // The target's pseudonym goes last.
    assert_eq!(rest.records, all.len() as u64 - 7 + 1);
    assert!(all.iter().all(|it| kit.opens(it) == Err(ErrorCode::Erased)));
}

#[test]
fn a_session_an_intent_and_an_entry_are_what_they_say() {
    let kit = Kit::new();
    let one = kit.turn("s1", "Write to pat@acme.example").intent_ref;
    let two = kit.turn("s1", "Write to lee@acme.example").intent_ref;
    let other = kit.turn("s2", "Write to lee@acme.example").intent_ref;
    let first = kit.mail(&two, LEE).entry_id;
    let second = kit.mail(&other, LEE).entry_id;
    let count = |selection: Selection| {
        let dry = EraseRequest {
            dry_run: true,
            ..request(selection)
        };
        let planned = kit.service().erase(&kit.caller(Role::Admin), &dry);
        planned
            .map(|planned| planned.records)
            .map_err(|error| error.code)
    };
    let intent = |intent: &str| Selection {
        intent: Some(intent.to_owned()),
        ..Selection::default()
    };
    let session = |session: &str| Selection {
        session: Some(session.to_owned()),
        ..Selection::default()
    };
    let entry = |entry: &str| Selection {
        entry: Some(entry.to_owned()),
        ..Selection::default()
    };
    assert_eq!(count(intent(&one)), Ok(1));
    assert_eq!(count(intent(&two)), Ok(4));
    assert_eq!(count(entry(&first)), Ok(3));
    // Both turns, the call with facts and reasons, and the session's pseudonym.
    assert_eq!(count(session("s1")), Ok(6));
    assert_eq!(count(session("s3")), Err(ErrorCode::NotFound));
    assert_eq!(
        count(Selection::default()),
        Err(ErrorCode::MalformedRequest)
    );
    assert_eq!(count(subject("nobody@acme.example")), Ok(0));
    kit.erase(session("s1")).unwrap();
    assert!(
        kit.refs_of(&second)
            .iter()
            .all(|it| kit.opens(it) == Ok(()))
    );
    // The turns were in force: nothing is done in their name any more.
    assert_eq!(kit.mail(&two, LEE).outcome, "rejected");
    assert_eq!(kit.mail(&other, LEE).outcome, "approved");
}

/// What is judged while a person is erased is judged again: no entry of later names them as of before.
#[test]
fn calls_in_flight_do_not_bring_an_erased_person_back() {
    let kit = Kit::new();
    let turn = kit
        .turn("s1", "Write to pat@acme.example and lee@acme.example")
        .intent_ref;
    kit.mail(&turn, PAT);
    std::thread::scope(|scope| {
        let (kit, turn) = (&kit, &turn);
        let asking = scope.spawn(move || {
            for _ in 0..60 {
                // The turn goes with the first erasure: then calls are refused, and name Pat still.
                kit.mail(turn, PAT);
            }
        });
        for _ in 0..12 {
            kit.erase(subject(PAT)).unwrap();
        }
        asking.join().unwrap();
    });
    // Who is not known any more stands in no call that can be read.
    let rows = kit
        .service()
        .ledger()
        .scan("pseudonym/target/", None, 100)
        .unwrap();
    let rows = rows.iter().map(|(_, row)| row.value.as_ref().unwrap());
    let known: BTreeSet<Pseudonym> = rows
        .map(|row| serde_json::from_slice::<Value>(row).unwrap())
        .map(|row| row["pseudonym"].as_str().unwrap().parse().unwrap())
        .collect();
    let retired = kit.service().ledger().scan("retired/", None, 100).unwrap();
    assert_eq!(retired, []);
    let mut unknown = 0;
    for entry in kit.log() {
        if let Some(Body::Decision(body)) = entry.body()
            && !body.targets.iter().all(|target| known.contains(target))
        {
            unknown += 1;
            for reference in kit.refs_of(&entry.entry_id().to_string()) {
                assert_eq!(kit.opens(&reference), Err(ErrorCode::Erased));
            }
        }
    }
    assert!(unknown > 0);
}

#[test]
fn a_record_that_vanished_without_an_entry_is_found_and_one_that_came_back_too() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to pat@acme.example").intent_ref;
    let first = kit.mail(&turn, PAT).entry_id;
    let second = kit.mail(&turn, PAT).entry_id;
    let entry = |entry: &str| Selection {
        entry: Some(entry.to_owned()),
        ..Selection::default()
    };
    let kept = *kit.refs_of(&second).first().unwrap();
    let gone = *kit.refs_of(&first).first().unwrap();
    kit.erase(entry(&first)).unwrap();
    assert_eq!(kit.state_findings().total(), 0);
    let database = rusqlite::Connection::open(kit.dir.path().join("ledger.db")).unwrap();
    let swap = |from: &Sha256, to: &Sha256| {
        let sql = "UPDATE sealed SET (kind, key_id, wrapped_key, nonce, ciphertext) =
            (SELECT kind, key_id, wrapped_key, nonce, ciphertext FROM sealed WHERE ref = ?1) WHERE ref = ?2";
        database
            .execute(sql, (from.as_bytes().as_slice(), to.as_bytes().as_slice()))
            .unwrap();
    };
    // Taken away by hand: an empty row, as erasing leaves it.
    let record = kit.pieces([kept]);
    assert_eq!(record.len(), 2);
    database
        .execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM sealed")
        .unwrap();
    swap(&gone, &kept);
    let findings = kit.state_findings();
    assert_eq!(findings.total(), 1, "{:#?}", findings.kept());
    database
        .execute_batch("DELETE FROM sealed; INSERT INTO sealed SELECT * FROM kept")
        .unwrap();
    assert_eq!(kit.state_findings().total(), 0);
    // Put back by hand.
    swap(&kept, &gone);
    let findings = kit.state_findings();
    assert_eq!(findings.total(), 1, "{:#?}", findings.kept());
    database
        .execute_batch("DELETE FROM sealed; INSERT INTO sealed SELECT * FROM kept")
        .unwrap();
}

/// An erasure explains that its results are missing from later facts, and no others.
#[test]
fn facts_after_an_erasure_leave_out_no_other_result() {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Write to pat@acme.example").intent_ref;
    let reported: Vec<String> = (0..3)
        .map(|n| {
            let sent = kit.mail(&turn, PAT).entry_id;
            kit.finished(&sent, json!({"n": n}))
        })
        .collect();
    kit.erase(Selection {
        refs: Some(vec![reported[1].clone()]),
        ..Selection::default()
    })
    .unwrap();
    kit.mail(&turn, PAT);
    let honest = Sha256::from(kit.last_decision().facts_ref.unwrap());
    let documents = kit.documents().unwrap();
    let facts = Facts::from_canonical(&documents[&honest]).unwrap();
    let stated: Vec<String> = facts
        .inputs
        .results
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(stated, [reported[0].clone(), reported[2].clone()]);
    let drawn_from = |results: &[&String]| {
        let mut facts = facts.clone();
        facts.inputs.results = results.iter().map(|it| it.parse().unwrap()).collect();
        let forged = Sha256::from(facts.reference().unwrap());
        let mut documents = documents.clone();
        documents.insert(forged, facts.canonical().unwrap().into_bytes());
        let report = kit.audit(documents, Some((honest.to_string(), forged.to_string())));
        let mut checks = report.findings.iter().map(|it| it.check);
        checks.any(|check| check == Check::DocumentContent)
    };
    assert!(!drawn_from(&[&reported[0], &reported[2]]));
    assert!(drawn_from(&[&reported[2]]), "one that is there is left out");
    assert!(drawn_from(&[&reported[0]]));
    assert!(
        drawn_from(&[&reported[0], &reported[1], &reported[2]]),
        "an erased one"
    );
}

#[test]
fn a_person_is_found_where_many_are_named_and_however_they_are_spelt() {
    let kit = Kit::new();
    let turn = kit.turn_of("user:Pat@Acme.Example", "s1", "Write to lee@acme.example");
    let sent = kit.mail(&turn, LEE).entry_id;
    let other = kit.turn("s2", "Write to lee@acme.example").intent_ref;
    let people: Vec<String> = (0..40).map(|n| format!("p{n}@many.example")).collect();
    let result = |result: Value| {
        let sent = kit.mail(&other, LEE).entry_id;
        kit.finished(&sent, result)
    };
    let many = result(json!({"list": people, "last": "pat@acme.example"}));
    let long = result(json!({"text": format!("{} pat@acme.example", "x ".repeat(200_000))}));
    let encoded = result(json!("https://acme.example/?to=pat%40acme.example"));
    let phone = result(json!({"call": "+49 30 901820"}));
    let nobody = result(json!({"list": people}));
    kit.erase(subject(PAT)).unwrap();
    for gone in [&turn, &many, &long, &encoded] {
        assert_eq!(
            kit.opens(&gone.parse().unwrap()),
            Err(ErrorCode::Erased),
            "{gone}"
        );
    }
    let call = kit.refs_of(&sent);
    assert!(
        call.iter()
            .all(|it| kit.opens(it) == Err(ErrorCode::Erased))
    );
    for kept in [&other, &phone, &nobody] {
        assert_eq!(kit.opens(&kept.parse().unwrap()), Ok(()), "{kept}");
    }
    kit.erase(subject("+49 30 90 18 20")).unwrap();
    assert_eq!(kit.opens(&phone.parse().unwrap()), Err(ErrorCode::Erased));
    kit.erase(subject("p39@many.example")).unwrap();
    assert_eq!(kit.opens(&nobody.parse().unwrap()), Err(ErrorCode::Erased));
}
