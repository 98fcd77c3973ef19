//! Everything about a decision that can be done before the lock: facts, verdict, sealed records.

use std::sync::Arc;

use countersign_core::document::{Call, Facts, Reasoning, ReviewFact, Salt, SealedRecord};
use countersign_core::entry::{Links, Surface};
use countersign_core::ids::{CredentialId, EntryId, PermitId};
use countersign_core::names::{ActionName, ActorName, BuiltinReason, ReasonId};
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::{CallRef, IntentRef, PolicyRef, ReasoningRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_core::verdict::{Outcome, Verdict};
use countersign_judge::{ChainTurn, ExtractInputs, SessionResults, extract};
use countersign_ledger::{ReadSet, StateKey};
use serde_json::Value;

use super::enforced;
use super::request::CallRequest;
use super::shadow::ShadowVerdict;
use crate::Service;
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::escalations::escalation_ttl_ms;
use crate::history::{Judged, Rebuilt, Reckoning, Who};
use crate::intents::Mandate;
use crate::policy::InForce;
use crate::pseudonyms::PlannedPseudonym;
use crate::reviews::ReviewUnit;
use crate::state::{self, StopRow, key};
use crate::vault::subjects::{CallTags, SpokenInCall};

/// A decision but for its place in the log.
pub(crate) struct Prepared {
    pub(super) entry_id: EntryId,
    pub(super) action: ActionName,
    /// All that the call does, where that is more than one thing.
    pub(super) actions: Vec<ActionName>,
    pub(super) actor: ActorName,
    pub(super) intent_ref: Option<IntentRef>,
    pub(super) claimed_intent_ref: Option<IntentRef>,
    pub(super) policy_ref: PolicyRef,
    pub(super) verdict: Verdict,
    pub(super) call_ref: Option<CallRef>,
    /// The facts and the verdict on them, where the call was judged.
    pub(super) facts: Option<Judged>,
    /// What it takes to settle the verdict, where it rests on counters or on what came before.
    pub(super) reckoning: Option<Box<Reckoning>>,
    pub(super) rebuilt: Arc<Rebuilt>,
    pub(super) reasoning_ref: Option<ReasoningRef>,
    pub(super) principal: Option<Pseudonym>,
    pub(super) session: Option<Pseudonym>,
    pub(super) targets: Vec<PlannedPseudonym>,
    pub(super) credential: CredentialId,
    pub(super) surface: Surface,
    pub(super) links: Links,
    pub(super) sealed: Vec<SealedRecord>,
    pub(super) permit: PermitId,
    pub(super) permit_ttl_s: u32,
    /// How long a person may take to answer, in milliseconds.
    pub(super) escalation_ttl_ms: i64,
    /// The answer that is committed with it, and that it uses up.
    pub(super) review: Option<Box<ReviewUnit>>,
    pub(super) once: Option<(StateKey, Sha256)>,
    pub(super) shadow: Option<Box<ShadowVerdict>>,
    /// Whom the call's records speak of, beside the targets.
    pub(super) spoken: SpokenInCall,
    pub(super) tags: CallTags,
    pub(super) reads: ReadSet,
}

/// What the facts of one call are drawn from.
#[derive(Clone, Copy)]
pub(super) struct FactSources<'a> {
    caller: &'a Caller,
    claimed: Option<IntentRef>,
    actor: &'a ActorName,
    in_force: &'a InForce,
    mandate: &'a Mandate,
    call: &'a Call,
    call_ref: Option<CallRef>,
    directory_revision: Option<u64>,
    review: Option<&'a ReviewFact>,
    now: Timestamp,
}

impl<'a> FactSources<'a> {
    /// The arguments of the call.
    pub(super) fn args(&self) -> &'a Value {
        &self.call.args
    }

    /// The same for another bundle in the place of the one in force. It asked nobody, so it knows of
    /// no answer.
    pub(super) fn under<'b>(&self, in_force: &'b InForce) -> FactSources<'b>
    where
        'a: 'b,
    {
        FactSources {
            in_force,
            review: None,
            ..*self
        }
    }
}

