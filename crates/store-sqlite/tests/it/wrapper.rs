//! A store that does what a test says before or instead of what it should.

use crate::support::Fixture;
use countersign_core::document::SealedRecord;
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_ledger::store::{PlanFn, StoreError, StoreReadError, StoredEntry};
use countersign_ledger::{Filter, Head, NewWrapping, Page, StateKey, Store, Versioned, WrappedKey};
use countersign_merkle::{Hash, LeafIndex};
use countersign_store_sqlite::SqliteStore;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex};

/// What is to happen at one commit.
pub(crate) enum Act {
    /// It waits until the other end is dropped.
    Hold(Receiver<()>),
    /// It takes place, and its outcome is said to be unknown.
    CommitThenUnknown,
    /// It does not take place, and its outcome is said to be unknown.
    NothingThenUnknown,
    /// It takes place, this runs, and its outcome is said to be unknown.
    CommitThenRunThenUnknown(Box<dyn FnOnce() + Send>),
    /// It does not take place, this runs, and its outcome is said to be unknown.
    RunThenUnknown(Box<dyn FnOnce() + Send>),
    /// The plan runs, and this is said.
    Fail(StoreError),
    /// The plan is shown this head.
    ShowHead(Option<Head>),
    /// The plan is shown the right head, but no state can be read.
    NoState,
}

/// A store that follows a script, and its inner store when there is no more of it.
pub(crate) struct Wrapper {
    inner: Arc<SqliteStore>,
    script: Mutex<VecDeque<Act>>,
    arrived: SyncSender<()>,
    arrivals: Mutex<Receiver<()>>,
}

impl Wrapper {
    pub(crate) fn new(inner: Arc<SqliteStore>) -> Arc<Self> {
        let (arrived, arrivals) = mpsc::sync_channel(1000);
        Arc::new(Self {
            inner,
            script: Mutex::default(),
            arrived,
            arrivals: Mutex::new(arrivals),
        })
    }

    /// A ledger over such a store.
    pub(crate) fn fixture() -> (Fixture, Arc<Self>) {
        let mut wrapper = None;
        let fixture = Fixture::with(|inner| Arc::clone(wrapper.insert(Self::new(inner))), None);
        (fixture, wrapper.unwrap())
    }

    pub(crate) fn then(&self, act: Act) {
        self.script.lock().unwrap().push_back(act);
    }

    /// Holds the next commit back until what is returned is dropped.
    pub(crate) fn hold(&self) -> SyncSender<()> {
        let (sender, receiver) = mpsc::sync_channel(0);
        self.then(Act::Hold(receiver));
        sender
    }

    /// Waits until a commit is held back.
    pub(crate) fn wait(&self) {
        self.arrivals.lock().unwrap().recv().unwrap();
    }

    pub(crate) fn is_done(&self) -> bool {
        self.script.lock().unwrap().is_empty()
    }
}

fn unknown() -> Result<(), StoreError> {
    let detail = "the connection was lost".to_owned();
    Err(StoreError::Unknown { detail })
}

impl Store for Wrapper {
    fn commit(&self, plan: &mut PlanFn<'_>) -> Result<(), StoreError> {
        let act = self.script.lock().unwrap().pop_front();
        let mut undone = |after: StoreError| {
            self.inner
                .commit(&mut |head, state| plan(head, state).map(|_| None))?;
            Err(after)
        };
        let lost = |_| StoreError::Unknown {
            detail: "the connection was lost".to_owned(),
        };
        match act {
            None => self.inner.commit(plan),
            Some(Act::Hold(pass)) => {
                self.arrived.send(()).unwrap();
                let _ = pass.recv();
                self.inner.commit(plan)
            }
            Some(Act::CommitThenUnknown) => {
                self.inner.commit(plan)?;
                unknown()
            }
            Some(Act::NothingThenUnknown) => undone(lost(())),
            Some(Act::CommitThenRunThenUnknown(run)) => {
                self.inner.commit(plan)?;
                run();
                unknown()
            }
            Some(Act::RunThenUnknown(run)) => {
                let ended = undone(lost(()));
                run();
                ended
            }
            Some(Act::Fail(error)) => undone(error),
            Some(Act::ShowHead(shown)) => self
                .inner
                .commit(&mut |_, state| plan(shown.as_ref(), state)),
            Some(Act::NoState) => self.inner.commit(&mut |head, _| plan(head, &NoState)),
        }
    }

    fn head(&self) -> Result<Option<Head>, StoreReadError> {
        self.inner.head()
    }

    fn leaves(&self, range: Range<u64>) -> Result<Vec<StoredEntry>, StoreReadError> {
        self.inner.leaves(range)
    }

    fn index_of(&self, entry_id: EntryId) -> Result<Option<LeafIndex>, StoreReadError> {
        self.inner.index_of(entry_id)
    }

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreReadError> {
        self.inner.nodes(level, range)
    }

    fn query(&self, f: &Filter, p: &Page, size: u64) -> Result<Vec<StoredEntry>, StoreReadError> {
        self.inner.query(f, p, size)
    }

    fn state(&self, key: &StateKey) -> Result<Option<Versioned>, StoreReadError> {
        self.inner.state(key)
    }

    fn scan(
        &self,
        prefix: &str,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, StoreReadError> {
        self.inner.scan(prefix, after, limit)
    }

    fn sealed(&self, reference: &Sha256) -> Result<Option<SealedRecord>, StoreReadError> {
        self.inner.sealed(reference)
    }

    fn wrapped_otherwise(
        &self,
        key_id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WrappedKey>, StoreReadError> {
        self.inner.wrapped_otherwise(key_id, after, limit)
    }

    fn last_sealed(&self) -> Result<u64, StoreReadError> {
        self.inner.last_sealed()
    }

    fn rewrap(&self, keys: &[NewWrapping]) -> Result<usize, StoreError> {
        self.inner.rewrap(keys)
    }

    fn truncate_log(&self) -> Result<bool, StoreReadError> {
        self.inner.truncate_log()
    }
}

struct NoState;

impl countersign_ledger::store::StateReader for NoState {
    fn state(&self, _: &StateKey) -> Result<Option<Versioned>, StoreReadError> {
        Err(StoreReadError::new("no state today"))
    }

    fn index_of(&self, _: EntryId) -> Result<Option<LeafIndex>, StoreReadError> {
        Ok(None)
    }
}
