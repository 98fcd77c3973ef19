//! Finding entries by what they are indexed under.

use crate::read::{count, entry_of, sql_count, sql_limit};
use countersign_core::time::Timestamp;
use countersign_ledger::index::terms_of;
use countersign_ledger::store::StoredEntry;
use countersign_ledger::{Filter, Order, Page};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Result, params_from_iter};
use std::ops::Range;

/// The entries among the first `size` that the filter finds, one page of them.
pub(crate) fn query(
    connection: &Connection,
    filter: &Filter,
    page: &Page,
    size: u64,
) -> Result<Vec<StoredEntry>> {
    let range = bounds(connection, filter, page, size)?;
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let (sql, values) = select(filter, page, &range);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), entry_of)?;
    rows.collect()
}

/// The indexes that times and cursor leave. Times never fall along the log, so they are bounds too.
fn bounds(connection: &Connection, filter: &Filter, page: &Page, size: u64) -> Result<Range<u64>> {
    let mut range = 0..size;
    if let Some(from) = filter.from {
        range.start = first_since(connection, from)?.unwrap_or(size);
    }
    if let Some(until) = filter.until {
        range.end = range
            .end
            .min(first_since(connection, until)?.unwrap_or(size));
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

fn first_since(connection: &Connection, time: Timestamp) -> Result<Option<u64>> {
    let sql = "SELECT idx FROM leaves WHERE time >= ?1 ORDER BY time, idx LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let first = statement.query_row([time.as_millis()], |row| count(row, 0));
    first.optional()
}

/// Goes along the list of the first term and looks the others up. `CROSS JOIN` keeps SQLite from
/// choosing another order, in which it would have to sort.
fn select(filter: &Filter, page: &Page, range: &Range<u64>) -> (String, Vec<Value>) {
    let terms = terms_of(filter);
    let mut tables = String::new();
    let mut conditions = String::new();
    let mut values = Vec::new();
    for (n, term) in terms.into_iter().enumerate() {
        tables.push_str(&format!("terms t{n} CROSS JOIN "));
        conditions.push_str(&format!("t{n}.field = ? AND t{n}.value = ? AND "));
        if n > 0 {
            conditions.push_str(&format!("t{n}.idx = t0.idx AND "));
        }
        values.push(Value::from(i64::from(term.field.code())));
        values.push(Value::from(term.value));
    }
    let index = if tables.is_empty() {
        "leaves.idx"
    } else {
        conditions.push_str("leaves.idx = t0.idx AND ");
        "t0.idx"
    };
    let order = match page.order {
        Order::NewestFirst => "DESC",
        Order::OldestFirst => "ASC",
    };
    values.push(Value::from(sql_count(range.start)));
    values.push(Value::from(sql_count(range.end)));
    values.push(Value::from(sql_limit(page.limit)));
    let sql = format!(
        "SELECT leaves.idx, leaves.entry_id, leaves.bytes FROM {tables}leaves \
         WHERE {conditions}{index} >= ? AND {index} < ? ORDER BY {index} {order} LIMIT ?"
    );
    (sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn no_page_is_sorted_or_searched_for_in_the_whole_log() {
        let connection = Connection::open_in_memory().unwrap();
        schema::prepare(&connection).unwrap();
        let filters = [
            Filter::default(),
            Filter {
                kind: Some("decision".to_owned()),
                actor: Some("agent:a".parse().unwrap()),
                action: Some("email.send".parse().unwrap()),
                ..Filter::default()
            },
        ];
        for filter in filters {
            for order in [Order::NewestFirst, Order::OldestFirst] {
                let page = Page {
                    order,
                    ..Page::default()
                };
                let (sql, values) = select(&filter, &page, &(0..10));
                let explain = format!("EXPLAIN QUERY PLAN {sql}");
                let mut statement = connection.prepare(&explain).unwrap();
                let steps = statement
                    .query_map(params_from_iter(values), |row| row.get::<_, String>(3))
                    .unwrap();
                for step in steps {
                    let step = step.unwrap();
                    assert!(step.starts_with("SEARCH"), "{step}: {sql}");
                }
            }
        }
    }
}
