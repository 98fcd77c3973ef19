//! Committing a decision: everything in one transaction with the new tree head.

use countersign_core::entry::{Decision, Links, Mode, Role, Surface};
use countersign_core::names::{ActorName, BuiltinReason};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_judge::judge_version;
use countersign_ledger::{CommitError, CommittedEntry, ReadSet, Step, StepError};
use countersign_wire::DecisionRequest;
use serde_json::json;

use super::prepare::{Prepared, rejected};
use super::request::CallRequest;
use crate::Service;
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::history::{self, Judged};
use crate::promise::{promise, wait};
use crate::sessions::{self, Counted};
use crate::state::{self, EscalationRow, IdempotencyRow, InForceRow, PermitRow, key};

/// What became of a prepared decision in the plan.
pub(crate) enum Settled {
    /// It is in the ledger.
    Fresh(Box<Fresh>),
    /// Another request with the same idempotency key was first.
    Replay(IdempotencyRow),
}

/// What was committed, so that answering need not read it again.
pub(crate) struct Fresh {
    pub(crate) decision: Decision,
    pub(super) permit: Option<PermitRow>,
}

/// A decision that is durable.
pub(crate) struct Recorded {
    pub(crate) settled: Settled,
    /// The entry; absent for a replay.
    pub(crate) entry: Option<CommittedEntry>,
    /// The entry of the answer that it used up, if it did.
    pub(crate) review: Option<CommittedEntry>,
}

impl Service {
    pub(crate) async fn commit_decision(
        &self,
        mut prepared: Prepared,
    ) -> Result<Recorded, CommitError> {
        // The idempotency key is settled in the plan, not compared: two requests in flight with
        // one key are one decision, whichever comes first.
        let reads = ReadSet {
            versions: std::mem::take(&mut prepared.reads.versions),
            valid_until: prepared.reads.valid_until,
        };
        prepared.tags = self.call_tags(&prepared.spoken);
        let entry_id = prepared.entry_id;
        let review_id = prepared.review.as_ref().map(|review| review.entry_id);
        let (fulfil, committed) = promise();
        let work = Box::new(move |step: &mut Step<'_>| prepared.settle(step));
        let done = Box::new(move |committed| fulfil.keep(committed));
        self.ledger.submit(reads, work, done);
        let committed = committed.await.unwrap_or_else(|| {
            let reason = "a decision was lost by the sequencer".to_owned();
            Err(CommitError::Halted { reason })
        })?;
        let (mut entry, mut review) = (None, None);
        for committed in committed.entries {
            match committed.entry_id {
                id if id == entry_id => entry = Some(committed),
                id if Some(id) == review_id => review = Some(committed),
                _ => {}
            }
        }
        Ok(Recorded {
            settled: committed.value,
            entry,
            review,
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
            Ok(()) => wait(self.record_malformed(caller, caller.surface(surface), error)),
            Err(refused) => refused,
        }
    }

    /// Records a request that is no call, and names the entry in the error.
    pub(super) async fn record_malformed(
        &self,
        caller: &Caller,
        surface: Surface,
        error: ServiceError,
    ) -> ServiceError {
        let prepare = || {
            let in_force = self.in_force()?;
            let actor = caller.own_actor()?;
            let mut prepared = self.bare(caller.id(), actor, surface, &in_force);
            prepared.verdict = rejected(BuiltinReason::MalformedCall);
            Ok(prepared)
        };
        self.recorded(error, prepare()).await
    }

    /// Records a call that is refused before it is judged, and names the entry in the error. What
    /// the call was is sealed; a name that the agent made up stays out of the leaf.
    pub(super) async fn record_refused(
        &self,
        caller: &Caller,
        surface: Surface,
        request: &CallRequest,
        reason: BuiltinReason,
        error: ServiceError,
    ) -> ServiceError {
        let prepare = || {
            let mut prepared = self.prepare_refusal(caller, request, surface, reason)?;
            if !caller.covers(&request.actor) {
                prepared.actor = caller.own_actor()?;
            }
            prepared.links = Links::default();
            // The key stays free for the call as it was meant.
            prepared.once = None;
            Ok(prepared)
        };
        self.recorded(error, prepare()).await
    }

    /// Records that a tool is listed otherwise than it was confirmed, as the rejection that any
    /// call of it would be; nobody needs to have called it for somebody to be told.
    pub(crate) fn record_changed_tool(
        &self,
        caller: &Caller,
        actor: &ActorName,
        tool: &str,
        definition: Sha256,
    ) -> Result<(), ServiceError> {
        let body = serde_json::to_vec(&DecisionRequest {
            tool: tool.to_owned(),
            args: json!({}),
            actor: actor.to_string(),
            definition: Some(definition.to_string()),
            ..DecisionRequest::default()
        })?;
        let request = CallRequest::read(&body, None)?;
        let surface = caller.surface(Surface::Api);
        let reason = BuiltinReason::ToolChanged;
        let prepared = self.prepare_refusal(caller, &request, surface, reason)?;
        wait(self.commit_decision(prepared))?;
        self.watcher.wake();
        Ok(())
    }

    async fn recorded(
        &self,
        error: ServiceError,
        prepared: Result<Prepared, ServiceError>,
    ) -> ServiceError {
        let committed = match prepared {
            Ok(prepared) => self
                .commit_decision(prepared)
                .await
                .map_err(ServiceError::from),
            Err(failure) => Err(failure),
        };
        match committed.map(|recorded| recorded.entry) {
            Ok(Some(entry)) => {
                self.watcher.wake();
                error.recorded(entry.entry_id)
            }
            Ok(None) => ServiceError::internal("a rejection without an entry"),
            // Not recorded: then the client learns that, and not only what was wrong with its request.
            Err(failure) => failure,
        }
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
                body: Some(*body),
                entry: self.entry_id,
            };
            state::put(step, once.clone(), &row)?;
        }
        if let Some(review) = &self.review {
            review.take(step)?;
        }
        let targets = self
            .targets
            .iter()
            .map(|target| target.settle(step))
            .collect::<Result<Vec<_>, _>>()?;
        let settled = match (&self.facts, &self.reckoning) {
            (Some(judged), Some(reckoning)) => Some(reckoning.settle(step, judged, &targets)?),
            _ => None,
        };
        let judged = settled.as_ref().map(|settled| &settled.judged);
        let judged = judged.or(self.facts.as_ref());
        let mut decision = self.decision(targets, judged);
        if let Some(settled) = &settled {
            decision.counts.clone_from(&settled.counts);
        }
        if judged.is_none() {
            // It rests on no bundle, so nothing was compared; it still names the one in force.
            let row = state::read_in::<InForceRow>(step, &key::policy_in_force())?;
            decision.policy_ref = row.map_or(decision.policy_ref, |row| row.policy_ref);
        }
        step.push(self.entry_id, decision.clone())?;
        if let Some(session) = &decision.session {
            sessions::count(step, session, Counted::Decision)?;
        }
        let facts = judged.map(|judged| &judged.record);
        for record in self.sealed.iter().chain(facts) {
            step.seal(record.clone())?;
        }
        let facts_ref = decision.facts_ref;
        let listed = [
            (self.call_ref.map(Sha256::from), &self.tags.call),
            (self.reasoning_ref.map(Sha256::from), &self.tags.reasoning),
            (facts_ref.map(Sha256::from), &self.tags.facts),
        ];
        for (reference, tags) in listed {
            if let Some(reference) = reference {
                tags.put(step, &reference, self.entry_id)?;
            }
        }
        let counters = self.reckoning.as_ref().map(|it| it.counters());
        history::remember(step, &self.rebuilt, &decision, counters.unwrap_or_default())?;
        let permit = self.follow(step, decision.outcome)?;
        if let Some(review) = &self.review {
            review.close(step, self.entry_id, decision.outcome)?;
        }
        if let Some(shadow) = &self.shadow {
            shadow.settle(step, self.entry_id, &decision, &self.tags.facts)?;
        }
        Ok(Settled::Fresh(Box::new(Fresh { decision, permit })))
    }

