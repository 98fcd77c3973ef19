//! A bundle, compiled: checked once, parsed once, kept parsed.

mod actions;
mod argument_schema;
mod arguments;
mod build;
mod commands;
mod counters;
mod diagnostic;
mod directory;
mod lint;
mod literals;
mod nearest;
mod nesting;
mod open_objects;
mod policies;
mod reads;
mod roles;
mod schema;
mod schema_leaves;
mod settings;
mod slice;
mod targets;
mod tool;
mod visible;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, PolicySet, Schema};
use countersign_core::document::{
    Bundle, BundleContent, CounterDeclaration, CounterKey, Facts, Settings, TargetType,
    UnknownTools,
};
use countersign_core::names::{ActionName, BuiltinReason, ReasonId, TenantId};
use countersign_core::refs::PolicyRef;
use serde_json::{Map, Value};

use crate::finding::{Finding, Severity};
use crate::limits::FINDINGS;
use crate::stack::with_room_for;
use crate::value;
use crate::version::EXTRACTOR;
use actions::Members;
use policies::ReadPolicy;
use schema::BundleSchema;

pub use policies::PolicyText;
pub use tool::Tool;

pub(crate) use commands::CommandTable;
pub(crate) use nearest::nearest;
pub(crate) use reads::Shown;
pub(crate) use roles::{RoleAt, Roles};
pub(crate) use schema::CALL;
pub(crate) use slice::Slice;
pub(crate) use targets::{Found as FoundTarget, Targets};
pub(crate) use tool::ToolEffect;

/// The extractors whose facts this build can judge.
const EXTRACTORS: RangeInclusive<u32> = 1..=2;

/// A bundle, checked and parsed once. Cheap to share between threads behind an `Arc`.
pub struct CompiledBundle {
    bundle: Bundle,
    policy_ref: PolicyRef,
    tools: BTreeMap<String, Tool>,
    /// What their names come to when they are read leniently.
    tool_forms: BTreeSet<String>,
    schema: BundleSchema,
    policies: BTreeMap<ReasonId, ReadPolicy>,
    actions: BTreeMap<String, Action>,
    actor: EntityTypeName,
    /// How the values that an entity type stands for are read.
    kinds: BTreeMap<String, TargetType>,
    findings: Vec<Finding>,
    /// How deep its policies nest.
    depth: usize,
    /// Whether everything is evaluated and checked the long way: the oracle of the short one.
    whole: bool,
    /// Whose facts it judges.
    extractor: u32,
    /// The same bundle for the facts of another extractor.
    other: OnceLock<Option<Box<Self>>>,
}

/// How a bundle is compiled.
#[derive(Clone, Copy)]
struct Way {
    /// Every policy is evaluated for every request: the oracle of the slicing.
    whole: bool,
    /// Whose facts are judged.
    extractor: u32,
    /// Whether its author asks: then the bundle is held to all rules. One of the log stays what it
    /// was, whatever rules came later.
    publishing: bool,
}

/// An action, ready to be judged.
pub(crate) struct Action {
    pub(crate) uid: EntityUid,
    /// The action with its group as its parent.
    pub(crate) entity: Entity,
    /// That entity alone: all that a call needs whose targets the directory does not know.
    pub(crate) alone: Entities,
    args: Members,
    /// The type of its context.
    context: Members,
    /// The arguments whose values have sources.
    sources: Members,
    counters: Vec<CounterDeclaration>,
    /// Whether its policies can ask what was decided before.
    reads_history: bool,
    slices: BTreeMap<String, std::sync::Arc<Slice>>,
    /// The entity types of its resources, read once.
    kinds: BTreeMap<String, EntityTypeName>,
}

/// A bundle that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bundle cannot be used: {}", summary(findings))]
pub struct BundleError {
    /// What is wrong, errors and warnings.
    pub findings: Vec<Finding>,
}

fn summary(findings: &[Finding]) -> String {
    let mut errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let first = errors.next().map_or("", |finding| &finding.message);
    match errors.count() {
        0 => first.to_owned(),
        more => format!("{first} (and {more} more errors)"),
    }
}

impl CompiledBundle {
    /// Checks and parses a bundle that its author wants to publish.
    pub fn compile(bundle: Bundle) -> Result<Self, BundleError> {
        Self::compile_as(bundle, EXTRACTOR, true)
    }

    /// Parses a bundle that the log holds: rules that it was not held to when it was published only
    /// warn.
    pub fn stored(bundle: Bundle) -> Result<Self, BundleError> {
        Self::compile_as(bundle, EXTRACTOR, false)
    }

    fn compile_as(bundle: Bundle, extractor: u32, publishing: bool) -> Result<Self, BundleError> {
        let way = Way {
            whole: false,
            extractor,
            publishing,
        };
        Self::compile_with(bundle, way)
    }

