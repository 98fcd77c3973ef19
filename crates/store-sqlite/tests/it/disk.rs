//! A full disk.

use crate::support::{Fixture, check_all, fresh_id, numbered, one, reopen};
use countersign_ledger::{CommitError, FileReserve, ReadSet, Reserve, StateKey};
use countersign_merkle::TreeSize;
use countersign_store_sqlite::SqliteStore;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Sets a key to many bytes.
fn large(fixture: &Fixture, urgent: bool) -> Result<(), CommitError> {
    let id = fresh_id();
    let work = move |step: &mut countersign_ledger::Step<'_>| {
        step.put(StateKey::new(id.to_string()), vec![1; 20_000])?;
        step.push(id, numbered(0)).map(|_| ())
    };
    let ledger = &fixture.ledger;
    let committed = if urgent {
        ledger.commit_urgent(ReadSet::none(), work)
    } else {
        ledger.commit(ReadSet::none(), work)
    };
    committed.map(|committed| check_all(&committed))
}

fn fill(fixture: &Fixture) -> u64 {
    for n in 0..10_000 {
        match large(fixture, false) {
            Ok(()) => {}
            Err(CommitError::StorageFull) => return n,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the disk is never full");
}

#[test]
fn a_full_disk_loses_nothing_and_ends_nothing() {
    let fixture = Fixture::new();
    fixture.store.set_max_pages(300).unwrap();
    let filled = fill(&fixture);
    assert!(filled > 10);
    for _ in 0..5 {
        let answer = large(&fixture, false);
        assert!(
            matches!(answer, Err(CommitError::StorageFull)),
            "{answer:?}"
        );
    }
    // Without a reserve, urgent units have no more room than others.
    let answer = large(&fixture, true);
    assert!(
        matches!(answer, Err(CommitError::StorageFull)),
        "{answer:?}"
    );
    let size = fixture.ledger.size();
    assert_eq!(size, TreeSize::new(filled + 1));
    fixture.store.set_max_pages(1000).unwrap();
    large(&fixture, false).unwrap();
    let dir = fixture.close();
    let ledger = reopen(dir.path()).unwrap();
    assert_eq!(ledger.size(), TreeSize::new(filled + 2));
    assert_eq!(ledger.leaves(0..u64::MAX).unwrap().len() as u64, filled + 2);
}

/// Holds back some of the pages that the database may have.
struct Pages {
    store: Arc<OnceLock<Arc<SqliteStore>>>,
    is_enlarged: Arc<AtomicBool>,
}

const FEW: u32 = 300;
const MORE: u32 = 360;
const MANY: u32 = 2000;

impl Reserve for Pages {
    fn release(&mut self) -> io::Result<()> {
        self.store.get().unwrap().set_max_pages(MORE).unwrap();
        Ok(())
    }

    fn restore(&mut self) -> io::Result<()> {
        if self.is_enlarged.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn the_reserve_is_for_urgent_units_until_there_is_room_again() {
    let store: Arc<OnceLock<Arc<SqliteStore>>> = Arc::default();
    let is_enlarged = Arc::new(AtomicBool::new(false));
    let reserve = Pages {
        store: store.clone(),
        is_enlarged: is_enlarged.clone(),
    };
    let fixture = Fixture::with(|inner| inner, Some(Box::new(reserve)));
    store.get_or_init(|| fixture.store.clone());
    fixture.store.set_max_pages(FEW).unwrap();
    fill(&fixture);
    assert!(!fixture.ledger.health().is_short_of_room);
    large(&fixture, true).unwrap();
    assert!(fixture.ledger.health().is_short_of_room);
    // There are pages left, but not for those who can wait.
    let answer = fixture.ledger.commit(ReadSet::none(), one(1));
    assert!(
        matches!(answer, Err(CommitError::StorageFull)),
        "{answer:?}"
    );
    large(&fixture, true).unwrap();
    let size = fixture.ledger.size();

    fixture.store.set_max_pages(MANY).unwrap();
    is_enlarged.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    while large(&fixture, false).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the reserve is not restored"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!fixture.ledger.health().is_short_of_room);
    assert_eq!(fixture.ledger.size().get(), size.get() + 1);
}

/// The same on a real file system that is really full, where one is given: a directory on a small
/// one of its own, such as `mount -t tmpfs -o size=4m`.
#[test]
fn a_small_file_system_fills_up() {
    let Some(dir) = std::env::var_os("COUNTERSIGN_TEST_SMALL_DISK") else {
        eprintln!("SKIPPED: COUNTERSIGN_TEST_SMALL_DISK names no small file system");
        return;
    };
    let dir = tempfile::tempdir_in(dir).unwrap();
    let reserve = FileReserve::new(&dir.path().join("reserve"), 512 * 1024).unwrap();
    let fixture = Fixture::with_dir(dir, |store| store, Some(Box::new(reserve)));
    let filled = fill(&fixture);
    println!("full after {filled} commits of 20 kB");
    for _ in 0..3 {
        large(&fixture, true).unwrap();
        assert!(large(&fixture, false).is_err());
    }
    let size = fixture.ledger.size();
    let dir = fixture.close();
    let ledger = reopen(dir.path()).unwrap();
    assert_eq!(ledger.size(), size);
    assert_eq!(ledger.leaves(0..u64::MAX).unwrap().len() as u64, size.get());
}
