//! The detectors, over made-up logs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod detectors;
mod pasts;
mod replay;
mod restart;
mod support;

use countersign_core::document::WatchSettings;
use countersign_core::entry::{Body, Detector, Mode};
use countersign_core::verdict::Outcome;
use countersign_watch::FlagDraft;
use support::*;

#[test]
fn three_rejections_under_one_intent_raise_one_flag_that_names_them() {
    let mut server = Server::new(settings(3, 600, 0));
    let ids: Vec<_> = (0..3)
        .map(|n| server.rejected("a", Some(1), n * 10))
        .collect();
    let [flag] = &server.flags()[..] else {
        panic!("{:?}", server.flags());
    };
    assert_eq!(flag.detector, Detector::Burst);
    assert_eq!(flag.intent_ref, Some(intent(1)));
    assert_eq!(flag.actor, Some(actor("a")), "all were one actor's");
    assert_eq!(flag.onset, ids[0]);
    assert_eq!(flag.entries, ids);
    assert_eq!((flag.count, flag.window_s), (3, 600));
    assert_eq!(flag.policy_ref, policy());
}

#[test]
fn two_rejections_or_three_in_a_longer_time_raise_none() {
    let mut server = Server::new(settings(3, 600, 0));
    server.rejected("a", Some(1), 0);
    server.rejected("a", Some(1), 1);
    assert!(server.flags().is_empty());
    // The first is a millisecond out of the window.
    server.decide_at(
        T0 + 600_001,
        "a",
        Some(1),
        Outcome::Rejected,
        Mode::Enforced,
    );
    assert!(server.flags().is_empty());
    // The second is in it to the millisecond.
    server.decide_at(
        T0 + 601_000,
        "a",
        Some(1),
        Outcome::Rejected,
        Mode::Enforced,
    );
    let flags = server.flags();
    // It began before the window, and they never ceased.
    assert_eq!((flags.len(), flags[0].count), (1, 4));
    assert_eq!(flags[0].onset, server.first_decision());
}

#[test]
fn approvals_escalations_and_shadow_decisions_do_not_count() {
    let mut server = Server::new(settings(2, 600, 1));
    for _ in 0..5 {
        server.decide("a", Some(1), Outcome::Approved, Mode::Enforced, 1);
        server.decide("a", Some(1), Outcome::Escalated, Mode::Enforced, 1);
        server.decide("a", Some(1), Outcome::Rejected, Mode::Shadow, 1);
        server.decide("a", None, Outcome::Rejected, Mode::Shadow, 1);
    }
    assert!(server.flags().is_empty());
}

#[test]
fn one_actor_under_several_intents_is_a_burst_of_the_actor() {
    let mut server = Server::new(settings(3, 600, 0));
    let ids: Vec<_> = (0..3)
        .map(|n| server.rejected("a", Some(n as u8), 1))
        .collect();
    let flags = server.flags();
    assert_eq!(flags.len(), 1);
    assert_eq!(
        (flags[0].actor.clone(), flags[0].intent_ref),
        (Some(actor("a")), None)
    );
    assert_eq!(flags[0].entries, ids);
}

#[test]
fn several_actors_under_one_intent_are_a_burst_of_the_intent() {
    let mut server = Server::new(settings(3, 600, 0));
    for name in ["a", "b", "c"] {
        server.rejected(name, Some(1), 1);
    }
    let flags = server.flags();
    assert_eq!(flags.len(), 1);
    assert_eq!(
        (flags[0].actor.clone(), flags[0].intent_ref),
        (None, Some(intent(1)))
    );
}

#[test]
fn an_actor_that_goes_on_elsewhere_is_flagged_for_itself() {
    let mut server = Server::new(settings(3, 600, 0));
    let mut ids: Vec<_> = (0..4).map(|_| server.rejected("a", Some(1), 1)).collect();
    assert_eq!(
        server.flags().len(),
        1,
        "the intent's names all that the actor's would"
    );
    ids.push(server.rejected("a", Some(2), 1));
    let flags = server.flags();
    assert_eq!(flags.len(), 2);
    assert_eq!(
        (flags[1].actor.clone(), flags[1].intent_ref),
        (Some(actor("a")), None)
    );
    assert_eq!(flags[1].entries, ids);
}

