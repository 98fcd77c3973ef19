//! How results are read, and which of their fields a system wrote, from what was seen of them.

use std::collections::BTreeSet;

use countersign_core::document::{FieldLabel, Integrity, ResultFormat, ResultManifest};
use serde_json::Value;

/// Fields that systems write: what they number, when they did something, and whom they
/// authenticated.
const BY_SYSTEM: &[&str] = &[
    "id",
    "id_",
    "uuid",
    "created_at",
    "updated_at",
    "timestamp",
    "date",
    "sender",
    "from",
    "owner",
    "author_id",
    "user_id",
    "message_id",
    "thread_id",
    "file_id",
    "event_id",
    "account_id",
    "recipients",
    "participants",
    "email",
];
/// Those of them that a tool makes itself when it changes something.
const OWN: &[&str] = &["id", "id_", "uuid", "created_at", "updated_at", "timestamp"];
/// Most results of one tool that are looked at.
const RESULTS: usize = 200;
/// Most labels of one tool.
const LABELS: usize = 64;
/// Deepest field that is labelled.
const DEPTH: usize = 6;
/// Most bytes of one result that are looked at.
const LOOKED_AT: usize = 256 * 1024;

/// What was guessed; nothing where no result was seen. `echoes` says of a field's name whether its value may be
/// one that the agent gave.
pub(super) fn guess(results: &[&Value], echoes: impl Fn(&str) -> bool) -> Option<ResultManifest> {
    let mut paths = BTreeSet::new();
    let mut are_json = 0;
    let mut are_yaml = 0;
    let results = results.get(..RESULTS).unwrap_or(results);
    for result in results {
        match result {
            Value::String(text) if text.len() <= LOOKED_AT => {
                match serde_json::from_str::<Value>(text) {
                    Ok(value @ (Value::Object(_) | Value::Array(_))) => {
                        are_json += 1;
                        fields(&value, "$", 0, &mut paths);
                    }
                    _ => are_yaml += usize::from(yaml(text, &mut paths)),
                }
            }
            Value::Object(_) | Value::Array(_) => {
                are_json += 1;
                fields(result, "$", 0, &mut paths);
            }
            _ => {}
        }
    }
    let most = results.len() / 2;
    let format = if are_json > most {
        ResultFormat::Json
    } else if are_yaml > most {
        ResultFormat::Yaml
    } else if results.is_empty() {
        return None;
    } else {
        return Some(ResultManifest {
            format: ResultFormat::Text,
            ..ResultManifest::default()
        });
    };
    let label = |at: String| FieldLabel {
        at,
        integrity: Some(Integrity::System),
        confidentiality: None,
        entity: None,
    };
    let given = |at: &String| {
        let name = at.trim_end_matches("[*]").rsplit('.').next();
        name.is_some_and(&echoes)
    };
    paths.retain(|at| !given(at));
    Some(ResultManifest {
        format,
        first_party: false,
        fields: paths.into_iter().take(LABELS).map(label).collect(),
    })
}

/// Whether a tool that changes something may answer with what it was given under this name: all but what it numbers
/// and dates by itself.
pub(super) fn is_echo(name: &str, arguments: &Value) -> bool {
    let properties = arguments.get("properties").and_then(Value::as_object);
    let is_argument = properties.is_some_and(|names| names.contains_key(name));
    is_argument || !(OWN.contains(&name) || name.ends_with("_id"))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The JSONPaths of fields that systems write.
fn fields(value: &Value, at: &str, depth: usize, out: &mut BTreeSet<String>) {
    if depth == DEPTH || out.len() > LABELS {
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                fields(item, &format!("{at}[*]"), depth + 1, out);
            }
        }
        Value::Object(members) => {
            for (name, item) in members.iter().filter(|(name, _)| is_plain(name)) {
                let at = format!("{at}.{name}");
                match item {
                    Value::String(_) | Value::Number(_) if is_by_system(name) => {
                        out.insert(at);
                    }
                    Value::Array(items)
                        if is_by_system(name) && items.iter().all(Value::is_string) =>
                    {
                        out.insert(format!("{at}[*]"));
                    }
                    item => fields(item, &at, depth + 1, out),
                }
            }
        }
        _ => {}
    }
}

fn is_by_system(name: &str) -> bool {
    BY_SYSTEM.contains(&name) || name.ends_with("_id")
}

/// Whether a text looks like YAML of a record or a list of records, as tools dump them; its fields
/// are those that stand at the outermost level.
fn yaml(text: &str, out: &mut BTreeSet<String>) -> bool {
    let is_list = text.starts_with("- ");
    let (root, indent) = match is_list {
        true => ("$[*]", "  "),
        false => ("$", ""),
    };
    let mut found = Vec::new();
    let mut last: Option<&str> = None;
    let mut is_record = false;
    for line in text.lines() {
        let own = match (is_list, line.strip_prefix("- ")) {
            (true, Some(rest)) => rest,
            _ => match line.strip_prefix(indent) {
                Some(rest) => rest,
                None => continue,
            },
        };
        if own.starts_with("- ") {
            found.extend(
                last.filter(|name| is_by_system(name))
                    .map(|name| format!("{root}.{name}[*]")),
            );
            continue;
        }
        let Some((name, rest)) = own.split_once(':') else {
            continue;
        };
        if !is_plain(name) || !(rest.is_empty() || rest.starts_with(' ')) {
            continue;
        }
        is_record = true;
        last = rest.trim().is_empty().then_some(name);
        if is_by_system(name) && !rest.trim().is_empty() && rest.trim() != "[]" {
            found.push(format!("{root}.{name}"));
        }
    }
    if is_record && out.len() <= LABELS {
        out.extend(found);
    }
    is_record
}
