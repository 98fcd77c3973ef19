//! Completing erasures: no copy of the database opens what was erased, whichever keys are left; what
//! was not erased opens; and it ends wherever it was interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use countersign_core::document::SealedRecord;
use countersign_core::entry::{Body, Erasure, ErasurePhase, Role};
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_keys::{EpochFiles, KeyRing};
use countersign_ledger::{StateKey, Store as _};
use countersign_service::{ErrorCode, SetupError};
use countersign_store_sqlite::SqliteStore;
use countersign_vault::{Epoch, EpochError, EpochMark, KeyEpochs, Vault};
use countersign_wire::{BeginEpoch, CompleteRequest, Completion, EraseRequest, Selection};

use crate::kit::Kit;

const HOUR_MS: i64 = 3_600_000;

/// A log with a few calls.
fn used() -> Kit {
    let kit = Kit::new();
    call(&kit, "s-1");
    kit
}

fn call(kit: &Kit, session: &str) {
    let turn = kit.turn(session, "Tell ann@acme.example that her refund was made.");
    kit.mail(&turn.intent_ref, "ann@acme.example");
    kit.mail(&turn.intent_ref, "eve@evil.example");
}

fn keys(kit: &Kit) -> PathBuf {
    kit.dir.path().join("keys")
}

/// The vault that the keys open which lie there now.
fn vault(keys: &Path) -> Vault {
    let ring = KeyRing::load(keys).unwrap();
    ring.vault("acme".parse().unwrap()).unwrap()
}

/// Every sealed record of a database.
fn records(database: &Path) -> Vec<SealedRecord> {
    let store = SqliteStore::open_read_only(database).unwrap();
    let keys = store.wrapped_otherwise("", 0, 100_000).unwrap();
    keys.iter()
        .map(|key| store.sealed(&key.reference).unwrap().unwrap())
        .collect()
}

fn present(kit: &Kit) -> Vec<SealedRecord> {
    records(&kit.dir.path().join("ledger.db"))
}

/// The documents of all records that are there and open.
pub(crate) fn all_that_opens(kit: &Kit) -> Vec<String> {
    let vault = vault(&keys(kit));
    let opened = present(kit)
        .into_iter()
        .filter_map(|record| vault.open_bytes(&record).ok());
    opened
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

/// All that is there opens, and is under the newest epoch.
fn check_present(kit: &Kit) {
    let vault = vault(&keys(kit));
    let (_, newest) = vault.newest().unwrap();
    let all = present(kit);
    assert!(!all.is_empty());
    for record in all {
        assert_eq!(record.key_id, newest);
        vault.open_bytes(&record).unwrap();
    }
}

/// A copy of the database as somebody else may hold it, with its write-ahead log.
fn copy(kit: &Kit, name: &str) -> PathBuf {
    let to = kit.dir.path().join(name);
    fs::create_dir(&to).unwrap();
    for file in ["ledger.db", "ledger.db-wal"] {
        fs::copy(kit.dir.path().join(file), to.join(file)).unwrap();
    }
    to.join("ledger.db")
}

/// How many records of a copy open with the keys that are there now.
fn opened(kit: &Kit, copy: &Path) -> usize {
    let vault = vault(&keys(kit));
    let all = records(copy);
    assert!(!all.is_empty());
    let opened = all.iter().filter(|record| vault.open_bytes(record).is_ok());
    opened.count()
}

/// Requests the erasure of the newest call; its entry and the records.
fn erase(kit: &Kit) -> (EntryId, Vec<Sha256>) {
    let mut calls = present(kit);
    calls.retain(|record| record.kind == "call");
    let newest = calls.last().unwrap().reference;
    let request = EraseRequest {
        selection: Selection {
            refs: Some(vec![newest.to_string()]),
            ..Selection::default()
        },
        authority: "the person asked for it".to_owned(),
        ..EraseRequest::default()
    };
    let admin = kit.caller(Role::Admin);
    let erased = kit.service().erase(&admin, &request).unwrap();
    assert_eq!(erased.records, 1);
    (erased.entries[0].parse().unwrap(), vec![newest])
}

fn pending_key(id: EntryId) -> StateKey {
    StateKey::new(format!("erasure-pending/{id}"))
}

fn is_pending(kit: &Kit, id: EntryId) -> bool {
    let found = kit.service().ledger().state(&pending_key(id)).unwrap();
    found.unwrap().value.is_some()
}

/// The entries that say that an erasure is complete.
fn complete(kit: &Kit) -> Vec<Erasure> {
    erasures(kit, ErasurePhase::Complete)
}

fn erasures(kit: &Kit, phase: ErasurePhase) -> Vec<Erasure> {
    let entries = kit.log().into_iter();
    entries
        .filter_map(|entry| match entry.body() {
            Some(Body::Erasure(erasure)) if erasure.phase == phase => Some(erasure.clone()),
            _ => None,
        })
        .collect()
}

fn ask(kit: &Kit, begin: BeginEpoch) -> Completion {
    let admin = kit.caller(Role::Admin);
    let request = CompleteRequest { begin };
    kit.service().complete_erasures(&admin, &request).unwrap()
}

fn key_files(kit: &Kit) -> Vec<String> {
    let files = fs::read_dir(keys(kit)).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("vault"))
        .collect();
    names.sort();
    names
}

