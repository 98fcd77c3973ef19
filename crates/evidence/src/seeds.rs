//! What an incident begins from: the entries that the question itself names, their turns, their
//! sessions, and the time around them.

use std::collections::BTreeSet;

use countersign_core::entry::Body;
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;

use crate::limits::{BESIDE_S, CHAIN};
use crate::members;
use crate::pool::Pool;
use crate::question::Question;

/// Where an incident begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seeds {
    /// The flag that it is about, if it is about one.
    pub(crate) flag: Option<EntryId>,
    /// The entries themselves.
    pub(crate) core: BTreeSet<u64>,
    /// Entries that are named and not in the pool.
    pub(crate) missing: BTreeSet<EntryId>,
    /// The execution whose result came just before the onset.
    pub(crate) before: Option<u64>,
    /// The turns behind them, with those that they rest on.
    pub(crate) turns: BTreeSet<IntentRef>,
    /// The sessions in which they were made.
    pub(crate) sessions: BTreeSet<Pseudonym>,
    /// The first and the last of their times.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
    /// The time around them that belongs to the incident: from, and up to and without.
    pub(crate) window: Option<(Timestamp, Timestamp)>,
    /// The first of their times and of their turns'.
    pub(crate) since: Option<Timestamp>,
}

impl Seeds {
    /// What can be told from the entries of the pool.
    pub(crate) fn of(question: &Question, pool: &Pool) -> Self {
        let mut seeds = Self::default();
        let mut beside_s = BESIDE_S;
        match question {
            Question::Entry(id) => {
                seeds.name(pool, *id);
                seeds.flag = pool
                    .index_of(*id)
                    .and_then(|index| pool.body(index))
                    .and_then(|body| match body {
                        Body::Flag(_) => Some(*id),
                        Body::FlagUpdate(update) => update.links.flag,
                        Body::FlagClose(close) => close.links.flag,
                        _ => None,
                    });
                if let Some(flag) = seeds.flag {
                    beside_s = beside_s.max(seeds.add_flag(pool, flag));
                }
            }
            Question::Intent(intent) => {
                seeds.turns.insert(*intent);
                beside_s = 0;
                let named = pool.bodies().filter(|(_, _, body)| match body {
                    Body::Intent(own) => own.intent_ref == *intent,
                    body => members::turns(body).contains(intent),
                });
                seeds.core.extend(named.map(|(index, _, _)| index));
            }
            Question::Between(from, to) => {
                beside_s = 0;
                let within = pool.all().filter(|(_, entry)| {
                    let at = entry.timestamp();
                    *from <= at && at < *to
                });
                seeds.core.extend(within.map(|(index, _)| index));
            }
        }
        seeds.follow(question, pool, beside_s);
        seeds
    }

    fn name(&mut self, pool: &Pool, id: EntryId) {
        match pool.index_of(id) {
            Some(index) => {
                self.core.insert(index);
            }
            None => {
                self.missing.insert(id);
            }
        }
    }

    /// What a flag and its reports name; how long the flag counted, in seconds.
    fn add_flag(&mut self, pool: &Pool, flag: EntryId) -> u32 {
        self.name(pool, flag);
        let mut named = Vec::new();
        let mut window_s = 0;
        for (index, _, body) in pool.bodies() {
            match body {
                Body::Flag(body) if pool.id_at(index) == Some(flag) => {
                    window_s = body.window_s;
                    named.push(body.onset);
                    named.extend(&body.entries);
                    if let Some(after) = body.after {
                        self.before = pool.index_of(after);
                        named.push(after);
                    }
                }
                Body::FlagUpdate(body) if body.links.flag == Some(flag) => {
                    self.core.insert(index);
                    named.extend(&body.entries);
                }
                Body::FlagClose(body) if body.links.flag == Some(flag) => {
                    self.core.insert(index);
                }
                _ => {}
            }
        }
        named.into_iter().for_each(|id| self.name(pool, id));
        window_s
    }

    fn follow(&mut self, question: &Question, pool: &Pool, beside_s: u32) {
        for index in &self.core {
            let Some(body) = pool.body(*index) else {
                continue;
            };
            self.turns.extend(members::turns(body));
            self.sessions.extend(members::session(body));
        }
        self.turns = chain(pool, std::mem::take(&mut self.turns));
        let of_turns: Vec<u64> = self.turns.iter().filter_map(|it| pool.turn(*it)).collect();
        if !matches!(question, Question::Between(..)) {
            let sessions = of_turns.iter().filter_map(|index| pool.body(*index));
            self.sessions.extend(sessions.filter_map(members::session));
        }
        // A flag is raised when it is raised: what it is about has its own times.
        let is_alert = |body: &Body| {
            matches!(
                body,
                Body::Flag(_) | Body::FlagUpdate(_) | Body::FlagClose(_)
            )
        };
        let time = |index: &u64| Some(pool.get(*index)?.entry.timestamp());
        let happened = self
            .core
            .iter()
            .filter(|index| !pool.body(**index).is_some_and(is_alert))
            .filter(|index| self.before != Some(**index));
        let mut times: Vec<Timestamp> = happened.filter_map(time).collect();
        if times.is_empty() {
            times = self.core.iter().filter_map(time).collect();
        }
        let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
            return;
        };
        self.times = Some((*first, *last));
        let beside_ms = i64::from(beside_s).saturating_mul(1_000);
        // Up to and without: the last entry itself is within.
        let end = last.plus_millis(beside_ms.saturating_add(1));
        self.window = Some((first.plus_millis(beside_ms.saturating_neg()), end));
        let registered = of_turns.iter().filter_map(time).min();
        self.since = Some(registered.map_or(*first, |at| at.min(*first)));
    }
}

/// The turns and those that they rest on, as far as the pool holds them.
fn chain(pool: &Pool, turns: BTreeSet<IntentRef>) -> BTreeSet<IntentRef> {
    let mut found = turns.clone();
    let mut newest = turns;
    for _ in 0..CHAIN {
        let bodies = newest.iter().filter_map(|it| pool.turn(*it));
        let before = bodies
            .filter_map(|index| pool.body(index))
            .flat_map(members::turns);
        newest = before.filter(|it| !found.contains(it)).collect();
        if newest.is_empty() {
            break;
        }
        found.extend(&newest);
    }
    found
}
