//! Keys that follow each other, a second signature, and those who try it without the root key.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_client::{Client, Options};
use countersign_core::entry::{Genesis, GrantChange, Key, KeyPurpose};
use countersign_core::ids::EntryId;
use countersign_core::names::Origin;
use countersign_core::time::Clock as _;
use countersign_keys::{KeyRing, Purpose, RootKey, Successor, SystemRandom};
use countersign_ledger::{HeadFile, Ledger, LedgerParts, ReadSet};
use countersign_merkle::{TreeSize, leaf_hash};
use countersign_note::{Checkpoint, Note, SignedCheckpoint, VerifierKey};
use countersign_service::SystemClock;
use countersign_store_sqlite::SqliteStore;
use serde_json::Value;
use std::sync::Arc;

use crate::support::{Home, copy};
use crate::verifying::some_log;

/// A log of some entries whose root key was taken away, to `root`.
struct Offline {
    home: Home,
    key: String,
    root: String,
    data: PathBuf,
}

impl Offline {
    fn new() -> Self {
        let (home, key) = some_log();
        let data = home.path("data/countersign");
        let shown = ["key", "show", "--data", data.to_str().unwrap()];
        let root = home.json(0, &shown)["root_key"].clone();
        fs::rename(data.join("keys/root.key"), home.path("root")).unwrap();
        Self {
            home,
            key,
            root: root.as_str().unwrap().to_owned(),
            data,
        }
    }

    fn dir(&self) -> &str {
        self.data.to_str().unwrap()
    }

    fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// A command that changes keys, with the root key's file.
    fn change(&self, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.extend(["--data", self.dir(), "--root-key", "root"]);
        self.home.json(0, &args)
    }

    fn shown(&self, name: &str) -> String {
        let shown = self.home.json(0, &["key", "show", "--data", self.dir()]);
        shown[name].as_str().unwrap_or_default().to_owned()
    }

    fn list(&self) -> Vec<(String, String, bool)> {
        let list = self.home.json(0, &["key", "list", "--data", self.dir()]);
        let keys = list["keys"].as_array().unwrap().iter();
        keys.map(|key| {
            (
                key["purpose"].as_str().unwrap().to_owned(),
                key["key"].as_str().unwrap().to_owned(),
                key["revoked"].is_null(),
            )
        })
        .collect()
    }

    fn export(&self) {
        let _ = fs::remove_dir_all(self.home.path("ex"));
        self.home.ok(&["export", "ex", "--data", self.dir()]);
    }

    fn verify(&self, code: i32, options: &[&str]) -> Value {
        let mut args = vec!["verify", "ex"];
        args.extend(options);
        self.home.json(code, &args)
    }

    /// Serves, adds a turn, and gives the checkpoint that is served then.
    fn served(&self) -> Note {
        let server = self.home.serve(&[]);
        self.home.ok(&["turn", "More"]);
        let saved = self.home.path("served");
        let _ = fs::remove_file(&saved);
        let keys = self.shown("log_key");
        self.home
            .ok(&["checkpoint", "--save", "served", "--key", &keys]);
        server.stop();
        Note::parse(&fs::read(&saved).unwrap()).unwrap()
    }
}

fn signed_by(note: &Note, key: &str) -> bool {
    let key: VerifierKey = key.parse().unwrap();
    SignedCheckpoint::open(note, &[key]).is_ok()
}

fn checks(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|found| found["check"].as_str().unwrap())
        .collect()
}

