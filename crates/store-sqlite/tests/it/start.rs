//! What is refused at start, and what is not.

use crate::support::{
    Fixture, TestSigner, append, check_all, clock, database, fresh_id, genesis, head_file,
    numbered, parts, reopen,
};
use countersign_ledger::{
    CreateError, DirLock, Filter, HeadFile, Ledger, LockError, LogReader, OpenError, Order, Page,
    ReadError, ReadSet, Store as _,
};
use countersign_merkle::{LeafIndex, TreeSize};
use countersign_store_sqlite::SqliteStore;
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

fn log_of(entries: u64) -> Fixture {
    let fixture = Fixture::new();
    for n in 0..entries {
        fixture.append(n);
    }
    fixture
}

/// Copies the database as a backup does.
fn back_up(dir: &Path) -> TempDir {
    let backup = tempfile::tempdir().unwrap();
    for file in fs::read_dir(dir.join("db")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), backup.path().join(file.file_name())).unwrap();
    }
    backup
}

fn restore(backup: &TempDir, dir: &Path) {
    fs::remove_dir_all(dir.join("db")).unwrap();
    fs::create_dir(dir.join("db")).unwrap();
    for file in fs::read_dir(backup.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), dir.join("db").join(file.file_name())).unwrap();
    }
}

fn refused(dir: &Path) -> OpenError {
    let error = reopen(dir).err().expect("it must be refused");
    assert!(!error.to_string().is_empty());
    error
}

#[test]
fn a_restored_database_is_refused() {
    let fixture = log_of(5);
    let backup = back_up(fixture.dir.path());
    for n in 5..9 {
        fixture.append(n);
    }
    let dir = fixture.close();
    restore(&backup, dir.path());
    let error = refused(dir.path());
    let OpenError::RolledBack {
        database, recorded, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((database.get(), recorded.get()), (6, 10));
    assert!(error.hint().is_some());
}

#[test]
fn another_history_is_refused() {
    let fixture = log_of(5);
    let released = fs::read(head_file(fixture.dir.path())).unwrap();
    let dir = fixture.close();
    let others = [5, 6, 3];
    for entries in others {
        // A log of the same key and origin, but with other entries.
        let other = log_of(entries).close();
        fs::write(head_file(other.path()), &released).unwrap();
        match (entries, refused(other.path())) {
            (5 | 6, OpenError::Forked { .. }) | (3, OpenError::RolledBack { .. }) => {}
            (_, error) => panic!("{error}"),
        }
    }
    drop(reopen(dir.path()).unwrap());
}

#[test]
fn a_lost_database_or_head_file_is_refused() {
    let dir = log_of(3).close();
    let kept = fs::read(head_file(dir.path())).unwrap();
    fs::remove_file(head_file(dir.path())).unwrap();
    assert!(matches!(
        refused(dir.path()),
        OpenError::HeadFileMissing { .. }
    ));
    fs::write(head_file(dir.path()), b"rubbish").unwrap();
    assert!(matches!(refused(dir.path()), OpenError::HeadFile(_)));
    fs::write(head_file(dir.path()), kept).unwrap();
    drop(reopen(dir.path()).unwrap());

    let db = database(dir.path());
    fs::remove_dir_all(dir.path().join("db")).unwrap();
    assert!(SqliteStore::open(&db).is_err());
    let store = Arc::new(SqliteStore::create(&db).unwrap());
    let opened = Ledger::open(parts(dir.path(), store.clone(), clock()));
    assert!(matches!(opened, Err(OpenError::DatabaseLost { .. })));
    // Nor may a new log begin where an old one was released.
    let parts = parts(dir.path(), store, clock());
    let created = Ledger::create(parts, fresh_id(), genesis(), |_| Ok(()));
    let Err(CreateError::Open(OpenError::DatabaseLost { size, .. })) = created else {
        panic!("it must be refused");
    };
    assert_eq!(size, TreeSize::new(4));
}

#[test]
fn an_interrupted_creation_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::create(&database(dir.path())).unwrap());
    let opened = Ledger::open(parts(dir.path(), store.clone(), clock()));
    assert!(matches!(opened, Err(OpenError::NotInitialised)));
    let create = || {
        let parts = parts(dir.path(), store.clone(), clock());
        Ledger::create(parts, fresh_id(), genesis(), |_| Ok(()))
    };
    // What a first try leaves that ends before its commit.
    let begin = countersign_note::Checkpoint::new(
        "example.com/log-of-before",
        TreeSize::ZERO,
        countersign_merkle::EMPTY_ROOT,
    );
    HeadFile::create(&head_file(dir.path()), begin.unwrap()).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::NotInitialised));
    let (ledger, committed) = create().unwrap();
    check_all(&committed);
    append(&ledger, 1);
    drop(ledger);
    assert!(matches!(
        create(),
        Err(CreateError::Open(OpenError::AlreadyInitialised { .. }))
    ));
    append(&reopen(dir.path()).unwrap(), 2);
}

