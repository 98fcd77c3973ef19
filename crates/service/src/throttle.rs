//! Requests that were refused for being too many: counted, and committed as one entry per window.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use countersign_core::entry::Throttled;
use countersign_core::ids::CredentialId;
use countersign_core::time::Timestamp;
use countersign_ledger::ReadSet;

use crate::Service;
use crate::error::ServiceError;

/// Most credentials that are counted at once; there are never more than are granted.
const COUNTED: usize = 10_000;

/// Counts of refused requests that are not in the ledger yet.
#[derive(Default)]
pub(crate) struct Throttle {
    counts: Mutex<HashMap<CredentialId, Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    since: Timestamp,
    until: Timestamp,
    requests: u64,
}

impl Service {
    /// Notes a request of a credential that was refused because it asks too often.
    pub fn note_throttled(&self, credential: CredentialId) {
        let now = self.clock.now();
        let mut counts = self
            .throttle
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= COUNTED && !counts.contains_key(&credential) {
            return;
        }
        let count = counts.entry(credential).or_insert(Count {
            since: now,
            until: now,
            requests: 0,
        });
        count.until = count.until.max(now);
        count.requests = count.requests.saturating_add(1);
    }

    /// Commits what was counted since the last time: one entry per credential.
    pub fn flush_throttled(&self) -> Result<usize, ServiceError> {
        let counts: Vec<(CredentialId, Count)> = {
            let mut counts = self
                .throttle
                .counts
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            counts.drain().collect()
        };
        for (credential, count) in &counts {
            let entry_id = self.entry_id();
            let entry = Throttled {
                credential: *credential,
                since: count.since,
                until: count.until,
                requests: count.requests,
            };
            self.ledger.commit(ReadSet::none(), move |step| {
                step.push(entry_id, entry.clone()).map(drop)
            })?;
        }
        Ok(counts.len())
    }
}
