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
    /// Its facts rest on more than is opened for one decision.
    TooLarge,
    /// The facts could not be drawn again.
    Unreadable,
}

/// Most bytes of sealed records that are opened for one decision.
const DECISION_BYTES: usize = 64 * 1024 * 1024;

impl LeftOut {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NoFacts | Self::Erased => "erased",
            Self::Directory => "directory-unknown",
            Self::Counter => "counter-unknown",
            Self::History => "history-unknown",
            Self::TooLarge => "too-large",
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
        opened: &mut usize,
    ) -> Result<Result<Again, LeftOut>, ServiceError> {
        let before = *opened;
        let again = self.drawn_again(bundle, decision, directories, &mut Room { before, opened });
        match again {
            Err(Failure::LeftOut(why)) => Ok(Err(why)),
            Err(Failure::Service(error)) => Err(error),
            Ok(again) => Ok(Ok(again)),
        }
    }

    fn drawn_again(
        &self,
        bundle: &CompiledBundle,
        decision: &Decision,
        directories: &Directories<'_>,
        room: &mut Room<'_>,
    ) -> Result<Again, Failure> {
        let (Some(facts_ref), Some(call_ref)) = (decision.facts_ref, decision.call_ref) else {
            return Err(LeftOut::Unreadable.into());
        };
        let facts: Facts = match self.record(facts_ref.into(), room) {
            Err(Failure::LeftOut(LeftOut::Erased)) => return Err(LeftOut::NoFacts.into()),
            facts => facts?,
        };
        let call: Call = self.record(call_ref.into(), room)?;
        let mut intents: Vec<Intent> = Vec::with_capacity(facts.inputs.intents.len());
        for input in &facts.inputs.intents {
            intents.push(self.record(input.intent_ref.into(), room)?);
        }
        let mut results: Vec<ToolResult> = Vec::with_capacity(facts.inputs.results.len());
        for result in &facts.inputs.results {
            results.push(self.record((*result).into(), room)?);
        }
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
            return Err(match unknown {
                Unknown::TooManyChanges | Unknown::Erased => LeftOut::Directory.into(),
                Unknown::Failed(error) => error.into(),
            });
        }
        let again = again.map_err(|_| LeftOut::Unreadable)?;
        let recorded = self.compiled(&decision.policy_ref)?;
        if !counts_alike(&recorded, &facts, bundle, &again) {
            return Err(LeftOut::Counter.into());
        }
        let asks = |facts: &Facts| facts.done().any(|action| bundle.reads_history(action));
        if asks(&again) && facts.inputs.history.is_none() {
            return Err(LeftOut::History.into());
        }
        Ok(Again {
            verdict: judge(bundle, &again),
            action: again.action,
            call,
        })
    }

    /// A sealed record, if it is still there and there is room for it.
    fn record<D: Document>(&self, reference: Sha256, room: &mut Room<'_>) -> Result<D, Failure> {
        let record = self.ledger.sealed(&reference).map_err(ServiceError::from)?;
        let record = record.ok_or(LeftOut::Erased)?;
        *room.opened = room.opened.saturating_add(record.ciphertext.len());
        if room.opened.saturating_sub(room.before) > DECISION_BYTES {
            return Err(LeftOut::TooLarge.into());
        }
        let opened = self.vault.open(&record).map_err(ServiceError::internal);
        Ok(opened?)
    }
}

/// Why there is no other verdict.
enum Failure {
    LeftOut(LeftOut),
    Service(ServiceError),
}

impl From<LeftOut> for Failure {
    fn from(why: LeftOut) -> Self {
        Self::LeftOut(why)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

/// How many bytes were opened for the page, and before this decision.
struct Room<'a> {
    before: usize,
    opened: &'a mut usize,
}

/// Whether what the other bundle counts of this call was counted in the same way when it was
/// recorded.
fn counts_alike(
    recorded: &CompiledBundle,
    then: &Facts,
    bundle: &CompiledBundle,
    again: &Facts,
) -> bool {
    let before: Vec<&CounterDeclaration> = then
        .done()
        .flat_map(|action| recorded.counters(action))
        .collect();
    again
        .done()
        .flat_map(|action| bundle.counters(action))
        .all(|counter| before.contains(&counter))
}
