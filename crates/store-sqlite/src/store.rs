//! The store.

use crate::cache::StateCache;
use crate::commit::{self, Writer};
use crate::connection::{self, Readers};
use crate::error::{OpenError, read_error};
use crate::folding::Folding;
use crate::{query, read, rewrap, schema};
use countersign_core::document::SealedRecord;
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_ledger::store::{NotCommitted, PlanFn, StoreError, StoreReadError, StoredEntry};
use countersign_ledger::{Filter, Head, NewWrapping, Page, StateKey, Store, Versioned, WrappedKey};
use countersign_merkle::{Hash, LeafIndex};
use rusqlite::Connection;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A log in an SQLite file.
pub struct SqliteStore {
    // Dropped first: its thread has a connection of its own.
    folding: Option<Folding>,
    // Dropped before the writer: only a connection that may write folds the write-ahead log back
    // into the file when it is the last to close.
    readers: Readers,
    // `None` if the file was opened only to be read.
    writer: Option<Mutex<Writer>>,
    // Kept up to date by the writer alone: without one, nothing is kept.
    cache: StateCache,
}

impl SqliteStore {
    /// Opens the database, and makes it, with its directory, if it is not there: readable for its
    /// owner only.
    pub fn create(path: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Make {
            path: path.to_owned(),
            error,
        };
        make(path).map_err(failed)?;
        Self::open(path)
    }

    /// Opens a database that is there.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        check_exists(path)?;
        let writer = connection::writer(path)?;
        schema::prepare(&writer)?;
        Ok(Self {
            folding: Some(Folding::start(connection::writer(path)?)?),
            writer: Some(Mutex::new(Writer::new(writer))),
            readers: Readers::new(path),
            cache: StateCache::new(),
        })
    }

    /// Opens a database only to be read, also while another process writes to it.
    pub fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        check_exists(path)?;
        let readers = Readers::new(path);
        let checked = readers.with(|connection| Ok(schema::check(connection)))?;
        checked?;
        Ok(Self {
            folding: None,
            writer: None,
            readers,
            cache: StateCache::new(),
        })
    }

    /// Lets the database grow to so many pages of 4 KiB and no further, as on a full disk.
    pub fn set_max_pages(&self, pages: u32) -> Result<(), StoreReadError> {
        let Some(writer) = &self.writer else {
            return Ok(());
        };
        let writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let set = writer
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
        set.map_err(read_error)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreReadError> {
        let found = self.readers.with(read);
        found.map_err(|error| match error {
            OpenError::Sqlite(error) => read_error(error),
            error => StoreReadError::new(error.to_string()),
        })
    }
}

impl Store for SqliteStore {
    fn head(&self) -> Result<Option<Head>, StoreReadError> {
        self.read(read::head)
    }

    fn commit(&self, plan: &mut PlanFn<'_>) -> Result<(), StoreError> {
        let (Some(writer), Some(folding)) = (&self.writer, &self.folding) else {
            return Err(read_only());
        };
        // A plan that panicked has left no more than an open transaction behind.
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        folding.before_commit(&writer.connection)?;
        let written = writer.commit(&self.cache, plan)?;
        match written {
            Some(writes) => folding.after_commit(&writes),
            None => Ok(()),
        }
    }

    fn leaves(&self, range: Range<u64>) -> Result<Vec<StoredEntry>, StoreReadError> {
        self.read(|connection| read::leaves(connection, range))
    }

    fn index_of(&self, entry_id: EntryId) -> Result<Option<LeafIndex>, StoreReadError> {
        self.read(|connection| read::index_of(connection, entry_id))
    }

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreReadError> {
        self.read(|connection| read::nodes(connection, level, range))
    }

    fn query(
        &self,
        filter: &Filter,
        page: &Page,
        size: u64,
    ) -> Result<Vec<StoredEntry>, StoreReadError> {
        self.read(|connection| query::query(connection, filter, page, size))
    }

    fn state(&self, key: &StateKey) -> Result<Option<Versioned>, StoreReadError> {
        let read = || self.read(|connection| read::state(connection, key));
        match &self.writer {
            Some(_) => commit::state(&self.cache, key, read),
            None => read(),
        }
    }

    fn scan(
        &self,
        prefix: &str,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, StoreReadError> {
        self.read(|connection| read::scan(connection, prefix, after, limit))
    }

    fn sealed(&self, reference: &Sha256) -> Result<Option<SealedRecord>, StoreReadError> {
        self.read(|connection| read::sealed(connection, reference))
    }

    fn wrapped_otherwise(
        &self,
        key_id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WrappedKey>, StoreReadError> {
        self.read(|connection| rewrap::wrapped_otherwise(connection, key_id, after, limit))
    }

    fn last_sealed(&self) -> Result<u64, StoreReadError> {
        self.read(rewrap::last_sealed)
    }

    fn rewrap(&self, keys: &[NewWrapping]) -> Result<usize, StoreError> {
        let (Some(writer), Some(folding)) = (&self.writer, &self.folding) else {
            return Err(read_only());
        };
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        folding.before_commit(&writer.connection)?;
        let replaced = writer.rewrap(keys)?;
        // About a page for each.
        folding.after_pages(keys.len() as u64)?;
        Ok(replaced)
    }

    fn truncate_log(&self) -> Result<bool, StoreReadError> {
        match &self.folding {
            Some(folding) => Ok(folding.cut()),
            None => Err(StoreReadError::new(
                "the database was opened only to be read",
            )),
        }
    }
}

fn read_only() -> StoreError {
    StoreError::NotCommitted {
        reason: NotCommitted::Io,
        detail: "the database was opened only to be read".to_owned(),
    }
}

pub(crate) fn check_exists(path: &Path) -> Result<(), OpenError> {
    if path.is_file() {
        return Ok(());
    }
    let path = path.to_owned();
    Err(OpenError::Missing { path })
}

/// Makes an empty file for its owner only; SQLite gives its log the same mode.
fn make(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    let mut directory = DirBuilder::new();
    let mut file = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        directory.mode(0o700);
        file.mode(0o600);
    }
    directory.recursive(true).create(parent)?;
    match file.write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?.sync_all()?,
    }
    // Without this the name may be gone after a power cut.
    File::open(parent)?.sync_all()
}
