//! The rows of history made from the leaves alone, with the same result as those that grew with
//! the log.
//!
//! A log that this version began keeps its rows from the first entry on. One that an earlier version
//! began has none, and no row that says that it has: then they are made at the start, held in memory,
//! and written some at a time with the decisions that follow.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use countersign_core::document::{Bundle, Document as _, ESCALATION_TTL_S, SECOND_READER_S};
use countersign_core::entry::{AnyEntry, Body, Entry, PolicyPhase};
use countersign_core::history::{self, Counter, MemoryRows};
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_ledger::{LogReader, StateKey, Step, StepError};
use countersign_merkle::LeafIndex;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ServiceError;
use crate::state::{self, HistoryRow, key};

/// Entries that are read at once.
const READ: u64 = 1_024;
/// Rows that are written with one decision.
const CARRIED: usize = 256;

/// Follows the entries, and gives the rows that they come to.
#[derive(Default)]
pub(crate) struct HistoryFold {
    rows: MemoryRows,
    parts: HashMap<Sha256, LeafIndex>,
    counters: HashMap<PolicyRef, Vec<Counter>>,
    /// How long escalations stay open, of bundles that say so, in seconds.
    escalations: HashMap<PolicyRef, u32>,
    /// How long openings wait for the second person, of bundles that say so, in seconds.
    second_readers: HashMap<PolicyRef, u32>,
}

impl HistoryFold {
    /// Follows the next entry. `part` reads the entry at an index again.
    pub(crate) fn fold(
        &mut self,
        index: LeafIndex,
        entry: &Entry,
        part: &dyn Fn(LeafIndex) -> Option<AnyEntry>,
    ) {
        match &entry.body {
            Body::Part(body) => {
                self.parts.entry(body.bytes.digest()).or_insert(index);
            }
            Body::Policy(policy) if policy.phase == PolicyPhase::Stored => {
                let bundle = self.bundle(&policy.parts, part);
                if let Some(settings) = bundle.as_ref().map(|it| &it.content.settings) {
                    let (ttl_s, second_s) =
                        (settings.escalation_ttl_s, settings.vault.second_reader_s);
                    if ttl_s != ESCALATION_TTL_S {
                        self.escalations.insert(policy.policy_ref, ttl_s);
                    }
                    if second_s != SECOND_READER_S {
                        self.second_readers.insert(policy.policy_ref, second_s);
                    }
                }
                let counters = bundle.map(|bundle| Counter::all(&bundle.content.counters));
                let counters = counters.unwrap_or_default();
                if !counters.is_empty() {
                    self.counters.insert(policy.policy_ref, counters);
                }
            }
            Body::Decision(decision) => {
                self.rows.at(index.get());
                let counters = self.counters.get(&decision.policy_ref);
                let counters = counters.map_or(&[] as &[Counter], Vec::as_slice);
                let Ok(()) = history::apply(decision, counters, entry.timestamp, &mut self.rows);
            }
            _ => {}
        }
    }

    /// How long an escalation stays open under a bundle that was met, in seconds.
    pub(crate) fn escalation_ttl_s(&self, policy: &PolicyRef) -> u32 {
        let stated = self.escalations.get(policy);
        stated.copied().unwrap_or(ESCALATION_TTL_S)
    }

    /// How long an opening waits for its second person under a bundle that was met, in seconds.
    pub(crate) fn second_reader_s(&self, policy: &PolicyRef) -> u32 {
        let stated = self.second_readers.get(policy);
        stated.copied().unwrap_or(SECOND_READER_S)
    }

    /// The rows, each with the entry that changed it last.
    pub(crate) fn rows(self) -> BTreeMap<String, (u64, Value)> {
        self.rows.into_rows()
    }

    fn bundle(
        &self,
        parts: &[Sha256],
        part: &dyn Fn(LeafIndex) -> Option<AnyEntry>,
    ) -> Option<Bundle> {
        let mut bytes = Vec::new();
        for digest in parts {
            let entry = part(*self.parts.get(digest)?)?;
            let Some(Body::Part(body)) = entry.body() else {
                return None;
            };
            bytes.extend_from_slice(body.bytes.as_bytes());
        }
        Bundle::from_canonical(&bytes).ok()
    }
}

/// Rows that were made from the leaves and may not be written yet.
pub(crate) struct Rebuilt {
    /// Whether there was nothing to be made.
    is_kept: bool,
    rows: BTreeMap<String, Value>,
}

impl Rebuilt {
    /// What is to be made at the start: nothing, for a log that keeps its rows.
    pub(crate) fn of(ledger: &LogReader) -> Result<Self, ServiceError> {
        let found = state::read::<HistoryRow>(ledger, &key::history())?;
        if found.is_some_and(|row| row.carried.is_none()) {
            let rows = BTreeMap::new();
            return Ok(Self {
                is_kept: true,
                rows,
            });
        }
        let size = ledger.size().get();
        let mut fold = HistoryFold::default();
        let mut next = 0;
        let part = |index| {
            let leaf = ledger.leaf(index).ok().flatten()?;
            AnyEntry::from_leaf(&leaf.bytes).ok()
        };
        while next < size {
            let leaves = ledger.leaves(next..size.min(next.saturating_add(READ)))?;
            if leaves.is_empty() {
                return Err(ServiceError::internal(
                    "the log has fewer entries than its head says",
                ));
            }
            for leaf in leaves {
                next = leaf.index.get().saturating_add(1);
                if let AnyEntry::Known(entry) = AnyEntry::from_leaf(&leaf.bytes)? {
                    fold.fold(leaf.index, &entry, &part);
                }
            }
        }
        let rows = fold.rows().into_iter();
        let rows = rows.map(|(key, (_, row))| (key, row)).collect();
        tracing::info!(
            entries = size,
            "what earlier decisions amount to was made anew"
        );
        Ok(Self {
            is_kept: false,
            rows,
        })
    }

    pub(super) fn read<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        T::deserialize(self.rows.get(key)?).ok()
    }

    /// Writes the next of the rows, and in the end that all are written.
    pub(super) fn carry(&self, step: &mut Step<'_>) -> Result<(), StepError> {
        if self.is_kept {
            return Ok(());
        }
        let after = match state::read_in::<HistoryRow>(step, &key::history())? {
            Some(HistoryRow { carried: None }) => return Ok(()),
            Some(HistoryRow { carried }) => carried,
            None => None,
        };
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut left = self.rows.range::<String, _>((from, Bound::Unbounded));
        let mut last = None;
        for (row_key, row) in left.by_ref().take(CARRIED) {
            let state_key = StateKey::new(row_key.clone());
            // What was changed since is newer.
            if step.state(&state_key)?.is_none() {
                state::put(step, state_key, row)?;
            }
            last = Some(row_key.clone());
        }
        let carried = last.filter(|_| left.next().is_some());
        state::put(step, key::history(), &HistoryRow { carried })
    }
}
