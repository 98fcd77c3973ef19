//! The database as it lies on the disk, for a check that trusts none of it.

mod repair;

use crate::error::{OpenError, read_error};
use crate::postings::{ROW_AT, entries_of, key_of};
use crate::{connection, read, schema, shape};
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_ledger::fsck::{FINDINGS, Fix, Flaw, Inspect, Part, StoredHead, StoredLeaf};
use countersign_ledger::index::Term;
use countersign_ledger::store::StoreReadError;
use countersign_ledger::{StateKey, Versioned};
use countersign_merkle::tile::layout::nodes_at;
use countersign_merkle::{HASH_LEN, LeafIndex, TreeSize};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

/// Most complaints of SQLite's own check that are kept.
const COMPLAINTS: usize = 100;

/// What a row of `runs` says of one entry, whatever it is.
type TimeAndHash = (Option<i64>, Vec<u8>);
/// Is told of a row of `terms` and its entries, `None` if it cannot be read; whether to go on.
type EachPosting<'a> =
    dyn FnMut(&[u8], Option<Vec<u64>>) -> std::result::Result<bool, StoreReadError> + 'a;

/// A database that is only looked at, or in which only what derives is put right.
pub struct Inspection {
    connection: Connection,
}

impl Inspection {
    /// Opens a database that is there, whatever its tables look like. It must be this program's
    /// and of a known version.
    pub fn open(path: &Path, repair: bool) -> std::result::Result<Self, OpenError> {
        crate::store::check_exists(path)?;
        let connection = match repair {
            true => connection::writer(path)?,
            false => connection::reader(path)?,
        };
        schema::check_version(&connection)?;
        Ok(Self { connection })
    }

    fn integrity(&self) -> Result<Vec<String>> {
        let sql = format!("PRAGMA integrity_check({COMPLAINTS})");
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        let complaints: Vec<String> = rows.collect::<Result<_>>()?;
        Ok(complaints.into_iter().filter(|text| text != "ok").collect())
    }

    fn nodes_beyond(&self, size: TreeSize, sql: &str) -> Result<u64> {
        let mut all = 0_u64;
        // Level 0 of the table would be another copy of the leaf hashes.
        let mut statement = self
            .connection
            .prepare("SELECT DISTINCT level FROM nodes")?;
        let levels = statement.query_map([], |row| row.get::<_, i64>(0))?;
        for level in levels.collect::<Result<Vec<i64>>>()? {
            let complete = match u8::try_from(level) {
                Ok(known @ 1..=8) => nodes_at(known, size),
                _ => 0,
            };
            let sql = format!("{sql} WHERE level = ?1 AND (idx >= ?2 OR idx < 0)");
            let mut statement = self.connection.prepare(&sql)?;
            let complete = read::sql_count(complete);
            all = all.saturating_add(match sql.starts_with("DELETE") {
                true => statement.execute([level, complete])? as u64,
                false => statement.query_row([level, complete], |row| read::count(row, 0))?,
            });
        }
        Ok(all)
    }

    /// The entries of `runs` at these indexes: each with its time and leaf hash.
    fn runs(&self, range: &Range<u64>) -> Result<BTreeMap<u64, TimeAndHash>> {
        let sql = "SELECT idx, time, hashes FROM runs
                   WHERE idx >= coalesce((SELECT max(idx) FROM runs WHERE idx <= ?1), ?1)
                   AND idx < ?2 ORDER BY idx";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(bounds(range))?;
        let mut found = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let time = row.get_ref(1)?.as_i64().ok();
            let hashes = bytes(row, 2)?;
            for (index, hash) in (read::count(row, 0)?..).zip(hashes.chunks(HASH_LEN)) {
                if range.contains(&index) {
                    found.entry(index).or_insert((time, hash.to_vec()));
                }
            }
        }
        Ok(found)
    }

    /// Rows of `runs` that do not begin where the one before ended, or end beyond the log.
    fn runs_out_of_place(&self, size: TreeSize) -> Result<u64> {
        let sql = "SELECT idx, length(hashes) FROM runs ORDER BY idx";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let (mut next, mut out) = (Some(0_i64), 0_u64);
        while let Some(row) = rows.next()? {
            let first = row.get_ref(0)?.as_i64().unwrap_or(-1);
            let length = row.get_ref(1)?.as_i64().unwrap_or(0);
            let hashes = length / HASH_LEN as i64;
            let end = first.saturating_add(hashes);
            let is_whole = length > 0 && length % HASH_LEN as i64 == 0;
            let is_next = next.is_none_or(|next| next == first);
            if !is_next || !is_whole || end > read::sql_count(size.get()) {
                out = out.saturating_add(1);
            }
            next = Some(end);
        }
        Ok(out)
    }
}

