//! Erasures that are completed, by the real program over real files: killed at every step, and tried
//! with old copies of the database and every key that is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign_core::document::{BundleContent, SealedRecord};
use countersign_core::entry::{Role, Surface};
use countersign_host::{Beginning, DataDir};
use countersign_keys::KeyRing;
use countersign_ledger::Store as _;
use countersign_service::Service;
use countersign_store_sqlite::SqliteStore;
use countersign_testing::{AGENT, bundles, credential};
use countersign_wire::{EraseRequest, Selection};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::{Home, copy};

/// Calls that a log begins with.
const CALLS: usize = 40;
/// How long a step of the program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A log in the place where the program looks for it.
struct Log {
    home: Home,
    dir: PathBuf,
    tokens: Vec<(Role, String)>,
    calls: AtomicUsize,
}

impl Log {
    fn new() -> Self {
        let home = Home::new();
        let dir = home.path("data/countersign");
        fs::create_dir_all(dir.parent().unwrap()).unwrap();
        let bundle: BundleContent = bundles::starter("mail-agent");
        let beginning = Beginning {
            tenant: "acme".parse().unwrap(),
            public_name: None,
            bundle,
            credentials: Role::ALL.iter().map(|role| credential(*role)).collect(),
        };
        let (host, first) = DataDir::new(&dir).begin(beginning).unwrap();
        let tokens = first
            .iter()
            .map(|first| (first.roles[0], first.token.expose_secret().to_owned()));
        let log = Self {
            tokens: tokens.collect(),
            home,
            dir: dir.clone(),
            calls: AtomicUsize::new(0),
        };
        for _ in 0..CALLS {
            log.call(host.service());
        }
        log
    }

