use countersign_core::document::{CounterFact, Facts, HistoryFact};
use countersign_judge::CompiledBundle;

pub(super) fn recount(
    _bundle: &CompiledBundle,
    facts: &Facts,
    counters: &[CounterFact],
    history: Option<&HistoryFact>,
) -> Facts {
    let mut facts = facts.clone();
    facts.inputs.counters = counters.to_vec();
    facts.inputs.history = history.cloned();
    facts
}
