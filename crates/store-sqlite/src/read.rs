//! Statements that read, on whatever connection.

use countersign_core::document::SealedRecord;
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_ledger::store::StoredEntry;
use countersign_ledger::{Head, StateKey, Versioned};
use countersign_merkle::{HASH_LEN, Hash, LeafIndex, TreeSize};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Result, Row, named_params, params};
use std::ops::Range;

pub(crate) fn head(connection: &Connection) -> Result<Option<Head>> {
    let sql = "SELECT origin, size, hashes, root, checkpoint, time FROM head";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row([], head_of).optional()
}

pub(crate) fn leaves(connection: &Connection, range: Range<u64>) -> Result<Vec<StoredEntry>> {
    let sql = "SELECT idx, entry_id, bytes FROM leaves WHERE idx >= ?1 AND idx < ?2 ORDER BY idx";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(bounds(range), entry_of)?;
    rows.collect()
}

pub(crate) fn index_of(connection: &Connection, entry_id: EntryId) -> Result<Option<LeafIndex>> {
    let sql = "SELECT idx FROM leaves WHERE entry_id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let index = statement.query_row([entry_id.to_bytes()], |row| count(row, 0));
    Ok(index.optional()?.map(LeafIndex::new))
}

/// The largest id of all.
pub(crate) fn last_id(connection: &Connection) -> Result<Option<EntryId>> {
    let sql = "SELECT entry_id FROM leaves ORDER BY entry_id DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let id = statement.query_row([], |row| row.get(0).map(EntryId::from_bytes));
    id.optional()
}

/// Size and root of the head, which tell whether it is still the one that was seen last.
pub(crate) fn head_mark(connection: &Connection) -> Result<Option<(TreeSize, Hash)>> {
    let sql = "SELECT size, root FROM head";
    let mut statement = connection.prepare_cached(sql)?;
    let mark = statement.query_row([], |row| Ok((TreeSize::new(count(row, 0)?), hash(row, 1)?)));
    mark.optional()
}

pub(crate) fn nodes(connection: &Connection, level: u8, range: Range<u64>) -> Result<Vec<Hash>> {
    if level == 0 {
        return leaf_hashes(connection, range);
    }
    let [start, end] = bounds(range);
    let sql = "SELECT hash FROM nodes WHERE level = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([i64::from(level), start, end], |row| hash(row, 0))?;
    rows.collect()
}

/// From the runs that hold them, up to the first that is missing.
fn leaf_hashes(connection: &Connection, range: Range<u64>) -> Result<Vec<Hash>> {
    let sql = "SELECT idx, hashes FROM runs
               WHERE idx >= coalesce((SELECT max(idx) FROM runs WHERE idx <= ?1), ?1) AND idx < ?2
               ORDER BY idx";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(bounds(range.clone()))?;
    let mut found = Vec::new();
    let mut next = range.start;
    while let Some(row) = rows.next()? {
        let first = count(row, 0)?;
        let skipped = next.saturating_sub(first);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let wanted = usize::try_from(range.end.saturating_sub(next)).unwrap_or(usize::MAX);
        let hashes = hashes_of(row, 1)?;
        if first > next || skipped > hashes.len() {
            break;
        }
        let before = found.len();
        found.extend(hashes.into_iter().skip(skipped).take(wanted));
        next = next.saturating_add(found.len().saturating_sub(before) as u64);
    }
    Ok(found)
}

pub(crate) fn state(connection: &Connection, key: &StateKey) -> Result<Option<Versioned>> {
    let sql = "SELECT value, version FROM state WHERE key = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([key.as_str()], |row| versioned(row, 0));
    found.optional()
}

pub(crate) fn scan(
    connection: &Connection,
    prefix: &str,
    after: Option<&StateKey>,
    limit: usize,
) -> Result<Vec<(StateKey, Versioned)>> {
    let sql = "SELECT value, version, key FROM state
               WHERE key >= :prefix AND key < :end AND key > :after AND value IS NOT NULL
               ORDER BY key LIMIT :limit";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(
        named_params! {
            ":prefix": prefix,
            // Text is compared byte by byte, and no key has this last of all characters.
            ":end": format!("{prefix}\u{10ffff}"),
            // The empty text comes before every key but itself.
            ":after": after.map_or("", StateKey::as_str),
            ":limit": sql_limit(limit),
        },
        |row| Ok((StateKey::new(row.get::<_, String>(2)?), versioned(row, 0)?)),
    )?;
    rows.collect()
}

pub(crate) fn sealed(connection: &Connection, reference: &Sha256) -> Result<Option<SealedRecord>> {
    let sql = "SELECT kind, key_id, wrapped_key, nonce, ciphertext FROM sealed
               WHERE ref = ?1 AND wrapped_key <> x''";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row(params![reference.as_bytes()], |row| {
        Ok(SealedRecord {
            reference: *reference,
            kind: row.get(0)?,
            key_id: row.get(1)?,
            wrapped_key: row.get(2)?,
            nonce: row.get(3)?,
            ciphertext: row.get(4)?,
        })
    });
    found.optional()
}

/// An entry from the columns `idx, entry_id, bytes`.
pub(crate) fn entry_of(row: &Row<'_>) -> Result<StoredEntry> {
    Ok(StoredEntry {
        index: LeafIndex::new(count(row, 0)?),
        entry_id: EntryId::from_bytes(row.get(1)?),
        bytes: row.get(2)?,
    })
}

/// A number for SQLite, which knows no integers above 2^63 - 1.
pub(crate) fn sql_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn bounds(range: Range<u64>) -> [i64; 2] {
    [sql_count(range.start), sql_count(range.end)]
}

fn head_of(row: &Row<'_>) -> Result<Head> {
    let hashes = hashes_of(row, 2)?;
    let head = Head::from_parts(
        parsed(row, 0)?,
        TreeSize::new(count(row, 1)?),
        hashes,
        hash(row, 3)?,
        row.get(4)?,
        Timestamp::from_millis(row.get(5)?),
    );
    head.map_err(|error| malformed(2, Type::Blob, error))
}

fn versioned(row: &Row<'_>, column: usize) -> Result<Versioned> {
    Ok(Versioned {
        value: row.get(column)?,
        version: LeafIndex::new(count(row, column.saturating_add(1))?),
    })
}

pub(crate) fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    let count: i64 = row.get(column)?;
    u64::try_from(count).map_err(|error| malformed(column, Type::Integer, error))
}

fn hashes_of(row: &Row<'_>, column: usize) -> Result<Vec<Hash>> {
    let (hashes, rest) = row.get_ref(column)?.as_blob()?.as_chunks::<HASH_LEN>();
    if !rest.is_empty() {
        return Err(malformed(column, Type::Blob, "not a list of hashes"));
    }
    Ok(hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect())
}

fn hash(row: &Row<'_>, column: usize) -> Result<Hash> {
    let bytes = row.get_ref(column)?.as_blob()?;
    Hash::from_slice(bytes).map_err(|error| malformed(column, Type::Blob, error))
}

fn parsed<T>(row: &Row<'_>, column: usize) -> Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse()
        .map_err(|error: T::Err| malformed(column, Type::Text, error))
}

fn malformed(
    column: usize,
    found: Type,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::FromSqlConversionFailure(column, found, error.into())
}
