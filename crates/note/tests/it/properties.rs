//! No input makes a reader panic, and what is read is written back byte for byte.

use crate::support::{TestLog, TestSigner};
use countersign_merkle::{Hash, LeafIndex, TreeSize};
use countersign_note::{
    Checkpoint, Note, NoteSignature, SignatureType, TlogPolicy, TlogProof, VerifierKey,
};
use proptest::prelude::*;

/// Reads as everything; whatever is accepted must come back the same.
fn read_as_everything(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(note) = Note::parse(bytes) {
        prop_assert_eq!(note.to_string().into_bytes(), bytes);
    }
    let _ = TlogPolicy::parse(bytes);
    let Ok(text) = str::from_utf8(bytes) else {
        return Ok(());
    };
    if let Ok(key) = VerifierKey::parse(text) {
        prop_assert_eq!(key.to_string(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        prop_assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(proof) = TlogProof::parse(text) {
        prop_assert_eq!(proof.to_string(), text);
    }
    if let Ok(lines) = NoteSignature::parse_lines(text) {
        let lines: String = lines.iter().map(ToString::to_string).collect();
        prop_assert_eq!(lines, text);
    }
    Ok(())
}

fn valid_texts() -> Vec<String> {
    let log = TestLog::new("example.com/log", 9);
    let witness = TestSigner::witness("w.example", 2);
    let mut note = log.checkpoint();
    note.add_signature(witness.cosign(&note, 1_700_000_000))
        .unwrap();
    let proof = TlogProof::new(
        LeafIndex::new(4),
        log.proof(4).path().to_vec(),
        note.clone(),
    );
    let proof = proof.unwrap().with_extra(vec![1, 2, 3]).unwrap();
    vec![
        note.to_string(),
        note.text().to_owned(),
        note.signatures()[0].to_string(),
        proof.to_string(),
        log.signer.key.to_string(),
        format!(
            "# policy\nlog {}\nwitness w {} u\ngroup g any w\nquorum g\n",
            log.signer.key, witness.key
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_as_everything(&bytes)?;
    }

    #[test]
    fn arbitrary_texts(text in "([ -~—\n=+/]{0,3}|\\PC|\n\n|— |index |log |0|AAAA){0,40}") {
        read_as_everything(text.as_bytes())?;
    }

    #[test]
    fn damaged_texts(
        text in prop::sample::select(valid_texts()),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..4, prop::collection::vec(any::<u8>(), 0..4)),
            1..4,
        ),
    ) {
        let mut bytes = text.into_bytes();
        for (position, cut, replacement) in edits {
            let start = position.index(bytes.len().max(1)).min(bytes.len());
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, replacement);
        }
        read_as_everything(&bytes)?;
    }

    #[test]
    fn checkpoints_come_back(
        origin in "[^\\x00-\\x1f]{1,40}", size in 0_u64..=1 << 63, root: [u8; 32],
        extensions in prop::collection::vec("[^\\x00-\\x1f]{1,10}", 0..4),
    ) {
        prop_assume!(origin.len() <= 255);
        let root = Hash::from_bytes(root);
        let checkpoint =
            Checkpoint::with_extensions(&origin, TreeSize::new(size), root, extensions).unwrap();
        prop_assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
    }

    #[test]
    fn keys_come_back(
        name in "[a-z./]{1,20}", byte: u8, public in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let name = name.parse().unwrap();
        if let Ok(key) = VerifierKey::new(name, SignatureType::from_byte(byte), &public) {
            prop_assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
        }
    }
}
