//! How the service fares, for those who watch over it.

use countersign_ledger::limits::CLOCK_BEHIND_MS;
use countersign_publish::Status;

use crate::Service;

/// How the service fares. It can decide if it did not halt and its clock is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceHealth {
    /// How many entries the log holds.
    pub size: u64,
    /// How many units of work wait for the sequencer.
    pub waiting: usize,
    /// Whether only stops, revocations and keys are committed, for want of room on the disk.
    pub is_short_of_room: bool,
    /// Why the ledger stopped for good, if it did.
    pub halted: Option<String>,
    /// By how many milliseconds the clock is behind the log's head, if that is more than is borne.
    pub clock_behind_ms: Option<i64>,
    /// Whether the detectors could not go on when they last tried: nobody is told of a pattern then.
    pub is_unwatched: bool,
    /// How publishing fares, if something is published.
    pub publication: Option<Status>,
}

impl Service {
    /// How the service fares. Reads no storage.
    pub fn health(&self) -> ServiceHealth {
        let ledger = self.ledger.health();
        let behind = self.ledger.head().time().millis_since(self.clock.now());
        ServiceHealth {
            size: ledger.size.get(),
            waiting: ledger.waiting,
            is_short_of_room: ledger.is_short_of_room,
            halted: ledger.halted,
            clock_behind_ms: (behind > CLOCK_BEHIND_MS).then_some(behind),
            is_unwatched: self.watcher.is_stuck(),
            publication: self.publication_status(),
        }
    }
}
