//! Openings that need two people: one asks, another says yes within a time, the first opens once.
//!
//! Each of the three is an entry (`vault-access`). What lies between them is a row, and is looked at
//! under the lock.

use countersign_core::document::Statement;
use countersign_core::entry::{AccessPhase, Role, VaultAccess};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_ledger::{Step, StepError};
use countersign_wire::{OpeningConfirmed, OpeningRequested, OpeningView};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, ConfirmedRow, CredentialRow, OpeningRow, key};

impl Service {
    /// Asks for an opening. Nothing is opened.
    pub(super) fn request_opening(
        &self,
        caller: &Caller,
        refs: &[Sha256],
        purpose: &str,
    ) -> Result<OpeningRequested, ServiceError> {
        caller.require(Role::VaultReader)?;
        let (purpose_ref, record) = self.sealed_purpose(purpose)?;
        let request = self.entry_id();
        let (committed, until) = self.under_terms(caller, |terms| {
            let (by, within) = (caller.id(), i64::from(terms.settings.second_reader_s));
            let (refs, record) = (refs.to_vec(), record.clone());
            let committed = self.ledger.commit(terms.reads, move |step| {
                let row = OpeningRow {
                    credential: by,
                    refs: refs.clone(),
                    purpose_ref,
                    at: step.now(),
                    until: step.now().plus_millis(within.saturating_mul(1_000)),
                    confirmed: None,
                    opened: None,
                };
                step.push(request, row.entry(by, AccessPhase::Requested, None))?;
                step.seal(record.clone())?;
                state::put(step, key::opening(request), &row)?;
                Ok(row.until)
            })?;
            let until = committed.value;
            Ok((committed, until))
        })?;
        self.watcher.wake();
        Ok(OpeningRequested {
            request: request.to_string(),
            refs: texts(refs),
            until: until.to_string(),
            entry: self.only_entry(&committed)?,
        })
    }

    /// An opening that somebody asked for: what the second person needs to see before saying yes.
    /// The purpose is what the first one says to the second, and no record of the request is opened.
    pub fn opening_asked_for(
        &self,
        caller: &Caller,
        request: EntryId,
    ) -> Result<OpeningView, ServiceError> {
        caller.require(Role::VaultReader)?;
        let row = state::read::<OpeningRow>(&self.ledger, &key::opening(request))?;
        let row = row.ok_or_else(|| not_requested(request))?;
        let purpose = self.ledger.sealed(row.purpose_ref.digest())?;
        let purpose = purpose
            .map(|record| self.vault.open::<Statement>(&record))
            .transpose()
            .map_err(ServiceError::internal)?;
        Ok(OpeningView {
            request: request.to_string(),
            state: row.state(self.clock.now()).to_owned(),
            refs: texts(&row.refs),
            credential: row.credential.to_string(),
            purpose: purpose.map(|statement| statement.text),
            requested_at: row.at.to_string(),
            until: row.until.to_string(),
            confirmed_by: row.confirmed.map(|by| by.credential.to_string()),
            opened: row.opened.map(|entry| entry.to_string()),
        })
    }

    /// Says yes to an opening that another person asked for.
    pub fn confirm_opening(
        &self,
        caller: &Caller,
        request: EntryId,
    ) -> Result<OpeningConfirmed, ServiceError> {
        caller.require(Role::VaultReader)?;
        let (entry_id, confirming) = (self.entry_id(), caller.clone());
        let committed = self.ledger.commit(caller.reads(), move |step| {
            let mut row = asked(step, request)?;
            if let Some(refusal) = row.refused(step, &confirming)? {
                return Err(StepError::refused(refusal));
            }
            let by = confirming.id();
            step.push(
                entry_id,
                row.entry(by, AccessPhase::Confirmed, Some(request)),
            )?;
            row.confirmed = Some(ConfirmedRow {
                entry: entry_id,
                credential: by,
            });
            state::put(step, key::opening(request), &row)?;
            Ok(row)
        })?;
        self.watcher.wake();
        let row = &committed.value;
        Ok(OpeningConfirmed {
            request: request.to_string(),
            refs: texts(&row.refs),
            until: row.until.to_string(),
            entry: self.only_entry(&committed)?,
        })
    }
}

