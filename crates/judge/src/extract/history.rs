//! What counters and history add to the facts. They are settled last, and may be settled again
//! under the lock: nothing else of the facts depends on them.

use countersign_core::document::{CounterFact, Facts, HistoryFact};
use serde_json::{Map, Value, json};

use super::drawing::FIRST;
use crate::bundle::{Action, CompiledBundle};

/// The same facts with these values of counters and history in place of theirs.
pub fn recount(
    bundle: &CompiledBundle,
    facts: &Facts,
    counters: &[CounterFact],
    history: Option<&HistoryFact>,
) -> Facts {
    let mut facts = facts.clone();
    settle(bundle, &mut facts, counters, history);
    facts
}

/// Writes counters and history into facts that have none, or others.
pub(super) fn settle(
    bundle: &CompiledBundle,
    facts: &mut Facts,
    counters: &[CounterFact],
    history: Option<&HistoryFact>,
) {
    if facts.extractor == FIRST {
        return;
    }
    facts.inputs.counters = counters.to_vec();
    facts.inputs.history = history.cloned();
    if facts.obstacle.is_some() {
        return;
    }
    let nothing = HistoryFact::default();
    let history = history.unwrap_or(&nothing);
    facts
        .context
        .insert("rejected_before".to_owned(), json!(history.rejected_before));
    let mut n = 0_usize;
    for request in &mut facts.requests {
        let Some(action) = bundle.action_named(&request.action) else {
            continue;
        };
        if let Some(record) = record(action, counters, None) {
            request.context.insert("counters".to_owned(), record);
        }
        let Some(target) = request
            .context
            .get_mut("target")
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        let approved_before = history.approved_before.get(n).copied().unwrap_or(false);
        target.insert("approved_before".to_owned(), json!(approved_before));
        if let Some(record) = record(action, counters, u32::try_from(n).ok()) {
            target.insert("counters".to_owned(), record);
        }
        n += 1;
    }
}

/// The counters of an action that are keyed by target, or those that are not: each that its type
/// declares, with nothing counted where no value is given.
fn record(action: &Action, counters: &[CounterFact], target: Option<u32>) -> Option<Value> {
    let mut members = Map::new();
    for name in action.counters(target.is_some()) {
        let fact = counters
            .iter()
            .find(|fact| fact.counter == *name && fact.target == target);
        let (before, adds) = fact.map_or((0, 0), |fact| (fact.value, fact.adds));
        let value = json!({
            "before": before,
            "adds": adds,
            "after": before.saturating_add(adds),
        });
        members.insert(name.clone(), value);
    }
    (!members.is_empty()).then_some(Value::Object(members))
}
