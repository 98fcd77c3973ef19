//! What a bundle can be wrong about although every part of it is sound: rules that can never hold,
//! that hold of anything, or that look at less than their author meant.

mod arguments;
mod asked;
mod personal;
mod scope;
mod sets;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Effect;
use countersign_core::document::{BundleContent, PolicyFile};
use countersign_core::names::ReasonId;
use serde_json::Value;

use super::actions::ActionShape;
use super::policies::ReadPolicy;
use super::reads::{self, Reads};
use super::slice::applies;
use super::tool::Tool;
use crate::finding::Finding;

/// What is looked at.
pub(super) struct Parts<'a> {
    pub(super) content: &'a BundleContent,
    pub(super) tools: &'a BTreeMap<String, Tool>,
    pub(super) actions: &'a BTreeMap<String, ActionShape>,
    pub(super) policies: &'a BTreeMap<ReasonId, ReadPolicy>,
}

/// Looks at everything. What it finds is a matter for whoever publishes.
pub(super) fn check(parts: &Parts<'_>, findings: &mut Vec<Finding>) {
    let files: BTreeMap<&str, &PolicyFile> = parts
        .content
        .policies
        .iter()
        .map(|file| (file.name.as_str(), file))
        .collect();
    let rules: Vec<Rule<'_>> = parts
        .policies
        .values()
        .filter_map(|read| Rule::of(read, &files, parts.actions))
        .collect();
    let index = Index::of(&rules, parts);
    for rule in &rules {
        words::check(rule, parts, &index, findings);
        sets::check(rule, &index, findings);
    }
    scope::check(&rules, parts, &index, findings);
    asked::check(&rules, &index, findings);
    arguments::check(&rules, parts, &index, findings);
    personal::check(parts.content, findings);
}

/// What belongs to an action.
struct Index<'a> {
    tools: BTreeMap<&'a str, Vec<&'a Tool>>,
    /// The policies that can apply to it, by their place in the list.
    rules: BTreeMap<&'a str, Vec<usize>>,
    /// The actions whose values a forbid holds to their sources.
    held: BTreeSet<&'a str>,
}

impl<'a> Index<'a> {
    fn of(rules: &[Rule<'a>], parts: &Parts<'a>) -> Self {
        let mut index = Self {
            tools: BTreeMap::new(),
            rules: BTreeMap::new(),
            held: BTreeSet::new(),
        };
        for tool in parts.tools.values() {
            for part in tool.parts() {
                index
                    .tools
                    .entry(part.action.as_str())
                    .or_default()
                    .push(tool);
            }
        }
        for (n, rule) in rules.iter().enumerate() {
            for (action, shape) in rule.actions() {
                index.rules.entry(action).or_default().push(n);
                if !rule.permits() && rule.asks_for_sources(shape) {
                    index.held.insert(action);
                }
            }
        }
        index
    }
}

/// One policy, taken apart.
struct Rule<'a> {
    read: &'a ReadPolicy,
    file: &'a PolicyFile,
    /// Its conditions, in the JSON form of a Cedar policy.
    json: Value,
    /// What it looks at in the context; `None` if that may be anything.
    reads: Option<Reads>,
    /// The actions and resource types that it can apply to.
    pairs: Vec<(&'a str, &'a ActionShape, &'a str)>,
}

impl<'a> Rule<'a> {
    fn of(
        read: &'a ReadPolicy,
        files: &BTreeMap<&str, &'a PolicyFile>,
        actions: &'a BTreeMap<String, ActionShape>,
    ) -> Option<Self> {
        let json = read.policy.to_json().ok()?;
        let pairs = actions
            .iter()
            .flat_map(|(name, shape)| {
                let resources = shape.resources();
                resources.map(move |resource| (name.as_str(), shape, resource))
            })
            .filter(|(name, shape, resource)| applies(&read.policy, name, shape.group, resource))
            .collect();
        Some(Self {
            read,
            file: files.get(read.text.file.as_str())?,
            reads: reads::of(&json),
            json,
            pairs,
        })
    }

    fn permits(&self) -> bool {
        self.read.policy.effect() == Effect::Permit
    }

    fn id(&self) -> &str {
        self.read.policy.id().as_ref()
    }

