//! Folding the write-ahead log back into the database, beside the commits and not within them.
//!
//! A thread with a connection of its own moves pages whenever the log has grown by some. As commits
//! go on meanwhile it never gets to the end, and only a log that was moved whole begins anew; so
//! when the log has grown long, the next commit moves the little that is left before it begins.

use crate::error::{OpenError, is_fatal};
use countersign_ledger::store::{StoreError, Writes};
use rusqlite::{Connection, Error};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Pages of the log after which the thread moves what there is.
const SOME_PAGES: u64 = 1_000;
/// Pages of the log after which a commit sees to it that the log begins anew: 16 MiB. Not more,
/// because a log that is written over costs half of one that still grows.
const MANY_PAGES: u64 = 4_000;
/// Pages that a commit writes whatever is in it.
const COMMIT_PAGES: u64 = 8;
/// Bytes of a page.
const PAGE_BYTES: u64 = 4_096;

/// The thread, and what it shares with the commits.
pub(crate) struct Folding {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    // Only one moves pages at a time; SQLite would turn the other away.
    moves: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Pages written since the thread began to move pages, roughly.
    grown: u64,
    /// Pages in the log when it had done so.
    length: u64,
    /// A sync has failed: what the disk holds is unknown.
    failed: Option<String>,
    is_closed: bool,
}

/// What `PRAGMA wal_checkpoint` said; `None` if somebody else is at it.
type Folded = Option<Moved>;

struct Moved {
    pages: u64,
    moved: u64,
}

impl Folding {
    pub(crate) fn start(connection: Connection) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("folding".to_owned())
            .spawn(move || served.run(&connection))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Refuses to commit after a sync that failed, and lets a long log begin anew.
    pub(crate) fn before_commit(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        state.check()?;
        if state.length.saturating_add(state.grown) < MANY_PAGES {
            return Ok(());
        }
        state.grown = 0;
        drop(state);
        let folded = self.shared.fold(connection);
        let mut state = self.shared.lock();
        let is_whole = matches!(&folded, Ok(Some(Moved { pages, moved })) if pages == moved);
        state.learn(folded);
        state.length = match is_whole {
            // No commit goes on meanwhile: the next one begins the log anew.
            true => 0,
            // It is not tried again before the log has grown by some.
            false => state.length.min(MANY_PAGES.saturating_sub(SOME_PAGES)),
        };
        state.check()
    }

    /// Counts what was written; an error if it must not be told to anybody.
    pub(crate) fn after_commit(&self, writes: &Writes) -> Result<(), StoreError> {
        let leaves = writes.leaves.iter().map(|leaf| leaf.bytes.len());
        let sealed = writes.sealed.iter().map(|record| record.ciphertext.len());
        let state = writes.state.iter();
        let state = state.map(|(_, found)| found.value.as_ref().map_or(0, Vec::len));
        let bytes: u64 = leaves.chain(sealed).chain(state).map(|n| n as u64).sum();
        let mut state = self.shared.lock();
        let pages = (bytes / PAGE_BYTES).saturating_add(COMMIT_PAGES);
        let before = state.grown;
        state.grown = before.saturating_add(pages);
        if before < SOME_PAGES && state.grown >= SOME_PAGES {
            self.shared.changed.notify_one();
        }
        state.check()
    }
}

impl Drop for Folding {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, connection: &Connection) {
        loop {
            let mut state = self.lock();
            while state.grown < SOME_PAGES && !state.is_closed {
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            }
            if state.is_closed || state.failed.is_some() {
                return;
            }
            state.grown = 0;
            drop(state);
            let folded = self.fold(connection);
            self.lock().learn(folded);
        }
    }

    fn fold(&self, connection: &Connection) -> Result<Folded, Error> {
        let _alone = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        fold(connection)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn learn(&mut self, folded: Result<Folded, Error>) {
        match folded {
            Ok(Some(Moved { pages, .. })) => self.length = pages,
            Err(error) if is_fatal(&error) => {
                self.failed = Some(format!("sqlite: folding the log: {error}"));
            }
            // Such as a full disk: what was not moved stays in the log, and is moved later.
            Ok(None) | Err(_) => {}
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        match &self.failed {
            None => Ok(()),
            Some(detail) => Err(StoreError::Fatal {
                detail: detail.clone(),
            }),
        }
    }
}

/// Moves as much as can be moved without waiting for anybody.
fn fold(connection: &Connection) -> Result<Folded, Error> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let pages = |column| row.get::<_, i64>(column).map(u64::try_from);
        Ok(match (row.get::<_, i64>(0)?, pages(1)?, pages(2)?) {
            (0, Ok(pages), Ok(moved)) => Some(Moved { pages, moved }),
            _ => None,
        })
    })
}
