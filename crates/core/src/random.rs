//! Randomness as an injected trait.

/// A source of random bytes that are fit for keys and salts.
pub trait Random: Send + Sync {
    /// Fills the whole slice. An implementation that cannot must not return.
    fn fill(&self, bytes: &mut [u8]);
}

/// 32 random bytes from `random`.
pub fn bytes32(random: &dyn Random) -> [u8; 32] {
    let mut bytes = [0u8; 32];
    random.fill(&mut bytes);
    bytes
}