#[test]
fn an_incident_grows_by_doubling_and_closes_when_it_went_quiet() {
    let mut server = Server::new(settings(3, 600, 0));
    for _ in 0..100 {
        server.rejected("a", Some(1), 1);
    }
    assert_eq!(server.flags().len(), 1);
    let updates = server.updates();
    let counts: Vec<_> = updates.iter().map(|update| update.count).collect();
    assert_eq!(counts, [6, 12, 24, 48, 96]);
    let added: Vec<_> = updates.iter().map(|update| update.entries.len()).collect();
    assert_eq!(added, [3, 6, 12, 24, 48]);
    assert!(server.closes().is_empty());
    server.tick(602_000);
    assert!(server.closes().is_empty(), "the window is not over");
    server.tick(1);
    assert_eq!(server.closes(), [100]);
    server.tick(10_000_000);
    assert_eq!(server.closes(), [100], "once");
}

#[test]
fn the_next_entry_ends_a_quiet_incident_too_and_begins_another() {
    let mut server = Server::new(settings(2, 600, 0));
    server.rejected("a", Some(1), 0);
    server.rejected("a", Some(1), 600);
    server.rejected("a", Some(1), 600);
    assert_eq!(
        (server.flags().len(), server.closes().len()),
        (1, 0),
        "600 s are within"
    );
    let onset = server.rejected("a", Some(1), 601);
    assert_eq!(server.closes(), [3]);
    server.rejected("a", Some(1), 1);
    let flags = server.flags();
    assert_eq!((flags.len(), flags[1].onset), (2, onset));
}

#[test]
fn lists_stop_at_64_and_counts_do_not() {
    let mut server = Server::new(settings(100, 600, 0));
    let ids: Vec<_> = (0..200).map(|_| server.rejected("a", Some(1), 1)).collect();
    let flags = server.flags();
    assert_eq!((flags[0].entries.len(), flags[0].count), (64, 100));
    assert_eq!(flags[0].entries, ids[..64]);
    let updates = server.updates();
    assert_eq!((updates[0].entries.len(), updates[0].count), (64, 200));
    assert_eq!(updates[0].entries, ids[100..164]);
    for entry in server.log() {
        if let Body::Flag(_) | Body::FlagUpdate(_) = entry.body().unwrap() {
            known(entry).to_leaf().unwrap();
        }
    }
}

#[test]
fn a_call_without_an_intent_is_flagged_whatever_was_decided() {
    for outcome in [Outcome::Approved, Outcome::Rejected, Outcome::Escalated] {
        let mut server = Server::new(settings(0, 600, 1));
        let id = server.decide("a", None, outcome, Mode::Enforced, 1);
        let flags = server.flags();
        assert_eq!((flags.len(), flags[0].detector), (1, Detector::Unmandated));
        assert_eq!(
            (flags[0].onset, flags[0].actor.clone()),
            (id, Some(actor("a")))
        );
        server.decide("a", None, outcome, Mode::Enforced, 1);
        server.decide("b", None, outcome, Mode::Enforced, 1);
        assert_eq!(server.flags().len(), 2, "one of each actor");
    }
}