#[test]
fn no_copy_opens_what_was_erased_and_all_else_opens() {
    let mut kit = used();
    let kek = fs::read(keys(&kit).join("vault-1.kek")).unwrap();
    let before = copy(&kit, "before");
    let (id, refs) = erase(&kit);
    let after = copy(&kit, "after");
    let count = records(&before).len();
    assert_eq!(opened(&kit, &before), count, "the copy is one that opens");
    // What was requested does not hold for a copy: that is what completing is for.
    assert!(is_pending(&kit, id));

    let completion = ask(&kit, BeginEpoch::IfPending);
    assert!(completion.done);
    assert_eq!((completion.oldest, completion.epoch), (2, 2));
    assert_eq!((completion.completed, completion.pending), (1, 0));
    assert_eq!(completion.rewrapped as usize, present(&kit).len());
    assert_eq!(opened(&kit, &before), 0);
    assert_eq!(opened(&kit, &after), 0);
    check_present(&kit);
    assert!(present(&kit).iter().all(|left| left.reference != refs[0]));
    assert!(!is_pending(&kit, id));
    assert_eq!(
        key_files(&kit),
        ["vault-2.kek", "vault-2.tenant", "vault.epochs"]
    );
    for file in fs::read_dir(keys(&kit)).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let secret = &kek[kek.len() - 44..kek.len() - 1];
        assert!(!bytes.windows(43).any(|part| part == secret));
    }
    let entries = complete(&kit);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].refs, refs);
    let requested = erasures(&kit, ErasurePhase::Requested);
    assert_eq!(entries[0].authority_ref, requested[0].authority_ref);
    assert_eq!(entries[0].epoch, Some(1));
    assert_eq!(entries[0].credential, Some(kit.caller(Role::Admin).id()));

    // It goes on, also after a restart, and the next erasure ends with the next epoch.
    call(&kit, "s-2");
    kit.restart();
    call(&kit, "s-1");
    let second = copy(&kit, "second");
    erase(&kit);
    let completion = ask(&kit, BeginEpoch::IfPending);
    assert_eq!((completion.done, completion.epoch), (true, 3));
    assert_eq!(complete(&kit)[1].epoch, Some(2));
    assert_eq!(opened(&kit, &second), 0);
    check_present(&kit);
    kit.restart();
    check_present(&kit);
    call(&kit, "s-3");
}

#[test]
fn without_an_erasure_an_epoch_begins_only_if_it_is_wished() {
    let kit = used();
    for begin in [BeginEpoch::IfPending, BeginEpoch::Never] {
        let completion = ask(&kit, begin);
        assert_eq!((completion.done, completion.epoch), (true, 1));
    }
    let before = copy(&kit, "before");
    let size = kit.size();
    let completion = ask(&kit, BeginEpoch::Always);
    assert_eq!((completion.done, completion.epoch), (true, 2));
    assert_eq!(opened(&kit, &before), 0);
    check_present(&kit);
    assert_eq!(kit.size(), size, "nothing was erased, so there is no entry");
    let refused = kit
        .service()
        .complete_erasures(&kit.caller(Role::Auditor), &CompleteRequest::default());
    assert_eq!(refused.unwrap_err().code, ErrorCode::WrongRole);
}

