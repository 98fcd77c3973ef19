//! Answering: entry, proof, reasons and, on approval, the permit.

use countersign_core::document::{Call, Wire};
use std::time::{Duration, Instant};

use countersign_core::entry::{AnyEntry, Body, Decision, Entry, Role};
use countersign_core::ids::EntryId;
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::refs::Sha256;
use countersign_core::verdict::Outcome;
use countersign_judge::CompiledBundle;
use countersign_ledger::CommittedEntry;
use countersign_permit::Claims;
use countersign_wire::{DecisionAnswer, ReasonView, ResolutionView};

use super::enforced;
use super::record::Fresh;
use super::request::CallRequest;
use crate::Service;
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::render;
use crate::state::{self, EscalationRow, PermitRow, key};

/// How long a client may wait for an escalation to be closed.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// How often a waiting client's escalation is looked at.
const WAIT_STEP: Duration = Duration::from_millis(200);

impl Service {
    /// A decision that was made before. Whoever asked for it gets its permit again; an auditor
    /// does not.
    pub fn decision(
        &self,
        caller: &Caller,
        entry_id: EntryId,
    ) -> Result<DecisionAnswer, ServiceError> {
        caller.require_any(&[Role::Agent, Role::Auditor, Role::Tool, Role::Reviewer])?;
        let not_found = || ServiceError::not_found(format!("decision `{entry_id}`"));
        let (_, entry) = self.known_entry(entry_id)?.ok_or_else(not_found)?;
        let Some(decision) = entry.body().and_then(enforced) else {
            return Err(not_found());
        };
        let own = decision.credential == caller.id();
        if !own
            && !caller.has(Role::Auditor)
            && !caller.has(Role::Tool)
            && !caller.has(Role::Reviewer)
        {
            // Another agent's decision is not there for this one.
            return Err(not_found());
        }
        let mut answer = self.decision_answer(entry_id)?;
        answer.permit = answer.permit.filter(|_| own);
        Ok(answer)
    }

    /// The same, waiting until an open escalation is closed or `wait` has passed.
    pub fn decision_when_closed(
        &self,
        caller: &Caller,
        entry_id: EntryId,
        wait: Duration,
    ) -> Result<DecisionAnswer, ServiceError> {
        let deadline = Instant::now() + wait.min(WAIT_MAX);
        loop {
            let answer = self.decision(caller, entry_id)?;
            let open = answer.outcome == Outcome::Escalated.name() && answer.resolution.is_none();
            if !open || Instant::now() >= deadline {
                return Ok(answer);
            }
            std::thread::sleep(WAIT_STEP);
        }
    }

    /// A decision again, by its entry's id. An approval comes with the same permit as the first time.
    pub(crate) fn decision_answer(
        &self,
        entry_id: EntryId,
    ) -> Result<DecisionAnswer, ServiceError> {
        let not_found = || ServiceError::not_found(format!("decision `{entry_id}`"));
        let stored = self.ledger.entry(entry_id)?.ok_or_else(not_found)?;
        let AnyEntry::Known(entry) = AnyEntry::from_leaf(&stored.bytes)? else {
            return Err(not_found());
        };
        self.answer_of(&entry, &stored.bytes, &self.ledger.proof(stored.index)?)
    }

    /// The answer to a decision that was just committed.
    pub(super) fn answer(
        &self,
        request: &CallRequest,
        fresh: &Fresh,
        committed: Option<&CommittedEntry>,
    ) -> Result<DecisionAnswer, ServiceError> {
        let committed =
            committed.ok_or_else(|| ServiceError::internal("a decision without an entry"))?;
        let decision = &fresh.decision;
        let bundle = self.compiled(&decision.policy_ref)?;
        let call = PermittedCall {
            tool: request.tool.clone(),
            args_sha256: request.args_sha256,
            wire: request.wire.clone(),
        };
        let permit = fresh
            .permit
            .as_ref()
            .map(|row| self.sign_permit(committed.entry_id, decision, row, call))
            .transpose()?;
        Ok(DecisionAnswer {
            outcome: decision.outcome.name().to_owned(),
            entry_id: committed.entry_id.to_string(),
            reasons: reasons(&bundle, &decision.reasons),
            permit,
            resolution: None,
            requester_may_answer: requester_may_answer(&bundle, decision),
            entry: render::with_proof(&committed.leaf, &committed.proof)?,
        })
    }

    fn answer_of(
        &self,
        entry: &Entry,
        leaf: &[u8],
        proof: &str,
    ) -> Result<DecisionAnswer, ServiceError> {
        let Body::Decision(decision) = &entry.body else {
            return Err(ServiceError::not_found(format!(
                "decision `{}`",
                entry.entry_id
            )));
        };
        let bundle = self.compiled(&decision.policy_ref)?;
        let permit = match decision.outcome {
            Outcome::Approved => {
                let most = bundle.settings().permit_ttl_s;
                Some(self.permit(entry, decision, most)?)
            }
            _ => None,
        };
        Ok(DecisionAnswer {
            outcome: decision.outcome.name().to_owned(),
            entry_id: entry.entry_id.to_string(),
            reasons: reasons(&bundle, &decision.reasons),
            permit,
            resolution: self.resolution(entry.entry_id, decision)?,
            requester_may_answer: requester_may_answer(&bundle, decision),
            entry: render::with_proof(leaf, proof)?,
        })
    }

