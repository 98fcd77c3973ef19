//! What was found of what was planted, and what was raised besides.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use countersign_core::entry::{Body, Detector, Entry};
use countersign_core::ids::EntryId;
use countersign_core::names::ActorName;
use countersign_core::time::Timestamp;

use super::plant::{Kind, Plant, Strength};
use crate::detect::fold::{Raised, Watched};

/// How many entries beside the true onset still count as near.
pub(super) const NEAR: u64 = 2;

/// What one week came to.
#[derive(Debug)]
pub(in crate::detect) struct Score {
    pub(super) seed: u64,
    pub(super) strength: Strength,
    /// Of the week that counts.
    pub(super) entries: u64,
    pub(super) decisions: u64,
    /// Flags before it, while the detectors learnt, and over how many weeks.
    pub(super) flags_before: u64,
    /// Updates and ends of flags in the week.
    pub(super) reports: u64,
    pub(super) incidents: BTreeMap<Kind, Row>,
    pub(super) flags: BTreeMap<Detector, Flags>,
    /// Each flag that rests on nothing planted, for those who look for the reason.
    pub(super) false_flags: Vec<String>,
    /// What was planted and not found, likewise.
    pub(super) misses: Vec<String>,
    /// All agents with their habits, likewise.
    pub(super) agents: Vec<String>,
    places: HashMap<EntryId, Place>,
    ordinals: BTreeMap<ActorName, u64>,
    from: Option<(usize, u64)>,
}

/// Of one kind of incident.
#[derive(Debug, Default, Clone)]
pub(super) struct Row {
    pub(super) planted: u64,
    /// Flagged by any detector.
    pub(super) found: u64,
    /// Of these, by others than the one that is named for it: one incident has one flag, of whoever
    /// sees it first or sees more of it.
    pub(super) by_another: u64,
    /// Not flagged, but taken in by a flag that was there before.
    pub(super) taken_in: u64,
    /// Of the flag of its own detector, or else of the first one.
    pub(super) exact: u64,
    pub(super) near: u64,
    /// Entries up to the flag, and minutes from the first of them to it.
    pub(super) attempts: Vec<u64>,
    pub(super) minutes: Vec<f64>,
}

/// Of one detector.
#[derive(Debug, Default, Clone)]
pub(super) struct Flags {
    /// On incidents that it is to find.
    pub(super) own: u64,
    /// On other planted incidents.
    pub(super) other: u64,
    /// On nothing that was planted.
    pub(super) nothing: u64,
}

/// Where an entry stands.
#[derive(Debug, Clone)]
struct Place {
    index: u64,
    at: Timestamp,
    /// Whose decision it is, and how many it had made.
    decision: Option<(ActorName, u64)>,
}

impl Score {
    pub(super) fn new(seed: u64, strength: Strength) -> Self {
        Self {
            seed,
            strength,
            entries: 0,
            decisions: 0,
            flags_before: 0,
            reports: 0,
            incidents: BTreeMap::new(),
            flags: BTreeMap::new(),
            false_flags: Vec::new(),
            misses: Vec::new(),
            agents: Vec::new(),
            places: HashMap::new(),
            ordinals: BTreeMap::new(),
            from: None,
        }
    }

    /// The week that counts begins.
    pub(super) fn begin(&mut self, plants: &[Plant], flags: usize, reports: u64) {
        self.from = Some((flags, reports));
        self.flags_before = flags as u64;
        for plant in plants {
            self.incidents.entry(plant.kind).or_default().planted += 1;
        }
    }

    /// Notes an entry that is about to be appended.
    pub(super) fn note(&mut self, entry: &Entry) -> Option<EntryId> {
        self.from?;
        self.entries += 1;
        let decision = match &entry.body {
            Body::Decision(decision) => {
                self.decisions += 1;
                let ordinal = self.ordinals.entry(decision.actor.clone()).or_default();
                *ordinal += 1;
                Some((decision.actor.clone(), *ordinal))
            }
            _ => None,
        };
        let place = Place {
            index: 0,
            at: entry.timestamp,
            decision,
        };
        self.places.insert(entry.entry_id, place);
        Some(entry.entry_id)
    }

    /// Where it was appended.
    pub(super) fn placed(&mut self, noted: Option<EntryId>, index: u64) {
        if let Some(place) = noted.and_then(|id| self.places.get_mut(&id)) {
            place.index = index;
        }
    }

    /// The week is over.
    pub(super) fn end(&mut self, plants: &[Plant], watched: &Watched) {
        let (flags, reports) = self.from.unwrap_or_default();
        self.reports = watched.reports.saturating_sub(reports);
        let raised: Vec<&Raised> = watched.raised.iter().skip(flags).collect();
        let owners = owners(plants);
        for flag in &raised {
            self.count_flag(flag, plants, &owners);
        }
        for plant in plants {
            self.count_plant(plant, &raised);
        }
    }