#[test]
fn the_server_completes_by_itself_when_the_time_of_the_bundle_is_over() {
    let kit = used();
    let service = kit.service();
    let (id, _) = erase(&kit);
    kit.clock.turn(168 * HOUR_MS - 1);
    for _ in 0..3 {
        assert_eq!(service.continue_completion(true).unwrap(), 0);
    }
    assert_eq!(key_files(&kit)[0], "vault-1.kek");
    kit.clock.turn(2);
    assert_eq!(
        service.continue_completion(false).unwrap(),
        0,
        "not looked at"
    );
    assert_eq!(service.continue_completion(true).unwrap(), 1);
    assert!(!is_pending(&kit, id));
    assert_eq!(complete(&kit)[0].credential, None);
    check_present(&kit);
    assert_eq!(service.continue_completion(true).unwrap(), 0);
    assert_eq!(ask(&kit, BeginEpoch::Never).epoch, 2);
}

/// An erasure that comes while an epoch is under way may concern a record that was wrapped anew
/// before: it is not complete with this epoch.
#[test]
fn what_is_erased_after_an_epoch_began_waits_for_the_next_one() {
    let mut kit = used();
    let (first, _) = erase(&kit);
    let gate = Arc::new(Gate::default());
    let own = Arc::clone(&gate);
    kit.restart_over(move |files| Arc::new(Faulty { files, gate: own }));
    // The epoch begins, and destroying the old one fails: all is wrapped anew by then.
    gate.fail(At::BeforeDestroy);
    let refused = kit
        .service()
        .complete_erasures(&kit.caller(Role::Admin), &CompleteRequest::default());
    assert_eq!(refused.unwrap_err().code, ErrorCode::Internal);
    let between = copy(&kit, "between");
    let (second, refs) = erase(&kit);
    let is_copied = |record: &SealedRecord| record.reference == refs[0];
    assert!(records(&between).iter().any(is_copied));

    let completion = ask(&kit, BeginEpoch::Never);
    assert_eq!((completion.done, completion.oldest), (true, 2));
    assert!(!is_pending(&kit, first) && is_pending(&kit, second));
    assert_eq!((completion.completed, completion.pending), (1, 1));
    assert!(
        opened(&kit, &between) > 0,
        "the copy holds keys of the new epoch"
    );
    let completion = ask(&kit, BeginEpoch::IfPending);
    assert_eq!((completion.epoch, completion.pending), (3, 0));
    assert_eq!(opened(&kit, &between), 0);
    check_present(&kit);
}

/// Where keeping the keys fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    BeforeBegin,
    AfterBegin,
    BeforeDestroy,
    AfterDestroy,
}

#[derive(Default)]
struct Gate(Mutex<Option<At>>);

impl Gate {
    fn fail(&self, at: At) {
        *self.0.lock().unwrap() = Some(at);
    }

    fn pass(&self, at: At) -> Result<(), EpochError> {
        let mut fails = self.0.lock().unwrap();
        match *fails == Some(at) {
            true => {
                *fails = None;
                Err(EpochError::new("the power went"))
            }
            false => Ok(()),
        }
    }
}

struct Faulty {
    files: EpochFiles,
    gate: Arc<Gate>,
}

impl KeyEpochs for Faulty {
    fn present(&self) -> Result<Vec<EpochMark>, EpochError> {
        self.files.present()
    }

    fn begin(&self, began: u64) -> Result<Epoch, EpochError> {
        self.gate.pass(At::BeforeBegin)?;
        let begun = self.files.begin(began)?;
        self.gate.pass(At::AfterBegin)?;
        Ok(begun)
    }

    fn destroy_before(&self, number: u32) -> Result<(), EpochError> {
        self.gate.pass(At::BeforeDestroy)?;
        self.files.destroy_before(number)?;
        self.gate.pass(At::AfterDestroy)
    }
}

#[test]
fn an_interruption_at_any_step_is_ended_by_the_next_process() {
    let steps = [
        At::BeforeBegin,
        At::AfterBegin,
        At::BeforeDestroy,
        At::AfterDestroy,
    ];
    for at in steps {
        let mut kit = used();
        let before = copy(&kit, "before");
        let (id, refs) = erase(&kit);
        let gate = Arc::new(Gate::default());
        let own = Arc::clone(&gate);
        kit.restart_over(move |files| Arc::new(Faulty { files, gate: own }));
        gate.fail(at);
        let refused = kit
            .service()
            .complete_erasures(&kit.caller(Role::Admin), &CompleteRequest::default());
        assert!(refused.is_err(), "{at:?}");
        // Never an entry before the keys are destroyed.
        assert_eq!(complete(&kit), [], "{at:?}");
        call(&kit, "s-2");
        // The next process.
        kit.restart();
        if at == At::BeforeBegin {
            kit.clock.turn(169 * HOUR_MS);
        }
        for _ in 0..2 {
            kit.service().continue_completion(true).unwrap();
        }
        assert_eq!(complete(&kit).len(), 1, "{at:?}");
        assert_eq!(complete(&kit)[0].refs, refs);
        assert!(!is_pending(&kit, id));
        assert_eq!(opened(&kit, &before), 0, "{at:?}");
        assert_eq!(key_files(&kit)[0], "vault-2.kek", "{at:?}");
        check_present(&kit);
        call(&kit, "s-2");
    }
}

