//! A bundle, compiled: checked once, parsed once, kept parsed.

mod actions;
mod argument_schema;
mod arguments;
mod counters;
mod diagnostic;
mod directory;
mod lint;
mod literals;
mod nearest;
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

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Schema};
use countersign_core::document::{
    Bundle, BundleContent, CounterDeclaration, CounterKey, Document as _, Settings, TargetType,
    ToolManifest, UnknownTools,
};
use countersign_core::limits::BUNDLE_BYTES;
use countersign_core::names::{ActionName, BuiltinReason, ReasonId, TenantId};
use countersign_core::refs::PolicyRef;
use serde_json::{Map, Value};

use crate::finding::{Finding, Severity};
use crate::limits::{FILE_BYTES, FINDINGS, NAMED_ENTITIES, SCHEMA_DEPTH, VALIDATION_PAIRS};
use crate::value;
use crate::version::EXTRACTOR;
use actions::Members;
use policies::ReadPolicy;
use schema::{BundleSchema, FRAGMENT_FILE};
use slice::Slices;

pub use policies::PolicyText;
pub use tool::Tool;

pub(crate) use nearest::nearest;
pub(crate) use reads::Shown;
pub(crate) use roles::{RoleAt, Roles};
pub(crate) use schema::{ACTOR, CALL};
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
        let compiled = build(bundle, way, &mut findings);
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
        self.actions.get(name.as_str())
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

fn build(bundle: Bundle, way: Way, findings: &mut Vec<Finding>) -> Option<CompiledBundle> {
    let policy_ref = sized(&bundle, findings)?;
    let content = &bundle.content;
    settings::check(&content.settings, findings);
    let mut later = Vec::new();
    let tools = tool::compile_all(&content.tools, findings, &mut later);
    counters::check(&content.counters, &content.tools, &tools, findings);
    let read = policies::read(&content.policies, findings);
    let unknown = content.settings.unknown_tools;
    let shapes = actions::shapes(&tools, unknown, &content.counters, findings);
    let failed = findings.iter().any(|f| f.severity == Severity::Error);
    findings.extend(later.into_iter().map(|finding| match way.publishing {
        true => finding,
        false => finding.into_warning(),
    }));
    if failed {
        return None;
    }
    let schema = schema::build(&content.schema, &shapes, way.extractor, findings)?;
    let pairs = slice::pairs(&read, &shapes);
    if pairs > VALIDATION_PAIRS {
        findings.push(
            Finding::error(
                "policies",
                format!("{pairs} pairs of a policy and a kind of request are more than {VALIDATION_PAIRS}"),
            )
            .hint("name the action in the scope of policies that are meant for one"),
        );
        return None;
    }
    labels_name_known_types(&tools, &schema, findings);
    policies::validate(&read, &schema.schema, &content.policies, findings);
    if way.publishing {
        let parts = lint::Parts {
            content,
            tools: &tools,
            actions: &shapes,
            policies: &read,
        };
        lint::check(&parts, findings);
    }
    let slices = slice::slice(&read, &shapes, way.whole);
    limit_named_entities(&slices, findings);
    let actions = ready(shapes, slices, way.extractor, findings)?;
    let kinds = tools
        .values()
        .flat_map(Tool::parts)
        .flat_map(|part| part.targets)
        .map(|target| (target.entity.clone(), target.kind))
        .collect();
    Some(CompiledBundle {
        policy_ref,
        tool_forms: tools.keys().map(|name| value::name_form(name)).collect(),
        tools,
        schema,
        policies: read,
        actions,
        actor: ACTOR.parse().ok()?,
        kinds,
        findings: Vec::new(),
        whole: way.whole,
        extractor: way.extractor,
        other: OnceLock::new(),
        bundle,
    })
}

