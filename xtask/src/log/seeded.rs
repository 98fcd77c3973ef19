//! A clock and randomness that come out the same each time.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use countersign_core::random::Random;
use countersign_core::time::{Clock, Timestamp};
use sha2::{Digest as _, Sha256};

/// When a seeded log begins: 2026-01-01T00:00:00Z.
const BEGINNING_MS: i64 = 1_767_225_600_000;

/// Bytes that follow from a seed and from what was drawn before. Keys made from it are no secret.
pub(crate) struct SeededRandom {
    seed: u64,
    drawn: AtomicU64,
    // Two draws at once would share the counter in an order that nobody knows.
    drawing: Mutex<()>,
}

/// A clock that stands until it is moved on.
pub(crate) struct SteppedClock(AtomicI64);

impl SeededRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: AtomicU64::new(0),
            drawing: Mutex::new(()),
        }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let _drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        for block in bytes.chunks_mut(32) {
            let n = self.drawn.fetch_add(1, Ordering::Relaxed);
            let digest = Sha256::new()
                .chain_update(b"countersign/xtask-log/v1\n")
                .chain_update(self.seed.to_be_bytes())
                .chain_update(n.to_be_bytes())
                .finalize();
            for (byte, drawn) in block.iter_mut().zip(digest) {
                *byte = drawn;
            }
        }
    }
}

impl SteppedClock {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(BEGINNING_MS))
    }

    pub(crate) fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}
