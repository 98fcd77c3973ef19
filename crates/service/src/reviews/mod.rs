//! Answers of people to escalations.
//!
//! A review approves nothing by itself: it is committed together with a new decision on the very
//! same call, judged under the bundle in force with the answer as a fact. That decision closes the
//! escalation, and the answer is used up by it.

mod answer;
mod differs;
mod settle;
mod show;

pub(crate) use settle::ReviewUnit;

use std::sync::Arc;

use countersign_core::entry::{Decision, Role};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_judge::CompiledBundle;
use countersign_wire::{OpenReview, ReviewList};

use crate::Service;
use crate::caller::Caller;
use crate::decide::{enforced, reasons, requester_may_answer};
use crate::error::{ErrorCode, ServiceError};
use crate::escalations::deadline;
use crate::state::{self, EscalationRow, IntentRow, key};

/// Most bytes of an answer's request.
pub const REVIEW_BODY_BYTES: usize = 512 * 1024;
/// Most escalations that are listed.
pub const REVIEWS_LISTED: usize = 500;
/// Most open escalations that are looked through for those that a caller may see.
const LOOKED_AT: usize = 5_000;

/// An escalated decision.
pub(crate) struct Escalated {
    pub(crate) id: EntryId,
    pub(crate) timestamp: Timestamp,
    pub(crate) decision: Decision,
    /// The bundle that escalated it.
    pub(crate) bundle: Arc<CompiledBundle>,
    /// Until when it can be answered, exclusively.
    pub(crate) deadline: Timestamp,
}

impl Escalated {
    /// Whether every rule that asks lets the person whose turn it is answer.
    pub(crate) fn requester_may_answer(&self) -> bool {
        requester_may_answer(&self.bundle, &self.decision) == Some(true)
    }
}

impl Service {
    /// The escalations that wait for an answer, those that end soonest first. Role `reviewer` or
    /// `auditor`; an `ingress` sees those of turns that it registered.
    pub fn reviews(&self, caller: &Caller) -> Result<ReviewList, ServiceError> {
        caller.require_any(&[Role::Reviewer, Role::Auditor, Role::Ingress])?;
        let sees_all = caller.has(Role::Reviewer) || caller.has(Role::Auditor);
        let now = self.clock.now();
        let open: Vec<EntryId> = state::scan(&self.ledger, key::OPEN_ESCALATIONS, LOOKED_AT)?;
        let mut more = open.len() == LOOKED_AT;
        let mut reviews = Vec::new();
        for id in open {
            // What was committed and not released yet is seen at the next look.
            let Some(escalated) = self.escalated(id)? else {
                continue;
            };
            let is_theirs =
                sees_all || self.registrar(escalated.decision.intent_ref)? == Some(caller.id());
            if !is_theirs || escalated.deadline <= now {
                continue;
            }
            if reviews.len() == REVIEWS_LISTED {
                more = true;
                break;
            }
            reviews.push(open_review(&escalated));
        }
        Ok(ReviewList { reviews, more })
    }

    /// The escalated decision of this id; `None` if there is none.
    pub(crate) fn escalated(&self, id: EntryId) -> Result<Option<Escalated>, ServiceError> {
        let Some((_, entry)) = self.known_entry(id)? else {
            return Ok(None);
        };
        let decision = entry.body().and_then(enforced);
        let Some(decision) = decision.filter(|it| it.outcome == Outcome::Escalated) else {
            return Ok(None);
        };
        let bundle = self.compiled(&decision.policy_ref)?;
        let timestamp = entry.timestamp();
        Ok(Some(Escalated {
            id,
            timestamp,
            decision: decision.clone(),
            // Of the entry and its bundle, not of the row: rows are not authenticated.
            deadline: deadline(timestamp, bundle.settings()),
            bundle,
        }))
    }

    /// The same, if it can still be answered.
    fn open_escalation(&self, id: EntryId) -> Result<Escalated, ServiceError> {
        let escalated = self
            .escalated(id)?
            .ok_or_else(|| ServiceError::not_found(format!("escalated decision `{id}`")))?;
        let row = state::read::<EscalationRow>(&self.ledger, &key::escalation(id))?;
        let row = row.ok_or_else(|| ServiceError::internal("an escalation without a row"))?;
        still_open(&row, escalated.deadline, self.clock.now())?;
        Ok(escalated)
    }

    /// Who registered a turn.
    fn registrar(&self, turn: Option<IntentRef>) -> Result<Option<CredentialId>, ServiceError> {
        let Some(turn) = turn else { return Ok(None) };
        let row = state::read::<IntentRow>(&self.ledger, &key::intent(&turn))?;
        Ok(row.map(|row| row.registered_by))
    }
}

/// Refuses an escalation that was closed, or whose time is over.
fn still_open(row: &EscalationRow, until: Timestamp, now: Timestamp) -> Result<(), ServiceError> {
    let id = row.decision;
    let detail = match &row.closed_by {
        Some(closed) => {
            let how = closed.outcome.map_or("expired", Outcome::name);
            format!(
                "the escalation `{id}` was closed by `{}`: {how}",
                closed.entry
            )
        }
        None if until <= now => {
            format!("the escalation `{id}` could be answered until {until}")
        }
        None => return Ok(()),
    };
    Err(ServiceError::new(ErrorCode::Conflict, detail))
}

fn open_review(escalated: &Escalated) -> OpenReview {
    let decision = &escalated.decision;
    OpenReview {
        decision: escalated.id.to_string(),
        timestamp: escalated.timestamp.to_string(),
        deadline: escalated.deadline.to_string(),
        action: decision.action.to_string(),
        actor: decision.actor.to_string(),
        reasons: reasons(&escalated.bundle, &decision.reasons),
        surface: decision.surface.to_string(),
        requester_may_answer: escalated.requester_may_answer(),
    }
}
