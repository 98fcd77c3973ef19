//! Declared counters, and what came before: read before the lock, and settled in the plan.
//!
//! A call is judged before the lock with the values as they are then. In the plan they are read
//! again; where they are others by now, the facts get the new ones and are judged and sealed again
//! there. So calls in flight count, and no call is sent back because of a counter.

mod rebuild;
mod rows;
mod seeded;

pub(crate) use rebuild::{HistoryFold, Rebuilt};
pub(crate) use rows::{LedgerRows, StepRows};

use std::sync::Arc;

use countersign_core::document::{CounterFact, Facts, HistoryFact, SealedRecord};
use countersign_core::entry::{Count, Decision};
use countersign_core::history::{self, CountedCall, Counter, Draft, Rows, Uncountable};
use countersign_core::limits::LEAF_LIST;
use countersign_core::names::{ActorName, BuiltinReason};
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::random::bytes32;
use countersign_core::refs::{FactsRef, IntentRef};
use countersign_core::time::Timestamp;
use countersign_core::verdict::{Outcome, Verdict};
use countersign_judge::{CompiledBundle, judge, recount};
use countersign_ledger::{Step, StepError};
use countersign_vault::Vault;
use serde_json::Value;

use crate::Service;
use crate::error::ServiceError;
use crate::pseudonyms::PlannedPseudonym;
use seeded::Seeded;

/// Who makes a call.
#[derive(Clone)]
pub(crate) struct Who {
    pub(crate) actor: ActorName,
    pub(crate) intent: Option<IntentRef>,
    pub(crate) principal: Option<Pseudonym>,
    pub(crate) session: Option<Pseudonym>,
}

/// A verdict with the facts that it rests on, sealed.
#[derive(Clone)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) facts_ref: FactsRef,
    pub(crate) record: SealedRecord,
}

/// A verdict before the lock, and what it takes to settle it.
pub(crate) struct Reckoned {
    pub(crate) judged: Judged,
    /// Nothing for a call that no counter counts and of which no policy asks what came before.
    pub(crate) reckoning: Option<Box<Reckoning>>,
}

/// What it takes to settle a call's counters and history in the plan.
pub(crate) struct Reckoning {
    bundle: Arc<CompiledBundle>,
    counters: Arc<Vec<Counter>>,
    rebuilt: Arc<Rebuilt>,
    drafts: Vec<(Draft, Vec<PlannedPseudonym>)>,
    asks_history: bool,
    who: Who,
    /// The facts without counters and history.
    bare: Facts,
    found: Found,
    vault: Arc<Vault>,
    seed: [u8; 32],
}

/// What counters and history come to.
#[derive(PartialEq, Eq)]
struct Found {
    counters: Result<Vec<CounterFact>, Uncountable>,
    approved_before: Vec<bool>,
    rejected_before: bool,
}

/// What a decision is in the end.
pub(crate) struct Settled {
    pub(crate) judged: Judged,
    pub(crate) counts: Vec<Count>,
}

impl Service {
    /// Judges facts that were drawn without counters and history, with both as they are now.
    pub(crate) fn reckon(
        &self,
        bundle: &Arc<CompiledBundle>,
        facts: Facts,
        args: &Value,
        who: Who,
        targets: &[PlannedPseudonym],
    ) -> Result<Reckoned, ServiceError> {
        let is_judged = facts.obstacle.is_none();
        let asks_history = is_judged && facts.done().any(|action| bundle.reads_history(action));
        let counters = match bundle.bundle().content.counters.is_empty() {
            true => Arc::default(),
            false => self.counters_of(bundle)?,
        };
        let drafts = match is_judged {
            true => history::draft(&counters, &facts, args),
            false => Ok(Vec::new()),
        };
        let drafts = match drafts {
            Ok(drafts) if drafts.is_empty() && !asks_history => {
                let verdict = judge(bundle, &facts);
                return self.without_reckoning(&facts, verdict);
            }
            Ok(drafts) => drafts,
            Err(reason) => return self.without_reckoning(&facts, uncountable(reason)),
        };
        let drafts = drafts.into_iter().map(|draft| {
            let values = draft.values.iter();
            let values = values.map(|value| self.plan_pseudonym(PseudonymKind::Value, value));
            Ok((draft.clone(), values.collect::<Result<Vec<_>, _>>()?))
        });
        let mut reckoning = Reckoning {
            bundle: Arc::clone(bundle),
            counters,
            rebuilt: Arc::clone(&self.rebuilt),
            drafts: drafts.collect::<Result<Vec<_>, ServiceError>>()?,
            asks_history,
            who,
            bare: facts,
            found: Found::nothing(),
            vault: Arc::clone(&self.vault),
            seed: bytes32(&*self.random),
        };
        let targets: Vec<Pseudonym> = targets.iter().map(PlannedPseudonym::expected).collect();
        let rows = LedgerRows {
            ledger: &self.ledger,
            rebuilt: &self.rebuilt,
        };
        let of = |value: &PlannedPseudonym| Ok(value.expected());
        let now = reckoning.bare.now;
        let (found, _) = reckoning.look(&rows, of, &targets, now)?;
        let as_of = self.ledger.size().get();
        let judged = reckoning.conclude(&found, as_of)?;
        reckoning.found = found;
        Ok(Reckoned {
            judged,
            reckoning: Some(Box::new(reckoning)),
        })
    }

