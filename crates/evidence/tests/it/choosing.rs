//! Which entries belong.

use countersign_core::entry::Body;
use countersign_evidence::Question;
use countersign_story::story::story;

use crate::support::chosen_names;

#[test]
fn a_flag_brings_all_that_it_rests_on_and_what_the_calls_rest_on() {
    let story = story();
    let names = chosen_names(&story, &Question::Entry(story.id("flag")));
    for name in [
        // The flag, what became of it, and its entries.
        "flag",
        "flag grown",
        "flag acknowledged",
        "flag closed",
        "rejected 1",
        "rejected 2",
        "rejected 3",
        "rejected 4",
        // The turn, its session, and what else was done there.
        "turn",
        "session-open",
        "approved",
        "started",
        "finished",
        "permit-refused",
        // The rules, the keys and the credentials.
        "genesis",
        "stored",
        "in force",
        "agent",
        "ingress",
        "admin",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    // An opening of records that none of these names is none of it.
    assert!(!names.contains(&"vault-access"), "{names:?}");
    assert!(!names.contains(&"part"), "{names:?}");
}

#[test]
fn what_became_of_a_flag_stands_for_the_flag() {
    let story = story();
    let of = |name| chosen_names(&story, &Question::Entry(story.id(name)));
    assert_eq!(of("flag grown"), of("flag"));
    assert_eq!(of("flag closed"), of("flag"));
}

#[test]
fn an_entry_and_a_turn_bring_what_was_done_in_their_name() {
    let story = story();
    let of_entry = chosen_names(&story, &Question::Entry(story.id("approved")));
    for name in [
        "approved",
        "started",
        "finished",
        "permit-refused",
        "turn",
        "stored",
    ] {
        assert!(of_entry.contains(&name), "{name} of {of_entry:?}");
    }
    let turn = story.entries[story.position("turn")].1.clone();
    let Body::Intent(turn) = turn.body else {
        panic!("the turn is a turn");
    };
    let of_turn = chosen_names(&story, &Question::Intent(turn.intent_ref));
    for name in ["turn", "approved", "rejected 1", "flag", "tool"] {
        assert!(of_turn.contains(&name), "{name} of {of_turn:?}");
    }
}

#[test]
fn a_stretch_of_time_brings_what_was_recorded_in_it() {
    let story = story();
    let at = |name| story.entries[story.position(name)].1.timestamp;
    let question = Question::Between(at("rejected 2"), at("rejected 4"));
    let names = chosen_names(&story, &question);
    assert!(names.contains(&"rejected 2") && names.contains(&"rejected 3"));
    assert!(names.contains(&"turn"), "{names:?}");
    assert!(
        !names.contains(&"rejected 4") && !names.contains(&"approved"),
        "{names:?}"
    );
}
