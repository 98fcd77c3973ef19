//! That what is generated could be a log, and that what is planted is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use countersign_core::entry::{AnyEntry, Body, Entry, Links};
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::verdict::Outcome;

use super::plant::{Kind, Plant, Strength};
use super::{Company, Size, clock, play};

/// Enough that every kind of incident finds somebody.
const WHOLE: Size = Size {
    agents: 200,
    weeks_before: 1,
};
const SMALL: Size = Size {
    agents: 40,
    weeks_before: 1,
};

fn log(seed: u64, strength: Strength, size: Size) -> (Vec<Entry>, Vec<Plant>) {
    let mut company = Company::found(seed, size).unwrap();
    let (mut entries, mut plants) = (Vec::new(), Vec::new());
    for day in 0..14 {
        if day == 7 {
            plants = company.plant(1, strength);
        }
        entries.extend(company.day(day));
    }
    entries.extend(company.due(15));
    (entries, plants)
}

fn named(links: &Links) -> Vec<EntryId> {
    [links.decision, links.review, links.resolves]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn it_could_be_a_log() {
    let (entries, plants) = log(1, Strength::Full, SMALL);
    let planted: BTreeSet<EntryId> = plants
        .iter()
        .flat_map(|plant| plant.entries.clone())
        .collect();
    let mut seen: HashMap<EntryId, Option<Outcome>> = HashMap::new();
    let mut live: BTreeMap<_, _> = BTreeMap::new();
    let mut sessions: BTreeMap<Pseudonym, [u32; 3]> = BTreeMap::new();
    let mut last = clock::begin();
    for entry in &entries {
        assert!(entry.timestamp >= last, "time goes forward");
        last = entry.timestamp;
        let links = match &entry.body {
            Body::Decision(decision) => named(&decision.links),
            Body::Execution(execution) => named(&execution.links),
            Body::Review(review) => named(&review.links),
            Body::PermitRefused(refused) => named(&refused.links),
            _ => Vec::new(),
        };
        assert!(links.iter().all(|id| seen.contains_key(id)), "{entry:?}");
        let mut outcome = None;
        match &entry.body {
            Body::SessionOpen(open) => {
                sessions.insert(open.session, [0; 3]);
            }
            Body::Intent(intent) => {
                live.insert(intent.intent_ref, intent.expires_at);
                sessions.get_mut(&intent.session).unwrap()[0] += 1;
            }
            Body::Decision(decision) => {
                outcome = Some(decision.outcome);
                if let Some(intent) = decision.intent_ref {
                    assert!(live[&intent] > entry.timestamp, "{entry:?}");
                }
                sessions.get_mut(&decision.session.unwrap()).unwrap()[1] += 1;
            }
            Body::Execution(execution) => {
                let decision = execution.links.decision.unwrap();
                let is_approved = seen[&decision] == Some(Outcome::Approved);
                assert!(is_approved || planted.contains(&entry.entry_id));
                sessions.get_mut(&execution.session.unwrap()).unwrap()[2] += 1;
            }
            Body::SessionClose(close) => {
                let counted = sessions.remove(&close.session).unwrap();
                assert_eq!(counted, [close.turns, close.decisions, close.executions]);
            }
            _ => {}
        }
        assert!(
            seen.insert(entry.entry_id, outcome).is_none(),
            "an id twice"
        );
    }
    assert!(sessions.is_empty(), "{} sessions stay open", sessions.len());
    for entry in entries.into_iter().step_by(97) {
        let leaf = entry.to_leaf().unwrap();
        let read = AnyEntry::from_leaf(leaf.as_bytes()).unwrap();
        assert_eq!(read, AnyEntry::Known(Box::new(entry)));
    }
}

#[test]
fn what_is_planted_is_in_the_week() {
    for strength in [Strength::Full, Strength::Half] {
        let (entries, plants) = log(2, strength, WHOLE);
        let at: HashMap<EntryId, usize> = entries
            .iter()
            .enumerate()
            .map(|(n, entry)| (entry.entry_id, n))
            .collect();
        let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
        for plant in &plants {
            *counts.entry(plant.kind).or_default() += 1;
            let expected = plant.kind.entries(strength);
            let expected = match plant.kind {
                Kind::Loosened => 2 * expected,
                _ => expected,
            };
            assert_eq!(plant.entries.len(), expected, "{:?}", plant.kind);
            let places: Vec<usize> = plant.entries.iter().map(|id| at[id]).collect();
            assert!(places.is_sorted(), "{:?}", plant.kind);
            let onset = &entries[places[0]];
            assert!(onset.timestamp.as_millis() >= clock::day(7), "{onset:?}");
        }
        for kind in Kind::ALL {
            assert_eq!(counts.get(&kind), Some(&kind.count()), "{kind:?}");
        }
    }
}

#[test]
fn one_seed_is_one_week() {
    let leaves = |seed| -> Vec<Vec<u8>> {
        let (entries, _) = log(seed, Strength::Full, SMALL);
        let leaf = |entry: &Entry| entry.to_leaf().unwrap().as_bytes().to_vec();
        entries.iter().step_by(101).map(leaf).collect()
    };
    let first = leaves(3);
    assert_eq!(first, leaves(3));
    assert_ne!(first, leaves(4));
}

/// The count can come out well: what is flagged at the first call is.
#[test]
fn what_needs_no_pattern_is_found() {
    let score = play(5, Strength::Half, WHOLE).unwrap();
    for kind in [Kind::Unmandated, Kind::ToolChanged] {
        let row = &score.incidents[&kind];
        assert_eq!((row.planted, row.found, row.exact), (4, 4, 4), "{kind:?}");
        assert!(row.minutes.iter().all(|minutes| *minutes == 0.0));
    }
}
