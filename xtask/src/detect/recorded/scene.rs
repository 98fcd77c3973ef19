//! Played runs put together: the working life of each agent without an attack, attacked runs after
//! it, and campaigns.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::WatchSettings;
use countersign_core::entry::{Detector, Entry};
use countersign_core::ids::EntryId;
use countersign_core::refs::PolicyRef;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use super::play::{Played, PlayedCall};
use crate::detect::dice::Dice;
use crate::detect::fold::{Raised, Watched};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-02-09T00:00:00Z, a Monday.
const BEGIN_MS: i64 = 1_770_595_200_000;
/// The hours at which an agent's runs of a working day begin, or a bit later.
const HOURS: [i64; 4] = [9, 11, 13, 15];
/// How far apart the runs of a campaign begin.
const CAMPAIGN_MS: i64 = 5 * MINUTE_MS;

/// What one order of the runs came to.
pub(super) struct Scene {
    /// Runs without an attack, by recording.
    pub(super) lives: BTreeMap<String, Life>,
    pub(super) attacks: Vec<Attack>,
    pub(super) campaigns: Vec<Attack>,
    /// Each flag in a run without an attack, for those who look for the reason.
    pub(super) false_flags: Vec<String>,
}

/// The runs of a recording without an attack.
#[derive(Debug, Default, Clone)]
pub(super) struct Life {
    pub(super) runs: u64,
    pub(super) calls: u64,
    pub(super) flagged: u64,
    pub(super) flags: BTreeMap<Detector, u64>,
}

/// How an attack went, and whether somebody was told.
#[derive(Debug, Clone)]
pub(super) struct Attack {
    pub(super) recording: String,
    pub(super) fate: Fate,
    /// How many of the attacker's calls were rejected or escalated.
    pub(super) stopped: u64,
    /// The detectors that were the first to say so.
    pub(super) by: BTreeSet<Detector>,
    pub(super) flagged: Option<Flagged>,
    /// Whether only other calls than the attacker's were flagged.
    pub(super) elsewhere: bool,
}

/// The worst for the attacker that its calls met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// There is no call that can be said to be the attacker's.
    None,
    Approved,
    Escalated,
    Rejected,
}

/// The first flag on an attack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flagged {
    /// How many of the attacker's calls there had been.
    pub(super) after: u64,
    pub(super) onset: Onset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Onset {
    /// The attacker's first call.
    First,
    /// The first of them that was stopped; one had passed before.
    FirstStopped,
    /// Another one of them.
    Later,
    /// A call that is not the attacker's.
    Other,
}

type Settings = (PolicyRef, WatchSettings);

impl Scene {
    pub(super) fn play(seed: u64, played: &[Played], settings: &Settings) -> Self {
        let dice = Dice::new(seed);
        let mut watched = Watched::new(seed, Timestamp::from_millis(BEGIN_MS));
        watched.set_policy(settings.0, settings.1.clone());
        let (lives, false_flags, until) = live(&dice, played, &mut watched);
        let attacked = || played.iter().filter(|run| run.attack.is_some());
        let mut campaigns: BTreeMap<_, Vec<&Played>> = BTreeMap::new();
        for run in attacked() {
            let of = (&run.recording, &run.actor, &run.attack);
            campaigns.entry(of).or_default().push(run);
        }
        Self {
            lives,
            false_flags,
            attacks: attacked()
                .map(|run| attack(&[run], &watched, until))
                .collect(),
            campaigns: campaigns
                .into_values()
                .map(|mut runs| {
                    shuffle(&dice, &mut runs);
                    attack(&runs, &watched, until)
                })
                .collect(),
        }
    }
}

