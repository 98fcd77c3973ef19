//! Keys that follow each other, and the second key of the log.

use std::fs;

use countersign_keys::{
    KeyFileError, KeyRing, Purpose, ROTATABLE, RootKey, Successor, SystemRandom, is_signed_by_root,
    public_key_of, remove_key,
};
use countersign_note::{
    Checkpoint, Note, SignatureType, SignedCheckpoint, Timestamp, VerifierKey, cosign_ml_dsa,
};

use super::{listing, made, mode, origin};

fn present(dir: &std::path::Path, purpose: Purpose) -> Option<String> {
    public_key_of(dir, purpose).unwrap()
}

#[test]
fn a_successor_lies_beside_the_key_until_it_takes_its_place() {
    for purpose in [Purpose::Log, Purpose::Permit] {
        let made = made();
        let before = present(&made.dir, purpose).unwrap();
        assert!(Successor::pending(&made.dir, purpose).unwrap().is_none());
        let next = Successor::create(&made.dir, purpose, &origin(), &SystemRandom).unwrap();
        let file = made.dir.join(format!("{purpose}.next"));
        assert_eq!(mode(&file), 0o600);
        assert_ne!(next.public_key(), before);
        assert_eq!(present(&made.dir, purpose).unwrap(), before);
        // The ring does not look at it.
        let ring = KeyRing::load(&made.dir).unwrap();
        assert_eq!(ring.log_key(), made.ring.log_key());

        let again = Successor::pending(&made.dir, purpose).unwrap().unwrap();
        assert_eq!(again.public_key(), next.public_key());
        assert_eq!((again.purpose(), again.origin()), (purpose, &origin()));
        let public = again.public_key().to_owned();
        again.promote().unwrap();
        assert_eq!(present(&made.dir, purpose).unwrap(), public);
        assert!(Successor::pending(&made.dir, purpose).unwrap().is_none());
        assert_eq!(mode(&made.dir.join(purpose.file_name())), 0o600);
        let ring = KeyRing::load(&made.dir).unwrap();
        let changed = [
            ring.log_key().to_string(),
            ring.permit_key().unwrap().to_string(),
        ];
        assert!(changed.contains(&public));
    }
}

#[test]
fn a_discarded_successor_leaves_nothing() {
    let made = made();
    let before = listing(&made.dir);
    for purpose in ROTATABLE {
        let next = Successor::create(&made.dir, purpose, &origin(), &SystemRandom).unwrap();
        next.discard().unwrap();
        assert_eq!(listing(&made.dir), before);
    }
}

#[test]
fn a_successor_signs_before_it_has_taken_the_place() {
    use countersign_note::NoteSigner as _;
    let made = made();
    let next = Successor::create(&made.dir, Purpose::Log, &origin(), &SystemRandom).unwrap();
    let signer = next.log_signer().unwrap();
    assert_eq!(signer.verifier_key().to_string(), next.public_key());
    assert_eq!(signer.name(), origin().as_str());
}

#[test]
fn keys_that_the_log_does_not_grant_have_no_successor() {
    let made = made();
    for purpose in [Purpose::Root, Purpose::Token, Purpose::BlindIndex] {
        let refused = Successor::create(&made.dir, purpose, &origin(), &SystemRandom);
        assert!(matches!(refused.err(), Some(KeyFileError::Setup(_))));
    }
}

#[test]
fn a_damaged_or_loose_successor_is_refused_and_not_ignored() {
    let made = made();
    let next = Successor::create(&made.dir, Purpose::Log, &origin(), &SystemRandom).unwrap();
    drop(next);
    let path = made.dir.join("log.next");
    super::set_mode(&path, 0o640);
    let error = Successor::pending(&made.dir, Purpose::Log).err();
    assert!(matches!(error, Some(KeyFileError::Permissions { .. })));
    super::set_mode(&path, 0o600);
    fs::copy(made.dir.join("permit.key"), &path).unwrap();
    let error = Successor::pending(&made.dir, Purpose::Log).err();
    assert!(matches!(error, Some(KeyFileError::Purpose { .. })));
}

