//! Wrapping the keys of sealed records anew, beside the commits.
//!
//! What wraps them is not known here: keys and their ids are bytes and text to the ledger. It keeps
//! one promise about them: once [`Ledger::rest`] has returned, no record is stored any more that was
//! not admitted after the call.

use crate::error::CommitError;
use crate::ledger::Ledger;
use crate::reader::{LogReader, ReadError};
use crate::state::ReadSet;
use crate::store::StoreError;
use countersign_core::document::SealedRecord;
use countersign_core::refs::Sha256;

/// What looks at a sealed record before it is planned to be stored, under the lock, and may change
/// by which key its own is wrapped. It must be short. After a refusal the unit fails as stale.
pub type Admit = dyn Fn(&mut SealedRecord) -> Result<(), NotAdmitted> + Send + Sync;

/// A record must not be stored as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAdmitted;

/// The key of a sealed record as it is wrapped, without what it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Where the store keeps it: records are found in this order, and later ones come after.
    pub place: u64,
    /// The record.
    pub reference: Sha256,
    /// What wraps its key.
    pub key_id: String,
    /// Its key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// Bytes of what it opens.
    pub bytes: u64,
}

/// A key that is wrapped anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWrapping {
    /// The record.
    pub reference: Sha256,
    /// What wrapped its key before. A record for which that is not so any more stays as it is.
    pub before: String,
    /// What wraps it now.
    pub key_id: String,
    /// The key, wrapped.
    pub wrapped_key: Vec<u8>,
}

impl LogReader {
    /// Keys of sealed records that anything but `key_id` wraps: those after the place `after`, at most
    /// `limit`, in order.
    pub fn wrapped_otherwise(
        &self,
        key_id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WrappedKey>, ReadError> {
        Ok(self.store().wrapped_otherwise(key_id, after, limit)?)
    }

    /// The place of the newest sealed record; 0 if there is none.
    pub fn last_sealed(&self) -> Result<u64, ReadError> {
        Ok(self.store().last_sealed()?)
    }
}

impl Ledger {
    /// Lets `admit` look at every sealed record before it is stored, from now on. Set once; later
    /// calls have no effect.
    pub fn admit_by(&self, admit: Box<Admit>) {
        let _ = self.admission().set(admit);
    }

    /// Waits until everything that was planned before this call is stored or has failed.
    pub fn rest(&self) -> Result<(), CommitError> {
        self.commit_urgent(ReadSet::none(), |_| Ok(())).map(|_| ())
    }

    /// Stores keys that were wrapped anew, durably on return; says how many. A record that was
    /// erased meanwhile does not come back. No head changes, and no entry says of it.
    pub fn rewrap(&self, keys: &[NewWrapping]) -> Result<usize, StoreError> {
        if let Some(detail) = self.health().halted {
            return Err(StoreError::Fatal { detail });
        }
        let stored = self.store().rewrap(keys);
        if let Err(StoreError::Fatal { detail }) = &stored {
            self.halt(detail);
        }
        stored
    }

    /// Empties the store's own log of old bytes; false if a reader is in the way.
    pub fn truncate_log(&self) -> Result<bool, ReadError> {
        Ok(self.store().truncate_log()?)
    }
}
