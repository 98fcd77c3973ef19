//! The directory: what policies may know of contacts, accounts and users.

use std::collections::BTreeMap;

use countersign_core::document::{Changeset, DirectoryChange, EntityUid, Salt};
use countersign_core::entry::{self, Role};
use countersign_core::json;
use countersign_core::refs::Sha256;
use countersign_judge::{CompiledBundle, Directory, DirectoryError};
use countersign_ledger::{Step, StepError};
use countersign_vault::Blinded;
use countersign_wire::{DirectoryChanged, DirectoryLine};
use serde_json::{Map, Value};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, DirectoryFormRow, DirectoryRow, key};
use crate::vault::subjects::{SUBJECTS_PER_CHANGE, SUBJECTS_PER_RECORD, Spoken};

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
        let mut forms = BTreeMap::new();
        let changes: Vec<DirectoryChange> = lines
            .into_iter()
            .map(|line| read_change(line, &in_force.compiled, &mut forms))
            .collect::<Result<_, _>>()?;
        let random = &*self.random;
        let mut sealed = Vec::with_capacity(changes.len() + 1);
        let mut rows = Vec::with_capacity(changes.len());
        let mut listed = Vec::with_capacity(changes.len() + 1);
        for change in &changes {
            let state_key = key::directory_entity(&self.blind_entity(&change.entity).to_string());
            if change.attributes.is_none() {
                rows.push((state_key, None));
                continue;
            }
            let single = self.changeset(vec![change.clone()]);
            let (reference, record) = self.vault.seal(&single, random)?;
            let mut spoken = Spoken::default();
            spoken.change(change);
            let tags = self.tags(&spoken, SUBJECTS_PER_RECORD);
            listed.push((Sha256::from(reference), tags));
            rows.push((
                state_key,
                Some(DirectoryRow {
                    sealed: reference.into(),
                }),
            ));
            sealed.push(record);
        }
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        let mut spoken = Spoken::default();
        changes.iter().for_each(|change| spoken.change(change));
        let all = self.tags(&spoken, SUBJECTS_PER_CHANGE);
        let (changeset_ref, record) = self.vault.seal(&self.changeset(changes), random)?;
        sealed.push(record);
        listed.push((changeset_ref.into(), all));
        let entry_id = self.entry_id();
        let credential = caller.id();
        // Ids are kept in the form in which the bundle in force looks them up.
        let mut reads = caller.reads();
        let in_force = (key::policy_in_force(), Some(in_force.version));
        reads.versions.push(in_force);
        let committed = self.ledger.commit(reads, move |step| {
            keep_forms(step, &forms)?;
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
            for (reference, tags) in &listed {
                tags.put(step, reference, entry_id)?;
            }
            Ok(())
        })?;
        Ok(DirectoryChanged {
            changes: count,
            entry: self.only_entry(&committed)?,
        })
    }

    fn changeset(&self, changes: Vec<DirectoryChange>) -> Changeset {
        Changeset {
            tenant: self.tenant.clone(),
            changes,
            salt: Salt::fresh(&*self.random),
        }
    }

    pub(crate) fn blind_entity(&self, entity: &EntityUid) -> Blinded {
        let kind = countersign_core::pseudonym::PseudonymKind::Target;
        self.blind
            .index(kind, &format!("{}::{}", entity.kind, entity.id))
    }

    fn entity_row(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, ServiceError> {
        let state_key = key::directory_entity(&self.blind_entity(uid).to_string());
        let Some(row) = state::read::<DirectoryRow>(&self.ledger, &state_key)? else {
            return Ok(None);
        };
        let change: Changeset = self.open_internally(row.sealed)?;
        let found = change
            .changes
            .into_iter()
            .find(|change| change.entity == *uid);
        Ok(found.and_then(|change| change.attributes))
    }
}

/// Reads one change as the bundle in force would look the entity up.
fn read_change(
    line: DirectoryLine,
    bundle: &CompiledBundle,
    forms: &mut BTreeMap<String, &'static str>,
) -> Result<DirectoryChange, ServiceError> {
    if line.id.is_empty()
        || line.id.len() > ENTITY_ID_BYTES
        || line.id.chars().any(char::is_control)
    {
        let detail =
            format!("an entity's `id` is 1 to {ENTITY_ID_BYTES} bytes without control characters");
        return Err(ServiceError::malformed(detail));
    }
    let attributes: Option<BTreeMap<String, Value>> = line
        .attributes
        .map(|attributes| attributes.into_iter().collect());
    // What the bundle does not know no policy could ever see: better an error now than a call
    // that is judged as if nothing were known.
    bundle
        .check_entity(&line.kind, attributes.as_ref().unwrap_or(&BTreeMap::new()))
        .map_err(ServiceError::malformed)?;
    let unreadable = || {
        ServiceError::malformed(format!(
            "the id of a `{}` cannot be read as its manifests' target type",
            line.kind
        ))
    };
    let id = bundle
        .directory_id(&line.kind, &line.id)
        .ok_or_else(unreadable)?;
    if let Some(form) = bundle.directory_form(&line.kind) {
        forms.insert(line.kind.clone(), form);
    }
    let entity = EntityUid {
        kind: line.kind,
        id,
    };
    Ok(DirectoryChange { entity, attributes })
}

fn keep_forms(
    step: &mut Step<'_>,
    forms: &BTreeMap<String, &'static str>,
) -> Result<(), StepError> {
    for (entity_type, form) in forms {
        let state_key = key::directory_form(entity_type);
        match state::read_in::<DirectoryFormRow>(step, &state_key)? {
            Some(row) if row.form == *form => {}
            Some(row) => return Err(StepError::refused(other_form(&row, form))),
            None => {
                let row = DirectoryFormRow {
                    entity_type: entity_type.clone(),
                    form: (*form).to_owned(),
                };
                state::put(step, state_key, &row)?;
            }
        }
    }
    Ok(())
}

/// The directory holds entities of a type under ids that a bundle would look up in another form.
pub(crate) fn other_form(row: &DirectoryFormRow, form: &str) -> ServiceError {
    ServiceError::new(
        ErrorCode::Conflict,
        format!(
            "the directory holds entities of the type `{}` by ids of the form `{}`, and the bundle looks them up as \
             `{form}`: they would not be found. Name the type differently, and load its entities anew",
            row.entity_type, row.form
        ),
    )
}

impl Directory for Service {
    fn entity(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError> {
        self.entity_row(uid)
            .map_err(|error| DirectoryError(error.internal.map_or(error.detail, String::from)))
    }
}
