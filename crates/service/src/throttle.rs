//! Requests that were refused for being too many: counted, and committed as one entry per window.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
        let mut counts = self.counts();
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

    fn counts(&self) -> MutexGuard<'_, HashMap<CredentialId, Count>> {
        let counts = self.throttle.counts.lock();
        counts.unwrap_or_else(PoisonError::into_inner)
    }

    fn put_back<'a>(&self, left: impl Iterator<Item = &'a (CredentialId, Count)>) {
        let mut counts = self.counts();
        for (credential, count) in left {
            let newer = counts.entry(*credential).or_insert(Count {
                requests: 0,
                ..*count
            });
            newer.since = newer.since.min(count.since);
            newer.until = newer.until.max(count.until);
            newer.requests = newer.requests.saturating_add(count.requests);
        }
    }

    /// Commits what was counted since the last time: one entry per credential.
    pub fn flush_throttled(&self) -> Result<usize, ServiceError> {
        let counts: Vec<(CredentialId, Count)> = self.counts().drain().collect();
        for (done, (credential, count)) in counts.iter().enumerate() {
            let entry_id = self.entry_id();
            let (credential, count) = (*credential, *count);
            let committed = self.ledger.commit(ReadSet::none(), move |step| {
                let entry = Throttled {
                    credential,
                    // The clock may have been put back a little since.
                    since: count.since.min(step.now()),
                    until: count.until.min(step.now()),
                    requests: count.requests,
                };
                step.push(entry_id, entry).map(drop)
            });
            if let Err(error) = committed {
                self.put_back(counts.iter().skip(done));
                return Err(error.into());
            }
        }
        Ok(counts.len())
    }
}
