//! Directories of keys: made whole, read strictly, each key for its purpose only.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::string_slice,
    reason = "helpers of tests fail as tests do"
)]

#[cfg(test)]
mod epochs;
mod rotate;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::document::{Reasoning, Salt};
use countersign_core::entry::{GrantChange, Key, KeyPurpose};
use countersign_core::names::Origin;
use countersign_core::pseudonym::PseudonymKind;
use countersign_core::signed;
use countersign_keys::{
    ApiToken, KeyFileError, KeyRing, Purpose, RootKey, SystemRandom, fingerprint,
};
use countersign_note::{Note, NoteSigner, VerifierKey, sign_note};
use ed25519_dalek::{Signature, VerifyingKey};

/// Files that hold a key as it is.
const KEYS: [&str; 6] = [
    "blind-index.key",
    "log.key",
    "permit.key",
    "root.key",
    "token.key",
    "vault-1.kek",
];

const FILES: [&str; 8] = [
    "blind-index.key",
    "log.key",
    "permit.key",
    "root.key",
    "token.key",
    "vault-1.kek",
    "vault-1.tenant",
    "vault.epochs",
];

fn origin() -> Origin {
    "log.acme.example/acme/1".parse().unwrap()
}

struct Made {
    _parent: tempfile::TempDir,
    dir: PathBuf,
    ring: KeyRing,
    root: RootKey,
}