/// Every agent's runs without an attack, some a day, in an order that is drawn; and the first
/// working morning after all of them.
fn live(
    dice: &Dice,
    played: &[Played],
    watched: &mut Watched,
) -> (BTreeMap<String, Life>, Vec<String>, Timestamp) {
    let mut of_actors: BTreeMap<&str, Vec<&Played>> = BTreeMap::new();
    for run in played.iter().filter(|run| run.attack.is_none()) {
        of_actors.entry(&run.actor).or_default().push(run);
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut whose: BTreeMap<EntryId, (u64, &Played)> = BTreeMap::new();
    let mut lives: BTreeMap<String, Life> = BTreeMap::new();
    let (mut last, mut count) = (0, 0);
    for (_, mut runs) in of_actors {
        shuffle(dice, &mut runs);
        for (workday, runs) in (0i64..).zip(runs.chunks(HOURS.len())) {
            let day = workday / 5 * 7 + workday % 5;
            last = last.max(day);
            for (hour, run) in HOURS.iter().zip(runs) {
                let late = dice.millis(0, HOUR_MS);
                let at = BEGIN_MS + day * DAY_MS + hour * HOUR_MS + late;
                let life = lives.entry(run.recording.clone()).or_default();
                life.runs += 1;
                life.calls += run.calls.len() as u64;
                count += 1;
                for entry in run.at(Timestamp::from_millis(at)) {
                    whose.insert(entry.entry_id, (count, run));
                    entries.push(entry);
                }
            }
        }
    }
    entries.sort_by_key(|entry| entry.timestamp);
    for entry in entries {
        watched.append(entry);
    }
    let next = last + if last % 7 >= 4 { 7 - last % 7 } else { 1 };
    let morning = Timestamp::from_millis(BEGIN_MS + next * DAY_MS + 9 * HOUR_MS);
    watched.advance(morning);
    let (mut flagged, mut told) = (BTreeSet::new(), Vec::new());
    for raised in &watched.raised {
        let runs = raised.entries.iter().filter_map(|id| whose.get(id));
        let runs: BTreeMap<u64, &Played> = runs.copied().collect();
        for (n, run) in runs {
            if let Some(life) = lives.get_mut(&run.recording) {
                life.flagged += u64::from(flagged.insert(n));
                *life.flags.entry(raised.flag.detector).or_default() += 1;
            }
            told.push(format!("{} {}", raised.flag.detector, tell(run, raised)));
        }
    }
    (lives, told, morning)
}

/// A run, and which of its calls a flag names.
fn tell(run: &Played, raised: &Raised) -> String {
    let calls = run.calls.iter().map(|call| {
        let mark = if raised.entries.contains(&call.decision) {
            "*"
        } else {
            ""
        };
        format!("{mark}{} {:?}", call.tool, call.outcome)
    });
    let calls: Vec<String> = calls.collect();
    format!("{} {}: {}", run.recording, run.n, calls.join(", "))
}

/// Attacked runs of one agent, one after the other, after all that it lived through.
fn attack(runs: &[&Played], lived: &Watched, from: Timestamp) -> Attack {
    let mut watched = lived.clone();
    let before = watched.raised.len();
    let mut at = from;
    let mut places = BTreeMap::new();
    for run in runs {
        for entry in run.at(at) {
            let id = entry.entry_id;
            places.insert(id, watched.append(entry));
        }
        at = at.plus_millis(CAMPAIGN_MS.max(run.length_ms() + MINUTE_MS));
    }
    // What is missed until then would be missed for good.
    watched.advance(at.plus_millis(2 * HOUR_MS));
    let attempts: Vec<&PlayedCall> = runs.iter().flat_map(|run| run.attempts()).collect();
    let raised: Vec<&Raised> = watched.raised.iter().skip(before).collect();
    let is_on = |raised: &&&Raised| {
        let is_attempt = |id: &EntryId| attempts.iter().any(|call| call.decision == *id);
        raised.flag.entries.iter().any(is_attempt)
    };
    let first = raised.iter().copied().find(|raised| is_on(&raised));
    let is_before = |call: &PlayedCall, raised: &Raised| {
        let place = places.get(&call.decision);
        place.is_some_and(|at| *at < raised.index)
    };
    let flagged = first.map(|first| Flagged {
        after: attempts
            .iter()
            .filter(|call| is_before(call, first))
            .count() as u64,
        onset: onset(first.flag.onset, &attempts),
    });
    let by = first.iter().flat_map(|first| {
        let same = raised.iter().filter(|raised| raised.at == first.at);
        same.filter(is_on).map(|raised| raised.flag.detector)
    });
    Attack {
        recording: runs
            .first()
            .map(|run| run.recording.clone())
            .unwrap_or_default(),
        fate: attempts
            .iter()
            .map(|call| Fate::of(call.outcome))
            .max()
            .unwrap_or(Fate::None),
        stopped: attempts
            .iter()
            .filter(|call| call.outcome != Outcome::Approved)
            .count() as u64,
        by: by.collect(),
        elsewhere: flagged.is_none() && !raised.is_empty(),
        flagged,
    }
}

fn onset(stated: EntryId, attempts: &[&PlayedCall]) -> Onset {
    let is = |call: Option<&&PlayedCall>| call.is_some_and(|call| call.decision == stated);
    let is_stopped = |call: &&&PlayedCall| call.outcome != Outcome::Approved;
    match () {
        () if is(attempts.first()) => Onset::First,
        () if is(attempts.iter().find(is_stopped)) => Onset::FirstStopped,
        () if attempts.iter().any(|call| call.decision == stated) => Onset::Later,
        () => Onset::Other,
    }
}

impl Fate {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Approved => Self::Approved,
            Outcome::Escalated => Self::Escalated,
            _ => Self::Rejected,
        }
    }
}

fn shuffle<T>(dice: &Dice, items: &mut [T]) {
    for n in (1..items.len()).rev() {
        items.swap(n, dice.below(n + 1));
    }
}
