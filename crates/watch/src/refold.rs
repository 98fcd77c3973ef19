//! The same fold for anybody who holds the log: with nothing but its leaves.

use std::collections::BTreeMap;

use countersign_core::document::{Bundle, Document as _, DocumentError, WatchSettings};
use countersign_core::entry::{AnyEntry, Body, Policy, PolicyPhase};
use countersign_core::limits::BUNDLE_BYTES;
use countersign_core::refs::{PolicyRef, Sha256};

use crate::draft::FlagDraft;
use crate::watch::Watch;

/// A watch over a log that was written by somebody else. It takes the settings from the bundles in
/// the log, and says which flags the log holds that do not come of its entries, and which of those
/// that do are missing.
#[derive(Debug, Clone, Default)]
pub struct Refold {
    watch: Watch,
    pieces: BTreeMap<Sha256, Vec<u8>>,
    settings: BTreeMap<PolicyRef, WatchSettings>,
    /// What was drafted and not met yet.
    expected: Vec<Body>,
}

/// Why a log cannot be folded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefoldError {
    /// A bundle comes into force that the log does not hold.
    #[error("the bundle `{policy_ref}` came into force at entry {index}, and is not in the log")]
    NoBundle {
        /// Where it came into force.
        index: u64,
        /// The bundle.
        policy_ref: PolicyRef,
    },
    /// What the log holds of a bundle is no bundle.
    #[error("the bundle that was stored at entry {index} cannot be read: {source}")]
    Bundle {
        /// Where it was stored.
        index: u64,
        /// What is wrong with it.
        source: DocumentError,
    },
}

/// What an entry is, held against the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It is no flag, or what people did with one.
    Fact,
    /// It is a flag, an update or an end that comes of the entries before it.
    Found,
    /// It is one that does not.
    Unfounded,
}

impl Refold {
    /// A fold that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the entry at `index`.
    pub fn observe(&mut self, index: u64, entry: &AnyEntry) -> Result<Held, RefoldError> {
        match entry.body() {
            Some(Body::Part(part)) => {
                let bytes = part.bytes.as_bytes().to_vec();
                self.pieces.insert(part.bytes.digest(), bytes);
            }
            Some(Body::Policy(policy)) => self.policy(index, policy)?,
            _ => {}
        }
        // What the time of this entry brings is expected before it is looked at.
        let drafts = self.watch.observe(index, entry);
        self.expected.extend(drafts.into_iter().map(Body::from));
        Ok(entry.body().map_or(Held::Fact, |body| self.hold(body)))
    }

    /// The flags, updates and ends that the entries call for and the log does not hold. Those of the
    /// newest entries may still be on their way.
    pub fn missing(&self) -> Vec<FlagDraft> {
        self.watch.outstanding()
    }

    fn policy(&mut self, index: u64, policy: &Policy) -> Result<(), RefoldError> {
        if policy.phase == PolicyPhase::Stored {
            let mut bytes = Vec::new();
            for piece in &policy.parts {
                let piece = self.pieces.get(piece).map_or(&[][..], Vec::as_slice);
                if bytes.len().saturating_add(piece.len()) <= BUNDLE_BYTES {
                    bytes.extend_from_slice(piece);
                }
            }
            let bundle = Bundle::from_canonical(&bytes);
            let bundle = bundle.map_err(|source| RefoldError::Bundle { index, source })?;
            let watch = bundle.content.settings.watch;
            self.settings.insert(policy.policy_ref, watch);
        }
        if policy.phase == PolicyPhase::InForce {
            let policy_ref = policy.policy_ref;
            let settings = self.settings.get(&policy_ref).cloned();
            let settings = settings.ok_or(RefoldError::NoBundle { index, policy_ref })?;
            self.watch.set_policy(policy_ref, settings);
        }
        Ok(())
    }

    fn hold(&mut self, body: &Body) -> Held {
        let by_people = match body {
            Body::Flag(_) => false,
            Body::FlagUpdate(update) => update.credential.is_some(),
            Body::FlagClose(close) => close.credential.is_some(),
            _ => true,
        };
        if by_people {
            return Held::Fact;
        }
        match self.expected.iter().position(|expected| expected == body) {
            Some(at) => {
                self.expected.swap_remove(at);
                Held::Found
            }
            None => Held::Unfounded,
        }
    }
}
