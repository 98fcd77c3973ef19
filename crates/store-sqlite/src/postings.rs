//! The lists of entries that have a term.
//!
//! A row of `terms` holds the entries of one commit that have it: the first by its index, the others
//! by their distances, each in as few bytes of seven bits as it needs. Rows are written once.

use crate::read::{count, sql_count};
use countersign_core::refs::Sha256;
use countersign_ledger::index::Term;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Result, Row, Statement};
use std::collections::{BTreeMap, VecDeque};

/// Most entries of one row, so that no row outgrows its page.
const ROW_ENTRIES: usize = 128;
/// Rows that are read at once while a list is followed: few at first, more as it goes on.
const FEW_ROWS: usize = 2;
const MANY_ROWS: usize = 256;

/// What stands for a term in storage: as much of a SHA-256 as nobody can find a second value for.
pub(crate) type TermKey = [u8; 16];

/// What stands for a term.
pub(crate) fn key_of(term: &Term) -> TermKey {
    let mut text = Vec::with_capacity(term.value.len().saturating_add(1));
    text.push(term.field.code());
    text.extend_from_slice(term.value.as_bytes());
    let mut key = TermKey::default();
    for (slot, byte) in key.iter_mut().zip(Sha256::of(&text).as_bytes()) {
        *slot = *byte;
    }
    key
}

/// The lists of one commit.
#[derive(Default)]
pub(crate) struct NewPostings(BTreeMap<TermKey, Vec<u64>>);

impl NewPostings {
    /// The entry has the term. Entries come in rising order.
    pub(crate) fn add(&mut self, term: &Term, index: u64) {
        self.0.entry(key_of(term)).or_default().push(index);
    }

    /// Writes the rows.
    pub(crate) fn write(&self, connection: &Connection) -> Result<()> {
        let sql = "INSERT INTO terms (term, idx, more) VALUES (?1, ?2, ?3)";
        let mut insert = connection.prepare_cached(sql)?;
        for (key, entries) in &self.0 {
            for row in entries.chunks(ROW_ENTRIES) {
                let Some((first, more)) = row.split_first() else {
                    continue;
                };
                let more = (!more.is_empty()).then(|| distances(*first, more));
                insert.execute((key, sql_count(*first), more))?;
            }
        }
        Ok(())
    }
}

fn distances(first: u64, more: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(more.len());
    let mut before = first;
    for index in more {
        let mut distance = index.saturating_sub(before);
        before = *index;
        while distance >= 0x80 {
            bytes.push((distance & 0x7f) as u8 | 0x80);
            distance >>= 7;
        }
        bytes.push(distance as u8);
    }
    bytes
}

/// The entries of a row with the columns `idx, more`.
pub(crate) fn entries_of(row: &Row<'_>) -> Result<Vec<u64>> {
    let mut index = count(row, 0)?;
    let mut entries = vec![index];
    let (mut distance, mut shift) = (0_u64, 0_u32);
    let more = row.get_ref(1)?.as_blob_or_null()?.unwrap_or_default();
    for byte in more {
        let bits = u64::from(byte & 0x7f).checked_shl(shift);
        distance |= bits.ok_or_else(malformed)?;
        shift = shift.saturating_add(7);
        if byte & 0x80 == 0 {
            index = index.checked_add(distance).ok_or_else(malformed)?;
            entries.push(index);
            (distance, shift) = (0, 0);
        }
    }
    match shift {
        0 => Ok(entries),
        _ => Err(malformed()),
    }
}

fn malformed() -> Error {
    let error = "not a list of entries".into();
    Error::FromSqlConversionFailure(1, Type::Blob, error)
}

/// In which direction a list is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

/// The row that holds the first entry at or after an index going up, or holds the last entry at or
/// before it going down, or comes before or after that row.
pub(crate) const ROW_AT: &str =
    "SELECT idx, more FROM terms WHERE term = ?1 AND idx <= ?2 ORDER BY idx DESC LIMIT 1";
pub(crate) const ROWS_UP: &str =
    "SELECT idx, more FROM terms WHERE term = ?1 AND idx > ?2 ORDER BY idx LIMIT ?3";
pub(crate) const ROWS_DOWN: &str =
    "SELECT idx, more FROM terms WHERE term = ?1 AND idx < ?2 ORDER BY idx DESC LIMIT ?3";

/// Follows the list of one term.
pub(crate) struct Postings<'c> {
    key: TermKey,
    direction: Direction,
    row_at: Statement<'c>,
    rows: Statement<'c>,
    // The next entries in the direction, from some row up to the end of another.
    next: VecDeque<u64>,
    // The `idx` of the last row that was read.
    row: Option<u64>,
    several: usize,
}

impl<'c> Postings<'c> {
    pub(crate) fn new(
        connection: &'c Connection,
        term: &Term,
        direction: Direction,
    ) -> Result<Self> {
        let rows = match direction {
            Direction::Up => ROWS_UP,
            Direction::Down => ROWS_DOWN,
        };
        Ok(Self {
            key: key_of(term),
            direction,
            row_at: connection.prepare(ROW_AT)?,
            rows: connection.prepare(rows)?,
            next: VecDeque::new(),
            row: None,
            several: FEW_ROWS,
        })
    }

    /// The first entry of the list at `index` or after it in the direction. Later calls must not go
    /// back.
    pub(crate) fn seek(&mut self, index: u64) -> Result<Option<u64>> {
        if let Some(entry) = self.front(index) {
            return Ok(Some(entry));
        }
        if let Some(row) = self.row {
            let is_at_end = !self.read_rows(sql_count(row))?;
            let entry = self.front(index);
            if is_at_end || entry.is_some() {
                return Ok(entry);
            }
        }
        self.several = FEW_ROWS;
        self.jump(index)?;
        Ok(self.front(index))
    }

    /// The first entry that was read and is not passed at `index`.
    fn front(&mut self, index: u64) -> Option<u64> {
        while let Some(entry) = self.next.front().copied() {
            let is_passed = match self.direction {
                Direction::Up => entry < index,
                Direction::Down => entry > index,
            };
            if !is_passed {
                return Some(entry);
            }
            self.next.pop_front();
        }
        None
    }

    /// Reads the row that may hold `index`; going up, it may end before, and the next one counts.
    fn jump(&mut self, index: u64) -> Result<()> {
        self.next.clear();
        let found = {
            let mut rows = self.row_at.query((self.key, sql_count(index)))?;
            rows.next()?.map(entries_of).transpose()?
        };
        self.row = found.as_ref().and_then(|entries| entries.first().copied());
        Self::take(self.direction, &mut self.next, found.unwrap_or_default());
        if self.direction == Direction::Up && self.front(index).is_none() {
            self.read_rows(self.row.map_or(-1, sql_count))?;
        }
        Ok(())
    }

    /// Reads some rows after the one at `from`; false if there are none.
    fn read_rows(&mut self, from: i64) -> Result<bool> {
        let limit = i64::try_from(self.several).unwrap_or(i64::MAX);
        let mut rows = self.rows.query((self.key, from, limit))?;
        let mut is_any = false;
        while let Some(row) = rows.next()? {
            let entries = entries_of(row)?;
            self.row = entries.first().copied();
            Self::take(self.direction, &mut self.next, entries);
            is_any = true;
        }
        self.several = self.several.saturating_mul(2).min(MANY_ROWS);
        Ok(is_any)
    }

    fn take(direction: Direction, next: &mut VecDeque<u64>, entries: Vec<u64>) {
        match direction {
            Direction::Up => next.extend(entries),
            Direction::Down => next.extend(entries.into_iter().rev()),
        }
    }
}