#[test]
fn a_commit_that_was_durable_but_not_released_stands() {
    let fixture = log_of(3);
    let before = fs::read(head_file(fixture.dir.path())).unwrap();
    fixture.append(4);
    let head = fixture.ledger.head();
    let dir = fixture.close();
    fs::write(head_file(dir.path()), before).unwrap();
    let ledger = reopen(dir.path()).unwrap();
    assert_eq!(ledger.head(), head);
    let recorded = HeadFile::open(&head_file(dir.path())).unwrap().unwrap();
    assert_eq!(recorded.newest().checkpoint.size(), head.size());
    assert_eq!(recorded.newest().signed.as_deref(), Some(head.checkpoint()));
    check_all(&append(&ledger, 5));
}

#[test]
fn another_key_is_refused() {
    let dir = log_of(3).close();
    let store = Arc::new(SqliteStore::open(&database(dir.path())).unwrap());
    let mut parts = parts(dir.path(), store, clock());
    parts.signer = TestSigner::new(8);
    assert!(matches!(Ledger::open(parts), Err(OpenError::Checkpoint(_))));
}

#[test]
fn a_database_that_was_changed_by_hand_is_refused() {
    let dir = log_of(300).close();
    let edits = [
        "UPDATE leaves SET bytes = CAST('{}' AS BLOB) WHERE idx = 300",
        "DELETE FROM leaves WHERE idx = 300",
        "UPDATE runs SET hashes = zeroblob(length(hashes)) WHERE idx = 299",
        "UPDATE runs SET hashes = zeroblob(0) WHERE idx = 298",
        "UPDATE runs SET hashes = zeroblob(31) WHERE idx = 298",
        "DELETE FROM runs WHERE idx = 290",
        "UPDATE nodes SET hash = zeroblob(32)",
        "DELETE FROM nodes",
        "UPDATE head SET size = size - 1",
        "UPDATE head SET root = zeroblob(32)",
        "UPDATE head SET hashes = zeroblob(128)",
        "UPDATE head SET hashes = zeroblob(31)",
        "UPDATE head SET checkpoint = replace(checkpoint, '301', '302')",
        "UPDATE head SET checkpoint = ''",
        "UPDATE head SET origin = 'example.org/other'",
        "DELETE FROM head",
    ];
    for edit in edits {
        let backup = back_up(dir.path());
        let connection = Connection::open(database(dir.path())).unwrap();
        assert!(connection.execute(edit, []).unwrap() > 0, "{edit}");
        drop(connection);
        let error = refused(dir.path());
        println!("{edit}: {error}");
        restore(&backup, dir.path());
    }
    assert_eq!(reopen(dir.path()).unwrap().size(), TreeSize::new(301));
}

#[test]
fn an_old_entry_that_was_changed_by_hand_is_not_served() {
    let dir = log_of(300).close();
    let connection = Connection::open(database(dir.path())).unwrap();
    let edit = "UPDATE leaves SET bytes = CAST('{}' AS BLOB) WHERE idx = 7";
    assert_eq!(connection.execute(edit, []).unwrap(), 1);
    drop(connection);
    let ledger = reopen(dir.path()).unwrap();
    let damaged = |found: Result<(), ReadError>| matches!(found, Err(ReadError::Damaged { .. }));
    assert!(damaged(ledger.leaf(LeafIndex::new(7)).map(drop)));
    assert!(damaged(ledger.leaves(0..20).map(drop)));
    let page = Page {
        order: Order::OldestFirst,
        after: None,
        limit: 20,
    };
    assert!(damaged(ledger.query(&Filter::default(), &page).map(drop)));
    assert!(ledger.leaf(LeafIndex::new(8)).unwrap().is_some());
}

#[test]
fn databases_of_others_and_of_the_future_are_refused() {
    let dir = log_of(1).close();
    let path = database(dir.path());
    let edit = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let error = || SqliteStore::open(&path).err().unwrap().to_string();
    edit("PRAGMA user_version = 3");
    assert!(error().contains("version 3"), "{}", error());
    assert!(SqliteStore::open_read_only(&path).is_err());
    edit("PRAGMA user_version = 1");
    assert!(error().contains("version 1"), "{}", error());
    assert!(SqliteStore::open_read_only(&path).is_err());
    edit("PRAGMA user_version = 2; PRAGMA application_id = 0");
    assert!(error().contains("not one of countersign's"), "{}", error());
    fs::write(
        &path,
        "not a database, but long enough to be looked at".repeat(100),
    )
    .unwrap();
    assert!(error().contains("sqlite"), "{}", error());
}

