//! From a call and what surrounds it to facts.

mod context;
mod entities;
mod targets;

use std::collections::BTreeMap;

use countersign_core::document::{
    Call, CedarRequest, EntityUid, Facts, Inputs, Intent, IntentInput, Salt, TargetFact, ToolResult,
};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::TURN_CHAIN;
use countersign_core::names::{ActionName, ActorName, BuiltinReason, TenantId};
use countersign_core::refs::{CallRef, IntentRef, ResultRef};
use countersign_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::bundle::{Action, CALL, CompiledBundle, Targets, Tool};
use crate::mention::{ResultIndex, TurnMentions};
use crate::version::EXTRACTOR;
use targets::ReadTarget;

/// One turn of the live chain.
#[derive(Clone, Copy)]
pub struct ChainTurn<'a> {
    /// The turn's commitment.
    pub intent_ref: IntentRef,
    /// The entry that registered it.
    pub entry: EntryId,
    /// The turn.
    pub intent: &'a Intent,
    /// What it mentions.
    pub mentions: &'a TurnMentions,
}

/// One result of an earlier call of the session.
#[derive(Clone, Copy)]
pub struct SeenResult<'a> {
    /// The result's commitment.
    pub result_ref: ResultRef,
    /// The result.
    pub result: &'a ToolResult,
    /// What it holds.
    pub index: &'a ResultIndex,
}

/// Where entities come from.
pub trait Directory {
    /// The attributes of an entity, if the directory knows it. The id is in lookup form.
    fn entity(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError>;
}

/// The directory could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the directory cannot be read: {0}")]
pub struct DirectoryError(pub String);

/// What facts are drawn from.
#[derive(Clone, Copy)]
pub struct ExtractInputs<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The salt of the facts document.
    pub salt: Salt,
    /// The time that the facts speak of.
    pub now: Timestamp,
    /// Who makes the call.
    pub actor: &'a ActorName,
    /// The bundle in force.
    pub bundle: &'a CompiledBundle,
    /// The call.
    pub call: &'a Call,
    /// The call's commitment.
    pub call_ref: CallRef,
    /// The intent that the call claims, whether or not it was found.
    pub claimed_intent: Option<IntentRef>,
    /// The live turns, the newest first; the first is the one that the call names. Empty when
    /// there is no live intent. Those beyond [`TURN_CHAIN`] are not looked at.
    pub chain: &'a [ChainTurn<'a>],
    /// The results of earlier calls of the session, in the order of the log.
    pub results: &'a [SeenResult<'a>],
    /// Where entities come from.
    pub directory: &'a dyn Directory,
    /// The directory's revision.
    pub directory_revision: Option<u64>,
    /// The credential that asks.
    pub credential: CredentialId,
    /// The review that is used up, if there is one.
    pub review: Option<EntryId>,
}

/// Draws the facts. What an agent sent never makes it fail: an obstacle then stands in the facts.
/// It fails only when the directory cannot be read.
pub fn extract(inputs: &ExtractInputs<'_>) -> Result<Facts, DirectoryError> {
    let chain = inputs.chain.get(..TURN_CHAIN).unwrap_or(inputs.chain);
    let inputs = &ExtractInputs { chain, ..*inputs };
    let mut facts = blank(inputs);
    match inputs.bundle.tool(&inputs.call.tool) {
        Some(tool) => {
            facts.action = tool.action().clone();
            if !inputs.call.args.is_object() || !tool.accepts(&inputs.call.args) {
                return Ok(stopped(facts, BuiltinReason::SchemaMismatch, None));
            }
            of_known_tool(inputs, tool, facts)
        }
        None if inputs.bundle.judges_unknown(&inputs.call.tool) => {
            let action = ActionName::unknown();
            let context = context::shared(inputs, None, &[]);
            let Some(known) = inputs.bundle.action(&action) else {
                return Ok(stopped(facts, BuiltinReason::EvaluationError, None));
            };
            facts.context = context;
            requests(inputs, known, facts, &[])
        }
        None => Ok(stopped(facts, BuiltinReason::UnknownTool, None)),
    }
}

