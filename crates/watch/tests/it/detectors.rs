//! What each detector sees, and that one incident is one flag.

use countersign_core::document::{Mute, WatchSettings};
use countersign_core::entry::{Detector, Flag, PermitRefusal, Severity};
use countersign_core::refs::Sha256;
use countersign_core::verdict::Outcome;

use crate::support::*;

fn only(server: &Server) -> Flag {
    match &server.flags()[..] {
        [flag] => flag.clone(),
        flags => panic!("{} flags: {flags:?}", flags.len()),
    }
}

fn rejected(targets: &[u32]) -> Call {
    Call {
        outcome: Outcome::Rejected,
        targets: targets.to_vec(),
        ..Call::default()
    }
}

fn retrying() -> WatchSettings {
    let mut settings = quiet();
    settings.retry.attempts = 3;
    settings
}

#[test]
fn three_different_attempts_under_one_intent_are_a_retry() {
    let mut server = Server::new(retrying());
    let first = server.call(rejected(&[1]));
    server.call(rejected(&[1]));
    server.call(rejected(&[1]));
    assert!(server.flags().is_empty(), "the same again is no other try");
    server.call(rejected(&[2]));
    // Attempts of which a person was asked count half.
    let asked = |n| Call {
        action: "email.forward",
        outcome: Outcome::Escalated,
        ..rejected(&[n])
    };
    server.call(asked(3));
    assert!(server.flags().is_empty());
    let last = server.call(asked(4));
    let flag = only(&server);
    assert_eq!(
        (flag.detector, flag.intent_ref),
        (Detector::Retry, Some(intent(1)))
    );
    assert_eq!((flag.onset, flag.count), (first, 6));
    assert_eq!(flag.entries.last(), Some(&last));
    assert_eq!((flag.stopped, flag.passed), (Some(6), Some(0)));
    assert_eq!(flag.severity, Severity::Warning);
}

#[test]
fn attempts_towards_another_end_are_no_retry() {
    let mut server = Server::new(retrying());
    server.call(rejected(&[1]));
    for (n, action) in [(2, "file.delete"), (3, "crm.update"), (4, "shell.run")] {
        server.call(Call {
            action,
            ..rejected(&[n])
        });
    }
    assert!(server.flags().is_empty());
}

#[test]
fn what_gets_through_after_rejections_makes_it_critical() {
    let mut server = Server::new(retrying());
    for n in 1..=3 {
        server.call(rejected(&[n]));
    }
    // To somebody who was never refused: no matter.
    server.call(Call {
        targets: vec![9],
        ..Call::default()
    });
    assert!(server.updates().is_empty());
    let through = server.call(Call {
        targets: vec![2],
        ..Call::default()
    });
    let updates = server.updates();
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].severity, Some(Severity::Critical));
    assert_eq!((updates[0].stopped, updates[0].passed), (Some(3), Some(1)));
    assert_eq!(updates[0].entries, [through]);
}

#[test]
fn a_night_of_rejections_is_one_flag_with_every_detector_on() {
    let mut server = Server::new(WatchSettings::default());
    let turn = server.turn(1, 1);
    let looked = server.call(Call {
        action: "file.read",
        session: Some(1),
        ..Call::default()
    });
    let result = server.ran(looked, Some(1));
    let attempts: Vec<_> = (1..=12)
        .map(|n| {
            server.call(Call {
                session: Some(1),
                after_s: 20,
                ..rejected(&[n])
            })
        })
        .collect();
    let flag = only(&server);
    assert_eq!((flag.detector, flag.onset), (Detector::Burst, attempts[0]));
    assert_eq!((flag.turn, flag.after), (Some(turn), Some(result)));
    assert_eq!((flag.stopped, flag.passed), (Some(3), Some(0)));
    // What gets through is told by the flag that there is.
    let through = server.call(Call {
        targets: vec![7],
        session: Some(1),
        ..Call::default()
    });
    server.tick(100_000_000);
    let updates = server.updates();
    let last = updates.last().unwrap();
    assert_eq!(last.severity, Some(Severity::Critical));
    assert!(last.entries.contains(&through));
    assert_eq!(
        (last.stopped, last.passed, last.count),
        (Some(12), Some(1), 13)
    );
    assert_eq!((server.flags().len(), server.closes()), (1, vec![13]));
}

