//! Whether an entry is in the log, and whether anything outside the log says so, too.

use std::collections::BTreeMap;

use countersign_core::entry::AnyEntry;
use countersign_merkle::{Hash, LeafIndex, TreeSize, leaf_hash};
use countersign_note::{
    Checkpoint, Note, PolicyOutcome, SignedCheckpoint, TlogPolicy, TlogProof, VerifierKey,
};
use countersign_verify::{Trust, Word};

use crate::check::UnsealFailure;
use crate::file::Proven;

/// What the caller believes, ready to hold proofs against it.
pub(crate) struct Anchors<'a> {
    origin: &'a str,
    keys: Vec<VerifierKey>,
    policy: Option<&'a TlogPolicy>,
    held: Vec<Checkpoint>,
    /// Roots that the log's key has signed, by size: two for one size contradict each other.
    roots: BTreeMap<TreeSize, Hash>,
    contradicts: bool,
}

/// An entry that is in the log.
pub(crate) struct Found {
    pub(crate) index: LeafIndex,
    pub(crate) entry: AnyEntry,
    /// Trusted or unanchored.
    pub(crate) word: Word,
}

impl<'a> Anchors<'a> {
    /// Checks what the caller gave: mistakes in it are the caller's, not the file's.
    pub(crate) fn new(trust: &'a Trust, origin: &'a str) -> Result<Self, UnsealFailure> {
        let logs = trust.policy.iter().flat_map(TlogPolicy::logs);
        let keys = trust.log_keys.iter().chain(logs.map(|log| log.key()));
        let keys: Vec<VerifierKey> = keys.cloned().collect();
        if keys.is_empty() {
            return Err(UnsealFailure::NoLogKey);
        }
        let mut anchors = Self {
            origin,
            keys,
            policy: trust.policy.as_ref(),
            held: Vec::with_capacity(trust.held.len()),
            roots: BTreeMap::new(),
            contradicts: false,
        };
        for note in &trust.held {
            let signed = SignedCheckpoint::open(note, &anchors.keys);
            let signed = signed.map_err(|error| UnsealFailure::Held(error.to_string()))?;
            let held = signed.checkpoint().clone();
            if held.origin() != origin {
                return Err(UnsealFailure::HeldOrigin {
                    held: held.origin().to_owned(),
                    file: origin.to_owned(),
                });
            }
            anchors.note_root(&held);
            anchors.held.push(held);
        }
        Ok(anchors)
    }

    /// Proves one entry; the reason, if it is not proven.
    pub(crate) fn prove(&mut self, proven: &Proven) -> Result<Found, String> {
        let entry = AnyEntry::from_leaf(proven.leaf.as_bytes());
        let entry = entry.map_err(|error| format!("its leaf: {error}"))?;
        let proof = TlogProof::parse(&proven.proof).map_err(|error| error.to_string())?;
        let leaf = leaf_hash(proven.leaf.as_bytes());
        let signed = proof.verify(&leaf, &self.keys);
        let signed = signed.map_err(|error| error.to_string())?;
        let checkpoint = signed.checkpoint();
        if checkpoint.origin() != self.origin {
            return Err(format!(
                "its proof is of the log `{}`, the file of `{}`",
                checkpoint.origin(),
                self.origin
            ));
        }
        self.note_root(checkpoint);
        let word = match self.is_anchored(checkpoint, proof.checkpoint())? {
            true => Word::Trusted,
            false => Word::Unanchored,
        };
        Ok(Found {
            index: proof.index(),
            entry,
            word,
        })
    }

    /// Whether the log's key has signed two roots for one size.
    pub(crate) fn contradicts(&self) -> bool {
        self.contradicts
    }

    fn is_anchored(&self, checkpoint: &Checkpoint, note: &Note) -> Result<bool, String> {
        let is_this = |held: &Checkpoint| {
            held.size() == checkpoint.size() && held.root() == checkpoint.root()
        };
        Ok(self.held.iter().any(is_this) || self.is_witnessed(note)?)
    }

    fn is_witnessed(&self, note: &Note) -> Result<bool, String> {
        let Some(policy) = self.policy else {
            return Ok(false);
        };
        // With `quorum none`, what witnesses have said is not what the caller relies on.
        if policy.is_quorum_met(&[]) {
            return Ok(false);
        }
        match policy.evaluate_with_logs(note, &self.keys) {
            Ok(PolicyOutcome::Satisfied(_)) => Ok(true),
            Ok(PolicyOutcome::QuorumNotMet(_)) => Ok(false),
            Err(error) => Err(format!("its checkpoint: {error}")),
        }
    }

    fn note_root(&mut self, checkpoint: &Checkpoint) {
        let known = self.roots.entry(checkpoint.size());
        if *known.or_insert(checkpoint.root()) != checkpoint.root() {
            self.contradicts = true;
        }
    }
}
