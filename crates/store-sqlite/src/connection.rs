//! Connections, each set up the same way.

use crate::error::OpenError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a connection waits for another one's lock.
const BUSY: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 64;
/// Bytes of the file that reading connections map; SQLite's own limit is near it.
const MAPPED: i64 = 2 * 1024 * 1024 * 1024;
/// Reading connections that are kept open.
const READERS: usize = 8;

/// The connection that writes.
pub(crate) fn writer(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::JournalMode { found: mode });
    }
    // FULL syncs the log at every commit; NORMAL would lose acknowledged entries in a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Only macOS knows these: there a plain sync leaves the data in the drive's cache.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    // ON, not FAST: FAST leaves what was on pages that become free.
    let secure: i64 =
        connection.pragma_update_and_check(None, "secure_delete", true, |row| row.get(0))?;
    if secure != 1 {
        return Err(OpenError::SecureDelete);
    }
    // Moving pages from the log into the file is not the business of a commit: see `folding`.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

pub(crate) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "query_only", true)?;
    // Every commit empties what a reading connection has kept of the file; a file that is mapped is
    // read without copying it anew.
    connection.pragma_update(None, "mmap_size", MAPPED)?;
    Ok(connection)
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
    // A connection is used by one thread at a time: SQLite's own locks are not needed.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// Connections that read.
pub(crate) struct Readers {
    path: std::path::PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            idle: Mutex::default(),
        }
    }

    /// Lends a connection, opening one if none is idle.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, OpenError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => reader(&self.path)?,
        };
        // A connection whose read failed is not used again.
        let found = read(&connection)?;
        let mut idle = self.idle();
        if idle.len() < READERS {
            idle.push(connection);
        }
        Ok(found)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
