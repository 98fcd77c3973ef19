//! Records that are selected by their refs, and what leads to them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{Changeset, Document as _, PseudonymMeaning};
use countersign_core::entry::AnyEntry;
use countersign_core::refs::Sha256;

use super::{Gathering, READ};
use crate::error::ServiceError;
use crate::state::{DirectoryRow, PseudonymRow, key};
use crate::turns::name;
use crate::vault::condemned::{Condemned, Gone, kind_named, records_of};

/// Most refs that one selection lists.
const SELECTED_REFS: usize = 1_024;

impl Gathering<'_> {
    /// Records by their refs: with the rows that go with them, where an entry names them.
    pub(super) fn refs(&mut self, refs: &[String]) -> Result<(), ServiceError> {
        if refs.is_empty() || refs.len() > SELECTED_REFS {
            let detail = format!(
                "`refs` lists {} refs; allowed are 1 to {SELECTED_REFS}",
                refs.len()
            );
            return Err(ServiceError::malformed(detail));
        }
        let mut left = BTreeMap::new();
        for text in refs {
            let reference: Sha256 = name(text)?;
            let record = self.service.ledger.sealed(&reference)?;
            let erased = self.service.ledger.state(&key::erased(&reference))?;
            if record.is_none() && erased.is_none() {
                return Err(ServiceError::not_found(format!(
                    "sealed record `{reference}`"
                )));
            }
            let kind = record.map_or("other", |record| kind_named(&record.kind));
            left.insert(reference, kind);
        }
        self.named_by_entries(&mut left)?;
        for (reference, kind) in left {
            self.add(Condemned::new(reference, kind, None))?;
        }
        self.rows_of_bare()
    }

    /// Goes through the log from its end for the entries that name records.
    fn named_by_entries(
        &mut self,
        left: &mut BTreeMap<Sha256, &'static str>,
    ) -> Result<(), ServiceError> {
        // Nothing in the log names these.
        let is_named = |kind: &str| kind != PseudonymMeaning::KIND;
        let mut end = self.service.ledger.size().get();
        while end > 0 && left.values().any(|kind| is_named(kind)) {
            let start = end.saturating_sub(READ as u64);
            for stored in self.service.ledger.leaves(start..end)? {
                let text = String::from_utf8_lossy(&stored.bytes);
                if !left.keys().any(|it| text.contains(&it.to_string())) {
                    continue;
                }
                let AnyEntry::Known(entry) = AnyEntry::from_leaf(&stored.bytes)? else {
                    continue;
                };
                for record in records_of(stored.index, &entry) {
                    if left.remove(&record.reference).is_some() {
                        self.add(record)?;
                    }
                }
            }
            end = start;
        }
        Ok(())
    }

    /// The rows that lead to records which no entry names: pseudonyms and entities of the directory.
    fn rows_of_bare(&mut self) -> Result<(), ServiceError> {
        let meanings = self.of_kind(PseudonymMeaning::KIND);
        let mut rows = Vec::new();
        if !meanings.is_empty() {
            self.service
                .each_row::<PseudonymRow>(key::PSEUDONYMS, |state_key, row| {
                    let meaning = Sha256::from(row.meaning);
                    if meanings.contains(&meaning) {
                        rows.push((meaning, Gone::Pseudonym(state_key.clone())));
                    }
                })?;
        }
        self.with_rows(rows);
        self.rows_of_changes()
    }

    fn of_kind(&self, kind: &str) -> BTreeSet<Sha256> {
        let records = self.records.values().filter(|record| record.kind == kind);
        records.map(|record| record.reference).collect()
    }

    /// The entities of the directory that selected changes are about.
    pub(in crate::vault) fn rows_of_changes(&mut self) -> Result<(), ServiceError> {
        let changes = self.of_kind(Changeset::KIND);
        let mut rows = Vec::new();
        if !changes.is_empty() {
            self.service
                .each_row::<DirectoryRow>(key::DIRECTORY_ENTITIES, |state_key, row| {
                    if changes.contains(&row.sealed) {
                        rows.push((row.sealed, Gone::Entity(state_key.clone())));
                    }
                })?;
        }
        self.with_rows(rows);
        Ok(())
    }

    fn with_rows(&mut self, rows: Vec<(Sha256, Gone)>) {
        for (reference, row) in rows {
            if let Some(record) = self.records.remove(&reference) {
                self.records.insert(reference, record.with(row));
            }
        }
    }
}
