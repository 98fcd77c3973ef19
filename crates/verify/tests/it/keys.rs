//! Keys that follow each other, and an auditor who knows only some of them.

use countersign_core::entry::{Entry, GrantChange, KeyPurpose};
use countersign_core::time::Timestamp;
use countersign_note::{NoteSigner as _, VerifierKey};
use countersign_verify::{Audit, Check, Depth, Report, Trust, VerifyError, Word};

use crate::log::{Key, ORIGIN, audit, publish, signed_by, told, under};
use crate::story::{Story, beginning, entry_id, key_entry, story};

use GrantChange::{Granted, Revoked};

/// The key that follows the first one.
fn next() -> Key {
    Key::new(ORIGIN, 77)
}

fn vkey(key: &Key) -> String {
    key.verifier_key().to_string()
}

fn add(story: &mut Story, name: &'static str, change: GrantChange, key: &str, by: &Key) {
    let n = story.entries.len();
    let last = story.entries.last().unwrap().1.timestamp;
    let entry = Entry {
        entry_id: entry_id(1_000 + n),
        timestamp: Timestamp::from_millis(last.as_millis() + 1),
        body: key_entry(KeyPurpose::Log, change, key, by).into(),
    };
    story.entries.push((name, entry));
}

/// A log whose key was rotated.
fn rotated() -> Story {
    let mut story = story();
    add(
        &mut story,
        "next granted",
        Granted,
        &vkey(&next()),
        &Key::root(),
    );
    add(
        &mut story,
        "first revoked",
        Revoked,
        &vkey(&Key::log()),
        &Key::root(),
    );
    story
}

fn only_root() -> Trust {
    Trust {
        root_key: Some(Key::root().verifier_key().clone()),
        ..Trust::default()
    }
}

fn with(keys: &[&Key]) -> Trust {
    Trust {
        log_keys: keys.iter().map(|key| key.verifier_key().clone()).collect(),
        ..only_root()
    }
}

fn finds(report: &Report, check: Check) -> bool {
    assert_eq!(report.word, Word::Failed, "{}", told(report));
    report.findings.iter().any(|finding| finding.check == check)
}

#[test]
fn the_root_key_alone_vouches_for_the_log_key() {
    let leaves = story().leaves();
    let report = audit(&publish(&leaves), only_root());
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));

    // Anybody can name another root key, but nobody can be made to believe in it.
    let other = Trust {
        root_key: Some(
            Key::new("countersign.invalid/root", 9)
                .verifier_key()
                .clone(),
        ),
        ..Trust::default()
    };
    let report = audit(&publish(&leaves), other);
    assert!(finds(&report, Check::RootKey));
    assert!(finds(&report, Check::CheckpointSignature));

    // Nor does it vouch for a key that it has not granted.
    let report = audit(
        &under(&leaves, &signed_by(&next(), ORIGIN, &leaves)),
        only_root(),
    );
    assert!(finds(&report, Check::CheckpointSignature));
}

#[test]
fn without_the_entries_the_root_key_says_nothing_of_log_keys() {
    let audit = Audit {
        depth: Depth::Tree,
        ..Audit::new(only_root())
    };
    let answer = audit.run(&publish(&story().leaves()), &mut |_| {});
    assert_eq!(answer, Err(VerifyError::NoLogKey));
    let nothing = Audit::new(Trust::default()).run(&publish(&story().leaves()), &mut |_| {});
    assert_eq!(nothing, Err(VerifyError::NoLogKey));
}

#[test]
fn after_a_rotation_the_new_key_signs_and_the_old_one_does_not() {
    let leaves = rotated().leaves();
    let by_new = under(&leaves, &signed_by(&next(), ORIGIN, &leaves));
    let by_old = publish(&leaves);
    for trust in [
        only_root(),
        with(&[&next()]),
        with(&[&Key::log()]),
        with(&[&Key::log(), &next()]),
    ] {
        let report = audit(&by_new, trust);
        assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    }
    for trust in [
        only_root(),
        with(&[&Key::log()]),
        with(&[&Key::log(), &next()]),
    ] {
        assert!(finds(&audit(&by_old, trust), Check::LogKey));
    }
    // Who knows neither the root key nor the new key learns nothing of it from the log.
    let report = audit(&by_new, Trust::in_key(Key::log().verifier_key().clone()));
    assert!(finds(&report, Check::CheckpointSignature));
}

