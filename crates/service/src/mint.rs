//! What new ids, salts and tokens are made with.

use countersign_core::ids::EntryId;
use countersign_core::random::Random;
use countersign_core::time::Clock;
use countersign_vault::TokenHasher;

use crate::Service;

/// The clock, the randomness and the token hasher of a log, also before it has begun.
#[derive(Clone, Copy)]
pub(crate) struct Mint<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) random: &'a dyn Random,
    pub(crate) tokens: &'a TokenHasher,
}

impl Mint<'_> {
    /// A fresh entry id.
    pub(crate) fn entry_id(&self) -> EntryId {
        EntryId::fresh(self.clock.now(), self.random)
    }
}

impl Service {
    pub(crate) fn mint(&self) -> Mint<'_> {
        Mint {
            clock: &*self.clock,
            random: &*self.random,
            tokens: &self.tokens,
        }
    }
}
