//! Finding entries by what they are indexed under.

use crate::postings::{Direction, Postings};
use crate::read::{count, entry_of, sql_count, sql_limit};
use countersign_core::time::Timestamp;
use countersign_ledger::index::terms_of;
use countersign_ledger::store::StoredEntry;
use countersign_ledger::{Filter, Order, Page};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Result, TransactionBehavior};
use std::ops::Range;

const UP: &str = "SELECT idx, entry_id, bytes FROM leaves
                  WHERE idx >= ?1 AND idx < ?2 ORDER BY idx LIMIT ?3";
const DOWN: &str = "SELECT idx, entry_id, bytes FROM leaves
                    WHERE idx >= ?1 AND idx < ?2 ORDER BY idx DESC LIMIT ?3";
const ONE: &str = "SELECT idx, entry_id, bytes FROM leaves WHERE idx = ?1";
const TIME_AT: &str = "SELECT idx, time FROM runs WHERE idx <= ?1 ORDER BY idx DESC LIMIT 1";

/// The entries among the first `size` that the filter finds, one page of them.
pub(crate) fn query(
    connection: &Connection,
    filter: &Filter,
    page: &Page,
    size: u64,
) -> Result<Vec<StoredEntry>> {
    // One look at the database for all statements, and one lock.
    let behavior = TransactionBehavior::Deferred;
    let reading = rusqlite::Transaction::new_unchecked(connection, behavior)?;
    let range = bounds(&reading, filter, page, size)?;
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let direction = match page.order {
        Order::NewestFirst => Direction::Down,
        Order::OldestFirst => Direction::Up,
    };
    let terms = terms_of(filter);
    if terms.is_empty() {
        return without_terms(&reading, range, direction, page.limit);
    }
    let lists = terms
        .iter()
        .map(|term| Postings::new(&reading, term, direction));
    let lists = lists.collect::<Result<Vec<_>>>()?;
    let found = intersect(lists, range, direction, page.limit)?;
    let mut statement = reading.prepare_cached(ONE)?;
    let entries = found.into_iter().map(|index| {
        let entry = statement.query_row([sql_count(index)], entry_of);
        // Left out, it would make the page look like the last one.
        entry.optional()?.ok_or_else(|| {
            let error = format!("entry {index} is in a list and not in the log").into();
            Error::FromSqlConversionFailure(0, Type::Integer, error)
        })
    });
    entries.collect()
}

fn without_terms(
    connection: &Connection,
    range: Range<u64>,
    direction: Direction,
    limit: usize,
) -> Result<Vec<StoredEntry>> {
    let sql = match direction {
        Direction::Up => UP,
        Direction::Down => DOWN,
    };
    let mut statement = connection.prepare_cached(sql)?;
    let (start, end) = (sql_count(range.start), sql_count(range.end));
    let rows = statement.query_map((start, end, sql_limit(limit)), entry_of)?;
    rows.collect()
}

/// The entries that stand in all lists: each list in turn leads on to its next entry, until all
/// are at the same one.
fn intersect(
    mut lists: Vec<Postings<'_>>,
    range: Range<u64>,
    direction: Direction,
    limit: usize,
) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    let mut at = match direction {
        Direction::Up => range.start,
        Direction::Down => range.end.saturating_sub(1),
    };
    'entries: while found.len() < limit && range.contains(&at) {
        for list in &mut lists {
            match list.seek(at)? {
                None => break 'entries,
                Some(entry) if entry == at => {}
                Some(entry) => {
                    at = entry;
                    continue 'entries;
                }
            }
        }
        found.push(at);
        let next = match direction {
            Direction::Up => at.checked_add(1),
            Direction::Down => at.checked_sub(1),
        };
        let Some(next) = next else { break };
        at = next;
    }
    Ok(found)
}

/// The indexes that times and cursor leave. Times never fall along the log, so they are bounds too.
fn bounds(connection: &Connection, filter: &Filter, page: &Page, size: u64) -> Result<Range<u64>> {
    let mut range = 0..size;
    if let Some(from) = filter.from {
        range.start = first_since(connection, from, size)?;
    }
    if let Some(until) = filter.until {
        range.end = first_since(connection, until, size)?;
    }
    match (page.order, page.after) {
        (_, None) => {}
        (Order::OldestFirst, Some(after)) => {
            range.start = range.start.max(after.get().saturating_add(1));
        }
        (Order::NewestFirst, Some(after)) => range.end = range.end.min(after.get()),
    }
    Ok(range)
}

/// The first of `size` entries that was committed at this time or later; `size` if none was.
fn first_since(connection: &Connection, time: Timestamp, size: u64) -> Result<u64> {
    let mut statement = connection.prepare_cached(TIME_AT)?;
    let mut range = 0..size;
    while !range.is_empty() {
        let middle = range.start.midpoint(range.end);
        let run = statement.query_row([sql_count(middle)], |row| {
            Ok((count(row, 0)?, row.get::<_, i64>(1)?))
        });
        match run.optional()? {
            // All entries of a run have one time.
            Some((first, at)) if at >= time.as_millis() => {
                range.end = first.clamp(range.start, middle);
            }
            _ => range.start = middle.saturating_add(1),
        }
    }
    Ok(range.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postings::{ROW_AT, ROWS_DOWN, ROWS_UP};
    use crate::schema;

    #[test]
    fn no_page_is_sorted_or_searched_for_in_the_whole_log() {
        let connection = Connection::open_in_memory().unwrap();
        schema::prepare(&connection).unwrap();
        for sql in [UP, DOWN, ONE, TIME_AT, ROW_AT, ROWS_UP, ROWS_DOWN] {
            let explain = format!("EXPLAIN QUERY PLAN {sql}");
            let mut statement = connection.prepare(&explain).unwrap();
            let values = vec![0; statement.parameter_count()];
            let steps = statement
                .query_map(rusqlite::params_from_iter(values), |row| {
                    row.get::<_, String>(3)
                })
                .unwrap();
            for step in steps {
                let step = step.unwrap();
                assert!(step.starts_with("SEARCH"), "{step}: {sql}");
            }
        }
    }
}
