//! Incidents that are planted, each at a known moment, and of each the entries that it consists of.

use countersign_core::entry::{Detector, Entry, ExecutionPhase, Links, PermitRefusal};
use countersign_core::ids::EntryId;
use countersign_core::names::BuiltinReason;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::verdict::Outcome;
use serde::Serialize;

use super::agent::{Agent, Hours, Reader, Temper};
use super::clock::{self, HOUR_MS, MINUTE_MS, SECOND_MS};
use super::writer::{Call, Letterhead, Ran, Writer};
use crate::detect::dice::Dice;

/// What is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// An agent that is rejected little is rejected again and again within minutes.
    Burst,
    /// The same of an agent that is rejected all day anyway.
    BurstInNoise,
    /// The same over half a working day.
    SlowBurst,
    /// One turn tries one thing after the other after a rejection.
    Retry,
    /// An agent of settled habits reaches for something new.
    NovelTarget,
    /// An agent with regular hours works at its night.
    OffHours,
    /// Many agents come upon one new target within hours.
    Spread,
    /// So do many people's turns, all with one agent.
    SpreadInOne,
    /// Approved calls of an agent whose calls are reported otherwise: nobody reports them.
    MissingExecution,
    /// Permits are shown that are for something else or used up.
    RefusedPermits,
    /// A rejected call runs.
    RanAnyway,
    /// A reader opens many records.
    ReadingAround,
    /// A bundle permits what was just rejected, and it is used.
    Loosened,
    /// Calls under no turn.
    Unmandated,
    /// A tool is listed otherwise than it was confirmed.
    ToolChanged,
}

/// How plainly it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::detect) enum Strength {
    Full,
    /// With half as many entries, or fewer.
    Half,
}

impl Strength {
    pub(in crate::detect) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Half => "half",
        }
    }
}

/// A planted incident.
#[derive(Debug, Clone)]
pub(super) struct Plant {
    pub(super) kind: Kind,
    /// What it consists of, in the order of the log; the first is the onset.
    pub(super) entries: Vec<EntryId>,
    /// Entries that are not it and come of it, such as the decisions of calls that did not run.
    pub(super) around: Vec<EntryId>,
    /// With whom, and what there is to know of them.
    pub(super) whose: String,
}

impl Kind {
    pub(super) const ALL: [Self; 15] = [
        Self::Burst,
        Self::BurstInNoise,
        Self::SlowBurst,
        Self::Retry,
        Self::NovelTarget,
        Self::OffHours,
        Self::Spread,
        Self::SpreadInOne,
        Self::MissingExecution,
        Self::RefusedPermits,
        Self::RanAnyway,
        Self::ReadingAround,
        Self::Loosened,
        Self::Unmandated,
        Self::ToolChanged,
    ];

    /// Who is to find it.
    pub(super) fn detector(self) -> Detector {
        match self {
            Self::Burst | Self::BurstInNoise | Self::SlowBurst => Detector::Burst,
            Self::Retry => Detector::Retry,
            Self::NovelTarget => Detector::NovelTarget,
            Self::OffHours => Detector::OffHours,
            Self::Spread | Self::SpreadInOne => Detector::Spread,
            Self::MissingExecution => Detector::MissingExecution,
            Self::RefusedPermits | Self::RanAnyway => Detector::UnapprovedExecution,
            Self::ReadingAround => Detector::ReadingAround,
            Self::Loosened => Detector::Loosened,
            Self::Unmandated => Detector::Unmandated,
            Self::ToolChanged => Detector::ToolChanged,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Burst => "burst",
            Self::BurstInNoise => "burst of a noisy agent",
            Self::SlowBurst => "slow burst",
            Self::Retry => "retry and escalation",
            Self::NovelTarget => "novel target",
            Self::OffHours => "work at night",
            Self::Spread => "spread over many agents",
            Self::SpreadInOne => "spread within one agent",
            Self::MissingExecution => "missing executions",
            Self::RefusedPermits => "refused permits",
            Self::RanAnyway => "a rejected call ran",
            Self::ReadingAround => "reading around",
            Self::Loosened => "loosened policy",
            Self::Unmandated => "no mandate",
            Self::ToolChanged => "changed tool",
        }
    }

