//! How a bundle is compiled: each part checked against the ones before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid};
use countersign_core::document::{Bundle, Document as _, ToolManifest};
use countersign_core::limits::BUNDLE_BYTES;
use countersign_core::refs::PolicyRef;
use serde_json::Value;

use super::schema::{self, ACTOR, BundleSchema, FRAGMENT_FILE};
use super::slice::{self, Slices};
use super::tool::{self, Tool};
use super::{
    Action, CompiledBundle, Way, actions, counters, diagnostic, lint, nearest, policies, settings,
};
use crate::finding::{Finding, Severity};
use crate::limits::{FILE_BYTES, NAMED_ENTITIES, SCHEMA_DEPTH, VALIDATION_PAIRS};
use crate::value;

/// Checks and compiles a bundle whose policies nest so deep; `None` if an error was found that leaves nothing to go on with.
pub(super) fn build(
    bundle: Bundle,
    way: Way,
    depth: usize,
    findings: &mut Vec<Finding>,
) -> Option<CompiledBundle> {
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
        depth,
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
