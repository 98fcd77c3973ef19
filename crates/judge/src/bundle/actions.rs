//! What the manifests say of each action: its effect, its resources, its context.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use countersign_core::document::{
    CounterDeclaration, CounterKey, Effect, TargetType, UnknownTools,
};
use countersign_core::names::ActionName;

use super::arguments::{ArgMember, ArgType, merge};
use super::roles::is_always_there;
use super::schema::{CALL, GROUPS};
use super::tool::{Part, Tool};
use crate::finding::Finding;

/// A record type.
pub(crate) type Members = BTreeMap<String, ArgMember>;

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
    pub(crate) args: Members,
    /// The arguments whose values have sources.
    pub(crate) sources: Members,
    /// The counters that its calls count.
    pub(crate) counters: Vec<CounterDeclaration>,
    /// Whether a turn can speak of it: whether a tool of it has words.
    pub(crate) has_words: bool,
}

impl ActionShape {
    /// The entity types that a resource of this action can have.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &str> {
        let call = self.bare.then_some(CALL);
        self.entities.iter().map(String::as_str).chain(call)
    }

    /// Whether its calls change something.
    pub(crate) fn is_sink(&self) -> bool {
        self.group
            .is_some_and(|group| group != group_of(Effect::Read))
    }

    /// The type of the context that this extractor makes.
    pub(crate) fn context(&self, extractor: u32) -> Members {
        let mut context = record([
            ("intent", required(ArgType::Record(intent()))),
            ("mentioned", required(ArgType::Record(mentioned(extractor)))),
            ("targets", required(strings())),
            ("has_targets", required(ArgType::Bool)),
            ("target_count", required(ArgType::Long)),
            ("tool", required(ArgType::String)),
            ("effect", required(ArgType::String)),
            ("args", required(ArgType::Record(self.args.clone()))),
        ]);
        if extractor >= SOURCES {
            self.add_sources(&mut context);
        }
        if !self.entities.is_empty() {
            let target = ArgMember {
                kind: ArgType::Record(self.target(extractor)),
                required: !self.bare,
            };
            context.insert("target".to_owned(), target);
        }
        context
    }

    /// What extractors after the first one make.
    fn add_sources(&self, context: &mut Members) {
        let asked = record([
            ("verb", required(ArgType::Bool)),
            ("noun", required(ArgType::Bool)),
        ]);
        context.extend(record([
            ("sources", required(ArgType::Record(self.sources.clone()))),
            ("text", required(ArgType::Record(text()))),
            ("carries", required(strings())),
            ("hand_over", required(ArgType::Bool)),
            ("rejected_before", required(ArgType::Bool)),
            ("time", required(ArgType::Record(time()))),
            ("asked", required(ArgType::Record(asked))),
        ]));
        if let Some(counters) = self.counter_record(false) {
            context.insert("counters".to_owned(), required(counters));
        }
    }

    /// The record of the counters that are keyed by target, or of those that are not; none if
    /// there are none.
    fn counter_record(&self, by_target: bool) -> Option<ArgType> {
        let counter = record([
            ("before", required(ArgType::Long)),
            ("adds", required(ArgType::Long)),
            ("after", required(ArgType::Long)),
        ]);
        let members: Members = self
            .counters
            .iter()
            .filter(|declared| (declared.key == CounterKey::Target) == by_target)
            .map(|declared| {
                let member = required(ArgType::Record(counter.clone()));
                (declared.name.clone(), member)
            })
            .collect();
        (!members.is_empty()).then_some(ArgType::Record(members))
    }

    fn target(&self, extractor: u32) -> Members {
        let some = |name: &str| ArgMember {
            kind: ArgType::String,
            required: self.kinds.iter().all(|kind| has(*kind).contains(&name)),
        };
        let mut target = record([
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
        ]);
        if extractor >= SOURCES {
            target.extend(record([
                ("named_in", required(strings())),
                ("handed_over", required(ArgType::Bool)),
                ("approved_before", required(ArgType::Bool)),
            ]));
            if self.kinds.contains(&TargetType::Path) {
                target.insert("in_project".to_owned(), optional(ArgType::Bool));
            }
            if let Some(counters) = self.counter_record(true) {
                target.insert("counters".to_owned(), required(counters));
            }
        }
        target
    }
}

/// The first extractor that says where every value came from.
const SOURCES: u32 = 2;