    fn dir(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    fn token(&self, role: Role) -> &str {
        &self.tokens.iter().find(|(has, _)| *has == role).unwrap().1
    }

    fn call(&self, service: &Service) {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let caller = |role| service.authenticate(self.token(role)).unwrap();
        let turn = json!({
            "principal": "user:jo@acme.example", "channel": "chat", "session": format!("s-{number}"),
            "actors": [AGENT],
            "parts": [{"by": "principal", "text": "Tell ann@acme.example about her refund"}],
        });
        let turn = service.register_turn(&caller(Role::Ingress), turn.to_string().as_bytes());
        let call = json!({
            "tool": "email.send", "actor": AGENT, "intent_ref": turn.unwrap().intent_ref,
            "args": {"to": ["ann@acme.example"], "subject": "Refund", "body": "It was made."},
        });
        let call = call.to_string();
        let decided = service.decide(&caller(Role::Agent), call.as_bytes(), Surface::Api, None);
        decided.unwrap();
    }

    /// Requests the erasure of a call; its ref.
    fn erase(&self, service: &Service) -> String {
        let reference = self
            .records(&self.dir.join("ledger.db"))
            .into_iter()
            .find(|record| record.kind == "call")
            .map(|record| record.reference.to_string())
            .unwrap();
        let request = EraseRequest {
            selection: Selection {
                refs: Some(vec![reference.clone()]),
                ..Selection::default()
            },
            authority: "the person asked for it".to_owned(),
            ..EraseRequest::default()
        };
        let admin = service.authenticate(self.token(Role::Admin)).unwrap();
        assert_eq!(service.erase(&admin, &request).unwrap().records, 1);
        reference
    }

    fn records(&self, database: &Path) -> Vec<SealedRecord> {
        let store = SqliteStore::open_read_only(database).unwrap();
        let keys = store.wrapped_otherwise("", 0, 1_000_000).unwrap();
        keys.iter()
            .map(|key| store.sealed(&key.reference).unwrap().unwrap())
            .collect()
    }

    /// How many records of a database there are, and how many open with every key that is there now.
    fn opened(&self, database: &Path) -> (usize, usize) {
        let ring = KeyRing::load(&self.dir.join("keys")).unwrap();
        let vault = ring.vault("acme".parse().unwrap()).unwrap();
        let all = self.records(database);
        let opened = all.iter().filter(|record| vault.open_bytes(record).is_ok());
        (all.len(), opened.count())
    }

    /// A copy of the whole directory but for the keys, as a backup has it.
    fn copy(&self, name: &str) -> PathBuf {
        let to = self.home.path(name);
        copy(&self.dir, &to);
        fs::remove_dir_all(to.join("keys")).unwrap();
        to.join("ledger.db")
    }

    fn entries(&self, phase: &str) -> Vec<Value> {
        let args = [
            "entries",
            "--data",
            self.dir(),
            "--kind",
            "erasure",
            "--json",
        ];
        let listed: Value = serde_json::from_str(&self.home.ok(&args)).unwrap();
        let listed = listed["entries"].as_array().unwrap().clone();
        let is_wanted = |entry: &Value| entry.to_string().contains(&format!("\"{phase}\""));
        listed.into_iter().filter(is_wanted).collect()
    }

    fn key_file(&self, name: &str) -> PathBuf {
        self.dir.join("keys").join(name)
    }

    /// What every end must come to.
    fn check(&self, copies: &[PathBuf], erased: &[String], epoch: u32) {
        let (all, opened) = self.opened(&self.dir.join("ledger.db"));
        assert!(all > 0);
        assert_eq!(opened, all, "what was not erased opens");
        for copy in copies {
            let (all, opened) = self.opened(copy);
            assert!(all > 0);
            assert_eq!(opened, 0, "{}", copy.display());
        }
        for number in 1..epoch {
            for suffix in ["kek", "tenant"] {
                assert!(!self.key_file(&format!("vault-{number}.{suffix}")).exists());
            }
        }
        let complete = self.entries("complete");
        for reference in erased {
            let says = |entry: &&Value| entry.to_string().contains(reference);
            assert_eq!(complete.iter().filter(says).count(), 1, "{reference}");
        }
        self.verified();
    }

    fn verified(&self) {
        self.home.ok(&["fsck", "--data", self.dir()]);
        let key = self.home.json(0, &["key", "show", "--data", self.dir()]);
        let key = key["log_key"].as_str().unwrap().to_owned();
        let _ = fs::remove_dir_all(self.home.path("ex"));
        let _ = fs::remove_file(self.home.path("kept"));
        self.home.ok(&["export", "ex", "--data", self.dir()]);
        let args = [
            "checkpoint",
            "--data",
            self.dir(),
            "--save",
            "kept",
            "--key",
            &key,
        ];
        self.home.ok(&args);
        let args = ["verify", "ex", "--key", &key, "--checkpoint", "kept"];
        self.home.ok(&args);
    }

    /// Kills the program when the condition holds, or lets it end.
    fn kill_when(&self, args: &[&str], condition: impl Fn() -> bool) {
        let mut child = self
            .home
            .command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !condition() && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE);
        }
        let _ = child.kill();
        child.wait().unwrap();
    }
}

