//! Opening sealed records: by a `vault-reader`, for a stated purpose, never without an entry, and no
//! more than the bundle in force allows.

use countersign_core::document::{Salt, SealedRecord, Statement, VaultSettings};
use countersign_core::entry::{Role, VaultAccess};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::LEAF_LIST;
use countersign_core::refs::{Sha256, StatementRef};
use countersign_ledger::{Committed, ReadSet, Step, StepError};
use countersign_merkle::LeafIndex;
use countersign_wire::{OpenRequest, Opened, OpeningRequested, RawJson};

use super::{four_eyes, rate};
use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, ErasedRow, OpenedRow, key};
use crate::turns::name;

/// Longest purpose, and longest authority, in bytes.
const PURPOSE_BYTES: usize = 1_024;
/// How often an opening is tried again because another bundle came into force meanwhile.
const TRIES: usize = 4;

/// What became of the wish to open a record.
#[derive(Debug)]
pub enum OpenAnswer {
    /// It is open.
    Opened(Opened),
    /// Two people are needed, and the second one must say yes first.
    Requested(OpeningRequested),
}

/// Records that were opened under one entry.
pub(crate) struct OpenedGroup {
    /// Each record's commitment and canonical JSON.
    pub(crate) records: Vec<(Sha256, Vec<u8>)>,
    /// The entry of the access; none if there was nothing to open.
    pub(crate) access: Option<EntryId>,
}

/// What the bundle in force says of openings, as long as it is in force.
pub(crate) struct Terms {
    pub(crate) settings: VaultSettings,
    /// The caller's credential and the bundle in force.
    pub(crate) reads: ReadSet,
    /// Since when the bundle is in force.
    version: LeafIndex,
}

impl Service {
    /// Opens one record. The access is in the ledger before the content is given. Where two people
    /// are needed, the first call asks, and one with the confirmed request opens.
    pub fn open_record(
        &self,
        caller: &Caller,
        reference: Sha256,
        request: &OpenRequest,
    ) -> Result<OpenAnswer, ServiceError> {
        caller.require(Role::VaultReader)?;
        let record = self
            .ledger
            .sealed(&reference)?
            .ok_or_else(|| self.no_record(&reference))?;
        let (_, entry) = match (&request.purpose, &request.request) {
            (Some(purpose), None) if !request.alone && self.needs_two()? => {
                let asked = self.request_opening(caller, &[reference], purpose)?;
                return Ok(OpenAnswer::Requested(asked));
            }
            (Some(purpose), None) => self.note_access(caller, &[reference], purpose)?,
            (None, Some(request)) => {
                let request = name(request)?;
                self.note_confirmed(caller, reference, request)?
            }
            _ => {
                return Err(ServiceError::malformed(
                    "give either `purpose` or `request`",
                ));
            }
        };
        let bytes = self.unseal(&record, |record| self.vault.open_bytes(record))?;
        Ok(OpenAnswer::Opened(Opened {
            reference: reference.to_string(),
            kind: record.kind,
            document: serde_json::from_slice(&bytes)?,
            entry,
        }))
    }

    /// Opens a group of records under one entry, as canonical JSON; refs that are not there are
    /// left out. Refused where two people are needed.
    pub(crate) fn open_group(
        &self,
        caller: &Caller,
        references: &[Sha256],
        purpose: &str,
    ) -> Result<OpenedGroup, ServiceError> {
        caller.require(Role::VaultReader)?;
        let mut opened = Vec::new();
        for reference in references.iter().take(LEAF_LIST) {
            if let Some(record) = self.ledger.sealed(reference)? {
                opened.push((
                    *reference,
                    self.vault
                        .open_bytes(&record)
                        .map_err(ServiceError::internal)?,
                ));
            }
        }
        let refs: Vec<Sha256> = opened.iter().map(|(reference, _)| *reference).collect();
        // Nothing was opened, so there is no access to note.
        if refs.is_empty() {
            return Ok(OpenedGroup {
                records: opened,
                access: None,
            });
        }
        let (entry_id, _) = self.note_access(caller, &refs, purpose)?;
        Ok(OpenedGroup {
            records: opened,
            access: Some(entry_id),
        })
    }

    /// Refuses to open many records where two people are needed, or where the caller may not open so
    /// many within the hour: before the first of them is opened.
    pub(crate) fn check_openings(
        &self,
        caller: &Caller,
        records: usize,
    ) -> Result<(), ServiceError> {
        let terms = self.terms(caller)?;
        terms.one_is_enough()?;
        let row = state::read::<OpenedRow>(&self.ledger, &key::opened(caller.id()))?;
        let mut row = row.unwrap_or_default();
        let (now, records) = (self.clock.now(), u64::try_from(records).unwrap_or(u64::MAX));
        row.forget(now);
        let refusal = row.refusal(now, records, terms.settings.opened_per_hour);
        refusal.map_or(Ok(()), Err)
    }

    fn note_access(
        &self,
        caller: &Caller,
        refs: &[Sha256],
        purpose: &str,
    ) -> Result<(EntryId, RawJson), ServiceError> {
        let purpose = self.sealed_purpose(purpose)?;
        self.under_terms(caller, |terms| {
            terms.one_is_enough()?;
            self.note(caller, terms, refs.to_vec(), purpose.clone())
        })
    }