#[test]
fn a_second_process_on_the_directory_is_refused() {
    let fixture = log_of(1);
    let lock = DirLock::acquire(fixture.dir.path()).unwrap();
    // `flock` belongs to the open file, so a second opening is what another process does.
    let second = DirLock::acquire(fixture.dir.path());
    assert!(matches!(second, Err(LockError::Held { .. })));
    let program = std::env::current_exe().unwrap();
    let child = std::process::Command::new(program)
        .args(["start::child_takes_the_lock", "--exact", "--nocapture"])
        .env("COUNTERSIGN_TEST_LOCK", fixture.dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(said.contains("is in use by another process"), "{said}");
    drop(lock);
    DirLock::acquire(fixture.dir.path()).unwrap();
}

/// Run by the test above in a process of its own.
#[test]
fn child_takes_the_lock() {
    if let Some(dir) = std::env::var_os("COUNTERSIGN_TEST_LOCK") {
        println!("{}", DirLock::acquire(Path::new(&dir)).unwrap_err());
    }
}

#[test]
fn a_reader_beside_the_writer_sees_a_whole_log() {
    let fixture = log_of(5);
    let store = SqliteStore::open_read_only(&database(fixture.dir.path())).unwrap();
    let store = Arc::new(store);
    let reader = LogReader::open(store.clone()).unwrap().unwrap();
    assert_eq!(reader.size(), TreeSize::new(6));
    fixture.append(6);
    assert_eq!(
        reader.size(),
        TreeSize::new(6),
        "as it was when it was opened"
    );
    assert_eq!(reader.leaf(LeafIndex::new(6)).unwrap(), None);
    let again = LogReader::open(store.clone()).unwrap().unwrap();
    assert_eq!(again.size(), TreeSize::new(7));
    assert!(store.commit(&mut |_, _| Ok(None)).is_err());
    let nothing = tempfile::tempdir().unwrap();
    let missing = SqliteStore::open_read_only(&nothing.path().join("none"));
    assert!(missing.is_err());
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = log_of(1);
    let db = fixture.dir.path().join("db");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&db), 0o700);
    let mut files = 0;
    for file in fs::read_dir(&db).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log and its index of the log");
}

/// Of an entry in a tile that is full, which the start does not look into.
#[test]
fn an_entry_that_was_changed_with_its_hash_or_bears_anothers_id_is_not_found_by_its_id() {
    let fixture = Fixture::new();
    let ids: Vec<_> = (0..300).map(|_| fresh_id()).collect();
    for id in ids.clone() {
        let committed = fixture
            .ledger
            .commit(ReadSet::none(), move |step| step.push(id, numbered(7)));
        committed.unwrap();
    }
    let dir = fixture.close();
    let whole = fs::read(database(dir.path())).unwrap();
    let ledger = reopen(dir.path()).unwrap();
    let entry = ledger.entry(ids[10]).unwrap().unwrap();
    drop(ledger);

    let text = String::from_utf8(entry.bytes).unwrap();
    let other = text.replace("\"requests\":7", "\"requests\":8");
    assert_ne!(text, other);
    let hash = countersign_merkle::leaf_hash(other.as_bytes());
    let connection = Connection::open(database(dir.path())).unwrap();
    let index = entry.index.get() as i64;
    for (sql, value) in [
        (
            "UPDATE leaves SET bytes = ?1 WHERE idx = ?2",
            other.as_bytes(),
        ),
        (
            "UPDATE runs SET hashes = ?1 WHERE idx = ?2",
            hash.as_bytes(),
        ),
    ] {
        assert_eq!(connection.execute(sql, (value, index)).unwrap(), 1, "{sql}");
    }
    drop(connection);
    let found = reopen(dir.path()).unwrap().entry(ids[10]);
    assert!(matches!(found, Err(ReadError::Damaged { .. })), "{found:?}");

    fs::write(database(dir.path()), &whole).unwrap();
    let connection = Connection::open(database(dir.path())).unwrap();
    let (one, two) = (ids[10].to_bytes(), ids[20].to_bytes());
    let sql = "UPDATE leaves SET entry_id = ?1 WHERE entry_id = ?2";
    for (new, old) in [(&[0; 16], &one), (&one, &two), (&two, &[0; 16])] {
        assert_eq!(connection.execute(sql, (new, old)).unwrap(), 1);
    }
    drop(connection);
    let ledger = reopen(dir.path()).unwrap();
    for id in [ids[10], ids[20]] {
        let found = ledger.entry(id);
        assert!(matches!(found, Err(ReadError::Damaged { .. })), "{found:?}");
    }
    assert!(ledger.entry(ids[30]).unwrap().is_some());
}
