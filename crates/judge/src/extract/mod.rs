//! From a call and what surrounds it to facts.

mod commands;
mod context;
mod deeds;
mod drawing;
mod entities;
mod history;
mod targets;
mod trail;
mod values;
mod workspace;

use std::collections::BTreeMap;

use countersign_core::document::{
    Call, CedarRequest, CounterFact, EntityUid, Facts, HistoryFact, Inputs, Intent, IntentInput,
    ReviewFact, Salt, TargetFact,
};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::TURN_CHAIN;
use countersign_core::names::{ActionName, ActorName, BuiltinReason, TenantId};
use countersign_core::refs::{CallRef, IntentRef};
use countersign_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::bundle::{CALL, CompiledBundle, Tool};
use crate::mention::TurnMentions;
use crate::result::SessionResults;
use crate::version::EXTRACTOR;
use drawing::Drawing;
use targets::ReadTarget;
use values::Arguments;

pub(crate) use drawing::FIRST;
pub use history::recount;

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
    pub results: &'a SessionResults,
    /// Where entities come from.
    pub directory: &'a dyn Directory,
    /// The directory's revision.
    pub directory_revision: Option<u64>,
    /// The credential that asks.
    pub credential: CredentialId,
    /// The review that is used up, if there is one.
    pub review: Option<&'a ReviewFact>,
    /// The counters as they stand, and what the call adds to each.
    pub counters: &'a [CounterFact],
    /// What came before, where the policies ask for it.
    pub history: Option<&'a HistoryFact>,
}

/// Draws the facts. What an agent sent never makes it fail: an obstacle then stands in the facts.
/// It fails only when the directory cannot be read.
pub fn extract(inputs: &ExtractInputs<'_>) -> Result<Facts, DirectoryError> {
    extract_as(inputs, EXTRACTOR)
}

/// The same as an earlier extractor would. The bundle is the one that it is compiled for.
pub(crate) fn extract_as(
    inputs: &ExtractInputs<'_>,
    extractor: u32,
) -> Result<Facts, DirectoryError> {
    let chain = inputs.chain.get(..TURN_CHAIN).unwrap_or(inputs.chain);
    // Members of an object have no order: the facts are those of the document, however it was
    // written.
    let mut sorted = None;
    let call = match is_in_order(&inputs.call.args) {
        true => inputs.call,
        false => {
            let sorted = sorted.insert(inputs.call.clone());
            sorted.args.sort_all_objects();
            sorted
        }
    };
    let inputs = &ExtractInputs {
        chain,
        call,
        ..*inputs
    };
    let drawing = Drawing::new(*inputs, extractor);
    let mut facts = draw(&drawing)?;
    history::settle(inputs.bundle, &mut facts, inputs.counters, inputs.history);
    Ok(facts)
}

/// Whether the members of every object stand in the order of their names.
fn is_in_order(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_in_order),
        Value::Object(members) => members.keys().is_sorted() && members.values().all(is_in_order),
        _ => true,
    }
}

fn draw(drawing: &Drawing<'_>) -> Result<Facts, DirectoryError> {
    let inputs = &drawing.inputs;
    let mut facts = blank(drawing);
    match inputs.bundle.tool(&inputs.call.tool) {
        Some(tool) => {
            facts.action = tool.action().clone();
            if has_changed(tool, inputs.call) {
                return Ok(stopped(facts, BuiltinReason::ToolChanged, None));
            }
            if !inputs.call.args.is_object() || !tool.accepts(&inputs.call.args) {
                return Ok(stopped(facts, BuiltinReason::SchemaMismatch, None));
            }
            of_known_tool(drawing, tool, facts)
        }
        None if inputs.bundle.judges_unknown(&inputs.call.tool) => {
            let mut arguments = Arguments::default();
            if drawing.traces_all() {
                arguments = values::of_unknown(drawing);
                facts.values = std::mem::take(&mut arguments.values);
                facts.carried = std::mem::take(&mut arguments.carried);
            }
            facts.context = context::shared(drawing, &[], &arguments);
            facts
                .context
                .extend(context::of_action(drawing, None, &arguments));
            let unknown = Deed {
                action: ActionName::unknown(),
                effect: "",
                targets: Vec::new(),
            };
            requests(drawing, None, facts, &[unknown], &arguments)
        }
        None => Ok(stopped(facts, BuiltinReason::UnknownTool, None)),
    }
}

/// Whether the tool's server lists it otherwise than when a person confirmed the manifest. A call that
/// does not say how it is listed, or a manifest that nobody pinned, says nothing of it.
fn has_changed(tool: &Tool, call: &Call) -> bool {
    match (tool.manifest().pinned, call.definition) {
        (Some(pinned), Some(listed)) => pinned != listed,
        _ => false,
    }
}

