//! The bundle in shadow: it judges beside the one in force, and nothing comes of its verdicts.
//!
//! From when to when a bundle was in shadow stands in `policy` entries. What it says of calls is
//! written by `decide/shadow.rs`.

use std::sync::{Arc, PoisonError};

use countersign_core::entry::{self, PolicyPhase, Role};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::refs::PolicyRef;
use countersign_judge::CompiledBundle;
use countersign_ledger::{ReadSet, Step, StepError};
use countersign_merkle::LeafIndex;
use countersign_wire::{BundleCurrent, ShadowEnded};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::policy::InForce;
use crate::state::{self, InForceRow, InShadowRow, key};
use crate::turns::name;

/// The bundle in shadow, as of an entry.
#[derive(Clone)]
pub(crate) struct InShadow {
    pub(crate) policy_ref: PolicyRef,
    /// `None` for a bundle that no longer compiles.
    pub(crate) compiled: Option<Arc<CompiledBundle>>,
    version: LeafIndex,
}

impl InShadow {
    /// The bundle in the place of the one in force.
    pub(crate) fn as_in_force(&self) -> Option<InForce> {
        Some(InForce {
            compiled: Arc::clone(self.compiled.as_ref()?),
            version: self.version,
        })
    }
}

impl Service {
    /// Puts a stored bundle in shadow, in place of the one that is, if one is.
    pub fn set_shadow(
        &self,
        caller: &Caller,
        request: &countersign_wire::SetCurrentBundle,
    ) -> Result<BundleCurrent, ServiceError> {
        caller.require(Role::Author)?;
        let policy_ref: PolicyRef = name(&request.policy_ref)?;
        self.known_bundle(&policy_ref)?;
        let reads = self.reads_to_use(&policy_ref, caller)?;
        let (entry_id, credential) = (self.entry_id(), caller.id());
        self.ledger.commit(reads, move |step| {
            let in_force = state::read_in::<InForceRow>(step, &key::policy_in_force())?;
            if in_force.is_some_and(|row| row.policy_ref == policy_ref) {
                return Err(refused("the bundle is in force; it judges already"));
            }
            let before = state::read_in::<InShadowRow>(step, &key::policy_in_shadow())?;
            let previous = before.map(|row| row.policy_ref);
            if previous == Some(policy_ref) {
                return Err(refused("the bundle is in shadow already"));
            }
            begin(step, entry_id, policy_ref, previous, credential)
        })?;
        self.watcher.wake();
        self.shadow_view(&policy_ref, entry_id)
    }

    /// Ends the time in shadow of whichever bundle is.
    pub fn end_shadow(&self, caller: &Caller) -> Result<ShadowEnded, ServiceError> {
        caller.require(Role::Author)?;
        let (entry_id, credential) = (self.entry_id(), caller.id());
        let committed = self.ledger.commit(caller.reads(), move |step| {
            let row = state::read_in::<InShadowRow>(step, &key::policy_in_shadow())?;
            let row = row.ok_or_else(|| StepError::refused(nothing_in_shadow()))?;
            end(step, entry_id, row.policy_ref, credential)?;
            Ok(row.policy_ref)
        })?;
        self.watcher.wake();
        Ok(ShadowEnded {
            policy_ref: committed.value.to_string(),
            entry: self.only_entry(&committed)?,
        })
    }

    /// The bundle in shadow, by its ref, with the entry that put it there. Nothing for agents: what
    /// they ask for is answered by the bundle in force alone.
    pub fn shadow(&self, caller: &Caller) -> Result<BundleCurrent, ServiceError> {
        caller.require_any(&[Role::Author, Role::Auditor, Role::Admin, Role::Reviewer])?;
        let row = state::read::<InShadowRow>(&self.ledger, &key::policy_in_shadow())?
            .ok_or_else(nothing_in_shadow)?;
        self.shadow_view(&row.policy_ref, row.entry)
    }

    fn shadow_view(
        &self,
        policy_ref: &PolicyRef,
        entry: EntryId,
    ) -> Result<BundleCurrent, ServiceError> {
        Ok(BundleCurrent {
            policy_ref: policy_ref.to_string(),
            entry: self.entry_json(entry)?,
        })
    }

    /// What judges in shadow at present, compiled once for each version. What is read is noted: a
    /// call is judged again if it changes.
    pub(crate) fn in_shadow(&self, reads: &mut ReadSet) -> Result<Option<InShadow>, ServiceError> {
        let found = self.ledger.state(&key::policy_in_shadow())?;
        reads.read(key::policy_in_shadow(), found.as_ref());
        let Some((version, bytes)) = found.and_then(|found| Some((found.version, found.value?)))
        else {
            return Ok(None);
        };
        let known = || {
            self.in_shadow
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = &*known()
            && known.version == version
        {
            return Ok(Some(known.clone()));
        }
        let row: InShadowRow = serde_json::from_slice(&bytes)?;
        let compiled = self.compiled(&row.policy_ref);
        if let Err(error) = &compiled {
            tracing::warn!(%error, internal = error.internal, "the bundle in shadow cannot judge");
        }
        let in_shadow = InShadow {
            policy_ref: row.policy_ref,
            compiled: compiled.ok(),
            version,
        };
        *known() = Some(in_shadow.clone());
        Ok(Some(in_shadow))
    }
}

fn refused(detail: &str) -> StepError {
    StepError::refused(ServiceError::new(ErrorCode::Conflict, detail))
}

fn nothing_in_shadow() -> ServiceError {
    ServiceError::not_found("bundle in shadow")
}

fn begin(
    step: &mut Step<'_>,
    entry_id: EntryId,
    policy_ref: PolicyRef,
    previous: Option<PolicyRef>,
    credential: CredentialId,
) -> Result<(), StepError> {
    let entry = entry::Policy {
        policy_ref,
        phase: PolicyPhase::Shadow,
        parts: Vec::new(),
        previous,
        credential: Some(credential),
    };
    step.push(entry_id, entry)?;
    let row = InShadowRow {
        policy_ref,
        entry: entry_id,
    };
    state::put(step, key::policy_in_shadow(), &row)?;
    let had_it = key::policy_shadowed(&policy_ref, credential);
    if step.state(&had_it)?.is_none() {
        state::put(step, had_it, &entry_id)?;
    }
    Ok(())
}

/// Ends the time in shadow of the bundle that is.
pub(crate) fn end(
    step: &mut Step<'_>,
    entry_id: EntryId,
    policy_ref: PolicyRef,
    credential: CredentialId,
) -> Result<(), StepError> {
    let entry = entry::Policy {
        policy_ref,
        phase: PolicyPhase::ShadowEnd,
        parts: Vec::new(),
        previous: None,
        credential: Some(credential),
    };
    step.push(entry_id, entry)?;
    step.delete(key::policy_in_shadow())
}