#[test]
fn the_log_key_is_rotated_with_the_root_key_and_auditors_follow() {
    let log = Offline::new();
    log.home
        .ok(&["checkpoint", "--data", log.dir(), "--save", "held"]);
    let changed = log.change(&["key", "rotate", "log"]);
    let new = changed["granted"].as_str().unwrap();
    assert_eq!(changed["revoked"], log.key.as_str());
    assert_eq!(changed["entries"].as_array().unwrap().len(), 2);
    assert_eq!(log.shown("log_key"), new);
    let checkpoint: Note = changed["checkpoint"].as_str().unwrap().parse().unwrap();
    assert!(signed_by(&checkpoint, new) && !signed_by(&checkpoint, &log.key));
    let listed = log.list();
    assert!(listed.contains(&("log".to_owned(), log.key.clone(), false)));
    assert!(listed.contains(&("log".to_owned(), new.to_owned(), true)));
    assert!(!log.keys().join("log.next").exists());

    // The server goes on with the new key, and with the profile, which it brings up to date.
    let served = log.served();
    assert!(signed_by(&served, new) && !signed_by(&served, &log.key));

    log.export();
    let (root, old) = (log.root.as_str(), log.key.as_str());
    log.verify(4, &["--key", new]);
    log.verify(4, &["--root-key", root]);
    log.verify(4, &["--key", old, "--root-key", root]);
    log.verify(4, &[]);
    // What was held from before the rotation still anchors.
    for trust in [["--root-key", root], ["--key", old]] {
        let held = ["--root-key", root, "--checkpoint", "held"];
        let options: Vec<&str> = match trust[0] {
            "--key" => [trust.as_slice(), &held].concat(),
            _ => held.to_vec(),
        };
        let report = log.verify(4, &options);
        assert_eq!(report["ranges"][0]["word"], "trusted", "{report}");
    }
    // Who knows only the old key does not believe the new one, and is told what may have happened.
    let report = log.verify(1, &["--key", old]);
    assert!(checks(&report).contains(&"checkpoint-signature"));
    let told = log.home.run(&["verify", "ex", "--key", old]);
    assert!(told.err.contains("rotated"), "{}", told.err);
}

#[test]
fn a_monitor_goes_on_over_a_rotation_when_it_has_both_keys() {
    let log = Offline::new();
    let look = |code: i32, keys: &[&str]| {
        let server = log.home.serve(&[]);
        log.home.ok(&["turn", "More"]);
        let origin = KeyRing::load(&log.keys()).unwrap().origin().to_string();
        let mut parts = origin.rsplitn(3, '/');
        let (epoch, tenant) = (parts.next().unwrap(), parts.next().unwrap());
        let url = format!("{}/log/{tenant}/{epoch}", server.url);
        let mut args = vec!["monitor", &url, "--state", "seen", "--once"];
        args.extend(keys.iter().flat_map(|key| ["--key", key]));
        log.home.expect(code, &args);
        server.stop();
    };
    look(0, &[&log.key]);
    let changed = log.change(&["key", "rotate", "log"]);
    let new = changed["granted"].as_str().unwrap();
    look(1, &[&log.key]);
    look(0, &[&log.key, new]);
    // What it holds from before is signed by the old one.
    look(2, &[new]);
}

#[test]
fn nobody_rotates_without_the_root_key() {
    let log = Offline::new();
    let rotate = ["key", "rotate", "log", "--data", log.dir()];
    let ran = log.home.run(&rotate);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("--root-key"), "{}", ran.err);

    // Another root key, made for the same origin, as a thief of the data directory could.
    let origin: Origin = KeyRing::load(&log.keys()).unwrap().origin().clone();
    let (_, other) = KeyRing::create(&log.home.path("forged"), &origin, &SystemRandom).unwrap();
    drop(other);
    let mut forged = rotate.to_vec();
    forged.extend(["--root-key", "forged/root.key"]);
    let ran = log.home.run(&forged);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("not that of the log"), "{}", ran.err);

    // The log key in the root key's place.
    let mut posing = rotate.to_vec();
    let path = log.keys().join("log.key");
    posing.extend(["--root-key", path.to_str().unwrap()]);
    assert_eq!(log.home.run(&posing).code, 2);

    // Nothing of it is in the log, and it goes on.
    assert_eq!(log.list().len(), 2);
    assert!(signed_by(&log.served(), &log.key));
    // While a server runs, nobody changes keys.
    let server = log.home.serve(&[]);
    let mut busy = rotate.to_vec();
    busy.extend(["--root-key", "root"]);
    let ran = log.home.run(&busy);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("another process"), "{}", ran.err);
    server.stop();
}

