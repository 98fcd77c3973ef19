//! What one call finds in the counters, and what it adds to them if it is approved.

use std::collections::BTreeSet;

use serde_json::Value;

use super::amount::{amount, values_at};
use super::counter::Counter;
use super::fold::Sighting;
use super::tally::{self, Tally};
use super::{COUNTER_MAX, Rows};
use crate::document::{CounterFact, CounterKey, CounterKind, Facts};
use crate::entry::{Count, Decision};
use crate::json::CanonicalJson;
use crate::limits::LEAF_LIST;
use crate::names::{ActorName, ReasonId};
use crate::pseudonym::Pseudonym;
use crate::refs::IntentRef;
use crate::time::Timestamp;

/// Why a call cannot be counted, and is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Uncountable {
    /// What is added up is no number.
    #[error("an argument that is added up is no number")]
    NoAmount,
    /// An amount below 0 would make room for others.
    #[error("an amount is below 0")]
    Negative,
    /// It has more decimal places than are counted.
    #[error("an amount has more decimal places than its counter")]
    TooFine,
    /// The sum is no longer exact.
    #[error("an amount or the sum is too large to be counted exactly")]
    TooLarge,
    /// A leaf cannot hold all that the call adds.
    #[error("the call adds more to counters than one decision can hold")]
    TooMany,
}

/// What of a call one counter counts, as far as the call itself tells.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Which of the bundle's counters, from 0.
    pub counter: usize,
    /// The values that are told apart, where they are an argument's: one pseudonym is needed for
    /// each.
    pub values: Vec<String>,
    /// The targets that are counted, from 0.
    targets: Vec<u32>,
    amount: i64,
}

/// Who makes a call, and on what.
#[derive(Debug, Clone, Copy)]
pub struct CountedCall<'a> {
    /// The actor.
    pub actor: &'a ActorName,
    /// The live turn that the call names.
    pub intent: Option<IntentRef>,
    /// Stands for the principal of that turn.
    pub principal: Option<Pseudonym>,
    /// Stands for its session.
    pub session: Option<Pseudonym>,
    /// Stand for the targets, in the order of the facts.
    pub targets: &'a [Pseudonym],
}

impl<'a> CountedCall<'a> {
    /// As the call's entry says it.
    pub fn of(decision: &'a Decision) -> Self {
        Self {
            actor: &decision.actor,
            intent: decision.intent_ref,
            principal: decision.principal,
            session: decision.session,
            targets: &decision.targets,
        }
    }
}

/// What one counter comes to for a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// As the judge sees it.
    pub facts: Vec<CounterFact>,
    /// What is added, if the call is approved.
    pub counts: Vec<Count>,
}

/// What the counters of a bundle count of a call, those that count nothing of it left out.
pub fn draft(counters: &[Counter], facts: &Facts, args: &Value) -> Result<Vec<Draft>, Uncountable> {
    let mut drafts = Vec::new();
    for (number, counter) in counters.iter().enumerate() {
        if counter.counts_any(facts.done()) {
            drafts.push(draft_one(number, counter, facts, args)?);
        }
    }
    Ok(drafts)
}

/// The same from the call's entry alone, for counters of which it tells everything: what is added up,
/// and different values of arguments, it does not tell.
pub fn draft_of_entry(counters: &[Counter], decision: &Decision) -> Vec<Draft> {
    let actions = decision.actions.as_deref().unwrap_or_default();
    let mut drafts = Vec::new();
    for (number, counter) in counters.iter().enumerate() {
        let declaration = counter.declaration();
        let is_told = match declaration.kind {
            CounterKind::Count => true,
            CounterKind::CountDistinct => declaration.over.is_none(),
            CounterKind::Sum => false,
        };
        // Of several effects, an entry does not say which acts on which target.
        let asks_targets =
            declaration.key == CounterKey::Target || declaration.kind == CounterKind::CountDistinct;
        let is_told = is_told && !(asks_targets && actions.len() > 1);
        let done = std::iter::once(&decision.action).chain(actions);
        if is_told && counter.counts_any(done) {
            drafts.push(Draft {
                counter: number,
                values: Vec::new(),
                targets: (0_u32..).zip(&decision.targets).map(|(n, _)| n).collect(),
                amount: 1,
            });
        }
    }
    drafts
}

