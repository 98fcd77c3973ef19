//! The one transaction that writes.

use crate::error::{before_commit, of_commit, read_error};
use crate::read;
use countersign_core::ids::EntryId;
use countersign_ledger::store::{
    NewLeaf, NotCommitted, PlanFn, StateReader, StoreError, StoreReadError, Writes,
};
use countersign_ledger::{Head, StateKey, Versioned};
use countersign_merkle::LeafIndex;
use rusqlite::{Connection, ErrorCode, Result, params};

/// Locks the head, runs the plan, writes what it returns, and commits.
pub(crate) fn commit(
    connection: &Connection,
    plan: &mut PlanFn<'_>,
) -> std::result::Result<(), StoreError> {
    // A plan that panicked has left its transaction open.
    rollback(connection)?;
    let begun = connection.prepare_cached("BEGIN IMMEDIATE");
    begun
        .and_then(|mut begin| begin.execute([]))
        .map_err(|error| before_commit(&error))?;
    let planned = within(connection, plan);
    let writes = match planned {
        Ok(Some(writes)) => writes,
        Ok(None) => return rollback(connection),
        Err(error) => {
            rollback(connection)?;
            return Err(error);
        }
    };
    let committed = connection.prepare_cached("COMMIT");
    match committed.and_then(|mut commit| commit.execute([])) {
        Ok(_) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            after_full_disk(connection, &writes.head, &error)
        }
        Err(error) => {
            // Which way it went is found out by whoever asks for the head.
            rollback(connection)?;
            Err(of_commit(&error))
        }
    }
}

fn within(
    connection: &Connection,
    plan: &mut PlanFn<'_>,
) -> std::result::Result<Option<std::sync::Arc<Writes>>, StoreError> {
    let head = read::head(connection).map_err(|error| before_commit(&error))?;
    let writes = plan(head.as_ref(), &Locked(connection))?;
    if let Some(writes) = &writes {
        write(connection, writes).map_err(|error| before_commit(&error))?;
    }
    Ok(writes)
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
struct Locked<'c>(&'c Connection);

impl StateReader for Locked<'_> {
    fn state(&self, key: &StateKey) -> std::result::Result<Option<Versioned>, StoreReadError> {
        read::state(self.0, key).map_err(read_error)
    }

    fn index_of(
        &self,
        entry_id: EntryId,
    ) -> std::result::Result<Option<LeafIndex>, StoreReadError> {
        read::index_of(self.0, entry_id).map_err(read_error)
    }
}

fn write(connection: &Connection, writes: &Writes) -> Result<()> {
    for leaf in &writes.leaves {
        write_leaf(connection, leaf)?;
    }
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
    write_head(connection, &writes.head)
}

fn write_leaf(connection: &Connection, leaf: &NewLeaf) -> Result<()> {
    let index = read::sql_count(leaf.index.get());
    let sql = "INSERT INTO leaves (idx, entry_id, time, bytes) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![
        index,
        leaf.entry_id.to_string(),
        leaf.row.time.as_millis(),
        leaf.bytes,
    ])?;
    let sql = "INSERT INTO leaf_hashes (idx, hash) VALUES (?1, ?2)";
    let mut insert = connection.prepare_cached(sql)?;
    insert.execute(params![index, leaf.hash.as_bytes()])?;
    let sql = "INSERT INTO terms (field, value, idx) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare_cached(sql)?;
    for term in &leaf.row.terms {
        insert.execute(params![term.field.code(), term.value, index])?;
    }
    Ok(())
}

fn write_head(connection: &Connection, head: &Head) -> Result<()> {
    let hashes: Vec<u8> = head
        .range()
        .hashes()
        .iter()
        .flat_map(|hash| *hash.as_bytes())
        .collect();
    let sql = "INSERT OR REPLACE INTO head (one, origin, size, hashes, root, checkpoint, time)
               VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute(params![
        head.origin().as_str(),
        read::sql_count(head.size().get()),
        hashes,
        head.root().as_bytes(),
        head.checkpoint(),
        head.time().as_millis(),
    ])?;
    Ok(())
}