/// Appends a key entry to the log itself, past all that the program would refuse.
fn smuggle(data: &Path, change: GrantChange, key: &str, signature: impl Fn(&Key) -> String) {
    let ring = KeyRing::load(&data.join("keys")).unwrap();
    let mut body = Key {
        purpose: KeyPurpose::Log,
        change,
        key: key.parse().unwrap(),
        signature: "unsigned".parse().unwrap(),
    };
    body.signature = signature(&body).parse().unwrap();
    let ledger = Ledger::open(LedgerParts {
        store: Arc::new(SqliteStore::open(&data.join("ledger.db")).unwrap()),
        head_file: data.join("head"),
        signer: Arc::new(ring.log_signer()),
        second_signer: None,
        earlier_signer: None,
        clock: Arc::new(SystemClock),
        reserve: None,
    })
    .unwrap();
    let id = EntryId::fresh(SystemClock.now(), &SystemRandom);
    ledger
        .commit(ReadSet::none(), move |step| {
            step.push(id, body.clone()).map(|_| ())
        })
        .unwrap();
}

#[test]
fn a_stolen_log_key_cannot_grant_a_key() {
    let log = Offline::new();
    let origin: Origin = KeyRing::load(&log.keys()).unwrap().origin().clone();
    let (thief, root) = KeyRing::create(&log.home.path("thief"), &origin, &SystemRandom).unwrap();
    let key = thief.log_key().to_string();
    smuggle(&log.data, GrantChange::Granted, &key, |body| {
        root.sign_entry(body).unwrap().to_string()
    });
    log.export();
    for options in [["--key", log.key.as_str()], ["--root-key", &log.root]] {
        let report = log.verify(1, &options);
        assert!(checks(&report).contains(&"root-signature"), "{report}");
    }
    // Nor does the server go on over it.
    let ran = log.home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("has not signed it"), "{}", ran.err);
}

#[test]
fn what_a_revoked_key_signs_is_refused() {
    let log = Offline::new();
    let old = log.home.path("old.key");
    fs::copy(log.keys().join("log.key"), &old).unwrap();
    log.change(&["key", "rotate", "log"]);
    let new = fs::read(log.keys().join("log.key")).unwrap();
    copy(&log.data, &log.home.path("stolen"));

    // The thief of the old key puts it back, and the program does not take it.
    fs::copy(&old, log.keys().join("log.key")).unwrap();
    let ran = log.home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(
        ran.err.contains("no signature of a known key"),
        "{}",
        ran.err
    );
    fs::write(log.keys().join("log.key"), new).unwrap();

    // So the thief signs by hand.
    let stolen = log.home.path("stolen");
    log.export();
    let ring_dir = stolen.join("keys");
    fs::copy(&old, ring_dir.join("log.key")).unwrap();
    let signer = KeyRing::load(&ring_dir).unwrap().log_signer();
    let path = log.home.path("ex/checkpoint");
    let note = Note::parse(&fs::read(&path).unwrap()).unwrap();
    let forged = countersign_note::sign_note(note.text(), &[&signer]).unwrap();
    fs::write(&path, forged.to_string()).unwrap();
    for options in [
        vec!["--root-key", log.root.as_str()],
        vec!["--key", &log.key, "--root-key", &log.root],
        vec!["--key", &log.key],
    ] {
        let report = log.verify(1, &options);
        assert!(checks(&report).contains(&"log-key"), "{report}");
    }
}

#[test]
fn a_rotation_that_was_cut_short_is_ended_or_undone_by_itself() {
    let log = Offline::new();
    let keys = log.keys();
    // Cut before the log was told: the key was made and is not known.
    let origin: Origin = KeyRing::load(&keys).unwrap().origin().clone();
    let next = Successor::create(&keys, Purpose::Log, &origin, &SystemRandom).unwrap();
    let unknown = next.public_key().to_owned();
    drop(next);
    assert!(signed_by(&log.served(), &log.key));
    assert!(!keys.join("log.next").exists(), "it is undone");
    assert_eq!(log.list().len(), 2);

    // A rotation takes up what an earlier one left.
    let next = Successor::create(&keys, Purpose::Log, &origin, &SystemRandom).unwrap();
    let taken_up = next.public_key().to_owned();
    assert_ne!(taken_up, unknown);
    let before = fs::read(keys.join("log.key")).unwrap();
    let changed = log.change(&["key", "rotate", "log"]);
    assert_eq!(changed["granted"], taken_up.as_str());

    // Cut after the log was told: the new key is still beside the old one.
    fs::rename(keys.join("log.key"), keys.join("log.next")).unwrap();
    fs::write(keys.join("log.key"), &before).unwrap();
    set_private(&keys.join("log.key"));
    assert!(signed_by(&log.served(), &taken_up), "it is ended");
    assert!(!keys.join("log.next").exists());
    assert_ne!(fs::read(keys.join("log.key")).unwrap(), before);
    log.export();
    log.verify(4, &["--root-key", &log.root]);
}

