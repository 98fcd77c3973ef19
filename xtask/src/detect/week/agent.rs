//! Who works in the synthetic company: agents and readers, each with habits of its own.

use countersign_core::ids::CredentialId;
use countersign_core::names::{ActionName, ActorName};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::time::Timestamp;

use super::clock::HOUR_MS;
use crate::detect::dice::Dice;
use crate::error::Error;

/// When an agent works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Hours {
    /// On working days, from an hour (UTC) on, for so many hours.
    Office { from: f64, length: f64 },
    /// On all days.
    Shift { from: f64, length: f64 },
    /// At all times.
    Always,
    /// Once a night, at the same hour.
    Nightly { at: f64 },
}

/// How an agent's calls come to be rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temper {
    /// Now and then.
    Usual,
    /// All the time: it asks again for what it is never given.
    Habitual,
}

/// An agent and its habits.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) name: ActorName,
    pub(super) credential: CredentialId,
    /// The day on which it begins to work.
    pub(super) since: i64,
    pub(super) hours: Hours,
    /// Whom it works for: most for one person, some for many.
    pub(super) principals: Vec<Pseudonym>,
    /// Calls on a usual day.
    pub(super) calls: f64,
    pub(super) temper: Temper,
    pub(super) rejected: f64,
    /// How often it asks once more after a rejection, with something changed.
    pub(super) insists: f64,
    /// How often a call is for a target that it never had.
    pub(super) novelty: f64,
    /// Whether what became of its calls is reported, and `started` before.
    pub(super) reports: bool,
    pub(super) starts: bool,
    pub(super) actions: Vec<ActionName>,
    /// What it acts on, the usual first.
    pub(super) targets: Vec<Pseudonym>,
    /// What it asks for and is never given.
    pub(super) denied: Pseudonym,
    /// Whether an incident is planted with it.
    pub(super) is_taken: bool,
}

/// Somebody who may open sealed records.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) credential: CredentialId,
    /// Openings on a usual day, in one sitting or spread over it.
    pub(super) openings: f64,
    pub(super) in_one_sitting: bool,
    /// The only day of the week on which it reads, from Monday, or each working day.
    pub(super) weekday: Option<i64>,
    pub(super) is_taken: bool,
}

/// What the company's tools do.
const ACTIONS: [&str; 18] = [
    "email.send",
    "email.read",
    "email.delete",
    "calendar.create",
    "calendar.read",
    "file.read",
    "file.write",
    "file.share",
    "chat.post",
    "chat.read",
    "ticket.create",
    "ticket.update",
    "crm.read",
    "crm.update",
    "payment.prepare",
    "web.read",
    "order.place",
    "report.run",
];

impl std::fmt::Display for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({:?}, {:.0} calls a day, {:.1} % rejected, insists {:.0} %, {:.2} % new targets of {}, \
             from day {}, {:?})",
            self.name,
            self.temper,
            self.calls,
            self.rejected * 100.0,
            self.insists * 100.0,
            self.novelty * 100.0,
            self.targets.len(),
            self.since,
            self.hours,
        )
    }
}

impl Agent {
    /// The agent with this number, which begins to work on a day.
    pub(super) fn hire(
        n: usize,
        since: i64,
        dice: &Dice,
        commons: &[Pseudonym],
    ) -> Result<Self, Error> {
        let habitual = dice.chance(0.06);
        let hours = hours(dice);
        let mut actions = Vec::new();
        for _ in 0..3 + dice.below(5) {
            let name = dice.pick(&ACTIONS).copied().unwrap_or("email.send");
            let name: ActionName = name.parse().map_err(Error::server("the action"))?;
            if !actions.contains(&name) {
                actions.push(name);
            }
        }
        let name = format!("agent:synthetic/{n:03}");
        Ok(Self {
            name: name.parse().map_err(Error::server("the actor"))?,
            credential: CredentialId::fresh(Timestamp::from_millis(0), dice),
            since,
            hours,
            principals: (0..principals(dice)).map(|_| dice.pseudonym()).collect(),
            // Half of them make fewer than 25 calls a day; a few make hundreds, a few one a day.
            calls: dice.around(25.0, 1.1).clamp(0.5, 600.0),
            temper: if habitual {
                Temper::Habitual
            } else {
                Temper::Usual
            },
            rejected: match habitual {
                true => dice.between(0.12, 0.35),
                false => dice.around(0.012, 0.7).min(0.08),
            },
            insists: dice.between(0.1, 0.5),
            novelty: novelty(dice),
            reports: !dice.chance(0.05),
            starts: dice.chance(0.3),
            actions,
            targets: targets(dice, commons),
            denied: dice.pseudonym(),
            is_taken: false,
        })
    }

