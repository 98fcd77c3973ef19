//! The one transaction that writes.

use crate::cache::StateCache;
use crate::error::{before_commit, of_commit, read_error};
use crate::ids::RecentIds;
use crate::postings::NewPostings;
use crate::read;
use countersign_core::ids::EntryId;
use countersign_ledger::store::{
    NewLeaf, NotCommitted, PlanFn, StateReader, StoreError, StoreReadError, Writes,
};
use countersign_ledger::{Head, StateKey, Versioned};
use countersign_merkle::{HASH_LEN, LeafIndex};
use rusqlite::{Connection, ErrorCode, Result, params};
use std::sync::Arc;

/// Most entries of one row of `runs`: four such rows fill a page.
pub(crate) const RUN: usize = 31;

/// The connection that writes, and what it knows of the database.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    known: Option<Known>,
}

/// What the last commit left; it holds as long as nobody else has written.
struct Known {
    head: Head,
    ids: RecentIds,
}

impl Writer {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            known: None,
        }
    }

    /// Locks the head, runs the plan, writes what it returns, and commits. Returns what was written.
    pub(crate) fn commit(
        &mut self,
        cache: &StateCache,
        plan: &mut PlanFn<'_>,
    ) -> std::result::Result<Option<Arc<Writes>>, StoreError> {
        // A plan that panicked has left its transaction open.
        rollback(&self.connection)?;
        let begun = self.connection.prepare_cached("BEGIN IMMEDIATE");
        begun
            .and_then(|mut begin| begin.execute([]))
            .map_err(|error| before_commit(&error))?;
        let planned = self.within(cache, plan);
        let writes = match planned {
            Ok(Some(writes)) => writes,
            Ok(None) => return rollback(&self.connection).map(|()| None),
            Err(error) => {
                rollback(&self.connection)?;
                return Err(error);
            }
        };
        let known = self.known.take();
        let committed = self.connection.prepare_cached("COMMIT");
        let committed = match committed.and_then(|mut commit| commit.execute([])) {
            Ok(_) => Ok(()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                after_full_disk(&self.connection, &writes.head, &error)
            }
            // Which way it went is found out by whoever asks for the head.
            Err(error) => rollback(&self.connection).and(Err(of_commit(&error))),
        };
        if committed.is_err() {
            cache.forget();
        }
        committed?;
        let mut ids = known.map_or_else(RecentIds::default, |known| known.ids);
        ids.add(writes.leaves.iter().map(|leaf| leaf.entry_id));
        self.known = Some(Known {
            head: writes.head.clone(),
            ids,
        });
        cache.write(&writes.state);
        cache.purge(&writes.purged);
        Ok(Some(writes))
    }

    /// Ends a transaction that is open.
    pub(crate) fn rollback(&self) -> std::result::Result<(), StoreError> {
        rollback(&self.connection)
    }

    fn within(
        &mut self,
        cache: &StateCache,
        plan: &mut PlanFn<'_>,
    ) -> std::result::Result<Option<Arc<Writes>>, StoreError> {
        self.look(cache).map_err(|error| before_commit(&error))?;
        let known = self.known.as_ref();
        let locked = Locked {
            connection: &self.connection,
            cache,
            known,
        };
        let writes = plan(known.map(|known| &known.head), &locked)?;
        if let Some(writes) = &writes {
            write(&self.connection, writes).map_err(|error| before_commit(&error))?;
        }
        Ok(writes)
    }

    /// Learns the head, unless it is the one that is known. Anything else means that somebody else
    /// has written, and then nothing that was known holds.
    fn look(&mut self, cache: &StateCache) -> Result<()> {
        let mark = read::head_mark(&self.connection)?;
        let known = self.known.as_ref();
        if mark == known.map(|known| (known.head.size(), known.head.root())) && mark.is_some() {
            return Ok(());
        }
        self.known = None;
        cache.forget();
        if let Some(head) = read::head(&self.connection)? {
            let ids = RecentIds::after(read::last_id(&self.connection)?);
            self.known = Some(Known { head, ids });
        }
        Ok(())
    }
}

/// A full disk is told apart at once: it is not rare, and SQLite reports it both when the log has no
/// room for the transaction and when the database has none for what is moved there afterwards.
fn after_full_disk(
    connection: &Connection,
    planned: &Head,
    error: &rusqlite::Error,
) -> std::result::Result<(), StoreError> {
    rollback(connection)?;
    match read::head(connection) {
        Ok(Some(head)) if head == *planned => Ok(()),
        Ok(_) => Err(StoreError::NotCommitted {
            reason: NotCommitted::Full,
            detail: format!("sqlite: {error}"),
        }),
        Err(error) => Err(of_commit(&error)),
    }
}

/// Ends the transaction, unless SQLite has done so already after an error.
fn rollback(connection: &Connection) -> std::result::Result<(), StoreError> {
    if connection.is_autocommit() {
        return Ok(());
    }
    let rolled_back = connection.execute_batch("ROLLBACK");
    rolled_back.map_err(|error| StoreError::Fatal {
        detail: format!("sqlite: a transaction cannot be rolled back: {error}"),
    })
}

/// What a plan sees: the database under the write lock.
struct Locked<'c> {
    connection: &'c Connection,
    cache: &'c StateCache,
    known: Option<&'c Known>,
}