fn set_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn checkpoints_are_signed_a_second_time_when_that_is_switched_on() {
    let log = Offline::new();
    let changed = log.change(&["key", "mldsa", "on"]);
    let second = changed["granted"].as_str().unwrap();
    assert_eq!(log.shown("ml_dsa_key"), second);
    let served = log.served();
    assert!(signed_by(&served, &log.key) && signed_by(&served, second));

    // A server's export bears both; whoever gives the second key rests on it alone.
    let server = log.home.serve(&[]);
    let answer = log.home.json(0, &["turn", "A third"]);
    assert!(answer["intent_ref"].is_string());
    let _ = fs::remove_dir_all(log.home.path("ex"));
    log.home.ok(&["export", "ex"]);
    log.home
        .ok(&["checkpoint", "--save", "kept", "--key", &log.key]);
    server.stop();
    for options in [
        vec!["--key", second],
        vec!["--key", &log.key],
        vec!["--root-key", &log.root],
    ] {
        log.verify(4, &options);
    }
    let report = log.verify(0, &["--key", second, "--checkpoint", "kept"]);
    assert_eq!(report["word"], "trusted");

    // A wrong one is found by whoever knows of the key.
    let path = log.home.path("ex/checkpoint");
    let note = Note::parse(&fs::read(&path).unwrap()).unwrap();
    let mut lines = note.signatures().to_vec();
    let mut bytes = lines[1].bytes().to_vec();
    bytes[100] ^= 1;
    let (name, id) = (lines[1].name().clone(), lines[1].id());
    lines[1] = countersign_note::NoteSignature::new(name, id, bytes).unwrap();
    let forged = Note::new(note.text().to_owned(), lines).unwrap();
    fs::write(&path, forged.to_string()).unwrap();
    for options in [vec!["--key", second], vec!["--root-key", &log.root]] {
        let report = log.verify(1, &options);
        assert!(checks(&report).contains(&"checkpoint-signature"));
    }

    // Another second key follows; then there is none.
    let changed = log.change(&["key", "rotate", "log-mldsa"]);
    let third = changed["granted"].as_str().unwrap();
    assert_eq!(changed["revoked"], second);
    let served = log.served();
    assert!(signed_by(&served, third) && !signed_by(&served, second));
    let off = log.change(&["key", "mldsa", "off"]);
    assert_eq!(off["revoked"], third);
    assert!(!log.keys().join("log-mldsa.key").exists());
    assert_eq!(log.served().signatures().len(), 1);
    // Switched off twice is a mistake, and says so.
    let again = [
        "key",
        "mldsa",
        "off",
        "--data",
        log.dir(),
        "--root-key",
        "root",
    ];
    assert_eq!(log.home.run(&again).code, 2);
}

#[test]
fn a_second_key_that_was_revoked_is_cleared_away_at_the_next_start() {
    let log = Offline::new();
    log.change(&["key", "mldsa", "on"]);
    let file = log.keys().join("log-mldsa.key");
    let kept = fs::read(&file).unwrap();
    log.change(&["key", "mldsa", "off"]);
    // As if the process had ended before the file was removed.
    fs::write(&file, kept).unwrap();
    set_private(&file);
    assert_eq!(log.served().signatures().len(), 1);
    assert!(!file.exists());
}

