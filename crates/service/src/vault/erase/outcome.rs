//! What came of erasing, and what would come of it.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::ids::EntryId;
use countersign_ledger::StateKey;
use countersign_wire::{Erased, KindCount, RawJson};

use super::Authority;
use crate::vault::condemned::{Condemned, Gone};
use crate::vault::select::Selected;

/// What came of erasing.
#[derive(Default)]
pub(crate) struct ErasedRefs {
    pub(crate) kinds: BTreeMap<&'static str, u64>,
    pub(crate) already: u64,
    pub(crate) held: u64,
    pub(crate) revoked: u64,
    pub(crate) rows: u64,
    pub(crate) entries: Vec<EntryId>,
    /// The last entry, with its proof.
    pub(crate) last: Option<RawJson>,
    /// The rows of pseudonyms that were retired.
    pub(super) retired: BTreeSet<StateKey>,
}

impl ErasedRefs {
    /// What a selection would come to.
    pub(super) fn planned(selected: &Selected, held: usize) -> Self {
        let mut planned = Self {
            already: selected.already,
            held: count(held),
            ..Self::default()
        };
        for record in &selected.records {
            *planned.kinds.entry(record.kind).or_default() += 1;
            planned.rows = planned.rows.saturating_add(count(beside(record)));
        }
        planned
    }

    pub(super) fn add(&mut self, more: Self) {
        for (kind, records) in more.kinds {
            let sum = self.kinds.entry(kind).or_default();
            *sum = sum.saturating_add(records);
        }
        self.already = self.already.saturating_add(more.already);
        self.held = self.held.saturating_add(more.held);
        self.revoked = self.revoked.saturating_add(more.revoked);
        self.rows = self.rows.saturating_add(more.rows);
        self.entries.extend(more.entries);
        self.last = more.last.or(self.last.take());
    }

    /// How many records were erased.
    pub(crate) fn records(&self) -> u64 {
        self.kinds.values().sum()
    }

    /// As whoever asked is told; what was not done is a dry run.
    pub(super) fn answer(self, authority: Option<&Authority>, window_h: u32, left: u64) -> Erased {
        let records = self.records();
        let kinds = self.kinds.into_iter().map(|(kind, records)| KindCount {
            kind: kind.to_owned(),
            records,
        });
        let done = authority.filter(|_| !self.entries.is_empty());
        Erased {
            dry_run: authority.is_none(),
            kinds: kinds.collect(),
            records,
            already: self.already,
            held: self.held,
            turns_revoked: self.revoked,
            rows: self.rows,
            left,
            authority_ref: done.map(|authority| authority.reference.to_string()),
            entries: self.entries.iter().map(EntryId::to_string).collect(),
            log_is_emptied: true,
            window_h,
            entry: self.last,
        }
    }
}

/// The rows that go with a record, but for a turn's, which stays.
pub(super) fn beside(record: &Condemned) -> usize {
    let rows = record.rows.iter();
    rows.filter(|row| !matches!(row, Gone::Turn(_))).count()
}

pub(super) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