    fn without_reckoning(&self, facts: &Facts, verdict: Verdict) -> Result<Reckoned, ServiceError> {
        let (facts_ref, record) = self.vault.seal(facts, &*self.random)?;
        let judged = Judged {
            verdict,
            facts_ref,
            record,
        };
        Ok(Reckoned {
            judged,
            reckoning: None,
        })
    }

    /// The counters of a bundle, made once.
    pub(crate) fn counters_of(
        &self,
        bundle: &CompiledBundle,
    ) -> Result<Arc<Vec<Counter>>, ServiceError> {
        self.counters.fetch(bundle.policy_ref(), || {
            Ok(Counter::all(&bundle.bundle().content.counters))
        })
    }
}

impl Reckoning {
    /// Reads counters and history again, and judges again where they are others than before.
    pub(crate) fn settle(
        &self,
        step: &mut Step<'_>,
        before: &Judged,
        targets: &[Pseudonym],
    ) -> Result<Settled, StepError> {
        let rows = StepRows {
            step,
            rebuilt: &self.rebuilt,
        };
        let of = |value: &PlannedPseudonym| value.peek(rows.step);
        let (found, counts) = self.look(&rows, of, targets, rows.step.now())?;
        let judged = match found == self.found {
            true => before.clone(),
            false => {
                let as_of = step.next_index().get();
                let judged = self.conclude(&found, as_of);
                judged.map_err(StepError::refused)?
            }
        };
        if judged.verdict.outcome != Outcome::Approved {
            let counts = Vec::new();
            return Ok(Settled { judged, counts });
        }
        // Only what the entry names is introduced.
        for value in self.drafts.iter().flat_map(|(_, values)| values) {
            let pseudonym = value.peek(step)?;
            if counts.iter().any(|count| count.value == Some(pseudonym)) {
                value.settle(step)?;
            }
        }
        Ok(Settled { judged, counts })
    }

    /// Reads counters and history. `of` says which pseudonym a value has.
    fn look<R: Rows>(
        &self,
        rows: &R,
        of: impl Fn(&PlannedPseudonym) -> Result<Pseudonym, R::Error>,
        targets: &[Pseudonym],
        now: Timestamp,
    ) -> Result<(Found, Vec<Count>), R::Error> {
        let who = &self.who;
        let call = CountedCall {
            actor: &who.actor,
            intent: who.intent,
            principal: who.principal,
            session: who.session,
            targets,
        };
        let mut found = Found::nothing();
        let (mut facts, mut counts, mut failed) = (Vec::new(), Vec::new(), None);
        for (draft, values) in &self.drafts {
            let Some(counter) = self.counters.get(draft.counter) else {
                continue;
            };
            let values = values.iter().map(&of).collect::<Result<Vec<_>, _>>()?;
            match history::count(counter, draft, &call, &values, now, rows)? {
                Ok(counted) => {
                    facts.extend(counted.facts);
                    counts.extend(counted.counts);
                }
                Err(reason) => failed = failed.or(Some(reason)),
            }
        }
        if counts.len() > LEAF_LIST {
            failed = failed.or(Some(Uncountable::TooMany));
        }
        found.counters = match failed {
            None => Ok(facts),
            Some(reason) => Err(reason),
        };
        if self.asks_history {
            let (action, actions) = (&self.bare.action, &self.bare.actions);
            for target in targets {
                let row = history::approved_row(action, actions, target);
                let is_there = rows.read::<bool>(&row)?.is_some();
                found.approved_before.push(is_there);
            }
            if let Some(intent) = who.intent {
                let row = history::rejected_row(action, actions, targets, intent);
                found.rejected_before = rows.read::<bool>(&row)?.is_some();
            }
        }
        Ok((found, counts))
    }

    /// The verdict with what was found.
    fn conclude(&self, found: &Found, as_of: u64) -> Result<Judged, ServiceError> {
        let history = self.asks_history.then(|| HistoryFact {
            as_of,
            approved_before: found.approved_before.clone(),
            rejected_before: found.rejected_before,
        });
        let recounted;
        let (facts, verdict) = match &found.counters {
            Ok(counters) => {
                recounted = recount(&self.bundle, &self.bare, counters, history.as_ref());
                (&recounted, judge(&self.bundle, &recounted))
            }
            Err(reason) => (&self.bare, uncountable(*reason)),
        };
        let random = Seeded::new(self.seed, facts)?;
        let (facts_ref, record) = self.vault.seal(facts, &random)?;
        Ok(Judged {
            verdict,
            facts_ref,
            record,
        })
    }

    /// The counters of the bundle that judged.
    pub(crate) fn counters(&self) -> &[Counter] {
        &self.counters
    }
}

impl Found {
    fn nothing() -> Self {
        Self {
            counters: Ok(Vec::new()),
            approved_before: Vec::new(),
            rejected_before: false,
        }
    }
}

/// Takes a decision into account for those that come later. `counters` are those of its bundle.
pub(crate) fn remember(
    step: &mut Step<'_>,
    rebuilt: &Rebuilt,
    decision: &Decision,
    counters: &[Counter],
) -> Result<(), StepError> {
    rebuilt.carry(step)?;
    let now = step.now();
    let mut rows = StepRows { step, rebuilt };
    history::apply(decision, counters, now, &mut rows)
}

fn uncountable(reason: Uncountable) -> Verdict {
    tracing::debug!(%reason, "a call cannot be counted");
    crate::decide::rejected(BuiltinReason::Uncountable)
}
