//! Opening sealed records: by a `vault-reader`, for a stated purpose, and never without an entry.

use countersign_core::document::{Salt, SealedRecord, Statement};
use countersign_core::entry::{Role, VaultAccess};
use countersign_core::ids::EntryId;
use countersign_core::limits::LEAF_LIST;
use countersign_core::refs::{Sha256, StatementRef};
use countersign_wire::{OpenRequest, Opened, RawJson};

use crate::Service;
use crate::caller::Caller;
use crate::error::ServiceError;

/// Longest purpose, in bytes.
const PURPOSE_BYTES: usize = 1_024;

/// Records that were opened under one entry.
pub(crate) struct OpenedGroup {
    /// Each record's commitment and canonical JSON.
    pub(crate) records: Vec<(Sha256, Vec<u8>)>,
    /// The entry of the access; none if there was nothing to open.
    pub(crate) access: Option<EntryId>,
}

impl Service {
    /// Opens one record. The access is in the ledger before the content is given.
    pub fn open_record(
        &self,
        caller: &Caller,
        reference: Sha256,
        request: &OpenRequest,
    ) -> Result<Opened, ServiceError> {
        caller.require(Role::VaultReader)?;
        let record = self
            .ledger
            .sealed(&reference)?
            .ok_or_else(|| ServiceError::not_found(format!("sealed record `{reference}`")))?;
        let bytes = self
            .vault
            .open_bytes(&record)
            .map_err(ServiceError::internal)?;
        let (_, entry) = self.note_access(caller, vec![reference], &request.purpose)?;
        Ok(Opened {
            reference: reference.to_string(),
            kind: record.kind,
            document: serde_json::from_slice(&bytes)?,
            entry,
        })
    }

    /// Opens a group of records under one entry, as canonical JSON; refs that are not there are
    /// left out.
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
        let (entry_id, _) = self.note_access(caller, refs, purpose)?;
        Ok(OpenedGroup {
            records: opened,
            access: Some(entry_id),
        })
    }

    fn note_access(
        &self,
        caller: &Caller,
        refs: Vec<Sha256>,
        purpose: &str,
    ) -> Result<(EntryId, RawJson), ServiceError> {
        self.note_purpose(caller, refs, self.sealed_purpose(purpose)?)
    }

    /// Commits an access to these records, with the sealed statement of what it was for.
    pub(crate) fn note_purpose(
        &self,
        caller: &Caller,
        refs: Vec<Sha256>,
        (purpose_ref, record): (StatementRef, SealedRecord),
    ) -> Result<(EntryId, RawJson), ServiceError> {
        let entry_id = self.entry_id();
        let entry = VaultAccess {
            refs,
            purpose_ref,
            credential: caller.id(),
            phase: None,
            request: None,
        };
        let committed = self.ledger.commit(caller.reads(), move |step| {
            step.push(entry_id, entry.clone())?;
            step.seal(record.clone())
        })?;
        self.watcher.wake();
        Ok((entry_id, self.only_entry(&committed)?))
    }

    /// A purpose as an entry names it.
    pub(crate) fn sealed_purpose(
        &self,
        purpose: &str,
    ) -> Result<(StatementRef, SealedRecord), ServiceError> {
        let purpose = purpose.trim();
        if purpose.is_empty() || purpose.len() > PURPOSE_BYTES {
            return Err(ServiceError::malformed(format!(
                "a purpose is stated in 1 to {PURPOSE_BYTES} bytes"
            )));
        }
        // What a reviewer was shown is such a statement, and nobody else's words pass for it.
        if purpose.starts_with('{') {
            return Err(ServiceError::malformed("a purpose is stated in words"));
        }
        let statement = Statement {
            tenant: self.tenant.clone(),
            text: purpose.to_owned(),
            salt: Salt::fresh(&*self.random),
        };
        Ok(self.vault.seal(&statement, &*self.random)?)
    }
}
