//! Epochs of the vault's keys: made, opened, destroyed, and what an interruption leaves.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use countersign_core::document::{Reasoning, Salt, SealedRecord};
use countersign_keys::{EpochFiles, KeyFileError, KeyRing, SystemRandom};
use countersign_vault::{EpochMark, KeyEpochs, Vault};

use super::{listing, made, mode, origin, refused, set_mode};

fn epochs(dir: &Path) -> EpochFiles {
    EpochFiles::new(dir, origin(), Arc::new(SystemRandom))
}

fn vault(dir: &Path) -> Vault {
    let ring = KeyRing::load(dir).unwrap();
    ring.vault("acme".parse().unwrap()).unwrap()
}

fn seal(vault: &Vault) -> SealedRecord {
    let document = Reasoning {
        tenant: "acme".parse().unwrap(),
        text: "because".to_owned(),
        salt: Salt::fresh(&SystemRandom),
    };
    vault.seal(&document, &SystemRandom).unwrap().1
}

fn of_vault(dir: &Path) -> Vec<String> {
    let mut names = listing(dir);
    names.retain(|name| name.contains("vault"));
    names
}

/// Makes the directory one from before there were tenant keys.
fn age(dir: &Path) {
    fs::remove_file(dir.join("vault-1.tenant")).unwrap();
    fs::remove_file(dir.join("vault.epochs")).unwrap();
}

#[test]
fn an_epoch_follows_another_and_both_unwrap() {
    let made = made();
    let old = seal(&vault(&made.dir));
    let begun = epochs(&made.dir).begin(17).unwrap();
    assert_eq!(begun.number(), 2);
    let vault = vault(&made.dir);
    let new = seal(&vault);
    assert_eq!(new.key_id, begun.id());
    assert!(new.key_id.starts_with("vault-2-"));
    assert!(vault.open_bytes(&old).is_ok() && vault.open_bytes(&new).is_ok());
    for name in of_vault(&made.dir) {
        assert_eq!(mode(&made.dir.join(name)), 0o600);
    }
    let marks = [(1, 0), (2, 17)].map(|(number, began)| EpochMark { number, began });
    assert_eq!(epochs(&made.dir).present().unwrap(), marks);
}

#[test]
fn the_key_encryption_key_stands_in_no_other_file_and_the_tenants_key_in_none() {
    let made = made();
    let secret = fs::read_to_string(made.dir.join("vault-1.kek")).unwrap();
    let secret = secret.rsplit(' ').next().unwrap().trim().to_owned();
    let tenant = fs::read_to_string(made.dir.join("vault-1.tenant")).unwrap();
    assert!(!tenant.contains(&secret));
    // 40 bytes: a key of 32, wrapped.
    let wrapped = tenant.trim_end().rsplit(' ').next().unwrap();
    assert_eq!(wrapped.len(), 54);
}

#[test]
fn what_is_destroyed_is_gone_and_opens_nothing() {
    let made = made();
    let old = seal(&vault(&made.dir));
    let kept = fs::hard_link(made.dir.join("vault-1.kek"), made.dir.join("seen"));
    kept.unwrap();
    epochs(&made.dir).begin(3).unwrap();
    epochs(&made.dir).destroy_before(2).unwrap();
    assert_eq!(
        of_vault(&made.dir),
        ["vault-2.kek", "vault-2.tenant", "vault.epochs"]
    );
    // The bytes were overwritten before the name went.
    assert!(
        fs::read(made.dir.join("seen"))
            .unwrap()
            .iter()
            .all(|b| *b == 0)
    );
    fs::remove_file(made.dir.join("seen")).unwrap();
    let vault = vault(&made.dir);
    assert!(vault.open_bytes(&old).is_err());
    assert!(vault.open_bytes(&seal(&vault)).is_ok());
    let marks = epochs(&made.dir).present().unwrap();
    assert_eq!(
        marks,
        [EpochMark {
            number: 2,
            began: 3
        }]
    );
    // Numbers are never used again.
    assert_eq!(epochs(&made.dir).begin(9).unwrap().number(), 3);
}

#[test]
fn the_newest_epoch_is_never_destroyed() {
    let made = made();
    epochs(&made.dir).begin(3).unwrap();
    let record = seal(&vault(&made.dir));
    for before in [3, 4, u32::MAX] {
        epochs(&made.dir).destroy_before(before).unwrap();
        assert!(vault(&made.dir).open_bytes(&record).is_ok());
    }
}

/// Everything that a process which ends while an epoch begins can leave.
#[test]
fn an_epoch_that_was_not_begun_to_the_end_is_not_there() {
    let made = made();
    let before = seal(&vault(&made.dir));
    for left in [".vault-2.tenant.new", "vault-2.tenant", ".vault-2.kek.new"] {
        fs::write(made.dir.join(left), "half a fi").unwrap();
        set_mode(&made.dir.join(left), 0o600);
        let vault = vault(&made.dir);
        assert!(seal(&vault).key_id.starts_with("vault-1-"), "{left}");
        assert!(vault.open_bytes(&before).is_ok());
    }
    assert_eq!(epochs(&made.dir).begin(5).unwrap().number(), 2);
    assert!(vault(&made.dir).open_bytes(&before).is_ok());
    let names = of_vault(&made.dir);
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
}