fn made() -> Made {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("keys");
    let (ring, root) = KeyRing::create(&dir, &origin(), &SystemRandom).unwrap();
    Made {
        _parent: parent,
        dir,
        ring,
        root,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn refused(dir: &Path) -> KeyFileError {
    KeyRing::load(dir).err().expect("must be refused")
}

#[test]
fn a_key_directory_holds_private_files_and_nothing_else() {
    let made = made();
    assert_eq!(listing(&made.dir), FILES);
    assert_eq!(mode(&made.dir), 0o700);
    for file in FILES {
        assert_eq!(mode(&made.dir.join(file)), 0o600, "{file}");
    }
    assert_eq!(listing(made.dir.parent().unwrap()), ["keys"]);
}

#[test]
fn loaded_keys_do_what_the_made_ones_did() {
    let made = made();
    let loaded = KeyRing::load(&made.dir).unwrap();
    let root = RootKey::load(&made.dir).unwrap();
    assert_eq!(loaded.origin(), &origin());
    assert_eq!(loaded.log_key(), made.ring.log_key());
    assert_eq!(root.verifier_key(), made.root.verifier_key());
    assert_eq!(loaded.permit_key(), made.ring.permit_key());
    assert_eq!(
        loaded.permit_signer().jwk(),
        made.ring.permit_signer().jwk()
    );

    let tenant = || "acme".parse().unwrap();
    let index = |ring: &KeyRing| ring.blind_index(tenant()).index(PseudonymKind::Target, "x");
    assert_eq!(index(&loaded), index(&made.ring));
    let id = "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap();
    let token = ApiToken::fresh(id, &SystemRandom);
    assert_eq!(
        token.hash(&loaded.token_hasher()),
        token.hash(&made.ring.token_hasher())
    );
    let document = Reasoning {
        tenant: tenant(),
        text: "because".to_owned(),
        salt: Salt::fresh(&SystemRandom),
    };
    let sealed = made
        .ring
        .vault(tenant())
        .unwrap()
        .seal(&document, &SystemRandom)
        .unwrap()
        .1;
    let opened = loaded
        .vault(tenant())
        .unwrap()
        .open::<Reasoning>(&sealed)
        .unwrap();
    assert_eq!(opened, document);
}

#[test]
fn no_two_keys_are_alike() {
    let (a, b) = (made(), made());
    let mut secrets = std::collections::HashSet::new();
    for dir in [&a.dir, &b.dir] {
        for file in KEYS {
            let text = fs::read_to_string(dir.join(file)).unwrap();
            assert!(secrets.insert(text.lines().nth(2).unwrap().to_owned()));
        }
    }
    assert_ne!(fingerprint(a.ring.log_key()), fingerprint(b.ring.log_key()));
}

#[test]
fn keys_are_never_overwritten() {
    let made = made();
    let before = fs::read(made.dir.join("log.key")).unwrap();
    let again = KeyRing::create(&made.dir, &origin(), &SystemRandom);
    let error = again.err().unwrap();
    assert!(
        matches!(error, KeyFileError::AlreadyThere { .. }),
        "{error}"
    );
    assert_eq!(fs::read(made.dir.join("log.key")).unwrap(), before);
    assert!(KeyRing::load(&made.dir).is_ok());
}

#[test]
fn what_an_interrupted_creation_left_is_cleared_away() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("keys");
    let staged = parent.path().join(".keys.new");
    fs::create_dir(&staged).unwrap();
    fs::write(staged.join("root.key"), "half").unwrap();
    fs::create_dir(&dir).unwrap();
    KeyRing::create(&dir, &origin(), &SystemRandom).unwrap();
    assert_eq!(listing(parent.path()), ["keys"]);
    assert_eq!(listing(&dir), FILES);
    assert_eq!(mode(&dir), 0o700);
}

#[test]
fn files_and_directories_that_others_can_reach_are_refused() {
    let made = made();
    for loose in [0o640, 0o604, 0o660, 0o644, 0o610, 0o602] {
        for file in FILES.iter().filter(|file| **file != "root.key") {
            let path = made.dir.join(file);
            set_mode(&path, loose);
            let error = refused(&made.dir);
            assert!(matches!(error, KeyFileError::Permissions { .. }), "{error}");
            let hint = error.hint().unwrap();
            assert_eq!(hint, format!("chmod 600 '{}'", path.display()));
            set_mode(&path, 0o600);
        }
    }
    let root = made.dir.join("root.key");
    set_mode(&root, 0o640);
    assert!(
        KeyRing::load(&made.dir).is_ok(),
        "the root key is not looked at"
    );
    assert!(matches!(
        RootKey::load(&made.dir).err(),
        Some(KeyFileError::Permissions { .. })
    ));
    for loose in [0o755, 0o710, 0o701, 0o770] {
        set_mode(&made.dir, loose);
        assert!(refused(&made.dir).hint().unwrap().starts_with("chmod 700"));
    }
    set_mode(&made.dir, 0o700);
    set_mode(&made.dir.join("log.key"), 0o400);
    assert!(KeyRing::load(&made.dir).is_ok(), "stricter is fine");
}

#[test]
fn a_key_is_not_loaded_for_another_purpose() {
    let made = made();
    for from in KEYS {
        for to in KEYS.iter().filter(|to| **to != from) {
            let copy = self::made();
            fs::copy(made.dir.join(from), copy.dir.join(to)).unwrap();
            let error = match *to {
                "root.key" => RootKey::load(&copy.dir).err().unwrap(),
                _ => refused(&copy.dir),
            };
            assert!(
                matches!(error, KeyFileError::Purpose { .. }),
                "{from} as {to}: {error}"
            );
            // Rewriting the header's purpose does not help: the id binds it.
            let words = |file: &str| file.rsplit_once('.').unwrap().0.to_owned();
            let text = fs::read_to_string(copy.dir.join(to)).unwrap();
            let text = text.replacen(
                &format!(" {} ", words(from)),
                &format!(" {} ", words(to)),
                1,
            );
            fs::write(copy.dir.join(to), text).unwrap();
            let error = match *to {
                "root.key" => RootKey::load(&copy.dir).err().unwrap(),
                _ => refused(&copy.dir),
            };
            assert!(
                matches!(error, KeyFileError::Damaged { .. }),
                "{from} as {to}: {error}"
            );
        }
    }
}

#[test]
fn a_key_of_another_log_is_refused() {
    let (made, parent) = (made(), tempfile::tempdir().unwrap());
    let other = parent.path().join("keys");
    let origin: Origin = "log.acme.example/acme/2".parse().unwrap();
    KeyRing::create(&other, &origin, &SystemRandom).unwrap();
    for file in FILES
        .iter()
        .filter(|file| !matches!(**file, "root.key" | "log.key" | "vault.epochs"))
    {
        let kept = fs::read(made.dir.join(file)).unwrap();
        fs::copy(other.join(file), made.dir.join(file)).unwrap();
        let error = refused(&made.dir);
        assert!(matches!(error, KeyFileError::Origin { .. }), "{error}");
        fs::write(made.dir.join(file), kept).unwrap();
    }
    assert!(KeyRing::load(&made.dir).is_ok());
}

#[test]
fn no_character_of_a_secret_or_id_can_be_changed() {
    let made = made();
    let path = made.dir.join("vault-1.kek");
    let text = fs::read_to_string(&path).unwrap();
    for at in 0..text.len() {
        for to in ["A", "b", "0", "\n", " "] {
            let mut changed = text.clone();
            changed.replace_range(at..=at, to);
            fs::write(&path, &changed).unwrap();
            // The origin is compared with the log key's.
            assert!(
                changed == text || KeyRing::load(&made.dir).is_err(),
                "{changed}"
            );
        }
    }
    for changed in [
        String::new(),
        text.replace('\n', "\r\n"),
        format!("{text}\n"),
        format!("\n{text}"),
        text.trim_end().to_owned(),
        text.replace("key/v1", "key/v2"),
        "x".repeat(2000),
    ] {
        fs::write(&path, &changed).unwrap();
        let error = refused(&made.dir);
        assert!(
            matches!(error, KeyFileError::Malformed { .. }),
            "{changed:?}: {error}"
        );
    }
    fs::write(&path, [0xff; 100]).unwrap();
    assert!(matches!(refused(&made.dir), KeyFileError::Malformed { .. }));
}

#[test]
fn no_error_shows_a_secret() {
    let made = made();
    let path = made.dir.join("log.key");
    let text = fs::read_to_string(&path).unwrap();
    let secret = text
        .lines()
        .nth(2)
        .unwrap()
        .strip_prefix("secret ")
        .unwrap();
    for changed in [
        text.replace("log", "root"),
        text.replace("secret ", "secrets "),
        text.replacen(' ', "  ", 1),
        secret.to_owned(),
        format!("countersign-key/v1 {secret} x\norigin x\nsecret x\n"),
    ] {
        fs::write(&path, changed).unwrap();
        let error = refused(&made.dir);
        assert!(
            !format!("{error} {error:?}").contains(&secret[..8]),
            "{error}"
        );
    }
}

#[test]
fn a_missing_key_is_named() {
    let not_here = ["root.key", "vault.epochs"];
    for file in FILES.iter().filter(|file| !not_here.contains(file)) {
        let made = made();
        fs::remove_file(made.dir.join(file)).unwrap();
        let error = refused(&made.dir);
        assert!(
            matches!(&error, KeyFileError::Missing { path } if path.ends_with(file)),
            "{error}"
        );
        assert!(error.hint().is_some());
    }
    let nowhere = refused(Path::new("/nonexistent/keys"));
    assert!(matches!(nowhere, KeyFileError::Missing { .. }));
}

#[test]
fn nothing_is_made_where_there_is_no_place_for_it() {
    let parent = tempfile::tempdir().unwrap();
    let made = |dir: &Path| {
        KeyRing::create(dir, &origin(), &SystemRandom)
            .err()
            .unwrap()
    };
    let nowhere = made(&parent.path().join("a/keys"));
    assert!(matches!(nowhere, KeyFileError::Io { .. }), "{nowhere}");
    let file = parent.path().join("file");
    fs::write(&file, "mine").unwrap();
    made(&file);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn the_root_key_can_be_taken_offline() {
    let made = made();
    let away = made.dir.parent().unwrap().join("usb");
    fs::create_dir(&away).unwrap();
    fs::rename(made.dir.join("root.key"), away.join("root.key")).unwrap();
    assert!(KeyRing::load(&made.dir).is_ok());
    let error = RootKey::load(&made.dir).err().unwrap();
    assert!(error.hint().unwrap().contains("bring it back"), "{error}");
    assert!(RootKey::load(&away).is_ok());
}

#[test]
fn notes_that_we_sign_verify_with_the_vkey() {
    let made = made();
    let signer = made.ring.log_signer();
    assert_eq!(signer.name(), origin().as_str());
    let note = sign_note("log.acme.example/acme/1\n0\n\n", &[&signer]).unwrap();
    let key = VerifierKey::parse(&made.ring.log_key().to_string()).unwrap();
    let read = Note::parse(note.to_string().as_bytes()).unwrap();
    assert!(read.verify(std::slice::from_ref(&key)).is_ok());
    assert!(read.verify(&[self::made().ring.log_key().clone()]).is_err());
    assert!(read.verify(&[made.root.verifier_key().clone()]).is_err());
}

#[test]
fn the_root_key_signs_entries_without_their_signature_member() {
    let made = made();
    let mut entry = Key {
        purpose: KeyPurpose::Log,
        change: GrantChange::Granted,
        key: made.ring.log_key().to_string().parse().unwrap(),
        signature: "unsigned".parse().unwrap(),
    };
    entry.signature = made.root.sign_entry(&entry).unwrap();
    assert_eq!(made.root.sign_entry(&entry).unwrap(), entry.signature);

    let public: [u8; 32] = made.root.verifier_key().public_key().try_into().unwrap();
    let public = VerifyingKey::from_bytes(&public).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(entry.signature.as_str()).unwrap();
    let signature = Signature::from_slice(&signature).unwrap();
    let check = |entry: &Key, origin: &Origin| {
        let message = signed::entry_message(origin, entry).unwrap();
        public.verify_strict(&message, &signature).is_ok()
    };
    assert!(check(&entry, &origin()));
    assert!(!check(&entry, &"other.example".parse().unwrap()));
    let revoked = Key {
        change: GrantChange::Revoked,
        ..entry.clone()
    };
    assert!(!check(&revoked, &origin()));

    let statement = serde_json::json!({"a": 1});
    let signature = made.root.sign_statement("test", &statement).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature.as_str()).unwrap();
    let signature = Signature::from_slice(&signature).unwrap();
    let message = signed::message("test", &origin(), &statement).unwrap();
    assert_eq!(
        message,
        b"countersign/test/v1\nlog.acme.example/acme/1\n{\"a\":1}"
    );
    assert!(public.verify_strict(&message, &signature).is_ok());
}

#[test]
fn the_root_key_cannot_be_taken_for_the_log_key() {
    let made = made();
    assert_eq!(made.ring.log_key().name().as_str(), origin().as_str());
    assert_eq!(
        made.root.verifier_key().name().as_str(),
        format!("{}/root", origin())
    );
    let long: Origin = "x".repeat(255).parse().unwrap();
    let parent = tempfile::tempdir().unwrap();
    let error = KeyRing::create(&parent.path().join("keys"), &long, &SystemRandom).err();
    assert!(matches!(error, Some(KeyFileError::Name { .. })));
}

#[test]
fn a_fingerprint_is_hex_in_groups_of_four() {
    let shown = fingerprint(made().ring.log_key());
    assert_eq!(shown.len(), 16 * 5 - 1);
    assert!(shown.split(' ').all(|group| group.len() == 4));
}

#[test]
fn files_are_named_after_their_purpose() {
    assert_eq!(Purpose::Vault(7).file_name(), "vault-7.kek");
    assert_eq!(Purpose::BlindIndex.file_name(), "blind-index.key");
}

/// Does not compile if the type can be printed: then it has two impls, and `_` is ambiguous.
macro_rules! assert_cannot_be_printed {
    ($($secret:ty),* $(,)?) => {$(
        const _: fn() = || {
            trait Printable<Marker> {
                fn check() {}
            }
            struct ByDebug;
            struct ByDisplay;
            impl<T: ?Sized> Printable<()> for T {}
            impl<T: ?Sized + std::fmt::Debug> Printable<ByDebug> for T {}
            impl<T: ?Sized + std::fmt::Display> Printable<ByDisplay> for T {}
            let _ = <$secret as Printable<_>>::check;
        };
    )*};
}

assert_cannot_be_printed!(
    KeyRing,
    RootKey,
    ApiToken,
    countersign_keys::Ed25519NoteSigner,
    countersign_permit::PermitSigner,
    countersign_vault::BlindIndex,
    countersign_vault::KeyEncryptionKey,
    countersign_vault::TenantKey,
    countersign_vault::TokenHasher,
    countersign_vault::Vault,
);
