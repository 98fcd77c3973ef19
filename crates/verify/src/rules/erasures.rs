//! Erasures: each is complete once, after it was requested, with the epoch of keys that ended.

use std::collections::HashMap;

use countersign_core::entry::{Erasure, ErasurePhase};
use countersign_core::refs::{Sha256, StatementRef};

use crate::report::{At, Check};

/// Erasures that are not complete, and how far epochs of keys have ended.
#[derive(Default)]
pub(crate) struct Erasures {
    /// By their first record, which is erased once.
    pending: HashMap<Sha256, (Vec<Sha256>, StatementRef)>,
    epoch: u32,
}

impl Erasures {
    pub(crate) fn erasure(&mut self, at: &mut At<'_>, body: &Erasure) {
        let first = body.refs.first();
        match body.phase {
            ErasurePhase::Requested => {
                let found = format_args!("`epoch` {:?} where keys have not ended", body.epoch);
                at.require(body.epoch.is_none(), Check::Erasure, found, "none");
                if let Some(first) = first {
                    let erasure = (body.refs.clone(), body.authority_ref);
                    self.pending.insert(*first, erasure);
                }
            }
            ErasurePhase::Complete => {
                let requested = first.and_then(|first| self.pending.remove(first));
                let is_requested = requested.is_some_and(|(refs, authority)| {
                    refs == body.refs && authority == body.authority_ref
                });
                let found = "an erasure that was not requested so, or is complete already";
                let expected = "the records and the authority of one that was requested";
                at.require(is_requested, Check::Erasure, found, expected);
                let epoch = body.epoch.unwrap_or(0);
                let is_later = epoch > 0 && epoch >= self.epoch;
                let found = format_args!("`epoch` {epoch}");
                let expected = format_args!("an epoch, {} or later", self.epoch.max(1));
                at.require(is_later, Check::Erasure, found, expected);
                self.epoch = self.epoch.max(epoch);
            }
        }
    }
}
