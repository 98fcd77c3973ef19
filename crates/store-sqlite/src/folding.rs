//! Folding the write-ahead log back into the database, beside the commits and not within them.
//!
//! A thread with a connection of its own moves pages whenever the log has grown by some. As commits
//! go on meanwhile it never gets to the end, and only a log that was moved whole begins anew; so
//! when the log has grown long, the next commit moves the little that is left before it begins.
//!
//! What was erased stands in the log until it is cut to nothing. That needs a moment without a reader
//! of the log: the thread tries after each commit that erased, and at the start, until it has.

use crate::error::{OpenError, is_fatal};
use countersign_ledger::store::{StoreError, Writes};
use rusqlite::{Connection, Error};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Pages of the log after which the thread moves what there is.
const SOME_PAGES: u64 = 1_000;
/// Pages of the log after which a commit sees to it that the log begins anew: 16 MiB. Not more,
/// because a log that is written over costs half of one that still grows.
const MANY_PAGES: u64 = 4_000;
/// Pages that a commit writes whatever is in it.
const COMMIT_PAGES: u64 = 8;
/// How long cutting the log waits for readers at a time; commits wait with it.
const CUT_WAIT: Duration = Duration::from_millis(100);
/// How long the thread waits between two tries to cut the log, at first and at most.
const CUT_AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];
/// Bytes of a page.
const PAGE_BYTES: u64 = 4_096;

/// The thread, and what it shares with the commits.
pub(crate) struct Folding {
    shared: Arc<Shared>,
    // The thread's: whoever asks for the log to be cut uses it, too.
    connection: Arc<Mutex<Connection>>,
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
    /// How often the log was to be cut, and how often that was when it was cut last.
    cuts_wanted: u64,
    cuts_done: u64,
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
        // A process that was killed may have left in the log what it had erased.
        let cut = State {
            cuts_wanted: 1,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(cut),
            ..Shared::default()
        });
        connection.busy_timeout(CUT_WAIT)?;
        let connection = Arc::new(Mutex::new(connection));
        let (served, used) = (Arc::clone(&shared), Arc::clone(&connection));
        let thread = thread::Builder::new()
            .name("folding".to_owned())
            .spawn(move || served.run(&used))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            shared,
            connection,
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

    /// Cuts the log to nothing; false if a reader is in the way, and then the thread tries again.
    pub(crate) fn cut(&self) -> bool {
        let (wanted, is_failed) = {
            let mut state = self.shared.lock();
            state.cuts_wanted = state.cuts_wanted.saturating_add(1);
            (state.cuts_wanted, state.check().is_err())
        };
        if is_failed {
            return false;
        }
        let cut = self.shared.try_cut(&self.connection(), wanted);
        // The thread goes on with it, or learns that there is nothing to do.
        self.shared.changed.notify_one();
        cut
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts pages that were written without a plan; an error if it must not be told to anybody.
    pub(crate) fn after_pages(&self, pages: u64) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        let before = state.grown;
        state.grown = before.saturating_add(pages);
        if before < SOME_PAGES && state.grown >= SOME_PAGES {
            self.shared.changed.notify_one();
        }
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
        if !(writes.erased.is_empty() && writes.purged.is_empty()) {
            state.cuts_wanted = state.cuts_wanted.saturating_add(1);
            self.shared.changed.notify_one();
        }
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
    fn run(&self, connection: &Mutex<Connection>) {
        let lock = || connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pause = CUT_AGAIN[0];
        let mut next_cut = Instant::now();
        loop {
            let mut state = self.lock();
            while state.grown < SOME_PAGES && !state.is_closed {
                let left = next_cut.saturating_duration_since(Instant::now());
                if state.is_to_be_cut() && left.is_zero() {
                    break;
                }
                state = match state.is_to_be_cut() {
                    true => match self.changed.wait_timeout(state, left) {
                        Ok((state, _)) => state,
                        Err(poisoned) => poisoned.into_inner().0,
                    },
                    false => {
                        pause = CUT_AGAIN[0];
                        let woken = self.changed.wait(state);
                        woken.unwrap_or_else(PoisonError::into_inner)
                    }
                };
            }
            if state.is_closed || state.failed.is_some() {
                return;
            }
            let cut =
                (state.is_to_be_cut() && next_cut <= Instant::now()).then_some(state.cuts_wanted);
            if state.grown >= SOME_PAGES {
                state.grown = 0;
                drop(state);
                let folded = self.fold(&lock());
                self.lock().learn(folded);
            } else {
                drop(state);
            }
            if let Some(wanted) = cut
                && !self.try_cut(&lock(), wanted)
            {
                next_cut = Instant::now().checked_add(pause).unwrap_or(next_cut);
                pause = pause.saturating_mul(2).min(CUT_AGAIN[1]);
            }
        }
    }

    /// Cuts the log, as it was wanted for this often; true if that is done.
    fn try_cut(&self, connection: &Connection, wanted: u64) -> bool {
        let _alone = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        if self.lock().cuts_done >= wanted {
            return true;
        }
        let cut = checkpoint(connection, "TRUNCATE");
        let mut state = self.lock();
        match cut {
            Ok(Some(_)) => {
                state.cuts_done = state.cuts_done.max(wanted);
                (state.length, state.grown) = (0, 0);
            }
            other => state.learn(other),
        }
        state.cuts_done >= wanted
    }

    fn fold(&self, connection: &Connection) -> Result<Folded, Error> {
        let _alone = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        checkpoint(connection, "PASSIVE")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_to_be_cut(&self) -> bool {
        self.cuts_done < self.cuts_wanted
    }

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

/// Moves pages: `PASSIVE` as many as can be moved without waiting for anybody, `TRUNCATE` all, and
/// leaves an empty log; `None` if somebody was in the way.
fn checkpoint(connection: &Connection, mode: &str) -> Result<Folded, Error> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    connection.query_row(&sql, [], |row| {
        let pages = |column| row.get::<_, i64>(column).map(u64::try_from);
        Ok(match (row.get::<_, i64>(0)?, pages(1)?, pages(2)?) {
            (0, Ok(pages), Ok(moved)) => Some(Moved { pages, moved }),
            _ => None,
        })
    })
}
