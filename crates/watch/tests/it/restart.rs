//! Whatever is lost between a draft and its commit, the log ends up with the same flags.

use countersign_core::entry::Mode;
use countersign_core::verdict::Outcome;
use proptest::prelude::*;

use crate::support::*;

#[derive(Debug, Clone)]
enum Event {
    Decide {
        actor: u8,
        intent: Option<u8>,
        outcome: Outcome,
        after_s: i64,
    },
    Tick {
        after_s: i64,
    },
    CommitOne,
    CommitAll,
    Restart,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        8 => Just(Outcome::Rejected),
        1 => Just(Outcome::Approved),
        1 => Just(Outcome::Escalated),
    ]
}

fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 0i64..4, 2 => 8i64..13, 1 => 14i64..60]
}

fn event() -> impl Strategy<Value = Event> {
    let decide = (0u8..3, prop::option::of(0u8..3), outcome(), pause());
    prop_oneof![
        12 => decide.prop_map(|(actor, intent, outcome, after_s)| Event::Decide {
            actor,
            intent,
            outcome,
            after_s,
        }),
        1 => pause().prop_map(|after_s| Event::Tick { after_s }),
        3 => Just(Event::CommitOne),
        1 => Just(Event::CommitAll),
        2 => Just(Event::Restart),
    ]
}

/// Plays the events; `ideal` commits every draft at once and never restarts.
fn play(events: &[Event], burst: u32, unmandated: u32, ideal: bool) -> Server {
    let mut server = Server::new(settings(burst, 10, unmandated));
    if !ideal {
        server.hold_drafts();
    }
    let mut waited = 0;
    for event in events {
        match event {
            Event::Decide {
                actor,
                intent,
                outcome,
                after_s,
            } => {
                let name = ["a", "b", "c"][usize::from(*actor)];
                server.decide(name, *intent, *outcome, Mode::Enforced, after_s + waited);
                waited = 0;
            }
            // The ideal server is not told; it only sees the next entry come later.
            Event::Tick { after_s } if ideal => waited += after_s,
            Event::Tick { after_s } => server.tick(after_s * 1000),
            Event::CommitOne => server.commit_next(),
            Event::CommitAll => server.commit_all(),
            Event::Restart if ideal => {}
            Event::Restart => server.restart(),
        }
    }
    server.tick(1_000_000);
    server.commit_all();
    server
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn restarts_and_lost_drafts_leave_the_same_flags(
        events in prop::collection::vec(event(), 0..120),
        burst in 1u32..5,
        unmandated in 0u32..4,
    ) {
        let ideal = play(&events, burst, unmandated, true);
        let real = play(&events, burst, unmandated, false);
        prop_assert_eq!(ideal.history(), real.history());
        prop_assert_eq!(ideal.closes().len(), ideal.flags().len());
    }

    #[test]
    fn a_replay_at_any_point_finds_nothing_to_be_raised_again(
        events in prop::collection::vec(event(), 0..60),
        cut in 0usize..60,
    ) {
        let mut server = Server::new(settings(2, 10, 1));
        for event in events.iter().take(cut) {
            if let Event::Decide { actor, intent, outcome, after_s } = event {
                let name = ["a", "b", "c"][usize::from(*actor)];
                server.decide(name, *intent, *outcome, Mode::Enforced, *after_s);
            }
        }
        prop_assert!(server.watch().outstanding().is_empty());
        server.restart();
        prop_assert!(server.pending().is_empty());
    }
}
