//! A day's work without anything wrong: sessions, turns, calls, and what comes of them.

use countersign_core::entry::{Entry, Links};
use countersign_core::names::BuiltinReason;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::verdict::Outcome;

use super::agent::{Agent, Hours, Reader, Temper};
use super::clock::{self, HOUR_MS, MINUTE_MS, SECOND_MS};
use super::writer::{Call, Letterhead, Ran, Session, Writer};
use crate::detect::dice::Dice;

/// Calls in a turn, and turns in a session, on average.
const CALLS_A_TURN: f64 = 5.0;
const TURNS_A_SESSION: f64 = 3.0;
/// How many calls a person is asked about.
const ESCALATED: f64 = 0.01;
/// How often it is never learnt what became of a call, and how often nobody reports it.
const UNKNOWN: f64 = 0.003;
const SILENT: f64 = 0.0015;

/// What a day is made of.
pub(super) struct Day<'d> {
    pub(super) n: i64,
    pub(super) dice: &'d Dice,
    pub(super) letterhead: &'d Letterhead,
    pub(super) commons: &'d [Pseudonym],
    /// A target that everybody begins to name today, for a good reason, and how likely each is to.
    pub(super) launch: Option<(Pseudonym, f64)>,
}

impl Day<'_> {
    /// All that an agent does on the day.
    pub(super) fn work(&self, agent: &mut Agent, entries: &mut Vec<Entry>) {
        let Some((from, until)) = agent.shift(clock::weekday(self.n), self.dice) else {
            return;
        };
        if self.n < agent.since {
            return;
        }
        // Now and then there is four times as much to do.
        let load = if self.dice.chance(0.006) { 4.0 } else { 1.0 };
        let calls = load * self.dice.around(agent.calls, 0.4);
        let sessions = poisson(calls / CALLS_A_TURN / TURNS_A_SESSION, self.dice);
        let midnight = clock::day(self.n);
        let mut begins: Vec<i64> = (0..sessions)
            .map(|_| midnight + self.dice.millis(from, until - 10 * MINUTE_MS))
            .filter(|at| !self.is_at_lunch(agent, *at))
            .collect();
        begins.sort_unstable();
        if let Some((target, likely)) = self.launch
            && agent.is_regular()
            && self.dice.chance(likely)
        {
            let at = midnight + self.dice.millis(from, until - HOUR_MS);
            self.session(agent, at, Some(target), entries);
        }
        for at in begins {
            self.session(agent, at, None, entries);
        }
    }

    /// All that a reader opens on the day.
    pub(super) fn read(&self, reader: &Reader, entries: &mut Vec<Entry>) {
        let weekday = clock::weekday(self.n);
        let reads = reader.weekday.map_or(weekday < 5, |only| only == weekday);
        if !reads {
            return;
        }
        let sitting = clock::at(self.n, self.dice.between(8.0, 10.0));
        for _ in 0..poisson(reader.openings, self.dice) {
            let at = match reader.in_one_sitting {
                true => sitting + self.dice.millis(0, 45 * MINUTE_MS),
                false => clock::at(self.n, self.dice.between(7.5, 17.5)),
            };
            let records = 1 + self.dice.times(0.5, 6);
            self.writer(entries).opened(at, reader, records);
        }
    }

    fn is_at_lunch(&self, agent: &Agent, at: i64) -> bool {
        let Hours::Office { from, length } = agent.hours else {
            return false;
        };
        let noon = clock::at(self.n, from + length / 2.0);
        (noon..noon + HOUR_MS).contains(&at) && self.dice.chance(0.7)
    }

    fn writer<'w>(&'w self, entries: &'w mut Vec<Entry>) -> Writer<'w> {
        Writer {
            dice: self.dice,
            letterhead: self.letterhead,
            entries,
        }
    }

    fn session(
        &self,
        agent: &mut Agent,
        at: i64,
        names: Option<Pseudonym>,
        entries: &mut Vec<Entry>,
    ) {
        let mut writer = self.writer(entries);
        let mut session = writer.open(at, agent.principal(self.dice));
        let mut at = at;
        let mut names = names;
        for _ in 0..1 + self.dice.times(1.0 / TURNS_A_SESSION, 20) {
            at = self.turn(
                agent,
                &mut session,
                at + SECOND_MS,
                names.take(),
                &mut writer,
            );
            // The person reads, and asks for the next thing.
            at += self.dice.around(90_000.0, 1.0).min(HOUR_MS as f64 / 2.0) as i64;
        }
        writer.close(&session);
    }

    fn turn(
        &self,
        agent: &mut Agent,
        session: &mut Session,
        mut at: i64,
        names: Option<Pseudonym>,
        writer: &mut Writer<'_>,
    ) -> i64 {
        let intent = writer.turn(at, session, &agent.name);
        let mut names = names;
        for _ in 0..1 + self.dice.times(1.0 / CALLS_A_TURN, 60) {
            at += self.dice.around(8_000.0, 0.9).min(10.0 * MINUTE_MS as f64) as i64;
            let Some(action) = self.dice.ranked(&agent.actions).cloned() else {
                break;
            };
            let mut call = Call {
                action,
                targets: self.targets(agent),
                intent: Some(intent),
                outcome: Outcome::Approved,
                reason: BuiltinReason::NoPermit,
            };
            call.targets.extend(names.take());
            if self.dice.chance(agent.rejected) {
                at = self.rejected(agent, session, call, at, writer);
            } else if self.dice.chance(ESCALATED) {
                at = self.asked_about(agent, session, call, at, writer);
            } else {
                at = self.approved(agent, session, &call, at, Links::default(), writer);
            }
        }
        at
    }

    fn targets(&self, agent: &mut Agent) -> Vec<Pseudonym> {
        let count = match self.dice.share() {
            share if share < 0.12 => 0,
            share if share < 0.88 => 1,
            _ => 2 + self.dice.below(4),
        };
        let mut targets = Vec::with_capacity(count);
        for _ in 0..count {
            let target = agent.target(self.dice, self.commons);
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }

    fn approved(
        &self,
        agent: &Agent,
        session: &mut Session,
        call: &Call,
        at: i64,
        links: Links,
        writer: &mut Writer<'_>,
    ) -> i64 {
        let decision = writer.decision(at, session, agent, call, links);
        let ran = match self.dice.share() {
            _ if !agent.reports => Ran::Silent,
            share if share < SILENT => Ran::Silent,
            share if share < SILENT + UNKNOWN => Ran::Unknown,
            _ => Ran::Reported {
                with_start: agent.starts,
            },
        };
        writer.ran(at, session, call, agent, decision, ran)
    }

    /// A rejection, and what agents do then: most go on with something else, some try once more
    /// with something changed.
    fn rejected(
        &self,
        agent: &mut Agent,
        session: &mut Session,
        mut call: Call,
        mut at: i64,
        writer: &mut Writer<'_>,
    ) -> i64 {
        call.outcome = Outcome::Rejected;
        let is_habit = agent.temper == Temper::Habitual && self.dice.chance(0.8);
        if is_habit {
            call.targets = vec![agent.denied];
            call.action = agent.actions.first().cloned().unwrap_or(call.action);
        }
        writer.decision(at, session, agent, &call, Links::default());
        let again = self.dice.times(1.0 - agent.insists, 8);
        for _ in 0..again {
            at += self.dice.around(6_000.0, 0.6) as i64;
            let is_changed = !is_habit && self.dice.chance(0.6);
            if is_changed {
                call.targets = vec![agent.target(self.dice, self.commons)];
            }
            // The same once more is rejected once more.
            if is_changed && self.dice.chance(0.4) {
                call.outcome = Outcome::Approved;
                return self.approved(agent, session, &call, at, Links::default(), writer);
            }
            writer.decision(at, session, agent, &call, Links::default());
        }
        at
    }

    /// A call that a person is asked about.
    fn asked_about(
        &self,
        agent: &Agent,
        session: &mut Session,
        mut call: Call,
        mut at: i64,
        writer: &mut Writer<'_>,
    ) -> i64 {
        call.outcome = Outcome::Escalated;
        let escalated = writer.decision(at, session, agent, &call, Links::default());
        let waits = self.dice.around(4.0 * MINUTE_MS as f64, 0.8);
        at += waits.min(14.0 * MINUTE_MS as f64) as i64;
        let yes = self.dice.chance(0.75);
        let review = writer.review(at, &call, escalated, yes);
        at += SECOND_MS;
        let links = Links {
            review: Some(review),
            resolves: Some(escalated),
            ..Links::default()
        };
        if yes {
            call.outcome = Outcome::Approved;
            return self.approved(agent, session, &call, at, links, writer);
        }
        call.outcome = Outcome::Rejected;
        call.reason = BuiltinReason::ReviewRejected;
        writer.decision(at, session, agent, &call, links);
        at
    }
}

/// A number of things that happen independently, by their average (Knuth's way).
fn poisson(average: f64, dice: &Dice) -> usize {
    let least = (-average.min(500.0)).exp();
    let mut left = dice.share();
    let mut count = 0;
    while left > least {
        left *= dice.share();
        count += 1;
    }
    count
}
