//! Counters and what came before, recounted from the entries alone.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use countersign_core::document::{Call, CounterFact, CounterKind, Facts, HistoryFact};
use countersign_core::entry::{Count, Decision, Mode};
use countersign_core::history::{
    self, COUNTER_MAX, CountedCall, Counter, Draft, MemoryRows, Rows as _,
};
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::PolicyRef;
use countersign_core::verdict::Outcome;
use serde_json::Value;

use super::bundles::Bundles;
use crate::report::{At, Check};

/// What earlier decisions amount to.
#[derive(Default)]
pub(crate) struct History {
    rows: MemoryRows,
    /// The counters of the bundle that judged last. No others are kept: there may be many bundles.
    counters: Option<(PolicyRef, Rc<[Counter]>)>,
    /// Whether facts are there that may ask what came before: it is not kept for nothing.
    is_asked: bool,
}

/// What the counters come to for a call, as far as can be told.
struct Recount {
    facts: Vec<CounterFact>,
    counts: Vec<Count>,
    /// Counters of which the entry, or what was opened, tells all that is added.
    exact: BTreeSet<String>,
    is_countable: bool,
}

impl History {
    pub(crate) fn new(is_asked: bool) -> Self {
        Self {
            is_asked,
            ..Self::default()
        }
    }

    /// Holds a decision against those before it, and takes it into account.
    pub(crate) fn decide(
        &mut self,
        at: &mut At<'_>,
        body: &Decision,
        bundles: &Bundles,
        (facts, call): (Option<&Facts>, Option<&Call>),
    ) {
        // A verdict in shadow adds nothing, and was not settled in the plan.
        if body.mode == Mode::Enforced {
            let counters = self.counters(&body.policy_ref, bundles);
            let is_plain = counters.is_empty() && body.counts.is_empty();
            let is_judged = body.facts_ref.is_some();
            if !is_plain && is_judged {
                self.check(at, body, &counters, (facts, call));
            } else {
                let found = format_args!("{} counts", body.counts.len());
                let expected = "none, since nothing was judged";
                at.require(body.counts.is_empty(), Check::Counts, found, expected);
            }
            let history = facts.and_then(|facts| facts.inputs.history.as_ref());
            if let (Some(facts), Some(history)) = (facts, history) {
                self.check_before(at, body, facts, history);
            }
            if self.is_asked || !body.counts.is_empty() {
                self.rows.at(at.index);
                let time = at.entry.timestamp;
                let Ok(()) = history::apply(body, &counters, time, &mut self.rows);
            }
        }
    }

    fn counters(&mut self, policy: &PolicyRef, bundles: &Bundles) -> Rc<[Counter]> {
        if let Some((of, counters)) = &self.counters
            && of == policy
        {
            return Rc::clone(counters);
        }
        let bundle = bundles.bundle(policy);
        let counters = bundle.map(|bundle| Counter::all(&bundle.content.counters));
        let counters: Rc<[Counter]> = counters.unwrap_or_default().into();
        self.counters = Some((*policy, Rc::clone(&counters)));
        counters
    }

    fn check(
        &self,
        at: &mut At<'_>,
        body: &Decision,
        counters: &[Counter],
        (facts, call): (Option<&Facts>, Option<&Call>),
    ) {
        let recount = self.recount(at, body, counters, (facts, call));
        let uncountable = ReasonId::builtin(BuiltinReason::Uncountable);
        if body.reasons.contains(&uncountable) {
            let is_told = call.is_some() && facts.is_some();
            let holds = !recount.is_countable || !is_told;
            let expected = "a call that its counters count";
            at.require(holds, Check::Counts, "`countersign.uncountable`", expected);
        } else if let Some(facts) = facts.filter(|facts| facts.obstacle.is_none()) {
            let expected = "what its counters can count";
            at.require(recount.is_countable, Check::Counts, "the call", expected);
            recount.compare_facts(at, &facts.inputs.counters);
        }
        if body.outcome != Outcome::Approved {
            let found = format_args!("{} counts", body.counts.len());
            let expected = "none, since the call was not approved";
            at.require(body.counts.is_empty(), Check::Counts, found, expected);
            return;
        }
        for count in &body.counts {
            self.check_form(at, body, counters, count);
        }
        recount.compare_counts(at, &body.counts);
        if let Some(facts) = facts {
            compare_adds(at, &facts.inputs.counters, &body.counts);
        }
    }

