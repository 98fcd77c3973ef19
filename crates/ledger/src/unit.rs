//! Units of work: what callers hand in, and what they get back.

use crate::error::{CommitError, StepError};
use crate::state::ReadSet;
use crate::step::Step;
use countersign_core::ids::EntryId;
use countersign_core::time::Timestamp;
use countersign_merkle::{LeafIndex, TreeSize};
use std::sync::Arc;

/// What a unit of work does within the plan. It may run more than once (see
/// [`crate::Ledger::submit`]); only the effects of its last run count.
pub type Work<T> = Box<dyn Fn(&mut Step<'_>) -> Result<T, StepError> + Send>;

/// What is called with the answer, on the sequencer's thread: it must be short and must not wait
/// for the ledger.
pub type Done<T> = Box<dyn FnOnce(Result<Committed<T>, CommitError>) + Send>;

/// What a unit of work left in the ledger, durably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the work returned.
    pub value: T,
    /// Its entries, in order; none for a unit that only looked.
    pub entries: Vec<CommittedEntry>,
    /// The signed checkpoint that covers them, a C2SP signed note.
    pub checkpoint: Arc<str>,
    /// The size of the tree that the checkpoint is of.
    pub size: TreeSize,
}

/// One durable entry, with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedEntry {
    /// Where it stands.
    pub index: LeafIndex,
    /// Its id.
    pub entry_id: EntryId,
    /// When it was committed.
    pub timestamp: Timestamp,
    /// Its leaf's bytes.
    pub leaf: Vec<u8>,
    /// A C2SP tlog-proof against the checkpoint.
    pub proof: String,
}

/// What the entries of a unit share, once they are durable.
pub(crate) struct Release {
    pub(crate) entries: Vec<CommittedEntry>,
    pub(crate) checkpoint: Arc<str>,
    pub(crate) size: TreeSize,
}

/// A unit of work whose type of value does not matter.
pub(crate) trait Unit: Send {
    /// What must still be as it was.
    fn reads(&self) -> &ReadSet;

    /// Runs the work and keeps its value.
    fn run(&mut self, step: &mut Step<'_>) -> Result<(), StepError>;

    /// Answers.
    fn finish(self: Box<Self>, result: Result<Release, CommitError>);
}

/// A unit of work as it waits. Its caller is answered exactly once, whatever happens to it.
pub(crate) struct TypedUnit<T> {
    reads: ReadSet,
    work: Work<T>,
    value: Option<T>,
    done: Option<Done<T>>,
}

impl<T> TypedUnit<T> {
    pub(crate) fn new(reads: ReadSet, work: Work<T>, done: Done<T>) -> Self {
        Self {
            reads,
            work,
            value: None,
            done: Some(done),
        }
    }

    fn answer(&mut self, result: Result<Committed<T>, CommitError>) {
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

impl<T: Send> Unit for TypedUnit<T> {
    fn reads(&self) -> &ReadSet {
        &self.reads
    }

    fn run(&mut self, step: &mut Step<'_>) -> Result<(), StepError> {
        self.value = None;
        self.value = Some((self.work)(step)?);
        Ok(())
    }

    fn finish(mut self: Box<Self>, result: Result<Release, CommitError>) {
        // Without a value the unit never ran, and `drop` says that it is lost.
        match (result, self.value.take()) {
            (Err(error), _) => self.answer(Err(error)),
            (Ok(release), Some(value)) => self.answer(Ok(Committed {
                value,
                entries: release.entries,
                checkpoint: release.checkpoint,
                size: release.size,
            })),
            (Ok(_), None) => {}
        }
    }
}

impl<T> Drop for TypedUnit<T> {
    fn drop(&mut self) {
        let reason = "a unit of work was lost by the sequencer".to_owned();
        self.answer(Err(CommitError::Halted { reason }));
    }
}