fn intent() -> Members {
    record([
        ("live", required(ArgType::Bool)),
        ("author", optional(ArgType::String)),
        ("channel", optional(ArgType::String)),
        ("assurance", optional(ArgType::String)),
        ("principal", optional(ArgType::String)),
        ("earlier_turns", required(ArgType::Long)),
    ])
}

fn mentioned(extractor: u32) -> Members {
    let names = ["emails", "domains", "urls", "ids", "amounts"];
    let mut mentioned = record(names.map(|name| (name, required(strings()))));
    if extractor >= SOURCES {
        let more = ["ibans", "phones"].map(|name| (name, required(strings())));
        mentioned.extend(record(more));
    }
    mentioned
}

fn text() -> Members {
    let kinds = ["emails", "domains", "urls", "ibans", "phones", "paths"];
    let mut text = record(kinds.map(|name| (name, required(strings()))));
    text.insert("sources".to_owned(), required(strings()));
    text
}

fn time() -> Members {
    record([
        ("hour", required(ArgType::Long)),
        ("minute", required(ArgType::Long)),
        ("weekday", required(ArgType::Long)),
        ("date", required(ArgType::String)),
    ])
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

fn record<const N: usize>(members: [(&str, ArgMember); N]) -> Members {
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
pub(super) fn group_of(effect: Effect) -> &'static str {
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
    counters: &[CounterDeclaration],
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, ActionShape> {
    let mut by_action: BTreeMap<&str, Vec<(&Tool, Part<'_>)>> = BTreeMap::new();
    for tool in tools.values() {
        for part in tool.parts() {
            let action = part.action.as_str();
            if GROUPS.contains(&action) || action.starts_with("countersign.") {
                findings.push(Finding::error(
                    &tool.file,
                    format!("the action `{action}` is reserved"),
                ));
            }
            by_action.entry(action).or_default().push((tool, part));
        }
    }
    let mut out: BTreeMap<String, ActionShape> = by_action
        .into_iter()
        .map(|(action, parts)| {
            let mut shape = shape(action, &parts, findings);
            let counts = |counter: &&CounterDeclaration| {
                counter
                    .actions
                    .iter()
                    .any(|counted| counted.as_str() == action)
            };
            shape.counters = counters.iter().filter(counts).cloned().collect();
            (action.to_owned(), shape)
        })
        .collect();
    if unknown == UnknownTools::Judge {
        let shape = ActionShape {
            group: None,
            entities: BTreeSet::new(),
            kinds: HashSet::new(),
            bare: true,
            args: BTreeMap::new(),
            sources: BTreeMap::new(),
            counters: Vec::new(),
            has_words: false,
        };
        out.insert(ActionName::unknown().to_string(), shape);
    }
    out
}

fn shape(action: &str, parts: &[(&Tool, Part<'_>)], findings: &mut Vec<Finding>) -> ActionShape {
    let effects: BTreeSet<&str> = parts.iter().map(|(_, part)| part.effect.name()).collect();
    if effects.len() > 1
        && let Some((last, _)) = parts.last()
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
    let args: Vec<_> = parts.iter().map(|(tool, _)| &tool.args).collect();
    let (args, differing) = merge(&args);
    for name in differing {
        findings.push(Finding::warning(
            "tools",
            format!(
                "policies cannot see the argument `{name}` of `{action}`: its tools give it different types"
            ),
        ));
    }
    let declarations = || parts.iter().flat_map(|(_, part)| part.targets);
    ActionShape {
        group: parts.first().map(|(_, part)| group_of(part.effect)),
        entities: declarations().map(|target| target.entity.clone()).collect(),
        kinds: declarations().map(|target| target.kind).collect(),
        bare: parts
            .iter()
            .any(|(_, part)| part.targets.iter().all(|target| target.optional)),
        args,
        sources: sources(parts),
        counters: Vec::new(),
        has_words: parts.iter().any(|(tool, _)| tool.has_words(action)),
    }
}

/// The arguments whose values have sources in any of the tools; required are those that all tools
/// have so, and that no call can leave out.
fn sources(parts: &[(&Tool, Part<'_>)]) -> Members {
    let names = parts.iter().flat_map(|(tool, _)| tool.roles().sourced());
    let names: BTreeSet<&str> = names.collect();
    names
        .into_iter()
        .map(|name| {
            let required = parts.iter().all(|(tool, _)| {
                tool.roles().sourced().any(|sourced| sourced == name)
                    && is_always_there(&tool.manifest().arguments, name)
            });
            let kind = strings();
            (name.to_owned(), ArgMember { kind, required })
        })
        .collect()
}