/// Everything that a process which ends while epochs are destroyed can leave.
#[test]
fn epochs_that_were_not_destroyed_to_the_end_are_not_read_and_go_the_next_time() {
    let made = made();
    epochs(&made.dir).begin(5).unwrap();
    let record = seal(&vault(&made.dir));
    let names = ["vault-1.kek", "vault-1.tenant"];
    let held: Vec<_> = names
        .map(|name| fs::read(made.dir.join(name)).unwrap())
        .into();
    epochs(&made.dir).destroy_before(2).unwrap();
    let whole = of_vault(&made.dir);
    for left in [vec![0], vec![1], vec![0, 1]] {
        for at in &left {
            fs::write(made.dir.join(names[*at]), &held[*at]).unwrap();
            set_mode(&made.dir.join(names[*at]), 0o600);
        }
        // Overwritten and not removed yet, too.
        fs::write(made.dir.join(".vault-1.kek.new"), [0; 100]).unwrap();
        assert!(vault(&made.dir).open_bytes(&record).is_ok());
        assert_eq!(epochs(&made.dir).present().unwrap().len(), 1);
        epochs(&made.dir).destroy_before(2).unwrap();
        assert_eq!(of_vault(&made.dir), whole);
    }
}

#[test]
fn a_missing_key_is_noticed() {
    for name in [
        "vault-1.kek",
        "vault-1.tenant",
        "vault-2.kek",
        "vault-2.tenant",
    ] {
        let made = made();
        epochs(&made.dir).begin(5).unwrap();
        epochs(&made.dir).begin(5).unwrap();
        fs::remove_file(made.dir.join(name)).unwrap();
        let error = refused(&made.dir);
        assert!(
            matches!(&error, KeyFileError::Missing { path } if path.ends_with(name)),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("backup"));
    }
    let made = made();
    fs::write(made.dir.join("vault-4000000000.kek"), "").unwrap();
    let error = refused(&made.dir);
    assert!(matches!(error, KeyFileError::TooManyEpochs { .. }));
}

#[test]
fn no_character_of_the_files_of_an_epoch_can_be_changed_to_another_key() {
    let made = made();
    let record = seal(&vault(&made.dir));
    for name in ["vault-1.tenant", "vault.epochs"] {
        let path = made.dir.join(name);
        let text = fs::read_to_string(&path).unwrap();
        for at in 0..text.len() {
            for to in ["A", "b", "7", "\n", " "] {
                let mut changed = text.clone();
                changed.replace_range(at..=at, to);
                fs::write(&path, &changed).unwrap();
                // What still opens is the same key: `began` and `tenants` are no part of it.
                if let Ok(ring) = KeyRing::load(&made.dir) {
                    let vault = ring.vault("acme".parse().unwrap()).unwrap();
                    assert!(vault.open_bytes(&record).is_ok(), "{changed}");
                }
            }
        }
        fs::write(&path, text).unwrap();
    }
    // The tenant's key of one epoch beside the other's key-encryption key.
    epochs(&made.dir).begin(1).unwrap();
    let text = fs::read_to_string(made.dir.join("vault-1.tenant")).unwrap();
    let text = text.replacen("vault-1", "vault-2", 1);
    fs::write(made.dir.join("vault-2.tenant"), text).unwrap();
    assert!(matches!(refused(&made.dir), KeyFileError::Malformed { .. }));
}

#[test]
fn directories_from_before_tenant_keys_open_and_go_on_with_them() {
    let made = made();
    age(&made.dir);
    let old = seal(&vault(&made.dir));
    assert!(vault(&made.dir).open_bytes(&old).is_ok());
    assert_eq!(of_vault(&made.dir), ["vault-1.kek"]);
    epochs(&made.dir).begin(8).unwrap();
    let both = vault(&made.dir);
    let new = seal(&both);
    assert!(both.open_bytes(&old).is_ok() && both.open_bytes(&new).is_ok());
    let (key_id, wrapped_key) = both.rewrap(&old.key_id, &old.wrapped_key).unwrap();
    epochs(&made.dir).destroy_before(2).unwrap();
    let moved = SealedRecord {
        key_id,
        wrapped_key,
        ..old.clone()
    };
    assert!(vault(&made.dir).open_bytes(&moved).is_ok());
    assert!(vault(&made.dir).open_bytes(&old).is_err());
}

#[test]
fn nothing_is_destroyed_when_what_is_to_stay_cannot_be_read_back() {
    for name in ["vault-2.kek", "vault-2.tenant"] {
        let made = made();
        epochs(&made.dir).begin(5).unwrap();
        let before = of_vault(&made.dir);
        let text = fs::read_to_string(made.dir.join(name)).unwrap();
        let at = text.rfind(' ').unwrap() + 1;
        let other = if text[at..].starts_with('A') {
            "B"
        } else {
            "A"
        };
        let text = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        fs::write(made.dir.join(name), text).unwrap();
        assert!(epochs(&made.dir).destroy_before(2).is_err(), "{name}");
        assert_eq!(of_vault(&made.dir), before);
        assert_eq!(epochs(&made.dir).present().unwrap().len(), 2);
    }
}

#[test]
fn ids_of_epochs_have_one_length_and_differ() {
    let made = made();
    let first = seal(&vault(&made.dir)).key_id;
    assert_eq!(first.len(), 24);
    let mut ids = std::collections::HashSet::from([first]);
    for _ in 0..11 {
        let begun = epochs(&made.dir).begin(0).unwrap();
        let before = begun.number() - 1;
        epochs(&made.dir).destroy_before(before).unwrap();
        assert_eq!(begun.id().len(), 24);
        assert!(ids.insert(begun.id().to_owned()));
    }
    assert!(
        vault(&made.dir)
            .newest()
            .unwrap()
            .1
            .starts_with("vault-12-")
    );
}