#[test]
fn the_turn_and_the_result_are_those_of_the_onset_and_not_of_the_flag() {
    let mut server = Server::new(WatchSettings::default());
    let turn = server.turn(1, 1);
    server.turn(2, 5);
    let in_session = |n| Call {
        session: Some(1),
        ..rejected(&[n])
    };
    server.call(in_session(1));
    let later = server.call(Call {
        session: Some(1),
        ..Call::default()
    });
    server.ran(later, Some(1));
    server.turn(1, 2);
    server.call(in_session(2));
    server.call(in_session(3));
    let flag = only(&server);
    assert_eq!((flag.turn, flag.after), (Some(turn), None));
}

/// Calls of different agents in different sessions, all to one target.
fn campaign(server: &mut Server, sessions: u32, outcome: Outcome) {
    let names = ["a", "b", "c", "d", "e", "f"];
    for n in 0..sessions {
        server.call(Call {
            name: names[n as usize % names.len()],
            outcome,
            of: Some(n as u8),
            session: Some(n),
            targets: vec![77],
            after_s: 3_000,
            ..Call::default()
        });
    }
}

#[test]
fn many_sessions_that_are_stopped_from_one_new_target_are_a_spread() {
    let mut server = Server::new(WatchSettings::default());
    campaign(&mut server, 4, Outcome::Rejected);
    for _ in 0..5 {
        campaign(&mut server, 1, Outcome::Rejected);
    }
    assert!(
        server.flags().is_empty(),
        "one session many times is one session"
    );
    let mut server = Server::new(WatchSettings::default());
    let through = server.call(Call {
        targets: vec![77],
        session: Some(99),
        ..Call::default()
    });
    campaign(&mut server, 5, Outcome::Rejected);
    let flag = only(&server);
    assert_eq!(
        (flag.detector, flag.target),
        (Detector::Spread, Some(pseudonym("target", 77)))
    );
    assert_eq!((flag.onset, flag.count), (through, 6));
    assert_eq!((flag.stopped, flag.passed), (Some(5), Some(1)));
    assert_eq!((flag.severity, flag.actor), (Severity::Critical, None));
}

#[test]
fn where_nothing_is_stopped_it_takes_more_sessions_and_a_log_with_a_past() {
    let mut server = Server::new(WatchSettings::default());
    campaign(&mut server, 25, Outcome::Approved);
    assert!(
        server.flags().is_empty(),
        "on the first day all targets are new"
    );
    for sessions in [19, 20] {
        let mut server = Server::new(WatchSettings::default());
        server.call(Call::default());
        server.wait(8 * 86_400);
        campaign(&mut server, sessions, Outcome::Approved);
        let severities: Vec<_> = server.flags().iter().map(|flag| flag.severity).collect();
        assert_eq!(severities, vec![Severity::Notice; sessions as usize - 19]);
    }
}

#[test]
fn a_target_that_was_named_long_ago_is_not_spread_to() {
    let mut server = Server::new(WatchSettings::default());
    server.call(rejected(&[77]));
    for n in 0..10 {
        server.call(Call {
            of: Some(n),
            session: Some(n.into()),
            after_s: 90_000,
            ..rejected(&[77])
        });
    }
    assert!(server.flags().is_empty());
}

#[test]
fn refused_permits_and_what_ran_unapproved_are_flagged() {
    let mut server = Server::new(WatchSettings::default());
    let call = server.call(Call::default());
    for _ in 0..5 {
        server.refused(PermitRefusal::Expired, Some(call));
    }
    let first = server.refused(PermitRefusal::Arguments, Some(call));
    server.refused(PermitRefusal::Used, Some(call));
    assert!(server.flags().is_empty());
    server.refused(PermitRefusal::Used, Some(call));
    let flag = only(&server);
    assert_eq!(flag.detector, Detector::UnapprovedExecution);
    assert_eq!((flag.onset, flag.actor), (first, Some(actor("a"))));
    assert_eq!((flag.stopped, flag.severity), (None, Severity::Warning));
    let stopped = server.call(rejected(&[1]));
    let ran = server.ran(stopped, None);
    let updates = server.updates();
    assert_eq!(updates[0].severity, Some(Severity::Critical));
    assert_eq!(updates[0].entries, [ran]);
    // Nobody's permits, and one execution is enough.
    let mut server = Server::new(WatchSettings::default());
    for _ in 0..3 {
        server.refused(PermitRefusal::Signature, None);
    }
    assert_eq!(only(&server).actor, None);
    let mut server = Server::new(WatchSettings::default());
    let stopped = server.call(rejected(&[1]));
    let ran = server.ran(stopped, None);
    assert_eq!(
        (only(&server).onset, only(&server).severity),
        (ran, Severity::Critical)
    );
}

