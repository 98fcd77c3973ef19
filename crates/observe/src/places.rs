//! Where the value of each argument was found, for people.

use std::collections::BTreeSet;

use countersign_core::document::{
    Call, Evidence, Facts, Integrity, Intent, PartBy, Place, Source, ToolResult,
};
use countersign_core::json::pointer::{member, push_member};
use countersign_core::refs::{IntentRef, ResultRef};
use serde::Serialize;
use serde_json::Value;

use crate::shorten::{self, VALUE_SHOWN};

/// Most arguments that a report shows of one call.
const ARGUMENTS: usize = 40;
/// Most places that a report shows of one value.
const PLACES: usize = 4;
/// Most bytes of text that are searched for values that the facts say nothing of, per call.
const SEARCHED_BYTES: usize = 512 * 1024;
/// Shortest and longest value that is searched for, in bytes.
const SEARCHED_VALUE: std::ops::RangeInclusive<usize> = 3..=512;

/// Where the values of one call came from.
#[derive(Debug, Default, Clone, Serialize)]
pub(super) struct Provenance {
    /// Argument by argument.
    pub(super) arguments: Vec<Argument>,
    /// What stands in the way, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

/// One value of a call.
#[derive(Debug, Clone, Serialize)]
pub struct Argument {
    /// The JSON Pointer in the arguments.
    pub at: String,
    /// What the value is: `target`, a role, or what was found in a text.
    pub what: String,
    /// The value, shortened.
    pub value: String,
    /// Its sources, as policies see them; absent where policies see none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<&'static str>>,
    /// The places where it was found.
    pub places: Vec<String>,
    /// One of these sources would have let the call pass, and it has none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<&'static str>,
}

/// The session as the call found it.
pub(super) struct Seen<'a> {
    /// Each turn's place among the events, oldest first.
    pub(super) turns: Vec<(IntentRef, usize)>,
    /// The results, oldest first.
    pub(super) results: Vec<(ResultRef, &'a ToolResult)>,
    pub(super) newest: Option<&'a Intent>,
}

impl Provenance {
    pub(super) fn of(facts: &Facts, call: &Call, seen: &Seen<'_>) -> Self {
        let mut arguments = Vec::new();
        let mut known = BTreeSet::new();
        for target in &facts.targets {
            known.insert(target.at.as_str());
            arguments.push(argument(
                &target.at,
                "target".to_owned(),
                &target.value,
                &target.sources,
                &target.evidence,
                seen,
            ));
        }
        for value in &facts.values {
            let what = match value.found {
                Some(found) => format!("{} in the text", entity(found.kind)),
                None => value.role.name().to_owned(),
            };
            if value.found.is_none() && !known.insert(value.at.as_str()) {
                continue;
            }
            arguments.push(argument(
                &value.at,
                what,
                &value.value,
                &value.sources,
                &value.evidence,
                seen,
            ));
        }
        let mut leaves = Vec::new();
        leaves_of(&call.args, &mut String::new(), &mut leaves);
        let mut search = Search::new(seen);
        for (at, value) in leaves {
            if arguments.len() >= ARGUMENTS {
                break;
            }
            if !known.contains(at.as_str()) {
                arguments.push(Argument {
                    places: search.places(&value),
                    at,
                    what: "argument".to_owned(),
                    value: shorten::text(&value, VALUE_SHOWN),
                    sources: None,
                    needed: Vec::new(),
                });
            }
        }
        arguments.truncate(ARGUMENTS);
        Self {
            arguments,
            advice: None,
        }
    }
}

fn argument(
    at: &str,
    what: String,
    value: &str,
    sources: &BTreeSet<Source>,
    evidence: &[Evidence],
    seen: &Seen<'_>,
) -> Argument {
    let mut places = Vec::new();
    for one in evidence {
        let text = place(one, seen);
        if !places.contains(&text) && places.len() < PLACES {
            places.push(text);
        }
    }
    Argument {
        at: at.to_owned(),
        what,
        value: shorten::text(value, VALUE_SHOWN),
        sources: Some(
            Source::BY_AUTHORITY
                .into_iter()
                .filter(|source| sources.contains(source))
                .map(Source::name)
                .collect(),
        ),
        places,
        needed: Vec::new(),
    }
}

fn entity(kind: countersign_core::document::EntityKind) -> &'static str {
    use countersign_core::document::EntityKind;
    match kind {
        EntityKind::Email => "e-mail address",
        EntityKind::Domain => "domain",
        EntityKind::Url => "link",
        EntityKind::Iban => "bank account",
        EntityKind::Phone => "phone number",
        EntityKind::Path => "path",
    }
}

