//! Randomness that was drawn before the plan.

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_core::document::{Document as _, Facts};
use countersign_core::json::CanonicalError;
use countersign_core::random::Random;
use countersign_core::refs::Sha256;

/// A stream of bytes made of a secret seed and the document that they are for: a plan that runs twice
/// does the same, and two documents never share a key and a nonce.
pub(super) struct Seeded {
    key: Sha256,
    drawn: AtomicU64,
}

impl Seeded {
    pub(super) fn new(seed: [u8; 32], facts: &Facts) -> Result<Self, CanonicalError> {
        let mut text = seed.to_vec();
        text.extend_from_slice(facts.canonical()?.as_bytes());
        Ok(Self {
            key: Sha256::of(&text),
            drawn: AtomicU64::new(0),
        })
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let number = self.drawn.fetch_add(1, Ordering::Relaxed);
            let mut text = self.key.as_bytes().to_vec();
            text.extend_from_slice(&number.to_be_bytes());
            let block = Sha256::of(&text);
            for (byte, from) in chunk.iter_mut().zip(block.as_bytes()) {
                *byte = *from;
            }
        }
    }
}
