//! Copies that are made while commits go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use countersign_ledger::{Ledger, LogReader};
use countersign_note::{Note, SignedCheckpoint};
use countersign_store_sqlite::{Inspection, SqliteStore, copy};

use crate::support::{Fixture, append, database, key};

/// Runs clients against the ledger while `then` runs; how long each append took.
fn under_load<T>(ledger: &Ledger, clients: usize, then: impl FnOnce() -> T) -> (T, Vec<Duration>) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let mut times = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        let begun = Instant::now();
                        append(ledger, 1);
                        times.push(begun.elapsed());
                    }
                    times
                })
            })
            .collect();
        let done = then();
        is_over.store(true, Ordering::Relaxed);
        let times = threads.into_iter().flat_map(|it| it.join().unwrap());
        (done, times.collect())
    })
}

#[test]
fn a_copy_is_one_state_of_the_log_though_commits_go_on() {
    let fixture = Fixture::new();
    for _ in 0..200 {
        append(&fixture.ledger, 1);
    }
    let to = fixture.dir.path().join("copy.db");
    let before = fixture.ledger.head().size();
    let ((), times) = under_load(&fixture.ledger, 8, || {
        let mut told = 0;
        copy(&database(fixture.dir.path()), &to, &mut |progress| {
            assert!(progress.done <= progress.total);
            told += 1;
        })
        .unwrap();
    });
    assert!(!times.is_empty());
    let after = fixture.ledger.head().size();
    // It is a file by itself, and opened only to be read.
    for beside in ["copy.db-wal", "copy.db-shm", "copy.db-journal"] {
        assert!(!fixture.dir.path().join(beside).exists(), "{beside}");
    }
    use countersign_ledger::fsck::Inspect as _;
    let inspection = Inspection::open(&to, false).unwrap();
    assert_eq!(inspection.flaws().unwrap(), Vec::new());
    drop(inspection);
    let store = Arc::new(SqliteStore::open_read_only(&to).unwrap());
    let log = LogReader::open(store).unwrap().unwrap();
    assert!((before..=after).contains(&log.size()));
    let note: Note = log.checkpoint().parse().unwrap();
    let signed = SignedCheckpoint::open(&note, &[key()]).unwrap();
    assert_eq!(signed.checkpoint().root(), log.root_at(log.size()).unwrap());
    assert_eq!(
        fixture.ledger.reader().root_at(log.size()).unwrap(),
        log.head().root(),
        "the log goes on from the copy"
    );
    // A file that is there is not written over.
    assert!(copy(&database(fixture.dir.path()), &to, &mut |_| ()).is_err());
}

/// `cargo test -p countersign-store-sqlite -- --ignored --nocapture copying`; MIB says how large.
#[test]
#[ignore = "a measurement, not a test"]
fn copying() {
    let mib = std::env::var("MIB").ok().and_then(|text| text.parse().ok());
    let mib: u32 = mib.unwrap_or(512);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let fixture = Fixture::with_dir(dir, |store| store, None);
    let path = database(fixture.dir.path());
    fill(&path, mib);
    let (to, wal) = (
        fixture.dir.path().join("copy.db"),
        path.with_file_name("ledger.sqlite-wal"),
    );
    let vacuum = || {
        let source = rusqlite::Connection::open(&path).unwrap();
        let to = to.to_str().unwrap();
        source.execute("VACUUM INTO ?1", [to]).unwrap();
        std::fs::File::open(to).unwrap().sync_all().unwrap();
    };
    let backup = || copy(&path, &to, &mut |_| ()).unwrap();
    let nothing = || std::thread::sleep(Duration::from_secs(3));
    let ways: [(&str, &dyn Fn()); 4] = [
        ("nothing", &nothing),
        ("backup", &backup),
        ("nothing", &nothing),
        ("vacuum", &vacuum),
    ];
    for (name, work) in ways.iter().chain(&ways).chain(&ways) {
        let begun = Instant::now();
        let (took, mut times) = under_load(&fixture.ledger, 64, || {
            work();
            begun.elapsed()
        });
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        times.sort();
        let at = |part: f64| times[(times.len() as f64 * part) as usize];
        let (p50, p99, longest) = (at(0.5), at(0.99), times.last().unwrap());
        let wal = std::fs::metadata(&wal).unwrap().len() / 1024 / 1024;
        println!(
            "{name}: {took:?}; {rate:.0}/s, p50 {p50:?}, p99 {p99:?}, longest {longest:?}; wal {wal} MiB"
        );
        let _ = std::fs::remove_file(&to);
    }
}

/// Makes the database as large as one of a few months: rows of sealed records that nothing names.
fn fill(path: &std::path::Path, mib: u32) {
    let mut connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let transaction = connection.transaction().unwrap();
    for number in 0..mib * 256 {
        let row = "INSERT INTO sealed VALUES (?1, 'call', 'none', x'00', x'00', randomblob(4000))";
        transaction.execute(row, [number.to_be_bytes()]).unwrap();
    }
    transaction.commit().unwrap();
}
