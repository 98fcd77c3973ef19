//! The system's randomness.

use countersign_core::random::Random;

/// Random bytes from the system, by way of aws-lc's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// Ends the process if the system has no randomness: whatever went on would go on with keys
    /// that can be guessed.
    fn fill(&self, bytes: &mut [u8]) {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::random::bytes32;

    #[test]
    fn two_draws_differ() {
        assert_ne!(bytes32(&SystemRandom), bytes32(&SystemRandom));
        assert_ne!(bytes32(&SystemRandom), [0; 32]);
    }
}
