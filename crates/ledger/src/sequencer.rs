//! The sequencer: the one place where entries are appended, by its own thread or by that of a
//! caller who waits, one at a time. It takes all that waits, plans it, has the store
//! commit it, records the new head outside the database, and only then answers.
//!
//! There is no timer: while one commit runs, the next batch gathers.

use crate::edge::Edge;
use crate::error::CommitError;
use crate::head::Head;
use crate::head_file::HeadFile;
use crate::ledger::LogSigner;
use crate::limits::{HEAD_READS, REPLANS, RESERVE_RETRY_S};
use crate::plan::{Caps, PlanError, PlanInput, Planned, UnitOutcome, plan};
use crate::queue::{Batch, Queue};
use crate::reader::Nodes;
use crate::release::{Newest, Released};
use crate::reserve::Reserve;
use crate::rewrap::Admit;
use crate::second::Second;
use crate::store::{NotCommitted, StateReader, Store, StoreError, StoreReadError, Writes};
use crate::unit::{CommittedEntry, ProofText, Release, Unit};
use countersign_core::time::{Clock, Timestamp};
use countersign_merkle::{ProofError, root_at};
use countersign_note::{Checkpoint, Note, SignedCheckpoint};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long the sequencer waits before it reads the head once more.
const HEAD_READ_PAUSE: Duration = Duration::from_millis(100);

/// Everything that appending needs; used by one thread at a time.
pub(crate) struct Sequencer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) signer: Arc<LogSigner>,
    pub(crate) second: Option<Second>,
    pub(crate) admit: Arc<OnceLock<Box<Admit>>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) head_file: HeadFile,
    pub(crate) newest: Newest,
    pub(crate) reserve: Option<Box<dyn Reserve>>,
    pub(crate) reserve_is_out: Arc<AtomicBool>,
    pub(crate) restore_tried: Option<Instant>,
}

/// A batch that is durable.
struct Durable {
    planned: Planned,
    /// The head that the plan began from.
    seen: Head,
}

/// Why a batch is not durable; nothing of it was written unless the ledger halts.
#[derive(Debug)]
enum Failure {
    Full,
    Busy,
    Unavailable(String),
    ClockBehind { head: Timestamp, clock: Timestamp },
    Halt(String),
}

impl Failure {
    fn error(&self) -> CommitError {
        match self {
            Self::Full => CommitError::StorageFull,
            Self::Busy => CommitError::Busy,
            Self::Unavailable(detail) => CommitError::Unavailable {
                detail: detail.clone(),
            },
            Self::ClockBehind { head, clock } => CommitError::ClockBehind {
                head: *head,
                clock: *clock,
            },
            Self::Halt(reason) => CommitError::Halted {
                reason: reason.clone(),
            },
        }
    }
}

/// The ledger must stop for good.
pub(crate) struct Halted {
    reason: String,
    // The batch with which it happened, not answered yet.
    batch: Batch,
}

impl Halted {
    /// Lets no further unit wait, then answers all there are.
    fn halt(self, queue: &Queue, told: &Mutex<Option<String>>) {
        let Self { reason, batch } = self;
        tracing::error!(%reason, "the ledger halts");
        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
        let waiting = queue.abandon(&reason);
        let failure = Failure::Halt(reason);
        for unit in batch.units.into_iter().chain(waiting) {
            answer(unit, Err(failure.error()));
        }
    }

    /// Answers the batch of a ledger that has no queue yet.
    pub(crate) fn refuse(self) {
        refuse(self.batch, &Failure::Halt(self.reason));
    }
}

/// What a batch's plan came to under the lock.
enum Locked {
    Planned(Durable),
    Stopped(Failure),
}

/// Serves the queue until it is closed and empty.
pub(crate) fn run(sequencer: &Mutex<Sequencer>, queue: &Queue, told: &Mutex<Option<String>>) {
    while queue.wait() {
        let mut sequencer = sequencer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = queue.take() {
            sequencer.serve_or_halt(batch, queue, told);
        }
    }
}

