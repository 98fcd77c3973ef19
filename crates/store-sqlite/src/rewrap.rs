//! Keys of sealed records that are wrapped anew: a transaction of its own, which touches no head.

use crate::commit::Writer;
use crate::error::{before_commit, of_commit};
use crate::read;
use countersign_core::refs::Sha256;
use countersign_ledger::store::StoreError;
use countersign_ledger::{NewWrapping, WrappedKey};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Result, params};

impl Writer {
    /// Replaces the keys of these records; says of how many.
    pub(crate) fn rewrap(
        &mut self,
        keys: &[NewWrapping],
    ) -> std::result::Result<usize, StoreError> {
        // A plan that panicked has left its transaction open.
        self.rollback()?;
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(|error| before_commit(&error))?;
        let replaced = match replace(&self.connection, keys) {
            Ok(replaced) => replaced,
            Err(error) => {
                self.rollback()?;
                return Err(before_commit(&error));
            }
        };
        match self.connection.execute_batch("COMMIT") {
            Ok(()) => Ok(replaced),
            Err(error) => self.rollback().and(Err(of_commit(&error))),
        }
    }
}

/// As neither id nor key changes its length, SQLite overwrites them where they stand and moves no
/// other row: a longer row could leave copies of its neighbours in the unused room of a page.
fn replace(connection: &Connection, keys: &[NewWrapping]) -> Result<usize> {
    let sql = "UPDATE sealed SET key_id = ?1, wrapped_key = ?2 WHERE ref = ?3 AND key_id = ?4";
    let mut update = connection.prepare_cached(sql)?;
    let mut replaced = 0_usize;
    for key in keys {
        let reference = key.reference.as_bytes();
        let rows = update.execute(params![key.key_id, key.wrapped_key, reference, key.before])?;
        replaced = replaced.saturating_add(rows);
    }
    Ok(replaced)
}

/// Erased records are left out, of which only an empty row is there.
///
/// Of the table itself and not of its index: in the order in which records lie in the file.
pub(crate) fn wrapped_otherwise(
    connection: &Connection,
    key_id: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<WrappedKey>> {
    let sql = "SELECT rowid, ref, key_id, wrapped_key, length(ciphertext) FROM sealed
               WHERE rowid > ?1 AND key_id <> ?2 AND wrapped_key <> x'' ORDER BY rowid LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let bounds = params![read::sql_count(after), key_id, read::sql_limit(limit)];
    let rows = statement.query_map(bounds, |row| {
        let reference = row
            .get::<_, [u8; 32]>(1)
            .map_err(|error| Error::FromSqlConversionFailure(1, Type::Blob, Box::new(error)))?;
        Ok(WrappedKey {
            place: read::count(row, 0)?,
            reference: Sha256::from_bytes(reference),
            key_id: row.get(2)?,
            wrapped_key: row.get(3)?,
            bytes: read::count(row, 4)?,
        })
    })?;
    rows.collect()
}

/// The place of the newest record.
pub(crate) fn last_sealed(connection: &Connection) -> Result<u64> {
    let sql = "SELECT rowid FROM sealed ORDER BY rowid DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let last = statement.query_row([], |row| read::count(row, 0));
    Ok(last.optional()?.unwrap_or(0))
}