    /// How many are planted in a week.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Spread | Self::RanAnyway | Self::ReadingAround => 3,
            Self::SpreadInOne | Self::RefusedPermits | Self::Loosened => 2,
            _ => 4,
        }
    }

    /// How many entries it has.
    pub(super) fn entries(self, strength: Strength) -> usize {
        let (full, half) = match self {
            Self::Burst => (10, 5),
            Self::BurstInNoise => (24, 12),
            Self::SlowBurst => (20, 10),
            Self::Retry => (6, 3),
            Self::NovelTarget => (3, 1),
            Self::OffHours => (15, 4),
            Self::Spread | Self::SpreadInOne => (12, 6),
            Self::MissingExecution => (12, 5),
            Self::RefusedPermits => (4, 2),
            Self::RanAnyway => (2, 1),
            Self::ReadingAround => (60, 25),
            // Rejections and, once permitted, calls.
            Self::Loosened => (3, 1),
            Self::Unmandated => (6, 2),
            Self::ToolChanged => (2, 1),
        };
        match strength {
            Strength::Full => full,
            Strength::Half => half,
        }
    }

    /// Over how long they are spread.
    fn length(self) -> i64 {
        match self {
            Self::Burst => 5 * MINUTE_MS,
            Self::BurstInNoise => 30 * MINUTE_MS,
            Self::SlowBurst => 4 * HOUR_MS,
            Self::Retry => 3 * MINUTE_MS,
            Self::NovelTarget => 10 * MINUTE_MS,
            Self::OffHours => 40 * MINUTE_MS,
            Self::Spread | Self::SpreadInOne => 3 * HOUR_MS,
            Self::MissingExecution => 90 * MINUTE_MS,
            Self::RefusedPermits | Self::RanAnyway => 4 * MINUTE_MS,
            Self::ReadingAround => 45 * MINUTE_MS,
            Self::Loosened => 20 * MINUTE_MS,
            Self::Unmandated | Self::ToolChanged => 10 * MINUTE_MS,
        }
    }

    /// Whether it can be planted with an agent.
    fn fits(self, agent: &Agent) -> bool {
        let settled = agent.novelty < 0.001 && agent.calls > 20.0;
        let usual = agent.temper == Temper::Usual && agent.calls > 8.0 && agent.is_regular();
        match self {
            Self::BurstInNoise => agent.temper == Temper::Habitual && agent.calls > 15.0,
            Self::NovelTarget => settled && usual,
            Self::MissingExecution => agent.reports && usual,
            Self::SpreadInOne => agent.principals.len() >= 12 && usual,
            _ => usual,
        }
    }
}

/// Plants incidents on one day.
pub(super) struct Planter<'p> {
    pub(super) dice: &'p Dice,
    pub(super) letterhead: &'p mut Letterhead,
    pub(super) agents: &'p mut [Agent],
    pub(super) readers: &'p mut [Reader],
    pub(super) strength: Strength,
    /// What is written, to be put into the log in its time.
    pub(super) entries: &'p mut Vec<Entry>,
}