/// Serves the queue on the thread of a caller until `is_answered`, if nobody else does: who is alone
/// need not wait for another thread to wake.
pub(crate) fn serve_own(
    sequencer: &Mutex<Sequencer>,
    queue: &Queue,
    told: &Mutex<Option<String>>,
    is_answered: impl Fn() -> bool,
) {
    if let Ok(mut sequencer) = sequencer.try_lock() {
        while !is_answered() {
            // Units that are not in the queue any more have been served by who had the lock.
            let Some(batch) = queue.take() else { return };
            sequencer.serve_or_halt(batch, queue, told);
        }
    }
    if queue.waiting() > 0 {
        queue.wake();
    }
}

impl Sequencer {
    /// Commits a batch and answers it; if the ledger must halt, answers whatever waits.
    fn serve_or_halt(&mut self, batch: Batch, queue: &Queue, told: &Mutex<Option<String>>) {
        // Units that did not fit the batch before came back to a queue that was given up meanwhile.
        let halted = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(reason) = halted {
            return refuse(batch, &Failure::Halt(reason));
        }
        let served = catch_unwind(AssertUnwindSafe(|| self.serve(batch, queue)));
        // The units of a batch that is lost are answered when they are dropped.
        let lost = || Halted {
            reason: "the sequencer failed unexpectedly".to_owned(),
            batch: Batch::default(),
        };
        if let Err(halted) = served.unwrap_or_else(|_| Err(lost())) {
            halted.halt(queue, told);
        }
    }

    /// Commits a batch and answers it, unless the ledger must halt.
    pub(crate) fn serve(&mut self, mut batch: Batch, queue: &Queue) -> Result<(), Halted> {
        if !self.has_reserve() {
            refuse(batch.split_off(batch.urgent), &Failure::Full);
            if batch.urgent == 0 {
                return Ok(());
            }
        }
        let mut result = self.commit(&mut batch.units);
        if matches!(result, Err(Failure::Full)) && batch.urgent > 0 && self.release_reserve() {
            refuse(batch.split_off(batch.urgent), &Failure::Full);
            result = self.commit(&mut batch.units);
        }
        let released = result.and_then(|durable| {
            self.release(&durable)?;
            Ok(durable)
        });
        match released {
            Ok(durable) => {
                let taken = durable.planned.outcomes.len();
                queue.give_back(batch.split_off(taken));
                self.answer_all(batch, durable.planned);
            }
            Err(Failure::Halt(reason)) => return Err(Halted { reason, batch }),
            Err(failure) => {
                tracing::warn!(?failure, units = batch.units.len(), "a batch failed");
                refuse(batch, &failure);
            }
        }
        Ok(())
    }

    /// Plans the units and has the store commit the plan, afresh if it turns out that an unknown
    /// outcome was none.
    fn commit(&mut self, units: &mut [Box<dyn Unit>]) -> Result<Durable, Failure> {
        let mut detail = String::new();
        for _ in 0..=REPLANS {
            let mut locked = None;
            let stored = self.store.commit(&mut |head, state| {
                let planned = self.plan_locked(head, state, units)?;
                let writes = match &planned {
                    Locked::Planned(durable) => durable.planned.writes.clone(),
                    Locked::Stopped(_) => None,
                };
                if let (Some(second), Some(writes)) = (&self.second, &writes) {
                    second.begin(&writes.head);
                }
                locked = Some(planned);
                Ok(writes)
            });
            let durable = match locked {
                Some(Locked::Stopped(failure)) => return Err(failure),
                Some(Locked::Planned(durable)) => Some(durable),
                None => None,
            };
            match (stored, durable) {
                (Ok(()), Some(durable)) => return Ok(durable),
                (Ok(()), None) => return Err(halt("the store did not run the plan")),
                (Err(StoreError::NotCommitted { reason, detail }), _) => {
                    return Err(match reason {
                        NotCommitted::Full => Failure::Full,
                        NotCommitted::Busy => Failure::Busy,
                        NotCommitted::Io => Failure::Unavailable(detail),
                    });
                }
                (Err(StoreError::Fatal { detail }), _) => return Err(Failure::Halt(detail)),
                (Err(StoreError::Unknown { detail: unknown }), durable) => {
                    tracing::warn!(detail = %unknown, "the outcome of a commit is unknown");
                    if let Some(durable) = durable
                        && self.is_committed(&durable)?
                    {
                        return Ok(durable);
                    }
                    detail = unknown;
                }
            }
        }
        // Each time it was found that nothing had been written.
        Err(Failure::Unavailable(detail))
    }

