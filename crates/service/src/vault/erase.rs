//! Erasing: the keys of live records are destroyed, with the rows that lead to them.
//!
//! Everything of one commit is in one transaction: the entries of the erasure, the records, the rows,
//! and the end of turns that were in force. What is erased already is passed over, so a request that
//! was cut off is simply made again. Older backups open the records until the erasure is complete.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::SealedRecord;
use countersign_core::entry::{self, ErasurePhase, RevocationEffect, RevocationScope, Role};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::LEAF_LIST;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, Sha256, StatementRef};
use countersign_ledger::{ReadSet, Step, StepError};
use countersign_wire::{EraseRequest, Erased, KindCount, RawJson};

use super::condemned::{Condemned, Gone};
use super::{hold, subjects};
use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{
    self, ErasedRow, HoldRow, IdempotencyRow, IntentRow, PendingRow, ResultRow, key,
};

/// Most records that one request erases.
const ERASED_AT_ONCE: usize = 8_192;
/// Most entries of an erasure in one commit, each of [`LEAF_LIST`] records at most.
const TOGETHER: usize = 4;

/// On whose authority something is erased: one statement for all entries of a request.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) reference: StatementRef,
    pub(crate) record: SealedRecord,
}

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
}

/// What came of one commit.
#[derive(Default)]
struct Batch {
    kinds: BTreeMap<&'static str, u64>,
    already: u64,
    held: u64,
    revoked: u64,
    rows: u64,
    entries: Vec<EntryId>,
}

/// One commit's work.
struct Unit {
    records: Vec<(Condemned, EntryId)>,
    entries: Vec<EntryId>,
    authority: Authority,
    credential: Option<CredentialId>,
    except_held: bool,
}

