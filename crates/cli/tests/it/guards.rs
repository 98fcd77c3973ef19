//! An operator who restores, truncates, rewrites and copies, with the log's key in hand: what is
//! found at the next start, and what only by a checkpoint that somebody else holds.

use std::path::{Path, PathBuf};

use countersign_keys::KeyRing;
use countersign_merkle::{CompactRange, leaf_hash};
use countersign_note::Checkpoint;
use rusqlite::{Connection, params};

use crate::support::{Home, Ran, copy};
use crate::verifying::some_log;
use crate::witnessing::get;

/// A log of some entries, whose newest checkpoint somebody holds as the file `held`.
struct Held {
    home: Home,
    key: String,
    data: PathBuf,
}

impl Held {
    fn new() -> Self {
        let (home, key) = some_log();
        let data = home.path("data/countersign");
        let held = Self { home, key, data };
        held.home
            .ok(&["checkpoint", "--data", held.dir(), "--save", "held"]);
        held
    }

    fn dir(&self) -> &str {
        self.data.to_str().unwrap()
    }

    /// Tries to start, which must not succeed; what it said.
    fn refused(&self, code: i32, words: &str) -> Ran {
        let ran = self.home.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains(words), "`{words}` is not in: {}", ran.err);
        ran
    }

    /// Starts, which must succeed, and adds an entry.
    fn goes_on(&self) {
        let server = self.home.serve(&[]);
        self.home.ok(&["turn", "More"]);
        server.stop();
    }

    /// What the holder of the checkpoint sees in what is exported now: the code and the report.
    fn verify(&self, code: i32) -> serde_json::Value {
        let _ = std::fs::remove_dir_all(self.home.path("ex"));
        self.home.ok(&["export", "ex", "--data", self.dir()]);
        // In itself it is sound.
        self.home.json(4, &["verify", "ex", "--key", &self.key]);
        let args = ["verify", "ex", "--key", &self.key, "--checkpoint", "held"];
        self.home.json(code, &args)
    }

    fn checks(report: &serde_json::Value) -> Vec<&str> {
        let findings = report["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|found| found["check"].as_str().unwrap())
            .collect()
    }

    /// Writes another history of the entries that `keep` names, signed by the log's own key and
    /// with everything that derives; the head file is not touched.
    fn rewrite(&self, keep: impl Fn(usize, usize) -> bool) {
        let connection = Connection::open(self.data.join("ledger.db")).unwrap();
        let leaves = kept_leaves(&connection, keep);
        connection
            .execute_batch(
                "DELETE FROM leaves; DELETE FROM runs; DELETE FROM terms; DELETE FROM nodes",
            )
            .unwrap();
        let mut range = CompactRange::new();
        for (index, (id, bytes)) in leaves.iter().enumerate() {
            let row = params![index as i64, id, bytes];
            connection
                .execute("INSERT INTO leaves VALUES (?1, ?2, ?3)", row)
                .unwrap();
            range.append(leaf_hash(bytes), &mut |_, _, _| ()).unwrap();
        }
        let keys = KeyRing::load(&self.data.join("keys")).unwrap();
        let checkpoint = Checkpoint::new(keys.origin().as_str(), range.size(), range.root());
        let note = checkpoint
            .unwrap()
            .sign(&[&keys.log_signer()])
            .unwrap()
            .to_string();
        let frontier: Vec<u8> = range
            .hashes()
            .iter()
            .flat_map(|hash| *hash.as_bytes())
            .collect();
        let (size, root) = (range.size().get() as i64, range.root());
        let head = params![size, frontier, root.as_bytes(), note];
        let sql = "UPDATE head SET size = ?1, hashes = ?2, root = ?3, checkpoint = ?4";
        connection.execute(sql, head).unwrap();
        drop(connection);
        // The rest derives, and our own tool writes it.
        let repaired = self.home.json(3, &["fsck", self.dir(), "--repair"]);
        assert_eq!(repaired["repaired"], true, "{repaired}");
    }

    /// Makes the head file say what the database says, as its own program would have.
    fn forge_head_file(&self) {
        let connection = Connection::open(self.data.join("ledger.db")).unwrap();
        let note: String = connection
            .query_row("SELECT checkpoint FROM head", [], |row| row.get(0))
            .unwrap();
        let (text, _) = note.split_once("\n\n").unwrap();
        let released = Checkpoint::parse(&format!("{text}\n")).unwrap();
        std::fs::remove_file(self.data.join("head")).unwrap();
        countersign_ledger::HeadFile::create(&self.data.join("head"), released).unwrap();
    }
}