#[test]
fn killed_at_every_step_an_erasure_is_complete_when_the_next_process_has_ended_it() {
    let log = Log::new();
    let host = DataDir::new(&log.dir).open().unwrap();
    let mut copies = vec![log.copy("first")];
    let mut erased = Vec::new();
    let mut epoch = 1;
    drop(host);
    let exists = |name: String| {
        let path = log.key_file(&name);
        Box::new(move || path.exists()) as Box<dyn Fn() -> bool>
    };
    let gone = |name: String| {
        let path = log.key_file(&name);
        Box::new(move || !path.exists()) as Box<dyn Fn() -> bool>
    };
    let says = |first: u32| {
        let path = log.key_file("vault.epochs");
        let line = format!("first {first}\n");
        Box::new(move || fs::read_to_string(&path).is_ok_and(|text| text.contains(&line)))
            as Box<dyn Fn() -> bool>
    };
    for step in 0..5 {
        let host = DataDir::new(&log.dir).open().unwrap();
        erased.push(log.erase(host.service()));
        drop(host);
        let next = epoch + 1;
        let condition = match step {
            0 => exists(format!("vault-{next}.tenant")),
            1 => exists(format!("vault-{next}.kek")),
            2 => says(next),
            3 => gone(format!("vault-{epoch}.kek")),
            _ => gone(format!("vault-{epoch}.tenant")),
        };
        let rotate = ["key", "rotate", "vault", "--data", log.dir()];
        log.kill_when(&rotate, condition);
        // An entry says no more than what is: never before the keys are gone.
        let newest = &erased[erased.len() - 1];
        let says = log.entries("complete");
        if says.iter().any(|entry| entry.to_string().contains(newest)) {
            assert!(!log.key_file(&format!("vault-{epoch}.kek")).exists());
            assert!(!log.key_file(&format!("vault-{epoch}.tenant")).exists());
        }
        // The next process, whichever it is.
        let host = DataDir::new(&log.dir).open().unwrap();
        let service = host.service();
        service.continue_completion(true).unwrap();
        log.call(service);
        let done = service.rotate_vault_keys(&mut |_| {}).unwrap();
        assert!(done.done && done.pending == 0);
        log.call(service);
        drop(host);
        epoch = done.epoch;
        assert!(epoch > next - 1);
        log.check(&copies, &erased, epoch);
        // A copy of now opens with the keys of now, until the next epoch.
        let copy = log.copy(&format!("copy-{step}"));
        let (all, opened) = log.opened(&copy);
        assert_eq!(opened, all);
        copies.push(copy);
        let host = DataDir::new(&log.dir).open().unwrap();
        host.service().rotate_vault_keys(&mut |_| {}).unwrap();
        epoch += 1;
        drop(host);
    }
    log.check(&copies, &erased, epoch);
}

#[test]
fn a_running_server_completes_what_was_requested_while_it_decides() {
    let log = Log::new();
    let old = log.copy("old");
    let (all, opened) = log.opened(&old);
    assert_eq!(opened, all, "the copy is one that opens");
    let server = log.home.serve(&["--data", log.dir()]);
    let admin = log.token(Role::Admin).to_owned();
    let as_admin = |args: &[&str]| {
        let mut command = log.home.command(args);
        command.args(["--server", &server.url, "--token", &admin, "--json"]);
        let ran = crate::support::ran(command);
        assert_eq!(ran.code, 0, "{}", ran.err);
        serde_json::from_str::<Value>(&ran.out).unwrap()
    };
    let idle = as_admin(&["vault", "complete"]);
    assert_eq!((&idle["done"], &idle["epoch"]), (&json!(true), &json!(1)));
    let call = log.records(&log.dir.join("ledger.db"));
    let call = call.iter().find(|record| record.kind == "call").unwrap();
    let reference = call.reference.to_string();
    let erased = as_admin(&[
        "vault",
        "erase",
        "--ref",
        &reference,
        "--authority",
        "she asked for it",
        "--yes",
    ]);
    assert_eq!(erased["records"], 1);
    let done = as_admin(&["vault", "complete"]);
    assert_eq!((&done["done"], &done["epoch"]), (&json!(true), &json!(2)));
    assert_eq!(
        (&done["completed"], &done["pending"]),
        (&json!(1), &json!(0))
    );
    let again = as_admin(&["key", "rotate", "vault"]);
    assert_eq!((&again["done"], &again["epoch"]), (&json!(true), &json!(3)));
    // The directory is in use.
    let refused = log
        .home
        .run(&["key", "rotate", "vault", "--data", log.dir()]);
    assert_eq!(refused.code, 2);
    server.stop();
    log.check(&[old], &[reference], 3);
}

#[test]
fn fsck_finds_an_erasure_that_was_taken_from_those_that_wait() {
    let log = Log::new();
    let host = DataDir::new(&log.dir).open().unwrap();
    log.erase(host.service());
    drop(host);
    log.verified();
    let database = rusqlite::Connection::open(log.dir.join("ledger.db")).unwrap();
    let sql = "DELETE FROM state WHERE key LIKE 'erasure-pending/%'";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    drop(database);
    let found = log.home.run(&["fsck", "--data", log.dir()]);
    assert_eq!(found.code, 1, "{}", found.out);
    assert!(found.out.contains("erasure-pending/"), "{}", found.out);
}