    /// What the counters come to.
    fn recount(
        &self,
        at: &At<'_>,
        body: &Decision,
        counters: &[Counter],
        (facts, call): (Option<&Facts>, Option<&Call>),
    ) -> Recount {
        let args = call.map_or(&Value::Null, |call| &call.args);
        let (drafts, is_countable) = match facts {
            None => (history::draft_of_entry(counters, body), true),
            Some(facts) => match history::draft(counters, facts, args) {
                Ok(drafts) => (drafts, true),
                Err(_) => (Vec::new(), false),
            },
        };
        let mut recount = Recount {
            facts: Vec::new(),
            counts: Vec::new(),
            exact: BTreeSet::new(),
            is_countable,
        };
        for draft in &drafts {
            let Some(counter) = counters.get(draft.counter) else {
                continue;
            };
            let asked = CountedCall::of(body);
            let time = at.entry.timestamp;
            let Ok(counted) = history::count(counter, draft, &asked, &[], time, &self.rows);
            match counted {
                Ok(counted) => {
                    recount.facts.extend(counted.facts);
                    recount.counts.extend(counted.counts);
                }
                Err(_) => recount.is_countable = false,
            }
            if is_exact(counter, draft, call) {
                let name = &counter.declaration().name;
                recount.exact.insert(name.clone());
            }
        }
        recount
    }

    /// What can be said of a count by itself.
    fn check_form(&self, at: &mut At<'_>, body: &Decision, counters: &[Counter], count: &Count) {
        let found = format_args!("{count:?}");
        let named = |counter: &&Counter| counter.declaration().name == count.counter.as_str();
        let actions = body.actions.as_deref().unwrap_or_default();
        let mut done = std::iter::once(&body.action).chain(actions);
        let counter = counters.iter().find(named);
        let Some(counter) =
            counter.filter(|counter| done.any(|it| counter.counts_any([it].into_iter())))
        else {
            let expected = "a counter of the bundle that counts the action";
            at.fail(Check::Counts, found, expected);
            return;
        };
        let is_key = history::is_key(counter, body, &count.key);
        at.require(is_key, Check::Counts, found, "what the counter is keyed by");
        let is_form = match (counter.declaration().kind, &count.value) {
            (CounterKind::Count, None) => count.delta == 1,
            (CounterKind::Sum, None) => (1..=COUNTER_MAX).contains(&count.delta),
            (CounterKind::CountDistinct, Some(_)) => (0..=1).contains(&count.delta),
            _ => false,
        };
        at.require(is_form, Check::Counts, found, "what such a counter adds");
        if let Some(value) = &count.value {
            let time = at.entry.timestamp;
            let Ok(is_new) = history::is_new(counter, &count.key, value, time, &self.rows);
            let holds = is_new == (count.delta == 1);
            let expected = "1 for a value that was not met within the window, else 0";
            at.require(holds, Check::Counts, found, expected);
        }
    }

