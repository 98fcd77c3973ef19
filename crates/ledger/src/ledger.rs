//! The ledger of one log: reading, and appending through the sequencer.

use crate::edge::Edge;
use crate::error::{CommitError, StepError};
use crate::head::Head;
use crate::head_file::HeadFile;
use crate::queue::{Batch, Lane, Queue};
use crate::reader::LogReader;
use crate::release::{Newest, Released};
use crate::reserve::Reserve;
use crate::rewrap::Admit;
use crate::second::{Second, SecondSigner};
use crate::sequencer::{self, Sequencer, answer};
use crate::start::{self, OpenError};
use crate::state::ReadSet;
use crate::step::Step;
use crate::store::Store;
use crate::unit::{Committed, Done, TypedUnit, Unit, Work};
use countersign_core::entry::Genesis;
use countersign_core::ids::EntryId;
use countersign_core::time::Clock;
use countersign_merkle::TreeSize;
use countersign_note::{Checkpoint, CheckpointError, NoteSigner, VerifierKey};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

/// What signs checkpoints. It must be local: it is called under the lock.
pub type LogSigner = dyn NoteSigner + Send + Sync;

/// What a ledger is made of.
pub struct LedgerParts {
    /// Where the log is kept.
    pub store: Arc<dyn Store>,
    /// The head file, outside the database and its backups.
    pub head_file: PathBuf,
    /// Signs checkpoints; its name is the log's origin.
    pub signer: Arc<LogSigner>,
    /// Signs every released checkpoint a second time, on a thread of its own while the commit runs.
    /// The database holds checkpoints without it.
    pub second_signer: Option<Arc<SecondSigner>>,
    /// While a key follows another: the one that has signed the stored checkpoint. It comes from a
    /// key file and never from the log itself, which somebody may have written anew: what is stored
    /// is signed again by `signer`.
    pub earlier_signer: Option<VerifierKey>,
    /// The present time.
    pub clock: Arc<dyn Clock>,
    /// Room for urgent units on a full disk, if any is kept.
    pub reserve: Option<Box<dyn Reserve>>,
}

/// The ledger of one log. Reads go through the [`LogReader`] that it dereferences to; appending
/// goes through the sequencer, a thread that ends when the ledger is dropped.
///
/// The caller holds the [`crate::DirLock`] of the data directory as long as the ledger lives.
pub struct Ledger {
    reader: LogReader,
    queue: Arc<Queue>,
    reserve_is_out: Arc<AtomicBool>,
    halted: Arc<Mutex<Option<String>>>,
    sequencer: Arc<Mutex<Sequencer>>,
    admit: Arc<OnceLock<Box<Admit>>>,
    thread: Option<JoinHandle<()>>,
}

/// How a ledger fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// How many entries were released.
    pub size: TreeSize,
    /// How many units wait for the sequencer.
    pub waiting: usize,
    /// Whether the disk was so full that the reserve was given away, and not filled up again: only
    /// urgent units are committed.
    pub is_short_of_room: bool,
    /// Why the ledger stopped for good, if it did.
    pub halted: Option<String>,
}

impl Ledger {
    /// Begins a new log, whose first entry is `genesis`; `extra` may add more entries and the
    /// state that they found, in the same commit.
    ///
    /// An interrupted call leaves nothing that a second one could not begin from.
    pub fn create<T: Send + 'static>(
        parts: LedgerParts,
        entry_id: EntryId,
        genesis: Genesis,
        extra: impl Fn(&mut Step<'_>) -> Result<T, StepError> + Send + 'static,
    ) -> Result<(Self, Committed<T>), CreateError> {
        let released = HeadFile::open(&parts.head_file).map_err(OpenError::from)?;
        if let Some(head) = parts.store.head().map_err(OpenError::from)? {
            return Err(CreateError::Open(OpenError::AlreadyInitialised {
                origin: head.origin().to_string(),
                size: head.size(),
            }));
        }
        match start::without_log(released.as_ref()) {
            OpenError::NotInitialised => {}
            lost => return Err(lost.into()),
        }
        let head = Head::empty(genesis.origin.clone());
        let begin = Checkpoint::new(head.origin().as_str(), head.size(), head.root());
        let begin = begin.map_err(|error| OpenError::from(CheckpointError::from(error)))?;
        // Before the first commit, so that a log never stands without its head file.
        let head_file = HeadFile::create(&parts.head_file, begin).map_err(OpenError::from)?;
        let released = Released::new(head, Edge::default());
        let mut ledger = Prepared::new(parts, released, head_file)?;
        let committed = ledger.first_commit(Box::new(move |step| {
            if step.next_index().get() != 0 {
                return Err(StepError::refused("the log has entries already"));
            }
            step.push(entry_id, genesis.clone())?;
            extra(step)
        }))?;
        Ok((ledger.start()?, committed))
    }

