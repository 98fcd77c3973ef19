//! The rows that entries of the vault give: erasures, holds, openings by two people.

use countersign_core::entry::{
    AccessPhase, Entry, Erasure, ErasurePhase, Hold, HoldChange, VaultAccess,
};
use countersign_merkle::LeafIndex;

use super::Folded;
use crate::history::HistoryFold;
use crate::state::{ConfirmedRow, ErasedRow, HoldPlacedRow, OpeningRow, PendingRow, key};

impl Folded {
    pub(super) fn erasure(&mut self, index: LeafIndex, entry: &Entry, body: &Erasure) {
        let first = body.refs.first().copied();
        if body.phase != ErasurePhase::Requested {
            let requested = first.and_then(|first| self.pending.remove(&first));
            if let Some(requested) = requested {
                self.gone(index, key::erasure_pending(requested));
            }
            return;
        }
        // A record is erased once, so its first one tells an erasure from all others.
        if let Some(first) = first {
            let at = entry.timestamp;
            self.pending.insert(first, entry.entry_id);
            self.put(
                index,
                key::erasure_pending(entry.entry_id),
                &PendingRow { at },
            );
        }
        for reference in &body.refs {
            let row = ErasedRow {
                entry: entry.entry_id,
                at: entry.timestamp,
                credential: body.credential,
            };
            self.put_first(index, key::erased(reference), &row);
            let Some(session) = self.results.remove(reference) else {
                continue;
            };
            self.put(index, key::erased_results(&session), &entry.entry_id);
            // What was being judged on the results is judged again.
            let newest = key::newest_result(&session);
            if let Some(expected) = self.rows.get_mut(newest.as_str()) {
                expected.at = index;
            }
        }
    }

    pub(super) fn hold(&mut self, index: LeafIndex, entry: &Entry, body: &Hold) {
        let id = entry.entry_id;
        match (body.change, body.links.hold) {
            (HoldChange::Placed, _) => {
                for reference in &body.refs {
                    let (at, row) = self.holds.entry(*reference).or_default();
                    *at = index;
                    row.holds.push(id);
                }
                let row = HoldPlacedRow {
                    entry: id,
                    authority_ref: body.authority_ref,
                    credential: body.credential,
                    at: entry.timestamp,
                    refs: body.refs.clone(),
                };
                self.placed.insert(id, (index, row));
            }
            (HoldChange::Lifted, Some(placed)) => {
                for reference in &body.refs {
                    if let Some((at, row)) = self.holds.get_mut(reference) {
                        *at = index;
                        row.holds.retain(|hold| *hold != placed);
                    }
                }
                if let Some((at, row)) = self.placed.get_mut(&placed) {
                    *at = index;
                    row.refs.retain(|reference| !body.refs.contains(reference));
                }
            }
            (HoldChange::Lifted, None) => {}
        }
    }

    /// What became of an opening that needs two people.
    pub(super) fn access(
        &mut self,
        index: LeafIndex,
        entry: &Entry,
        body: &VaultAccess,
        history: &HistoryFold,
    ) {
        let id = entry.entry_id;
        if body.phase == Some(AccessPhase::Requested) {
            let within = self
                .in_force
                .map_or(0, |bundle| history.second_reader_s(&bundle));
            let within = i64::from(within).saturating_mul(1_000);
            let row = OpeningRow {
                credential: body.credential,
                refs: body.refs.clone(),
                purpose_ref: body.purpose_ref,
                at: entry.timestamp,
                until: entry.timestamp.plus_millis(within),
                confirmed: None,
                opened: None,
            };
            self.openings.insert(id, (index, row));
            return;
        }
        let asked = body
            .request
            .and_then(|request| self.openings.get_mut(&request));
        let Some((at, row)) = asked else { return };
        *at = index;
        match body.phase {
            Some(_) => {
                row.confirmed = Some(ConfirmedRow {
                    entry: id,
                    credential: body.credential,
                });
            }
            None => row.opened = Some(id),
        }
    }
}
