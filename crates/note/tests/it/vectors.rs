//! Texts made by others: the specification of signed notes, Go's `sumdb/note`, and a public log.

use crate::support::TestSigner;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_note::{
    Checkpoint, Note, NoteVerifyError, SignatureType, SignedCheckpoint, VerifierKey, sign_note,
};

pub(crate) const SPEC_KEY: &str =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

pub(crate) const SPEC_NOTE: &str = "This is an example message.\n\n\
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

pub(crate) const PETER_KEY: &str =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/// Type and seed.
pub(crate) const PETER_SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

pub(crate) const PETER_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n";

pub(crate) const PETER_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

pub(crate) const ENOCH_KEY: &str =
    "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";

pub(crate) const ENOCH_LINE: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

/// A checkpoint of a public staging log with signatures of types 0x05 and 0x01 by the log itself
/// and `cosignature/v1` of four witnesses.
const STAGING_NOTE: &str = "arche2025h1.staging.ct.transparency.dev\n\
    1432088532\n\
    U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n\
    — arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n\
    — arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n\
    — transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n\
    — witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n\
    — remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n\
    — witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==\n";

const STAGING_LOG: &str =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";

const STAGING_WITNESSES: [&str; 4] = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
];

pub(crate) fn key(text: &str) -> VerifierKey {
    let key = VerifierKey::parse(text).unwrap();
    assert_eq!(key.to_string(), text);
    key
}

pub(crate) fn note(text: &str) -> Note {
    let note = Note::parse(text.as_bytes()).unwrap();
    assert_eq!(note.to_string(), text);
    note
}

pub(crate) fn peter() -> TestSigner {
    let secret = STANDARD.decode(PETER_SECRET).unwrap();
    let seed = secret[1..].try_into().unwrap();
    TestSigner::new("PeterNeumann", SignatureType::Ed25519, seed)
}

#[test]
fn the_example_of_signed_note() {
    let (note, key) = (note(SPEC_NOTE), key(SPEC_KEY));
    assert_eq!(key.id().to_string(), "530d903a");
    let verified = note.verify(std::slice::from_ref(&key)).unwrap();
    assert_eq!(verified.text(), "This is an example message.\n");
    assert_eq!(verified.signatures().len(), 1);
    assert_eq!(verified.signatures()[0].key(), &key);
    assert_eq!(verified.signatures()[0].timestamp(), None);
}

#[test]
fn the_opening_example_of_signed_note_has_a_blank_line_in_its_text() {
    let text = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\
                ed è subito sera.\n";
    let line = "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let note = note(&format!("{text}\n{line}"));
    assert_eq!(note.text(), text);
    let signature = &note.signatures()[0];
    assert_eq!(signature.name().as_str(), "quasimodo.example/salvatore");
    assert_eq!(signature.id().to_string(), "367ba04b");
    assert_eq!(signature.bytes().len(), 64);
}

#[test]
fn the_notes_of_go() {
    let (peter_key, enoch_key) = (key(PETER_KEY), key(ENOCH_KEY));
    let both = note(&format!("{PETER_TEXT}\n{PETER_LINE}{ENOCH_LINE}"));
    let verified = both.verify(std::slice::from_ref(&peter_key)).unwrap();
    assert_eq!(verified.signatures().len(), 1);
    let keys = [enoch_key, peter_key];
    let verified = both.verify(&keys).unwrap();
    let names: Vec<&str> = verified
        .signatures()
        .iter()
        .map(|signature| signature.key().name().as_str())
        .collect();
    assert_eq!(names, ["PeterNeumann", "EnochRoot"]);
    assert_eq!(both.verify(&[]), Err(NoteVerifyError::NoKnownKey));
}

#[test]
fn signing_makes_the_note_of_go_byte_for_byte() {
    let signer = peter();
    assert_eq!(signer.key.to_string(), PETER_KEY);
    let note = sign_note(PETER_TEXT, &[&signer]).unwrap();
    assert_eq!(note.to_string(), format!("{PETER_TEXT}\n{PETER_LINE}"));
}

#[test]
fn a_checkpoint_that_public_witnesses_have_cosigned() {
    let note = note(STAGING_NOTE);
    let mut keys = vec![key(STAGING_LOG)];
    keys.extend(STAGING_WITNESSES.map(key));
    let signed = SignedCheckpoint::open(&note, &keys).unwrap();
    let checkpoint = signed.checkpoint();
    assert_eq!(
        checkpoint.origin(),
        "arche2025h1.staging.ct.transparency.dev"
    );
    assert_eq!(checkpoint.size().get(), 1_432_088_532);
    assert_eq!(checkpoint.to_string(), note.text());
    let times: Vec<Option<u64>> = signed
        .signatures()
        .iter()
        .map(|signature| signature.timestamp().map(|time| time.seconds()))
        .collect();
    let time = Some(0x6a12_2120);
    assert_eq!(times, [None, time, time, time, time]);

    // Any other size, time or key, and the witnesses' signatures no longer fit.
    for changed in [
        STAGING_NOTE.replace("1432088532", "1432088533"),
        STAGING_NOTE.replace("AABqEiEgPlfF", "AABqEiEhPlfF"),
        STAGING_NOTE.replace("PlfF3V06", "PlfF3V07"),
    ] {
        assert_ne!(changed, STAGING_NOTE);
        let changed = Note::parse(changed.as_bytes()).unwrap();
        let refused = changed.verify(&[key(STAGING_WITNESSES[2])]);
        assert!(matches!(refused, Err(NoteVerifyError::BadSignature { .. })));
    }
}

#[test]
fn the_body_of_the_checkpoint_specification() {
    let text = "example.com/behind-the-sofa\n20852163\n\
                CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let checkpoint = Checkpoint::parse(text).unwrap();
    assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size().get(), 20_852_163);
    assert!(
        checkpoint
            .root()
            .to_string()
            .starts_with("0ac5186a91863e8e")
    );
    assert!(checkpoint.extensions().is_empty());
    assert_eq!(checkpoint.to_string(), text);
}