/// What a call does, as far as its targets can be told.
struct Drawn {
    /// All that it does, each once.
    actions: Vec<ActionName>,
    deeds: Result<Vec<Deed>, Obstacle>,
    /// The place of a target that could not be read.
    unreadable: Option<String>,
}

/// Why there are no targets to judge, and where.
type Obstacle = (BuiltinReason, Option<String>);

/// One thing that the call does.
struct Deed {
    action: ActionName,
    effect: &'static str,
    targets: Vec<ReadTarget>,
}

fn of_known_tool(
    drawing: &Drawing<'_>,
    tool: &Tool,
    mut facts: Facts,
) -> Result<Facts, DirectoryError> {
    let drawn = match tool.commands().filter(|_| drawing.traces_all()) {
        Some(table) => commands::draw(drawing, tool, table)?,
        None => deeds::draw(drawing, tool)?,
    };
    if let [first, _, ..] = drawn.actions.as_slice() {
        facts.action = first.clone();
        facts.actions = drawn.actions;
    } else if let [only] = drawn.actions.as_slice() {
        facts.action = only.clone();
    }
    let (deeds, unreadable) = match drawn.deeds {
        Ok(deeds) => (deeds, drawn.unreadable),
        Err((obstacle, at)) => return Ok(stopped(facts, obstacle, at)),
    };
    let all: Vec<&ReadTarget> = deeds.iter().flat_map(|deed| &deed.targets).collect();
    facts.targets = all.iter().map(|target| target.fact.clone()).collect();
    if unreadable.is_some() {
        // Drawn again, the targets that could be read must find what they found.
        match entities::slice(&drawing.inputs, resources(&facts.targets))? {
            Some(entities) => facts.entities = entities,
            None => facts.targets.clear(),
        }
        return Ok(stopped(facts, BuiltinReason::UnreadableTarget, unreadable));
    }
    let mut arguments = Arguments::default();
    if drawing.traces_all() {
        arguments = match values::draw(drawing, tool, &facts.targets) {
            Ok(arguments) => arguments,
            Err(values::TooMany) => {
                facts.targets.clear();
                return Ok(stopped(facts, BuiltinReason::TooManyValues, None));
            }
        };
        facts.values = std::mem::take(&mut arguments.values);
        facts.carried = std::mem::take(&mut arguments.carried);
    }
    facts.context = context::shared(drawing, &all, &arguments);
    requests(drawing, Some(tool), facts, &deeds, &arguments)
}

/// For each thing that the call does one request per target, or one for the call; and the entities
/// that they can reach.
fn requests(
    drawing: &Drawing<'_>,
    tool: Option<&Tool>,
    mut facts: Facts,
    deeds: &[Deed],
    arguments: &Arguments,
) -> Result<Facts, DirectoryError> {
    let inputs = &drawing.inputs;
    let mut requests = Vec::new();
    for deed in deeds {
        let Some(action) = inputs.bundle.action(&deed.action) else {
            facts.targets.clear();
            return Ok(stopped(facts, BuiltinReason::EvaluationError, None));
        };
        let mut own = Map::new();
        if drawing.traces_all() {
            let words = tool.map(|tool| tool.words_for(&deed.action));
            own.insert("asked".to_owned(), context::asked(drawing, words));
        }
        if tool.is_some() {
            let of_action = context::of_action(drawing, Some((action, deed.effect)), arguments);
            // What the only action says, all requests share.
            let place = if deeds.len() == 1 {
                &mut facts.context
            } else {
                &mut own
            };
            place.extend(of_action);
        }
        let request = |resource: EntityUid, context: Map<String, Value>| CedarRequest {
            principal: inputs.actor.to_string(),
            action: deed.action.to_string(),
            resource,
            context,
        };
        if deed.targets.is_empty() {
            let call = EntityUid {
                kind: CALL.to_owned(),
                id: inputs.call_ref.to_string(),
            };
            requests.push(request(call, own.clone()));
        }
        for target in &deed.targets {
            let mut own = own.clone();
            own.insert("target".to_owned(), context::target(drawing, target));
            requests.push(request(target.fact.entity.clone(), own));
        }
    }
    let mut roots = resources(&facts.targets);
    roots.extend(entities::literals(inputs.bundle, &requests));
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
fn blank(drawing: &Drawing<'_>) -> Facts {
    let inputs = &drawing.inputs;
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
        extractor: drawing.extractor(),
        now: inputs.now,
        actor: inputs.actor.clone(),
        action: ActionName::unknown(),
        actions: Vec::new(),
        inputs: Inputs {
            call: inputs.call_ref,
            bundle: inputs.bundle.policy_ref(),
            claimed_intent: inputs.claimed_intent,
            intents,
            results: inputs.results.refs().collect(),
            directory_revision: inputs.directory_revision,
            counters: Vec::new(),
            history: None,
            review: inputs.review.cloned(),
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
