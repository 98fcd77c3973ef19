//! Words that what they are compared with can never be.

use std::collections::BTreeSet;

use countersign_core::document::UnknownTools;
use countersign_core::document::{Assurance, Author, Confidentiality, Effect, Source, TargetType};

use serde_json::Value;

use super::super::arguments::resolve;
use super::super::nearest::nearest;
use super::super::reads::path;
use super::{Index, Parts, Rule, operands, text, texts, written};
use crate::finding::Finding;
use crate::value::type_name;

/// Finds words that can never be there.
pub(super) fn check(
    rule: &Rule<'_>,
    parts: &Parts<'_>,
    index: &Index<'_>,
    findings: &mut Vec<Finding>,
) {
    let mut found: BTreeSet<(Vec<String>, String)> = BTreeSet::new();
    rule.visit(&mut |operator, inner, _| {
        if !["==", "!=", "contains", "containsAll", "containsAny"].contains(&operator) {
            return;
        }
        let Some((left, right)) = operands(inner) else {
            return;
        };
        for (one, other) in [(left, right), (right, left)] {
            let Some(place) = path(one) else {
                continue;
            };
            let compared = match text(other) {
                Some(word) => BTreeSet::from([word]),
                None => texts(other).unwrap_or_default(),
            };
            found.extend(
                compared
                    .iter()
                    .map(|word| (place.clone(), (*word).to_owned())),
            );
        }
    });
    for (place, word) in found {
        if let Some(known) = vocabulary(&place, parts).or_else(|| listed(&place, rule, index))
            && !known.contains(word.as_str())
        {
            let place = written(&place);
            let hint = match nearest(&word, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => some_of(&known),
            };
            let quoted = format!("\"{word}\"");
            let text = format!("`{word}` can never be in `{place}`");
            findings.push(rule.error(text, &[&quoted, &place]).hint(hint));
        }
    }
}

/// All that can stand at a place of the context, where that is a closed list.
fn vocabulary<'a>(place: &[String], parts: &Parts<'a>) -> Option<BTreeSet<&'a str>> {
    let names: Vec<&str> = place.iter().map(String::as_str).collect();
    Some(match names.as_slice() {
        ["target" | "text", "sources"] | ["sources", _] => {
            Source::BY_AUTHORITY.into_iter().map(Source::name).collect()
        }
        ["effect"] => [Effect::Read, Effect::Write, Effect::Irreversible]
            .into_iter()
            .map(Effect::name)
            .chain(["unknown"])
            .collect(),
        ["target", "kind"] => [
            TargetType::Email,
            TargetType::Domain,
            TargetType::Url,
            TargetType::Id,
            TargetType::Path,
        ]
        .into_iter()
        .map(type_name)
        .collect(),
        ["intent", "author"] => [Author::Human, Author::Schedule, Author::System]
            .into_iter()
            .map(Author::name)
            .collect(),
        ["intent", "assurance"] => [Assurance::SameUid, Assurance::Separate, Assurance::Signed]
            .into_iter()
            .map(Assurance::name)
            .collect(),
        ["carries"] => [Confidentiality::Private, Confidentiality::Secret]
            .into_iter()
            .map(Confidentiality::name)
            .collect(),
        ["target", "named_in"] => parts.actions.keys().map(String::as_str).collect(),
        ["tool"] if parts.content.settings.unknown_tools == UnknownTools::Reject => {
            parts.tools.keys().map(String::as_str).collect()
        }
        _ => return None,
    })
}

/// What the schemas of an argument list, if each tool that has it lists all that it can be.
fn listed<'a>(place: &[String], rule: &Rule<'_>, index: &Index<'a>) -> Option<BTreeSet<&'a str>> {
    let ("args", names) = place
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))?
    else {
        return None;
    };
    let tools = rule
        .actions()
        .filter_map(|(action, _)| index.tools.get(action));
    let mut all = BTreeSet::new();
    for tool in tools.flatten() {
        let root = &tool.manifest().arguments;
        let argument = names.iter().try_fold(root, |schema, name| {
            resolve(root, schema)?.get("properties")?.get(name)
        });
        if let Some(argument) = argument {
            all.extend(enumerated(root, argument, 0)?);
        }
    }
    (!all.is_empty()).then_some(all)
}

/// The texts that a schema lists, of a value or of the items of a list.
fn enumerated<'a>(root: &'a Value, schema: &'a Value, depth: usize) -> Option<BTreeSet<&'a str>> {
    const DEPTH: usize = 16;
    let schema = resolve(root, schema).filter(|_| depth < DEPTH)?;
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        let known = listed.iter().filter(|value| !value.is_null());
        return known.map(Value::as_str).collect();
    }
    if let Some(items) = schema.get("items") {
        return enumerated(root, items, depth + 1);
    }
    let options = schema.get("anyOf").or_else(|| schema.get("oneOf"))?;
    let mut all = BTreeSet::new();
    for option in options.as_array()? {
        if option.get("type").is_none_or(|kind| kind != "null") {
            all.extend(enumerated(root, option, depth + 1)?);
        }
    }
    Some(all)
}

fn some_of(known: &BTreeSet<&str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<String> = known
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = if known.len() > SHOWN { ", …" } else { "" };
    match names.is_empty() {
        true => "there is none".to_owned(),
        false => format!("there are {}{more}", names.join(", ")),
    }
}
