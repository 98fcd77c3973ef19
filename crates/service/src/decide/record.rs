//! Committing a decision: everything in one transaction with the new tree head.

use countersign_core::entry::{Decision, Links, Mode, Role, Surface};
use countersign_core::ids::EntryId;
use countersign_core::verdict::Outcome;
use countersign_judge::judge_version;
use countersign_ledger::{CommitError, CommittedEntry, ReadSet, Step, StepError};

use super::prepare::Prepared;
use super::request::CallRequest;
use crate::Service;
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::escalations::ESCALATION_TTL_MS;
use crate::state::{self, EscalationRow, IdempotencyRow, InForceRow, PermitRow, key};

/// What became of a prepared decision in the plan.
pub(super) enum Settled {
    /// It is in the ledger.
    Fresh,
    /// Another request with the same idempotency key was first.
    Replay(IdempotencyRow),
}

/// A decision that is durable.
pub(super) struct Recorded {
    pub(super) settled: Settled,
    /// The entry; absent for a replay.
    pub(super) entry: Option<CommittedEntry>,
}

impl Service {
    pub(super) fn commit_decision(&self, prepared: Prepared) -> Result<Recorded, CommitError> {
        // The idempotency key is settled in the plan, not compared: two requests in flight with
        // one key are one decision, whichever comes first.
        let reads = prepared.reads.clone();
        let committed = self
            .ledger
            .commit(reads, move |step| prepared.settle(step))?;
        Ok(Recorded {
            settled: committed.value,
            entry: committed.entries.into_iter().next_back(),
        })
    }

    /// Records a request for a decision whose body its surface refused to read (too long, of
    /// another media type), and names the entry in the error. A caller that may not ask for
    /// decisions is refused instead, and nothing is recorded.
    pub fn reject_unreadable(
        &self,
        caller: &Caller,
        surface: Surface,
        error: ServiceError,
    ) -> ServiceError {
        match caller.require(Role::Agent) {
            Ok(()) => self.record_malformed(caller, surface, error),
            Err(refused) => refused,
        }
    }

    /// Records a request that is no call, and names the entry in the error.
    pub(super) fn record_malformed(
        &self,
        caller: &Caller,
        surface: Surface,
        error: ServiceError,
    ) -> ServiceError {
        self.record_unreadable(
            caller,
            surface,
            error,
            countersign_core::names::BuiltinReason::MalformedCall,
        )
    }

    /// Records a call for an actor that the credential does not cover. The claimed name is text
    /// of the agent's and stays out of the leaf.
    pub(super) fn record_foreign_actor(
        &self,
        caller: &Caller,
        surface: Surface,
        _request: &CallRequest,
        error: ServiceError,
    ) -> ServiceError {
        self.record_unreadable(
            caller,
            surface,
            error,
            countersign_core::names::BuiltinReason::ForeignActor,
        )
    }

    fn record_unreadable(
        &self,
        caller: &Caller,
        surface: Surface,
        error: ServiceError,
        reason: countersign_core::names::BuiltinReason,
    ) -> ServiceError {
        match self.try_record_unreadable(caller, surface, reason) {
            Ok(entry_id) => error.recorded(entry_id),
            // Not recorded: then the client learns that, and not only what was wrong with its request.
            Err(failure) => failure,
        }
    }

    fn try_record_unreadable(
        &self,
        caller: &Caller,
        surface: Surface,
        reason: countersign_core::names::BuiltinReason,
    ) -> Result<EntryId, ServiceError> {
        let in_force = self.in_force()?;
        let mut prepared = self.bare(caller.id(), caller.own_actor()?, surface, &in_force);
        prepared.verdict = super::prepare::rejected(reason);
        prepared.reads = ReadSet::none();
        let recorded = self.commit_decision(prepared)?;
        self.watcher.wake();
        let entry = recorded
            .entry
            .ok_or_else(|| ServiceError::internal("a rejection without an entry"))?;
        Ok(entry.entry_id)
    }
}

impl Prepared {
    /// Settles the decision in the plan. May run more than once; only the last run counts.
    fn settle(&self, step: &mut Step<'_>) -> Result<Settled, StepError> {
        if let Some((once, body)) = &self.once {
            if let Some(row) = state::read_in::<IdempotencyRow>(step, once)? {
                return Ok(Settled::Replay(row));
            }
            let row = IdempotencyRow {
                body: *body,
                entry: self.entry_id,
            };
            state::put(step, once.clone(), &row)?;
        }
        let targets = self
            .targets
            .iter()
            .map(|target| target.settle(step))
            .collect::<Result<Vec<_>, _>>()?;
        let mut decision = self.decision(targets);
        if self.facts_ref.is_none() {
            // It rests on no bundle, so nothing was compared; it still names the one in force.
            let row = state::read_in::<InForceRow>(step, &key::policy_in_force())?;
            decision.policy_ref = row.map_or(decision.policy_ref, |row| row.policy_ref);
        }
        step.push(self.entry_id, decision)?;
        for record in &self.sealed {
            step.seal(record.clone())?;
        }
        match self.verdict.outcome {
            Outcome::Approved => {
                let row = PermitRow {
                    permit: self.permit,
                    issued_at: step.now(),
                    ttl_s: self.permit_ttl_s,
                };
                state::put(step, key::permit(self.entry_id), &row)?;
            }
            Outcome::Escalated => {
                let deadline = step.now().plus_millis(ESCALATION_TTL_MS);
                state::put(
                    step,
                    key::escalation(self.entry_id),
                    &EscalationRow {
                        deadline,
                        closed_by: None,
                    },
                )?;
            }
            Outcome::Rejected | Outcome::Modified | Outcome::Deferred => {}
        }
        Ok(Settled::Fresh)
    }

    fn decision(&self, targets: Vec<countersign_core::pseudonym::Pseudonym>) -> Decision {
        Decision {
            action: self.action.clone(),
            actor: self.actor.clone(),
            intent_ref: self.intent_ref,
            policy_ref: self.policy_ref,
            outcome: self.verdict.outcome,
            reasons: self.verdict.reasons.iter().cloned().collect(),
            call_ref: self.call_ref,
            facts_ref: self.facts_ref,
            reasoning_ref: self.reasoning_ref,
            principal: self.principal,
            session: self.session,
            targets,
            counts: Vec::new(),
            credential: self.credential,
            surface: self.surface,
            mode: Mode::Enforced,
            links: Links {
                ..self.links.clone()
            },
            judge: judge_version(),
            claimed_intent_ref: self.claimed_intent_ref,
            actions: None,
            effective_call_ref: None,
        }
    }
}
