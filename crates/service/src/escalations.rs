//! Escalations that nobody answered: each is closed by exactly one entry.

use countersign_core::document::Settings;
use countersign_core::entry::{Expired, Links};
use countersign_core::ids::EntryId;
use countersign_core::time::Timestamp;
use countersign_ledger::ReadSet;

use crate::Service;
use crate::error::ServiceError;
use crate::state::{self, ClosedBy, EscalationRow, key};

/// How many are closed in one round.
const ROUND: usize = 64;

/// Until when a call that was escalated then can be answered about, exclusively.
pub(crate) fn deadline(escalated: Timestamp, settings: &Settings) -> Timestamp {
    escalated.plus_millis(escalation_ttl_ms(settings))
}

/// How long a person may take to answer, in milliseconds.
pub(crate) fn escalation_ttl_ms(settings: &Settings) -> i64 {
    i64::from(settings.escalation_ttl_s).saturating_mul(1_000)
}

impl Service {
    /// Closes the escalations whose time has run out, and says how many. Called from time to time.
    pub fn expire_escalations(&self) -> Result<usize, ServiceError> {
        let now = self.clock.now();
        let mut expired = 0usize;
        loop {
            let due: Vec<EscalationRow> = self.due_escalations(now)?;
            if due.is_empty() {
                return Ok(expired);
            }
            let due = due.into_iter().map(|row| (self.entry_id(), row));
            expired = expired.saturating_add(self.expire(due.collect())?);
        }
    }

    fn due_escalations(&self, now: Timestamp) -> Result<Vec<EscalationRow>, ServiceError> {
        let open: Vec<EntryId> = state::scan(&self.ledger, key::OPEN_ESCALATIONS, ROUND)?;
        let mut due = Vec::new();
        for decision in open {
            let row = state::read::<EscalationRow>(&self.ledger, &key::escalation(decision))?;
            let row = row.ok_or_else(|| ServiceError::internal("an escalation without a row"))?;
            if row.deadline > now {
                break;
            }
            due.push(row);
        }
        Ok(due)
    }

    /// How many were closed: others were answered meanwhile.
    fn expire(&self, due: Vec<(EntryId, EscalationRow)>) -> Result<usize, ServiceError> {
        let committed = self.ledger.commit(ReadSet::none(), move |step| {
            let mut closed = 0usize;
            for (entry_id, escalation) in &due {
                let state_key = key::escalation(escalation.decision);
                // Answered meanwhile, or by another replica: then there is nothing to close.
                let row = state::read_in::<EscalationRow>(step, &state_key)?;
                let Some(mut row) = row.filter(|row| row.closed_by.is_none()) else {
                    continue;
                };
                let links = Links {
                    resolves: Some(row.decision),
                    ..Links::default()
                };
                step.push(*entry_id, Expired { links })?;
                step.delete(key::open_escalation(row.deadline, row.decision))?;
                row.closed_by = Some(ClosedBy {
                    entry: *entry_id,
                    outcome: None,
                });
                state::put(step, state_key, &row)?;
                closed += 1;
            }
            Ok(closed)
        })?;
        Ok(committed.value)
    }
}