/// Whether a key is what the counter is keyed by, in the decision's entry.
pub fn is_key(counter: &Counter, decision: &Decision, key: &Pseudonym) -> bool {
    match counter.declaration().key {
        CounterKey::Actor => *key == actor_key(&decision.actor),
        CounterKey::Intent => decision.intent_ref.map(intent_key) == Some(*key),
        CounterKey::Session => decision.session == Some(*key),
        CounterKey::Principal => decision.principal == Some(*key),
        CounterKey::Target => decision.targets.contains(key),
    }
}

fn draft_one(
    number: usize,
    counter: &Counter,
    facts: &Facts,
    args: &Value,
) -> Result<Draft, Uncountable> {
    let declaration = counter.declaration();
    let found = match &declaration.over {
        Some(pointer) => values_at(args, pointer)?,
        None => Vec::new(),
    };
    let mut draft = Draft {
        counter: number,
        values: Vec::new(),
        targets: targets(counter, facts),
        amount: 1,
    };
    match declaration.kind {
        CounterKind::Count => {}
        CounterKind::Sum => {
            draft.amount = 0;
            for value in found {
                let sum = draft
                    .amount
                    .checked_add(amount(value, declaration.decimals)?);
                draft.amount = sum.ok_or(Uncountable::TooLarge)?;
            }
        }
        CounterKind::CountDistinct => {
            let mut values = BTreeSet::new();
            for value in found {
                let text = CanonicalJson::of(value).map_err(|_| Uncountable::NoAmount)?;
                values.insert(String::from_utf8_lossy(text.as_bytes()).into_owned());
                if values.len() > LEAF_LIST {
                    return Err(Uncountable::TooMany);
                }
            }
            draft.values = values.into_iter().collect();
        }
    }
    Ok(draft)
}

/// The targets of the counted actions: a call with several effects may act on others by the way.
fn targets(counter: &Counter, facts: &Facts) -> Vec<u32> {
    let is_counted = |action: &str| {
        let actions = &counter.declaration().actions;
        actions.iter().any(|counted| counted.as_str() == action)
    };
    let asks = |target: &crate::document::TargetFact| {
        facts
            .requests
            .iter()
            .any(|request| request.resource == target.entity && is_counted(&request.action))
    };
    let numbered = (0_u32..).zip(&facts.targets);
    numbered
        .filter(|(_, target)| asks(target))
        .map(|(n, _)| n)
        .collect()
}

/// What a counter comes to for a call. `values` are the pseudonyms of [`Draft::values`], in order.
pub fn count<R: Rows>(
    counter: &Counter,
    draft: &Draft,
    call: &CountedCall<'_>,
    values: &[Pseudonym],
    now: Timestamp,
    rows: &R,
) -> Result<Result<Counted, Uncountable>, R::Error> {
    let mut counted = Counted::default();
    let mut done = BTreeSet::new();
    for (key, target) in keys(counter, draft, call) {
        let asked = Asked {
            counter,
            draft,
            values: distinct(counter, draft, call, values),
            now,
        };
        let (value, counts) = asked.under(key, rows)?;
        let adds = counts
            .iter()
            .fold(0_i64, |sum, count| sum.saturating_add(count.delta));
        if value.saturating_add(adds) > COUNTER_MAX {
            return Ok(Err(Uncountable::TooLarge));
        }
        counted.facts.push(CounterFact {
            counter: counter.declaration().name.clone(),
            key,
            target,
            value,
            adds,
        });
        // The same target twice is counted once.
        if key.is_some() && done.insert(key) {
            counted.counts.extend(counts);
        }
    }
    counted.counts.retain(|count| {
        // A value that is met again within a window counts for longer from now on.
        count.delta != 0 || count.value.is_some() && counter.window.is_some()
    });
    Ok(Ok(counted))
}