/// Uses a confirmed request up within the plan: the entry of the opening, if it may be.
pub(super) fn used(
    step: &mut Step<'_>,
    request: EntryId,
    by: CredentialId,
    refs: &[Sha256],
    opened: EntryId,
) -> Result<VaultAccess, StepError> {
    let mut row = asked(step, request)?;
    if let Some(refusal) = row.unusable(step, by, refs)? {
        return Err(StepError::refused(refusal));
    }
    row.opened = Some(opened);
    state::put(step, key::opening(request), &row)?;
    Ok(VaultAccess {
        refs: refs.to_vec(),
        purpose_ref: row.purpose_ref,
        credential: by,
        phase: None,
        request: Some(request),
    })
}

impl OpeningRow {
    fn entry(
        &self,
        credential: CredentialId,
        phase: AccessPhase,
        request: Option<EntryId>,
    ) -> VaultAccess {
        VaultAccess {
            refs: self.refs.clone(),
            purpose_ref: self.purpose_ref,
            credential,
            phase: Some(phase),
            request,
        }
    }

    fn state(&self, now: Timestamp) -> &'static str {
        match self {
            Self {
                opened: Some(_), ..
            } => "opened",
            _ if now >= self.until => "expired",
            Self {
                confirmed: Some(_), ..
            } => "confirmed",
            _ => "requested",
        }
    }

    /// Why somebody may not say yes to it, if so.
    fn refused(&self, step: &Step<'_>, caller: &Caller) -> Result<Option<ServiceError>, StepError> {
        let second = |detail: &str| Some(ServiceError::new(ErrorCode::SecondReader, detail));
        if let Some(confirmed) = &self.confirmed {
            let detail = format!("the request was confirmed by `{}`", confirmed.entry);
            return Ok(Some(ServiceError::new(ErrorCode::Conflict, detail)));
        }
        if let Some(late) = self.late(step) {
            return Ok(Some(late));
        }
        if caller.id() == self.credential {
            return Ok(second(
                "the credential that asked cannot confirm: another person does",
            ));
        }
        let Some(first) = in_force(step, self.credential)? else {
            let detail = "the credential that asked was revoked";
            return Ok(Some(ServiceError::new(ErrorCode::Conflict, detail)));
        };
        if first.principal.is_some() && first.principal == caller.principal() {
            return Ok(second(
                "both credentials are of one person: another person confirms",
            ));
        }
        Ok(None)
    }

    /// Why these records may not be opened with it, if so.
    fn unusable(
        &self,
        step: &Step<'_>,
        by: CredentialId,
        refs: &[Sha256],
    ) -> Result<Option<ServiceError>, StepError> {
        let conflict = |detail: String| Some(ServiceError::new(ErrorCode::Conflict, detail));
        if self.credential != by {
            let detail = "the request is another credential's: who asked opens";
            return Ok(Some(ServiceError::new(ErrorCode::OutOfBounds, detail)));
        }
        if let Some(opened) = self.opened {
            return Ok(conflict(format!("the request was used up by `{opened}`")));
        }
        if let Some(late) = self.late(step) {
            return Ok(Some(late));
        }
        let Some(confirmed) = &self.confirmed else {
            let detail = format!(
                "nobody has confirmed the request yet; it can be confirmed until {}",
                self.until
            );
            return Ok(Some(ServiceError::new(ErrorCode::SecondReader, detail)));
        };
        if in_force(step, confirmed.credential)?.is_none() {
            return Ok(conflict(
                "the credential that confirmed was revoked since".to_owned(),
            ));
        }
        let other = refs.iter().find(|it| !self.refs.contains(it));
        Ok(other.and_then(|it| conflict(format!("the request is not for the record `{it}`"))))
    }

    fn late(&self, step: &Step<'_>) -> Option<ServiceError> {
        (step.now() >= self.until).then(|| {
            let detail = format!("the request ended at {}: ask again", self.until);
            ServiceError::new(ErrorCode::Conflict, detail)
        })
    }
}

fn asked(step: &Step<'_>, request: EntryId) -> Result<OpeningRow, StepError> {
    let row = state::read_in::<OpeningRow>(step, &key::opening(request))?;
    row.ok_or_else(|| StepError::refused(not_requested(request)))
}

/// The credential, if it was not revoked.
fn in_force(step: &Step<'_>, id: CredentialId) -> Result<Option<CredentialRow>, StepError> {
    let row = state::read_in::<CredentialRow>(step, &key::credential(id))?;
    Ok(row.filter(|row| !row.revoked))
}

fn not_requested(request: EntryId) -> ServiceError {
    ServiceError::not_found(format!("request for an opening `{request}`"))
}

fn texts(refs: &[Sha256]) -> Vec<String> {
    refs.iter().map(Sha256::to_string).collect()
}
