//! Escalations that nobody answered: each is closed by exactly one entry.

use countersign_core::entry::{Expired, Links};
use countersign_core::ids::EntryId;
use countersign_ledger::ReadSet;

use crate::Service;
use crate::error::ServiceError;
use crate::state::{self, ClosedBy, EscalationRow, key};

/// How long an escalation stays open, in milliseconds.
pub const ESCALATION_TTL_MS: i64 = 15 * 60 * 1_000;
/// How many are closed in one round.
const ROUND: usize = 64;

impl Service {
    /// Closes the escalations whose time has run out. Called from time to time.
    pub fn expire_escalations(&self) -> Result<usize, ServiceError> {
        let now = self.clock.now();
        let mut expired = 0;
        let mut after = None;
        loop {
            let page = self.ledger.scan(key::ESCALATIONS, after.as_ref(), ROUND)?;
            let full = page.len() == ROUND;
            for (state_key, found) in page {
                let row: Option<EscalationRow> = found
                    .value
                    .as_deref()
                    .map(serde_json::from_slice)
                    .transpose()?;
                let overdue = row.is_some_and(|row| row.closed_by.is_none() && row.deadline <= now);
                let id = state_key
                    .as_str()
                    .strip_prefix(key::ESCALATIONS)
                    .and_then(|id| id.parse().ok());
                if let (true, Some(id)) = (overdue, id) {
                    self.expire(id)?;
                    expired += 1;
                }
                after = Some(state_key);
            }
            if !full {
                return Ok(expired);
            }
        }
    }

    fn expire(&self, decision: EntryId) -> Result<(), ServiceError> {
        let entry_id = self.entry_id();
        self.ledger.commit(ReadSet::none(), move |step| {
            let state_key = key::escalation(decision);
            // Answered meanwhile, or by another replica: then there is nothing to close.
            let Some(mut row) = state::read_in::<EscalationRow>(step, &state_key)? else {
                return Ok(());
            };
            if row.closed_by.is_some() || row.deadline > step.now() {
                return Ok(());
            }
            step.push(
                entry_id,
                Expired {
                    links: Links {
                        resolves: Some(decision),
                        ..Links::default()
                    },
                },
            )?;
            row.closed_by = Some(ClosedBy {
                entry: entry_id,
                outcome: None,
            });
            state::put(step, state_key, &row)
        })?;
        Ok(())
    }
}
