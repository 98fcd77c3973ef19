//! A log of any leaves, with a key of its own, and a cosigner.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use countersign_merkle::{
    CompactRange, Hash, NodeSource, TreeSize, consistency_proof, leaf_hash, root_at,
};
use countersign_note::{
    Checkpoint, KeyName, Note, NoteSigner, SignError, Timestamp, VerifierKey, sign_note,
};
use countersign_witness::{AddCheckpoint, Reply, Witness, WitnessStore};
use ed25519_dalek::{Signer as _, SigningKey};

pub(crate) const ORIGIN: &str = "log.example/log/acme/1";

pub(crate) fn time(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

pub(crate) struct Key {
    secret: SigningKey,
    public: VerifierKey,
}

impl Key {
    pub(crate) fn log(name: &str, seed: u8) -> Self {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let name = KeyName::parse(name).unwrap();
        let public = VerifierKey::ed25519(name, secret.verifying_key().as_bytes()).unwrap();
        Self { secret, public }
    }

    pub(crate) fn witness(name: &str, seed: u8) -> Self {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let name = KeyName::parse(name).unwrap();
        let public = VerifierKey::cosignature_v1(name, secret.verifying_key().as_bytes()).unwrap();
        Self { secret, public }
    }
}

impl NoteSigner for Key {
    fn name(&self) -> &str {
        self.public.name().as_str()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.secret.sign(message).to_bytes())
    }
}

/// A log whose leaves are known, so that any of its trees can be signed and proven.
pub(crate) struct Log {
    pub(crate) key: Key,
    // Level l holds the roots of complete subtrees of 256^l leaves.
    levels: Vec<Vec<Hash>>,
}

impl Log {
    /// A log of `size` leaves; another `salt` makes another history.
    pub(crate) fn new(size: u64, salt: u8) -> Self {
        Self::named(ORIGIN, size, salt)
    }

    pub(crate) fn named(origin: &str, size: u64, salt: u8) -> Self {
        let leaves: Vec<Hash> = (0..size)
            .map(|n| leaf_hash(&[&n.to_be_bytes()[..], &[salt]].concat()))
            .collect();
        let mut levels = vec![leaves];
        while levels.last().unwrap().len() >= 256 {
            let above = levels.last().unwrap().chunks_exact(256).map(|chunk| {
                let mut range = CompactRange::new();
                // Roots of subtrees combine as leaf hashes do.
                for hash in chunk {
                    range.append(*hash, &mut |_, _, _| ()).unwrap();
                }
                range.root()
            });
            let above = above.collect();
            levels.push(above);
        }
        Self {
            key: Key::log(origin, 1),
            levels,
        }
    }

    pub(crate) fn checkpoint(&self, size: u64) -> Checkpoint {
        let root = root_at(self, TreeSize::new(size)).unwrap();
        Checkpoint::new(self.key.name(), TreeSize::new(size), root).unwrap()
    }

    pub(crate) fn note(&self, size: u64) -> Note {
        sign_note(&self.checkpoint(size).to_string(), &[&self.key]).unwrap()
    }

    pub(crate) fn proof(&self, old: u64, new: u64) -> Vec<Hash> {
        match old {
            0 => Vec::new(),
            old => consistency_proof(self, TreeSize::new(old), TreeSize::new(new)).unwrap(),
        }
    }

    /// A request that is right from the log's side.
    pub(crate) fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        AddCheckpoint::new(TreeSize::new(old), self.proof(old, new), self.note(new)).unwrap()
    }
}

impl NodeSource for Log {
    type Error = Infallible;

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Infallible> {
        let range = range.start as usize..range.end as usize;
        Ok(self.levels[usize::from(level)][range].to_vec())
    }
}

pub(crate) fn cosigner() -> Arc<Key> {
    Arc::new(Key::witness("witness.example/w1", 9))
}

pub(crate) fn witness<S: WitnessStore>(log: &Log, store: S) -> Witness<S> {
    Witness::new([log.key.public.clone()], cosigner(), store).unwrap()
}

pub(crate) fn send<S: WitnessStore>(witness: &Witness<S>, request: &AddCheckpoint) -> Reply {
    witness.add_checkpoint(request.to_string().as_bytes(), time(1_700_000_000))
}

/// Status and body of what was answered.
pub(crate) fn said(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.body.as_str())
}