impl Inspect for Inspection {
    fn flaws(&self) -> std::result::Result<Vec<Flaw>, StoreReadError> {
        let sound = "a sound database file";
        // First, since nothing else can be read of a file that is not.
        let complaints = self
            .integrity()
            .unwrap_or_else(|error| vec![error.to_string()]);
        let complaints = complaints.into_iter();
        let mut flaws: Vec<Flaw> = complaints
            .map(|complaint| Flaw::new(Part::Database, complaint, sound))
            .collect();
        let differences = match shape::differences(&self.connection) {
            Ok(differences) => differences,
            Err(error) if flaws.is_empty() => return Err(read_error(error)),
            Err(_) => Vec::new(),
        };
        for difference in differences {
            let part = match difference.is_of_table() {
                true => Part::Table,
                false => Part::Schema,
            };
            flaws.push(Flaw::new(part, difference, "what this version makes"));
        }
        Ok(flaws)
    }

    fn head(&self) -> std::result::Result<Option<StoredHead>, StoreReadError> {
        let sql = "SELECT origin, size, hashes, root, checkpoint, time FROM head";
        let head = self.connection.query_row(sql, [], |row| {
            Ok(StoredHead {
                origin: row.get(0)?,
                size: read::count(row, 1)?,
                hashes: row.get(2)?,
                root: row.get(3)?,
                checkpoint: row.get(4)?,
                time: row.get(5)?,
            })
        });
        head.optional().map_err(read_error)
    }

    fn leaves(&self, range: Range<u64>) -> std::result::Result<Vec<StoredLeaf>, StoreReadError> {
        let times = self.runs(&range).map_err(read_error)?;
        let sql = "SELECT idx, entry_id, bytes FROM leaves
                   WHERE idx >= ?1 AND idx < ?2 ORDER BY idx";
        self.rows(sql, &range, |row| {
            let index = read::count(row, 0)?;
            Ok(StoredLeaf {
                index,
                entry_id: id_shown(row, 1)?,
                time: times.get(&index).and_then(|(time, _)| *time),
                bytes: bytes(row, 2)?,
            })
        })
    }

    fn hashes(
        &self,
        level: u8,
        range: Range<u64>,
    ) -> std::result::Result<Vec<(u64, Vec<u8>)>, StoreReadError> {
        if level == 0 {
            let runs = self.runs(&range).map_err(read_error)?.into_iter();
            return Ok(runs.map(|(index, (_, hash))| (index, hash)).collect());
        }
        let sql = format!(
            "SELECT idx, hash FROM nodes
             WHERE level = {level} AND idx >= ?1 AND idx < ?2 ORDER BY idx"
        );
        self.rows(&sql, &range, |row| {
            Ok((read::count(row, 0)?, bytes(row, 1)?))
        })
    }

    fn beyond(&self, size: TreeSize) -> std::result::Result<Vec<Flaw>, StoreReadError> {
        let expected = format!("none, in a log of {size} entries");
        let mut flaws = Vec::new();
        let sql = "SELECT count(*) FROM leaves WHERE idx >= ?1 OR idx < 0";
        let leaves = self
            .connection
            .query_row(sql, [read::sql_count(size.get())], |row| {
                read::count(row, 0)
            })
            .map_err(read_error)?;
        if leaves > 0 {
            let found = format!("{leaves} entries beyond the head");
            flaws.push(Flaw::new(Part::Leaf, found, &expected));
        }
        let runs = self.runs_out_of_place(size).map_err(read_error)?;
        if runs > 0 {
            let found = format!("{runs} rows of leaf hashes out of their place");
            flaws.push(Flaw::new(Part::LeafHash, found, "rows one after the other"));
        }
        let nodes = self
            .nodes_beyond(size, "SELECT count(*) FROM nodes")
            .map_err(read_error)?;
        if nodes > 0 {
            let found = format!("{nodes} nodes beyond the head");
            flaws.push(Flaw::new(Part::Node, found, &expected));
        }
        Ok(flaws)
    }

    fn lacking(
        &self,
        index: LeafIndex,
        terms: &BTreeSet<Term>,
    ) -> std::result::Result<Vec<Term>, StoreReadError> {
        let mut lacking = Vec::new();
        for term in terms {
            if !self.is_found_by(index, term).map_err(read_error)? {
                lacking.push(term.clone());
            }
        }
        Ok(lacking)
    }

    fn term_count(&self) -> std::result::Result<u64, StoreReadError> {
        let mut count = 0_u64;
        self.each_posting(&mut |_, entries| {
            count = count.saturating_add(entries.map_or(1, |entries| entries.len() as u64));
            Ok(true)
        })?;
        Ok(count)
    }