#[test]
fn the_first_call_of_a_tool_that_has_changed_is_flagged() {
    // Whatever the settings say: a changed tool is no matter of how often.
    let mut server = Server::new(settings(0, 600, 0));
    server.rejected("a", Some(1), 1);
    assert!(server.flags().is_empty(), "another rejection is none");
    let first = server.changed("a", Some(1), 1);
    let flags = server.flags();
    assert_eq!((flags.len(), flags[0].detector), (1, Detector::ToolChanged));
    assert_eq!((flags[0].onset, flags[0].count), (first, 1));
    assert_eq!(
        (flags[0].actor.clone(), flags[0].intent_ref),
        (Some(actor("a")), None)
    );
    // Within the hour it is the same incident, for another actor it is not.
    server.changed("a", Some(2), 3_599);
    assert_eq!(server.flags().len(), 1);
    server.changed("b", None, 1);
    assert_eq!(server.flags().len(), 2);
    server.changed("a", Some(2), 3_601);
    assert_eq!(server.flags().len(), 3);
}

#[test]
fn a_list_in_which_changed_tools_are_met_is_no_attempt_of_anybody() {
    // Rejections without facts: thresholds of the other detectors are as low as they can be.
    let mut server = Server::new(settings(2, 600, 1));
    for _ in 0..5 {
        server.changed("a", None, 1);
    }
    let detectors: Vec<Detector> = server.flags().iter().map(|flag| flag.detector).collect();
    assert_eq!(detectors, [Detector::ToolChanged]);
}

#[test]
fn rejections_without_an_intent_are_no_second_incident() {
    let mut server = Server::new(settings(3, 600, 1));
    for _ in 0..3 {
        server.rejected("a", None, 1);
    }
    let detectors: Vec<_> = server.flags().iter().map(|flag| flag.detector).collect();
    assert_eq!(detectors, [Detector::Unmandated]);
}

#[test]
fn a_threshold_of_zero_and_no_policy_turn_detection_off() {
    let mut server = Server::new(settings(0, 600, 0));
    for _ in 0..10 {
        server.rejected("a", None, 1);
    }
    assert!(server.flags().is_empty());
    let mut watch = countersign_watch::Watch::new();
    for (index, entry) in (0..).zip(server.log()) {
        assert!(watch.observe(index, entry).is_empty());
    }
}

#[test]
fn a_window_of_zero_counts_what_came_at_one_time() {
    let mut server = Server::new(settings(2, 0, 0));
    server.rejected("a", Some(1), 0);
    server.rejected("a", Some(1), 1);
    assert!(server.flags().is_empty());
    server.rejected("a", Some(1), 0);
    assert_eq!(server.flags().len(), 1);
}

#[test]
fn the_highest_settings_do_not_overflow() {
    let mut server = Server::new(WatchSettings {
        burst_rejections: u32::MAX,
        burst_window_s: u32::MAX,
        unmandated_calls: u32::MAX,
        unmandated_window_s: u32::MAX,
        ..quiet()
    });
    for _ in 0..1000 {
        server.rejected("a", None, 1);
    }
    // A threshold over the limit counts as the limit.
    // One of the detectors speaks for both.
    assert_eq!(server.flags().len(), 1);
}

#[test]
fn an_entry_that_is_shown_twice_counts_once() {
    let mut server = Server::new(settings(2, 600, 0));
    server.rejected("a", Some(1), 1);
    let again = server.log().last().unwrap().clone();
    for index in 0..server.log().len() {
        assert!(server.watch().observe(index as u64, &again).is_empty());
    }
}

#[test]
fn what_a_person_closed_begins_anew() {
    let mut server = Server::new(settings(2, 600, 0));
    server.rejected("a", Some(1), 1);
    server.rejected("a", Some(1), 1);
    server.close_by_hand(0);
    server.rejected("a", Some(1), 1);
    assert_eq!(server.flags().len(), 1);
    let last = server.rejected("a", Some(1), 1);
    let flags = server.flags();
    assert_eq!((flags.len(), flags[1].count), (2, 2));
    assert_eq!(flags[1].intent_ref, Some(intent(1)), "not the actor's");
    assert_eq!(flags[1].entries[1], last);
    server.tick(10_000_000);
    assert_eq!(
        server.closes(),
        [2, 2],
        "what was closed by hand is not closed again"
    );
}

