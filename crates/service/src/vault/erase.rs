//! Erasing: the keys of live records are destroyed, with the rows that lead to them.
//!
//! Everything of one commit is in one transaction: the entries of the erasure, the records, the rows,
//! and the end of turns that were in force. What is erased already is passed over, so a request that
//! was cut off is simply made again. Older backups open the records until the erasure is complete.
//!
//! Pseudonyms of a person are retired first: what is judged meanwhile gets others, or is judged again.
//! What has the old ones is looked for until there is none; then what they stood for goes.

mod outcome;
mod unit;

pub(crate) use outcome::ErasedRefs;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{Call, Document as _, PseudonymMeaning, SealedRecord};
use countersign_core::entry::{AnyEntry, Body, Role};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::LEAF_LIST;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{Sha256, StatementRef};
use countersign_ledger::{ReadSet, StateKey};
use countersign_wire::{EraseRequest, Erased};

use self::outcome::count;
use self::unit::Unit;
use super::condemned::{Condemned, Gone};
use super::select::Selected;
use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, ErasedRow, HoldRow, IdempotencyRow, key};

/// Most records that one request erases.
const ERASED_AT_ONCE: usize = 8_192;
/// How often a selection is looked for again within one request, for what came in meanwhile.
const PASSES: usize = 16;
/// Most entries of an erasure in one commit, each of [`LEAF_LIST`] records at most.
const TOGETHER: usize = 4;

/// On whose authority something is erased: one statement for all entries of a request.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) reference: StatementRef,
    pub(crate) record: SealedRecord,
}

/// On whose authority, by whom, and what becomes of what is held.
#[derive(Clone)]
struct By {
    authority: Authority,
    credential: Option<CredentialId>,
    reads: ReadSet,
    except_held: bool,
}

impl Service {
    /// Erases what is selected, or says what that would be.
    pub fn erase(&self, caller: &Caller, request: &EraseRequest) -> Result<Erased, ServiceError> {
        caller.require(Role::Admin)?;
        let by = By {
            authority: self.erasing_authority(&request.authority)?,
            credential: Some(caller.id()),
            reads: caller.reads(),
            except_held: request.except_held,
        };
        let window_h = self.in_force()?.compiled.settings().vault.erasure_window_h;
        let mut done = ErasedRefs::default();
        if request.dry_run {
            let mut selected = self.selected(&request.selection)?;
            let held = self.leave_held(&mut selected)?;
            let planned = ErasedRefs::planned(&selected, held);
            return Ok(planned.answer(None, window_h, 0));
        }
        let mut left = None;
        for _ in 0..PASSES {
            let as_of = self.ledger.size().get();
            // Only once: who goes on acting on the person does not keep this going.
            let selected = match done.entries.is_empty() {
                true => self.selected(&request.selection)?,
                false => self.stragglers(&request.selection, &done.retired)?,
            };
            left = self.erase_pass(selected, as_of, &by, &mut done)?;
            if left.is_some() {
                break;
            }
        }
        // Also when all was erased before: that request may have been cut off here.
        let is_emptied = self.ledger.truncate_log()?;
        // Who asks again finds what came in meanwhile.
        let mut answer = done.answer(Some(&by.authority), window_h, left.unwrap_or(1));
        answer.log_is_emptied = is_emptied;
        Ok(answer)
    }

