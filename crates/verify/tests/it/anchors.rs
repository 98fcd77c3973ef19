//! The three words, and what they rest on.

use countersign_core::entry::Body;
use countersign_note::{NoteSigner as _, TlogPolicy};
use countersign_verify::{
    Anchor, Audit, Check, Depth, Limits, NotShownCode, Trust, VerifyError, Word,
};

use crate::log::{self, Key, Witness, audit, checkpoint, publish, told, trust};
use crate::story::{beginning, story};

fn ranges(report: &countersign_verify::Report) -> String {
    let ranges = report.ranges.iter();
    let words: Vec<String> = ranges
        .map(|r| format!("{} {}-{}", r.word, r.first, r.last))
        .collect();
    words.join(", ")
}

#[test]
fn the_story_holds_every_kind_of_entry() {
    let story = story();
    for (kind, _, _) in Body::KINDS {
        let found = story
            .entries
            .iter()
            .any(|(_, entry)| entry.body.kind() == *kind);
        assert!(found, "no `{kind}` in the story");
    }
}

#[test]
fn a_sound_log_is_unanchored_when_nothing_is_held() {
    let leaves = story().leaves();
    let report = audit(&publish(&leaves), trust());
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    assert_eq!(
        ranges(&report),
        format!("unanchored 0-{}", leaves.len() - 1)
    );
    assert_eq!(report.exit_code(), 4);
    let codes: Vec<NotShownCode> = report.not_shown.iter().map(|n| n.code).collect();
    assert!(codes.contains(&NotShownCode::RewrittenByKeyHolder));
    assert!(codes.contains(&NotShownCode::OtherHistories));
    assert!(!codes.contains(&NotShownCode::RootKeyNotPinned));
}

#[test]
fn a_held_checkpoint_covers_the_entries_below_its_size() {
    let leaves = story().leaves();
    let (n, log) = (leaves.len(), publish(&leaves));
    for size in [1, 2, 7, 16, n - 1] {
        let report = audit(&log, trust().holding(checkpoint(&leaves[..size])));
        assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
        let expected = format!("trusted 0-{}, unanchored {size}-{}", size - 1, n - 1);
        assert_eq!(ranges(&report), expected);
    }
    let report = audit(&log, trust().holding(checkpoint(&leaves)));
    assert_eq!(report.word, Word::Trusted, "{}", told(&report));
    assert_eq!(report.exit_code(), 0);
    assert_eq!(report.anchors, [Anchor::HeldCheckpoint { size: n as u64 }]);
    let codes: Vec<NotShownCode> = report.not_shown.iter().map(|n| n.code).collect();
    assert!(!codes.contains(&NotShownCode::RewrittenByKeyHolder));
}

#[test]
fn an_empty_held_checkpoint_anchors_nothing() {
    let leaves = story().leaves();
    let report = audit(&publish(&leaves), trust().holding(checkpoint(&[])));
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    assert!(report.anchors.is_empty());
}

#[test]
fn a_tree_without_entries_is_no_failure() {
    let empty = publish(&[]);
    let audit = Audit {
        depth: Depth::Tree,
        ..Audit::new(trust())
    };
    let report = audit.run(&empty, &mut |_| {}).unwrap();
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    // As a ledger it lacks its first entry.
    let report = log::audit(&empty, trust());
    assert_eq!(report.word, Word::Failed, "{}", told(&report));
    assert_eq!(report.findings[0].check, Check::Genesis);
}

#[test]
fn two_signed_heads_that_contradict_are_kept() {
    let leaves = story().leaves();
    let mut other = story();
    other.entries.truncate(8);
    let position = other.position("tool");
    other.entries[position].1.entry_id = crate::story::entry_id(99);
    for held in [
        checkpoint(&other.leaves()),
        checkpoint(&other.leaves()[..7]),
    ] {
        let report = audit(&publish(&leaves), trust().holding(held.clone()));
        assert_eq!(report.word, Word::Failed);
        assert_eq!(report.exit_code(), 3);
        let shown = report.contradiction.as_ref().unwrap();
        assert_eq!(shown.ours, checkpoint(&leaves).to_string());
        assert_eq!(shown.theirs, held.to_string());
        assert_eq!(report.findings[0].check, Check::HeldCheckpoint);
    }
}

