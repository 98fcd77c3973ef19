//! The conditions of a policy, one by one, in the order in which they are evaluated.

use cedar_policy::{Effect, Policy};
use serde_json::{Value, json};

use super::{SourceComparison, SourcesOf};
use countersign_core::document::Source;

/// Most conditions of one policy that are looked at.
const CONDITIONS: usize = 256;
/// Deepest nesting of a condition that is searched for sources.
const DEPTH: usize = 64;

/// One operand of the `&&` of a `when`, or a whole `unless`.
pub(super) struct Condition {
    /// As Cedar writes it.
    pub(super) text: String,
    /// A policy that holds if the condition does.
    pub(super) policy: Policy,
    /// What it has to be for the policy to hold.
    pub(super) wanted: bool,
    body: Value,
}

/// A comparison of sources with literals.
pub(super) struct Compared {
    pub(super) of: SourcesOf,
    pub(super) test: SourceComparison,
    pub(super) sources: Vec<Source>,
}

/// The conditions of a policy.
pub(super) fn of(policy: &Policy) -> Vec<Condition> {
    let Ok(document) = policy.to_json() else {
        return Vec::new();
    };
    let clauses = document.get("conditions").and_then(Value::as_array);
    let mut out = Vec::new();
    for clause in clauses.into_iter().flatten() {
        let Some(body) = clause.get("body") else {
            continue;
        };
        match clause.get("kind").and_then(Value::as_str) {
            Some("when") => {
                let mut parts = Vec::new();
                conjuncts(body, &mut parts);
                out.extend(parts.into_iter().filter_map(|part| condition(part, true)));
            }
            Some("unless") => out.extend(condition(body, false)),
            _ => {}
        }
    }
    out
}

fn conjuncts<'a>(body: &'a Value, out: &mut Vec<&'a Value>) {
    let mut open = vec![body];
    while let Some(body) = open.pop() {
        let both = body.get("&&");
        match both.and_then(|both| Some((both.get("left")?, both.get("right")?))) {
            Some((left, right)) if open.len() + out.len() < CONDITIONS => {
                open.push(right);
                open.push(left);
            }
            _ => out.push(body),
        }
    }
}

fn condition(body: &Value, wanted: bool) -> Option<Condition> {
    let policy = json!({
        "effect": "permit",
        "principal": {"op": "All"},
        "action": {"op": "All"},
        "resource": {"op": "All"},
        "conditions": [{"kind": "when", "body": body}],
    });
    let policy = Policy::from_json(None, policy).ok()?;
    debug_assert_eq!(policy.effect(), Effect::Permit, "as written above");
    let whole = policy.to_string();
    let (_, rest) = whole.split_once("when { ")?;
    let text = rest.trim_end().trim_end_matches(';').trim_end();
    let text = text.strip_suffix('}')?.trim_end();
    Some(Condition {
        text: match wanted {
            true => text.to_owned(),
            false => format!("unless {text}"),
        },
        policy,
        wanted,
        body: body.clone(),
    })
}

impl Condition {
    /// What it asks of sources.
    pub(super) fn compared(&self) -> Vec<Compared> {
        let mut out = Vec::new();
        search(&self.body, 0, &mut out);
        out
    }
}

fn search(body: &Value, depth: usize, out: &mut Vec<Compared>) {
    if depth > DEPTH {
        return;
    }
    match body {
        Value::Object(members) => {
            for (name, operands) in members {
                out.extend(compared(name, operands));
                search(operands, depth + 1, out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| search(item, depth + 1, out)),
        _ => {}
    }
}

fn compared(operator: &str, operands: &Value) -> Option<Compared> {
    let (left, right) = (operands.get("left")?, operands.get("right")?);
    let (of, test, literals) = match (operator, sources_of(left), sources_of(right)) {
        ("contains" | "containsAny", Some(of), _) => (of, SourceComparison::AnyOf, right),
        ("containsAll", Some(of), _) => (of, SourceComparison::AllOf, right),
        ("containsAll", None, Some(of)) => (of, SourceComparison::OnlyFrom, left),
        _ => return None,
    };
    let mut sources = Vec::new();
    named(literals, 0, &mut sources);
    (!sources.is_empty()).then_some(Compared { of, test, sources })
}

/// `context.target.sources`, `context.text.sources` or `context.sources.argument`.
fn sources_of(body: &Value) -> Option<SourcesOf> {
    let (outer, name) = member(body)?;
    let (inner, within) = member(outer)?;
    if inner.get("Var").and_then(Value::as_str) != Some("context") {
        return None;
    }
    match (within, name) {
        ("target", "sources") => Some(SourcesOf::Target),
        ("text", "sources") => Some(SourcesOf::Text),
        ("sources", argument) => Some(SourcesOf::Argument(argument.to_owned())),
        _ => None,
    }
}

fn member(body: &Value) -> Option<(&Value, &str)> {
    let access = body.get(".")?;
    Some((access.get("left")?, access.get("attr")?.as_str()?))
}

fn named(body: &Value, depth: usize, out: &mut Vec<Source>) {
    match body {
        _ if depth > DEPTH => {}
        Value::String(text) => out.extend(
            Source::BY_AUTHORITY
                .into_iter()
                .filter(|source| source.name() == text),
        ),
        Value::Array(items) => items.iter().for_each(|item| named(item, depth + 1, out)),
        Value::Object(members) => members
            .values()
            .for_each(|item| named(item, depth + 1, out)),
        _ => {}
    }
}
