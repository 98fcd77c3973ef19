//! Signers with known seeds, and a log in memory.

use countersign_merkle::{
    CompactRange, Hash, LeafIndex, NodeSource, TreeSize, inclusion_proof, leaf_hash,
};
use countersign_note::{
    Checkpoint, KeyName, Note, NoteSignature, NoteSigner, SignError, SignatureType, Timestamp,
    TlogProof, VerifierKey, cosign,
};
use ed25519_dalek::{Signer as _, SigningKey};
use std::convert::Infallible;
use std::ops::Range;

pub(crate) struct TestSigner {
    pub(crate) secret: SigningKey,
    pub(crate) key: VerifierKey,
}

impl TestSigner {
    pub(crate) fn new(name: &str, signature_type: SignatureType, seed: [u8; 32]) -> Self {
        let secret = SigningKey::from_bytes(&seed);
        let name = KeyName::parse(name).unwrap();
        let public_key = secret.verifying_key();
        let key = VerifierKey::new(name, signature_type, public_key.as_bytes()).unwrap();
        Self { secret, key }
    }

    /// A key of type `0x01`.
    pub(crate) fn log(name: &str, seed: u8) -> Self {
        Self::new(name, SignatureType::Ed25519, [seed; 32])
    }

    /// A key of type `0x04`.
    pub(crate) fn witness(name: &str, seed: u8) -> Self {
        Self::new(name, SignatureType::CosignatureV1, [seed; 32])
    }

    pub(crate) fn cosign(&self, note: &Note, seconds: u64) -> NoteSignature {
        cosign(note.text(), Timestamp::from_seconds(seconds).unwrap(), self).unwrap()
    }
}

impl NoteSigner for TestSigner {
    fn name(&self) -> &str {
        self.key.name().as_str()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.secret.sign(message).to_bytes())
    }
}

/// A log of at most one tile.
pub(crate) struct TestLog {
    pub(crate) signer: TestSigner,
    leaves: Vec<Hash>,
    range: CompactRange,
}

impl TestLog {
    pub(crate) fn new(origin: &str, leaves: u8) -> Self {
        let leaves: Vec<Hash> = (0..leaves).map(|n| leaf_hash(&[n])).collect();
        let mut range = CompactRange::new();
        for leaf in &leaves {
            range.append(*leaf, &mut |_, _, _| ()).unwrap();
        }
        let signer = TestSigner::log(origin, 1);
        Self {
            signer,
            leaves,
            range,
        }
    }

    pub(crate) fn leaf(&self, index: u64) -> Hash {
        self.leaves[index as usize]
    }

    pub(crate) fn checkpoint(&self) -> Note {
        let origin = self.signer.name();
        let checkpoint = Checkpoint::new(origin, self.range.size(), self.range.root()).unwrap();
        checkpoint.sign(&[&self.signer]).unwrap()
    }

    pub(crate) fn proof(&self, index: u64) -> TlogProof {
        let index = LeafIndex::new(index);
        let path = inclusion_proof(self, index, self.size()).unwrap();
        TlogProof::new(index, path, self.checkpoint()).unwrap()
    }

    pub(crate) fn size(&self) -> TreeSize {
        self.range.size()
    }
}

impl NodeSource for TestLog {
    type Error = Infallible;

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Infallible> {
        assert_eq!(level, 0);
        Ok(self.leaves[range.start as usize..range.end as usize].to_vec())
    }
}
