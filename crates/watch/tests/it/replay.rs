//! With every detector on, over logs with every kind of entry that they look at: whoever folds the
//! log at the end finds what was found as it grew, and what was found is so.

use std::collections::BTreeMap;

use countersign_core::document::{Document as _, WatchSettings};
use countersign_core::entry::{
    AnyEntry, Body, Detector, Entry, PermitRefusal, Policy, PolicyPhase, split,
};
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_watch::{Held, Refold};
use proptest::prelude::*;

use crate::support::*;

#[derive(Debug, Clone)]
enum Event {
    Call(u8, Option<u8>, Outcome, u8, Vec<u32>, Option<u32>, i64),
    Turn(u32, u8),
    Ran(usize, Option<u32>),
    Refused(PermitRefusal, usize),
    Opened(u64, usize),
    InForce(u8),
    Wait(i64),
    CommitOne,
    CommitAll,
    Acknowledge,
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Rejected),
        3 => Just(Outcome::Approved),
        1 => Just(Outcome::Escalated),
    ];
    let targets = prop::collection::vec(0u32..12, 0..3);
    let call = (
        0u8..3,
        prop::option::of(0u8..3),
        outcome,
        0u8..4,
        targets,
        prop::option::of(0u32..6),
        0i64..4,
    );
    let refusal = prop::sample::select(PermitRefusal::ALL);
    prop_oneof![
        20 => call.prop_map(|(name, of, outcome, action, targets, session, after_s)| {
            Event::Call(name, of, outcome, action, targets, session, after_s)
        }),
        2 => (0u32..6, 0u8..3).prop_map(|(session, of)| Event::Turn(session, of)),
        4 => (0usize..8, prop::option::of(0u32..6)).prop_map(|(back, of)| Event::Ran(back, of)),
        1 => (refusal, 0usize..8).prop_map(|(reason, back)| Event::Refused(reason, back)),
        1 => (0u64..2, 1usize..20).prop_map(|(reader, records)| Event::Opened(reader, records)),
        1 => (0u8..3).prop_map(Event::InForce),
        2 => prop_oneof![5i64..40, Just(3_600), Just(30_000), Just(90_000)].prop_map(Event::Wait),
        3 => Just(Event::CommitOne),
        1 => Just(Event::CommitAll),
        1 => Just(Event::Acknowledge),
        1 => Just(Event::Restart),
    ]
}

/// Everything low, so that short logs hold much.
fn low() -> WatchSettings {
    let mut low = WatchSettings {
        unmandated_calls: 2,
        ..settings(3, 10, 2)
    };
    low.baseline.past_calls = 4;
    low.baseline.past_days = 1;
    let usual = WatchSettings::default();
    low.retry = usual.retry;
    low.retry.window_s = 20;
    low.novel_target = usual.novel_target;
    low.novel_target.window_s = 30;
    low.off_hours.calls = 2;
    low.spread.principals = 2;
    low.spread.window_s = 60;
    low.missing_execution.calls = 2;
    low.missing_execution.after_s = 7;
    low.missing_execution.window_s = 30;
    low.unapproved_execution.refusals = 2;
    low.reading_around.records = 25;
    low.reading_around.window_s = 20;
    low.loosened = usual.loosened;
    low
}

fn play(events: &[Event], is_ideal: bool) -> Server {
    let mut server = Server::new(low());
    if !is_ideal {
        server.hold_drafts();
    }
    for event in events {
        apply(&mut server, event, is_ideal);
    }
    if is_ideal {
        server.wait(100_000);
    } else {
        server.tick(100_000_000);
    }
    // Something is needed that ends what the ideal server was not told the time of.
    server.turn(99, 99);
    server.commit_all();
    server
}