impl Planter<'_> {
    /// Plants one incident on a day, if there is anybody to plant it with.
    pub(super) fn plant(&mut self, kind: Kind, day: i64) -> Option<Plant> {
        let (mut whose, mut around) = (String::new(), Vec::new());
        let entries = match kind {
            Kind::Spread => self.spread(kind, day, None),
            Kind::SpreadInOne => {
                let agent = self.take(kind)?;
                whose = agent.to_string();
                self.spread(kind, day, Some(&agent))
            }
            Kind::ReadingAround => self.reading(kind, day)?,
            Kind::Loosened => {
                let entries;
                (entries, around) = self.loosened(kind, day)?;
                entries
            }
            _ => {
                let agent = self.take(kind)?;
                whose = agent.to_string();
                let entries;
                (entries, around) = self.of_one(kind, day, &agent);
                entries
            }
        };
        Some(Plant {
            kind,
            entries,
            around,
            whose,
        })
    }

    /// An agent that no other incident is planted with.
    fn take(&mut self, kind: Kind) -> Option<Agent> {
        let fits = |agent: &Agent| !agent.is_taken && agent.since < 0 && kind.fits(agent);
        let free: Vec<usize> = (0..)
            .zip(self.agents.iter())
            .filter(|(_, agent)| fits(agent))
            .map(|(n, _)| n)
            .collect();
        let agent = self.agents.get_mut(*self.dice.pick(&free)?)?;
        agent.is_taken = true;
        Some(agent.clone())
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer {
            dice: self.dice,
            letterhead: self.letterhead,
            entries: self.entries,
        }
    }

    /// Moments from a beginning on, none of them earlier than the one before.
    fn moments(&self, kind: Kind, begin: i64) -> Vec<i64> {
        let count = kind.entries(self.strength);
        let step = kind.length() / i64::try_from(count).unwrap_or(1).max(1);
        let mut at = begin;
        (0..count)
            .map(|_| {
                let moment = at;
                at += self.dice.millis(step / 2, step * 3 / 2);
                moment
            })
            .collect()
    }

    /// A moment of a day at which an agent is at work or, for one kind, is not.
    fn begin(&self, kind: Kind, day: i64, agent: &Agent) -> i64 {
        let (from, length) = match agent.hours {
            Hours::Office { from, length } | Hours::Shift { from, length } => (from, length),
            Hours::Always | Hours::Nightly { .. } => (8.0, 8.0),
        };
        if kind == Kind::OffHours {
            let middle_of_night = from + length / 2.0 + 12.0;
            return clock::at(day, (middle_of_night + self.dice.between(-2.0, 1.0)) % 24.0);
        }
        let spare = length - kind.length() as f64 / HOUR_MS as f64;
        clock::at(day, from + self.dice.between(0.0, spare.max(0.1)))
    }

    /// An incident of one agent, in its own session.
    fn of_one(&mut self, kind: Kind, day: i64, agent: &Agent) -> (Vec<EntryId>, Vec<EntryId>) {
        let begin = self.begin(kind, day, agent);
        let moments = self.moments(kind, begin);
        let new = self.dice.pseudonym();
        let dice = self.dice;
        let mut writer = self.writer();
        let mut session = writer.open(begin - 20 * SECOND_MS, agent.principal(dice));
        let mut intent = writer.turn(begin - 10 * SECOND_MS, &mut session, &agent.name);
        let (mut found, mut decisions) = (Vec::new(), Vec::new());
        for (n, at) in (0..).zip(moments) {
            // Only what is tried again and again is of one turn.
            if n > 0 && !matches!(kind, Kind::Retry | Kind::NovelTarget) {
                intent = writer.turn(at - 5 * SECOND_MS, &mut session, &agent.name);
            }
            let mut call = usual_call(agent, dice);
            call.intent = Some(intent);
            match kind {
                Kind::Burst | Kind::BurstInNoise | Kind::SlowBurst => {
                    call.outcome = Outcome::Rejected;
                }
                Kind::Retry => {
                    call.outcome = Outcome::Rejected;
                    // The same end: another way to the same target, or the same to another one.
                    call.targets = vec![if n % 2 == 0 { new } else { dice.pseudonym() }];
                    if n == 0 || n % 2 == 1 {
                        call.action = agent.actions.first().cloned().unwrap_or(call.action);
                    }
                }
                Kind::NovelTarget => call.targets = vec![new],
                Kind::Unmandated => {
                    call.intent = None;
                    call.outcome = Outcome::Rejected;
                }
                Kind::ToolChanged => {
                    call.outcome = Outcome::Rejected;
                    call.reason = BuiltinReason::ToolChanged;
                }
                Kind::RanAnyway => call.outcome = Outcome::Rejected,
                _ => {}
            }
            let decision = writer.decision(at, &mut session, agent, &call, Links::default());
            decisions.push(decision);
            found.push(match kind {
                Kind::RefusedPermits => {
                    let reason = match n % 2 {
                        0 => PermitRefusal::Arguments,
                        _ => PermitRefusal::Used,
                    };
                    writer.refused(at + SECOND_MS, agent, decision, reason)
                }
                Kind::RanAnyway => {
                    let phase = ExecutionPhase::Finished;
                    writer.execution(at + SECOND_MS, &mut session, &call, agent, decision, phase)
                }
                _ => decision,
            });
            let ran = match kind {
                Kind::MissingExecution | Kind::RefusedPermits => Ran::Silent,
                _ if call.outcome != Outcome::Approved || !agent.reports => Ran::Silent,
                _ => Ran::Reported {
                    with_start: agent.starts,
                },
            };
            writer.ran(at, &mut session, &call, agent, decision, ran);
        }
        writer.close(&session);
        (found, decisions)
    }

    /// Many turns come upon one target, each of another agent or, with one agent, of another person:
    /// half are stopped.
    fn spread(&mut self, kind: Kind, day: i64, one: Option<&Agent>) -> Vec<EntryId> {
        let target = self.dice.pseudonym();
        let moments = self.moments(kind, clock::at(day, self.dice.between(9.0, 11.0)));
        let mut found = Vec::new();
        for (n, at) in moments.into_iter().enumerate() {
            let fits = |agent: &&Agent| agent.is_regular() && !agent.is_taken && agent.since < 0;
            let free: Vec<&Agent> = self.agents.iter().filter(fits).collect();
            let Some(agent) = one.or_else(|| self.dice.pick(&free).copied()).cloned() else {
                break;
            };
            let whose = agent.principals.get(n % agent.principals.len().max(1));
            let principal = whose.copied().unwrap_or(agent.denied);
            let stopped = self.dice.chance(0.5);
            found.push(self.one_call(at, &agent, principal, target, stopped));
        }
        found
    }

    /// A session with one call.
    fn one_call(
        &mut self,
        at: i64,
        agent: &Agent,
        principal: Pseudonym,
        target: Pseudonym,
        stopped: bool,
    ) -> EntryId {
        let dice = self.dice;
        let mut writer = self.writer();
        let mut session = writer.open(at - 20 * SECOND_MS, principal);
        let intent = writer.turn(at - 10 * SECOND_MS, &mut session, &agent.name);
        let mut call = usual_call(agent, dice);
        call.targets = vec![target];
        // Always the same action: what a bundle permits, it permits by action.
        call.action = agent.actions.first().cloned().unwrap_or(call.action);
        call.intent = Some(intent);
        if stopped {
            call.outcome = Outcome::Rejected;
        }
        let decision = writer.decision(at, &mut session, agent, &call, Links::default());
        let ran = match stopped || !agent.reports {
            true => Ran::Silent,
            false => Ran::Reported {
                with_start: agent.starts,
            },
        };
        writer.ran(at, &mut session, &call, agent, decision, ran);
        writer.close(&session);
        decision
    }

    fn reading(&mut self, kind: Kind, day: i64) -> Option<Vec<EntryId>> {
        let free = |reader: &Reader| !reader.is_taken && !reader.in_one_sitting;
        let free: Vec<usize> = (0..)
            .zip(self.readers.iter())
            .filter(|(_, reader)| free(reader))
            .map(|(n, _)| n)
            .collect();
        let reader = self.readers.get_mut(*self.dice.pick(&free)?)?;
        reader.is_taken = true;
        let reader = reader.clone();
        let moments = self.moments(kind, clock::at(day, self.dice.between(9.0, 15.0)));
        let found = moments.into_iter().map(|at| {
            let records = 1 + self.dice.times(0.35, 8);
            self.writer().opened(at, &reader, records)
        });
        Some(found.collect())
    }

    /// Calls are rejected; a while later a bundle permits them; they are made again.
    fn loosened(&mut self, kind: Kind, day: i64) -> Option<(Vec<EntryId>, Vec<EntryId>)> {
        let agent = self.take(kind)?;
        let target = *self.dice.ranked(&agent.targets)?;
        let begin = clock::at(day, 11.0);
        let mut found = Vec::new();
        for at in self.moments(kind, begin) {
            found.push(self.one_call(at, &agent, agent.principal(self.dice), target, true));
        }
        let change = begin + kind.length() + self.dice.millis(10 * MINUTE_MS, 25 * MINUTE_MS);
        let policy = self.letterhead.change(change, self.dice);
        let around = vec![policy.entry_id];
        self.entries.push(policy);
        for at in self.moments(kind, change + 5 * MINUTE_MS) {
            found.push(self.one_call(at, &agent, agent.principal(self.dice), target, false));
        }
        Some((found, around))
    }
}

/// A call as the agent makes them, of something that it knows.
fn usual_call(agent: &Agent, dice: &Dice) -> Call {
    let action = dice.pick(&agent.actions).cloned();
    Call {
        action: action.unwrap_or_else(countersign_core::names::ActionName::unknown),
        targets: dice.ranked(&agent.targets).copied().into_iter().collect(),
        intent: None,
        outcome: Outcome::Approved,
        reason: BuiltinReason::NoPermit,
    }
}
