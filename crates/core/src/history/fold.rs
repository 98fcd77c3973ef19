//! What a decision leaves behind for later ones.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::RowsMut;
use super::counter::Counter;
use super::tally::{self, Tally};
use crate::document::CounterKind;
use crate::entry::{Count, Decision, Mode};
use crate::names::ActionName;
use crate::pseudonym::Pseudonym;
use crate::refs::{IntentRef, Sha256};
use crate::time::Timestamp;
use crate::verdict::Outcome;

/// The bucket in which a value was met last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sighting(pub(super) i64);

/// Takes a decision into account. `counters` are those of the bundle that the decision names, `now`
/// is the time of its entry.
///
/// Only enforced decisions count: approved ones in counters, and as approvals of their targets;
/// rejected ones as rejections under their turn.
pub fn apply<R: RowsMut>(
    decision: &Decision,
    counters: &[Counter],
    now: Timestamp,
    rows: &mut R,
) -> Result<(), R::Error> {
    if decision.mode != Mode::Enforced {
        return Ok(());
    }
    let actions = decision.actions.as_deref().unwrap_or_default();
    match decision.outcome {
        Outcome::Approved => {
            for count in &decision.counts {
                let of = |counter: &&Counter| counter.declaration().name == count.counter.as_str();
                if let Some(counter) = counters.iter().find(of) {
                    add(counter, count, now, rows)?;
                }
            }
            for target in &decision.targets {
                let row = approved_row(&decision.action, actions, target);
                note(row, rows)?;
            }
            Ok(())
        }
        Outcome::Rejected => match decision.intent_ref {
            Some(intent) => {
                let row = rejected_row(&decision.action, actions, &decision.targets, intent);
                note(row, rows)
            }
            None => Ok(()),
        },
        Outcome::Escalated | Outcome::Modified | Outcome::Deferred => Ok(()),
    }
}

fn add<R: RowsMut>(
    counter: &Counter,
    count: &Count,
    now: Timestamp,
    rows: &mut R,
) -> Result<(), R::Error> {
    let window = counter.window;
    let row = counter.row(&count.key);
    let mut tally: Tally = rows.read(&row)?.unwrap_or_default();
    match (counter.declaration().kind, &count.value) {
        (CounterKind::CountDistinct, Some(value)) => {
            let value_row = counter.value_row(&count.key, value);
            let newest = Sighting(tally::bucket(window, now));
            let before = rows.read::<Sighting>(&value_row)?;
            if before == Some(newest) {
                return Ok(());
            }
            // Met again, it counts from now on, and no longer from then.
            if let Some(before) = before.filter(|it| tally::holds(window, it.0, now)) {
                tally.take(before.0);
            }
            tally.add(window, now, 1);
            rows.write(value_row, &newest)?;
        }
        (CounterKind::CountDistinct, None) => return Ok(()),
        (CounterKind::Count | CounterKind::Sum, _) => tally.add(window, now, count.delta),
    }
    rows.write(row, &tally)
}

/// Writes once that something was.
fn note<R: RowsMut>(row: String, rows: &mut R) -> Result<(), R::Error> {
    if rows.read::<bool>(&row)?.is_some() {
        return Ok(());
    }
    rows.write(row, &true)
}

/// The key of the row that says that a call which does exactly this was approved on a target.
pub fn approved_row(action: &ActionName, actions: &[ActionName], target: &Pseudonym) -> String {
    format!("approved/{}/{target}", done(action, actions))
}

/// The key of the row that says that a call which does exactly this on exactly these targets was
/// rejected under a turn.
pub fn rejected_row(
    action: &ActionName,
    actions: &[ActionName],
    targets: &[Pseudonym],
    intent: IntentRef,
) -> String {
    let targets: BTreeSet<&Pseudonym> = targets.iter().collect();
    let mut text = done(action, actions);
    for target in targets {
        text.push('\n');
        text.push_str(&target.to_string());
    }
    format!("rejected/{intent}/{}", Sha256::of(text.as_bytes()))
}

/// All that a call does, as one word.
fn done(action: &ActionName, actions: &[ActionName]) -> String {
    let mut all: Vec<&str> = actions.iter().map(ActionName::as_str).collect();
    all.push(action.as_str());
    all.sort_unstable();
    all.dedup();
    match all.as_slice() {
        [one] => (*one).to_owned(),
        several => Sha256::of(several.join("\n").as_bytes()).to_string(),
    }
}