fn kept_leaves(
    connection: &Connection,
    keep: impl Fn(usize, usize) -> bool,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut statement = connection
        .prepare("SELECT entry_id, bytes FROM leaves ORDER BY idx")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let all: Vec<(Vec<u8>, Vec<u8>)> = rows.map(Result::unwrap).collect();
    let size = all.len();
    let kept = all
        .into_iter()
        .enumerate()
        .filter(|(index, _)| keep(*index, size));
    kept.map(|(_, leaf)| leaf).collect()
}

fn restore(backup: &Path, data: &Path) {
    std::fs::remove_dir_all(data).unwrap();
    copy(backup, data);
}

#[test]
fn a_tail_that_was_cut_off_with_the_key_in_hand_is_found_at_the_start() {
    let held = Held::new();
    held.rewrite(|index, size| index + 2 < size);
    let refused = held.refused(3, "rolled back");
    assert!(
        refused
            .err
            .contains("must not be continued under the same key"),
        "{}",
        refused.err
    );
    let report = held.home.json(3, &["fsck", held.dir()]);
    assert!(
        report["findings"].to_string().contains("head-file"),
        "{report}"
    );
    // With the head file forged as well, only who holds a checkpoint can tell.
    held.forge_head_file();
    let report = held.verify(1);
    assert_eq!(Held::checks(&report), ["truncated"]);
    held.goes_on();
    held.goes_on();
    let report = held.verify(3);
    assert!(report["contradiction"]["theirs"].is_string(), "{report}");
}

#[test]
fn a_middle_that_was_taken_out_with_the_key_in_hand_is_found_at_the_start() {
    let held = Held::new();
    // An entry in place of the one that is taken out, so that the size is the same.
    held.goes_on();
    held.rewrite(|index, size| index + 3 != size);
    held.refused(3, "rolled back");
    held.forge_head_file();
    held.goes_on();
    let report = held.verify(3);
    assert_eq!(report["word"], "failed");
    assert!(
        Held::checks(&report).contains(&"held-checkpoint"),
        "{report}"
    );
    assert!(report["contradiction"]["ours"].is_string(), "{report}");
}

#[test]
fn another_history_of_the_released_size_is_found_at_the_start() {
    let held = Held::new();
    // Yesterday's head file beside a database that was rewritten and went on.
    let head_file = std::fs::read(held.data.join("head")).unwrap();
    held.rewrite(|index, size| index + 2 != size);
    held.forge_head_file();
    held.goes_on();
    held.goes_on();
    std::fs::write(held.data.join("head"), head_file).unwrap();
    held.refused(3, "another history");
    let report = held.home.json(3, &["fsck", held.dir()]);
    assert!(
        report["findings"].to_string().contains("head-file"),
        "{report}"
    );
}

#[test]
fn a_whole_directory_that_was_restored_is_found_by_a_held_checkpoint() {
    let held = Held::new();
    copy(&held.data, &held.home.path("backup"));
    held.goes_on();
    std::fs::remove_file(held.home.path("held")).unwrap();
    held.home
        .ok(&["checkpoint", "--data", held.dir(), "--save", "held"]);
    restore(&held.home.path("backup"), &held.data);
    // Nothing in the directory remembers what was lost.
    assert_eq!(held.home.json(0, &["fsck", held.dir()])["found"], "clean");
    assert_eq!(Held::checks(&held.verify(1)), ["truncated"]);
    held.goes_on();
    assert_eq!(held.verify(3)["word"], "failed");
}