#[test]
fn a_changed_copy_is_no_contradiction_between_signed_heads() {
    let leaves = story().leaves();
    let mut changed = leaves.clone();
    changed[3] = String::from_utf8(leaves[3].clone())
        .unwrap()
        .replace(":1", ":2")
        .into();
    let log = log::under(&changed, &checkpoint(&leaves));
    let report = audit(&log, trust().holding(checkpoint(&leaves[..20])));
    assert_eq!(report.word, Word::Failed);
    assert_eq!(report.contradiction, None);
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn a_log_shorter_than_what_is_held_has_failed() {
    let leaves = story().leaves();
    let held = checkpoint(&leaves);
    let report = audit(&publish(&leaves[..20]), trust().holding(held));
    assert_eq!(report.word, Word::Failed);
    assert_eq!(report.findings[0].check, Check::Truncated);
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn the_policys_quorum_of_witnesses_anchors_the_whole_log() {
    let leaves = story().leaves();
    let (witness, policy) = Witness::new();
    let mut note = checkpoint(&leaves);
    witness.cosign(&mut note);
    let with = |policy| Trust {
        policy: Some(policy),
        ..trust()
    };

    let report = audit(&log::under(&leaves, &note), with(policy.clone()));
    assert_eq!(report.word, Word::Trusted, "{}", told(&report));
    let names = vec!["w".to_owned()];
    assert_eq!(report.anchors, [Anchor::Witnesses { names }]);

    let report = audit(&publish(&leaves), with(policy.clone()));
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    // Who asks for no quorum has none, also where a witness that is named has cosigned.
    let named = format!("witness w {}\nquorum none\n", policy.witnesses()[0].key());
    for none in ["quorum none\n", &named] {
        let none: TlogPolicy = none.parse().unwrap();
        let report = audit(&log::under(&leaves, &note), with(none));
        assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
        assert!(report.anchors.is_empty());
    }
}

#[test]
fn a_key_that_only_the_log_names_is_not_believed() {
    let leaves = story().leaves();
    let stranger = Key::new(log::ORIGIN, 9);
    let report = audit(
        &publish(&leaves),
        Trust::in_key(stranger.verifier_key().clone()),
    );
    assert_eq!(report.word, Word::Failed);
    assert_eq!(report.findings[0].check, Check::CheckpointSignature);
    let none = Audit::new(Trust::default()).run(&publish(&leaves), &mut |_| {});
    assert_eq!(none, Err(VerifyError::NoLogKey));
}

#[test]
fn another_root_key_than_the_pinned_one_is_found() {
    let leaves = story().leaves();
    let other = Key::new("countersign.invalid/root", 8);
    let pinned = Trust {
        root_key: Some(other.verifier_key().clone()),
        ..trust()
    };
    let report = audit(&publish(&leaves), pinned);
    assert_eq!(
        report.findings[0].check,
        Check::RootKey,
        "{}",
        told(&report)
    );
    let unpinned = Trust {
        root_key: None,
        ..trust()
    };
    let report = audit(&publish(&leaves), unpinned);
    let codes: Vec<NotShownCode> = report.not_shown.iter().map(|n| n.code).collect();
    assert!(codes.contains(&NotShownCode::RootKeyNotPinned));
}

#[test]
fn what_the_caller_holds_must_be_of_this_log_and_signed() {
    let leaves = story().leaves();
    let forged = format!(
        "{}\n1\n{}\n\n\u{2014} x AAAAAAA=\n",
        log::ORIGIN,
        "A".repeat(43) + "="
    );
    let run = |held: &str| {
        let trust = trust().holding(held.parse().unwrap());
        Audit::new(trust).run(&publish(&leaves), &mut |_| {})
    };
    assert!(
        matches!(run(&forged), Err(VerifyError::Held(_))),
        "{:?}",
        run(&forged)
    );
}

#[test]
fn absurd_sizes_end_at_once() {
    let leaves = beginning().leaves();
    let key = Key::log();
    for size in [0, 1 << 20, (1 << 32) - 1] {
        let root = countersign_merkle::EMPTY_ROOT;
        let size = countersign_merkle::TreeSize::new(size);
        let absurd = countersign_note::Checkpoint::new(log::ORIGIN, size, root).unwrap();
        let report = audit(
            &log::under(&leaves, &absurd.sign(&[&key]).unwrap()),
            trust(),
        );
        assert_eq!(report.word, Word::Failed, "{size}");
    }
    let size = countersign_merkle::TreeSize::new(1 << 63);
    let root = countersign_merkle::EMPTY_ROOT;
    let absurd = countersign_note::Checkpoint::new(log::ORIGIN, size, root).unwrap();
    let log = log::under(&leaves, &absurd.sign(&[&key]).unwrap());
    let refused = Audit::new(trust()).run(&log, &mut |_| {});
    assert!(matches!(refused, Err(VerifyError::TooLarge { .. })));
}

#[test]
fn findings_are_cut_off_but_counted() {
    let leaves: Vec<Vec<u8>> = story().leaves().iter().map(|_| b"{}".to_vec()).collect();
    let mut audit = Audit::new(trust());
    audit.limits = Limits {
        findings: 3,
        ..Limits::default()
    };
    let report = audit.run(&publish(&leaves), &mut |_| {}).unwrap();
    assert_eq!(report.findings.len(), 3);
    assert!(report.findings_total > leaves.len() as u64);
}

#[test]
fn the_report_is_json_with_stable_codes() {
    let leaves = story().leaves();
    let report = audit(&publish(&leaves), trust().holding(checkpoint(&leaves[..5])));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["word"], "unanchored");
    assert_eq!(
        json["ranges"][0],
        serde_json::json!({"first": 0, "last": 4, "word": "trusted"})
    );
    assert_eq!(
        json["anchors"][0],
        serde_json::json!({"kind": "held-checkpoint", "size": 5})
    );
    assert_eq!(json["not_shown"][0]["code"], "calls-not-asked");
    let mut codes: Vec<&str> = Check::ALL.iter().map(|c| c.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Check::ALL.len());
}
