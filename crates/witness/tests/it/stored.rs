//! What a witness remembers beyond its process.

use std::fs;
use std::path::Path;

use countersign_merkle::TreeSize;
use countersign_note::NoteSigner as _;
use countersign_witness::{
    Advance, FileStore, FileStoreError, Held, LogName, Witness, WitnessStore as _,
};

use crate::kit::{Log, ORIGIN, cosigner, said, send};

fn open(dir: &Path, log: &Log) -> Result<FileStore, FileStoreError> {
    let keys = [log.key.verifier_key().clone()];
    FileStore::open(dir, keys, cosigner().verifier_key())
}

fn witness(dir: &Path, log: &Log) -> Witness<FileStore> {
    crate::kit::witness(log, open(dir, log).unwrap())
}

#[test]
fn a_restart_remembers_what_was_cosigned() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("logs");
    let (log, fork) = (Log::new(50, 0), Log::new(50, 1));
    assert_eq!(send(&witness(&dir, &log), &log.request(0, 20)).status, 200);
    // What an interrupted write leaves behind.
    let file = dir.join(LogName::of(ORIGIN).as_str());
    fs::write(file.with_extension("new"), "half a no").unwrap();
    let again = witness(&dir, &log);
    assert_eq!(said(&send(&again, &log.request(0, 50))), (409, "20\n"));
    assert_eq!(send(&again, &fork.request(20, 50)).status, 422);
    assert_eq!(send(&again, &log.request(20, 50)).status, 200);
    let kept = fs::read_to_string(&file).unwrap();
    assert_eq!(
        said(&again.checkpoint(LogName::of(ORIGIN).as_str())),
        (200, kept.as_str())
    );
    // A log that is taken in later begins with nothing; the others' files stay.
    let other = Log::named("other.example/log", 5, 0);
    assert_eq!(
        send(&witness(&dir, &other), &other.request(0, 5)).status,
        200
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), kept);
}

#[test]
fn what_this_witness_did_not_write_stops_the_start() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("logs");
    let log = Log::new(50, 0);
    assert_eq!(send(&witness(&dir, &log), &log.request(0, 20)).status, 200);
    let file = dir.join(LogName::of(ORIGIN).as_str());
    let good = fs::read_to_string(&file).unwrap();
    // The log's own note of an earlier size: signed well, but not by the witness.
    let earlier = log.note(10).to_string();
    let edited = good.replacen("\n20\n", "\n10\n", 1);
    let (half, _) = good.split_at(good.len() / 2);
    for bad in [earlier.as_str(), edited.as_str(), half, "", "\0"] {
        fs::write(&file, bad).unwrap();
        let refused = open(&dir, &log);
        assert!(
            matches!(refused, Err(FileStoreError::Damaged { .. })),
            "{bad}: {refused:?}"
        );
    }
    // Another log's file under this log's name.
    let other = Log::named("other.example/log", 5, 0);
    assert_eq!(
        send(&witness(&dir, &other), &other.request(0, 5)).status,
        200
    );
    fs::copy(dir.join(LogName::of("other.example/log").as_str()), &file).unwrap();
    assert!(matches!(
        open(&dir, &log),
        Err(FileStoreError::Damaged { .. })
    ));
    fs::write(&file, good).unwrap();
    open(&dir, &log).unwrap();
}

#[test]
fn after_a_failed_write_nothing_is_cosigned_until_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("logs");
    let log = Log::new(50, 0);
    let witness = witness(&dir, &log);
    assert_eq!(send(&witness, &log.request(0, 20)).status, 200);
    fs::rename(&dir, home.path().join("away")).unwrap();
    assert_eq!(send(&witness, &log.request(20, 30)).status, 500);
    fs::rename(home.path().join("away"), &dir).unwrap();
    assert_eq!(send(&witness, &log.request(20, 30)).status, 500);
    let again = self::witness(&dir, &log);
    assert_eq!(send(&again, &log.request(20, 30)).status, 200);
}

#[test]
fn a_store_of_files_compares_and_does_not_go_back() {
    let home = tempfile::tempdir().unwrap();
    let log = Log::new(50, 0);
    let store = open(&home.path().join("logs"), &log).unwrap();
    let held = |size: u64| Held {
        size: TreeSize::new(size),
        root: log.checkpoint(size).root(),
        note: log.note(size).to_string().into(),
    };
    assert_eq!(
        store.advance(ORIGIN, None, &held(20)).unwrap(),
        Advance::Done
    );
    for (expected, next) in [
        (None, held(30)),
        (Some(TreeSize::new(10)), held(30)),
        (Some(TreeSize::new(20)), held(19)),
        (
            Some(TreeSize::new(20)),
            Held {
                root: held(3).root,
                ..held(20)
            },
        ),
    ] {
        let moved = store.advance(ORIGIN, expected, &next).unwrap();
        assert_eq!(moved, Advance::Moved(Some(held(20))));
    }
    assert!(store.latest("unknown").is_err());
}