impl Service {
    /// Gathers facts and judges.
    pub(super) fn prepare(
        &self,
        caller: &Caller,
        request: &CallRequest,
        surface: Surface,
    ) -> Result<Prepared, ServiceError> {
        let now = self.clock.now();
        let in_force = self.in_force()?;
        let mut reads = caller.reads();
        reads
            .versions
            .push((key::policy_in_force(), Some(in_force.version)));
        if self.is_stopped(&request.actor, &mut reads)? {
            let mut prepared =
                self.prepare_refusal(caller, request, surface, BuiltinReason::Stopped)?;
            prepared.reads = reads;
            return Ok(prepared);
        }
        let directory = self.ledger.state(&key::directory())?;
        reads.read(key::directory(), directory.as_ref());
        let erased = self.ledger.state(&key::directory_erased())?;
        reads.read(key::directory_erased(), erased.as_ref());
        let in_shadow = self.in_shadow(&mut reads)?;
        let claimed = match (&request.session, request.session_turn) {
            (Some(session), true) => self.turn_of_session(session, &request.actor, &mut reads)?,
            _ => request.intent_ref,
        };
        let mut mandate = self.mandate(claimed, &request.actor, request.session.as_ref(), now)?;
        if let Some(session) = mandate.session() {
            // Before they are read: a result that comes in meanwhile may hold what must not leave.
            let newest = self.ledger.state(&key::newest_result(&session))?;
            reads.read(key::newest_result(&session), newest.as_ref());
        }
        mandate.reads.versions.extend(reads.versions);
        let (mut prepared, call) = self.sealed_call(caller, request, surface, &in_force)?;
        let nothing = Mandate::default();
        let unmandated = FactSources {
            caller,
            claimed,
            actor: &request.actor,
            in_force: &in_force,
            mandate: &nothing,
            call: &call,
            call_ref: prepared.call_ref,
            directory_revision: directory.map(|found| found.version.get()),
            review: request.again.as_ref().map(|again| &again.review),
            now,
        };
        prepared.links.delegation = self.narrow(&mut mandate, &unmandated)?;
        let sources = FactSources {
            mandate: &mandate,
            ..unmandated
        };
        let facts = self.facts(&sources)?;
        prepared.action = facts.action.clone();
        prepared.actions.clone_from(&facts.actions);
        prepared.targets = self.plan_targets(&facts)?;
        prepared.spoken.judged(&call, &facts);
        prepared.intent_ref = mandate.intent_ref();
        prepared.claimed_intent_ref = claimed.filter(|_| mandate.intent_ref().is_none());
        prepared.principal = mandate.chain.first().map(|turn| turn.row.principal);
        prepared.session = mandate.session();
        let who = Who {
            actor: request.actor.clone(),
            intent: prepared.intent_ref,
            principal: prepared.principal,
            session: prepared.session,
        };
        prepared.shadow =
            in_shadow.map(|shadow| self.shadow_verdict(&shadow, &sources, who.clone()));
        let targets = &prepared.targets;
        let reckoned = self.reckon(&in_force.compiled, facts, &call.args, who, targets)?;
        prepared.facts = Some(reckoned.judged);
        prepared.reckoning = reckoned.reckoning;
        prepared.reads = mandate.reads;
        Ok(prepared)
    }

    /// Narrows a mandate that came by delegations to one of them that all the call does is among:
    /// without one, the call is unmandated.
    fn narrow(
        &self,
        mandate: &mut Mandate,
        unmandated: &FactSources<'_>,
    ) -> Result<Option<EntryId>, ServiceError> {
        if mandate.given.is_empty() {
            return Ok(None);
        }
        let facts = self.facts(unmandated)?;
        let done: Vec<ActionName> = facts.done().cloned().collect();
        Ok(mandate.narrow(&done))
    }

    /// A rejection that no policy decides. It rests on nothing, so nothing can make it stale.
    pub(super) fn prepare_refusal(
        &self,
        caller: &Caller,
        request: &CallRequest,
        surface: Surface,
        reason: BuiltinReason,
    ) -> Result<Prepared, ServiceError> {
        let in_force = self.in_force()?;
        let (mut prepared, _call) = self.sealed_call(caller, request, surface, &in_force)?;
        prepared.verdict = rejected(reason);
        if let Some(tool) = in_force.compiled.tool(&request.tool) {
            prepared.action = tool.action().clone();
        }
        prepared.claimed_intent_ref = request.intent_ref;
        Ok(prepared)
    }

    /// What every decision about a readable call has: the call itself and the reasoning, sealed.
    fn sealed_call(
        &self,
        caller: &Caller,
        request: &CallRequest,
        surface: Surface,
        in_force: &InForce,
    ) -> Result<(Prepared, Call), ServiceError> {
        if let Some(again) = &request.again {
            let prepared = Prepared {
                call_ref: Some(again.call_ref),
                reasoning_ref: again.reasoning_ref,
                links: again.links.clone(),
                ..self.bare(caller.id(), request.actor.clone(), surface, in_force)
            };
            return Ok((prepared, again.call.clone()));
        }
        let random = &*self.random;
        let call = request.call(&self.tenant, random);
        let (call_ref, record) = self.vault.seal(&call, random)?;
        let mut sealed = vec![record];
        let mut reasoning_ref = None;
        let spoken = SpokenInCall::of(&call, request.reasoning.as_deref());
        if let Some(text) = &request.reasoning {
            let reasoning = Reasoning {
                tenant: self.tenant.clone(),
                text: text.clone(),
                salt: Salt::fresh(random),
            };
            let (reference, record) = self.vault.seal(&reasoning, random)?;
            reasoning_ref = Some(reference);
            sealed.push(record);
        }
        let prepared = Prepared {
            call_ref: Some(call_ref),
            reasoning_ref,
            sealed,
            spoken,
            once: request.once(caller).zip(request.body),
            links: Links {
                continues: request.continues,
                ..Links::default()
            },
            ..self.bare(caller.id(), request.actor.clone(), surface, in_force)
        };
        Ok((prepared, call))
    }