    /// What an outcome leads to: a permit, or a question to a person.
    fn follow(
        &self,
        step: &mut Step<'_>,
        outcome: Outcome,
    ) -> Result<Option<PermitRow>, StepError> {
        match outcome {
            Outcome::Approved => {
                let row = PermitRow {
                    permit: self.permit,
                    issued_at: step.now(),
                    ttl_s: self.permit_ttl(step.now()),
                };
                state::put(step, key::permit(self.entry_id), &row)?;
                Ok(Some(row))
            }
            Outcome::Escalated => {
                let deadline = step.now().plus_millis(self.escalation_ttl_ms);
                let open = key::open_escalation(deadline, self.entry_id);
                state::put(step, open, &self.entry_id)?;
                let row = EscalationRow {
                    decision: self.entry_id,
                    deadline,
                    closed_by: None,
                };
                state::put(step, key::escalation(self.entry_id), &row)?;
                Ok(None)
            }
            Outcome::Rejected | Outcome::Modified | Outcome::Deferred => Ok(None),
        }
    }

    /// A permit does not outlive the turns that its call rests on, to the second.
    fn permit_ttl(&self, now: Timestamp) -> u32 {
        let Some(until) = self.reads.valid_until else {
            return self.permit_ttl_s;
        };
        let left_s = until.millis_since(now).max(0) / 1_000;
        u32::try_from(left_s).map_or(self.permit_ttl_s, |left| left.min(self.permit_ttl_s))
    }

    fn decision(&self, targets: Vec<Pseudonym>, judged: Option<&Judged>) -> Decision {
        let verdict = judged.map_or(&self.verdict, |judged| &judged.verdict);
        Decision {
            action: self.action.clone(),
            actor: self.actor.clone(),
            intent_ref: self.intent_ref,
            policy_ref: self.policy_ref,
            outcome: verdict.outcome,
            reasons: verdict.reasons.iter().cloned().collect(),
            call_ref: self.call_ref,
            facts_ref: judged.map(|judged| judged.facts_ref),
            reasoning_ref: self.reasoning_ref,
            principal: self.principal,
            session: self.session,
            targets,
            counts: Vec::new(),
            credential: self.credential,
            surface: self.surface,
            mode: Mode::Enforced,
            links: self.links.clone(),
            judge: judge_version(),
            claimed_intent_ref: self.claimed_intent_ref,
            actions: (!self.actions.is_empty()).then(|| self.actions.clone()),
            effective_call_ref: None,
        }
    }
}
