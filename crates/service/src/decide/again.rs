//! The same call once more: judged again because a person has answered.
//!
//! Everything but the answer and the moment is as it was asked: the call, its actor, the credential,
//! the turn that it claimed. All of them are held against what is in force now.

use countersign_core::document::{Call, ReviewFact};
use countersign_core::entry::Links;
use countersign_core::ids::EntryId;
use countersign_core::names::BuiltinReason;
use countersign_core::refs::{CallRef, ReasoningRef};
use countersign_ledger::ReadSet;

use super::prepare::{Prepared, rejected};
use super::request::CallRequest;
use crate::Service;
use crate::error::ServiceError;
use crate::reviews::{Escalated, ReviewUnit};

/// A person's answer, as a fact and as what is committed with the decision.
pub(crate) struct Answered {
    pub(crate) fact: ReviewFact,
    pub(crate) unit: ReviewUnit,
    /// What it rests on that whoever gave it may do so, and until when it counts.
    pub(crate) reads: ReadSet,
}

/// A call that was judged before, with what was sealed then.
pub(super) struct Again {
    pub(super) call: Call,
    pub(super) call_ref: CallRef,
    pub(super) reasoning_ref: Option<ReasoningRef>,
    pub(super) review: ReviewFact,
    pub(super) links: Links,
}

impl Service {
    /// Judges an escalated call again, with a person's answer. Where the credential that asked is no
    /// longer in force, nothing is judged, and the call is rejected.
    pub(crate) fn prepare_again(
        &self,
        escalated: &Escalated,
        answered: Answered,
    ) -> Result<Prepared, ServiceError> {
        let decision = &escalated.decision;
        let missing = || ServiceError::internal("an escalation without a call");
        let call_ref = decision.call_ref.ok_or_else(missing)?;
        let Answered { fact, unit, reads } = answered;
        let again = Again {
            call: self.open_internally(*call_ref.digest())?,
            call_ref,
            reasoning_ref: decision.reasoning_ref,
            links: links(escalated.id, &fact),
            review: fact,
        };
        let mut prepared = match self.caller_of(decision.credential)? {
            Some(caller) => {
                // A call that was shown without a turn does not come by one meanwhile.
                let claimed = decision.intent_ref;
                let request = CallRequest::again(decision.actor.clone(), claimed, again);
                self.prepare(&caller, &request, decision.surface)?
            }
            None => self.without_credential(escalated, again)?,
        };
        prepared.reads.versions.extend(reads.versions);
        if let Some(until) = reads.valid_until {
            prepared.reads.limit(until);
        }
        prepared.review = Some(Box::new(unit));
        Ok(prepared)
    }

    fn without_credential(
        &self,
        escalated: &Escalated,
        again: Again,
    ) -> Result<Prepared, ServiceError> {
        let in_force = self.in_force()?;
        let decision = &escalated.decision;
        let actor = decision.actor.clone();
        Ok(Prepared {
            action: decision.action.clone(),
            verdict: rejected(BuiltinReason::ForeignActor),
            call_ref: Some(again.call_ref),
            reasoning_ref: again.reasoning_ref,
            claimed_intent_ref: decision.intent_ref.or(decision.claimed_intent_ref),
            links: again.links,
            ..self.bare(decision.credential, actor, decision.surface, &in_force)
        })
    }
}

fn links(escalation: EntryId, review: &ReviewFact) -> Links {
    Links {
        review: Some(review.entry),
        resolves: Some(escalation),
        ..Links::default()
    }
}
