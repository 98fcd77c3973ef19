//! A copy of a database to which another process writes meanwhile.
//!
//! SQLite copies page by page out of one read transaction, which the writer never waits for: commits
//! go on into the write-ahead log, and the copy is the database as it was when it was begun. What a
//! copy costs is that the write-ahead log cannot begin anew before it has ended, and grows.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;
use crate::{connection, schema};

/// Pages that are copied before progress is told: 4 MiB.
const STEP_PAGES: i32 = 1_024;
/// How long to wait if SQLite says that it is busy.
const WAIT: Duration = Duration::from_millis(20);
/// How often to wait at most.
const TRIES: u32 = 500;

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// Pages copied.
    pub done: u64,
    /// Pages in all.
    pub total: u64,
}

/// Copies the database at `from` into a new file at `to`, which is there whole and durable when this
/// returns, readable for its owner only. After an error, what there is of it is of no use.
pub fn copy(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(CopyProgress),
) -> Result<(), OpenError> {
    crate::store::check_exists(from)?;
    let source = connection::reader(from)?;
    schema::check_version(&source)?;
    // With a transaction that is open already, every step sees the same database; without one, a
    // commit between two steps would make SQLite begin the copy anew.
    source.execute_batch("BEGIN")?;
    source.query_row("SELECT count(*) FROM head", [], |_| Ok(()))?;
    let failed = |error| OpenError::Make {
        path: to.to_owned(),
        error,
    };
    let file = make(to).map_err(failed)?;
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Nothing in the new file is worth a journal; it is synced here.
    target.pragma_update(None, "journal_mode", "off")?;
    target.pragma_update(None, "synchronous", "off")?;
    {
        let backup = Backup::new(&source, &mut target)?;
        let mut tries = 0;
        loop {
            match backup.step(STEP_PAGES)? {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(WAIT);
                }
                StepResult::Busy | StepResult::Locked => {
                    return Err(OpenError::Sqlite(rusqlite::Error::SqliteFailure(
                        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                        None,
                    )));
                }
                _ => {
                    // Little by little: one sync of all of it would hold up every commit's own.
                    file.sync_data().map_err(failed)?;
                    let at = backup.progress();
                    let count = |pages: i32| u64::try_from(pages).unwrap_or(0);
                    let (total, left) = (count(at.pagecount), count(at.remaining));
                    let done = total.saturating_sub(left);
                    progress(CopyProgress { done, total });
                }
            }
        }
    }
    source.execute_batch("ROLLBACK")?;
    // The copy says that it has a write-ahead log, as its original does: one file is all it is.
    let mode: String =
        target.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get(0))?;
    if mode != "delete" {
        return Err(OpenError::JournalMode { found: mode });
    }
    target.close().map_err(|(_, error)| error)?;
    file.sync_all().map_err(failed)
}

/// Makes an empty file for its owner only; one that is there is an error.
fn make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