    fn plan_locked(
        &self,
        head: Option<&Head>,
        state: &dyn StateReader,
        units: &mut [Box<dyn Unit>],
    ) -> Result<Locked, StoreReadError> {
        let released = self.newest.read();
        let seen = match head {
            Some(head) => head.clone(),
            None if released.head.size().get() == 0 => released.head.clone(),
            None => return Ok(Locked::Stopped(halt("the database has lost its log"))),
        };
        if let Err(reason) = self.check_extends(&released.head, &seen)? {
            return Ok(Locked::Stopped(Failure::Halt(reason)));
        }
        let input = PlanInput {
            head: &seen,
            state,
            clock: self.clock.now(),
            signer: self.signer.as_ref(),
            caps: Caps::DEFAULT,
            admit: self.admit.get().map(AsRef::as_ref),
        };
        let planned = plan(&input, units);
        Ok(match planned {
            Ok(planned) => Locked::Planned(Durable { planned, seen }),
            Err(PlanError::Read(error)) => return Err(error),
            Err(PlanError::ClockBehind { head, clock }) => {
                Locked::Stopped(Failure::ClockBehind { head, clock })
            }
            Err(
                error @ (PlanError::Checkpoint(_) | PlanError::Sign(_) | PlanError::TooLarge(_)),
            ) => Locked::Stopped(Failure::Unavailable(error.to_string())),
        })
    }

    /// Whether the head under the lock is that which this process released last, or extends it.
    /// Anything else means that signed history was undone: nothing may be signed on top of it.
    fn check_extends(
        &self,
        released: &Head,
        seen: &Head,
    ) -> Result<Result<(), String>, StoreReadError> {
        let differs = |what: &str| {
            Err(format!(
                "the head of the database (size {}, root `{}`) {what} what this process released \
                 (size {}, root `{}`)",
                seen.size(),
                seen.root(),
                released.size(),
                released.root(),
            ))
        };
        if seen.origin() != released.origin() {
            return Ok(differs("is of another log than"));
        }
        if seen.size() < released.size() {
            return Ok(differs("is behind"));
        }
        if seen.size() == released.size() {
            return Ok(match seen.root() == released.root() {
                true => Ok(()),
                false => differs("contradicts"),
            });
        }
        // Another process has appended: one that has the log's key, and not somebody who only writes
        // the database. The tree must lead from the one head to the other.
        if !self.is_signed(seen) {
            return Ok(differs("is not signed by the log's key, and goes beyond"));
        }
        let edge = &Edge::default();
        let store = self.store.as_ref();
        for head in [released, seen] {
            match root_at(&Nodes { store, edge }, head.size()) {
                Ok(root) if root == head.root() => {}
                Err(ProofError::Source(error)) => return Err(error),
                Ok(_) | Err(_) => return Ok(differs("contradicts")),
            }
        }
        Ok(Ok(()))
    }

    /// Whether the head's checkpoint is its own, and the log's key has signed it.
    fn is_signed(&self, head: &Head) -> bool {
        let keys = std::slice::from_ref(self.signer.verifier_key());
        let note = head.checkpoint().parse::<Note>().ok();
        let signed = note.and_then(|note| SignedCheckpoint::open(&note, keys).ok());
        signed.is_some_and(|signed| {
            let claim = signed.checkpoint();
            claim.origin() == head.origin().as_str()
                && claim.size() == head.size()
                && claim.root() == head.root()
        })
    }