fn of_known_tool(
    inputs: &ExtractInputs<'_>,
    tool: &Tool,
    facts: Facts,
) -> Result<Facts, DirectoryError> {
    let found = match tool.targets(&inputs.call.args) {
        Targets::Found(found) => found,
        Targets::Missing(declaration) => {
            let at = declaration.at.clone();
            return Ok(stopped(facts, BuiltinReason::NoTarget, Some(at)));
        }
        Targets::TooMany => return Ok(stopped(facts, BuiltinReason::TooManyTargets, None)),
    };
    let mut facts = facts;
    let mut read = Vec::with_capacity(found.len());
    let mut unreadable = None;
    for target in &found {
        match targets::read(target) {
            Some(target) => read.push(targets::draw(inputs, target)?),
            None => unreadable = unreadable.or(Some(target.at.clone())),
        }
    }
    facts.targets = read.iter().map(|target| target.fact.clone()).collect();
    if unreadable.is_some() {
        // Drawn again, the targets that could be read must find what they found.
        match entities::slice(inputs, resources(&facts.targets))? {
            Some(entities) => facts.entities = entities,
            None => facts.targets.clear(),
        }
        return Ok(stopped(facts, BuiltinReason::UnreadableTarget, unreadable));
    }
    let Some(action) = inputs.bundle.action(tool.action()) else {
        return Ok(stopped(facts, BuiltinReason::EvaluationError, None));
    };
    facts.context = context::shared(inputs, Some((tool, action)), &read);
    requests(inputs, action, facts, &read)
}

/// One request per target, or one for the call, and the entities that they can reach.
fn requests(
    inputs: &ExtractInputs<'_>,
    action: &Action,
    mut facts: Facts,
    targets: &[ReadTarget],
) -> Result<Facts, DirectoryError> {
    let request = |resource: EntityUid, context: Map<String, Value>| CedarRequest {
        principal: inputs.actor.to_string(),
        action: facts.action.to_string(),
        resource,
        context,
    };
    let requests: Vec<CedarRequest> = if targets.is_empty() {
        let call = EntityUid {
            kind: CALL.to_owned(),
            id: inputs.call_ref.to_string(),
        };
        vec![request(call, Map::new())]
    } else {
        targets
            .iter()
            .map(|target| request(target.fact.entity.clone(), context::own(target)))
            .collect()
    };
    let mut roots = resources(&facts.targets);
    roots.extend(entities::literals(action, &requests));
    match entities::slice(inputs, roots)? {
        Some(entities) => {
            facts.entities = entities;
            facts.requests = requests;
            Ok(facts)
        }
        None => {
            facts.targets.clear();
            Ok(stopped(facts, BuiltinReason::EvaluationError, None))
        }
    }
}

fn resources(targets: &[TargetFact]) -> Vec<EntityUid> {
    targets.iter().map(|target| target.entity.clone()).collect()
}

/// Facts of which nothing is drawn yet.
fn blank(inputs: &ExtractInputs<'_>) -> Facts {
    let intents = inputs
        .chain
        .iter()
        .map(|turn| IntentInput {
            intent_ref: turn.intent_ref,
            entry: turn.entry,
        })
        .collect();
    Facts {
        tenant: inputs.tenant.clone(),
        extractor: EXTRACTOR,
        now: inputs.now,
        actor: inputs.actor.clone(),
        action: ActionName::unknown(),
        actions: Vec::new(),
        inputs: Inputs {
            call: inputs.call_ref,
            bundle: inputs.bundle.policy_ref(),
            claimed_intent: inputs.claimed_intent,
            intents,
            results: inputs.results.iter().map(|seen| seen.result_ref).collect(),
            directory_revision: inputs.directory_revision,
            counters: Vec::new(),
            history: None,
            review: inputs.review,
            credential: inputs.credential,
        },
        targets: Vec::<TargetFact>::new(),
        values: Vec::new(),
        carried: Vec::new(),
        context: Map::new(),
        requests: Vec::new(),
        entities: Vec::new(),
        obstacle: None,
        obstacle_at: None,
        salt: inputs.salt,
    }
}

fn stopped(facts: Facts, obstacle: BuiltinReason, at: Option<String>) -> Facts {
    Facts {
        obstacle: Some(obstacle.name().to_owned()),
        obstacle_at: at,
        ..facts
    }
}