#[test]
fn permit_keys_overlap_until_the_old_one_is_revoked() {
    let log = Offline::new();
    let jwks = || {
        let server = log.home.serve(&[]);
        let url = server.url.parse().unwrap();
        let text = Client::new(url, Options::default())
            .unwrap()
            .jwks()
            .unwrap();
        server.stop();
        let set: Value = serde_json::from_str(&text).unwrap();
        let keys = set["keys"].as_array().unwrap().iter();
        keys.map(|key| key["x"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = jwks();
    assert_eq!(first.len(), 1);
    let changed = log.change(&["key", "rotate", "permit"]);
    let new = changed["granted"].as_str().unwrap().to_owned();
    assert!(changed["revoked"].is_null());
    assert_eq!(jwks(), [new.clone(), first[0].clone()]);

    // The one in use cannot be revoked, the other can, once.
    let revoke = |key: &str| {
        log.home.run(&[
            "key",
            "revoke",
            key,
            "--data",
            log.dir(),
            "--root-key",
            "root",
        ])
    };
    let ran = revoke(&new);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("in use"), "{}", ran.err);
    assert_eq!(revoke(&log.key).code, 2, "the log key is in use, too");
    let ran = revoke(&first[0]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(revoke(&first[0]).code, 2);
    assert_eq!(revoke("nothing").code, 2);
    assert_eq!(jwks(), [new]);
    log.export();
    log.verify(4, &["--root-key", &log.root]);
}

#[test]
fn a_root_key_is_needed_only_for_changes() {
    let log = Offline::new();
    assert!(RootKey::load(&log.keys()).is_err());
    log.home.ok(&["key", "list", "--data", log.dir()]);
    let told = log.home.run(&["key", "list", "--data", "nowhere"]);
    assert_eq!(told.code, 2);
}

/// The first entry of the log in a directory.
fn genesis(log: &Offline, dir: &str) -> Value {
    let entries = log
        .home
        .json(0, &["entries", "--data", dir, "--kind", "genesis"]);
    entries["entries"][0]["entry"].clone()
}

#[test]
fn a_log_that_lost_entries_is_continued_by_another() {
    let log = Offline::new();
    let server = log.home.serve(&[]);
    log.home
        .ok(&["policy", "publish", "allow-all", "--activate"]);
    let bundle = log.home.json(0, &["policy", "show"]);
    server.stop();
    let backup = log.home.path("backup");
    copy(&log.data, &backup);
    let later = log.served();
    // Yesterday's database under today's head file.
    fs::copy(backup.join("ledger.db"), log.data.join("ledger.db")).unwrap();
    for file in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(log.data.join(file));
    }
    let ran = log.home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("--i-have-lost-data"), "{}", ran.err);

    let begin = ["init", "--data", "new", "--successor-of", log.dir()];
    let ran = log.home.run(&begin);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("rolled back"), "{}", ran.err);
    assert!(!log.home.path("new/ledger.db").exists());
    let mut confirmed = begin.to_vec();
    confirmed.extend(["--i-have-lost-data", "--ml-dsa"]);
    let ran = log.home.run(&confirmed);
    assert_eq!(ran.code, 0, "{}", ran.err);

    // The checkpoint is the one that was released last, bit for bit, though the database forgot it.
    let first = genesis(&log, "new");
    let old = KeyRing::load(&log.keys()).unwrap();
    let before = &first["predecessor"];
    assert_eq!(before["origin"], old.origin().as_str());
    assert_eq!(before["checkpoint"], later.to_string());
    // Another origin of the same tenant, and no key of the old log.
    let new = KeyRing::load(&log.home.path("new/keys")).unwrap();
    assert!(
        new.origin().as_str().ends_with("/local/2"),
        "{}",
        new.origin()
    );
    assert_ne!(new.log_key(), old.log_key());
    assert_ne!(new.permit_key().unwrap(), old.permit_key().unwrap());

    // It works, under the bundle that was in force, with credentials of its own.
    let server = log.home.serve(&["--data", "new"]);
    let own = ["--profile", "new/profile.toml"];
    log.home.ok(&[&["turn", "Go on"], own.as_slice()].concat());
    let in_force = log
        .home
        .json(0, &[&["policy", "show"], own.as_slice()].concat());
    server.stop();
    assert_eq!(in_force, bundle);
    log.home.ok(&["export", "ex", "--data", "new"]);
    let shown = log.home.json(0, &["key", "show", "--data", "new"]);
    assert!(shown["ml_dsa_key"].is_string());
    let root = shown["root_key"].as_str().unwrap();
    log.verify(4, &["--root-key", root]);
    // The old root key does not vouch for the new log.
    log.verify(1, &["--root-key", &log.root]);
}