    fn stray_terms(
        &self,
        terms_of: &mut dyn FnMut(LeafIndex) -> std::result::Result<BTreeSet<Term>, StoreReadError>,
    ) -> std::result::Result<Vec<Flaw>, StoreReadError> {
        let mut flaws = Vec::new();
        let expected = "only what stands in the leaf";
        self.each_posting(&mut |term, entries| {
            let Some(entries) = entries else {
                flaws.push(Flaw::new(
                    Part::Term,
                    "a list that cannot be read",
                    expected,
                ));
                return Ok(flaws.len() < FINDINGS);
            };
            for index in entries {
                let index = LeafIndex::new(index);
                let terms = terms_of(index)?;
                if !terms.iter().any(|own| key_of(own).as_slice() == term) {
                    let found = "found by something that does not stand in it";
                    flaws.push(Flaw::new(Part::Term, found, expected).at(index));
                }
            }
            Ok(flaws.len() < FINDINGS)
        })?;
        flaws.truncate(FINDINGS);
        Ok(flaws)
    }

    fn index_of(
        &self,
        entry_id: EntryId,
    ) -> std::result::Result<Option<LeafIndex>, StoreReadError> {
        read::index_of(&self.connection, entry_id).map_err(read_error)
    }

    fn state(&self, key: &StateKey) -> std::result::Result<Option<Versioned>, StoreReadError> {
        read::state(&self.connection, key).map_err(read_error)
    }

    fn states(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> std::result::Result<Vec<(StateKey, Versioned)>, StoreReadError> {
        self.states_after(after, limit).map_err(read_error)
    }

    fn has_sealed(&self, reference: &Sha256) -> std::result::Result<bool, StoreReadError> {
        let sql = "SELECT 1 FROM sealed WHERE ref = ?1 AND wrapped_key <> x''";
        let found = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.exists([reference.as_bytes()]));
        found.map_err(read_error)
    }

    fn begin_repair(&self) -> std::result::Result<(), StoreReadError> {
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(read_error)
    }

    fn repair(&self, fix: Fix) -> std::result::Result<(), StoreReadError> {
        self.put(fix).map_err(read_error)
    }

    fn end_repair(&self, keep: bool) -> std::result::Result<(), StoreReadError> {
        let end = if keep { "COMMIT" } else { "ROLLBACK" };
        self.connection.execute_batch(end).map_err(read_error)
    }
}

impl Inspection {
    fn rows<T>(
        &self,
        sql: &str,
        range: &Range<u64>,
        read: impl Fn(&Row<'_>) -> Result<T>,
    ) -> std::result::Result<Vec<T>, StoreReadError> {
        let rows = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| {
                let rows = statement.query_map(bounds(range), |row| read(row))?;
                rows.collect::<Result<Vec<T>>>()
            });
        rows.map_err(read_error)
    }

    fn states_after(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>> {
        let sql = "SELECT key, value, version FROM state WHERE key > ?1 ORDER BY key LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let after = after.map_or("", StateKey::as_str);
        let rows = statement.query_map(params![after, read::sql_limit(limit)], |row| {
            let value = match row.get_ref(1)? {
                ValueRef::Null => None,
                _ => Some(bytes(row, 1)?),
            };
            let version = LeafIndex::new(read::count(row, 2)?);
            Ok((
                StateKey::new(row.get::<_, String>(0)?),
                Versioned { value, version },
            ))
        })?;
        rows.collect()
    }

    fn is_found_by(&self, index: LeafIndex, term: &Term) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(ROW_AT)?;
        let key = (key_of(term), read::sql_count(index.get()));
        // A list that cannot be read finds nothing.
        let row = statement.query_row(key, |row| Ok(entries_of(row).unwrap_or_default()));
        Ok(row
            .optional()?
            .is_some_and(|entries| entries.contains(&index.get())))
    }

    /// Every row of `terms` with its entries, `None` for one that cannot be read, until it is enough.
    fn each_posting(&self, each: &mut EachPosting<'_>) -> std::result::Result<(), StoreReadError> {
        let mut statement = self
            .connection
            .prepare("SELECT idx, more, term FROM terms ORDER BY term, idx")
            .map_err(read_error)?;
        let mut rows = statement.query([]).map_err(read_error)?;
        while let Some(row) = rows.next().map_err(read_error)? {
            let term = bytes(row, 2).map_err(read_error)?;
            if !each(&term, entries_of(row).ok())? {
                break;
            }
        }
        Ok(())
    }
}

fn bounds(range: &Range<u64>) -> [i64; 2] {
    [read::sql_count(range.start), read::sql_count(range.end)]
}

/// Bytes, also where somebody has written text.
fn bytes(row: &Row<'_>, column: usize) -> Result<Vec<u8>> {
    match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(bytes.to_vec()),
        _ => Ok(Vec::new()),
    }
}

/// An entry's id, whatever somebody has written.
fn id_shown(row: &Row<'_>, column: usize) -> Result<String> {
    let bytes = bytes(row, column)?;
    Ok(match <[u8; 16]>::try_from(bytes.as_slice()) {
        Ok(id) => EntryId::from_bytes(id).to_string(),
        Err(_) => format!("{} bytes", bytes.len()),
    })
}
