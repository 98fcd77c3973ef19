//! A database of several tiles, edited here and there.

use crate::support::{Fixture, database, fresh_id, head_file, key, numbered, reopen};
use countersign_ledger::fsck::{self, Findings, Found, Part, Subject};
use countersign_ledger::{Filter, LogReader, Page, ReadSet};
use countersign_store_sqlite::{Inspection, SqliteStore};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A log of 700 entries in units of a few, closed.
fn log() -> TempDir {
    let fixture = Fixture::new();
    while fixture.ledger.size().get() < 700 {
        let ids: Vec<_> = (0..23).map(|_| fresh_id()).collect();
        let committed = fixture.ledger.commit(ReadSet::none(), move |step| {
            for (n, id) in (0_u64..).zip(&ids) {
                step.push(*id, numbered(n))?;
            }
            Ok(())
        });
        committed.unwrap();
        fixture
            .clock
            .set(crate::support::START_MS + fixture.ledger.size().get() as i64);
    }
    fixture.close()
}

fn check(dir: &Path, repair: bool) -> (Findings, u64) {
    let store = Inspection::open(&database(dir), repair).unwrap();
    let keys = [key()];
    let subject = Subject {
        store: &store,
        log_keys: &keys,
        head_file: &head_file(dir),
        repair,
    };
    let mut seen = 0;
    let mut observe = |_, _: &_, _: &mut Findings| {
        seen += 1;
        Ok(())
    };
    let findings = fsck::check(&subject, &mut observe, &mut |_| {}).unwrap();
    (findings, seen)
}

fn edit(dir: &Path, sql: &str) {
    Connection::open(database(dir))
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

fn parts(findings: &Findings) -> Vec<Part> {
    Part::ALL
        .iter()
        .copied()
        .filter(|part| findings.counted(*part) > 0)
        .collect()
}

#[test]
fn nodes_and_hashes_over_several_tiles_are_found_and_put_right() {
    let dir = log();
    let (clean, seen) = check(dir.path(), false);
    assert_eq!((clean.total(), clean.found()), (0, Found::Clean));
    let size = reopen(dir.path()).unwrap().size().get();
    assert_eq!(seen, size);
    let whole = fs::read(database(dir.path())).unwrap();
    for (sql, expected, count) in [
        ("DELETE FROM nodes", Part::Node, size / 256),
        (
            "UPDATE nodes SET hash = zeroblob(32) WHERE idx = 1",
            Part::Node,
            1,
        ),
        ("DELETE FROM runs", Part::LeafHash, size),
        (
            "DELETE FROM runs WHERE idx BETWEEN 300 AND 400",
            Part::LeafHash,
            0,
        ),
        // Rows that overlap others hide what these hold.
        (
            "INSERT OR IGNORE INTO runs SELECT idx + 1, time, zeroblob(32) FROM runs",
            Part::LeafHash,
            0,
        ),
        (
            "INSERT INTO terms SELECT term, idx + 1, NULL FROM terms WHERE idx < 100",
            Part::Term,
            0,
        ),
    ] {
        fs::write(database(dir.path()), &whole).unwrap();
        edit(dir.path(), sql);
        let (found, _) = check(dir.path(), false);
        assert!(
            found.counted(expected) >= count.max(1),
            "{sql}: {:?}",
            found.kept()
        );
        assert_eq!(found.found(), Found::Differs, "{sql}");
        if count > 0 {
            assert_eq!(found.counted(expected), count, "{sql}");
        }
        let (found, _) = check(dir.path(), true);
        assert_eq!(found.repaired(), Some(true), "{sql}");
        let (left, _) = check(dir.path(), false);
        assert_eq!(left.total(), 0, "{sql}: {:?}", left.kept());
    }
    // What was written again is read as before.
    let store = SqliteStore::open(&database(dir.path())).unwrap();
    let log = LogReader::open(Arc::new(store)).unwrap().unwrap();
    assert_eq!(log.leaves(0..size).unwrap().len() as u64, size);
    let kind = Some("throttled".to_owned());
    let filter = Filter {
        kind,
        ..Filter::default()
    };
    let (mut found, mut page) = (0, Page::default());
    loop {
        let entries = log.query(&filter, &page).unwrap();
        found += entries.entries.len() as u64;
        page.after = entries.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(found, size - 1);
}

#[test]
fn the_entry_that_was_changed_is_named_and_nothing_is_made_from_it() {
    let dir = log();
    let whole = fs::read(database(dir.path())).unwrap();
    for index in [0, 255, 256, 500] {
        fs::write(database(dir.path()), &whole).unwrap();
        edit(
            dir.path(),
            &format!(
                "UPDATE leaves SET bytes = CAST(bytes || ' ' AS BLOB) WHERE idx = {index}; DELETE FROM terms"
            ),
        );
        let (found, _) = check(dir.path(), true);
        assert_eq!(found.repaired(), Some(false));
        assert_eq!(found.found(), Found::Contradicts);
        let changed: Vec<u64> = found
            .kept()
            .iter()
            .filter(|flaw| flaw.part == Part::Leaf && flaw.found.contains("was changed"))
            .filter_map(|flaw| Some(flaw.index?.get()))
            .collect();
        assert_eq!(changed, [index]);
        assert!(
            !parts(&found).contains(&Part::LeafHash),
            "{:?}",
            found.kept()
        );
        assert!(!parts(&found).contains(&Part::Node), "{:?}", found.kept());
        let terms: i64 = Connection::open(database(dir.path()))
            .unwrap()
            .query_row("SELECT count(*) FROM terms", [], |row| row.get(0))
            .unwrap();
        assert_eq!(terms, 0);
    }
}

#[test]
fn a_trigger_writes_nothing_while_what_derives_is_put_right() {
    let dir = log();
    edit(
        dir.path(),
        "DELETE FROM nodes WHERE idx = 1;
         CREATE TRIGGER t AFTER INSERT ON nodes
         BEGIN UPDATE leaves SET bytes = CAST(bytes || ' ' AS BLOB) WHERE idx = 5; END",
    );
    let (found, _) = check(dir.path(), true);
    assert_eq!(found.repaired(), Some(true));
    let (left, _) = check(dir.path(), false);
    assert_eq!(left.total(), 0, "{:?}", left.kept());
}

#[test]
fn a_head_that_speaks_of_more_entries_than_there_are_is_no_work_without_end() {
    let dir = log();
    edit(dir.path(), "UPDATE head SET size = 9000000000000000");
    for repair in [false, true] {
        let (found, seen) = check(dir.path(), repair);
        assert_eq!(found.found(), Found::Contradicts);
        assert_eq!(seen, leaves_in(dir.path()));
    }
}

fn leaves_in(dir: &Path) -> u64 {
    let connection = Connection::open(database(dir)).unwrap();
    let count = connection.query_row("SELECT count(*) FROM leaves", [], |row| {
        row.get::<_, i64>(0)
    });
    count.unwrap() as u64
}

#[test]
fn a_page_with_an_entry_that_is_gone_is_an_error_and_no_shorter_list() {
    let dir = log();
    let kind = Some("throttled".to_owned());
    let filter = Filter {
        kind,
        ..Filter::default()
    };
    edit(dir.path(), "DELETE FROM leaves WHERE idx = 690");
    let store = SqliteStore::open(&database(dir.path())).unwrap();
    let log = LogReader::open(Arc::new(store)).unwrap().unwrap();
    let page = Page {
        limit: 50,
        ..Page::default()
    };
    let found = log.query(&filter, &page);
    assert!(found.is_err(), "{:?}", found.map(|found| found.next));
}