/// A field of a type that nothing else speaks of grounds nothing.
fn labels_name_known_types(
    tools: &BTreeMap<String, Tool>,
    schema: &BundleSchema,
    findings: &mut Vec<Finding>,
) {
    for tool in tools.values() {
        let results = tool.manifest().results.as_ref();
        for label in results.into_iter().flat_map(|results| &results.fields) {
            let Some(entity) = &label.entity else {
                continue;
            };
            if !schema.types.contains(entity) {
                let hint = match nearest(entity, schema.types.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "it is the entity type of a target, or declared in the schema".into(),
                };
                let text = format!(
                    "the label of `{}` names the entity type `{entity}`, which nothing declares",
                    label.at
                );
                findings.push(Finding::error(&tool.file, text).hint(hint));
            }
        }
    }
}

fn sized(bundle: &Bundle, findings: &mut Vec<Finding>) -> Option<PolicyRef> {
    let content = &bundle.content;
    if content.schema.len() > FILE_BYTES {
        let text = format!("{} bytes are more than {FILE_BYTES}", content.schema.len());
        findings.push(Finding::error(FRAGMENT_FILE, text));
        return None;
    }
    let canonical = match bundle.canonical() {
        Ok(canonical) => canonical,
        Err(error) => {
            findings.push(Finding::error("bundle.toml", error.to_string()));
            return None;
        }
    };
    let length = canonical.as_bytes().len();
    if length > BUNDLE_BYTES {
        findings.push(Finding::error(
            "bundle.toml",
            format!("the bundle has {length} bytes of canonical json, more than {BUNDLE_BYTES}"),
        ));
        return None;
    }
    // A leaf of the log must be readable again: the document is deeper than what its author wrote.
    if let Err(error) = Bundle::from_canonical(canonical.as_bytes()) {
        let deep = |tool: &&ToolManifest| depth(&tool.arguments) > SCHEMA_DEPTH;
        let (file, hint) = match content.tools.iter().find(deep) {
            Some(tool) => (
                format!("tools/{}.json", tool.tool),
                format!("the schema of arguments may nest {SCHEMA_DEPTH} levels"),
            ),
            None => (
                "bundle.toml".to_owned(),
                "the log could not keep it".to_owned(),
            ),
        };
        let text = format!("the bundle could not be read again: {error}");
        findings.push(Finding::error(&file, text).hint(hint));
        return None;
    }
    Some(canonical.digest().into())
}

/// How deep arrays and objects are nested.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A call whose policies look into too many entities could only be rejected.
fn limit_named_entities(slices: &Slices, findings: &mut Vec<Finding>) {
    for (action, slices) in slices {
        let named: BTreeSet<_> = slices.values().flat_map(|slice| &slice.literals).collect();
        if named.len() > NAMED_ENTITIES {
            let text = format!(
                "the policies of `{action}` ask for the attributes of {} entities by name, more than {NAMED_ENTITIES}",
                named.len()
            );
            findings.push(Finding::error("policies", text).hint(
                "keep what is said of an entity in the directory, and ask `resource` for it; `resource == …` may name any number",
            ));
        }
    }
}

fn ready(
    shapes: BTreeMap<String, actions::ActionShape>,
    mut slices: Slices,
    extractor: u32,
    findings: &mut Vec<Finding>,
) -> Option<BTreeMap<String, Action>> {
    let kind: EntityTypeName = match "Action".parse() {
        Ok(kind) => kind,
        Err(error) => {
            findings.push(diagnostic::finding("tools", None, &error));
            return None;
        }
    };
    let uid = |name: &str| EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(name));
    shapes
        .into_iter()
        .map(|(name, shape)| {
            let parents = shape.group.iter().copied().map(uid).collect();
            let entity = Entity::new_no_attrs(uid(&name), parents);
            let slices = slices.remove(&name).unwrap_or_default();
            let kinds = slices
                .keys()
                .map(|kind| Some((kind.clone(), kind.parse().ok()?)))
                .collect::<Option<_>>()?;
            let action = Action {
                uid: uid(&name),
                kinds,
                alone: Entities::from_entities([entity.clone()], None).ok()?,
                entity,
                context: shape.context(extractor),
                reads_history: slices.values().any(|slice| slice.reads_history),
                args: shape.args,
                sources: shape.sources,
                counters: shape.counters,
                slices,
            };
            Some((name, action))
        })
        .collect()
}

#[cfg(test)]
mod tests;