#[test]
fn an_acknowledgement_changes_nothing() {
    let mut server = Server::new(settings(2, 600, 0));
    server.rejected("a", Some(1), 1);
    server.rejected("a", Some(1), 1);
    server.acknowledge(0);
    server.rejected("a", Some(1), 1);
    server.rejected("a", Some(1), 1);
    let grown: Vec<_> = server
        .updates()
        .iter()
        .filter(|u| u.credential.is_none())
        .map(|u| u.count)
        .collect();
    assert_eq!((server.flags().len(), grown), (1, vec![4]));
}

#[test]
fn a_flag_that_another_version_raised_is_followed_and_not_raised_again() {
    let mut server = Server::new(settings(3, 600, 0));
    server.rejected("a", Some(1), 1);
    server.foreign_flag(intent(1), 5);
    for _ in 0..4 {
        server.rejected("a", Some(1), 1);
    }
    let intents: Vec<_> = server.flags().iter().map(|flag| flag.intent_ref).collect();
    assert_eq!(intents, [Some(intent(1))]);
    server.tick(10_000_000);
    assert_eq!(server.closes(), [9]);
}

#[test]
fn a_growth_that_was_due_before_the_flag_was_written_waits_for_its_id() {
    let mut server = Server::new(settings(2, 600, 0));
    server.hold_drafts();
    for _ in 0..4 {
        server.rejected("a", Some(1), 1);
    }
    let kinds = |drafts: &[FlagDraft]| -> Vec<&'static str> {
        drafts
            .iter()
            .map(|draft| Body::from(draft.clone()).kind())
            .collect()
    };
    assert_eq!(kinds(server.pending()), ["flag"]);
    server.commit_next();
    assert_eq!(kinds(server.pending()), ["flag-update"]);
    server.commit_next();
    assert!(server.pending().is_empty());
}

#[test]
fn a_flood_of_actors_is_bounded_and_leaves_no_flag_open() {
    let mut server = Server::new(settings(0, 600, 1));
    let incidents = countersign_watch::limits::INCIDENTS;
    for n in 0..incidents + 500 {
        server.decide(&n.to_string(), None, Outcome::Approved, Mode::Enforced, 0);
    }
    assert_eq!(server.flags().len(), incidents + 500);
    assert_eq!(server.closes().len(), 500);
    server.restart();
    assert!(server.pending().is_empty());
    server.tick(700_000);
    assert_eq!(server.closes().len(), incidents + 500);
}

#[test]
fn a_flood_of_quiet_subjects_does_not_displace_an_incident() {
    let mut server = Server::new(settings(2, 600, 0));
    server.rejected("a", Some(1), 0);
    server.rejected("a", Some(1), 0);
    for n in 0..countersign_watch::limits::GATHERING + 10 {
        server.rejected(&n.to_string(), None, 0);
    }
    server.rejected("a", Some(1), 0);
    server.rejected("a", Some(1), 0);
    assert_eq!((server.flags().len(), server.updates().len()), (1, 1));
}

#[test]
fn another_bundle_counts_from_the_next_entry_and_leaves_incidents_their_window() {
    let mut server = Server::new(settings(2, 600, 0));
    server.rejected("a", Some(1), 0);
    server.rejected("a", Some(1), 0);
    server.watch().set_policy(policy(), settings(3, 10, 0));
    server.rejected("a", Some(1), 500);
    assert!(
        server.closes().is_empty(),
        "600 s hold for what began under them"
    );
    for n in 0..3 {
        assert_eq!(server.flags().len(), 1, "{n}");
        server.rejected("b", Some(2), 5);
    }
    let flags = server.flags();
    assert_eq!((flags.len(), flags[1].count, flags[1].window_s), (2, 3, 10));
    server.watch().set_policy(policy(), settings(0, 10, 0));
    server.rejected("c", Some(3), 1);
    server.tick(700_000);
    assert_eq!(
        server.closes().len(),
        2,
        "incidents end though the detector is off"
    );
}