    /// After a commit of unknown outcome: whether the batch is in the log. Locks the head, so that
    /// a commit that is still under way has ended one way or the other.
    fn is_committed(&self, durable: &Durable) -> Result<bool, Failure> {
        let Some(writes) = &durable.planned.writes else {
            return Ok(false);
        };
        let mut last = String::new();
        for attempt in 0..HEAD_READS {
            if attempt > 0 {
                std::thread::sleep(HEAD_READ_PAUSE);
            }
            let mut found = None;
            let read = self.store.commit(&mut |head, _| {
                found = Some(head.cloned());
                Ok(None)
            });
            match (read, found) {
                (Ok(()), Some(head)) => return self.compare(head.as_ref(), durable, writes),
                (Ok(()), None) => last = "the store did not run the plan".to_owned(),
                (Err(error), _) => last = error.to_string(),
            }
        }
        Err(Failure::Halt(format!(
            "the outcome of a commit is unknown, and the head cannot be read: {last}"
        )))
    }

    fn compare(
        &self,
        head: Option<&Head>,
        durable: &Durable,
        writes: &Writes,
    ) -> Result<bool, Failure> {
        if head == Some(&writes.head) {
            return Ok(true);
        }
        let is_unchanged = match head {
            Some(head) => *head == durable.seen,
            None => durable.seen.size().get() == 0,
        };
        if is_unchanged {
            return Ok(false);
        }
        // Another process has appended meanwhile, before our batch or after it.
        self.holds(writes)
            .map_err(|error| Failure::Halt(error.to_string()))?
            .ok_or_else(|| halt("a batch is in the log in part, or in another place"))
    }

    /// Whether the log holds all of the leaves where they were planned (`true`) or none of them
    /// (`false`).
    fn holds(&self, writes: &Writes) -> Result<Option<bool>, StoreReadError> {
        let mut held = 0_usize;
        let mut absent = 0_usize;
        for leaf in &writes.leaves {
            match self.store.index_of(leaf.entry_id)? {
                None => absent = absent.saturating_add(1),
                Some(index) if index == leaf.index => {
                    let at = index.get();
                    let stored = self.store.leaves(at..at.saturating_add(1))?;
                    let is_same = stored.first().is_some_and(|s| s.bytes == leaf.bytes);
                    held = held.saturating_add(usize::from(is_same));
                }
                Some(_) => {}
            }
        }
        let all = writes.leaves.len();
        Ok(match (held, absent) {
            (held, 0) if held == all => Some(true),
            (0, absent) if absent == all => Some(false),
            _ => None,
        })
    }

    /// Records the new head outside the database and lets readers see it.
    fn release(&mut self, durable: &Durable) -> Result<(), Failure> {
        let released = self.newest.read();
        let head = match &durable.planned.writes {
            Some(writes) => &writes.head,
            None => &durable.seen,
        };
        if head.size() <= released.head.size() {
            return Ok(());
        }
        let checkpoint = Checkpoint::new(head.origin().as_str(), head.size(), head.root())
            .map_err(|error| Failure::Halt(error.to_string()))?;
        // The entries are durable already; without the head file nobody could tell a restored
        // database from this one, so nobody is told of them.
        self.head_file
            .record(checkpoint, head.checkpoint())
            .map_err(|error| Failure::Halt(error.to_string()))?;
        let edge = if durable.seen.size() == released.head.size() {
            released.edge.advanced(&durable.planned.tree)
        } else {
            Edge::read(self.store.as_ref(), head.size())
                .map_err(|error| Failure::Halt(error.to_string()))?
        };
        let checkpoint = match &self.second {
            None => head.checkpoint().to_owned(),
            Some(second) => second
                .finish(head, durable.planned.writes.is_some())
                .map_err(|error| Failure::Halt(format!("the second signature: {error}")))?,
        };
        let released = Released::signed(head.clone(), checkpoint.into(), edge);
        self.newest.replace(released);
        Ok(())
    }

