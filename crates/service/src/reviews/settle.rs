//! What an answer does in the plan: it takes the escalation, and is used up.

use countersign_core::document::SealedRecord;
use countersign_core::entry::Review;
use countersign_core::ids::EntryId;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_ledger::{Step, StepError};

use super::still_open;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, ClosedBy, EscalationRow, key};

/// An answer that is ready to be committed, in one unit of work with the decision that it leads to.
#[derive(Clone)]
pub(crate) struct ReviewUnit {
    pub(crate) entry_id: EntryId,
    pub(crate) body: Review,
    /// The escalated decision.
    pub(crate) escalation: EntryId,
    /// Until when it can be answered, exclusively.
    pub(crate) deadline: Timestamp,
    /// What an ingress showed.
    pub(crate) shown: Option<SealedRecord>,
}

impl ReviewUnit {
    /// Takes the escalation, unless another answer or its deadline was first, and writes the answer.
    pub(crate) fn take(&self, step: &mut Step<'_>) -> Result<(), StepError> {
        let row = self.row(step)?;
        still_open(&row, self.deadline, step.now()).map_err(StepError::refused)?;
        let nonce = key::review_nonce(&self.body.nonce);
        if state::read_in::<EntryId>(step, &nonce)?.is_some() {
            return Err(StepError::refused(ServiceError::new(
                ErrorCode::Conflict,
                "the nonce was used before: an answer is good for one use",
            )));
        }
        step.push(self.entry_id, self.body.clone())?;
        state::put(step, nonce, &self.entry_id)?;
        match &self.shown {
            Some(record) => step.seal(record.clone()),
            None => Ok(()),
        }
    }

    /// Says what closed the escalation: the decision that was made with the answer.
    pub(crate) fn close(
        &self,
        step: &mut Step<'_>,
        by: EntryId,
        outcome: Outcome,
    ) -> Result<(), StepError> {
        let mut row = self.row(step)?;
        step.delete(key::open_escalation(row.deadline, row.decision))?;
        row.closed_by = Some(ClosedBy {
            entry: by,
            outcome: Some(outcome),
        });
        state::put(step, key::escalation(self.escalation), &row)
    }

    fn row(&self, step: &Step<'_>) -> Result<EscalationRow, StepError> {
        let row = state::read_in::<EscalationRow>(step, &key::escalation(self.escalation))?;
        let missing = || ServiceError::internal("an escalation without a row");
        row.ok_or_else(|| StepError::refused(missing()))
    }
}
