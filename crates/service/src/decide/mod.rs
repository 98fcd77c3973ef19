//! The life of a call: read, find the intent, gather facts, judge, commit, answer.
//!
//! The order is fixed (ARCHITECTURE.md, "Life of a call"). If any step cannot be done, the answer
//! is a refusal; nothing here can approve a call that is not in the ledger.

mod again;
mod answer;
mod prepare;
mod record;
mod request;
mod shadow;

pub(crate) use again::Answered;
pub use answer::{WAIT_MAX, permit_audience};
pub(crate) use answer::{reasons, requester_may_answer};
pub(crate) use prepare::rejected;
pub use request::CALL_BODY_BYTES;
pub(crate) use request::wire;

use countersign_core::entry::{Body, Decision, Mode, Role, Surface};
use countersign_core::names::BuiltinReason;
use countersign_ledger::CommitError;
use countersign_wire::DecisionAnswer;

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::promise::wait;
use crate::published::Undelivered;
use crate::state::{self, IdempotencyRow};
pub(crate) use record::{Recorded, Settled};
use request::CallRequest;

/// What a decision's entry says, if it was enforced: a verdict in shadow is no decision to anybody
/// who asks what may be done.
pub(crate) fn enforced(body: &Body) -> Option<&Decision> {
    match body {
        Body::Decision(decision) if decision.mode == Mode::Enforced => Some(decision),
        _ => None,
    }
}

/// How often a call is judged again when what its verdict rested on has changed. Results of a busy
/// session come in often.
pub(crate) const JUDGED_AGAIN: usize = 4;

impl Service {
    /// Judges one call and commits the decision.
    ///
    /// In: the request's body, at most [`CALL_BODY_BYTES`]; a caller with the role `agent`; where
    /// the call came in; the client's idempotency key, if it sent one. Out: the verdict with its
    /// entry, proof and, on approval, permit. A body that is no call is an error that names the
    /// entry in which the rejection is recorded.
    ///
    /// Blocks until the decision is durable; [`Service::decide_soon`] does not.
    pub fn decide(
        &self,
        caller: &Caller,
        body: &[u8],
        surface: Surface,
        idempotency_key: Option<&str>,
    ) -> Result<DecisionAnswer, ServiceError> {
        wait(self.decide_soon(caller, body, surface, idempotency_key))
    }

    /// The same for a surface whose threads must not rest: while the decision is committed, nobody
    /// waits. The judging itself is work like any other, about as much as the body and the bundle
    /// are large.
    ///
    /// A future that is dropped leaves either no trace or a decision that nobody was told of, as a
    /// connection that breaks would.
    pub async fn decide_soon(
        &self,
        caller: &Caller,
        body: &[u8],
        surface: Surface,
        idempotency_key: Option<&str>,
    ) -> Result<DecisionAnswer, ServiceError> {
        let durable = self.decide_durably(caller, body, surface, idempotency_key);
        self.deliver(durable.await?).await
    }

    /// The same up to where the decision is durable. What comes of it is delivered by
    /// [`Service::deliver`], which may wait for witnesses.
    pub async fn decide_durably(
        &self,
        caller: &Caller,
        body: &[u8],
        surface: Surface,
        idempotency_key: Option<&str>,
    ) -> Result<Undelivered, ServiceError> {
        caller.require(Role::Agent)?;
        let surface = caller.surface(surface);
        let request = match CallRequest::read(body, idempotency_key) {
            Ok(request) => request,
            Err(error) => return Err(self.record_malformed(caller, surface, error).await),
        };
        self.check_wait(request.wait)?;
        if !caller.covers(&request.actor) {
            let error = ServiceError::new(
                ErrorCode::OutOfBounds,
                format!(
                    "the credential may not speak for the actor `{}`",
                    request.actor
                ),
            );
            let reason = BuiltinReason::ForeignActor;
            let recorded = self.record_refused(caller, surface, &request, reason, error);
            return Err(recorded.await);
        }
        if let Err(error) = self.check_links(&request) {
            let reason = BuiltinReason::MalformedCall;
            let recorded = self.record_refused(caller, surface, &request, reason, error);
            return Err(recorded.await);
        }
        let answer = match self.replayed(caller, &request)? {
            Some(answer) => answer,
            None => self.judge_and_commit(caller, &request, surface).await?,
        };
        Ok(Undelivered::new(answer, request.wait))
    }

    async fn judge_and_commit(
        &self,
        caller: &Caller,
        request: &CallRequest,
        surface: Surface,
    ) -> Result<DecisionAnswer, ServiceError> {
        for _ in 0..=JUDGED_AGAIN {
            let prepared = self.prepare(caller, request, surface)?;
            match self.commit_decision(prepared).await {
                Err(CommitError::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(recorded) => return self.answer_recorded(request, recorded),
            }
        }
        let prepared = self.prepare_refusal(caller, request, surface, BuiltinReason::Contended)?;
        let recorded = self.commit_decision(prepared).await?;
        self.answer_recorded(request, recorded)
    }

    fn answer_recorded(
        &self,
        request: &CallRequest,
        recorded: Recorded,
    ) -> Result<DecisionAnswer, ServiceError> {
        match recorded.settled {
            Settled::Fresh(fresh) => {
                let answer = self.answer(request, &fresh, recorded.entry.as_ref());
                self.watcher.decided(fresh.decision, recorded.entry);
                answer
            }
            Settled::Replay(row) => self.replay(request, &row),
        }
    }

    /// The answer that was already given under the request's idempotency key.
    fn replayed(
        &self,
        caller: &Caller,
        request: &CallRequest,
    ) -> Result<Option<DecisionAnswer>, ServiceError> {
        let Some(once) = request.once(caller) else {
            return Ok(None);
        };
        let Some(row) = state::read::<IdempotencyRow>(&self.ledger, &once)? else {
            return Ok(None);
        };
        // Committed, and not released yet: then the request queues up behind that release.
        if self.ledger.entry(row.entry)?.is_none() {
            return Ok(None);
        }
        self.replay(request, &row).map(Some)
    }

    fn replay(
        &self,
        request: &CallRequest,
        row: &IdempotencyRow,
    ) -> Result<DecisionAnswer, ServiceError> {
        if row.body.is_none() {
            let detail = "the call that was answered under this `Idempotency-Key` was erased";
            return Err(ServiceError::new(ErrorCode::Erased, detail).recorded(row.entry));
        }
        if row.body != request.body {
            return Err(ServiceError::new(
                ErrorCode::IdempotencyConflict,
                "this `Idempotency-Key` was used with another body",
            )
            .recorded(row.entry));
        }
        self.decision_answer(row.entry)
    }
}