    fn count_flag(&mut self, raised: &Raised, plants: &[Plant], owners: &HashMap<EntryId, usize>) {
        let on: BTreeSet<usize> = raised
            .flag
            .entries
            .iter()
            .filter_map(|id| owners.get(id).copied())
            .collect();
        let is_own = |n: &usize| {
            plants
                .get(*n)
                .is_some_and(|plant| plant.kind.detector() == raised.flag.detector)
        };
        let flags = self.flags.entry(raised.flag.detector).or_default();
        match (on.is_empty(), on.iter().any(is_own)) {
            (true, _) => {
                flags.nothing += 1;
                self.false_flags.push(told(raised));
            }
            (false, true) => flags.own += 1,
            (false, false) => flags.other += 1,
        }
    }

    fn count_plant(&mut self, plant: &Plant, raised: &[&Raised]) {
        let is_of_it = |id: &EntryId| plant.entries.contains(id);
        let names_it = |flag: &&&Raised| flag.flag.entries.iter().any(is_of_it);
        let on: Vec<&Raised> = raised.iter().filter(names_it).copied().collect();
        let own = on
            .iter()
            .find(|flag| flag.flag.detector == plant.kind.detector());
        let began = plant.entries.first().and_then(|id| self.places.get(id));
        let (Some(first), Some(began)) = (on.first(), began.map(|place| place.at)) else {
            let is_taken_in = raised.iter().any(|flag| flag.entries.iter().any(is_of_it));
            let row = self.incidents.entry(plant.kind).or_default();
            row.taken_in += u64::from(is_taken_in);
            let began = began.map(|place| place.at.to_string()).unwrap_or_default();
            self.misses.push(format!(
                "{} from {began}: not flagged, taken in: {is_taken_in}, {}",
                plant.kind.name(),
                plant.whose,
            ));
            return;
        };
        let attempts = self.attempts(plant, first);
        let telling = own.unwrap_or(first);
        let distance = self.distance(plant, telling.flag.onset);
        let row = self.incidents.entry(plant.kind).or_default();
        row.found += 1;
        row.by_another += u64::from(own.is_none());
        row.attempts.push(attempts);
        row.minutes
            .push(first.at.millis_since(began) as f64 / 60_000.0);
        row.exact += u64::from(distance == Some(0));
        row.near += u64::from(distance.is_some_and(|distance| distance <= NEAR));
        if distance != Some(0) {
            let stated = self.places.get(&telling.flag.onset);
            let stated = stated.map(|place| place.at.to_string());
            self.misses.push(format!(
                "onset of {} is {began}, stated {stated:?} ({distance:?} off): {}",
                plant.kind.name(),
                told(telling),
            ));
        }
    }

    /// How many of an incident's entries stood in the log when it was flagged.
    fn attempts(&self, plant: &Plant, raised: &Raised) -> u64 {
        let before = plant.entries.iter().filter(|id| {
            let place = self.places.get(id);
            place.is_some_and(|place| place.index < raised.index)
        });
        before.count() as u64
    }

    /// How far a stated onset is from the true one, in entries of the incident or in decisions of
    /// the same actor; nothing if they have nothing to do with one another.
    fn distance(&self, plant: &Plant, stated: EntryId) -> Option<u64> {
        if let Some(at) = plant.entries.iter().position(|id| *id == stated) {
            return Some(at as u64);
        }
        let of = |id: &EntryId| self.places.get(id)?.decision.as_ref();
        let (actor, n) = of(&stated)?;
        let (whose, first) = of(plant.entries.first()?)?;
        (actor == whose).then(|| n.abs_diff(*first))
    }
}

/// Which incident an entry belongs to.
fn owners(plants: &[Plant]) -> HashMap<EntryId, usize> {
    let all = plants.iter().enumerate();
    all.flat_map(|(n, plant)| {
        let entries = plant.entries.iter().chain(&plant.around);
        entries.map(move |id| (*id, n))
    })
    .collect()
}

fn told(raised: &Raised) -> String {
    let flag = &raised.flag;
    format!(
        "{} {} {} of {} entries ({} stopped, {} passed), {}{}",
        raised.at,
        flag.detector,
        flag.severity,
        flag.count,
        flag.stopped.unwrap_or(0),
        flag.passed.unwrap_or(0),
        flag.actor
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        flag.intent_ref
            .map(|intent| format!(" under {intent}"))
            .unwrap_or_default(),
    )
}