    /// What the facts say of earlier decisions is what the entries say.
    fn check_before(&self, at: &mut At<'_>, body: &Decision, facts: &Facts, history: &HistoryFact) {
        let actions = body.actions.as_deref().unwrap_or_default();
        let is_there = |row: String| {
            let Ok(row) = self.rows.read::<bool>(&row);
            row.is_some()
        };
        let approved: Vec<bool> = body
            .targets
            .iter()
            .map(|target| is_there(history::approved_row(&body.action, actions, target)))
            .collect();
        let rejected = body.intent_ref.is_some_and(|intent| {
            let row = history::rejected_row(&body.action, actions, &body.targets, intent);
            is_there(row)
        });
        let is_of_all = facts.targets.len() == body.targets.len();
        let found = format_args!("approved before {:?}", history.approved_before);
        let expected = format_args!("{approved:?}, as the entries say");
        let holds = is_of_all && history.approved_before == approved;
        at.require(holds, Check::Counts, found, expected);
        let found = format_args!("rejected before {}", history.rejected_before);
        let expected = format_args!("{rejected}, as the entries say");
        let holds = history.rejected_before == rejected;
        at.require(holds, Check::Counts, found, expected);
        let found = format_args!("read as of {} entries", history.as_of);
        let index = at.index;
        let expected = format_args!("no more than {index}");
        let holds = history.as_of <= index;
        at.require(holds, Check::Counts, found, expected);
    }
}

impl Recount {
    /// The facts name each counter that applies, with its value; and with what is added, where that
    /// can be told.
    fn compare_facts(&self, at: &mut At<'_>, stated: &[CounterFact]) {
        let shown = |facts: &[CounterFact]| -> Vec<CounterFact> {
            let told = facts.iter().cloned().map(|mut fact| {
                if !self.exact.contains(&fact.counter) {
                    fact.adds = 0;
                }
                fact
            });
            told.collect()
        };
        let (stated, counted) = (shown(stated), shown(&self.facts));
        let differing = stated.iter().zip(&counted).find(|(a, b)| a != b);
        let found = match differing {
            Some((stated, _)) => format!("{stated:?} in the facts"),
            None => format!("{} counters in the facts", stated.len()),
        };
        let expected = match differing {
            Some((_, counted)) => format!("{counted:?}, as the entries say"),
            None => format!("{}", counted.len()),
        };
        at.require(stated == counted, Check::Counts, found, expected);
    }

    /// The entry holds what is added, no more and no less, where that can be told.
    fn compare_counts(&self, at: &mut At<'_>, stated: &[Count]) {
        let told = |counts: &[Count]| -> Vec<Count> {
            let is_exact = |count: &&Count| self.exact.contains(count.counter.as_str());
            counts.iter().filter(is_exact).cloned().collect()
        };
        let (stated, counted) = (told(stated), told(&self.counts));
        let found = format_args!("{stated:?}");
        let expected = format_args!("{counted:?}");
        at.require(stated == counted, Check::Counts, found, expected);
    }
}

/// The entry adds what the facts say that the call adds, also where nobody else can tell what that is.
fn compare_adds(at: &mut At<'_>, stated: &[CounterFact], counts: &[Count]) {
    let mut left: BTreeMap<(&str, Pseudonym), i64> = BTreeMap::new();
    for count in counts {
        let sum = left.entry((count.counter.as_str(), count.key)).or_default();
        *sum = sum.saturating_add(count.delta);
    }
    // The same target twice is counted once.
    let keyed = stated.iter().filter_map(|fact| Some((fact.key?, fact)));
    let stated: BTreeMap<_, _> = keyed
        .map(|(key, fact)| ((fact.counter.as_str(), key), fact.adds))
        .collect();
    left.retain(|_, sum| *sum != 0);
    let stated: BTreeMap<_, _> = stated.into_iter().filter(|(_, adds)| *adds != 0).collect();
    let found = format_args!("{left:?}");
    let expected = format_args!("{stated:?}, as the facts say");
    at.require(left == stated, Check::Counts, found, expected);
}

/// Whether all that the counter adds can be told.
fn is_exact(counter: &Counter, draft: &Draft, call: Option<&Call>) -> bool {
    let declaration = counter.declaration();
    match declaration.kind {
        CounterKind::Count => true,
        CounterKind::Sum => call.is_some(),
        // Which pseudonym a value has, only the vault knows.
        CounterKind::CountDistinct => declaration.over.is_none() && draft.values.is_empty(),
    }
}