#[test]
fn a_checkpoint_of_before_the_rotation_still_anchors() {
    let story = rotated();
    let leaves = story.leaves();
    let before = story.position("next granted");
    let log = under(&leaves, &signed_by(&next(), ORIGIN, &leaves));
    let held = signed_by(&Key::log(), ORIGIN, &leaves[..before]);
    for trust in [only_root(), with(&[&next()])] {
        let report = audit(&log, trust.holding(held.clone()));
        assert_eq!(report.ranges[0].word, Word::Trusted, "{}", told(&report));
        assert_eq!(report.ranges[0].last, before as u64 - 1);
    }
    // One that nobody known has signed is the caller's mistake.
    let foreign = signed_by(&Key::new(ORIGIN, 5), ORIGIN, &leaves[..before]);
    let answer = Audit::new(only_root().holding(foreign)).run(&log, &mut |_| {});
    assert!(matches!(answer, Err(VerifyError::Held(_))));
}

#[test]
fn a_log_that_hides_a_rotation_fails_against_a_checkpoint_of_after_it() {
    let story = rotated();
    let leaves = story.leaves();
    let held = signed_by(&next(), ORIGIN, &leaves);
    let before = &leaves[..story.position("next granted")];
    let short = under(before, &signed_by(&Key::log(), ORIGIN, before));
    // The root key vouches for no key that signed what is held, because the log leaves out the entry.
    let report = audit(&short, only_root().holding(held.clone()));
    assert!(finds(&report, Check::Truncated), "{}", told(&report));
    assert_eq!(report.contradiction, None);

    let mut other = before.to_vec();
    other.extend(vec![before[1].clone(); leaves.len() - before.len() + 1]);
    let forked = under(&other, &signed_by(&Key::log(), ORIGIN, &other));
    let report = audit(&forked, only_root().holding(held));
    assert!(finds(&report, Check::HeldCheckpoint), "{}", told(&report));
    assert_eq!(report.contradiction, None);
}

#[test]
fn a_stolen_log_key_cannot_rotate_itself() {
    let thief = Key::new(ORIGIN, 66);
    for by in [Key::log(), thief] {
        let mut story = beginning();
        let thief = Key::new(ORIGIN, 66);
        add(&mut story, "granted", Granted, &vkey(&thief), &by);
        add(&mut story, "revoked", Revoked, &vkey(&Key::log()), &by);
        let leaves = story.leaves();
        for signer in [&thief, &Key::log()] {
            let log = under(&leaves, &signed_by(signer, ORIGIN, &leaves));
            assert!(finds(&audit(&log, only_root()), Check::RootSignature));
            let report = audit(&log, with(&[&Key::log()]));
            assert!(finds(&report, Check::RootSignature));
        }
    }
}

/// A key of type 0x06, for its form only.
fn ml_dsa_key(name: &str) -> String {
    let key = VerifierKey::ml_dsa_44(name.parse().unwrap(), &[7; 1312]);
    key.unwrap().to_string()
}

#[test]
fn a_second_key_may_be_granted_and_revoked() {
    let mut story = story();
    let key = ml_dsa_key(ORIGIN);
    add(&mut story, "on", Granted, &key, &Key::root());
    let report = audit(&publish(&story.leaves()), with(&[&Key::log()]));
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    add(&mut story, "off", Revoked, &key, &Key::root());
    let report = audit(&publish(&story.leaves()), with(&[&Key::log()]));
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    add(&mut story, "on again", Granted, &key, &Key::root());
    assert!(finds(
        &audit(&publish(&story.leaves()), only_root()),
        Check::KeyHistory
    ));
}

#[test]
fn a_second_key_of_another_name_is_refused() {
    let mut story = story();
    add(
        &mut story,
        "on",
        Granted,
        &ml_dsa_key("elsewhere"),
        &Key::root(),
    );
    assert!(finds(
        &audit(&publish(&story.leaves()), only_root()),
        Check::KeyHistory
    ));
}

#[test]
fn a_wrong_second_signature_is_found_by_whoever_pins_the_root_key() {
    let mut story = story();
    let key: VerifierKey = ml_dsa_key(ORIGIN).parse().unwrap();
    add(&mut story, "on", Granted, &key.to_string(), &Key::root());
    let leaves = story.leaves();
    let mut note = signed_by(&Key::log(), ORIGIN, &leaves);
    let line = countersign_note::NoteSignature::new(key.name().clone(), key.id(), vec![1; 2428]);
    note.add_signature(line.unwrap()).unwrap();
    for trust in [only_root(), with(&[&Key::log()])] {
        assert!(finds(
            &audit(&under(&leaves, &note), trust),
            Check::CheckpointSignature
        ));
    }
}
