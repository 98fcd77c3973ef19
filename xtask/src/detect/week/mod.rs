//! A synthetic company of agents, some weeks of its log, and incidents planted in the last one.

mod agent;
mod clock;
mod plant;
pub(super) mod report;
mod score;
mod work;
mod writer;

#[cfg(test)]
mod tests;

use countersign_core::document::WatchSettings;
use countersign_core::entry::{Body, Entry, PolicyPhase};
use countersign_core::pseudonym::Pseudonym;

use self::agent::{Agent, Reader};
use self::plant::{Kind, Plant, Planter};
use self::work::Day;
use self::writer::Letterhead;
use super::dice::Dice;
use super::fold::Watched;
use crate::error::Error;

pub(super) use self::plant::Strength;
pub(super) use self::score::Score;

/// How large the company is, and for how long it was watched before the week that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) agents: usize,
    pub(super) weeks_before: i64,
}

impl Size {
    pub(super) const FULL: Self = Self {
        agents: 200,
        weeks_before: 3,
    };
    /// The same company, watched for a shorter time.
    pub(super) const SMOKE: Self = Self {
        agents: 200,
        weeks_before: 2,
    };
}

/// New agents a week.
const HIRED: usize = 5;
/// Targets that all have in common.
const COMMONS: usize = 400;
/// How many new partners there are a week whom everybody writes to, for how many days.
const LAUNCH_DAYS: [i64; 2] = [1, 2];

/// A company that is at work.
struct Company {
    dice: Dice,
    letterhead: Letterhead,
    commons: Vec<Pseudonym>,
    agents: Vec<Agent>,
    readers: Vec<Reader>,
    launch: Pseudonym,
    /// What is written and not due yet.
    to_come: Vec<Entry>,
}

impl Company {
    fn found(seed: u64, size: Size) -> Result<Self, Error> {
        let dice = Dice::new(seed);
        let mut letterhead = Letterhead::new(&dice)?;
        let commons: Vec<Pseudonym> = (0..COMMONS).map(|_| dice.pseudonym()).collect();
        let hired = usize::try_from(size.weeks_before + 1).unwrap_or(1) * HIRED;
        let agents = (0..size.agents)
            .map(|n| {
                // The last ones begin on some day or other while the log is kept.
                let is_new = n + hired.min(size.agents / 4) >= size.agents;
                let since = match is_new {
                    true => dice.millis(0, 7 * (size.weeks_before + 1) - 2),
                    false => -1,
                };
                Agent::hire(n, since, &dice, &commons)
            })
            .collect::<Result<_, _>>()?;
        let first = letterhead.change(clock::day(0), &dice);
        Ok(Self {
            readers: agent::readers(&dice),
            launch: dice.pseudonym(),
            dice,
            letterhead,
            commons,
            agents,
            to_come: vec![first],
        })
    }

    /// Plants what is to be found in a week. Before anything else of the week is written.
    fn plant(&mut self, week: i64, strength: Strength) -> Vec<Plant> {
        // Changes of the bundle are written in their order.
        let mut kinds: Vec<Kind> = Kind::ALL.to_vec();
        kinds.sort_by_key(|kind| *kind != Kind::Loosened);
        let mut plants = Vec::new();
        for kind in kinds {
            for n in 0..kind.count() {
                let day = match kind {
                    Kind::Loosened => [1, 3].get(n).copied().unwrap_or(4),
                    _ => self.dice.millis(0, 4),
                };
                let mut planter = Planter {
                    dice: &self.dice,
                    letterhead: &mut self.letterhead,
                    agents: &mut self.agents,
                    readers: &mut self.readers,
                    strength,
                    entries: &mut self.to_come,
                };
                plants.extend(planter.plant(kind, 7 * week + day));
            }
        }
        plants
    }

    /// What the log gains on a day, in its order.
    fn day(&mut self, n: i64) -> Vec<Entry> {
        if clock::weekday(n) == 0 {
            self.launch = self.dice.pseudonym();
        }
        let launches = LAUNCH_DAYS.contains(&clock::weekday(n));
        let day = Day {
            n,
            dice: &self.dice,
            letterhead: &self.letterhead,
            commons: &self.commons,
            launch: launches.then_some((self.launch, 0.04)),
        };
        for agent in &mut self.agents {
            day.work(agent, &mut self.to_come);
        }
        for reader in &self.readers {
            day.read(reader, &mut self.to_come);
        }
        self.due(n + 1)
    }

    /// What is written and lies before a day, in the order of time.
    fn due(&mut self, day: i64) -> Vec<Entry> {
        // What was written first comes first where the times are equal.
        self.to_come.sort_by_key(|entry| entry.timestamp);
        let until = clock::day(day);
        let due = self
            .to_come
            .partition_point(|entry| entry.timestamp.as_millis() < until);
        self.to_come.drain(..due).collect()
    }

    /// A bundle that changes nothing that matters comes into force.
    fn change_bundle(&mut self, day: i64) {
        let at = clock::at(day, self.dice.between(9.0, 16.0));
        let entry = self.letterhead.change(at, &self.dice);
        self.to_come.push(entry);
    }
}

/// Plays the weeks of one seed; what is planted is planted in the last one.
pub(super) fn play(seed: u64, strength: Strength, size: Size) -> Result<Score, Error> {
    let mut company = Company::found(seed, size)?;
    let mut watched = Watched::new(seed, clock::begin());
    let mut plants = Vec::new();
    let mut score = Score::new(seed, strength);
    for n in 0..7 * (size.weeks_before + 1) {
        let (week, weekday) = (n.div_euclid(7), clock::weekday(n));
        let is_last = week == size.weeks_before;
        if is_last && weekday == 0 {
            plants = company.plant(week, strength);
            score.begin(&plants, watched.raised.len(), watched.reports);
        } else if (!is_last && matches!(weekday, 1 | 3)) || (is_last && weekday == 4) {
            company.change_bundle(n);
        }
        for entry in company.day(n) {
            show(&mut watched, &mut score, entry);
        }
    }
    // What is left of the last evening, and a night to let what is running come to its end.
    let end = 7 * (size.weeks_before + 1);
    for entry in company.due(end + 1) {
        show(&mut watched, &mut score, entry);
    }
    watched.advance(countersign_core::time::Timestamp::from_millis(clock::day(
        end + 1,
    )));
    score.end(&plants, &watched);
    score.agents = company.agents.iter().map(ToString::to_string).collect();
    Ok(score)
}

fn show(watched: &mut Watched, score: &mut Score, entry: Entry) {
    if let Body::Policy(policy) = &entry.body
        && policy.phase == PolicyPhase::InForce
    {
        watched.set_policy(policy.policy_ref, WatchSettings::default());
    }
    let noted = score.note(&entry);
    let index = watched.append(entry);
    score.placed(noted, index);
}
