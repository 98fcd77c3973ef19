//! Chance that comes out the same for the same seed.

use std::sync::{Mutex, PoisonError};

use countersign_core::ids::EntryId;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::random::{Random, bytes32};
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use fastrand::Rng;

/// A seeded source of chance. What is drawn from it is no secret.
pub(super) struct Dice(Mutex<Rng>);

impl Clone for Dice {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.with(|rng| rng.clone())))
    }
}

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        self.with(|rng| rng.fill(bytes));
    }
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(Rng::with_seed(seed)))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Evenly from 0 up to, and without, 1.
    pub(super) fn share(&self) -> f64 {
        self.with(Rng::f64)
    }

    pub(super) fn chance(&self, of: f64) -> bool {
        self.share() < of
    }

    /// Evenly between two numbers.
    pub(super) fn between(&self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.share()
    }

    /// Evenly between two moments or lengths, in milliseconds.
    pub(super) fn millis(&self, from: i64, to: i64) -> i64 {
        self.with(|rng| rng.i64(from..=to.max(from)))
    }

    pub(super) fn below(&self, count: usize) -> usize {
        self.with(|rng| rng.usize(..count.max(1)))
    }

    /// How often something comes up before it fails, which it does with this chance; at most `most`.
    pub(super) fn times(&self, fails: f64, most: usize) -> usize {
        (0..most).take_while(|_| !self.chance(fails)).count()
    }

    /// Log-normal: half of what is drawn lies below the median.
    pub(super) fn around(&self, median: f64, sigma: f64) -> f64 {
        // Box and Muller's way to a normal number.
        let (u, v) = (1.0 - self.share(), self.share());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        median * (sigma * normal).exp()
    }

    /// A place in a list of which each is drawn the less the further back it stands (Zipf).
    pub(super) fn rank(&self, count: usize) -> usize {
        let drawn = ((count + 1) as f64).powf(self.share()) as usize;
        drawn.saturating_sub(1).min(count.saturating_sub(1))
    }

    pub(super) fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    pub(super) fn ranked<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.rank(from.len()))
    }

    pub(super) fn id(&self, at: Timestamp) -> EntryId {
        EntryId::fresh(at, self)
    }

    pub(super) fn pseudonym(&self) -> Pseudonym {
        Pseudonym::fresh(self)
    }

    pub(super) fn digest(&self) -> Sha256 {
        Sha256::from_bytes(bytes32(self))
    }
}