fn other() -> countersign_core::refs::PolicyRef {
    Sha256::of(b"other policy").into()
}

#[test]
fn a_new_bundle_that_is_made_use_of_at_once_is_noted() {
    let mut server = Server::new(WatchSettings::default());
    let stopped = server.call(rejected(&[1]));
    server.call(rejected(&[2]));
    server.wait(600);
    let bundle = server.in_force(other());
    server.call(Call {
        targets: vec![3],
        ..Call::default()
    });
    assert!(server.flags().is_empty(), "nobody had rejected that");
    let used = server.call(Call {
        targets: vec![1],
        of: Some(2),
        ..Call::default()
    });
    let flag = only(&server);
    assert_eq!(
        (flag.detector, flag.severity),
        (Detector::Loosened, Severity::Notice)
    );
    assert_eq!(flag.entries, [stopped, bundle, used]);
    assert_eq!((flag.onset, flag.policy_ref), (stopped, other()));
    assert_eq!(
        (flag.stopped, flag.passed, flag.count),
        (Some(1), Some(1), 3)
    );
    assert_eq!(flag.actor, Some(actor("a")));
}

#[test]
fn a_bundle_that_is_made_use_of_late_or_by_others_is_not_noted() {
    for (before_s, after_s, name) in [(3_700, 1, "a"), (1, 3_700, "a"), (1, 1, "b")] {
        let mut server = Server::new(WatchSettings::default());
        server.call(rejected(&[1]));
        server.wait(before_s);
        server.in_force(other());
        server.call(Call {
            targets: vec![1],
            name,
            after_s,
            ..Call::default()
        });
        assert!(server.flags().is_empty(), "{before_s} {after_s} {name}");
    }
}

#[test]
fn what_is_muted_does_not_count() {
    let mute = |actor: Option<&str>, action: Option<&str>, until_s: Option<i64>| Mute {
        detector: Detector::Burst,
        actor: actor.map(|name| name.to_owned().try_into().unwrap()),
        action: action.map(|name| name.parse().unwrap()),
        until: until_s.map(|s| countersign_core::time::Timestamp::from_millis(T0 + s * 1000)),
    };
    for (mute, flags) in [
        (mute(None, None, None), 0),
        (mute(Some("agent:a"), None, None), 0),
        (mute(Some("agent:b"), None, None), 1),
        (mute(Some("agent:a"), Some("email.send"), None), 0),
        (mute(None, Some("file.read"), None), 1),
        (mute(None, None, Some(100)), 0),
        (mute(None, None, Some(1)), 1),
        (
            Mute {
                detector: Detector::Retry,
                ..mute(None, None, None)
            },
            1,
        ),
    ] {
        let mut server = Server::new(WatchSettings {
            mute: vec![mute.clone()],
            ..settings(3, 600, 0)
        });
        for _ in 0..4 {
            server.call(rejected(&[]));
        }
        assert_eq!(server.flags().len(), flags, "{mute:?}");
    }
}

#[test]
fn an_acknowledgement_leaves_count_and_severity_alone() {
    let mut server = Server::new(WatchSettings::default());
    for n in 1..=3 {
        server.call(rejected(&[n]));
    }
    server.acknowledge(0);
    server.call(Call {
        targets: vec![1],
        ..Call::default()
    });
    let update = server.updates().last().unwrap().clone();
    assert_eq!(
        (update.count, update.severity),
        (4, Some(Severity::Critical))
    );
    server.tick(10_000_000);
    assert_eq!(server.closes(), [4]);
}

#[test]
fn what_a_burst_covered_is_not_raised_when_the_burst_is_over() {
    let mut server = Server::new(WatchSettings::default());
    for n in 1..=4 {
        server.call(rejected(&[n]));
    }
    // The burst's window is over, that of the retry is not.
    server.call(Call {
        after_s: 700,
        ..rejected(&[5])
    });
    assert_eq!((server.flags().len(), server.closes().len()), (1, 1));
}