impl Service {
    /// Erases what is selected, or says what that would be.
    pub fn erase(&self, caller: &Caller, request: &EraseRequest) -> Result<Erased, ServiceError> {
        caller.require(Role::Admin)?;
        let authority = self.erasing_authority(&request.authority)?;
        let selected = self.selected(&request.selection)?;
        let mut answer = Erased {
            dry_run: request.dry_run,
            kinds: Vec::new(),
            records: 0,
            already: selected.already,
            held: 0,
            turns_revoked: 0,
            rows: 0,
            left: 0,
            entries: Vec::new(),
            authority_ref: None,
            log_is_emptied: true,
            window_h: self.in_force()?.compiled.settings().vault.erasure_window_h,
            entry: None,
        };
        let mut records = selected.records;
        let all = records.len();
        let mut held = BTreeSet::new();
        for record in &records {
            if self.is_held(&record.reference)? {
                held.insert(record.reference);
            }
        }
        if request.except_held {
            records.retain(|record| !held.contains(&record.reference));
        }
        let held = held.len();
        if request.dry_run {
            answer.held = count(held);
            let mut kinds = BTreeMap::<_, u64>::new();
            for record in &records {
                *kinds.entry(record.kind).or_default() += 1;
                answer.rows = answer.rows.saturating_add(count(beside(record)));
            }
            answer.count(kinds);
            return Ok(answer);
        }
        if held > 0 && !request.except_held {
            return Err(under_hold(held));
        }
        let (by, reads) = (Some(caller.id()), caller.reads());
        let (records, left) = records.split_at(records.len().min(ERASED_AT_ONCE));
        answer.left = count(left.len());
        let done = self.erase_refs(records, &authority, by, &reads, request.except_held)?;
        answer.already = answer.already.saturating_add(done.already);
        answer.held = count(all.saturating_sub(records.len()).saturating_sub(left.len()));
        answer.held = answer.held.saturating_add(done.held);
        answer.turns_revoked = done.revoked;
        answer.rows = done.rows;
        answer.count(done.kinds);
        if !done.entries.is_empty() {
            answer.authority_ref = Some(authority.reference.to_string());
        }
        answer.entries = done.entries.iter().map(EntryId::to_string).collect();
        answer.entry = done.last;
        // Also when all was erased before: that request may have been cut off here.
        answer.log_is_emptied = self.ledger.truncate_log()?;
        Ok(answer)
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
        let records = self.with_answers(records)?;
        let mut done = ErasedRefs::default();
        for records in records.chunks(LEAF_LIST.saturating_mul(TOGETHER)) {
            let unit = Unit {
                records: records
                    .iter()
                    .map(|record| (record.clone(), self.entry_id()))
                    .collect(),
                entries: (0..TOGETHER).map(|_| self.entry_id()).collect(),
                authority: authority.clone(),
                credential,
                except_held,
            };
            let committed = self
                .ledger
                .commit(reads.clone(), move |step| unit.erase(step))?;
            self.forget(records);
            done.add(&committed.value);
            if !committed.value.entries.is_empty() {
                done.last = Some(self.only_entry(&committed)?);
                self.watcher.wake();
            }
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

    fn is_held(&self, reference: &Sha256) -> Result<bool, ServiceError> {
        let row = state::read::<HoldRow>(&self.ledger, &key::hold(reference))?;
        Ok(row.is_some_and(|row| !row.holds.is_empty()))
    }

    /// The records with the idempotency keys under which their calls were answered.
    fn with_answers(&self, records: &[Condemned]) -> Result<Vec<Condemned>, ServiceError> {
        let mut records = records.to_vec();
        let mut calls: BTreeMap<EntryId, usize> = BTreeMap::new();
        for (n, record) in records.iter().enumerate() {
            if let (Some(entry), "call") = (record.entry, record.kind) {
                calls.insert(entry, n);
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

impl Unit {
    fn erase(&self, step: &mut Step<'_>) -> Result<Batch, StepError> {
        let mut batch = Batch::default();
        let records = self.left(step, &mut batch)?;
        if records.is_empty() {
            return Ok(batch);
        }
        step.seal(self.authority.record.clone())?;
        for (records, entry_id) in records.chunks(LEAF_LIST).zip(&self.entries) {
            let refs = records.iter().map(|(record, _)| record.reference);
            let body = entry::Erasure {
                phase: ErasurePhase::Requested,
                refs: refs.collect(),
                authority_ref: self.authority.reference,
                credential: self.credential,
                epoch: None,
            };
            for (record, revocation) in records {
                self.erase_one(step, record, (*entry_id, *revocation), &mut batch)?;
            }
            let pending = PendingRow { at: step.now() };
            step.push(*entry_id, body)?;
            state::put(step, key::erasure_pending(*entry_id), &pending)?;
            batch.entries.push(*entry_id);
        }
        Ok(batch)
    }

    /// Those that are there and may be erased.
    fn left(
        &self,
        step: &Step<'_>,
        batch: &mut Batch,
    ) -> Result<Vec<&(Condemned, EntryId)>, StepError> {
        let mut left = Vec::with_capacity(self.records.len());
        let mut held = 0;
        for record in &self.records {
            let reference = record.0.reference;
            if state::read_in::<ErasedRow>(step, &key::erased(&reference))?.is_some() {
                batch.already += 1;
            } else if !hold::held(step, &[reference])?.is_empty() {
                held += 1;
            } else if self.credential.is_none() && is_in_force(step, &record.0)? {
                // Nobody is there who could withdraw it.
            } else {
                left.push(record);
            }
        }
        if held > 0 && !self.except_held {
            return Err(StepError::refused(under_hold(held)));
        }
        batch.held = count(held);
        Ok(left)
    }

    fn erase_one(
        &self,
        step: &mut Step<'_>,
        record: &Condemned,
        (entry, revocation): (EntryId, EntryId),
        batch: &mut Batch,
    ) -> Result<(), StepError> {
        let reference = record.reference;
        step.erase(reference)?;
        let row = ErasedRow {
            entry,
            at: step.now(),
            credential: self.credential,
        };
        state::put(step, key::erased(&reference), &row)?;
        subjects::unlist(step, &reference)?;
        for row in &record.rows {
            match row {
                Gone::Purged(state_key) => step.purge(state_key.clone())?,
                Gone::Entity(state_key) => {
                    step.purge(state_key.clone())?;
                    state::put(step, key::directory_erased(), &entry)?;
                }
                Gone::Result(session, index) => erase_result(step, session, *index, entry)?,
                Gone::Answer(state_key) => erase_answer(step, state_key)?,
                Gone::Turn(intent_ref) => {
                    let by = self.credential.zip(Some(revocation));
                    batch.revoked += u64::from(withdraw(step, *intent_ref, by)?);
                }
            }
        }
        batch.rows = batch.rows.saturating_add(count(beside(record)));
        *batch.kinds.entry(record.kind).or_default() += 1;
        Ok(())
    }
}

/// Later calls of the session are judged without it.
fn erase_result(
    step: &mut Step<'_>,
    session: &Pseudonym,
    index: countersign_merkle::LeafIndex,
    entry: EntryId,
) -> Result<(), StepError> {
    let state_key = key::result(session, index.get());
    step.purge(state_key)?;
    state::put(step, key::erased_results(session), &entry)?;
    // What is being judged rests on it.
    let newest = key::newest_result(session);
    match state::read_in::<ResultRow>(step, &newest)? {
        Some(row) => state::put(step, newest, &row),
        None => Ok(()),
    }
}

/// Whoever asks again under the key learns that it was erased, and nothing is done twice.
fn erase_answer(
    step: &mut Step<'_>,
    state_key: &countersign_ledger::StateKey,
) -> Result<(), StepError> {
    let Some(mut row) = state::read_in::<IdempotencyRow>(step, state_key)? else {
        return Ok(());
    };
    row.body = None;
    state::put(step, state_key.clone(), &row)
}

fn is_in_force(step: &Step<'_>, record: &Condemned) -> Result<bool, StepError> {
    for row in &record.rows {
        if let Gone::Turn(intent_ref) = row {
            let row = state::read_in::<IntentRow>(step, &key::intent(intent_ref))?;
            if row.is_some_and(|row| !row.revoked && step.now() < row.expires_at) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Ends a turn that is in force: nothing can be done in the name of what nobody can read any more.
fn withdraw(
    step: &mut Step<'_>,
    intent_ref: IntentRef,
    by: Option<(CredentialId, EntryId)>,
) -> Result<bool, StepError> {
    let state_key = key::intent(&intent_ref);
    let row = state::read_in::<IntentRow>(step, &state_key)?;
    let row = row.filter(|row| !row.revoked && step.now() < row.expires_at);
    let (Some(mut row), Some((credential, entry_id))) = (row, by) else {
        return Ok(false);
    };
    let body = entry::Revocation {
        scope: RevocationScope::Turn,
        effect: RevocationEffect::Stop,
        intent_ref: Some(intent_ref),
        actor: None,
        credential,
    };
    step.push(entry_id, body)?;
    row.revoked = true;
    state::put(step, state_key, &row)?;
    Ok(true)
}

impl ErasedRefs {
    fn add(&mut self, batch: &Batch) {
        for (kind, records) in &batch.kinds {
            let sum = self.kinds.entry(kind).or_default();
            *sum = sum.saturating_add(*records);
        }
        self.already = self.already.saturating_add(batch.already);
        self.held = self.held.saturating_add(batch.held);
        self.revoked = self.revoked.saturating_add(batch.revoked);
        self.rows = self.rows.saturating_add(batch.rows);
        self.entries.extend(&batch.entries);
    }

    /// How many records were erased.
    pub(crate) fn records(&self) -> u64 {
        self.kinds.values().sum()
    }
}

/// The counts of an answer.
trait Counted {
    fn count(&mut self, kinds: BTreeMap<&'static str, u64>);
}

impl Counted for Erased {
    fn count(&mut self, kinds: BTreeMap<&'static str, u64>) {
        self.records = kinds.values().sum();
        let kinds = kinds.into_iter().map(|(kind, records)| KindCount {
            kind: kind.to_owned(),
            records,
        });
        self.kinds = kinds.collect();
    }
}

/// The rows that go with a record, but for a turn's, which stays.
fn beside(record: &Condemned) -> usize {
    let rows = record.rows.iter();
    rows.filter(|row| !matches!(row, Gone::Turn(_))).count()
}

fn under_hold(records: usize) -> ServiceError {
    let detail = format!(
        "{records} of the selected records are under legal hold: nothing was erased. Release the \
         holds, or leave these records out with `except_held`"
    );
    ServiceError::new(ErrorCode::Held, detail)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