    /// The actions that it can apply to. The pairs of one action stand together.
    fn actions(&self) -> impl Iterator<Item = (&'a str, &'a ActionShape)> {
        let mut last = None;
        self.pairs.iter().filter_map(move |(name, shape, _)| {
            (last.replace(*name) != Some(*name)).then_some((*name, *shape))
        })
    }

    /// Whether it uses the value at this place of the context.
    fn uses(&self, place: &[&str]) -> bool {
        self.reads.as_ref().is_none_or(|reads| reads.uses(place))
    }

    /// Whether it asks where what a call acts on comes from.
    fn asks_for_sources(&self, shape: &ActionShape) -> bool {
        let members = |wanted: &str| {
            self.reads
                .as_ref()
                .is_none_or(|reads| reads.members().any(|member| member == wanted))
        };
        if shape.entities.is_empty() {
            members("sources")
        } else {
            self.uses(&["target", "sources"]) || members("mentioned")
        }
    }

    /// A finding at the first of these texts that stands in the policy, or at its beginning.
    fn at(&self, finding: Finding, texts: &[&str]) -> Finding {
        let code = without_comments(&self.read.text.text);
        let within = texts.iter().find_map(|text| code.find(text)).unwrap_or(0);
        finding.at(&self.file.text, self.read.start + within)
    }

    fn error(&self, text: String, at: &[&str]) -> Finding {
        self.at(Finding::error(&self.file.name, text), at)
    }

    fn warning(&self, text: String, at: &[&str]) -> Finding {
        self.at(Finding::warning(&self.file.name, text), at)
    }

    /// Visits every expression of the conditions, with whether the policy grants more where it
    /// holds: `None` where that cannot be told.
    fn visit(&self, see: &mut impl FnMut(&str, &Value, Option<bool>)) {
        let conditions = self.json.get("conditions").and_then(Value::as_array);
        for condition in conditions.into_iter().flatten() {
            let is_when = condition.get("kind").and_then(Value::as_str) == Some("when");
            if let Some(body) = condition.get("body") {
                visit(body, Some(is_when == self.permits()), see);
            }
        }
    }
}

fn visit(
    expression: &Value,
    grants: Option<bool>,
    see: &mut impl FnMut(&str, &Value, Option<bool>),
) {
    match expression {
        Value::Array(items) => items.iter().for_each(|item| visit(item, None, see)),
        Value::Object(members) => {
            for (name, inner) in members {
                see(name, inner, grants);
                let below = match name.as_str() {
                    "&&" | "||" => grants,
                    "!" => grants.map(|grants| !grants),
                    _ => None,
                };
                match inner {
                    Value::Object(operands) if name == "if-then-else" => {
                        for (part, operand) in operands {
                            visit(operand, if part == "if" { None } else { grants }, see);
                        }
                    }
                    Value::Object(operands) => operands
                        .values()
                        .for_each(|operand| visit(operand, below, see)),
                    other => visit(other, below, see),
                }
            }
        }
        _ => {}
    }
}

/// The operands of an operator with two.
fn operands(inner: &Value) -> Option<(&Value, &Value)> {
    Some((inner.get("left")?, inner.get("right")?))
}

/// The text that an expression is.
fn text(expression: &Value) -> Option<&str> {
    expression.get("Value")?.as_str()
}

/// The texts of a set of such.
fn texts(expression: &Value) -> Option<BTreeSet<&str>> {
    expression
        .get("Set")?
        .as_array()?
        .iter()
        .map(text)
        .collect()
}

/// A text of the same length with blanks for comments.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_text = false;
    let mut in_comment = false;
    let mut escaped = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if in_comment {
            in_comment = c != '\n';
        } else if in_text {
            in_text = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
        } else if c == '"' {
            in_text = true;
            escaped = false;
        } else if c == '/' && chars.peek() == Some(&'/') {
            in_comment = true;
        }
        if in_comment && c != '\n' {
            out.extend(std::iter::repeat_n(' ', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

/// A place in the context, as policies write it.
fn written(place: &[String]) -> String {
    let mut out = "context".to_owned();
    for name in place {
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if is_plain {
            out.push('.');
            out.push_str(name);
        } else {
            out.push_str(&format!("[\"{name}\"]"));
        }
    }
    out
}
