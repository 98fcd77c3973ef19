//! What SQLite's errors mean to a ledger.

use countersign_ledger::store::{NotCommitted, StoreError, StoreReadError};
use rusqlite::ffi::{SQLITE_IOERR_CORRUPTFS, SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
use rusqlite::{Error, ErrorCode};
use std::io;
use std::path::PathBuf;

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file.
    #[error("there is no database `{}`", .path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file or its directory could not be made.
    #[error("could not make `{}`: {error}", .path.display())]
    Make {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is a database of something else.
    #[error("the file is an sqlite database, but not one of countersign's")]
    Foreign,
    /// The database was written by a newer version.
    #[error(
        "the database has version {found}, this program only knows version {known}: it is older than the database"
    )]
    Newer {
        /// The version of the database.
        found: i64,
        /// The newest known version.
        known: i64,
    },
    /// The database was written by an older version, whose tables this one does not read.
    #[error(
        "the database has version {found}, this program only knows version {known}: publish the log \
         with the program that wrote it, or go on with that program"
    )]
    Older {
        /// The version of the database.
        found: i64,
        /// The only known version.
        known: i64,
    },
    /// The database has a version that never was.
    #[error("the database has the unknown version {found}")]
    Unknown {
        /// The version of the database.
        found: i64,
    },
    /// The database is not made of what this version makes.
    #[error("the database was changed by hand: {detail}")]
    Shape {
        /// What is missing, changed or not this program's.
        detail: String,
    },
    /// The journal is not in the mode that durable commits need.
    #[error("the file system does not allow a write-ahead log: the journal mode is `{found}`")]
    JournalMode {
        /// The mode that SQLite chose.
        found: String,
    },
    /// What is deleted would not be overwritten.
    #[error("sqlite does not overwrite what it deletes: it was built without secure deletion")]
    SecureDelete,
    /// The thread that folds the write-ahead log could not be started.
    #[error("could not start a thread: {0}")]
    Thread(io::Error),
    /// SQLite said no.
    #[error("sqlite: {0}")]
    Sqlite(#[from] Error),
}

impl OpenError {
    /// What the operator can do, where that is not obvious.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Shape { .. } => Some(
                "`countersign fsck --data DIR` says what differs; with --repair it takes out \
                 triggers, views and indexes that do not belong there",
            ),
            Self::Sqlite(error) if is_fatal(error) => Some(
                "the file `ledger.db` is damaged: put a copy back, or see what its repair by \
                 `sqlite3 ledger.db .recover` gives in another directory (docs/recovery.md)",
            ),
            Self::Newer { .. } => Some("use the version of the program that wrote it last"),
            _ => None,
        }
    }
}

/// An error of a read outside of any transaction.
pub(crate) fn read_error(error: Error) -> StoreReadError {
    match error {
        // Why a value is none of ours, without the words of the library around it.
        Error::FromSqlConversionFailure(_, _, reason) => {
            StoreReadError::new(format!("a row was changed: {reason}"))
        }
        error => StoreReadError::new(format!("sqlite: {error}")),
    }
}

/// An error before `COMMIT`, after which the transaction was rolled back.
pub(crate) fn before_commit(error: &Error) -> StoreError {
    let detail = format!("sqlite: {error}");
    if is_fatal(error) {
        return StoreError::Fatal { detail };
    }
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => NotCommitted::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => NotCommitted::Busy,
        _ => NotCommitted::Io,
    };
    StoreError::NotCommitted { reason, detail }
}

/// An error of `COMMIT` itself: it says nothing about whether the transaction took place. SQLite
/// also moves pages from the log to the database within it, after the transaction is durable.
pub(crate) fn of_commit(error: &Error) -> StoreError {
    let detail = format!("sqlite: {error}");
    if is_fatal(error) {
        StoreError::Fatal { detail }
    } else {
        StoreError::Unknown { detail }
    }
}

/// Whether what the disk holds can no longer be known: after a sync that failed, the kernel may
/// have dropped the pages and report success the next time.
pub(crate) fn is_fatal(error: &Error) -> bool {
    let sync = [
        SQLITE_IOERR_FSYNC,
        SQLITE_IOERR_DIR_FSYNC,
        SQLITE_IOERR_CORRUPTFS,
    ];
    let Error::SqliteFailure(failure, _) = error else {
        return false;
    };
    sync.contains(&failure.extended_code)
        || matches!(
            failure.code,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase
        )
}