#[test]
fn a_copy_that_runs_beside_its_original_is_found_by_a_held_checkpoint() {
    let held = Held::new();
    copy(&held.data, &held.home.path("copy"));
    // Each has a lock of its own: on one machine or two, nothing keeps the copy from starting.
    let copied = held.home.serve(&["--data", "copy"]);
    let original = held.home.serve(&[]);
    held.home.ok(&["turn", "To the original"]);
    original.stop();
    copied.stop();
    held.home
        .ok(&["checkpoint", "--data", held.dir(), "--save", "kept"]);
    let server = held.home.serve(&["--data", "copy"]);
    server.stop();
    let export = ["export", "theirs", "--data", "copy"];
    held.home.ok(&export);
    let args = [
        "verify",
        "theirs",
        "--key",
        &held.key,
        "--checkpoint",
        "kept",
    ];
    assert_eq!(Held::checks(&held.home.json(1, &args)), ["truncated"]);
}

#[test]
fn a_head_file_that_is_gone_damaged_or_of_another_log_is_found_at_the_start() {
    let held = Held::new();
    let path = held.data.join("head");
    let head_file = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let refused = held.refused(2, "is missing");
    assert!(
        refused.err.contains("hint: put the head file back"),
        "{}",
        refused.err
    );
    held.home.expect(3, &["fsck", held.dir()]);
    std::fs::write(&path, &head_file[1..]).unwrap();
    held.refused(2, "neither of its slots can be read");
    held.home.expect(3, &["fsck", held.dir()]);
    let other = Home::new();
    other.ok(&["init"]);
    std::fs::copy(other.path("data/countersign/head"), &path).unwrap();
    held.refused(3, "the head file is of `");
    held.home.expect(3, &["fsck", held.dir()]);
    std::fs::write(&path, &head_file).unwrap();
    held.goes_on();
}

#[test]
fn an_old_entry_that_was_edited_is_not_served_and_an_edited_hash_not_opened() {
    let held = Held::new();
    let whole = std::fs::read(held.data.join("ledger.db")).unwrap();
    let edit = |sql: &str| {
        std::fs::write(held.data.join("ledger.db"), &whole).unwrap();
        let connection = Connection::open(held.data.join("ledger.db")).unwrap();
        assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
    };
    edit(
        "UPDATE leaves SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"approved\"', '\"rejected\"')
         AS BLOB) WHERE CAST(bytes AS TEXT) LIKE '%\"outcome\":\"approved\"%'",
    );
    let refused = held.home.run(&["export", "edited", "--data", held.dir()]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("is not the one that was committed"),
        "{}",
        refused.err
    );
    held.home.expect(3, &["fsck", held.dir()]);
    // A server may start on it. That its detectors cannot read on is not silent.
    let server = held.home.serve(&["--data", held.dir()]);
    let says = || get(&server.url, "/healthz").1;
    let begun = std::time::Instant::now();
    while !says().contains("degraded") && begun.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(
        says().contains("the detectors cannot read on"),
        "{}",
        says()
    );
    server.stop();
    edit("UPDATE runs SET hashes = zeroblob(length(hashes)) WHERE idx = 0");
    held.refused(3, "the database is damaged");
    // This derives: it can be written again.
    held.home.expect(0, &["fsck", held.dir(), "--repair"]);
    held.goes_on();
    assert_eq!(held.verify(4)["findings_total"], 0);
}

#[test]
fn a_backup_that_was_made_in_the_order_of_the_manual_can_be_started() {
    let held = Held::new();
    let server = held.home.serve(&[]);
    let backup = held.home.path("backup");
    std::fs::create_dir(&backup).unwrap();
    copy(&held.data.join("keys"), &backup);
    std::fs::copy(held.data.join("head"), backup.join("head")).unwrap();
    // Between the two the log goes on.
    held.home.ok(&["turn", "Meanwhile"]);
    let target = backup.join("ledger.db").display().to_string();
    let connection = Connection::open(held.data.join("ledger.db")).unwrap();
    connection.execute("VACUUM INTO ?1", [&target]).unwrap();
    drop(connection);
    server.stop();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&backup, mode).unwrap();
    restore(&backup, &held.data);
    held.home.expect(0, &["fsck", held.dir()]);
    assert_eq!(held.verify(4)["findings_total"], 0);
    held.goes_on();
}
