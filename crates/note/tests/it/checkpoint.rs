//! Whose signature makes a checkpoint the log's.

use crate::support::{TestLog, TestSigner};
use countersign_note::{
    CheckpointError, NoteVerifyError, SignNoteError, SignedCheckpoint, sign_note,
};

const ORIGIN: &str = "example.com/log";

#[test]
fn the_log_and_its_witnesses() {
    let log = TestLog::new(ORIGIN, 5);
    let witness = TestSigner::witness("w.example", 2);
    let mut note = log.checkpoint();
    note.add_signature(witness.cosign(&note, 1_700_000_000))
        .unwrap();
    let keys = [witness.key.clone(), log.signer.key.clone()];
    let signed = SignedCheckpoint::open(&note, &keys).unwrap();
    assert_eq!(signed.checkpoint().size(), log.size());
    assert_eq!(signed.signatures().len(), 2);
    assert_eq!(signed.signatures()[0].key(), &log.signer.key);
    assert_eq!(signed.signatures()[1].key(), &witness.key);
}

#[test]
fn a_witness_alone_does_not_make_a_checkpoint() {
    let log = TestLog::new(ORIGIN, 5);
    // Even one that calls itself like the log.
    let witness = TestSigner::witness(ORIGIN, 2);
    let mut note = log.checkpoint();
    note.add_signature(witness.cosign(&note, 1)).unwrap();
    let origin = ORIGIN.to_owned();
    assert_eq!(
        SignedCheckpoint::open(&note, &[witness.key]),
        Err(CheckpointError::NoLogSignature { origin })
    );
}

#[test]
fn another_logs_key_does_not_make_a_checkpoint() {
    let other = TestSigner::log("example.com/other", 3);
    let text = TestLog::new(ORIGIN, 5).checkpoint().text().to_owned();
    let note = sign_note(&text, &[&other]).unwrap();
    let origin = ORIGIN.to_owned();
    assert_eq!(
        SignedCheckpoint::open(&note, &[other.key]),
        Err(CheckpointError::NoLogSignature { origin })
    );
}

#[test]
fn a_note_that_is_no_checkpoint() {
    let log = TestSigner::log(ORIGIN, 1);
    let note = sign_note("example.com/log\nfive\n", &[&log]).unwrap();
    assert!(matches!(
        SignedCheckpoint::open(&note, &[log.key]),
        Err(CheckpointError::Format(_))
    ));
    let note = TestLog::new(ORIGIN, 5).checkpoint();
    assert_eq!(
        SignedCheckpoint::open(&note, &[]),
        Err(CheckpointError::Note(NoteVerifyError::NoKnownKey))
    );
}

#[test]
fn a_checkpoint_is_signed_under_its_own_name() {
    let log = TestLog::new(ORIGIN, 5);
    let opened =
        SignedCheckpoint::open(&log.checkpoint(), std::slice::from_ref(&log.signer.key)).unwrap();
    let other = TestSigner::log("example.com/other", 3);
    let refused = opened.checkpoint().sign(&[&other]).unwrap_err();
    let origin = ORIGIN.to_owned();
    assert_eq!(refused, SignNoteError::NoLogSigner { origin });
    let both = opened.checkpoint().sign(&[&other, &log.signer]).unwrap();
    assert_eq!(both.signatures().len(), 2);
}
