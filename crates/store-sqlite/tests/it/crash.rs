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

/// What a child process said before it ended.
struct Ended {
    acknowledged: Vec<(u64, String)>,
    was_killed: bool,
}

#[test]
fn every_acknowledged_entry_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Acknowledged::default();
    for round in 0..ROUNDS {
        // The first rounds end in the middle of making the log.
        let after = [0, 0, 1, 2, 3, 17, 101, 400][round % 8];
        let ended = run_and_kill(child(&[]), dir.path(), after);
        assert!(ended.was_killed, "the child ended by itself");
        log.add(ended);
        if !log.entries.is_empty() {
            log.check(dir.path());
        }
    }
    assert!(
        log.entries.len() > 100,
        "only {} entries",
        log.entries.len()
    );
    println!("{} acknowledged in {ROUNDS} rounds", log.entries.len());
}

/// Every failing call of the commits, and of making the log, by `strace -e inject`.
#[test]
fn every_acknowledged_entry_survives_failing_calls() {
    if !can_inject() {
        eprintln!("SKIPPED: strace is missing or may not trace");
        return;
    }
    // Directories and new files are synced with fsync, and commits with fdatasync.
    let cases: [(&str, &str, &[u32]); 4] = [
        ("fsync", "EIO", &[1, 2, 3]),
        ("fdatasync", "EIO", &[1, 2, 3, 5, 25, 26, 60]),
        ("pwrite64", "EIO", &[1, 2, 7, 40, 133]),
        ("pwrite64", "ENOSPC", &[1, 2, 7, 40, 133]),
    ];
    for (call, error, places) in cases {
        for place in places {
            let case = format!("{call} {error} at {place}");
            let inject = format!("inject={call}:error={error}:when={place}");
            let trace = format!("trace={call}");
            let strace = [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &trace,
                "-e",
                &inject,
            ];
            let dir = tempfile::tempdir().unwrap();
            let mut log = Acknowledged::default();
            let injected = run_and_kill(child(&strace), dir.path(), 120);
            // A later sync may report success for pages that are gone.
            let must_end = call.ends_with("sync");
            assert!(
                !(must_end && injected.was_killed),
                "{case}: the child went on"
            );
            log.add(injected);
            log.add(run_and_kill(child(&[]), dir.path(), 5));
            assert!(
                log.entries.len() >= 5,
                "{case}: {} entries",
                log.entries.len()
            );
            log.check(dir.path());
        }
    }
}

fn can_inject() -> bool {
    let probe = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status();
    probe.is_ok_and(|status| status.success())
}

/// All that was acknowledged of one log.
#[derive(Default)]
struct Acknowledged {
    entries: BTreeMap<u64, String>,
    heads: Vec<Checkpoint>,
}

impl Acknowledged {
    fn add(&mut self, ended: Ended) {
        for (index, hash) in ended.acknowledged {
            let before = self.entries.insert(index, hash);
            assert_eq!(before, None, "an index was given twice");
        }
    }

    fn check(&mut self, dir: &Path) {
        let ledger = reopen(dir).unwrap();
        for (index, hash) in &self.entries {
            let leaf = ledger.leaf(LeafIndex::new(*index)).unwrap();
            let leaf = leaf.unwrap_or_else(|| panic!("entry {index} is lost"));
            assert_eq!(leaf_hash(&leaf.bytes).to_string(), *hash);
        }
        let note: Note = ledger.checkpoint().parse().unwrap();
        let new = Checkpoint::parse(note.text()).unwrap();
        for old in &self.heads {
            let path = ledger.consistency(old.size(), new.size()).unwrap();
            verify_consistency(old.size(), new.size(), &path, &old.root(), &new.root()).unwrap();
        }
        self.heads.push(new);
    }
}

/// This program, in which the test below does what it is for, run by other programs if any are
/// named.
fn child(prefix: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = match prefix.split_first() {
        None => Command::new(&program),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(&program);
            command
        }
    };
    command.args([
        "crash::child_commits_until_it_is_killed",
        "--exact",
        "--nocapture",
    ]);
    command
}

/// Runs the child until it has acknowledged so many entries, kills it, and returns all that it had
/// acknowledged by then.
fn run_and_kill(mut command: Command, dir: &Path, after: usize) -> Ended {
    let command = command
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ended = Ended {
        acknowledged: Vec::new(),
        was_killed: false,
    };
    let mut pid = None;
    for line in lines {
        let line = line.unwrap();
        // The pipe holds whole lines: they are written at once, and are short.
        if let Some((index, hash)) = line
            .strip_prefix("ACK ")
            .and_then(|ack| ack.split_once(' '))
        {
            ended
                .acknowledged
                .push((index.parse().unwrap(), hash.to_owned()));
        }
        pid = pid.or_else(|| line.strip_prefix("BEGIN ").map(str::to_owned));
        let is_due = after == 0 || ended.acknowledged.len() >= after;
        if let (true, false, Some(pid)) = (is_due, ended.was_killed, &pid) {
            // Not `Child::kill`: a tracer would only let go of the process.
            let kill = Command::new("kill").args(["-9", pid]).status().unwrap();
            ended.was_killed = kill.success();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "the child ended well");
    ended
}

/// Run by the test above in a process of its own.
#[test]
fn child_commits_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    say(&format!("BEGIN {}", std::process::id()));
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