    fn compile_with(bundle: Bundle, way: Way) -> Result<Self, BundleError> {
        let mut findings = Vec::new();
        let depth = policies::deepest(&bundle.content, way.publishing, &mut findings);
        let compiled = depth.and_then(|depth| {
            let compile = || build::build(bundle, way, depth, &mut findings);
            with_room_for(depth, compile)
        });
        let failed = findings.iter().any(|f| f.severity == Severity::Error);
        findings.sort();
        findings.dedup();
        findings.truncate(FINDINGS);
        match compiled {
            Some(mut compiled) if !failed => {
                compiled.findings = findings;
                Ok(compiled)
            }
            _ => Err(BundleError { findings }),
        }
    }

    /// The same bundle, for facts of this extractor: compiled once when it is first asked for.
    /// `None` if this build does not hold the extractor, or the bundle is none for it.
    pub fn for_extractor(&self, extractor: u32) -> Option<&Self> {
        if extractor == self.extractor {
            return Some(self);
        }
        if !EXTRACTORS.contains(&extractor) {
            return None;
        }
        let way = Way {
            whole: self.whole,
            extractor,
            publishing: false,
        };
        let compile = || {
            Self::compile_with(self.bundle.clone(), way)
                .ok()
                .map(Box::new)
        };
        self.other.get_or_init(compile).as_deref()
    }

    /// The counters that approved calls of this action count.
    pub fn counters(&self, action: &ActionName) -> &[CounterDeclaration] {
        self.action(action).map_or(&[], |action| &action.counters)
    }

    /// Whether a policy of this action can ask what was decided before.
    pub fn reads_history(&self, action: &ActionName) -> bool {
        self.action(action)
            .is_some_and(|action| action.reads_history)
    }

    /// Whether facts do not say what came before, and a policy asks for it: drawn again, they would
    /// say that nothing did. Extractor 1 knew of no history.
    pub fn misses_history(&self, facts: &Facts) -> bool {
        let mut done = facts.done();
        facts.extractor > 1
            && facts.obstacle.is_none()
            && facts.inputs.history.is_none()
            && done.any(|action| self.reads_history(action))
    }

    /// The bundle's commitment.
    pub fn policy_ref(&self) -> PolicyRef {
        self.policy_ref
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.bundle.content.settings
    }

    /// The warnings that its check gave.
    pub fn warnings(&self) -> &[Finding] {
        &self.findings
    }

