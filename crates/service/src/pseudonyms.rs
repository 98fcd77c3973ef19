//! Pseudonyms: one per tenant, kind and value, found through a keyed blind index.
//!
//! The pseudonym of a value that the log has not met is made before the plan and used in it only
//! if no other call got there first, so a value never has two.

use countersign_core::document::{PseudonymMeaning, Salt, SealedRecord};
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_ledger::{StateKey, Step, StepError};

use crate::Service;
use crate::error::ServiceError;
use crate::state::{self, PseudonymRow, key};

/// A pseudonym that is known, or one that the plan may have to introduce.
#[derive(Clone)]
pub(crate) enum PlannedPseudonym {
    /// With the key under which it stands, unless it was erased meanwhile.
    Known(Pseudonym, StateKey),
    New(Box<NewPseudonym>),
}

#[derive(Clone)]
pub(crate) struct NewPseudonym {
    key: StateKey,
    row: PseudonymRow,
    meaning: SealedRecord,
}

impl Service {
    /// The pseudonym of a value, if the log has one.
    pub(crate) fn known_pseudonym(
        &self,
        kind: PseudonymKind,
        value: &str,
    ) -> Result<Option<Pseudonym>, ServiceError> {
        let found = state::read::<PseudonymRow>(&self.ledger, &self.pseudonym_key(kind, value))?;
        Ok(found.map(|row| row.pseudonym))
    }

    /// The pseudonym of a value, to be settled in the plan.
    pub(crate) fn plan_pseudonym(
        &self,
        kind: PseudonymKind,
        value: &str,
    ) -> Result<PlannedPseudonym, ServiceError> {
        let state_key = self.pseudonym_key(kind, value);
        if let Some(row) = state::read::<PseudonymRow>(&self.ledger, &state_key)? {
            return Ok(PlannedPseudonym::Known(row.pseudonym, state_key));
        }
        let random = &*self.random;
        let pseudonym = Pseudonym::fresh(random);
        let (meaning_ref, meaning) = self.vault.seal(
            &PseudonymMeaning {
                tenant: self.tenant.clone(),
                pseudonym,
                of: kind,
                value: value.to_owned(),
                salt: Salt::fresh(random),
            },
            random,
        )?;
        Ok(PlannedPseudonym::New(Box::new(NewPseudonym {
            key: state_key,
            row: PseudonymRow {
                pseudonym,
                meaning: meaning_ref,
            },
            meaning,
        })))
    }

    pub(crate) fn pseudonym_key(&self, kind: PseudonymKind, value: &str) -> StateKey {
        key::pseudonym(kind, &self.blind.index(kind, value).to_string())
    }
}

impl PlannedPseudonym {
    /// The pseudonym, introduced now if nobody else has. One that was erased meanwhile is not used
    /// again: the call is stale then.
    pub(crate) fn settle(&self, step: &mut Step<'_>) -> Result<Pseudonym, StepError> {
        let new = match self {
            Self::Known(pseudonym, state_key) => {
                let row = state::read_in::<PseudonymRow>(step, state_key)?;
                if row.is_some_and(|row| row.pseudonym == *pseudonym) {
                    return Ok(*pseudonym);
                }
                let keys = vec![state_key.clone()];
                return Err(StepError::Stale { keys });
            }
            Self::New(new) => new,
        };
        if let Some(row) = state::read_in::<PseudonymRow>(step, &new.key)? {
            return Ok(row.pseudonym);
        }
        state::put(step, new.key.clone(), &new.row)?;
        step.seal(new.meaning.clone())?;
        Ok(new.row.pseudonym)
    }

    /// The pseudonym that the value has now: its own, if nobody introduced another one meanwhile.
    pub(crate) fn peek(&self, step: &Step<'_>) -> Result<Pseudonym, StepError> {
        match self {
            Self::Known(pseudonym, _) => Ok(*pseudonym),
            Self::New(new) => {
                let row = state::read_in::<PseudonymRow>(step, &new.key)?;
                Ok(row.map_or(new.row.pseudonym, |row| row.pseudonym))
            }
        }
    }

    /// The pseudonym that the value will have, if nobody introduces another one meanwhile.
    pub(crate) fn expected(&self) -> Pseudonym {
        match self {
            Self::Known(pseudonym, _) => *pseudonym,
            Self::New(new) => new.row.pseudonym,
        }
    }

    /// The pseudonym, if the log has met the value.
    pub(crate) fn known(&self) -> Option<Pseudonym> {
        match self {
            Self::Known(pseudonym, _) => Some(*pseudonym),
            Self::New(_) => None,
        }
    }
}