impl StateReader for Locked<'_> {
    fn state(&self, key: &StateKey) -> std::result::Result<Option<Versioned>, StoreReadError> {
        state(self.cache, key, || {
            read::state(self.connection, key).map_err(read_error)
        })
    }

    fn index_of(
        &self,
        entry_id: EntryId,
    ) -> std::result::Result<Option<LeafIndex>, StoreReadError> {
        let is_known = self.known.and_then(|known| known.ids.contains(entry_id));
        if is_known == Some(false) {
            return Ok(None);
        }
        read::index_of(self.connection, entry_id).map_err(read_error)
    }
}

/// The value of a key: from the cache, or else as it is read, and kept.
pub(crate) fn state<E>(
    cache: &StateCache,
    key: &StateKey,
    read: impl FnOnce() -> std::result::Result<Option<Versioned>, E>,
) -> std::result::Result<Option<Versioned>, E> {
    match cache.find(key) {
        Ok(found) => Ok(found),
        Err(missing) => {
            let found = read()?;
            cache.keep(&missing, key, &found);
            Ok(found)
        }
    }
}

fn write(connection: &Connection, writes: &Writes) -> Result<()> {
    write_leaves(connection, &writes.leaves)?;
    let sql = "INSERT INTO nodes (level, idx, hash) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare_cached(sql)?;
    for node in &writes.nodes {
        let hash = node.hash.as_bytes();
        insert.execute(params![node.level, read::sql_count(node.index), hash])?;
    }
    let sql = "INSERT INTO state (key, value, version) VALUES (?1, ?2, ?3)
               ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version";
    let mut insert = connection.prepare_cached(sql)?;
    for (key, Versioned { value, version }) in &writes.state {
        insert.execute(params![key.as_str(), value, read::sql_count(version.get())])?;
    }
    let sql = "INSERT INTO sealed (ref, kind, key_id, wrapped_key, nonce, ciphertext)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (ref) DO NOTHING";
    let mut insert = connection.prepare_cached(sql)?;
    for record in &writes.sealed {
        insert.execute(params![
            record.reference.as_bytes(),
            record.kind,
            record.key_id,
            record.wrapped_key,
            record.nonce,
            record.ciphertext,
        ])?;
    }
    erase(connection, writes)?;
    write_head(connection, &writes.head)
}

/// The connection overwrites what it takes out (`secure_delete`), also on pages that become free.
///
/// Of an erased record an empty row stays. Were rows deleted, SQLite would move their neighbours to
/// other pages now and then, and leave copies of them in the unused room of a page: those would be
/// there when the neighbours are erased. A row that only gets shorter moves nothing.
fn erase(connection: &Connection, writes: &Writes) -> Result<()> {
    let sql = "UPDATE sealed SET kind = '', key_id = '', wrapped_key = x'', nonce = x'',
               ciphertext = x'' WHERE ref = ?1";
    let mut empty = connection.prepare_cached(sql)?;
    for reference in &writes.erased {
        empty.execute(params![reference.as_bytes()])?;
    }
    let mut delete = connection.prepare_cached("DELETE FROM state WHERE key = ?1")?;
    for key in &writes.purged {
        delete.execute(params![key.as_str()])?;
    }
    Ok(())
}

fn write_leaves(connection: &Connection, leaves: &[NewLeaf]) -> Result<()> {
    let sql = "INSERT INTO leaves (idx, entry_id, bytes) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare_cached(sql)?;
    let mut postings = NewPostings::default();
    for leaf in leaves {
        let index = leaf.index.get();
        let id = leaf.entry_id.to_bytes();
        insert.execute((read::sql_count(index), id, &leaf.bytes))?;
        for term in &leaf.row.terms {
            postings.add(term, index);
        }
    }
    let mut hashes = Vec::with_capacity(RUN.saturating_mul(HASH_LEN));
    for run in leaves.chunk_by(|a, b| a.row.time == b.row.time) {
        for run in run.chunks(RUN) {
            let Some(first) = run.first() else { continue };
            hashes.clear();
            hashes.extend(run.iter().flat_map(|leaf| leaf.hash.as_bytes()));
            let (index, time) = (first.index.get(), first.row.time.as_millis());
            write_run(connection, index, time, &hashes)?;
        }
    }
    postings.write(connection)
}

/// The time and the leaf hashes of entries from `first` on.
pub(crate) fn write_run(
    connection: &Connection,
    first: u64,
    time: i64,
    hashes: &[u8],
) -> Result<()> {
    let sql = "INSERT INTO runs (idx, time, hashes) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare_cached(sql)?;
    insert.execute((read::sql_count(first), time, hashes))?;
    Ok(())
}

fn write_head(connection: &Connection, head: &Head) -> Result<()> {
    let hashes: Vec<u8> = head
        .range()
        .hashes()
        .iter()
        .flat_map(|hash| *hash.as_bytes())
        .collect();
    let update = "UPDATE head SET origin = ?1, size = ?2, hashes = ?3, root = ?4, checkpoint = ?5,
                  time = ?6 WHERE one = 1";
    let insert = "INSERT INTO head (one, origin, size, hashes, root, checkpoint, time)
                  VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)";
    let root = head.root();
    let values = params![
        head.origin().as_str(),
        read::sql_count(head.size().get()),
        hashes,
        root.as_bytes(),
        head.checkpoint(),
        head.time().as_millis(),
    ];
    if connection.prepare_cached(update)?.execute(values)? == 0 {
        connection.prepare_cached(insert)?.execute(values)?;
    }
    Ok(())
}