    /// Commits an access of a reviewer to the records of a call that waits for an answer, with the
    /// sealed statement of what was shown. It needs no second person: whoever must answer must see
    /// the call, and no other, before its deadline.
    pub(crate) fn note_shown(
        &self,
        caller: &Caller,
        refs: &[Sha256],
        shown: &(StatementRef, SealedRecord),
    ) -> Result<(EntryId, RawJson), ServiceError> {
        self.under_terms(caller, |terms| {
            self.note(caller, terms, refs.to_vec(), shown.clone())
        })
    }

    fn note(
        &self,
        caller: &Caller,
        terms: Terms,
        refs: Vec<Sha256>,
        (purpose_ref, record): (StatementRef, SealedRecord),
    ) -> Result<(EntryId, RawJson), ServiceError> {
        let (entry_id, by) = (self.entry_id(), caller.id());
        let allowed = terms.settings.opened_per_hour;
        let committed = self.ledger.commit(terms.reads, move |step| {
            check_kept(step, &refs)?;
            rate::note_opening(step, by, refs.len(), allowed)?;
            step.push(entry_id, access(refs.clone(), purpose_ref, by))?;
            step.seal(record.clone())
        })?;
        self.noted(entry_id, &committed)
    }

    /// Commits an access with a request that a second person has confirmed, which it uses up.
    fn note_confirmed(
        &self,
        caller: &Caller,
        reference: Sha256,
        request: EntryId,
    ) -> Result<(EntryId, RawJson), ServiceError> {
        self.under_terms(caller, |terms| {
            let (entry_id, by) = (self.entry_id(), caller.id());
            let allowed = terms.settings.opened_per_hour;
            let committed = self.ledger.commit(terms.reads, move |step| {
                let refs = [reference];
                check_kept(step, &refs)?;
                let entry = four_eyes::used(step, request, by, &refs, entry_id)?;
                rate::note_opening(step, by, refs.len(), allowed)?;
                step.push(entry_id, entry).map(drop)
            })?;
            self.noted(entry_id, &committed)
        })
    }

    fn noted<T>(
        &self,
        entry_id: EntryId,
        committed: &Committed<T>,
    ) -> Result<(EntryId, RawJson), ServiceError> {
        self.watcher.wake();
        Ok((entry_id, self.only_entry(committed)?))
    }

    /// Does something under the terms of the bundle in force, again if another one came into force
    /// meanwhile.
    pub(crate) fn under_terms<T>(
        &self,
        caller: &Caller,
        mut act: impl FnMut(Terms) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let mut tries = 0;
        loop {
            let terms = self.terms(caller)?;
            let version = terms.version;
            tries += 1;
            match act(terms) {
                Err(error)
                    if error.code == ErrorCode::Contended
                        && tries < TRIES
                        && self.in_force()?.version != version => {}
                done => return done,
            }
        }
    }

    pub(crate) fn terms(&self, caller: &Caller) -> Result<Terms, ServiceError> {
        let in_force = self.in_force()?;
        let mut reads = caller.reads();
        reads
            .versions
            .push((key::policy_in_force(), Some(in_force.version)));
        Ok(Terms {
            settings: in_force.compiled.settings().vault.clone(),
            reads,
            version: in_force.version,
        })
    }

    fn needs_two(&self) -> Result<bool, ServiceError> {
        Ok(self.in_force()?.compiled.settings().vault.four_eyes)
    }

    /// A purpose as an entry names it.
    pub(crate) fn sealed_purpose(
        &self,
        purpose: &str,
    ) -> Result<(StatementRef, SealedRecord), ServiceError> {
        self.sealed_words("a purpose", purpose)
    }

    /// What somebody states in words, as an entry names it.
    pub(crate) fn sealed_words(
        &self,
        what: &str,
        words: &str,
    ) -> Result<(StatementRef, SealedRecord), ServiceError> {
        let words = words.trim();
        if words.is_empty() || words.len() > PURPOSE_BYTES {
            return Err(ServiceError::malformed(format!(
                "{what} is stated in 1 to {PURPOSE_BYTES} bytes"
            )));
        }
        // What a reviewer was shown is such a statement, and nobody else's words pass for it.
        if words.starts_with('{') {
            let detail = format!("{what} is stated in words");
            return Err(ServiceError::malformed(detail));
        }
        let statement = Statement {
            tenant: self.tenant.clone(),
            text: words.to_owned(),
            salt: Salt::fresh(&*self.random),
        };
        Ok(self.vault.seal(&statement, &*self.random)?)
    }
}

impl Terms {
    /// Refuses an opening by one person alone where two are needed.
    pub(crate) fn one_is_enough(&self) -> Result<(), ServiceError> {
        if !self.settings.four_eyes {
            return Ok(());
        }
        Err(ServiceError::new(
            ErrorCode::SecondReader,
            "two people are needed to open a record, and this way of opening knows only one: open \
             records one by one, each with a confirmed request",
        ))
    }
}

/// Refuses what was erased since it was read.
pub(crate) fn check_kept(step: &Step<'_>, refs: &[Sha256]) -> Result<(), StepError> {
    for reference in refs {
        if let Some(row) = state::read_in::<ErasedRow>(step, &key::erased(reference))? {
            let detail = format!("`{reference}` was erased");
            let erased = ServiceError::new(ErrorCode::Erased, detail).recorded(row.entry);
            return Err(StepError::refused(erased));
        }
    }
    Ok(())
}

/// The entry of an opening by one person.
fn access(refs: Vec<Sha256>, purpose_ref: StatementRef, credential: CredentialId) -> VaultAccess {
    VaultAccess {
        refs,
        purpose_ref,
        credential,
        phase: None,
        request: None,
    }
}
