//! How far the entries of a folder are proven: against keys and anchors that the reader brings.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::entry::{AnyEntry, Body, GrantChange, Key, KeyPurpose, Kind};
use countersign_core::names::{KeyText, Origin};
use countersign_core::signed::entry_message;
use countersign_merkle::{LeafIndex, leaf_hash, verify_inclusion};
use countersign_note::{
    Checkpoint, Note, PolicyOutcome, SignatureType, SignedCheckpoint, TlogPolicy, TlogProof,
    VerifierKey,
};
use countersign_verify::{Anchor, Trust, Word};
use serde::Serialize;

use crate::proven::is_signed;

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The file.
    pub file: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

impl Mismatch {
    pub(crate) fn new(file: &str, found: impl ToString, expected: impl ToString) -> Self {
        Self {
            file: file.to_owned(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}

/// How far the entries are proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// `trusted`, `unanchored` or `failed`.
    pub word: Word,
    /// The log's origin, as the checkpoint gives it.
    pub origin: Option<String>,
    /// How many entries the checkpoint covers.
    pub size: u64,
    /// How many entries were proven to be among them.
    pub proven: u64,
    /// The keys that the reader believes and that have signed the checkpoint.
    pub signed_by: Vec<String>,
    /// What anchors it.
    pub anchors: Vec<Anchor>,
    /// Whether a checkpoint that the reader holds is of another size, so that nothing can be said of
    /// it without the log.
    pub held_elsewhere: bool,
    /// Whether a checkpoint that the reader holds and this one are of one size and not the same.
    pub contradicts: bool,
    /// What does not hold.
    pub mismatches: Vec<Mismatch>,
}

/// One entry's files.
pub(crate) struct Proof<'a> {
    pub(crate) file: &'a str,
    pub(crate) index: u64,
    pub(crate) leaf: &'a [u8],
    pub(crate) proof_file: &'a str,
    pub(crate) proof: &'a str,
}

/// Holds the entries against the checkpoint, and the checkpoint against what the reader believes.
pub(crate) fn stand(checkpoint: &[u8], proofs: &[Proof<'_>], trust: &Trust) -> Standing {
    let mut standing = Standing {
        word: Word::Failed,
        origin: None,
        size: 0,
        proven: 0,
        signed_by: Vec::new(),
        anchors: Vec::new(),
        held_elsewhere: false,
        contradicts: false,
        mismatches: Vec::new(),
    };
    let mut mismatches = Vec::new();
    let fail = |found: String, expected: &str| Mismatch::new("checkpoint", found, expected);
    let read = Note::parse(checkpoint)
        .map_err(|error| fail(error.to_string(), "a signed note"))
        .and_then(|note| {
            let parsed = Checkpoint::parse(note.text());
            let parsed = parsed.map_err(|error| fail(error.to_string(), "a checkpoint"))?;
            Ok((note, parsed))
        });
    let (note, parsed) = match read {
        Ok(read) => read,
        Err(mismatch) => {
            standing.mismatches.push(mismatch);
            return standing;
        }
    };
    standing.origin = Some(parsed.origin().to_owned());
    standing.size = parsed.size().get();
    let entries = included(&note, &parsed, proofs, &mut mismatches);
    standing.proven = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    let vouched = Vouched::of(&entries, parsed.origin(), trust, &mut mismatches);
    let mut keys = trust.log_keys.clone();
    let of_policy = trust.policy.iter().flat_map(TlogPolicy::logs);
    keys.extend(of_policy.map(|log| log.key().clone()));
    keys.extend(vouched.granted.iter().cloned());
    match SignedCheckpoint::open(&note, &keys) {
        Ok(signed) => {
            let signers = signed.signatures().iter().map(|it| it.key());
            let signers: Vec<&VerifierKey> = signers
                .filter(|key| key.name().as_str() == parsed.origin())
                .collect();
            let is_revoked = |key: &&VerifierKey| vouched.revoked.contains(&key.to_string());
            if !signers.is_empty() && signers.iter().all(is_revoked) {
                let found = "a signature of a log key that was revoked before".to_owned();
                mismatches.push(fail(found, "a log key that holds"));
            }
            standing.signed_by = signers.iter().map(ToString::to_string).collect();
            anchor(&mut standing, &note, &parsed, &keys, trust, &mut mismatches);
        }
        Err(error) => mismatches.push(fail(error.to_string(), "a signature of a key you gave")),
    }
    standing.word = match (mismatches.is_empty(), standing.anchors.is_empty()) {
        (false, _) => Word::Failed,
        (true, true) => Word::Unanchored,
        (true, false) => Word::Trusted,
    };
    standing.mismatches = mismatches;
    standing
}

/// The entries whose proofs lead to the checkpoint's root, by their places.
fn included(
    note: &Note,
    checkpoint: &Checkpoint,
    proofs: &[Proof<'_>],
    mismatches: &mut Vec<Mismatch>,
) -> BTreeMap<u64, AnyEntry> {
    let mut entries = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for proof in proofs {
        let parsed = match TlogProof::parse(proof.proof) {
            Ok(parsed) => parsed,
            Err(error) => {
                mismatches.push(Mismatch::new(proof.proof_file, error, "a tlog-proof"));
                continue;
            }
        };
        if parsed.checkpoint() != note {
            let expected = "the checkpoint of the folder";
            mismatches.push(Mismatch::new(proof.proof_file, "another one", expected));
            continue;
        }
        if parsed.index() != LeafIndex::new(proof.index) {
            let expected = format!("index {}", proof.index);
            mismatches.push(Mismatch::new(proof.proof_file, parsed.index(), expected));
            continue;
        }
        let hash = leaf_hash(proof.leaf);
        let root = checkpoint.root();
        let size = checkpoint.size();
        if let Err(error) = verify_inclusion(&hash, parsed.index(), size, parsed.path(), &root) {
            let expected = "an entry that is in the tree of the checkpoint";
            mismatches.push(Mismatch::new(proof.file, error, expected));
            continue;
        }
        match AnyEntry::from_leaf(proof.leaf) {
            Ok(entry) if ids.insert(entry.entry_id()) => {
                entries.insert(proof.index, entry);
            }
            Ok(entry) => {
                let expected = "an id that no other entry has";
                mismatches.push(Mismatch::new(proof.file, entry.entry_id(), expected));
            }
            Err(error) => mismatches.push(Mismatch::new(proof.file, error, "a leaf")),
        }
    }
    entries
}

/// What the reader's root key says of log keys, by entries of the folder.
#[derive(Default)]
struct Vouched {
    granted: Vec<VerifierKey>,
    revoked: BTreeSet<String>,
}

impl Vouched {
    fn of(
        entries: &BTreeMap<u64, AnyEntry>,
        origin: &str,
        trust: &Trust,
        mismatches: &mut Vec<Mismatch>,
    ) -> Self {
        let mut vouched = Self::default();
        let (Some(root), Ok(origin)) = (&trust.root_key, origin.parse::<Origin>()) else {
            return vouched;
        };
        for (index, entry) in entries {
            match entry.body() {
                Some(Body::Genesis(genesis)) if *index == 0 => {
                    if genesis.root_key.as_str() != root.to_string() {
                        let found = &genesis.root_key;
                        mismatches.push(Mismatch::new(
                            "entries",
                            found,
                            format!("root key {root}"),
                        ));
                        return vouched;
                    }
                    if signed(root, &origin, genesis, &genesis.signature) {
                        vouched.grant(&genesis.log_key);
                    }
                }
                Some(Body::Key(key))
                    if key.purpose == KeyPurpose::Log
                        && signed::<Key>(root, &origin, key, &key.signature) =>
                {
                    match key.change {
                        GrantChange::Granted => vouched.grant(&key.key),
                        GrantChange::Revoked => {
                            vouched.revoked.insert(key.key.as_str().to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        vouched
    }

    fn grant(&mut self, key: &KeyText) {
        self.granted.extend(key.as_str().parse::<VerifierKey>());
    }
}

fn signed<K: Kind>(root: &VerifierKey, origin: &Origin, body: &K, signature: &KeyText) -> bool {
    let is_plain = root.signature_type() == SignatureType::Ed25519;
    let bytes = URL_SAFE_NO_PAD.decode(signature.as_str());
    let message = entry_message(origin, body);
    match (message, bytes) {
        (Ok(message), Ok(bytes)) if is_plain => is_signed(root.public_key(), &message, &bytes),
        _ => false,
    }
}

fn anchor(
    standing: &mut Standing,
    note: &Note,
    checkpoint: &Checkpoint,
    keys: &[VerifierKey],
    trust: &Trust,
    mismatches: &mut Vec<Mismatch>,
) {
    for held in &trust.held {
        let Ok(signed) = SignedCheckpoint::open(held, keys) else {
            let found = "the checkpoint that you hold is signed by none of the keys";
            mismatches.push(Mismatch::new("checkpoint", found, "a signed checkpoint"));
            continue;
        };
        let other = signed.checkpoint();
        if other.origin() != checkpoint.origin() {
            let found = format!("origin `{}`", checkpoint.origin());
            let expected = format!("`{}`, as you hold it", other.origin());
            mismatches.push(Mismatch::new("checkpoint", found, expected));
        } else if other.size() != checkpoint.size() {
            standing.held_elsewhere = true;
        } else if other.root() == checkpoint.root() {
            let size = other.size().get();
            standing.anchors.push(Anchor::HeldCheckpoint { size });
        } else {
            standing.contradicts = true;
            let found = format!("root {} at size {}", checkpoint.root(), checkpoint.size());
            let expected = format!("root {}, as you hold it", other.root());
            mismatches.push(Mismatch::new("checkpoint", found, expected));
        }
    }
    let Some(policy) = trust.policy.as_ref() else {
        return;
    };
    // A policy that asks for nobody anchors nothing.
    if policy.is_quorum_met(&[]) {
        return;
    }
    if let Ok(PolicyOutcome::Satisfied(evidence)) = policy.evaluate_with_logs(note, keys) {
        let names = evidence.witnesses().iter().map(ToString::to_string);
        standing.anchors.push(Anchor::Witnesses {
            names: names.collect(),
        });
    }
}