    /// A rejection with nothing filled in but who asked.
    pub(super) fn bare(
        &self,
        credential: CredentialId,
        actor: ActorName,
        surface: Surface,
        in_force: &InForce,
    ) -> Prepared {
        let now = self.clock.now();
        Prepared {
            entry_id: EntryId::fresh(now, &*self.random),
            action: ActionName::unknown(),
            actions: Vec::new(),
            actor,
            intent_ref: None,
            claimed_intent_ref: None,
            policy_ref: in_force.compiled.policy_ref(),
            verdict: rejected(BuiltinReason::MalformedCall),
            call_ref: None,
            facts: None,
            reckoning: None,
            rebuilt: Arc::clone(&self.rebuilt),
            reasoning_ref: None,
            principal: None,
            session: None,
            targets: Vec::new(),
            credential,
            surface,
            links: Links::default(),
            sealed: Vec::new(),
            permit: PermitId::fresh(now, &*self.random),
            permit_ttl_s: in_force.compiled.settings().permit_ttl_s,
            escalation_ttl_ms: escalation_ttl_ms(in_force.compiled.settings()),
            review: None,
            once: None,
            shadow: None,
            spoken: SpokenInCall::default(),
            tags: CallTags::default(),
            reads: ReadSet::none(),
        }
    }

    pub(super) fn facts(&self, from: &FactSources<'_>) -> Result<Facts, ServiceError> {
        let bundle = &from.in_force.compiled;
        let results = match from.mandate.session() {
            Some(session) => self.session_results(&session, bundle)?,
            None => SessionResults::empty(),
        };
        let chain: Vec<ChainTurn<'_>> = from
            .mandate
            .chain
            .iter()
            .map(|turn| ChainTurn {
                intent_ref: turn.intent_ref,
                entry: turn.row.entry,
                intent: &turn.open.document,
                mentions: &turn.open.mentions,
            })
            .collect();
        Ok(extract(&ExtractInputs {
            tenant: &self.tenant,
            salt: Salt::fresh(&*self.random),
            now: from.now,
            actor: from.actor,
            bundle,
            call: from.call,
            call_ref: from
                .call_ref
                .ok_or_else(|| ServiceError::internal("a call without its ref"))?,
            claimed_intent: from.claimed,
            chain: &chain,
            results: &results,
            directory: self,
            directory_revision: from.directory_revision,
            credential: from.caller.id(),
            review: from.review,
            counters: &[],
            history: None,
        })?)
    }

    /// Whether nothing may be done by an actor.
    pub(crate) fn is_stopped(
        &self,
        actor: &ActorName,
        reads: &mut ReadSet,
    ) -> Result<bool, ServiceError> {
        let everything = state::read_into::<StopRow>(&self.ledger, key::stop_everything(), reads)?;
        let mut stopped = everything.is_some();
        for pattern in actor.patterns() {
            let key = key::stop_actor(pattern);
            stopped |= state::read_into::<StopRow>(&self.ledger, key, reads)?.is_some();
        }
        Ok(stopped)
    }

    /// One pseudonym per thing that the call acts on, by the form in which things are the same.
    pub(super) fn plan_targets(
        &self,
        facts: &Facts,
    ) -> Result<Vec<PlannedPseudonym>, ServiceError> {
        facts
            .targets
            .iter()
            .map(|target| {
                let value = format!("{}::{}", target.entity.kind, target.entity.id);
                self.plan_pseudonym(PseudonymKind::Target, &value)
            })
            .collect()
    }

    /// Refuses a call that names a decision which the log does not hold.
    pub(super) fn check_links(&self, request: &CallRequest) -> Result<(), ServiceError> {
        let Some(claimed) = request.continues else {
            return Ok(());
        };
        match self.known_entry(claimed)? {
            Some((_, entry)) if entry.body().and_then(enforced).is_some() => Ok(()),
            _ => Err(ServiceError::malformed(format!(
                "`links.continues` names no decision: `{claimed}`"
            ))),
        }
    }
}

/// A rejection for a built-in reason.
pub(crate) fn rejected(reason: BuiltinReason) -> Verdict {
    Verdict {
        outcome: Outcome::Rejected,
        reasons: [ReasonId::builtin(reason)].into(),
    }
}