#[test]
fn a_healthy_log_is_given_up_only_on_purpose_and_never_in_its_own_place() {
    let log = Offline::new();
    let begin = ["init", "--data", "new", "--successor-of", log.dir()];
    let ran = log.home.run(&begin);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("nothing is wrong"), "{}", ran.err);
    let server = log.home.serve(&[]);
    let mut confirmed = begin.to_vec();
    confirmed.push("--i-have-lost-data");
    let ran = log.home.run(&confirmed);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("another process"), "{}", ran.err);
    server.stop();
    assert_eq!(log.home.run(&confirmed).code, 0);
    let nothing = [
        "init",
        "--data",
        "new2",
        "--successor-of",
        "nowhere",
        "--i-have-lost-data",
    ];
    let ran = log.home.run(&nothing);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("holds neither"), "{}", ran.err);
}

#[test]
fn a_lost_database_is_told_and_its_log_continued_from_what_is_left() {
    let log = Offline::new();
    let released = log.served();
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(log.data.join(file));
    }
    let ran = log.home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("database is lost"), "{}", ran.err);
    let begin = |data: &str| {
        let args = [
            "init",
            "--data",
            data,
            "--successor-of",
            log.dir(),
            "--i-have-lost-data",
        ];
        log.home.run(&args)
    };
    // Not in the old one's place.
    let ran = begin(log.dir());
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = begin("new");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("cannot be read"), "{}", ran.err);
    let before = genesis(&log, "new")["predecessor"].clone();
    assert_eq!(before["checkpoint"], released.to_string());

    // Without the keys, too, the old log is named.
    fs::rename(log.keys(), log.home.path("elsewhere")).unwrap();
    let ran = begin("newer");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let before = genesis(&log, "newer")["predecessor"].clone();
    assert!(before["origin"].as_str().unwrap().ends_with("/local/1"));
    assert!(before["checkpoint"].is_null());
}

#[test]
fn of_two_histories_the_successor_names_the_one_that_was_released() {
    let log = Offline::new();
    let twin = log.home.path("twin");
    copy(&log.data, &twin);
    let released = log.served();
    // The same number of entries and one more, of another history, under the same key.
    let server = log.home.serve(&["--data", "twin"]);
    log.home.ok(&["turn", "Another"]);
    log.home.ok(&["turn", "And another"]);
    server.stop();
    fs::copy(twin.join("ledger.db"), log.data.join("ledger.db")).unwrap();
    for file in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(log.data.join(file));
    }
    let ran = log.home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("another history"), "{}", ran.err);
    log.home.ok(&[
        "init",
        "--data",
        "new",
        "--successor-of",
        log.dir(),
        "--i-have-lost-data",
    ]);
    let before = genesis(&log, "new")["predecessor"].clone();
    assert_eq!(before["checkpoint"], released.to_string());
}

/// Key entries are found by the index of the database, which whoever writes it can thin out.
#[test]
fn a_revocation_that_the_index_hides_is_missed() {
    let log = Offline::new();
    let old = KeyRing::load(&log.keys()).unwrap().permit_key().unwrap();
    let root = log.home.path("root");
    let root = ["--data", log.dir(), "--root-key", root.to_str().unwrap()];
    log.home
        .ok(&[&["key", "rotate", "permit"], root.as_slice()].concat());
    let revoke = ["key", "revoke", old.as_str()];
    log.home.ok(&[&revoke, root.as_slice()].concat());
    let hide = "DELETE FROM terms WHERE idx = (SELECT max(idx) FROM leaves)";
    let database = rusqlite::Connection::open(log.data.join("ledger.db")).unwrap();
    assert_eq!(database.execute(hide, []).unwrap(), 1);
    drop(database);
    for args in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["key", "list", "--data", log.dir()],
    ] {
        let ran = log.home.run(args);
        assert_ne!(ran.code, 0, "{}", ran.out);
        assert!(ran.err.contains("does not find it"), "{}", ran.err);
    }
    log.home.ok(&["fsck", log.dir(), "--repair"]);
    log.home.serve(&[]).stop();
}

