//! A small part of the table, over the log that holds every kind of entry; `cargo xtask mutate` does
//! all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_core::entry::Body;
use countersign_verify::Word;

use super::*;
use crate::{log, story};

fn court() -> Court {
    let story = story::whole();
    let leaves = story.leaves();
    let mut court = Court::new(
        leaves.clone(),
        log::publish(&leaves),
        log::checkpoint(&leaves),
        log::trust(),
    );
    court.key = Some(log::Key::log());
    court.documents.given = story.documents;
    court.prepare().unwrap();
    let said = court.settle_documents();
    assert!(said.starts_with("held against"), "{said}");
    court
}

/// Tries one change of each kind's each way.
fn judged(court: &Court) -> Vec<(Mutant, Verdict)> {
    let (mutants, _) = all(court).unwrap();
    let mut seen = BTreeSet::new();
    let mutants: Vec<Mutant> = mutants
        .into_iter()
        .filter(|mutant| seen.insert((mutant.row.part.clone(), mutant.row.how.clone())))
        .collect();
    let next = AtomicUsize::new(0);
    let verdicts: Vec<Vec<(usize, Verdict)>> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                match mutants.get(n) {
                    Some(mutant) => done.push((n, court.judge(mutant))),
                    None => return done,
                }
            }
        };
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    let mut verdicts: BTreeMap<usize, Verdict> = verdicts.into_iter().flatten().collect();
    mutants
        .into_iter()
        .enumerate()
        .map(|(n, mutant)| (mutant, verdicts.remove(&n).unwrap()))
        .collect()
}

#[test]
fn no_change_comes_out_better_than_it_may() {
    let court = court();
    let mut holes = Vec::new();
    for (mutant, verdict) in judged(&court) {
        let without = ("without the key", verdict.without);
        let with = verdict
            .with
            .iter()
            .map(|(setting, cell)| (setting.name(), *cell));
        for (setting, cell) in with.chain([without]) {
            if cell.is_hole {
                let word = cell.word.map_or("none", Word::name);
                holes.push(format!(
                    "{:?}: {} ({setting}): {word}",
                    mutant.row, mutant.what
                ));
            }
        }
    }
    assert!(
        holes.is_empty(),
        "{} holes:\n{}",
        holes.len(),
        holes.join("\n")
    );
}

#[test]
fn every_member_of_every_kind_is_changed_removed_and_joined() {
    let (_, coverage) = all(&court()).unwrap();
    assert_eq!(coverage.gaps(), [""; 0]);
    assert_eq!(coverage.kinds().len(), Body::KINDS.len());
}

/// A court that lets everything pass would find no holes either.
#[test]
fn a_change_that_may_not_pass_and_does_is_a_hole() {
    let mut court = court();
    // As if the log had been another one from the start.
    let (mutants, _) = all(&court).unwrap();
    let is_unseen = |mutant: &&Mutant| {
        let verdict = court.judge(mutant);
        let mut bare = verdict
            .with
            .iter()
            .filter(|(setting, _)| *setting == Setting::NoAnchor);
        bare.any(|(_, cell)| cell.word == Some(Word::Unanchored))
    };
    let mut of_judge = mutants.iter().filter(|m| m.row.place == "judge");
    let mutant = of_judge.find(is_unseen).unwrap();
    court.leaves = mutant.edit.leaves(&court.leaves);
    court.signed = log::checkpoint(&court.leaves);
    court.log = log::publish(&court.leaves);
    let verdict = court.judge(mutant);
    assert!(verdict.without.is_hole, "the log holds that change already");
}

#[test]
fn an_older_export_is_found_by_whoever_holds_a_later_checkpoint_and_says_what_it_does_not_show() {
    let said = court().older();
    assert_eq!(said.len(), 4);
    assert!(said.iter().all(|(_, cell)| !cell.is_hole));
    assert_eq!(said[3].1.word, Some(Word::Failed));
}

#[test]
fn a_policy_that_was_given_must_have_been_met_and_covers_then() {
    let story = story::whole();
    let leaves = story.leaves();
    let (witness, policy) = log::Witness::new();
    let of = |signed: countersign_note::Note| {
        let published = log::under(&leaves, &signed);
        let mut court = Court::new(leaves.clone(), published, signed, log::trust());
        court.key = Some(log::Key::log());
        court.policy = Some(policy.clone());
        court
    };
    let plain = log::checkpoint(&leaves);
    assert!(of(plain.clone()).prepare().is_err(), "nobody cosigned it");
    let mut cosigned = plain;
    witness.cosign(&mut cosigned);
    let mut court = of(cosigned);
    court.hold = Some(log::checkpoint(&leaves[..20]));
    court.prepare().unwrap();
    let (mutants, _) = all(&court).unwrap();
    let of_stop = |m: &&Mutant| m.row.part == "revocation" && m.row.place == "timestamp";
    let verdict = court.judge(mutants.iter().find(of_stop).unwrap());
    let word = |setting| {
        let cell = verdict.with.iter().find(|(s, _)| *s == setting);
        cell.and_then(|(_, cell)| cell.word)
    };
    assert_eq!(word(Setting::Copied), Some(Word::Failed));
    assert_ne!(word(Setting::Uncosigned), Some(Word::Trusted));
    assert_ne!(word(Setting::Yours), Some(Word::Trusted));
    assert!(verdict.with.iter().all(|(_, cell)| !cell.is_hole));
}
