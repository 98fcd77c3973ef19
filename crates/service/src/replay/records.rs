//! One recorded decision, judged again.

use countersign_core::document::{Call, CounterDeclaration, Document, Facts, Intent, ToolResult};
use countersign_core::entry::Decision;
use countersign_core::names::ActionName;
use countersign_core::refs::Sha256;
use countersign_core::verdict::Verdict;
use countersign_judge::{CompiledBundle, RejudgeInputs, judge, redraw};

use super::past::{Directories, Unknown};
use crate::Service;
use crate::error::ServiceError;

/// What a recorded decision comes to under another bundle.
pub(super) struct Again {
    pub(super) action: ActionName,
    pub(super) verdict: Verdict,
    pub(super) call: Call,
}

/// Why a recorded decision was not judged again.
#[derive(Debug, Clone, Copy)]
pub(super) enum LeftOut {
    /// Its facts are not there.
    NoFacts,
    /// A record that its facts rest on is not there.
    Erased,
    /// The directory as it was then is not known any more.
    Directory,
    /// The other bundle counts what was not counted then.
    Counter,
    /// The other bundle asks for history that was not recorded.
    History,
    /// The facts could not be drawn again.
    Unreadable,
}

impl LeftOut {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NoFacts | Self::Erased => "erased",
            Self::Directory => "directory-unknown",
            Self::Counter => "counter-unknown",
            Self::History => "history-unknown",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Service {
    pub(super) fn judge_again(
        &self,
        bundle: &CompiledBundle,
        decision: &Decision,
        directories: &Directories<'_>,
    ) -> Result<Result<Again, LeftOut>, ServiceError> {
        let (Some(facts_ref), Some(call_ref)) = (decision.facts_ref, decision.call_ref) else {
            return Ok(Err(LeftOut::Unreadable));
        };
        let Some(facts) = self.record::<Facts>(facts_ref.into())? else {
            return Ok(Err(LeftOut::NoFacts));
        };
        let Some(call) = self.record::<Call>(call_ref.into())? else {
            return Ok(Err(LeftOut::Erased));
        };
        let intents = facts.inputs.intents.iter();
        let intents = intents.map(|input| input.intent_ref.into());
        let Some(intents) = self.records::<Intent>(intents)? else {
            return Ok(Err(LeftOut::Erased));
        };
        let results = facts.inputs.results.iter().map(|result| (*result).into());
        let Some(results) = self.records::<ToolResult>(results)? else {
            return Ok(Err(LeftOut::Erased));
        };
        let inputs = RejudgeInputs {
            bundle,
            facts: &facts,
            call: &call,
            intents: &intents,
            results: &results,
        };
        let directory = directories.as_of(&facts);
        let again = redraw(&inputs, &directory);
        if let Some(unknown) = directory.failure() {
            return match unknown {
                Unknown::TooManyChanges | Unknown::Erased => Ok(Err(LeftOut::Directory)),
                Unknown::Failed(error) => Err(error),
            };
        }
        let Ok(again) = again else {
            return Ok(Err(LeftOut::Unreadable));
        };
        let recorded = self.compiled(&decision.policy_ref)?;
        if !counts_alike(&recorded, &facts, bundle, &again) {
            return Ok(Err(LeftOut::Counter));
        }
        let asks = |facts: &Facts| done(facts).any(|action| bundle.reads_history(action));
        if asks(&again) && facts.inputs.history.is_none() {
            return Ok(Err(LeftOut::History));
        }
        Ok(Ok(Again {
            verdict: judge(bundle, &again),
            action: again.action,
            call,
        }))
    }

    /// A sealed record, if it is still there.
    fn record<D: Document>(&self, reference: Sha256) -> Result<Option<D>, ServiceError> {
        match self.ledger.sealed(&reference)? {
            Some(record) => self
                .vault
                .open(&record)
                .map(Some)
                .map_err(ServiceError::internal),
            None => Ok(None),
        }
    }

    fn records<D: Document>(
        &self,
        references: impl Iterator<Item = Sha256>,
    ) -> Result<Option<Vec<D>>, ServiceError> {
        references.map(|reference| self.record(reference)).collect()
    }
}

/// All that a call does.
fn done(facts: &Facts) -> impl Iterator<Item = &ActionName> {
    let others = facts.actions.iter();
    std::iter::once(&facts.action).chain(others.filter(|action| **action != facts.action))
}

/// Whether what the other bundle counts of this call was counted in the same way when it was
/// recorded.
fn counts_alike(
    recorded: &CompiledBundle,
    then: &Facts,
    bundle: &CompiledBundle,
    again: &Facts,
) -> bool {
    let before: Vec<&CounterDeclaration> = done(then)
        .flat_map(|action| recorded.counters(action))
        .collect();
    done(again)
        .flat_map(|action| bundle.counters(action))
        .all(|counter| before.contains(&counter))
}
