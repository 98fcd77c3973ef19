//! What takes how much of the database.

use crate::connection;
use crate::error::OpenError;
use std::path::Path;

/// What takes how much of a database, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Each table and index, with the pages that are its own.
    pub tables: Vec<(String, u64)>,
    /// The bytes of the leaves, which are among those of `leaves`.
    pub leaf_bytes: u64,
    /// The whole file, once the write-ahead log is folded into it.
    pub file_bytes: u64,
}

/// Looks at every page of the database.
pub fn usage(path: &Path) -> Result<Usage, OpenError> {
    crate::store::check_exists(path)?;
    let connection = connection::reader(path)?;
    let number = |sql: &str| connection.query_row(sql, [], |row| crate::read::count(row, 0));
    let mut statement =
        connection.prepare("SELECT sum(pgsize), name FROM dbstat GROUP BY name ORDER BY name")?;
    let tables = statement.query_map([], |row| Ok((row.get(1)?, crate::read::count(row, 0)?)))?;
    Ok(Usage {
        tables: tables.collect::<Result<_, _>>()?,
        leaf_bytes: number("SELECT coalesce(sum(length(bytes)), 0) FROM leaves")?,
        file_bytes: number("PRAGMA page_count")?.saturating_mul(number("PRAGMA page_size")?),
    })
}
