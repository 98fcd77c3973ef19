//! Exporting the log for those who check it offline, with the documents that the caller may open.

use countersign_core::entry::{AnyEntry, Body, Role};
use countersign_core::refs::Sha256;

use crate::Service;
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::state::{self, ErasedRow, key};

/// How many documents are opened under one entry.
const OPENED_TOGETHER: usize = countersign_core::limits::LEAF_LIST;

/// Told how far an export has come.
pub trait ExportProgress {
    /// `done` of `total` steps of `what` are done.
    fn step(&self, what: &str, done: u64, total: u64);
}

impl Service {
    /// The sealed documents that entries refer to, opened for an export: `(ref, canonical JSON)`.
    /// They are opened in groups, and each group is an entry before it is given.
    pub fn open_documents(
        &self,
        caller: &Caller,
        purpose: &str,
        progress: &dyn ExportProgress,
        mut take: impl FnMut(Sha256, Vec<u8>) -> std::io::Result<()>,
    ) -> Result<u64, ServiceError> {
        caller.require(Role::VaultReader)?;
        let mut refs = Vec::new();
        for reference in self.document_refs()? {
            if state::read::<ErasedRow>(&self.ledger, &key::erased(&reference))?.is_none() {
                refs.push(reference);
            }
        }
        self.check_openings(caller, refs.len())?;
        let total = u64::try_from(refs.len()).unwrap_or(u64::MAX);
        let mut done = 0u64;
        for group in refs.chunks(OPENED_TOGETHER) {
            for (reference, bytes) in self.open_group(caller, group, purpose)?.records {
                take(reference, bytes).map_err(ServiceError::internal)?;
                done = done.saturating_add(1);
            }
            progress.step("documents", done, total);
        }
        Ok(done)
    }

    /// Every ref of an intent, call, facts, reasoning, result, changeset, or of what was shown for a
    /// review, that stands in an entry.
    fn document_refs(&self) -> Result<Vec<Sha256>, ServiceError> {
        let size = self.ledger.size().get();
        let mut refs = Vec::new();
        let mut from = 0;
        while from < size {
            let leaves = self
                .ledger
                .leaves(from..size.min(from.saturating_add(1_000)))?;
            for stored in &leaves {
                if let Some(body) = AnyEntry::from_leaf(&stored.bytes)?.body() {
                    refs.extend(refs_of(body));
                }
            }
            from = from.saturating_add(1_000);
        }
        let mut seen = std::collections::BTreeSet::new();
        refs.retain(|reference| seen.insert(*reference));
        Ok(refs)
    }
}

fn refs_of(body: &Body) -> Vec<Sha256> {
    match body {
        Body::Intent(intent) => vec![intent.intent_ref.into()],
        Body::Decision(decision) => [
            decision.call_ref.map(Sha256::from),
            decision.facts_ref.map(Sha256::from),
            decision.reasoning_ref.map(Sha256::from),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Body::Review(review) => vec![review.shown_ref.into()],
        Body::Directory(directory) => vec![directory.changeset_ref.into()],
        Body::Execution(execution) => execution.result_ref.map(Sha256::from).into_iter().collect(),
        _ => Vec::new(),
    }
}
