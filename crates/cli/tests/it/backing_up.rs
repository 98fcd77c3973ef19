//! Backups of a server that runs, and what comes of them when its directory is lost.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign_client::{Client, ClientError, Options, Token};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::newcomer::MAIL;
use crate::support::{Home, Ran, Serving, copy, files, ran};

/// Agents that ask at the same time.
const AGENTS: usize = 64;

/// Asks for decisions until the work is done; how many were given meanwhile.
fn under_load<T>(home: &Home, server: &Serving, then: impl FnOnce() -> T) -> (T, u64) {
    let profile = std::fs::read_to_string(home.profile()).unwrap();
    let profile: toml::Table = profile.parse().unwrap();
    let token = profile["tokens"]["agent"].as_str().unwrap();
    let client = Client::new(server.url.parse().unwrap(), Options::default()).unwrap();
    let client = client.with_token(Token::new(token));
    let body = json!({
        "tool": "email.send",
        "actor": "agent:local",
        "args": serde_json::from_str::<Value>(MAIL).unwrap(),
    });
    let body = body.to_string().into_bytes();
    let (given, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..AGENTS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    match client.decide_bytes(body.clone(), None) {
                        Ok(_) => drop(given.fetch_add(1, Ordering::Relaxed)),
                        // More than one agent may ask.
                        Err(ClientError::Problem { problem, .. }) if problem.status == 429 => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        while given.load(Ordering::Relaxed) < 20 {
            std::thread::yield_now();
        }
        let before = given.load(Ordering::Relaxed);
        let done = then();
        let meanwhile = given.load(Ordering::Relaxed) - before;
        is_over.store(true, Ordering::Relaxed);
        (done, meanwhile)
    })
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A home with a server's directory that is about to be lost, and a backup of it.
struct Lost {
    home: Home,
    data: PathBuf,
    size: u64,
}

impl Lost {
    /// The backup is made by a running server's side; what comes later is not in it.
    fn new() -> Self {
        let home = Home::new();
        let server = home.serve(&[]);
        let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
        home.json(0, &["decide", "email.send", MAIL, "--intent", &intent]);
        home.ok(&["checkpoint", "--save", "early"]);
        home.json(0, &["decide", "email.send", MAIL, "--intent", &intent]);
        home.ok(&["checkpoint", "--save", "exact"]);
        let data = home.path("data/countersign");
        let made = home.json(0, &["backup", "--data", text(&data), "-o", "backup"]);
        let size = made["size"].as_u64().unwrap();
        home.json(0, &["decide", "email.send", MAIL, "--intent", &intent]);
        home.ok(&["checkpoint", "--save", "later"]);
        server.stop();
        let keys = home.path("keys");
        std::fs::rename(data.join("keys"), &keys).unwrap();
        Self { home, data, size }
    }

    fn restore(&self, code: i32, to: &str, more: &[&str]) -> Value {
        let args = [&["restore", "backup", "--data", to], more].concat();
        self.home.json(code, &args)
    }

    fn refuses(&self, code: i32, what: &str, more: &[&str]) {
        let with_keys = ["restore", "backup", "--data", "new", "--keys", "keys"];
        let ran = self.home.run(&[&with_keys[..], more].concat());
        assert_eq!(ran.code, code, "{what}: {}", ran.err);
        assert!(ran.err.contains(what), "{what}: {}", ran.err);
        // Nothing is left, under any name.
        assert!(!self.home.path("new").exists(), "{what}");
        assert!(!self.home.path(".new.partial").exists(), "{what}");
    }
}

#[test]
fn a_backup_under_load_is_restored_trusted_and_goes_on() {
    let home = Home::new();
    let server = home.serve(&[]);
    let data = home.path("data/countersign");
    let backup = ["backup", "--data", text(&data), "-o", "backup"];
    let (made, meanwhile) = under_load(&home, &server, || home.json(0, &backup));
    assert!(meanwhile > 0, "decisions go on while a backup is made");
    let size = made["size"].as_u64().unwrap();
    // Another, of all that there is, so that nothing was released after it.
    home.ok(&["checkpoint", "--save", "kept"]);
    home.ok(&["backup", "--data", text(&data), "-o", "newest"]);
    server.stop();
    for name in ["backup", "newest"] {
        let names: Vec<String> = files(&home.path(name))
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            names,
            ["backup.json", "head", "ledger.db"],
            "no key is in it"
        );
    }
    // What is lost is lost, but for the keys and the head file.
    std::fs::rename(data.join("keys"), home.path("keys")).unwrap();
    std::fs::rename(data.join("head"), home.path("head")).unwrap();
    std::fs::remove_dir_all(&data).unwrap();

    let restore = ["restore", "newest", "--data", text(&data), "--keys", "keys"];
    let restored = home.json(0, &[&restore[..], &["--head", "head"]].concat());
    assert_eq!(restored["word"], "trusted");
    assert!(restored["size"].as_u64().unwrap() > size);
    home.expect(0, &["fsck", "--data", text(&data)]);
    let server = home.serve(&[]);
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    home.expect(0, &["decide", "email.send", MAIL, "--intent", &intent]);
    home.ok(&["export", "out"]);
    let report = home.json(4, &["verify", "out", "--checkpoint", "kept"]);
    assert_eq!(report["findings"], json!([]));
    assert_eq!(report["anchors"][0]["size"], restored["size"]);
    home.ok(&["checkpoint", "--save", "now"]);
    home.expect(0, &["verify", "out", "--checkpoint", "now"]);
    server.stop();

    // The first one is older than what was released.
    let restore = ["restore", "backup", "--data", "old", "--keys", "keys"];
    let restored = home.json(3, &[&restore[..], &["--head", "head"]].concat());
    assert_eq!(
        (restored["word"].as_str(), restored["size"].as_u64()),
        (Some("rolled-back"), Some(size))
    );
    let refused = home.run(&["serve", "--listen", "127.0.0.1:0", "--data", "old"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("rolled back"), "{}", refused.err);
}

#[test]
fn what_is_known_of_the_log_decides_what_a_restored_one_is() {
    let lost = Lost::new();
    let keys = ["--keys", "keys"];
    let with = |more: &[&'static str]| [&keys[..], more].concat();
    let alone = lost.restore(4, "alone", &keys);
    assert_eq!(
        (alone["word"].as_str(), &alone["covered"]),
        (Some("unanchored"), &json!(0))
    );
    assert_eq!(alone["size"], lost.size);
    let early = lost.restore(4, "early-one", &with(&["--checkpoint", "early"]));
    let covered = early["covered"].as_u64().unwrap();
    assert!(covered > 0 && covered < lost.size, "{covered}");
    let exact = lost.restore(0, "exact-one", &with(&["--checkpoint", "exact"]));
    assert_eq!(exact["word"], "trusted");

    // Whatever says that there was more: the newest counts.
    let head = lost.data.join("head");
    for (to, more) in [
        (
            "later-one",
            &["--checkpoint", "exact", "--checkpoint", "later"][..],
        ),
        ("head-one", &["--head", text(&head)]),
    ] {
        let restored = lost.restore(3, to, &[&keys[..], more].concat());
        assert_eq!(restored["word"], "rolled-back", "{to}");
        assert!(restored["released"].as_u64() > Some(lost.size), "{to}");
        let home = &lost.home;
        let refused = home.run(&["serve", "--listen", "127.0.0.1:0", "--data", to]);
        assert_eq!(refused.code, 3, "{}", refused.err);
        let begin = [
            "init",
            "--data",
            "next",
            "--successor-of",
            to,
            "--i-have-lost-data",
        ];
        let begun = home.json(0, &[&begin[..], &["--hide-tokens"]].concat());
        assert!(!begun.is_null());
        std::fs::remove_dir_all(home.path("next")).unwrap();
    }
    // It is one history: the directory that was lost begins with the backup.
    std::fs::rename(lost.home.path("keys"), lost.data.join("keys")).unwrap();
    lost.home.expect(0, &["fsck", "--data", text(&lost.data)]);
}

#[test]
fn a_backup_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let lost = Lost::new();
    for file in std::fs::read_dir(lost.home.path("backup")).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[test]
fn a_restore_says_which_key_it_needs_and_does_not_need_the_secret_ones() {
    let lost = Lost::new();
    let home = &lost.home;
    let none = home.run(&["restore", "backup", "--data", "new"]);
    assert_eq!(none.code, 2);
    assert!(none.err.contains("which key signs the log"), "{}", none.err);
    let key: String = {
        std::fs::create_dir(home.path("d")).unwrap();
        std::fs::set_permissions(
            home.path("d"),
            std::os::unix::fs::PermissionsExt::from_mode(0o700),
        )
        .unwrap();
        let restored = lost.restore(4, "d", &["--keys", "keys"]);
        assert_eq!(restored["has_keys"], true);
        let shown = home.json(0, &["key", "show", "--data", "d"]);
        shown["log_key"].as_str().unwrap().to_owned()
    };
    let restored = lost.restore(0, "public", &["--key", &key, "--checkpoint", "exact"]);
    assert_eq!(restored["has_keys"], false);
    assert!(!home.path("public/keys").exists());

    // Another log's keys, key and checkpoint.
    let other = Home::new();
    other.ok(&["init", "--hide-tokens"]);
    let theirs = other.path("data/countersign");
    let their_keys = theirs.join("keys");
    let args = [
        "restore",
        "backup",
        "--data",
        "new",
        "--keys",
        text(&their_keys),
    ];
    let refused = home.run(&args);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("the keys are of"), "{}", refused.err);
    let shown = other.json(0, &["key", "show", "--data", text(&theirs)]);
    let wrong = shown["log_key"].as_str().unwrap();
    let refused = home.run(&["restore", "backup", "--data", "new", "--key", wrong]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    let head = theirs.join("head");
    lost.refuses(2, "the head file", &["--head", text(&head)]);
}

#[test]
fn a_backup_that_was_changed_or_cut_is_refused() {
    let lost = Lost::new();
    let database = lost.home.path("backup/ledger.db");
    let whole = std::fs::read(&database).unwrap();
    std::fs::write(&database, &whole[..whole.len() - 4096]).unwrap();
    lost.refuses(1, "is not the file that was backed up", &[]);
    std::fs::write(&database, &whole).unwrap();

    let manifest = lost.home.path("backup/backup.json");
    let said = std::fs::read_to_string(&manifest).unwrap();
    let size = format!("\"size\": {}", lost.size);
    std::fs::write(&manifest, said.replace(&size, "\"size\": 2")).unwrap();
    lost.refuses(1, "backup.json` is not the file", &[]);
    std::fs::write(&manifest, said.replace("ledger.db", "../ledger.db")).unwrap();
    lost.refuses(2, "it names the file", &[]);
    // Nothing that stands in it steers a terminal.
    std::fs::write(&manifest, said.replace("ledger.db", "\\u001b[2Jledger")).unwrap();
    lost.refuses(2, "\\u{1b}[2Jledger", &[]);
    std::fs::write(&manifest, &said.as_bytes()[..said.len() / 2]).unwrap();
    lost.refuses(2, "holds no backup", &[]);

    // By somebody who also writes what the backup says of its files.
    for (sql, code) in [
        ("DELETE FROM leaves WHERE idx = 3", 3),
        (
            "UPDATE leaves SET bytes = replace(bytes, 'approved', 'rejected')",
            3,
        ),
        ("UPDATE head SET size = size - 1", 3),
        ("DELETE FROM state", 1),
        ("DELETE FROM terms", 1),
    ] {
        std::fs::write(&database, &whole).unwrap();
        Connection::open(&database)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        let bytes = std::fs::read(&database).unwrap();
        let mut backup: Value = serde_json::from_str(&said).unwrap();
        let file = &mut backup["files"][0];
        assert_eq!(file["name"], "ledger.db");
        file["bytes"] = bytes.len().into();
        file["sha256"] = countersign_core::refs::Sha256::of(&bytes)
            .to_string()
            .into();
        std::fs::write(&manifest, backup.to_string()).unwrap();
        lost.refuses(code, "the copy is not sound", &[]);
    }
}

#[test]
fn nothing_is_written_over_and_nothing_half_is_left() {
    let lost = Lost::new();
    let home = &lost.home;
    std::fs::create_dir(home.path("new")).unwrap();
    std::fs::write(home.path("new/mine"), "").unwrap();
    let refused = home.run(&["restore", "backup", "--data", "new", "--keys", "keys"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert_eq!(files(&home.path("new")).len(), 1);
    let again = home.run(&["backup", "--data", text(&lost.data), "-o", "backup"]);
    assert_eq!(again.code, 2, "{}", again.err);
    std::fs::rename(home.path("keys"), lost.data.join("keys")).unwrap();

    // A disk that is full in the middle: files cannot grow beyond 64 blocks of 512 bytes.
    let full = |args: &str| {
        let script = format!("trap '' XFSZ; ulimit -f 64; exec \"$0\" {args}");
        let own = home.command(&[]);
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(script).arg(own.get_program());
        shell.current_dir(home.path("."));
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        ran(shell)
    };
    let data = text(&lost.data);
    let ran = full(&format!("backup --data '{data}' -o small"));
    assert_ne!(ran.code, 0, "{}", ran.out);
    assert!(
        !home.path("small").exists() && !home.path(".small.partial").exists(),
        "{}",
        ran.err
    );
    let ran = full(&format!("restore backup --data small --keys '{data}/keys'"));
    assert_ne!(ran.code, 0, "{}", ran.out);
    assert!(
        !home.path("small").exists() && !home.path(".small.partial").exists(),
        "{}",
        ran.err
    );

    // What a process left that was killed in the middle is in nobody's way.
    let partial = home.path(".small.partial");
    std::fs::create_dir_all(partial.join("keys")).unwrap();
    std::fs::write(partial.join("ledger.db"), "half").unwrap();
    home.ok(&["backup", "--data", data, "-o", "small"]);
    assert!(!partial.exists());
    assert_eq!(files(&home.path("small")).len(), 3);
    home.expect(
        4,
        &[
            "restore",
            "small",
            "--data",
            "whole",
            "--keys",
            &format!("{data}/keys"),
        ],
    );
}

#[test]
fn keys_that_the_log_says_were_destroyed_do_not_come_back() {
    let home = Home::new();
    let server = home.serve(&[]);
    let data = home.path("data/countersign");
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    home.json(0, &["decide", "email.send", MAIL, "--intent", &intent]);
    home.ok(&["backup", "--data", text(&data), "-o", "before"]);
    copy(&data.join("keys"), &home.path("before-keys"));
    let erase = [
        "vault",
        "erase",
        "--intent",
        &intent,
        "--authority",
        "request 12",
    ];
    home.ok(&[&erase[..], &["--yes"]].concat());
    home.ok(&["turn", "Another turn"]);
    home.ok(&["vault", "complete"]);
    home.ok(&["backup", "--data", text(&data), "-o", "backup"]);
    server.stop();

    let restore = |code, from: &str, to: &str, keys: &str| {
        let head = data.join("head");
        let args = ["restore", from, "--data", to, "--keys", keys];
        let ran: Ran = home.run(&[&args[..], &["--head", text(&head)]].concat());
        assert_eq!(ran.code, code, "{}\n{}", ran.out, ran.err);
        ran
    };
    let old = restore(2, "backup", "old", "before-keys");
    assert!(
        old.err.contains("they open no record of this backup"),
        "{}",
        old.err
    );
    assert!(!home.path("old").exists());
    // A copy of the keys that was made in the middle still has what was destroyed.
    let keys = home.path("both");
    copy(&data.join("keys"), &keys);
    for name in ["vault-1.kek", "vault-1.tenant", "vault.epochs"] {
        copy(&home.path("before-keys").join(name), &keys.join(name));
    }
    let whole = restore(0, "backup", "whole", "both");
    assert!(
        whole.err.contains("up to epoch 1 were destroyed"),
        "{}",
        whole.err
    );
    assert!(!home.path("whole/keys/vault-1.kek").exists());
    assert!(home.path("whole/keys/vault-2.kek").exists());
    home.expect(0, &["fsck", "--data", "whole"]);
    // The backup of before is rolled back, and says so of what was erased since.
    let rolled = restore(3, "before", "rolled", "before-keys");
    assert!(
        rolled.err.contains("what was erased after the backup"),
        "{}",
        rolled.err
    );
}
