//! What the database is made of, held against what this version makes.
//!
//! A trigger or a view can change what a statement does, and a table without its constraints holds
//! what it must not; none of them shows in a row.

use crate::schema;
use rusqlite::{Connection, Result};
use std::collections::BTreeMap;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `table`, `index`, `trigger` or `view`.
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) sort: Sort,
    /// The statement that makes it, where this version makes it.
    pub(crate) sql: Option<String>,
}

/// In what way it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Unknown,
    Changed,
    Missing,
}

/// Kind, name and table to the statement that made it.
type Shape = BTreeMap<(String, String, String), String>;

/// What is in the database and not in this version, and the other way round.
pub(crate) fn differences(connection: &Connection) -> Result<Vec<Difference>> {
    let (found, expected) = (shape(connection)?, expected()?);
    let mut differences = Vec::new();
    let mut add = |(kind, name, _): &(String, String, String), sort, sql: Option<&String>| {
        differences.push(Difference {
            kind: kind.clone(),
            name: name.clone(),
            sort,
            sql: sql.cloned(),
        });
    };
    for (key, sql) in &expected {
        match found.get(key) {
            None => add(key, Sort::Missing, Some(sql)),
            Some(found) if found != sql => add(key, Sort::Changed, Some(sql)),
            Some(_) => {}
        }
    }
    for key in found.keys().filter(|key| !expected.contains_key(*key)) {
        add(key, Sort::Unknown, None);
    }
    Ok(differences)
}

/// Makes the missing indexes, and takes out indexes, triggers and views that this version does not
/// make. Tables are left as they are.
pub(crate) fn restore(connection: &Connection) -> Result<()> {
    for difference in differences(connection)? {
        let kind = difference.kind.as_str();
        if kind == "table" {
            continue;
        }
        if difference.sort != Sort::Missing {
            let name = difference.name.replace('"', "\"\"");
            connection.execute_batch(&format!("DROP {kind} \"{name}\""))?;
        }
        if let Some(sql) = &difference.sql {
            connection.execute_batch(sql)?;
        }
    }
    Ok(())
}

impl Difference {
    pub(crate) fn is_of_table(&self) -> bool {
        self.kind == "table"
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, name) = (&self.kind, &self.name);
        match self.sort {
            Sort::Unknown => write!(f, "the {kind} `{name}` is not this program's"),
            Sort::Changed => write!(f, "the {kind} `{name}` was changed"),
            Sort::Missing => write!(f, "the {kind} `{name}` is missing"),
        }
    }
}

fn expected() -> Result<Shape> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(schema::TABLES)?;
    shape(&connection)
}

fn shape(connection: &Connection) -> Result<Shape> {
    // SQLite's own: indexes of constraints, which have no statement, and statistics.
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema
               WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql IS NOT NULL";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?))
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(schema::TABLES).unwrap();
        connection
    }

    fn said(connection: &Connection) -> Vec<String> {
        let found = differences(connection).unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_this_version_makes_does_not_differ() {
        assert_eq!(said(&made()), Vec::<String>::new());
    }

    #[test]
    fn every_sort_of_change_is_told_and_all_but_tables_are_restored() {
        let changes = [
            (
                "DROP INDEX leaves_by_entry_id",
                "the index `leaves_by_entry_id` is missing",
            ),
            (
                "CREATE TRIGGER t AFTER UPDATE ON state BEGIN DELETE FROM sealed; END",
                "the trigger `t` is not this program's",
            ),
            (
                "CREATE VIEW \"a \"\"v\" AS SELECT 1",
                "the view `a \"v` is not this program's",
            ),
            (
                "CREATE INDEX i ON state (version)",
                "the index `i` is not this program's",
            ),
            (
                "DROP INDEX leaves_by_entry_id; CREATE INDEX leaves_by_entry_id ON leaves (idx)",
                "the index `leaves_by_entry_id` was changed",
            ),
        ];
        for (sql, expected) in changes {
            let connection = made();
            connection.execute_batch(sql).unwrap();
            assert_eq!(said(&connection), [expected]);
            restore(&connection).unwrap();
            assert_eq!(said(&connection), Vec::<String>::new());
        }
        let connection = made();
        connection
            .execute_batch("ALTER TABLE sealed ADD COLUMN more; CREATE TABLE x (y)")
            .unwrap();
        let expected = [
            "the table `sealed` was changed",
            "the table `x` is not this program's",
        ];
        assert_eq!(said(&connection), expected);
        restore(&connection).unwrap();
        assert_eq!(said(&connection), expected);
    }
}
