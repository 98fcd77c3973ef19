//! Counters and history as a case states them, in the facts as the service settles them.

use countersign_core::document::{CounterFact, Facts, HistoryFact};
use countersign_core::history::{
    self, Counted, CountedCall, Counter, Draft, MemoryRows, Uncountable,
};
use countersign_core::names::BuiltinReason;
use countersign_core::pseudonym::Pseudonym;

use super::members::{Approved, Members};
use crate::bundle::CompiledBundle;
use crate::extract::recount;

/// Facts that were drawn without counters and history, with both.
pub(super) fn settle(bundle: &CompiledBundle, members: &Members, facts: Facts) -> Facts {
    if facts.obstacle.is_some() {
        return facts;
    }
    match counters(bundle, members, &facts) {
        Ok(counters) => {
            let history = HistoryFact {
                as_of: 0,
                approved_before: approved_before(members, &facts),
                rejected_before: members.rejected_before.unwrap_or(false),
            };
            recount(bundle, &facts, &counters, Some(&history))
        }
        Err(_) => Facts {
            obstacle: Some(BuiltinReason::Uncountable.name().to_owned()),
            ..facts
        },
    }
}

fn approved_before(members: &Members, facts: &Facts) -> Vec<bool> {
    let targets = facts.targets.iter();
    match &members.approved_before {
        None => targets.map(|_| false).collect(),
        Some(Approved::All(all)) => targets.map(|_| *all).collect(),
        Some(Approved::These(these)) => targets
            .map(|target| these.contains(&target.value))
            .collect(),
    }
}

/// What each counter that counts the call came to before, and what the call adds.
fn counters(
    bundle: &CompiledBundle,
    members: &Members,
    facts: &Facts,
) -> Result<Vec<CounterFact>, Uncountable> {
    let declared = Counter::all(&bundle.bundle().content.counters);
    let args = serde_json::Value::Object(members.args.clone());
    let entity = |target: &countersign_core::document::TargetFact| {
        let name = format!("{}/{}", target.entity.kind, target.entity.id);
        Pseudonym::of_public("test-target", &name)
    };
    let targets: Vec<Pseudonym> = facts.targets.iter().map(entity).collect();
    let is_mandated = !facts.inputs.intents.is_empty();
    let known = |name: &str| is_mandated.then(|| Pseudonym::of_public("test", name));
    let call = CountedCall {
        actor: &facts.actor,
        intent: facts.inputs.intents.first().map(|intent| intent.intent_ref),
        principal: known("principal"),
        session: known("session"),
        targets: &targets,
    };
    let mut out = Vec::new();
    for draft in history::draft(&declared, facts, &args)? {
        let Some(counter) = declared.get(draft.counter) else {
            continue;
        };
        for mut fact in one(counter, &draft, &call, facts)?.facts {
            fact.value = before(members, facts, &fact);
            out.push(fact);
        }
    }
    Ok(out)
}

/// What the call adds to a counter, of which nothing was counted yet.
fn one(
    counter: &Counter,
    draft: &Draft,
    call: &CountedCall<'_>,
    facts: &Facts,
) -> Result<Counted, Uncountable> {
    let values = draft.values.iter();
    let values: Vec<Pseudonym> = values
        .map(|value| Pseudonym::of_public("test-value", value))
        .collect();
    let rows = MemoryRows::default();
    match history::count(counter, draft, call, &values, facts.now, &rows) {
        Ok(counted) => counted,
        Err(never) => match never {},
    }
}

/// What the case says that the counter came to.
fn before(members: &Members, facts: &Facts, fact: &CounterFact) -> i64 {
    let Some(stated) = members.counters.get(&fact.counter) else {
        return 0;
    };
    let target = fact.target.and_then(|n| usize::try_from(n).ok());
    let target = target.and_then(|n| facts.targets.get(n));
    let own = target.and_then(|target| stated.of.get(&target.value));
    own.copied().unwrap_or(stated.value)
}
