//! Proofs from a log to a verifier and back.

use crate::support::{TestLog, TestSigner};
use countersign_merkle::{LeafIndex, VerifyError, leaf_hash};
use countersign_note::{
    CheckpointError, Note, ProofFormatError, ProofVerifyError, TlogPolicy, TlogProof,
};

const ORIGIN: &str = "example.com/log";

#[test]
fn every_leaf_of_every_small_log() {
    for size in 1..=70 {
        let log = TestLog::new(ORIGIN, size);
        let keys = [log.signer.key.clone()];
        for index in 0..size.into() {
            let proof = log.proof(index);
            let text = proof.to_string();
            let again = TlogProof::parse(&text).unwrap();
            assert_eq!(again, proof);
            let signed = again.verify(&log.leaf(index), &keys).unwrap();
            assert_eq!(signed.checkpoint().size(), log.size());
            assert!(again.verify(&leaf_hash(b"other"), &keys).is_err());
        }
    }
}

#[test]
fn the_text_is_that_of_the_specification() {
    let log = TestLog::new(ORIGIN, 2);
    let proof = log.proof(1).with_extra(vec![1, 2, 3]).unwrap();
    let text = proof.to_string();
    let (head, checkpoint) = text.split_once("\n\n").unwrap();
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(
        lines[..3],
        ["c2sp.org/tlog-proof@v1", "extra AQID", "index 1"]
    );
    assert_eq!(lines.len(), 4);
    assert_eq!(checkpoint, log.checkpoint().to_string());
    assert_eq!(
        TlogProof::parse(&text).unwrap().extra(),
        Some([1, 2, 3].as_slice())
    );

    let only = TestLog::new(ORIGIN, 1).proof(0).to_string();
    assert!(only.starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/log\n1\n"));
    assert_eq!(TlogProof::parse(&only).unwrap().path(), []);
}

#[test]
fn any_changed_byte_is_noticed() {
    let log = TestLog::new(ORIGIN, 11);
    let keys = [log.signer.key.clone()];
    let proof = log.proof(6);
    let text = proof.to_string();
    for position in 0..text.len() {
        for bit in 0..8 {
            let mut changed = text.clone().into_bytes();
            changed[position] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(changed) else {
                continue;
            };
            if let Ok(proof) = TlogProof::parse(&changed) {
                let verdict = proof.verify(&log.leaf(6), &keys);
                assert!(verdict.is_err(), "byte {position} bit {bit}: {changed}");
            }
        }
    }
}

#[test]
fn errors_tell_signature_from_inclusion() {
    let log = TestLog::new(ORIGIN, 11);
    let proof = log.proof(6);
    let leaf = log.leaf(6);
    let keys = [log.signer.key.clone()];
    let stranger = [TestSigner::log(ORIGIN, 9).key];
    assert!(matches!(
        proof.verify(&leaf, &stranger),
        Err(ProofVerifyError::Checkpoint(CheckpointError::Note(_)))
    ));
    assert!(matches!(
        proof.verify(&log.leaf(5), &keys),
        Err(ProofVerifyError::Inclusion(
            VerifyError::RootMismatch { .. }
        ))
    ));
    let beyond = TlogProof::new(LeafIndex::new(11), proof.path().to_vec(), log.checkpoint());
    assert!(matches!(
        beyond.unwrap().verify(&leaf, &keys),
        Err(ProofVerifyError::Inclusion(
            VerifyError::IndexOutOfRange { .. }
        ))
    ));
}

#[test]
fn a_policy_adds_its_quorum() {
    let log = TestLog::new(ORIGIN, 11);
    let witness = TestSigner::witness("w.example", 2);
    let policy = format!(
        "log {}\nwitness w {}\nquorum w\n",
        log.signer.key, witness.key
    );
    let policy: TlogPolicy = policy.parse().unwrap();
    let proof = log.proof(6);
    let leaf = log.leaf(6);
    assert_eq!(
        proof.verify_policy(&leaf, &policy),
        Err(ProofVerifyError::QuorumNotMet)
    );

    let mut note: Note = proof.checkpoint().clone();
    note.add_signature(witness.cosign(&note, 5)).unwrap();
    let proof = TlogProof::new(proof.index(), proof.path().to_vec(), note).unwrap();
    let evidence = proof.verify_policy(&leaf, &policy).unwrap();
    assert_eq!(evidence.witnesses().len(), 1);
    assert!(matches!(
        proof.verify_policy(&log.leaf(5), &policy),
        Err(ProofVerifyError::Inclusion(_))
    ));
}

#[test]
fn limits() {
    let log = TestLog::new(ORIGIN, 1);
    let path = vec![log.leaf(0); 65];
    let refused = TlogProof::new(LeafIndex::new(0), path, log.checkpoint());
    assert_eq!(refused, Err(ProofFormatError::PathTooLong));
    for len in [0, (1 << 16) + 1] {
        let refused = log.proof(0).with_extra(vec![0; len]);
        assert_eq!(refused, Err(ProofFormatError::Extra));
    }
    let largest = log.proof(0).with_extra(vec![0; 1 << 16]).unwrap();
    assert_eq!(TlogProof::parse(&largest.to_string()), Ok(largest));
}