    /// Whether it works regular hours, of which the night is none.
    pub(super) fn is_regular(&self) -> bool {
        matches!(self.hours, Hours::Office { .. } | Hours::Shift { .. })
    }

    /// Somebody whom it works for.
    pub(super) fn principal(&self, dice: &Dice) -> Pseudonym {
        dice.ranked(&self.principals)
            .copied()
            .unwrap_or(self.denied)
    }

    /// A target of a call: one that it had, or a new one.
    pub(super) fn target(&mut self, dice: &Dice, commons: &[Pseudonym]) -> Pseudonym {
        if dice.chance(self.novelty) {
            let common = dice.pick(commons).filter(|_| dice.chance(0.4)).copied();
            let new = common.unwrap_or_else(|| dice.pseudonym());
            if !self.targets.contains(&new) {
                self.targets.push(new);
            }
            return new;
        }
        let known = dice.ranked(&self.targets).copied();
        known.unwrap_or(self.denied)
    }

    /// When it works on a day, in milliseconds from midnight; nothing on its free days.
    pub(super) fn shift(&self, weekday: i64, dice: &Dice) -> Option<(i64, i64)> {
        let from_to = |from: f64, length: f64| {
            let late = if dice.chance(0.03) { 2.0 } else { 0.0 };
            let hour = |hours: f64| (hours * HOUR_MS as f64) as i64;
            (hour(from), hour(from + length + late))
        };
        match self.hours {
            // Now and then somebody works at a weekend.
            Hours::Office { from, length } if weekday < 5 || dice.chance(0.005) => {
                Some(from_to(from, length))
            }
            Hours::Office { .. } => None,
            Hours::Shift { from, length } => Some(from_to(from, length)),
            Hours::Always => Some((0, 24 * HOUR_MS)),
            Hours::Nightly { at } => {
                let at = (at * HOUR_MS as f64) as i64;
                Some((at, at + HOUR_MS / 3))
            }
        }
    }
}

/// The company's readers of sealed records.
pub(super) fn readers(dice: &Dice) -> Vec<Reader> {
    let reader = |openings, in_one_sitting, weekday| Reader {
        credential: CredentialId::fresh(Timestamp::from_millis(0), dice),
        openings,
        in_one_sitting,
        weekday,
        is_taken: false,
    };
    vec![
        reader(6.0, false, None),
        reader(4.0, false, None),
        reader(3.0, false, None),
        reader(1.0, false, None),
        reader(0.5, false, None),
        reader(0.3, false, None),
        // The audit: every Monday, and every Thursday, in one sitting.
        reader(15.0, true, Some(0)),
        reader(25.0, true, Some(3)),
    ]
}

fn hours(dice: &Dice) -> Hours {
    match dice.share() {
        kind if kind < 0.78 => Hours::Office {
            from: dice.between(5.5, 9.0),
            length: dice.between(7.0, 10.0),
        },
        // On the other side of the sea.
        kind if kind < 0.86 => Hours::Office {
            from: dice.between(13.0, 16.0),
            length: dice.between(7.0, 9.0),
        },
        kind if kind < 0.92 => Hours::Shift {
            from: dice.between(5.0, 14.0),
            length: dice.between(8.0, 10.0),
        },
        kind if kind < 0.97 => Hours::Always,
        _ => Hours::Nightly {
            at: dice.between(0.5, 4.0),
        },
    }
}

fn principals(dice: &Dice) -> usize {
    match dice.share() {
        kind if kind < 0.6 => 1,
        kind if kind < 0.85 => 2 + dice.below(5),
        _ => 12 + dice.below(50),
    }
}

fn novelty(dice: &Dice) -> f64 {
    match dice.share() {
        kind if kind < 0.35 => 0.0005,
        kind if kind < 0.8 => dice.between(0.005, 0.03),
        // Such as an assistant that writes to new customers all day.
        _ => dice.between(0.08, 0.25),
    }
}

/// How many targets an agent has is heavy-tailed (Pareto); some are the company's, most its own.
fn targets(dice: &Dice, commons: &[Pseudonym]) -> Vec<Pseudonym> {
    let count = (3.0 / (1.0 - dice.share()).powf(0.8)).min(400.0) as usize;
    let one = || {
        let common = dice.ranked(commons).filter(|_| dice.chance(0.4)).copied();
        common.unwrap_or_else(|| dice.pseudonym())
    };
    let mut targets: Vec<Pseudonym> = Vec::with_capacity(count);
    for _ in 0..count {
        let target = one();
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}
