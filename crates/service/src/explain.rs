//! Explaining a decision: which turn, which rule, where each value came from, what the agent said.
//!
//! What the caller may not open is shown as sealed, not left out.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{
    Document as _, EntityFact, Evidence, Facts, Integrity, Intent, PartBy, Place, Source,
    TargetFact, ValueFact,
};
use countersign_core::entry::{Body, Decision, Role};
use countersign_core::ids::EntryId;
use countersign_core::names::{ActionName, BuiltinReason, ReasonId};
use countersign_core::refs::{IntentRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_judge::{CompiledBundle, Held, SourceTest, trace};
use countersign_wire::{
    EvidenceView, Explanation, LackView, PolicyView, ProofView, Sealable, TargetView, ValueView,
};
use serde_json::Value;

use crate::Service;
use crate::caller::Caller;
use crate::decide::reasons;
use crate::error::ServiceError;
use crate::state::{self, IntentRow, key};
use crate::vault::access::OpenedGroup;

/// How many rules are shown that permitted nothing.
const LACKS: usize = 16;

impl Service {
    /// Explains a decision. With the role `vault-reader` and a stated purpose the sealed parts are
    /// opened, and that is an entry.
    pub fn explain(
        &self,
        caller: &Caller,
        entry_id: EntryId,
        purpose: Option<&str>,
    ) -> Result<Explanation, ServiceError> {
        caller.require(Role::Auditor)?;
        let not_found = || ServiceError::not_found(format!("decision `{entry_id}`"));
        let (index, entry) = self.known_entry(entry_id)?.ok_or_else(not_found)?;
        let Some(Body::Decision(decision)) = entry.body() else {
            return Err(not_found());
        };
        let bundle = self.compiled(&decision.policy_ref)?;
        let mut refs = SealedRefs::of(decision);
        // The claimed ref is text of the agent's: what is no turn is not shown as one.
        if let Some(turn) = refs.turn
            && !self.is_turn(&turn)?
        {
            refs.turn = None;
        }
        let (documents, vault_access) = match purpose {
            Some(purpose) if caller.has(Role::VaultReader) => {
                let group = self.open_group(caller, &refs.all(), purpose)?;
                let access = group.access.map(|entry| entry.to_string());
                (documents(&group)?, access)
            }
            _ => (BTreeMap::new(), None),
        };
        let facts = refs.facts.and_then(|reference| documents.get(&reference));
        let call = refs.call.and_then(|reference| documents.get(&reference));
        let drawn = facts.map(read_facts).transpose()?;
        Ok(Explanation {
            entry_id: entry_id.to_string(),
            index: index.get(),
            timestamp: entry.timestamp().to_string(),
            action: decision.action.to_string(),
            actor: decision.actor.to_string(),
            outcome: decision.outcome.name().to_owned(),
            reasons: reasons(&bundle, &decision.reasons),
            notes: self.notes(entry.timestamp(), decision, &bundle, call)?,
            is_mandated: decision.intent_ref.is_some(),
            policies: policies(&bundle, decision),
            policy_ref: decision.policy_ref.to_string(),
            bundle_name: bundle.bundle().content.name.clone(),
            turn: self.sealable(refs.turn, &documents)?,
            call: self.sealable(refs.call, &documents)?,
            reasoning: self.sealable(refs.reasoning, &documents)?,
            facts: self.sealable(refs.facts, &documents)?,
            targets: drawn.as_ref().map_or_else(Vec::new, target_views),
            values: drawn.as_ref().map_or_else(Vec::new, value_views),
            lacks: match &drawn {
                Some(facts) if is_unpermitted(decision) => lacks(&bundle, facts),
                _ => Vec::new(),
            },
            proof: ProofView {
                status: "included".to_owned(),
                origin: self.origin.to_string(),
                tree_size: self.ledger.size().get(),
            },
            entry: self.entry_json(entry_id)?,
            vault_access,
        })
    }
}

impl Service {
    fn notes(
        &self,
        at: Timestamp,
        decision: &Decision,
        bundle: &CompiledBundle,
        call: Option<&Value>,
    ) -> Result<Vec<String>, ServiceError> {
        let is = |reason| decision.reasons.contains(&ReasonId::builtin(reason));
        let mut notes = Vec::new();
        if let Some(beside) = decision.links.shadows {
            notes.push(format!(
                "a bundle in shadow said this, and nothing came of it; what counted is `{beside}`"
            ));
        }
        if let Some(review) = decision.links.review {
            notes.extend(self.answered_note(review)?);
        }
        if let Some(delegation) = decision.links.delegation {
            notes.extend(self.given_note(delegation)?);
        }
        if decision.intent_ref.is_none() && decision.call_ref.is_some() {
            let unlooked = is(BuiltinReason::Stopped) || is(BuiltinReason::Contended);
            notes.push(match decision.claimed_intent_ref {
                _ if unlooked => "the call was refused before its turn was looked for".to_owned(),
                None => {
                    "the call named no turn, so nobody is known to have asked for it".to_owned()
                }
                Some(claimed) => self.why_not_counted(&claimed, at, decision)?,
            });
        }
        if is(BuiltinReason::SchemaMismatch) {
            let text = |name| call.and_then(|call| call.get(name));
            let tool = text("tool").and_then(Value::as_str);
            let tool = tool.and_then(|tool| bundle.tool(tool));
            let misfit = tool
                .zip(text("args"))
                .and_then(|(tool, args)| tool.schema_error(args));
            notes.push(match misfit {
                Some(misfit) => format!("what does not fit: {misfit}"),
                None => "what does not fit is told where the call is opened".to_owned(),
            });
        }
        Ok(notes)
    }

    /// What a person answered, whose answer the call was judged again with.
    fn answered_note(&self, review: EntryId) -> Result<Option<String>, ServiceError> {
        let Some((_, entry)) = self.known_entry(review)? else {
            return Ok(None);
        };
        let Some(Body::Review(body)) = entry.body() else {
            return Ok(None);
        };
        let (answer, by) = (body.answer, body.credential);
        let whose = match body.signature {
            Some(_) => format!("the reviewer `{by}` answered and signed"),
            None => format!("the person whose turn it is answered, as the ingress `{by}` says:"),
        };
        let asked = body
            .links
            .review
            .map_or_else(String::new, |id| format!(" `{id}`"));
        Ok(Some(format!(
            "{whose} `{answer}` to the escalation{asked}; that is entry `{review}`"
        )))
    }

    /// By whom the turn came to an actor that it does not name.
    fn given_note(&self, delegation: EntryId) -> Result<Option<String>, ServiceError> {
        let entry = self.known_entry(delegation)?;
        let Some(Body::Delegation(given)) = entry.as_ref().and_then(|(_, entry)| entry.body())
        else {
            return Ok(None);
        };
        let actions: Vec<&str> = given.actions.iter().map(ActionName::as_str).collect();
        let what = match actions.is_empty() {
            true => "all that it may do".to_owned(),
            false => actions.join(", "),
        };
        Ok(Some(format!(
            "the turn does not name the actor: `{}` gave it {what}, until {} (entry {delegation})",
            given.from, given.expires_at
        )))
    }

    /// Why a turn that a call named did not count for it.
    fn why_not_counted(
        &self,
        claimed: &IntentRef,
        at: Timestamp,
        decision: &Decision,
    ) -> Result<String, ServiceError> {
        let row = state::read::<IntentRow>(&self.ledger, &key::intent(claimed))?;
        let Some(row) = row else {
            return Ok(format!(
                "the call named `{claimed}`, which is no turn of this ledger"
            ));
        };
        let why = if row.revoked {
            "it was revoked".to_owned()
        } else if row.expires_at <= at {
            format!("it had ended at {}", row.expires_at)
        } else if !row.actors.contains(&decision.actor) {
            format!(
                "it does not name the actor `{}`, and what was delegated to it does not cover this call",
                decision.actor
            )
        } else {
            "it is not the newest of its session, is of another session than the call, or its standing instruction has ended".to_owned()
        };
        Ok(format!("the turn that the call named did not count: {why}"))
    }

    fn sealable(
        &self,
        reference: Option<Sha256>,
        documents: &BTreeMap<Sha256, Value>,
    ) -> Result<Sealable, ServiceError> {
        let Some(reference) = reference else {
            return Ok(Sealable::Absent);
        };
        let text = reference.to_string();
        Ok(match documents.get(&reference) {
            Some(document) => Sealable::Open {
                reference: text,
                document: document.clone(),
            },
            None if self.erasure_of(&reference)?.is_some() => Sealable::Erased { reference: text },
            None => Sealable::Sealed { reference: text },
        })
    }

    fn is_turn(&self, reference: &Sha256) -> Result<bool, ServiceError> {
        let record = self.ledger.sealed(reference)?;
        Ok(record.is_some_and(|record| record.kind == Intent::KIND))
    }
}

/// The sealed documents of one decision.
struct SealedRefs {
    turn: Option<Sha256>,
    call: Option<Sha256>,
    reasoning: Option<Sha256>,
    facts: Option<Sha256>,
}

impl SealedRefs {
    fn of(decision: &Decision) -> Self {
        Self {
            // A turn that the call claimed in vain explains it, too.
            turn: decision
                .intent_ref
                .or(decision.claimed_intent_ref)
                .map(Sha256::from),
            call: decision.call_ref.map(Sha256::from),
            reasoning: decision.reasoning_ref.map(Sha256::from),
            facts: decision.facts_ref.map(Sha256::from),
        }
    }

    fn all(&self) -> Vec<Sha256> {
        [self.turn, self.call, self.reasoning, self.facts]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn documents(group: &OpenedGroup) -> Result<BTreeMap<Sha256, Value>, ServiceError> {
    let records = group.records.iter();
    let read = records.map(|(reference, bytes)| Ok((*reference, serde_json::from_slice(bytes)?)));
    read.collect()
}

fn policies(bundle: &CompiledBundle, decision: &Decision) -> Vec<PolicyView> {
    decision
        .reasons
        .iter()
        .filter_map(|id| {
            let policy = bundle.policy_text(id)?;
            Some(PolicyView {
                id: id.to_string(),
                file: policy.file,
                line: policy.line,
                source: policy.text,
            })
        })
        .collect()
}

fn read_facts(facts: &Value) -> Result<Facts, ServiceError> {
    let mut members = facts.clone();
    if let Value::Object(members) = &mut members {
        members.shift_remove("v");
        members.shift_remove("kind");
    }
    Ok(serde_json::from_value(members)?)
}

fn is_unpermitted(decision: &Decision) -> bool {
    let reason = ReasonId::builtin(BuiltinReason::NoPermit);
    decision.reasons.contains(&reason)
}

/// What the permits asked for in vain, for each target that none permitted.
fn lacks(bundle: &CompiledBundle, facts: &Facts) -> Vec<LackView> {
    let Some(bundle) = bundle.for_extractor(facts.extractor) else {
        return Vec::new();
    };
    let mut lacks = Vec::new();
    for target in trace(bundle, facts) {
        let unpermitted = ReasonId::builtin(BuiltinReason::NoPermit);
        if !target.reasons.contains(&unpermitted) {
            continue;
        }
        for (id, policy) in &target.policies {
            if let Held::No(unmet) = &policy.held
                && policy.permits
                && !unmet.condition.is_empty()
                && lacks.len() < LACKS
            {
                let asked = unmet.asks.iter().flat_map(SourceTest::sentences);
                lacks.push(LackView {
                    policy: id.to_string(),
                    at: target.at.clone(),
                    condition: unmet.condition.clone(),
                    sources: asked.collect(),
                });
            }
        }
    }
    lacks
}

fn target_views(facts: &Facts) -> Vec<TargetView> {
    facts
        .targets
        .iter()
        .map(|target| target_view(target, &facts.entities))
        .collect()
}

fn value_views(facts: &Facts) -> Vec<ValueView> {
    facts.values.iter().map(value_view).collect()
}

pub(crate) fn value_view(fact: &ValueFact) -> ValueView {
    ValueView {
        at: fact.at.clone(),
        role: fact.role.name().to_owned(),
        value: fact.value.clone(),
        sources: source_names(&fact.sources),
        evidence: evidence_views(&fact.evidence, &fact.sources),
    }
}

fn source_names(sources: &BTreeSet<Source>) -> Vec<String> {
    let names = sources.iter().map(|source| source.name().to_owned());
    names.collect()
}

fn evidence_views(evidence: &[Evidence], sources: &BTreeSet<Source>) -> Vec<EvidenceView> {
    let views = evidence.iter().map(|one| evidence_view(one, sources));
    views.collect()
}

pub(crate) fn target_view(target: &TargetFact, entities: &[EntityFact]) -> TargetView {
    let known = entities.iter().find(|fact| fact.entity == target.entity);
    TargetView {
        at: target.at.clone(),
        value: target.value.clone(),
        sources: source_names(&target.sources),
        evidence: evidence_views(&target.evidence, &target.sources),
        directory: known.map(|fact| serde_json::json!(fact.attributes)),
    }
}

fn evidence_view(evidence: &Evidence, sources: &BTreeSet<Source>) -> EvidenceView {
    let (place, grounds) = match &evidence.place {
        Place::Turn { part, by, .. } => {
            let words = match by {
                PartBy::Principal => "the principal's own words",
                PartBy::Correspondent => "a correspondent's words, which carry no authority",
                PartBy::System => "the system's words, which carry no authority",
                PartBy::Agent => "the agent's words, which carry no authority",
            };
            (
                format!("part {part} of the turn: {words}"),
                *by == PartBy::Principal,
            )
        }
        Place::Result { tool, pointer, .. } => {
            let field = match pointer.as_str() {
                "" => format!("the result of an earlier `{tool}`"),
                pointer => format!("`{pointer}` in the result of an earlier `{tool}`"),
            };
            match evidence.integrity {
                Some(Integrity::System) if sources.contains(&Source::SystemField) => {
                    (format!("{field}, which the system writes"), true)
                }
                Some(Integrity::FirstParty) if sources.contains(&Source::FirstPartyField) => {
                    (format!("{field}, which our own people write"), true)
                }
                _ => (format!("{field}, which carries no authority"), false),
            }
        }
        Place::Directory => ("the directory".to_owned(), false),
    };
    let text = match (&evidence.as_written, evidence.look_alike) {
        (Some(written), true) => format!("{place}; there it only looks like `{written}`"),
        (Some(written), false) => format!("{place}; written as `{written}`"),
        (None, _) => place,
    };
    EvidenceView {
        text,
        grounds: grounds && !evidence.look_alike,
    }
}
