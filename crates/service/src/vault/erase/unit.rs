//! One commit of an erasure: entries, records and rows, in one transaction.

use countersign_core::entry::{self, ErasurePhase, RevocationEffect, RevocationScope};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::LEAF_LIST;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_ledger::{StateKey, Step, StepError};
use countersign_merkle::LeafIndex;

use super::outcome::{ErasedRefs, beside, count};
use super::{By, under_hold};
use crate::state::{
    self, ErasedRow, IdempotencyRow, IntentRow, PendingRow, PseudonymRow, ResultRow, RetiredRow,
    key,
};
use crate::vault::condemned::{Condemned, Gone};
use crate::vault::{hold, subjects};

/// One commit's work.
pub(super) struct Unit {
    pub(super) records: Vec<(Condemned, EntryId)>,
    pub(super) entries: Vec<EntryId>,
    pub(super) by: By,
    pub(super) retired: Vec<StateKey>,
    pub(super) as_of: Option<u64>,
}

impl Unit {
    pub(super) fn erase(&self, step: &mut Step<'_>) -> Result<ErasedRefs, StepError> {
        let mut batch = ErasedRefs::default();
        if self
            .as_of
            .is_some_and(|size| size != step.next_index().get())
        {
            let keys = Vec::new();
            return Err(StepError::Stale { keys });
        }
        let records = self.left(step, &mut batch)?;
        if records.is_empty() {
            return Ok(batch);
        }
        for state_key in &self.retired {
            retire(step, state_key)?;
        }
        step.seal(self.by.authority.record.clone())?;
        for (records, entry_id) in records.chunks(LEAF_LIST).zip(&self.entries) {
            let refs = records.iter().map(|(record, _)| record.reference);
            let body = entry::Erasure {
                phase: ErasurePhase::Requested,
                refs: refs.collect(),
                authority_ref: self.by.authority.reference,
                credential: self.by.credential,
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
        batch: &mut ErasedRefs,
    ) -> Result<Vec<&(Condemned, EntryId)>, StepError> {
        let mut left = Vec::with_capacity(self.records.len());
        let mut held = 0;
        for record in &self.records {
            let reference = record.0.reference;
            if state::read_in::<ErasedRow>(step, &key::erased(&reference))?.is_some() {
                batch.already += 1;
            } else if !hold::held(step, &[reference])?.is_empty() {
                held += 1;
            } else if self.by.credential.is_none() && is_in_force(step, &record.0)? {
                // Nobody is there who could withdraw it.
            } else {
                left.push(record);
            }
        }
        if held > 0 && !self.by.except_held {
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
        batch: &mut ErasedRefs,
    ) -> Result<(), StepError> {
        let reference = record.reference;
        step.erase(reference)?;
        let row = ErasedRow {
            entry,
            at: step.now(),
            credential: self.by.credential,
        };
        state::put(step, key::erased(&reference), &row)?;
        subjects::unlist(step, &reference)?;
        for row in &record.rows {
            match row {
                Gone::Pseudonym(state_key) => unlink(step, state_key, &reference)?,
                Gone::Entity(state_key) => {
                    step.purge(state_key.clone())?;
                    state::put(step, key::directory_erased(), &entry)?;
                }
                Gone::Result(session, index) => erase_result(step, session, *index, entry)?,
                Gone::Answer(state_key) => erase_answer(step, state_key)?,
                Gone::Turn(intent_ref) => {
                    let by = self.by.credential.zip(Some(revocation));
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
    index: LeafIndex,
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
fn erase_answer(step: &mut Step<'_>, state_key: &StateKey) -> Result<(), StepError> {
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

/// From here on nothing new is given the pseudonym; what has it is still found.
fn retire(step: &mut Step<'_>, state_key: &StateKey) -> Result<(), StepError> {
    let Some(row) = state::read_in::<PseudonymRow>(step, state_key)? else {
        return Ok(());
    };
    step.purge(state_key.clone())?;
    let retired = key::retired(state_key);
    let mut rows = state::read_in::<RetiredRow>(step, &retired)?.unwrap_or_default();
    rows.rows.push(row);
    state::put(step, retired, &rows)
}

/// The last that leads from a value to a pseudonym goes.
fn unlink(step: &mut Step<'_>, state_key: &StateKey, meaning: &Sha256) -> Result<(), StepError> {
    let is_it = |row: &PseudonymRow| Sha256::from(row.meaning) == *meaning;
    if state::read_in::<PseudonymRow>(step, state_key)?.is_some_and(|row| is_it(&row)) {
        step.purge(state_key.clone())?;
    }
    let retired = key::retired(state_key);
    let Some(mut rows) = state::read_in::<RetiredRow>(step, &retired)? else {
        return Ok(());
    };
    rows.rows.retain(|row| !is_it(row));
    match rows.rows.is_empty() {
        true => step.purge(retired),
        false => state::put(step, retired, &rows),
    }
}