fn place(evidence: &Evidence, seen: &Seen<'_>) -> String {
    let place = match &evidence.place {
        Place::Turn { intent_ref, by, .. } => {
            let whose = match by {
                PartBy::Principal => "the person's words",
                PartBy::Correspondent => "a correspondent's words",
                PartBy::System => "the system's words",
                PartBy::Agent => "the agent's words",
            };
            match seen.turns.last() {
                Some((newest, _)) if newest == intent_ref => format!("{whose} in this turn"),
                _ => format!("{whose} in an earlier turn"),
            }
        }
        Place::Result {
            result_ref,
            tool,
            pointer,
        } => {
            let nth = seen
                .results
                .iter()
                .position(|(known, _)| known == result_ref);
            let field = match evidence.integrity {
                Some(Integrity::System) => ", a field that the system wrote",
                Some(Integrity::FirstParty) => ", a first-party field",
                Some(Integrity::Correspondent) | None => "",
            };
            format!("{}{field}", in_result(tool, pointer, nth))
        }
        Place::Directory => "the directory".to_owned(),
    };
    match (&evidence.as_written, evidence.look_alike) {
        (Some(written), true) => format!(
            "{place}, which only looks like it: `{}`",
            shorten::text(written, VALUE_SHOWN)
        ),
        (Some(written), false) => {
            format!("{place}, written `{}`", shorten::text(written, VALUE_SHOWN))
        }
        (None, _) => place,
    }
}

fn in_result(tool: &str, pointer: &str, nth: Option<usize>) -> String {
    let number = nth.map_or_else(String::new, |nth| format!(" (result {})", nth + 1));
    match pointer {
        "" => format!("the result of {tool}{number}"),
        pointer => format!("the result of {tool}{number} at {pointer}"),
    }
}

/// Texts and numbers with their places.
fn leaves_of(value: &Value, pointer: &mut String, out: &mut Vec<(String, String)>) {
    if out.len() > ARGUMENTS {
        return;
    }
    let step = |name: &str, item: &Value, pointer: &mut String, out: &mut Vec<_>| {
        let before = pointer.len();
        push_member(pointer, name);
        leaves_of(item, pointer, out);
        pointer.truncate(before);
    };
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => out.push((pointer.clone(), text.clone())),
        Value::Number(number) => out.push((pointer.clone(), number.to_string())),
        Value::Bool(yes) => out.push((pointer.clone(), yes.to_string())),
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                step(&n.to_string(), item, pointer, out);
            }
        }
        Value::Object(members) => {
            for (name, item) in members {
                step(name, item, pointer, out);
            }
        }
        Value::Null => {}
    }
}

/// Looks plainly for values that policies see no source of. It decides nothing.
struct Search<'a> {
    seen: &'a Seen<'a>,
    budget: usize,
}

impl<'a> Search<'a> {
    fn new(seen: &'a Seen<'a>) -> Self {
        Self {
            seen,
            budget: SEARCHED_BYTES,
        }
    }

    fn places(&mut self, value: &str) -> Vec<String> {
        let value = value.trim();
        let mut places = Vec::new();
        if !SEARCHED_VALUE.contains(&value.len()) {
            return places;
        }
        for part in self.seen.newest.iter().flat_map(|intent| &intent.parts) {
            if part.by == PartBy::Principal && self.has(&part.text, value) {
                places.push("the person's words in this turn".to_owned());
                break;
            }
        }
        for (n, (_, result)) in self.seen.results.iter().enumerate().rev() {
            if places.len() >= 2 || self.budget == 0 {
                break;
            }
            if let Some(pointer) = self.within(&result.result, value, String::new()) {
                places.push(in_result(&result.tool, &pointer, Some(n)));
            }
        }
        places
    }

    fn has(&mut self, text: &str, value: &str) -> bool {
        self.budget = self.budget.saturating_sub(text.len());
        self.budget > 0 && text.contains(value)
    }

    fn within(&mut self, result: &Value, value: &str, pointer: String) -> Option<String> {
        if self.budget == 0 {
            return None;
        }
        match result {
            Value::String(text) => self.has(text, value).then_some(pointer),
            Value::Number(number) => (number.to_string() == value).then_some(pointer),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .find_map(|(n, item)| self.within(item, value, format!("{pointer}/{n}"))),
            Value::Object(members) => members
                .iter()
                .find_map(|(name, item)| self.within(item, value, member(&pointer, name))),
            Value::Bool(_) | Value::Null => None,
        }
    }
}
