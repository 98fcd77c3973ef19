//! Writing again what derives from the leaves.

use super::Inspection;
use crate::commit::{RUN, write_run};
use crate::postings::NewPostings;
use crate::{read, shape};
use countersign_core::entry::AnyEntry;
use countersign_core::ids::EntryId;
use countersign_ledger::fsck::Fix;
use countersign_ledger::index::row_of;
use countersign_merkle::{Hash, TreeSize, leaf_hash};
use rusqlite::{Result, params};

/// Leaves that are read at once.
const LEAVES: usize = 4_096;

/// Entries that go into one row of `runs`: index, time and leaf hash.
type Run = Vec<(u64, i64, Hash)>;

impl Inspection {
    pub(super) fn put(&self, fix: Fix) -> Result<()> {
        match fix {
            Fix::Node(level, index, hash) => {
                let sql = "INSERT OR REPLACE INTO nodes (level, idx, hash) VALUES (?1, ?2, ?3)";
                let mut insert = self.connection.prepare_cached(sql)?;
                insert.execute(params![level, read::sql_count(index), hash.as_bytes()])?;
            }
            Fix::Index(size) => self.index_anew(size)?,
            Fix::Beyond(size) => {
                self.nodes_beyond(size, "DELETE FROM nodes")?;
            }
            Fix::Schema => shape::restore(&self.connection)?,
        }
        Ok(())
    }

    /// Writes `runs`, `terms` and the ids of entries again.
    fn index_anew(&self, size: TreeSize) -> Result<()> {
        self.connection
            .execute_batch("DELETE FROM runs; DELETE FROM terms;")?;
        let sql = "SELECT idx, bytes FROM leaves WHERE idx >= ?1 AND idx < ?2 ORDER BY idx";
        let mut leaves = self.connection.prepare(sql)?;
        for from in (0..size.get()).step_by(LEAVES) {
            let until = from.saturating_add(LEAVES as u64).min(size.get());
            let rows = leaves
                .query_map([read::sql_count(from), read::sql_count(until)], |row| {
                    Ok((read::count(row, 0)?, row.get::<_, Vec<u8>>(1)?))
                })?;
            let mut postings = NewPostings::default();
            let mut run: Run = Vec::with_capacity(RUN);
            for row in rows {
                let (index, bytes) = row?;
                let entry = AnyEntry::from_leaf(&bytes).ok().map(|entry| row_of(&entry));
                let time = entry.as_ref().map_or(0, |row| row.time.as_millis());
                if run.len() >= RUN || run.last().is_some_and(|(_, before, _)| *before != time) {
                    self.write_run(&mut run)?;
                }
                run.push((index, time, leaf_hash(&bytes)));
                if let Some(entry) = entry {
                    self.name(index, entry.entry_id)?;
                    entry
                        .terms
                        .iter()
                        .for_each(|term| postings.add(term, index));
                }
            }
            self.write_run(&mut run)?;
            postings.write(&self.connection)?;
        }
        Ok(())
    }

    fn write_run(&self, run: &mut Run) -> Result<()> {
        if let Some((first, time, _)) = run.first().copied() {
            let hashes: Vec<u8> = run
                .iter()
                .flat_map(|(_, _, hash)| *hash.as_bytes())
                .collect();
            write_run(&self.connection, first, time, &hashes)?;
        }
        run.clear();
        Ok(())
    }

    /// Gives a leaf the id that stands in it.
    fn name(&self, index: u64, entry_id: EntryId) -> Result<()> {
        let (id, index) = (entry_id.to_bytes(), read::sql_count(index));
        let sql = "SELECT 1 FROM leaves WHERE idx = ?1 AND entry_id = ?2";
        if self.connection.prepare_cached(sql)?.exists((index, id))? {
            return Ok(());
        }
        // Whatever goes under this id wrongly is named when its turn comes.
        let sql = "UPDATE leaves SET entry_id = CAST('fsck ' || idx AS BLOB) WHERE entry_id = ?1";
        self.connection.prepare_cached(sql)?.execute([id])?;
        let sql = "UPDATE leaves SET entry_id = ?1 WHERE idx = ?2";
        self.connection.prepare_cached(sql)?.execute((id, index))?;
        Ok(())
    }
}