#[test]
fn the_second_key_is_there_when_its_file_is() {
    let made = made();
    assert!(made.ring.second_signer().is_none() && made.ring.second_key().is_none());
    let next = Successor::create(&made.dir, Purpose::LogMlDsa, &origin(), &SystemRandom).unwrap();
    let public = next.public_key().to_owned();
    next.promote().unwrap();
    let ring = KeyRing::load(&made.dir).unwrap();
    let key = ring.second_key().unwrap();
    assert_eq!(key.to_string(), public);
    assert_eq!(key.signature_type(), SignatureType::MlDsa44);
    assert_eq!(key.name().as_str(), origin().as_str());

    let checkpoint = "log.acme.example/acme/1\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let claim = Checkpoint::parse(checkpoint).unwrap();
    let signer = ring.second_signer().unwrap();
    assert_eq!(signer.verifier_key(), key);
    let time = Timestamp::from_seconds(1).unwrap();
    let line = cosign_ml_dsa(&claim, time, signer.as_ref()).unwrap();
    let note = Note::new(checkpoint.to_owned(), vec![line]).unwrap();
    assert!(SignedCheckpoint::open(&note, std::slice::from_ref(key)).is_ok());

    remove_key(&made.dir, Purpose::LogMlDsa).unwrap();
    remove_key(&made.dir, Purpose::LogMlDsa).unwrap();
    assert!(KeyRing::load(&made.dir).unwrap().second_key().is_none());
    assert_eq!(present(&made.dir, Purpose::LogMlDsa), None);
}

#[test]
fn a_second_key_of_another_log_or_purpose_is_refused() {
    let made = made();
    let other = "log.acme.example/acme/2".parse().unwrap();
    let next = Successor::create(&made.dir, Purpose::LogMlDsa, &other, &SystemRandom).unwrap();
    next.promote().unwrap();
    let error = KeyRing::load(&made.dir).err();
    assert!(matches!(error, Some(KeyFileError::Origin { .. })));
    // The seed of one purpose is not taken for another's.
    fs::copy(made.dir.join("log.key"), made.dir.join("log-mldsa.key")).unwrap();
    let error = KeyRing::load(&made.dir).err();
    assert!(matches!(error, Some(KeyFileError::Purpose { .. })));
}

#[test]
fn the_root_key_is_read_wherever_it_was_taken_to() {
    let made = made();
    let away = made.dir.parent().unwrap().join("stick");
    fs::rename(made.dir.join("root.key"), &away).unwrap();
    let root = RootKey::load_file(&away).unwrap();
    assert_eq!(root.verifier_key(), made.root.verifier_key());
    let error = RootKey::load_file(&made.dir.join("log.key")).err();
    assert!(matches!(error, Some(KeyFileError::Purpose { .. })));
}

#[test]
fn what_the_root_key_signed_is_told_from_what_it_did_not() {
    use countersign_core::entry::{GrantChange, Key, KeyPurpose};
    let (made, other) = (made(), made());
    let mut entry = Key {
        purpose: KeyPurpose::Log,
        change: GrantChange::Granted,
        key: made.ring.log_key().to_string().parse().unwrap(),
        signature: "unsigned".parse().unwrap(),
    };
    let root = made.root.verifier_key();
    let check = |root: &VerifierKey, entry: &Key| {
        is_signed_by_root(root, &origin(), entry, &entry.signature)
    };
    assert!(!check(root, &entry));
    entry.signature = made.root.sign_entry(&entry).unwrap();
    assert!(check(root, &entry));
    assert!(!check(other.root.verifier_key(), &entry));
    let elsewhere = "elsewhere".parse().unwrap();
    assert!(!is_signed_by_root(
        root,
        &elsewhere,
        &entry,
        &entry.signature
    ));
    entry.change = GrantChange::Revoked;
    assert!(!check(root, &entry));
    // A key of another type is no root key, whatever its bytes.
    let public: [u8; 32] = root.public_key().try_into().unwrap();
    let witness = VerifierKey::cosignature_v1(root.name().clone(), &public).unwrap();
    entry.change = GrantChange::Granted;
    assert!(!check(&witness, &entry));
}
