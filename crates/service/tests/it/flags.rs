//! Reading flags, and taking note of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_core::entry::{Body, Role};
use countersign_service::{Caller, ErrorCode};
use serde_json::Value;

use crate::kit::{Kit, mail_request};

/// A kit whose log holds a flag over the rejections that are given with it.
fn flagged() -> (Kit, String, Vec<String>) {
    let kit = Kit::new();
    let turn = kit.turn("s1", "Answer the ticket").intent_ref;
    let mut rejected = Vec::new();
    for to in ["a@x.example", "b@x.example", "c@x.example"] {
        rejected.push(kit.mail(&turn, to).entry_id);
        kit.clock.turn(1_000);
    }
    kit.service().settle_watch().unwrap();
    let auditor = kit.caller(Role::Auditor);
    let flag = kit.service().flags(&auditor).unwrap().flags.remove(0).flag;
    (kit, flag, rejected)
}

fn member(entry: &countersign_wire::RawJson, name: &str) -> Value {
    serde_json::from_str::<Value>(entry.get()).unwrap()[name].clone()
}

#[test]
fn a_flag_is_read_with_the_entries_that_it_rests_on_each_with_its_proof() {
    let (kit, flag, rejected) = flagged();
    let detail = kit
        .service()
        .flag(&kit.caller(Role::Auditor), flag.parse().unwrap())
        .unwrap();
    assert_eq!(detail.flag.onset, rejected[0]);
    let ids: Vec<_> = detail
        .entries
        .iter()
        .map(|answer| member(&answer.entry, "entry_id"))
        .collect();
    for id in &rejected {
        assert!(ids.contains(&Value::from(id.as_str())), "{id} in {ids:?}");
    }
    let all = detail.entries.iter().chain(&detail.reports);
    for answer in all.clone() {
        assert!(member(&answer.entry, "proof").is_string());
    }
    let order: Vec<u64> = detail.entries.iter().map(|answer| answer.index).collect();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(member(&detail.reports[0].entry, "entry_id"), flag.as_str());
    // Not every entry is a flag.
    let other = kit
        .service()
        .flag(&kit.caller(Role::Auditor), rejected[0].parse().unwrap());
    assert_eq!(other.unwrap_err().code, ErrorCode::NotFound);
}

#[test]
fn a_person_takes_note_of_a_flag_and_it_still_grows() {
    let (kit, flag, _) = flagged();
    let id = flag.parse().unwrap();
    for role in [Role::Agent, Role::Auditor, Role::Tool] {
        let refused = kit.service().acknowledge_flag(&kit.caller(role), id);
        assert_eq!(refused.unwrap_err().code, ErrorCode::WrongRole, "{role}");
        let refused = kit.service().close_flag(&kit.caller(role), id);
        assert_eq!(refused.unwrap_err().code, ErrorCode::WrongRole, "{role}");
    }
    let admin = kit.caller(Role::Admin);
    kit.service().acknowledge_flag(&admin, id).unwrap();
    let turn = kit.turn("s1", "Answer the ticket again").intent_ref;
    for n in 0..8 {
        kit.mail(&turn, &format!("more{n}@x.example"));
        kit.service().settle_watch().unwrap();
    }
    let auditor = kit.caller(Role::Auditor);
    let detail = kit.service().flag(&auditor, id).unwrap();
    assert_eq!(detail.flag.state, "acknowledged");
    assert_eq!(detail.flag.acknowledged_by, Some(admin.id().to_string()));
    let listed = kit.service().flags(&auditor).unwrap().flags;
    let listed = listed.iter().find(|view| view.flag == flag).unwrap();
    assert_eq!(
        serde_json::to_value(listed).unwrap(),
        serde_json::to_value(&detail.flag).unwrap(),
        "the list and the flag itself agree"
    );
}

#[test]
fn a_flag_that_a_person_closed_stays_closed_and_what_follows_is_another_one() {
    let (kit, flag, _) = flagged();
    let id = flag.parse().unwrap();
    let admin = kit.caller(Role::Admin);
    kit.service().close_flag(&admin, id).unwrap();
    match kit.last() {
        Body::FlagClose(close) => assert_eq!(close.credential, Some(admin.id())),
        other => panic!("{}", other.kind()),
    }
    for again in [
        kit.service().close_flag(&admin, id),
        kit.service().acknowledge_flag(&admin, id),
    ] {
        assert_eq!(again.unwrap_err().code, ErrorCode::Conflict);
    }
    let turn = kit.turn("s2", "Something else").intent_ref;
    for n in 0..4 {
        kit.mail(&turn, &format!("later{n}@x.example"));
    }
    kit.service().settle_watch().unwrap();
    let flags = kit.service().flags(&kit.caller(Role::Auditor)).unwrap();
    let view = |at: &str| flags.flags.iter().find(|view| view.flag == at).unwrap();
    assert_eq!(view(&flag).state, "closed");
    assert!(flags.flags.len() > 1, "{flags:?}");
}

#[test]
fn nothing_is_said_of_a_flag_after_its_end_however_many_speak_at_once() {
    let kit = Kit::new();
    let asking = AtomicBool::new(true);
    let auditor = kit.caller(Role::Auditor);
    let keep = |keeper: Caller, mut n: usize| {
        while asking.load(Ordering::SeqCst) {
            let flags = kit.service().flags(&auditor).unwrap().flags;
            for flag in flags.iter().filter(|flag| flag.state != "closed") {
                n += 1;
                let id = flag.flag.parse().unwrap();
                let said = match n % 4 {
                    0 => kit.service().close_flag(&keeper, id),
                    _ => kit.service().acknowledge_flag(&keeper, id),
                };
                let is_late = said.is_err_and(|error| error.code != ErrorCode::Conflict);
                assert!(
                    !is_late,
                    "only that it was closed meanwhile keeps one from it"
                );
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| keep(kit.caller(Role::Admin), 0));
        scope.spawn(|| keep(kit.caller(Role::Reviewer), 2));
        scope.spawn(|| {
            while asking.load(Ordering::SeqCst) {
                kit.service().settle_watch().unwrap();
            }
        });
        for n in 0..120 {
            let mut request = mail_request("", &format!("a{n}@x.example"));
            request.as_object_mut().unwrap().remove("intent_ref");
            kit.decide(&request).unwrap();
        }
        asking.store(false, Ordering::SeqCst);
    });
    let mut closed = BTreeSet::new();
    for entry in kit.log() {
        match entry.body() {
            Some(Body::FlagUpdate(update)) => assert!(!closed.contains(&update.links.flag)),
            Some(Body::FlagClose(close)) => assert!(closed.insert(close.links.flag)),
            _ => {}
        }
    }
    assert!(closed.len() > 2, "{}", closed.len());
}
