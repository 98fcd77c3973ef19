//! The directory: what policies may know of contacts, accounts and users.

use std::collections::BTreeMap;

use countersign_core::document::{Changeset, DirectoryChange, EntityUid, Salt};
use countersign_core::entry::{self, Role};
use countersign_core::json;
use countersign_judge::{CompiledBundle, Directory, DirectoryError};
use countersign_vault::Blinded;
use countersign_wire::{DirectoryChanged, DirectoryLine};
use serde_json::{Map, Value};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, DirectoryRow, key};

/// Most bytes of one bulk change.
pub const DIRECTORY_BODY_BYTES: usize = 8 * 1024 * 1024;
/// Most entities that change together.
pub const DIRECTORY_CHANGES: usize = 2_000;
/// Most bytes of one line of a bulk change.
const LINE_BYTES: usize = 64 * 1024;
/// Longest entity id, in bytes.
const ENTITY_ID_BYTES: usize = 1_024;

impl Service {
    /// Sets one entity's attributes (a JSON object), or removes it (`null`).
    pub fn put_entity(
        &self,
        caller: &Caller,
        kind: &str,
        id: &str,
        body: &[u8],
    ) -> Result<DirectoryChanged, ServiceError> {
        caller.require(Role::Author)?;
        let attributes: Option<Map<String, Value>> = json::parse_as(body, LINE_BYTES)?;
        self.change_directory(
            caller,
            vec![DirectoryLine {
                kind: kind.to_owned(),
                id: id.to_owned(),
                attributes,
            }],
        )
    }

    /// Carries out a bulk change: JSON Lines of `{"type", "id", "attributes"}`, all or none.
    pub fn load_directory(
        &self,
        caller: &Caller,
        body: &[u8],
    ) -> Result<DirectoryChanged, ServiceError> {
        caller.require(Role::Author)?;
        if body.len() > DIRECTORY_BODY_BYTES {
            let detail = format!(
                "the body has {} bytes; allowed are {DIRECTORY_BODY_BYTES}",
                body.len()
            );
            return Err(ServiceError::new(ErrorCode::TooLarge, detail));
        }
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(body.split(|byte| *byte == b'\n')) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let line = json::parse_as::<DirectoryLine>(line, LINE_BYTES).map_err(|error| {
                let mut error = ServiceError::from(error);
                error.detail = format!("line {number}: {}", error.detail);
                error
            })?;
            lines.push(line);
        }
        self.change_directory(caller, lines)
    }

    fn change_directory(
        &self,
        caller: &Caller,
        lines: Vec<DirectoryLine>,
    ) -> Result<DirectoryChanged, ServiceError> {
        if lines.is_empty() || lines.len() > DIRECTORY_CHANGES {
            let detail = format!(
                "{} entities change; allowed are 1 to {DIRECTORY_CHANGES} together",
                lines.len()
            );
            return Err(ServiceError::malformed(detail));
        }
        let in_force = self.in_force()?;
        let changes: Vec<DirectoryChange> = lines
            .into_iter()
            .map(|line| self.read_change(line, &in_force.compiled))
            .collect::<Result<_, _>>()?;
        let random = &*self.random;
        let mut sealed = Vec::with_capacity(changes.len() + 1);
        let mut rows = Vec::with_capacity(changes.len());
        for change in &changes {
            let state_key = key::directory_entity(&self.blind_entity(&change.entity).to_string());
            if change.attributes.is_none() {
                rows.push((state_key, None));
                continue;
            }
            let single = self.changeset(vec![change.clone()]);
            let (reference, record) = self.vault.seal(&single, random)?;
            rows.push((
                state_key,
                Some(DirectoryRow {
                    sealed: reference.into(),
                }),
            ));
            sealed.push(record);
        }
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        let (changeset_ref, record) = self.vault.seal(&self.changeset(changes), random)?;
        sealed.push(record);
        let entry_id = self.entry_id();
        let credential = caller.id();
        let committed = self.ledger.commit(caller.reads(), move |step| {
            step.push(
                entry_id,
                entry::Directory {
                    changeset_ref,
                    changes: count,
                    credential,
                },
            )?;
            state::put(step, key::directory(), &entry_id)?;
            for (state_key, row) in &rows {
                match row {
                    Some(row) => state::put(step, state_key.clone(), row)?,
                    None => step.delete(state_key.clone())?,
                }
            }
            for record in &sealed {
                step.seal(record.clone())?;
            }
            Ok(())
        })?;
        Ok(DirectoryChanged {
            changes: count,
            entry: self.only_entry(&committed)?,
        })
    }

    fn read_change(
        &self,
        line: DirectoryLine,
        bundle: &CompiledBundle,
    ) -> Result<DirectoryChange, ServiceError> {
        if line.kind.is_empty()
            || line.kind.len() > 128
            || !line
                .kind
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
        {
            return Err(ServiceError::malformed(
                "an entity's `type` is the name of a Cedar entity type",
            ));
        }
        if line.id.is_empty()
            || line.id.len() > ENTITY_ID_BYTES
            || line.id.chars().any(char::is_control)
        {
            let detail = format!(
                "an entity's `id` is 1 to {ENTITY_ID_BYTES} bytes without control characters"
            );
            return Err(ServiceError::malformed(detail));
        }
        let id = bundle.directory_id(&line.kind, &line.id).ok_or_else(|| {
            ServiceError::malformed(format!(
                "the id of a `{}` cannot be read as its manifests' target type",
                line.kind
            ))
        })?;
        let attributes = line
            .attributes
            .map(|attributes| attributes.into_iter().collect());
        Ok(DirectoryChange {
            entity: EntityUid {
                kind: line.kind,
                id,
            },
            attributes,
        })
    }

    fn changeset(&self, changes: Vec<DirectoryChange>) -> Changeset {
        Changeset {
            tenant: self.tenant.clone(),
            changes,
            salt: Salt::fresh(&*self.random),
        }
    }

    fn blind_entity(&self, entity: &EntityUid) -> Blinded {
        let kind = countersign_core::pseudonym::PseudonymKind::Target;
        self.blind
            .index(kind, &format!("{}::{}", entity.kind, entity.id))
    }

    fn entity_row(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, ServiceError> {
        let state_key = key::directory_entity(&self.blind_entity(uid).to_string());
        let Some(row) = state::read::<DirectoryRow>(&self.ledger, &state_key)? else {
            return Ok(None);
        };
        let change: Changeset = self.open_internally(row.value.sealed)?;
        let found = change
            .changes
            .into_iter()
            .find(|change| change.entity == *uid);
        Ok(found.and_then(|change| change.attributes))
    }
}

impl Directory for Service {
    fn entity(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError> {
        self.entity_row(uid)
            .map_err(|error| DirectoryError(error.internal.unwrap_or(error.detail)))
    }
}