    fn answer_all(&self, batch: Batch, planned: Planned) {
        let released = self.newest.read();
        let prover = planned.tree.prover();
        let mut leaves = match planned.writes.map(Arc::unwrap_or_clone) {
            Some(writes) => writes.leaves,
            None => Vec::new(),
        }
        .into_iter();
        // Threads are woken when all have their answers: each would take the processor away from
        // those that still wait for theirs.
        let mut waiting = Vec::with_capacity(batch.units.len());
        for (unit, outcome) in batch.units.into_iter().zip(planned.outcomes) {
            let range = match outcome {
                UnitOutcome::Failed(error) => {
                    waiting.extend(finish(unit, Err(error)));
                    continue;
                }
                UnitOutcome::Planned(range) => range,
            };
            let entries = leaves.by_ref().take(range.len()).map(|leaf| {
                let path = prover.path(leaf.index)?;
                let checkpoint = Arc::clone(&released.checkpoint);
                Some(CommittedEntry {
                    index: leaf.index,
                    entry_id: leaf.entry_id,
                    timestamp: leaf.row.time,
                    leaf: leaf.bytes,
                    proof: ProofText::new(leaf.index, path, checkpoint)?,
                })
            });
            let entries: Option<Vec<CommittedEntry>> = entries.collect();
            let release = entries.map(|entries| Release {
                entries,
                checkpoint: Arc::clone(&released.checkpoint),
                size: released.head.size(),
            });
            let no_proof = || CommitError::Halted {
                reason: "an entry is in the log, but no proof of it could be made".to_owned(),
            };
            waiting.extend(finish(unit, release.ok_or_else(no_proof)));
        }
        waiting.iter().for_each(Thread::unpark);
    }

    /// Whether units that are not urgent may be committed; tries to fill the reserve up again.
    fn has_reserve(&mut self) -> bool {
        if !self.reserve_is_out.load(Ordering::Relaxed) {
            return true;
        }
        let retry = Duration::from_secs(RESERVE_RETRY_S);
        if self.restore_tried.is_some_and(|at| at.elapsed() < retry) {
            return false;
        }
        self.restore_tried = Some(Instant::now());
        let restored = self.reserve.as_mut().map(|reserve| reserve.restore());
        let is_back = matches!(restored, Some(Ok(())));
        if is_back {
            tracing::info!("the disk reserve is filled up again");
            self.reserve_is_out.store(false, Ordering::Relaxed);
        }
        is_back
    }

    /// Gives the reserve's room to urgent units; false if there is none to give.
    fn release_reserve(&mut self) -> bool {
        let Some(reserve) = &mut self.reserve else {
            return false;
        };
        if self.reserve_is_out.load(Ordering::Relaxed) {
            return false;
        }
        match reserve.release() {
            Ok(()) => {
                tracing::warn!("the disk is full: the reserve was given to urgent entries");
                self.reserve_is_out.store(true, Ordering::Relaxed);
                self.restore_tried = Some(Instant::now());
                true
            }
            Err(error) => {
                tracing::error!(%error, "the disk reserve could not be released");
                false
            }
        }
    }
}

fn halt(reason: &str) -> Failure {
    Failure::Halt(reason.to_owned())
}

fn refuse(batch: Batch, failure: &Failure) {
    for unit in batch.units {
        answer(unit, Err(failure.error()));
    }
}

/// Answers one unit and wakes who waits for it.
pub(crate) fn answer(unit: Box<dyn Unit>, result: Result<Release, CommitError>) {
    if let Some(thread) = finish(unit, result) {
        thread.unpark();
    }
}

/// Answers one unit. What its callback does must not end the sequencer.
fn finish(unit: Box<dyn Unit>, result: Result<Release, CommitError>) -> Option<Thread> {
    let finished = catch_unwind(AssertUnwindSafe(|| unit.finish(result)));
    finished.unwrap_or_else(|_| {
        tracing::error!("the callback of a unit of work panicked");
        None
    })
}