    /// The permit of an earlier approval, good for `most` seconds at most.
    fn permit(
        &self,
        entry: &Entry,
        decision: &Decision,
        most: u32,
    ) -> Result<String, ServiceError> {
        let claims = self.issued_claims(entry, decision, most)?;
        let signer = self.keys.permit_signer();
        signer.sign(&claims).map_err(ServiceError::internal)
    }

    /// What the permit of an earlier approval says.
    pub(crate) fn issued_claims(
        &self,
        entry: &Entry,
        decision: &Decision,
        most: u32,
    ) -> Result<Claims, ServiceError> {
        let entry_id = entry.entry_id;
        let missing =
            |what: &str| ServiceError::internal(format!("the approval {entry_id} has no {what}"));
        let row = state::read::<PermitRow>(&self.ledger, &key::permit(entry_id))?
            .ok_or_else(|| missing("permit"))?;
        // Rows are not authenticated: nobody who edits one gets a permit that lives longer.
        if row.issued_at != entry.timestamp || row.ttl_s > most {
            return Err(ServiceError::internal(format!(
                "the permit of the approval {entry_id} is not as it was issued"
            )));
        }
        let call_ref = decision.call_ref.ok_or_else(|| missing("call"))?;
        let call: Call = self.open_internally(*call_ref.digest())?;
        let call = PermittedCall {
            tool: call.tool,
            args_sha256: call.args_sha256,
            wire: call.wire,
        };
        Ok(self.claims(entry_id, decision, &row, call))
    }

    /// Signatures are deterministic, so it is the same token each time.
    fn sign_permit(
        &self,
        entry_id: EntryId,
        decision: &Decision,
        row: &PermitRow,
        call: PermittedCall,
    ) -> Result<String, ServiceError> {
        let claims = self.claims(entry_id, decision, row, call);
        let signer = self.keys.permit_signer();
        signer.sign(&claims).map_err(ServiceError::internal)
    }

    fn claims(
        &self,
        entry_id: EntryId,
        decision: &Decision,
        row: &PermitRow,
        call: PermittedCall,
    ) -> Claims {
        let (iat, exp) = Claims::lifetime(row.issued_at, row.ttl_s);
        Claims {
            iss: self.origin.to_string(),
            sub: decision.actor.clone(),
            aud: permit_audience(&call.tool),
            jti: row.permit,
            iat,
            exp,
            action: decision.action.clone(),
            tool: call.tool,
            args_sha256: call.args_sha256,
            wire: call.wire,
            entry_id,
            intent_ref: decision.intent_ref,
            policy_ref: decision.policy_ref,
            tenant: self.tenant.clone(),
        }
    }

    fn resolution(
        &self,
        entry_id: EntryId,
        decision: &Decision,
    ) -> Result<Option<ResolutionView>, ServiceError> {
        if decision.outcome != Outcome::Escalated {
            return Ok(None);
        }
        let row = state::read::<EscalationRow>(&self.ledger, &key::escalation(entry_id))?;
        Ok(row
            .and_then(|row| row.closed_by)
            .map(|closed| ResolutionView {
                kind: if closed.outcome.is_some() {
                    "decision"
                } else {
                    "expired"
                }
                .to_owned(),
                entry_id: closed.entry.to_string(),
                outcome: closed.outcome.map(|outcome| outcome.name().to_owned()),
            }))
    }
}

/// What a permit says of the call.
struct PermittedCall {
    tool: String,
    args_sha256: Sha256,
    wire: Option<Wire>,
}

/// Of an escalation: whether every rule that asks lets the one who asked answer.
pub(crate) fn requester_may_answer(bundle: &CompiledBundle, decision: &Decision) -> Option<bool> {
    let may = |id: &ReasonId| bundle.escalates_to_requester(id) == Some(true);
    (decision.outcome == Outcome::Escalated).then(|| decision.reasons.iter().all(may))
}

/// The audience of a permit: the side of one tool.
pub fn permit_audience(tool: &str) -> String {
    format!("tool:{tool}")
}

/// Reasons with their texts for people.
pub(crate) fn reasons(bundle: &CompiledBundle, ids: &[ReasonId]) -> Vec<ReasonView> {
    ids.iter()
        .map(|id| {
            let text = match BuiltinReason::of(id) {
                Some(builtin) => builtin.explanation(),
                None => bundle
                    .reason_text(id)
                    .unwrap_or("the policy states no reason"),
            };
            ReasonView {
                id: id.to_string(),
                text: text.to_owned(),
            }
        })
        .collect()
}
