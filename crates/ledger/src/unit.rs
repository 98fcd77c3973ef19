//! Units of work: what callers hand in, and what they get back.

use crate::error::{CommitError, StepError};
use crate::state::ReadSet;
use crate::step::Step;
use countersign_core::ids::EntryId;
use countersign_core::time::Timestamp;
use countersign_merkle::{Hash, LeafIndex, MAX_PATH_LEN, TreeSize};
use countersign_note::TlogProof;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

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
    pub proof: ProofText,
}

/// The text of a proof. It is put together where it is read first, so that the sequencer does not
/// write texts while others wait for it; all that it needs is at hand.
#[derive(Debug, Clone)]
pub struct ProofText {
    index: LeafIndex,
    path: Vec<Hash>,
    checkpoint: Arc<str>,
    text: OnceLock<String>,
}

impl ProofText {
    /// The text of a proof by this path; `None` if the path is longer than any.
    pub(crate) fn new(index: LeafIndex, path: Vec<Hash>, checkpoint: Arc<str>) -> Option<Self> {
        (path.len() <= MAX_PATH_LEN).then(|| Self {
            index,
            path,
            checkpoint,
            text: OnceLock::new(),
        })
    }
}

impl Deref for ProofText {
    type Target = str;

    fn deref(&self) -> &str {
        self.text
            .get_or_init(|| TlogProof::text_of(self.index, &self.path, &self.checkpoint))
    }
}

impl fmt::Display for ProofText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq for ProofText {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ProofText {}

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

    /// Answers. The thread that waits for it, if there is one, is to be woken afterwards.
    fn finish(self: Box<Self>, result: Result<Release, CommitError>) -> Option<Thread>;
}

/// A unit of work as it waits. Its caller is answered exactly once, whatever happens to it.
pub(crate) struct TypedUnit<T> {
    reads: ReadSet,
    work: Work<T>,
    value: Option<T>,
    done: Option<Done<T>>,
    waits: Option<Thread>,
}

impl<T> TypedUnit<T> {
    pub(crate) fn new(reads: ReadSet, work: Work<T>, done: Done<T>) -> Self {
        Self {
            reads,
            work,
            value: None,
            done: Some(done),
            waits: None,
        }
    }

    /// The same for a thread that waits.
    pub(crate) fn awaited_by(self, thread: Thread) -> Self {
        let mut unit = self;
        unit.waits = Some(thread);
        unit
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

    fn finish(mut self: Box<Self>, result: Result<Release, CommitError>) -> Option<Thread> {
        // Without a value the unit never ran, and `drop` says that it is lost.
        match (result, self.value.take()) {
            (Err(error), _) => self.answer(Err(error)),
            (Ok(release), Some(value)) => self.answer(Ok(Committed {
                value,
                entries: release.entries,
                checkpoint: release.checkpoint,
                size: release.size,
            })),
            // Not awaited any more when it is dropped, unless it was answered.
            (Ok(_), None) => return None,
        }
        self.waits.take()
    }
}

impl<T> Drop for TypedUnit<T> {
    fn drop(&mut self) {
        let reason = "a unit of work was lost by the sequencer".to_owned();
        self.answer(Err(CommitError::Halted { reason }));
        if let Some(thread) = self.waits.take() {
            thread.unpark();
        }
    }
}
