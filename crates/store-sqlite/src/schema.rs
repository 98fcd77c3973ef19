//! The tables, and the version that they bear.

use crate::error::OpenError;
use crate::shape;
use rusqlite::Connection;

/// Version of the tables. Raised with every change; a newer one is refused.
const VERSION: i64 = 2;
/// The first version that there was.
const FIRST_VERSION: i64 = 1;
/// Marks the file as ours (`PRAGMA application_id`): "csgn" in ASCII.
const APPLICATION_ID: i64 = 0x6373_676e;

/// `leaves`, `runs`, `nodes` and `terms` only ever grow. A row of `runs` has the time and the leaf
/// hashes of a few entries that were committed together, `idx` being the first of them; `runs`,
/// `nodes` and `terms` derive from `leaves`. A row of `terms` lists entries that have a term: the
/// first in `idx`, the others in `more` (see `postings`). A row of `state` whose value is null is a
/// deleted key that keeps its version; a row of `sealed` without a wrapped key is a record that was
/// erased.
pub(crate) const TABLES: &str = "
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    root BLOB NOT NULL,
    checkpoint TEXT NOT NULL,
    time INTEGER NOT NULL
);
CREATE TABLE leaves (
    idx INTEGER PRIMARY KEY,
    entry_id BLOB NOT NULL,
    bytes BLOB NOT NULL
);
CREATE UNIQUE INDEX leaves_by_entry_id ON leaves (entry_id);
CREATE TABLE runs (
    idx INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    hashes BLOB NOT NULL
);
CREATE TABLE nodes (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) WITHOUT ROWID;
CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value BLOB,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE sealed (
    ref BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    key_id TEXT NOT NULL,
    wrapped_key BLOB NOT NULL,
    nonce BLOB NOT NULL,
    ciphertext BLOB NOT NULL
);
CREATE TABLE terms (
    term BLOB NOT NULL,
    idx INTEGER NOT NULL,
    more BLOB,
    PRIMARY KEY (term, idx)
) WITHOUT ROWID;
";

/// Makes the tables in a new file, or checks that those of an old one are known.
pub(crate) fn prepare(connection: &Connection) -> Result<(), OpenError> {
    let is_new = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        row.get::<_, i64>(0).map(|tables| tables == 0)
    })?;
    if !is_new {
        return check(connection);
    }
    // All or nothing: a process that ends in between leaves an empty file.
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES}
         PRAGMA user_version = {VERSION}; PRAGMA application_id = {APPLICATION_ID};
         COMMIT;"
    ))?;
    Ok(())
}

/// Checks that the tables are known, and that they, and nothing else, are there.
pub(crate) fn check(connection: &Connection) -> Result<(), OpenError> {
    check_version(connection)?;
    match shape::differences(connection)?.first() {
        None => Ok(()),
        Some(first) => Err(OpenError::Shape {
            detail: first.to_string(),
        }),
    }
}

/// Checks that the database is of a version that is known.
pub(crate) fn check_version(connection: &Connection) -> Result<(), OpenError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("application_id")? != APPLICATION_ID {
        return Err(OpenError::Foreign);
    }
    match pragma("user_version")? {
        VERSION => Ok(()),
        found if found > VERSION => Err(OpenError::Newer {
            found,
            known: VERSION,
        }),
        found if found >= FIRST_VERSION => Err(OpenError::Older {
            found,
            known: VERSION,
        }),
        found => Err(OpenError::Unknown { found }),
    }
}
