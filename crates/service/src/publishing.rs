//! What it takes to put another bundle in place of the one in force.
//!
//! The bundle in force says so itself (`settings.publishing`), and what was done stands in entries:
//! the verifier asks the same of every log.

use countersign_core::document::PublishingSettings;
use countersign_core::entry::{Body, PolicyPhase};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::REPLAY_GOOD_MS;
use countersign_core::refs::PolicyRef;
use countersign_ledger::{Step, StepError};

use crate::Service;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, ReplayedRow, StoredBundleRow, key};

/// What must hold in the plan for a bundle to come into force.
#[derive(Clone)]
pub(crate) struct Demands {
    settings: PublishingSettings,
    /// Who stored the bundle; nobody for one that the log began with.
    stored_by: Option<CredentialId>,
    /// Who had a bundle in shadow that nobody stored.
    shadowed_by: Vec<CredentialId>,
}

impl Service {
    /// What the bundle in force demands of the next one. For a ref that the log does not hold there
    /// is nothing to demand: the plan finds that it is not in force.
    pub(crate) fn demands(
        &self,
        in_force: &PolicyRef,
        stored: &StoredBundleRow,
    ) -> Result<Demands, ServiceError> {
        let settings = match self.stored_bundle(in_force)? {
            Some(_) => self.compiled(in_force)?.settings().publishing.clone(),
            None => PublishingSettings::default(),
        };
        // From the entry, which is authenticated, and not from the row.
        let missing = || ServiceError::internal("a stored bundle without its entry");
        let (_, entry) = self.known_entry(stored.entry)?.ok_or_else(missing)?;
        let Some(Body::Policy(policy)) = entry.body() else {
            return Err(missing());
        };
        let mut shadowed_by = Vec::new();
        if policy.credential.is_none() {
            let rows = key::policy_shadowed_all(&policy.policy_ref);
            for entry in state::scan::<EntryId>(&self.ledger, &rows, usize::MAX)? {
                let (_, entry) = self.known_entry(entry)?.ok_or_else(missing)?;
                // Rows are not authenticated, so the entry has to say it.
                if let Some(Body::Policy(shadow)) = entry.body()
                    && shadow.phase == PolicyPhase::Shadow
                    && shadow.policy_ref == policy.policy_ref
                {
                    shadowed_by.extend(shadow.credential);
                }
            }
        }
        Ok(Demands {
            settings,
            stored_by: policy.credential,
            shadowed_by,
        })
    }
}

impl Demands {
    /// Refuses what the bundle in force does not allow.
    pub(crate) fn check(
        &self,
        step: &Step<'_>,
        policy_ref: &PolicyRef,
        in_force: &PolicyRef,
        by: CredentialId,
    ) -> Result<(), StepError> {
        if self.settings.two_person {
            let had_it = step.state(&key::policy_shadowed(policy_ref, by))?;
            let by_others = || self.shadowed_by.iter().any(|who| *who != by);
            let what = match (self.stored_by, had_it.is_some()) {
                (Some(who), _) if who == by => {
                    "was stored by this credential; the bundle in force demands that another one puts it in force"
                }
                (_, true) => {
                    "was put in shadow by this credential; the bundle in force demands that another one puts it in force"
                }
                (None, false) if !by_others() => {
                    "was stored by nobody, since the log began with it; the bundle in force demands that one author puts it in shadow, and another one in force"
                }
                _ => "",
            };
            if !what.is_empty() {
                let detail = format!("the bundle `{policy_ref}` {what}");
                let error = ServiceError::new(ErrorCode::SecondPerson, detail);
                return Err(StepError::refused(error));
            }
        }
        if self.settings.replay {
            let row = state::read_in::<ReplayedRow>(step, &key::policy_replayed(policy_ref))?;
            let is_good = row.is_some_and(|row| {
                row.in_force == *in_force && step.now().millis_since(row.at) <= REPLAY_GOOD_MS
            });
            if !is_good {
                let detail = format!(
                    "the bundle in force demands a replay of the newest decisions under `{policy_ref}`, within a day before and while `{in_force}` is in force"
                );
                let error = ServiceError::new(ErrorCode::ReplayRequired, detail);
                return Err(StepError::refused(error));
            }
        }
        Ok(())
    }
}