fn apply(server: &mut Server, event: &Event, is_ideal: bool) {
    match event {
        Event::Call(name, of, outcome, action, targets, session, after_s) => {
            server.call(Call {
                name: ["a", "b", "c"][usize::from(*name)],
                of: *of,
                outcome: *outcome,
                action: ["email.send", "email.read", "file.read", "crm.update"]
                    [usize::from(*action)],
                targets: targets.clone(),
                session: *session,
                after_s: *after_s,
            });
        }
        Event::Turn(session, of) => drop(server.turn(*session, *of)),
        Event::Ran(back, session) => {
            if let Some(call) = server.call_before(*back) {
                server.ran(call, *session);
            }
        }
        Event::Refused(reason, back) => {
            let call = server.call_before(*back);
            server.refused(*reason, call);
        }
        Event::Opened(reader, records) => drop(server.opened(*reader, *records, 1)),
        Event::InForce(n) => drop(server.in_force(Sha256::of(&[b'p', *n]).into())),
        Event::Wait(after_s) if is_ideal => server.wait(*after_s),
        Event::Wait(after_s) => server.tick(after_s * 1000),
        Event::CommitOne => server.commit_next(),
        Event::CommitAll => server.commit_all(),
        Event::Acknowledge => server.acknowledge_newest(),
        Event::Restart if is_ideal => {}
        Event::Restart => server.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn restarts_and_lost_drafts_leave_the_same_flags(
        events in prop::collection::vec(event(), 0..150),
    ) {
        let ideal = play(&events, true);
        let real = play(&events, false);
        prop_assert_eq!(ideal.history(), real.history());
        prop_assert_eq!(ideal.closes().len(), ideal.flags().len());
    }

    #[test]
    fn a_fold_of_the_whole_log_finds_nothing_to_be_written(
        events in prop::collection::vec(event(), 0..150),
    ) {
        let mut server = play(&events, true);
        prop_assert!(server.watch().outstanding().is_empty());
        server.restart();
        prop_assert!(server.pending().is_empty());
    }

    #[test]
    fn what_flags_say_of_their_entries_is_so(
        events in prop::collection::vec(event(), 0..150),
    ) {
        let server = play(&events, true);
        let places: BTreeMap<EntryId, usize> =
            server.log().iter().map(AnyEntry::entry_id).zip(0..).collect();
        for entry in server.log() {
            let Some(Body::Flag(flag)) = entry.body() else {
                continue;
            };
            let at = places[&entry.entry_id()];
            let named: Vec<usize> = flag.entries.iter().map(|id| places[id]).collect();
            prop_assert!(named.is_sorted() && named.iter().all(|index| *index < at), "{named:?} {at} {flag:?}");
            prop_assert_eq!(flag.entries.first(), Some(&flag.onset));
            prop_assert_eq!(flag.count as usize, named.len());
            let of = |outcome: fn(&Outcome) -> bool| {
                let decided = |index: &&usize| matches!(server.log()[**index].body(),
                    Some(Body::Decision(body)) if outcome(&body.outcome));
                named.iter().filter(decided).count() as u32
            };
            if let (Some(stopped), Some(passed)) = (flag.stopped, flag.passed) {
                prop_assert_eq!(stopped, of(|outcome| *outcome != Outcome::Approved));
                prop_assert_eq!(passed, of(|outcome| *outcome == Outcome::Approved));
            }
            if matches!(flag.detector, Detector::Burst | Detector::Retry | Detector::Loosened) {
                let is_rejected = matches!(server.log()[named[0]].body(),
                    Some(Body::Decision(body)) if body.outcome == Outcome::Rejected);
                prop_assert!(is_rejected, "{:?}", flag);
            }
        }
    }

    /// Without a past, the onset is the first rejection after the rate last fell to nothing: none of
    /// the same actor or intent that is no part of the incident lies within a window before it.
    #[test]
    fn the_onset_of_a_burst_is_where_the_rate_changed(
        gaps in prop::collection::vec(prop_oneof![0i64..4, 200i64..700], 3..60),
    ) {
        let mut server = Server::new(settings(3, 600, 0));
        let mut rate = 0i64;
        let mut last = 0i64;
        let mut began = Vec::new();
        for gap in gaps {
            let flags = server.flags().len();
            let entry = server.rejected("a", Some(1), gap);
            let now = server.now().as_millis();
            if server.flags().len() > flags {
                let flag = server.flags().pop().unwrap();
                // It is no later than the first of the window, and the rate never was zero since.
                let from = began.iter().position(|(_, at, _)| now - *at <= 600_000);
                let first = began.iter().position(|(id, _, _)| *id == flag.onset);
                prop_assert!(first.is_some() && first <= from.or(first));
                prop_assert!(began[first.unwrap()..].len() + 1 == flag.count as usize);
                return Ok(());
            }
            rate = (rate - 3 * (now - last)).max(0) + 1_200_000;
            last = now;
            began.push((entry, now, rate));
        }
    }
}

/// The log of a server, with the bundle that its settings stand in.
fn with_bundle(server: &Server) -> Vec<AnyEntry> {
    let bundle = bundle(low());
    let bytes = bundle.canonical().unwrap();
    let parts = split(bytes.as_bytes());
    let policy_ref = bundle.reference().unwrap();
    let policy = |phase, parts| Policy {
        policy_ref,
        phase,
        parts,
        previous: None,
        credential: None,
    };
    let digests = parts.iter().map(|part| part.bytes.digest()).collect();
    let mut bodies: Vec<Body> = parts.into_iter().map(Body::from).collect();
    bodies.push(policy(PolicyPhase::Stored, digests).into());
    bodies.push(policy(PolicyPhase::InForce, Vec::new()).into());
    let begins = bodies.into_iter().zip(90_000..).map(|(body, n)| {
        AnyEntry::Known(Box::new(Entry {
            entry_id: id(n),
            timestamp: Timestamp::from_millis(T0),
            body,
        }))
    });
    let theirs = server.log().iter().cloned().map(|entry| match entry {
        // The server's flags name the bundle that it says is in force.
        AnyEntry::Known(mut known) => {
            if let Body::Flag(flag) = &mut known.body {
                flag.policy_ref = policy_ref;
            }
            AnyEntry::Known(known)
        }
        unknown => unknown,
    });
    begins.chain(theirs).collect()
}

#[test]
fn whoever_holds_the_log_finds_the_same_flags() {
    let mut server = Server::new(low());
    for n in 0..40 {
        server.call(Call {
            outcome: if n % 5 == 4 {
                Outcome::Approved
            } else {
                Outcome::Rejected
            },
            targets: vec![n],
            after_s: i64::from(n % 4) * 4,
            ..Call::default()
        });
    }
    server.acknowledge(0);
    server.wait(10_000);
    server.call(Call::default());
    assert!(!server.flags().is_empty() && !server.updates().is_empty());
    let log = with_bundle(&server);
    let fold = |log: &[AnyEntry]| {
        let mut fold = Refold::new();
        let held: Vec<Held> = (0..)
            .zip(log)
            .map(|(index, entry)| fold.observe(index, entry).unwrap())
            .collect();
        (held, fold.missing())
    };
    let (held, missing) = fold(&log);
    assert!(!held.contains(&Held::Unfounded) && held.contains(&Held::Found));
    assert!(missing.is_empty(), "{missing:?}");
    // A flag that says otherwise, and one that was left out.
    let at = log.iter().position(|entry| entry.kind() == "flag").unwrap();
    let mut changed = log.clone();
    if let AnyEntry::Known(known) = &mut changed[at]
        && let Body::Flag(flag) = &mut known.body
    {
        flag.stopped = Some(1);
    }
    assert_eq!(fold(&changed).0[at], Held::Unfounded);
    let mut without = log;
    without.truncate(at);
    assert_eq!(fold(&without).1.len(), 1);
}