#[test]
fn decisions_go_on_while_keys_are_wrapped_anew() {
    let kit = used();
    let first = copy(&kit, "first");
    let ended = AtomicBool::new(false);
    let calls = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (kit, ended, calls) = (&kit, &ended, &calls);
            scope.spawn(move || {
                while !ended.load(Ordering::SeqCst) {
                    call(kit, &format!("s-{thread}"));
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for round in 0..8 {
            let before = calls.load(Ordering::SeqCst);
            while calls.load(Ordering::SeqCst) < before + 3 {
                std::thread::yield_now();
            }
            let mut completion = ask(&kit, BeginEpoch::Always);
            while !completion.done {
                completion = ask(&kit, BeginEpoch::Never);
            }
            assert_eq!(completion.oldest, completion.epoch, "round {round}");
        }
        ended.store(true, Ordering::SeqCst);
    });
    let completion = ask(&kit, BeginEpoch::Never);
    assert_eq!((completion.done, completion.epoch), (true, 9));
    assert_eq!(completion.unopenable, 0);
    check_present(&kit);
    assert_eq!(opened(&kit, &first), 0);
}

/// A record that somebody has damaged opens with no key; it keeps no epoch alive.
#[test]
fn a_damaged_record_does_not_stand_in_the_way() {
    let mut kit = used();
    let damaged = present(&kit)[0].reference;
    kit.service = None;
    let database = rusqlite::Connection::open(kit.dir.path().join("ledger.db")).unwrap();
    let sql = "UPDATE sealed SET wrapped_key = zeroblob(40) WHERE ref = ?1";
    let changed = database.execute(sql, [damaged.as_bytes()]).unwrap();
    assert_eq!(changed, 1);
    drop(database);
    kit.restart();
    erase(&kit);
    let completion = ask(&kit, BeginEpoch::IfPending);
    assert_eq!((completion.done, completion.unopenable), (true, 1));
    assert_eq!(complete(&kit).len(), 1);
    let vault = vault(&keys(&kit));
    for record in present(&kit) {
        assert_eq!(
            vault.open_bytes(&record).is_ok(),
            record.reference != damaged
        );
    }
}

#[test]
fn many_erasures_are_completed_by_an_entry_each() {
    let kit = used();
    for session in 0..10 {
        call(&kit, &format!("s-{session}"));
    }
    let erase_next = |_| {
        // Ids of one millisecond do not sort.
        kit.clock.turn(1);
        erase(&kit)
    };
    let erased: Vec<_> = (0..20).map(erase_next).collect();
    let completion = ask(&kit, BeginEpoch::IfPending);
    assert_eq!((completion.completed, completion.pending), (20, 0));
    let entries = complete(&kit);
    assert_eq!(entries.len(), 20);
    for ((id, refs), entry) in erased.iter().zip(&entries) {
        assert_eq!(&entry.refs, refs);
        assert!(!is_pending(&kit, *id));
    }
}

#[test]
fn keys_of_before_the_newest_epoch_open_no_log() {
    let mut kit = used();
    let held = kit.dir.path().join("held");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([&keys(&kit), &held])
        .status();
    assert!(copied.unwrap().success());
    ask(&kit, BeginEpoch::Always);
    call(&kit, "s-2");
    kit.service = None;
    let newest = kit.dir.path().join("newest");
    fs::rename(keys(&kit), &newest).unwrap();
    fs::rename(&held, keys(&kit)).unwrap();
    let error = kit.try_restart().unwrap_err();
    assert!(matches!(&error, SetupError::OldKeys { key_id } if key_id.starts_with("vault-2-")));
    fs::rename(keys(&kit), &held).unwrap();
    fs::rename(&newest, keys(&kit)).unwrap();
    kit.restart();
    check_present(&kit);
}