    /// Erases what is selected now; nothing if what came in meanwhile must be looked for again, or
    /// else how many records are left for another request.
    fn erase_pass(
        &self,
        mut selected: Selected,
        as_of: u64,
        by: &By,
        done: &mut ErasedRefs,
    ) -> Result<Option<u64>, ServiceError> {
        let held = self.leave_held(&mut selected)?;
        if held > 0 && !by.except_held {
            return Err(under_hold(held));
        }
        if done.entries.is_empty() {
            (done.held, done.already) = (count(held), selected.already);
        }
        let (links, records): (Vec<_>, Vec<_>) = selected
            .records
            .into_iter()
            .partition(|record| record.kind == PseudonymMeaning::KIND);
        let before = usize::try_from(done.records()).unwrap_or(usize::MAX);
        let room = ERASED_AT_ONCE.saturating_sub(before);
        let (now, later) = records.split_at(records.len().min(room));
        if !records.is_empty() {
            // From here on nothing new has the old pseudonyms.
            done.add(self.erase_some(now, by, &selected.links, None)?);
            done.retired.extend(selected.links);
            let is_full = now.is_empty() || !later.is_empty();
            return Ok(is_full.then(|| count(later.len())));
        }
        // What is under hold keeps its names.
        if links.is_empty() || done.held > 0 {
            return Ok(Some(0));
        }
        let as_of = (!selected.links.is_empty()).then_some(as_of);
        match self.erase_some(&links, by, &[], as_of) {
            Ok(linked) => done.add(linked),
            // Something came in meanwhile that may have them.
            Err(error) if error.code == ErrorCode::Contended => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(Some(0))
    }

    /// The statement on whose authority something is erased.
    pub(crate) fn erasing_authority(&self, words: &str) -> Result<Authority, ServiceError> {
        let (reference, record) = self.sealed_words("an authority", words)?;
        Ok(Authority { reference, record })
    }

    /// Erases records, some in each commit. A turn in force is withdrawn by `credential`; without
    /// one it is left.
    pub(crate) fn erase_refs(
        &self,
        records: &[Condemned],
        authority: &Authority,
        credential: Option<CredentialId>,
        reads: &ReadSet,
        except_held: bool,
    ) -> Result<ErasedRefs, ServiceError> {
        let by = By {
            authority: authority.clone(),
            credential,
            reads: reads.clone(),
            except_held,
        };
        self.erase_some(records, &by, &[], None)
    }

    /// The same; the first commit retires these pseudonyms. With `as_of`, nothing is done if the log
    /// has grown since.
    fn erase_some(
        &self,
        records: &[Condemned],
        by: &By,
        retired: &[StateKey],
        as_of: Option<u64>,
    ) -> Result<ErasedRefs, ServiceError> {
        let records = self.with_answers(records)?;
        let mut done = ErasedRefs::default();
        let batches = records.chunks(LEAF_LIST.saturating_mul(TOGETHER));
        for (n, records) in batches.enumerate() {
            let unit = Unit {
                records: records
                    .iter()
                    .map(|record| (record.clone(), self.entry_id()))
                    .collect(),
                entries: (0..TOGETHER).map(|_| self.entry_id()).collect(),
                by: by.clone(),
                retired: if n == 0 { retired.to_vec() } else { Vec::new() },
                as_of: as_of.filter(|_| n == 0),
            };
            let reads = by.reads.clone();
            let committed = self.ledger.commit(reads, move |step| unit.erase(step))?;
            self.forget(records);
            if !committed.value.entries.is_empty() {
                done.last = Some(self.only_entry(&committed)?);
                self.watcher.wake();
            }
            done.add(committed.value);
        }
        Ok(done)
    }

    /// What is said of a record that was erased; nothing if it was not.
    pub(crate) fn erasure_of(
        &self,
        reference: &Sha256,
    ) -> Result<Option<ServiceError>, ServiceError> {
        let row = state::read::<ErasedRow>(&self.ledger, &key::erased(reference))?;
        let Some(row) = row else { return Ok(None) };
        let pending = self.ledger.state(&key::erasure_pending(row.entry))?;
        let phase = match pending.is_some_and(|found| found.value.is_some()) {
            true => "requested: backups of before may still open it",
            false => "complete",
        };
        let by = row.credential.map_or_else(
            || "the retention that the bundle states".to_owned(),
            |id| format!("the credential `{id}`"),
        );
        let detail = format!(
            "the content of `{reference}` was erased at {} by {by}, as entry `{}` says ({phase})",
            row.at, row.entry
        );
        Ok(Some(
            ServiceError::new(ErrorCode::Erased, detail).recorded(row.entry),
        ))
    }

    /// A record that is not there: erased, or never was.
    pub(crate) fn no_record(&self, reference: &Sha256) -> ServiceError {
        match self.erasure_of(reference) {
            Ok(Some(erased)) => erased,
            Ok(None) => ServiceError::not_found(format!("sealed record `{reference}`")),
            Err(error) => error,
        }
    }

    /// Takes out what is under hold; how many records that are.
    fn leave_held(&self, selected: &mut Selected) -> Result<usize, ServiceError> {
        let all = selected.records.len();
        let mut held = BTreeSet::new();
        for record in &selected.records {
            let row = state::read::<HoldRow>(&self.ledger, &key::hold(&record.reference))?;
            if row.is_some_and(|row| !row.holds.is_empty()) {
                held.insert(record.reference);
            }
        }
        selected
            .records
            .retain(|record| !held.contains(&record.reference));
        Ok(all.saturating_sub(selected.records.len()))
    }

    /// The records with the idempotency keys under which their calls were answered.
    fn with_answers(&self, records: &[Condemned]) -> Result<Vec<Condemned>, ServiceError> {
        let mut records = records.to_vec();
        let mut calls: BTreeMap<EntryId, usize> = BTreeMap::new();
        for (n, record) in records.iter().enumerate() {
            let mut judged = record.entry.filter(|_| record.kind == Call::KIND);
            // A call that a person was asked about is judged again under another entry.
            while let Some(entry) = judged.filter(|entry| !calls.contains_key(entry)) {
                calls.insert(entry, n);
                judged = match self.known_entry(entry)? {
                    Some((_, AnyEntry::Known(entry))) => match &entry.body {
                        Body::Decision(body) => body.links.resolves.or(body.links.shadows),
                        _ => None,
                    },
                    _ => None,
                };
            }
        }
        if calls.is_empty() {
            return Ok(records);
        }
        self.each_row::<IdempotencyRow>(key::ANSWERS, |state_key, row| {
            let of = calls.get(&row.entry).filter(|_| row.body.is_some());
            if let Some(record) = of.and_then(|n| records.get_mut(*n)) {
                record.rows.push(Gone::Answer(state_key.clone()));
            }
        })?;
        Ok(records)
    }

    /// Drops what is kept open of these records.
    fn forget(&self, records: &[Condemned]) {
        let gone: BTreeSet<Sha256> = records.iter().map(|record| record.reference).collect();
        self.intents.forget(|key| gone.contains(key.digest()));
        self.intent_rows
            .forget(|(key, _)| gone.contains(key.digest()));
        self.results.forget(|(key, _)| gone.contains(key.digest()));
        let results = records.iter().flat_map(|record| &record.rows);
        let sessions: BTreeSet<Pseudonym> = results
            .filter_map(|row| match row {
                Gone::Result(session, _) => Some(*session),
                _ => None,
            })
            .collect();
        if !sessions.is_empty() {
            self.seen.forget(|(session, _)| sessions.contains(session));
        }
    }
}

fn under_hold(records: usize) -> ServiceError {
    let detail = format!(
        "{records} of the selected records are under legal hold: nothing was erased. Release the \
         holds, or leave these records out with `except_held`"
    );
    ServiceError::new(ErrorCode::Held, detail)
}
