//! What the manifests say of each action: its effect, its resources, its context.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use countersign_core::document::{Effect, TargetType, UnknownTools};
use countersign_core::names::ActionName;
use serde_json::{Value, json};

use super::arguments::{ArgMember, merge, record_to_cedar};
use super::schema::{CALL, GROUPS};
use super::tool::Tool;
use crate::finding::Finding;

/// One action of the schema.
pub(crate) struct ActionShape {
    /// The action group of its effect; none for unknown tools.
    pub(crate) group: Option<&'static str>,
    /// The entity types of its targets.
    pub(crate) entities: BTreeSet<String>,
    /// How its targets are read.
    pub(crate) kinds: HashSet<TargetType>,
    /// Whether a call of it can be without targets.
    pub(crate) bare: bool,
    /// The arguments that policies see.
    pub(crate) args: BTreeMap<String, ArgMember>,
}

impl ActionShape {
    /// The entity types that a resource of this action can have.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &str> {
        let call = self.bare.then_some(CALL);
        self.entities.iter().map(String::as_str).chain(call)
    }

    /// The type of the context, in the JSON form of a Cedar schema.
    pub(crate) fn context(&self) -> Value {
        let string = |required: bool| json!({"type": "String", "required": required});
        let strings = || json!({"type": "Set", "element": {"type": "String"}});
        let mut context = json!({"type": "Record", "attributes": {
            "intent": {"type": "Record", "attributes": {
                "live": {"type": "Boolean"},
                "author": string(false),
                "channel": string(false),
                "assurance": string(false),
                "principal": string(false),
                "earlier_turns": {"type": "Long"},
            }},
            "mentioned": {"type": "Record", "attributes": {
                "emails": strings(), "domains": strings(), "urls": strings(),
                "ids": strings(), "amounts": strings(),
            }},
            "targets": strings(),
            "has_targets": {"type": "Boolean"},
            "target_count": {"type": "Long"},
            "tool": string(true),
            "effect": string(true),
            "args": record_to_cedar(&self.args),
        }});
        let always = |name: &str| self.kinds.iter().all(|kind| has(*kind).contains(&name));
        if !self.entities.is_empty()
            && let Some(attributes) = context.get_mut("attributes").and_then(Value::as_object_mut)
        {
            attributes.insert(
                "target".to_owned(),
                json!({"type": "Record", "required": !self.bare, "attributes": {
                    "at": string(true),
                    "value": string(true),
                    "lookup": string(true),
                    "kind": string(true),
                    "sources": strings(),
                    "known": {"type": "Boolean"},
                    "local": string(always("local")),
                    "domain": string(always("domain")),
                    "scheme": string(false),
                    "path": string(always("path")),
                }}),
            );
        }
        context
    }
}

/// The members that every target of this type has beside the common ones.
fn has(kind: TargetType) -> &'static [&'static str] {
    match kind {
        TargetType::Email => &["local", "domain"],
        TargetType::Domain => &["domain"],
        TargetType::Path => &["path"],
        TargetType::Url | TargetType::Id => &[],
    }
}

/// The group of an effect.
fn group(effect: Effect) -> &'static str {
    let [reads, writes, irreversible] = GROUPS;
    match effect {
        Effect::Read => reads,
        Effect::Write => writes,
        Effect::Irreversible => irreversible,
    }
}

/// The actions of all tools, and those of unknown ones where they are judged.
pub(crate) fn shapes(
    tools: &BTreeMap<String, Tool>,
    unknown: UnknownTools,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, ActionShape> {
    let mut by_action: BTreeMap<&str, Vec<&Tool>> = BTreeMap::new();
    for tool in tools.values() {
        let action = tool.action().as_str();
        if GROUPS.contains(&action) || action.starts_with("countersign.") {
            findings.push(Finding::error(
                &tool.file,
                format!("the action `{action}` is reserved"),
            ));
        }
        by_action.entry(action).or_default().push(tool);
    }
    let mut out: BTreeMap<String, ActionShape> = by_action
        .into_iter()
        .map(|(action, tools)| (action.to_owned(), shape(action, &tools, findings)))
        .collect();
    if unknown == UnknownTools::Judge {
        let shape = ActionShape {
            group: None,
            entities: BTreeSet::new(),
            kinds: HashSet::new(),
            bare: true,
            args: BTreeMap::new(),
        };
        out.insert(ActionName::unknown().to_string(), shape);
    }
    out
}

fn shape(action: &str, tools: &[&Tool], findings: &mut Vec<Finding>) -> ActionShape {
    let effects: BTreeSet<&str> = tools.iter().map(|t| t.manifest().effect.name()).collect();
    if effects.len() > 1
        && let Some(last) = tools.last()
    {
        let names: Vec<&str> = effects.into_iter().collect();
        findings.push(
            Finding::error(
                &last.file,
                format!(
                    "the tools of the action `{action}` have different effects: {}",
                    names.join(", ")
                ),
            )
            .hint("give each effect an action of its own"),
        );
    }
    let args: Vec<_> = tools.iter().map(|tool| &tool.args).collect();
    let (args, differing) = merge(&args);
    for name in differing {
        findings.push(Finding::warning(
            "tools",
            format!(
                "policies cannot see the argument `{name}` of `{action}`: its tools give it different types"
            ),
        ));
    }
    let declarations = || tools.iter().flat_map(|tool| &tool.manifest().targets);
    ActionShape {
        group: tools.first().map(|tool| group(tool.manifest().effect)),
        entities: declarations().map(|target| target.entity.clone()).collect(),
        kinds: declarations().map(|target| target.kind).collect(),
        bare: tools
            .iter()
            .any(|tool| tool.manifest().targets.iter().all(|target| target.optional)),
        args,
    }
}
