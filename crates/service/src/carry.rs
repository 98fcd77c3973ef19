//! What a new log carries over from the one that it continues.

use std::collections::HashMap;

use countersign_core::document::{Bundle, BundleContent, Document as _};
use countersign_core::entry::{AnyEntry, Body, PolicyPhase};
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_ledger::LogReader;
use countersign_merkle::{CompactRange, Hash, LeafIndex, leaf_hash};
use countersign_note::{Note, SignedCheckpoint, VerifierKey};

/// Entries that are read at once.
const READ: u64 = 1_024;

/// The bundle that is in force in a log, as far as its entries can be read: the rows of state beside
/// them may be lost.
///
/// Whoever can write the database can write a policy into it. So the whole log is read, and has to
/// be the one that one of these keys has signed.
pub fn bundle_in_force(log: &LogReader, keys: &[VerifierKey]) -> Option<BundleContent> {
    let log = log.at_present();
    let signed = signed_root(&log, keys)?;
    let size = log.size().get();
    let mut tree = CompactRange::new();
    let mut policies = Policies::default();
    while tree.size().get() < size {
        let next = tree.size().get();
        for stored in log.leaves(next..next.saturating_add(READ)).ok()? {
            let hash = leaf_hash(&stored.bytes);
            tree.append(hash, &mut |_, _, _| {}).ok()?;
            if let Some(body) = AnyEntry::from_leaf(&stored.bytes).ok()?.body() {
                policies.note(stored.index, body);
            }
        }
    }
    if tree.root() != signed {
        return None;
    }
    policies.read(&log)
}

/// The root that the newest checkpoint has signed, if one of the keys has.
fn signed_root(log: &LogReader, keys: &[VerifierKey]) -> Option<Hash> {
    let note: Note = log.checkpoint().parse().ok()?;
    let signed = SignedCheckpoint::open(&note, keys).ok()?;
    let (checkpoint, head) = (signed.checkpoint(), log.head());
    let is_heads =
        checkpoint.origin() == head.origin().as_str() && checkpoint.size() == head.size();
    is_heads.then(|| checkpoint.root())
}

/// What the entries say of bundles.
#[derive(Default)]
struct Policies {
    in_force: Option<PolicyRef>,
    stored: HashMap<PolicyRef, Vec<Sha256>>,
    parts: HashMap<Sha256, LeafIndex>,
}

impl Policies {
    fn note(&mut self, index: LeafIndex, body: &Body) {
        match body {
            Body::Policy(policy) => match policy.phase {
                PolicyPhase::InForce => self.in_force = Some(policy.policy_ref),
                PolicyPhase::Stored => {
                    let parts = policy.parts.clone();
                    self.stored.insert(policy.policy_ref, parts);
                }
                PolicyPhase::Shadow | PolicyPhase::ShadowEnd | PolicyPhase::Replayed => {}
            },
            Body::Part(part) => {
                self.parts.insert(part.bytes.digest(), index);
            }
            _ => {}
        }
    }

    fn read(&self, log: &LogReader) -> Option<BundleContent> {
        let policy_ref = self.in_force?;
        let mut bytes = Vec::new();
        for digest in self.stored.get(&policy_ref)? {
            let leaf = log.leaf(*self.parts.get(digest)?).ok()??;
            let entry = AnyEntry::from_leaf(&leaf.bytes).ok()?;
            let Some(Body::Part(part)) = entry.body() else {
                return None;
            };
            bytes.extend_from_slice(part.bytes.as_bytes());
        }
        if Sha256::of(&bytes) != *policy_ref.digest() {
            return None;
        }
        let bundle = Bundle::from_canonical(&bytes).ok()?;
        Some(bundle.content)
    }
}