/// The head file is no secret and bears no signature that its owner could not have made up.
#[test]
fn what_somebody_wrote_into_the_head_file_is_not_signed_by_the_old_key() {
    let log = Offline::new();
    let released = log.served();
    let head = log.data.join("head");
    let origin = KeyRing::load(&log.keys()).unwrap().origin().clone();
    let root = leaf_hash(b"a history that nobody released");
    let made_up = Checkpoint::new(origin.as_str(), TreeSize::new(1_000), root).unwrap();
    HeadFile::create(&head, made_up).unwrap();
    let begin = ["init", "--data", "new", "--successor-of", log.dir()];
    let ran = log
        .home
        .run(&[&begin[..], &["--i-have-lost-data"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let before = genesis(&log, "new")["predecessor"].clone();
    assert_eq!(before["checkpoint"], released.to_string());
}

/// Somebody who can write the database has put another in its place, with another policy in it.
#[test]
fn the_bundle_of_a_database_that_is_not_the_logs_is_not_carried_over() {
    let log = Offline::new();
    log.served();
    let other = Offline::new();
    let server = other.home.serve(&[]);
    let publish = ["policy", "publish", "allow-all", "--activate"];
    other.home.ok(&publish);
    let theirs = other.home.json(0, &["policy", "show"]);
    server.stop();
    fs::copy(other.data.join("ledger.db"), log.data.join("ledger.db")).unwrap();
    for file in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(log.data.join(file));
    }
    let begin = ["init", "--data", "new", "--successor-of", log.dir()];
    let ran = log
        .home
        .run(&[&begin[..], &["--i-have-lost-data"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("cannot be read"), "{}", ran.err);
    let server = log.home.serve(&["--data", "new"]);
    let own = ["--profile", "new/profile.toml"];
    let shown = log
        .home
        .json(0, &[&["policy", "show"], own.as_slice()].concat());
    server.stop();
    assert_ne!(shown, theirs);
}

/// Somebody who can write the database and the head file, and has none of the log's keys, puts a
/// history of their own there, which grants the log's key: it must not be signed again with it.
#[test]
fn a_history_that_only_claims_the_logs_key_is_not_signed_with_it() {
    let log = Offline::new();
    let origin: Origin = KeyRing::load(&log.keys()).unwrap().origin().clone();
    let forged = log.home.path("forged");
    fs::create_dir(&forged).unwrap();
    let (forger, root) = KeyRing::create(&forged.join("keys"), &origin, &SystemRandom).unwrap();
    let mut genesis = Genesis {
        origin,
        tenant: "local".parse().unwrap(),
        root_key: root.verifier_key().to_string().parse().unwrap(),
        log_key: forger.log_key().to_string().parse().unwrap(),
        permit_key: forger.permit_key().unwrap(),
        predecessor: None,
        signature: "unsigned".parse().unwrap(),
    };
    genesis.signature = root.sign_entry(&genesis).unwrap();
    let parts = LedgerParts {
        store: Arc::new(SqliteStore::create(&forged.join("ledger.db")).unwrap()),
        head_file: forged.join("head"),
        signer: Arc::new(forger.log_signer()),
        second_signer: None,
        earlier_signer: None,
        clock: Arc::new(SystemClock),
        reserve: None,
    };
    let id = || EntryId::fresh(SystemClock.now(), &SystemRandom);
    drop(Ledger::create(parts, id(), genesis, |_| Ok(())).unwrap());
    smuggle(&forged, GrantChange::Granted, &log.key, |body| {
        root.sign_entry(body).unwrap().to_string()
    });
    for file in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(log.data.join(file));
    }
    for file in ["ledger.db", "head"] {
        fs::copy(forged.join(file), log.data.join(file)).unwrap();
    }

    let ran = log.home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("checkpoint"), "{}", ran.err);
    for command in [
        &["key", "list", "--data"][..],
        &["key", "rotate", "log", "--root-key", "root", "--data"],
    ] {
        let ran = log.home.run(&[command, &[log.dir()]].concat());
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("not proven"), "{}", ran.err);
    }
    assert_eq!(
        fs::read(forged.join("head")).unwrap(),
        fs::read(log.data.join("head")).unwrap()
    );
}
