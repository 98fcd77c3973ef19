//! What the manifests say of each action: its effect, its resources, its context.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use countersign_core::document::{Effect, TargetType, UnknownTools};
use countersign_core::names::ActionName;

use super::arguments::{ArgMember, ArgType, merge};
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

    /// The type of the context.
    pub(crate) fn context(&self) -> BTreeMap<String, ArgMember> {
        let mut context = record([
            ("intent", required(ArgType::Record(intent()))),
            ("mentioned", required(ArgType::Record(mentioned()))),
            ("targets", required(strings())),
            ("has_targets", required(ArgType::Bool)),
            ("target_count", required(ArgType::Long)),
            ("tool", required(ArgType::String)),
            ("effect", required(ArgType::String)),
            ("args", required(ArgType::Record(self.args.clone()))),
        ]);
        if !self.entities.is_empty() {
            let target = ArgMember {
                kind: ArgType::Record(self.target()),
                required: !self.bare,
            };
            context.insert("target".to_owned(), target);
        }
        context
    }

    fn target(&self) -> BTreeMap<String, ArgMember> {
        let some = |name: &str| ArgMember {
            kind: ArgType::String,
            required: self.kinds.iter().all(|kind| has(*kind).contains(&name)),
        };
        record([
            ("at", required(ArgType::String)),
            ("value", required(ArgType::String)),
            ("lookup", required(ArgType::String)),
            ("kind", required(ArgType::String)),
            ("sources", required(strings())),
            ("known", required(ArgType::Bool)),
            ("local", some("local")),
            ("domain", some("domain")),
            ("scheme", optional(ArgType::String)),
            ("path", some("path")),
        ])
    }
}

fn intent() -> BTreeMap<String, ArgMember> {
    record([
        ("live", required(ArgType::Bool)),
        ("author", optional(ArgType::String)),
        ("channel", optional(ArgType::String)),
        ("assurance", optional(ArgType::String)),
        ("principal", optional(ArgType::String)),
        ("earlier_turns", required(ArgType::Long)),
    ])
}

fn mentioned() -> BTreeMap<String, ArgMember> {
    record(["emails", "domains", "urls", "ids", "amounts"].map(|name| (name, required(strings()))))
}

fn strings() -> ArgType {
    ArgType::Set(Box::new(ArgType::String))
}

fn required(kind: ArgType) -> ArgMember {
    ArgMember {
        kind,
        required: true,
    }
}

fn optional(kind: ArgType) -> ArgMember {
    ArgMember {
        kind,
        required: false,
    }
}

fn record<const N: usize>(members: [(&str, ArgMember); N]) -> BTreeMap<String, ArgMember> {
    members
        .into_iter()
        .map(|(name, member)| (name.to_owned(), member))
        .collect()
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