/// What the call is counted under: nothing, where it has no such thing.
fn keys(
    counter: &Counter,
    draft: &Draft,
    call: &CountedCall<'_>,
) -> Vec<(Option<Pseudonym>, Option<u32>)> {
    let key = match counter.declaration().key {
        CounterKey::Actor => Some(actor_key(call.actor)),
        CounterKey::Intent => call.intent.map(intent_key),
        CounterKey::Session => call.session,
        CounterKey::Principal => call.principal,
        CounterKey::Target => {
            let of = |n: &u32| target(call, *n).map(|key| (Some(key), Some(*n)));
            return draft.targets.iter().filter_map(of).collect();
        }
    };
    vec![(key, None)]
}

/// The values that are told apart, each once.
fn distinct(
    counter: &Counter,
    draft: &Draft,
    call: &CountedCall<'_>,
    values: &[Pseudonym],
) -> Vec<Pseudonym> {
    let mut found: Vec<Pseudonym> = match counter.declaration().over {
        Some(_) => values.to_vec(),
        None => {
            let targets = draft.targets.iter();
            targets.filter_map(|n| target(call, *n)).collect()
        }
    };
    let mut met = BTreeSet::new();
    found.retain(|value| met.insert(*value));
    found
}

fn target(call: &CountedCall<'_>, n: u32) -> Option<Pseudonym> {
    let n = usize::try_from(n).ok()?;
    call.targets.get(n).copied()
}

/// One counter as one call asks it.
struct Asked<'a> {
    counter: &'a Counter,
    draft: &'a Draft,
    values: Vec<Pseudonym>,
    now: Timestamp,
}

impl Asked<'_> {
    /// The value under a key, and what the call would add to it.
    fn under<R: Rows>(
        &self,
        key: Option<Pseudonym>,
        rows: &R,
    ) -> Result<(i64, Vec<Count>), R::Error> {
        let counter = self.counter;
        let tally: Option<Tally> = match &key {
            Some(key) => rows.read(&counter.row(key))?,
            None => None,
        };
        let value = tally.map_or(0, |tally| counter.value(&tally, self.now));
        // A name that is no id is refused when its bundle is checked.
        let Ok(name) = counter.declaration().name.parse::<ReasonId>() else {
            return Ok((value, Vec::new()));
        };
        let count = |delta, value| Count {
            counter: name.clone(),
            key: key.unwrap_or_else(|| Pseudonym::of_public("none", "")),
            delta,
            value,
        };
        if counter.declaration().kind != CounterKind::CountDistinct {
            return Ok((value, vec![count(self.draft.amount, None)]));
        }
        let mut counts = Vec::with_capacity(self.values.len());
        for met in &self.values {
            let is_new = match &key {
                Some(key) => is_new(counter, key, met, self.now, rows)?,
                None => true,
            };
            counts.push(count(i64::from(is_new), Some(*met)));
        }
        Ok((value, counts))
    }
}

/// Whether a value was not met under a key within the window.
pub fn is_new<R: Rows>(
    counter: &Counter,
    key: &Pseudonym,
    value: &Pseudonym,
    now: Timestamp,
    rows: &R,
) -> Result<bool, R::Error> {
    let row = rows.read::<Sighting>(&counter.value_row(key, value))?;
    Ok(row.is_none_or(|row| !tally::holds(counter.window, row.0, now)))
}

/// What a counter by actor is keyed by. The actor's name stands in the entry anyhow.
pub(super) fn actor_key(actor: &ActorName) -> Pseudonym {
    Pseudonym::of_public("actor", actor.as_str())
}

/// What a counter by turn is keyed by. The turn's ref stands in the entry anyhow.
pub(super) fn intent_key(intent: IntentRef) -> Pseudonym {
    Pseudonym::of_public("intent", &intent.to_string())
}