    /// Opens a log and checks that it is as this machine released it last.
    pub fn open(parts: LedgerParts) -> Result<Self, OpenError> {
        let checked = start::check(&parts)?;
        let released = Released::signed(checked.head, checked.checkpoint, checked.edge);
        Prepared::new(parts, released, checked.head_file)?.start()
    }

    /// Hands a unit of work to the sequencer; `done` is called exactly once with the answer.
    ///
    /// `reads` is compared with the state under the lock, then `work` runs; it sees what the units
    /// before it in its batch have left. If the outcome of a commit is unknown and turns out to be
    /// none, `work` runs again, so it must have no effect but through its [`Step`]. A unit that
    /// pushes no entry is legal as long as it changes no state.
    ///
    /// `done` runs on the sequencer's thread, or on that of a caller of [`Ledger::commit`] that serves
    /// the queue while it waits (or, for [`CommitError::Busy`] and a ledger that has stopped, on the
    /// caller's own).
    pub fn submit<T: Send + 'static>(&self, reads: ReadSet, work: Work<T>, done: Done<T>) {
        self.enqueue(Lane::Normal, reads, work, done);
    }

    /// The same for what must get through when the queue or the disk is full: revocations, stops,
    /// keys. Such units wait in a lane of their own, and get the disk reserve.
    pub fn submit_urgent<T: Send + 'static>(&self, reads: ReadSet, work: Work<T>, done: Done<T>) {
        self.enqueue(Lane::Urgent, reads, work, done);
    }

    /// Hands a unit of work to the sequencer and waits for the answer. Must not be called from
    /// within `work` or `done`.
    pub fn commit<T: Send + 'static>(
        &self,
        reads: ReadSet,
        work: impl Fn(&mut Step<'_>) -> Result<T, StepError> + Send + 'static,
    ) -> Result<Committed<T>, CommitError> {
        self.wait(Lane::Normal, reads, Box::new(work))
    }

    /// The same in the urgent lane.
    pub fn commit_urgent<T: Send + 'static>(
        &self,
        reads: ReadSet,
        work: impl Fn(&mut Step<'_>) -> Result<T, StepError> + Send + 'static,
    ) -> Result<Committed<T>, CommitError> {
        self.wait(Lane::Urgent, reads, Box::new(work))
    }

    /// How the ledger fares.
    pub fn health(&self) -> Health {
        let halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        Health {
            size: self.reader.size(),
            waiting: self.queue.waiting(),
            is_short_of_room: self.reserve_is_out.load(Ordering::Relaxed),
            halted: halted.clone(),
        }
    }

    /// Stops the ledger for good, as when a witness shows that this log has signed another history.
    /// Units that wait are refused; a batch that is being committed may still come through.
    pub fn halt(&self, reason: &str) {
        let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        if halted.is_none() {
            tracing::error!(%reason, "the ledger is halted");
        }
        // The first reason stands.
        let reason = halted.get_or_insert_with(|| reason.to_owned()).clone();
        drop(halted);
        for unit in self.queue.abandon(&reason) {
            let reason = reason.clone();
            answer(unit, Err(CommitError::Halted { reason }));
        }
    }

    /// A reader that can outlive the ledger.
    pub fn reader(&self) -> LogReader {
        self.reader.clone()
    }

    pub(crate) fn admission(&self) -> &OnceLock<Box<Admit>> {
        &self.admit
    }

    fn enqueue<T: Send + 'static>(&self, lane: Lane, reads: ReadSet, work: Work<T>, done: Done<T>) {
        if self.push(lane, Box::new(TypedUnit::new(reads, work, done))) {
            self.queue.wake();
        }
    }

    /// Lets a unit wait; false if it was refused.
    fn push(&self, lane: Lane, unit: Box<dyn Unit>) -> bool {
        match self.queue.push(lane, unit) {
            Ok(()) => true,
            Err((unit, error)) => {
                answer(unit, Err(error));
                false
            }
        }
    }

    fn wait<T: Send + 'static>(
        &self,
        lane: Lane,
        reads: ReadSet,
        work: Work<T>,
    ) -> Result<Committed<T>, CommitError> {
        let answer = Arc::new(Mutex::new(None));
        let given = Arc::clone(&answer);
        let done = Box::new(move |result| {
            *given.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        let unit = TypedUnit::new(reads, work, done).awaited_by(thread::current());
        let lock = || answer.lock().unwrap_or_else(PoisonError::into_inner);
        if self.push(lane, Box::new(unit)) {
            let (queue, halted) = (&self.queue, &self.halted);
            sequencer::serve_own(&self.sequencer, queue, halted, || lock().is_some());
        }
        loop {
            // Out of the lock before anything is done with it.
            let taken = lock().take();
            match taken {
                Some(result) => return result,
                // It may wake for no reason. A unit is answered even when it is lost.
                None => thread::park(),
            }
        }
    }
}

/// Reading needs no sequencer.
impl Deref for Ledger {
    type Target = LogReader;

    fn deref(&self) -> &LogReader {
        &self.reader
    }
}

/// Lets the units that wait be committed and answered, then ends the sequencer.
impl Drop for Ledger {
    fn drop(&mut self) {
        self.queue.close("the ledger is being closed");
        let Some(sequencer) = self.thread.take() else {
            return;
        };
        // A callback may hold the last reference; the sequencer cannot wait for itself.
        if sequencer.thread().id() != thread::current().id() {
            let _ = sequencer.join();
        }
    }
}

/// Why a log was not begun.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// What is there does not allow it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The first entries were not committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// A ledger whose sequencer does not run yet.
struct Prepared {
    reader: LogReader,
    sequencer: Sequencer,
}

impl Prepared {
    fn new(parts: LedgerParts, released: Released, head_file: HeadFile) -> Result<Self, OpenError> {
        let newest = Newest::new(released);
        let second = parts.second_signer.map(Second::start).transpose();
        Ok(Self {
            reader: LogReader::new(Arc::clone(&parts.store), newest.clone()),
            sequencer: Sequencer {
                store: parts.store,
                signer: parts.signer,
                second: second.map_err(OpenError::Thread)?,
                admit: Arc::default(),
                clock: parts.clock,
                head_file,
                newest,
                reserve: parts.reserve,
                reserve_is_out: Arc::default(),
                restore_tried: None,
            },
        })
    }

    /// Commits one unit on this thread.
    fn first_commit<T: Send + 'static>(
        &mut self,
        work: Work<T>,
    ) -> Result<Committed<T>, CommitError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let done = Box::new(move |result| {
            let _ = sender.send(result);
        });
        let batch = Batch {
            units: vec![Box::new(TypedUnit::new(ReadSet::none(), work, done))],
            urgent: 0,
        };
        if let Err(halted) = self.sequencer.serve(batch, &Queue::default()) {
            halted.refuse();
        }
        receiver.recv().unwrap_or_else(|_| Err(lost()))
    }

    fn start(self) -> Result<Ledger, OpenError> {
        let queue = Arc::new(Queue::default());
        let halted = Arc::new(Mutex::new(None));
        let reserve_is_out = Arc::clone(&self.sequencer.reserve_is_out);
        let admit = Arc::clone(&self.sequencer.admit);
        let served = Arc::clone(&queue);
        let told = Arc::clone(&halted);
        let sequencer = Arc::new(Mutex::new(self.sequencer));
        let run = Arc::clone(&sequencer);
        let thread = thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(move || sequencer::run(&run, &served, &told))
            .map_err(OpenError::Thread)?;
        Ok(Ledger {
            reader: self.reader,
            queue,
            reserve_is_out,
            halted,
            sequencer,
            admit,
            thread: Some(thread),
        })
    }
}

fn lost() -> CommitError {
    CommitError::Halted {
        reason: "a unit of work was lost by the sequencer".to_owned(),
    }
}
