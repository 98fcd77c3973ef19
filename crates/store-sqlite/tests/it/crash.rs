//! `kill -9` in the middle of commits: what was acknowledged is there, and nobody has to help.

use crate::support::{append, check_proof, clock, database, fresh_id, genesis, parts, reopen};
use countersign_ledger::{DirLock, Ledger};
use countersign_merkle::{LeafIndex, TreeSize, leaf_hash, verify_consistency};
use countersign_note::{Checkpoint, Note};
use countersign_store_sqlite::SqliteStore;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const DIR: &str = "COUNTERSIGN_TEST_CRASH";
const ROUNDS: usize = 12;

#[test]
fn every_acknowledged_entry_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<u64, String> = BTreeMap::new();
    let mut heads: Vec<Checkpoint> = Vec::new();
    let mut kept = 0;
    for round in 0..ROUNDS {
        // The first rounds end in the middle of making the log.
        let after = [0, 0, 1, 2, 3, 17, 101, 400][round % 8];
        for (index, hash) in run_and_kill(dir.path(), after) {
            assert_eq!(
                acknowledged.insert(index, hash),
                None,
                "an index was given twice"
            );
        }
        if acknowledged.is_empty() {
            continue;
        }
        let ledger = reopen(dir.path()).unwrap();
        for (index, hash) in &acknowledged {
            let leaf = ledger.leaf(LeafIndex::new(*index)).unwrap();
            let leaf = leaf.unwrap_or_else(|| panic!("entry {index} is lost"));
            assert_eq!(leaf_hash(&leaf.bytes).to_string(), *hash);
        }
        let checkpoint = ledger.checkpoint();
        let note: Note = checkpoint.parse().unwrap();
        let head = Checkpoint::parse(note.text()).unwrap();
        for old in &heads {
            let path = ledger.consistency(old.size(), head.size()).unwrap();
            verify_consistency(old.size(), head.size(), &path, &old.root(), &head.root()).unwrap();
        }
        kept = head.size().get();
        heads.push(head);
    }
    assert!(
        acknowledged.len() > 100,
        "only {} entries",
        acknowledged.len()
    );
    println!(
        "{} acknowledged in {ROUNDS} rounds, {kept} kept",
        acknowledged.len()
    );
}

/// Runs the child until it has acknowledged so many entries, kills it, and returns all that it had
/// acknowledged by then.
fn run_and_kill(dir: &Path, after: usize) -> Vec<(u64, String)> {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program)
        .args([
            "crash::child_commits_until_it_is_killed",
            "--exact",
            "--nocapture",
        ])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    let mut killed = false;
    for line in lines {
        let line = line.unwrap();
        // The pipe holds whole lines: they are written at once, and are short.
        if let Some((index, hash)) = line
            .strip_prefix("ACK ")
            .and_then(|ack| ack.split_once(' '))
        {
            acknowledged.push((index.parse().unwrap(), hash.to_owned()));
        }
        let is_due = line == "BEGIN" && after == 0 || acknowledged.len() >= after.max(1);
        if is_due && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(
        killed && !status.success(),
        "the child ended by itself: {status}"
    );
    acknowledged
}

/// Run by the test above in a process of its own.
#[test]
fn child_commits_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    say("BEGIN");
    let _lock = DirLock::acquire(dir).unwrap();
    let store = Arc::new(SqliteStore::create(&database(dir)).unwrap());
    let ledger = match Ledger::open(parts(dir, store.clone(), clock())) {
        Ok(ledger) => ledger,
        Err(countersign_ledger::OpenError::NotInitialised) => {
            let parts = parts(dir, store, clock());
            Ledger::create(parts, fresh_id(), genesis(), |_| Ok(()))
                .unwrap()
                .0
        }
        Err(error) => panic!("{error}"),
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0.. {
                    let committed = append(&ledger, n);
                    for entry in &committed.entries {
                        say(&format!("ACK {} {}", entry.index, leaf_hash(&entry.leaf)));
                    }
                }
            });
        }
    });
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[test]
fn a_ledger_that_is_forgotten_is_as_good_as_one_that_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::create(&database(dir.path())).unwrap());
    let created = Ledger::create(
        parts(dir.path(), store, clock()),
        fresh_id(),
        genesis(),
        |_| Ok(()),
    );
    let (ledger, _) = created.unwrap();
    let last = append(&ledger, 1);
    std::mem::forget(ledger);
    let again = reopen(dir.path()).unwrap();
    assert_eq!(again.size(), TreeSize::new(2));
    check_proof(&last.entries[0]);
}