    /// The tool with this exact name.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name)
    }

    /// The Cedar schema that the policies were checked against.
    pub fn schema_text(&self) -> &str {
        &self.schema.text
    }

    /// What a reason means, for people: a policy's `@reason`, a built-in's explanation.
    pub fn reason_text(&self, id: &ReasonId) -> Option<&str> {
        match BuiltinReason::of(id) {
            Some(builtin) => Some(builtin.explanation()),
            None => self.policies.get(id)?.reason.as_deref(),
        }
    }

    /// A policy's text and where it stands.
    pub fn policy_text(&self, id: &ReasonId) -> Option<PolicyText> {
        Some(self.policies.get(id)?.text.clone())
    }

    /// The ids of all policies.
    pub fn policy_ids(&self) -> impl Iterator<Item = &ReasonId> {
        self.policies.keys()
    }

    /// Whether a policy permits; `None` if there is no such policy.
    pub fn permits(&self, id: &ReasonId) -> Option<bool> {
        let read = self.policies.get(id)?;
        Some(read.policy.effect() == cedar_policy::Effect::Permit)
    }

    /// Who may answer an escalation by this policy beside reviewers: `Some(true)` if the one who
    /// asked may, `None` if the policy does not escalate.
    pub fn escalates_to_requester(&self, id: &ReasonId) -> Option<bool> {
        let read = self.policies.get(id).filter(|read| read.escalates)?;
        Some(read.policy.annotation("escalate") == Some("requester"))
    }

    /// The id under which the directory keeps an entity: the lookup form of the value that it
    /// stands for, or the id itself where no target has this entity type. `None` if the id cannot
    /// be read as such a value.
    pub fn directory_id(&self, entity_type: &str, id: &str) -> Option<String> {
        match self.kinds.get(entity_type) {
            Some(kind) => value::lookup_form(*kind, id),
            None => Some(id.to_owned()),
        }
    }

    /// Every entity type that a target or an entity of the directory can have.
    pub fn entity_types(&self) -> impl Iterator<Item = &str> {
        let declared = self.schema.types.iter().map(String::as_str);
        let targets = self.kinds.keys().map(String::as_str);
        targets.chain(declared.filter(|name| !self.kinds.contains_key(*name)))
    }

    /// By which form the directory knows the ids of an entity type: the `type` of the targets that
    /// it stands for, `plain` where it stands for none, and nothing if nobody declares it.
    pub fn directory_form(&self, entity_type: &str) -> Option<&'static str> {
        match self.kinds.get(entity_type) {
            Some(kind) => Some(value::type_name(*kind)),
            None => self.schema.types.contains(entity_type).then_some("plain"),
        }
    }

    /// Refuses an entity that a call could not be judged by: of a type that nothing declares, with
    /// an attribute that the schema does not declare or types otherwise, or nested deeper than
    /// [`ATTRIBUTE_DEPTH`](crate::limits::ATTRIBUTE_DEPTH). The text is for people.
    pub fn check_entity(
        &self,
        entity_type: &str,
        attributes: &BTreeMap<String, Value>,
    ) -> Result<(), String> {
        directory::check(&self.schema, entity_type, attributes)
    }

    /// Whether a tool that no manifest names is judged. One whose name only differs from a declared
    /// one in ways that whoever runs the tool may overlook is not, nor one whose name hides something.
    pub(crate) fn judges_unknown(&self, tool: &str) -> bool {
        self.settings().unknown_tools == UnknownTools::Judge
            && !value::text::has_hidden(tool)
            && !self.tool_forms.contains(&value::name_form(tool))
    }

    pub(crate) fn action(&self, name: &ActionName) -> Option<&Action> {
        self.action_named(name.as_str())
    }

    pub(crate) fn action_named(&self, name: &str) -> Option<&Action> {
        self.actions.get(name)
    }

    /// Runs what evaluates its policies, with the stack that they can take.
    pub(crate) fn evaluating<T>(&self, run: impl FnOnce() -> T) -> T {
        with_room_for(self.depth, run)
    }

    /// The extractor whose facts it judges.
    pub(crate) fn extractor(&self) -> u32 {
        self.extractor
    }

    /// How the values of an entity type are read, where targets have it.
    pub(crate) fn kind_of(&self, entity_type: &str) -> Option<TargetType> {
        self.kinds.get(entity_type).copied()
    }

    pub(crate) fn actor_type(&self) -> &EntityTypeName {
        &self.actor
    }

    /// The schema that its policies were checked against, for whoever analyses them.
    pub fn cedar_schema(&self) -> &Schema {
        &self.schema.schema
    }

    /// Its policies, for whoever analyses them: with the forbids that a person may lift, what they
    /// allow is approved; without, it is at least put to a person.
    pub fn policy_set(&self, with_asking: bool) -> PolicySet {
        let mut set = PolicySet::new();
        for read in self.policies.values() {
            if with_asking || !read.escalates {
                // Ids are the keys of a map, so none is there twice.
                let _unique = set.add(read.policy.clone());
            }
        }
        set
    }

    /// Whether requests on this entity type are told to fit the schema by [`Action::admits`]: not
    /// where the schema lists the ids that there are.
    pub(crate) fn is_plain(&self, entity_type: &str) -> bool {
        !self.whole && !self.schema.listed.contains(entity_type)
    }

    /// The attributes that the schema declares for an entity type.
    pub(crate) fn attributes(&self, entity_type: &str) -> Option<&BTreeMap<String, String>> {
        self.schema.attributes.get(entity_type)
    }
}

impl Action {
    /// The policies for a resource of this type.
    pub(crate) fn slice(&self, resource: &str) -> Option<&Slice> {
        self.slices.get(resource).map(std::convert::AsRef::as_ref)
    }

    /// An entity type of its resources.
    pub(crate) fn kind(&self, resource: &str) -> Option<&EntityTypeName> {
        self.kinds.get(resource)
    }

    /// Whether each of these members of a context is declared and of its type.
    pub(crate) fn types(&self, members: &Map<String, Value>) -> bool {
        arguments::all_fit(&self.context, members)
    }

    /// Whether two parts of a context, each of [`Action::types`], are a context together.
    pub(crate) fn admits(&self, shared: &Map<String, Value>, own: &Map<String, Value>) -> bool {
        own.keys().all(|name| !shared.contains_key(name))
            && arguments::required_in(&self.context, |name| {
                shared.contains_key(name) || own.contains_key(name)
            })
    }

    /// The names of the counters that are keyed by target, or of those that are not.
    pub(crate) fn counters(&self, by_target: bool) -> Vec<&String> {
        self.counters
            .iter()
            .filter(|counter| (counter.key == CounterKey::Target) == by_target)
            .map(|counter| &counter.name)
            .collect()
    }

    /// The members of `context.sources`.
    pub(crate) fn sourced(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The part of the arguments that policies see.
    pub(crate) fn visible_args(&self, args: &Value) -> Value {
        arguments::visible(&self.args, args)
    }
}

/// Everything that compiling would refuse, and what it would only warn of; errors first.
pub fn check(content: &BundleContent, tenant: &TenantId) -> Vec<Finding> {
    let bundle = Bundle {
        tenant: tenant.clone(),
        content: content.clone(),
    };
    match CompiledBundle::compile(bundle) {
        Ok(compiled) => compiled.findings,
        Err(error) => error.findings,
    }
}

#[cfg(test)]
mod tests;
