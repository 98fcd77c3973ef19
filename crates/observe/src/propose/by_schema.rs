//! What each argument of a tool that was never called is for: from its name and its schema alone.

use countersign_core::document::{ArgumentRole, TargetDeclaration, TargetType};
use countersign_core::json::pointer::member;
use serde_json::Value;

use super::arguments::{Arguments, entity, inner, is_text, role, words};

/// Names, or last words of names, of what is acted on, where nothing shows what the values are.
const NAMES: &[&str] = &[
    "name", "names", "source", "src", "dest", "dst", "node", "nodes", "slug", "ref", "sha",
];
/// The same of paths.
const PATHS: &[&str] = &[
    "path",
    "paths",
    "file",
    "files",
    "filename",
    "filenames",
    "filepath",
    "dir",
    "directory",
    "directories",
    "cwd",
];
/// The same of URLs.
const URLS: &[&str] = &[
    "url", "urls", "uri", "uris", "href", "link", "links", "webhook", "endpoint",
];
/// The same of e-mail addresses.
const EMAILS: &[&str] = &["email", "emails", "mail"];
/// Those whom a mail names.
const RECIPIENTS: &[&str] = &["to", "cc", "bcc", "recipient", "recipients"];

/// Guesses by names and schema. `tool` are the words of the tool's name.
pub(super) fn guess(schema: &Value, tool: &[String]) -> Arguments {
    let mut out = Arguments::default();
    for (name, property) in properties(schema) {
        let at = member("", name);
        let role = role_of(name, property);
        if role == ArgumentRole::Identity {
            if let Some(kind) = holds(property, || kind(name, property, tool)) {
                let entity = entity_of(kind, name, name);
                let optional = !is_required(schema, name);
                out.targets
                    .push(declared(at.clone(), kind, entity, optional));
            }
            inner(&at, property, &[], &mut out.roles);
        } else if let Some(items) = records(property) {
            let optional = !is_required(schema, name);
            of_records(name, items, optional, tool, &mut out);
        }
        out.roles.insert(at, role);
    }
    out
}

/// The arguments of each record of a list: `entities: [{"name": …}]`.
fn of_records(list: &str, items: &Value, optional: bool, tool: &[String], out: &mut Arguments) {
    for (name, property) in properties(items) {
        let role = role_of(name, property);
        if role != ArgumentRole::Text {
            out.roles.insert(member(&member("", list), name), role);
        }
        if role == ArgumentRole::Identity
            && is_plain(list)
            && is_plain(name)
            && let Some(kind) = holds(property, || kind(name, property, tool))
        {
            let entity = entity_of(kind, name, list);
            let optional = optional || !is_required(items, name);
            out.targets.push(declared(
                format!("$.{list}[*].{name}"),
                kind,
                entity,
                optional,
            ));
        }
    }
}

fn declared(at: String, kind: TargetType, entity: String, optional: bool) -> TargetDeclaration {
    TargetDeclaration {
        at,
        kind,
        entity,
        optional,
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten()
}

fn is_required(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|required| required == name))
}

/// The schema of a list's records.
fn records(property: &Value) -> Option<&Value> {
    let items = property.get("items")?;
    items.get("properties")?;
    Some(items)
}

/// Whether a JSONPath can name it without quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn role_of(name: &str, property: &Value) -> ArgumentRole {
    let guessed = role(name, property, &[], Some(&[]));
    let is_choice = property.get("enum").is_some() || property.get("const").is_some();
    let by_name = ends_in(name, &[NAMES, PATHS, URLS, EMAILS]);
    match guessed {
        ArgumentRole::Text if is_text(property) && !is_choice && by_name => ArgumentRole::Identity,
        ArgumentRole::Identity if is_choice => ArgumentRole::Text,
        other => other,
    }
}

/// Whether the last word of the name is one of these.
fn ends_in(name: &str, lists: &[&[&str]]) -> bool {
    let words = words(name);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let whole = words.concat();
    lists
        .iter()
        .any(|list| list.contains(&last) || list.contains(&whole.as_str()))
}

/// The kind of target that the property can be, if it can be one.
fn holds(property: &Value, kind: impl Fn() -> TargetType) -> Option<TargetType> {
    if is_text(property) {
        return Some(kind());
    }
    let is_number = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("integer");
    let is_one = is_number(property) || property.get("items").is_some_and(is_number);
    is_one.then_some(TargetType::Id)
}

fn kind(name: &str, property: &Value, tool: &[String]) -> TargetType {
    let inner = property.get("items").unwrap_or(property);
    match inner.get("format").and_then(Value::as_str) {
        Some("email" | "idn-email") => return TargetType::Email,
        Some("uri" | "url" | "iri" | "uri-reference") => return TargetType::Url,
        Some("hostname" | "idn-hostname") => return TargetType::Domain,
        _ => {}
    }
    let tool_says = |wanted: &[&str]| tool.iter().any(|word| wanted.contains(&word.as_str()));
    if ends_in(name, &[EMAILS]) || (ends_in(name, &[RECIPIENTS]) && tool_says(MAILS)) {
        TargetType::Email
    } else if ends_in(name, &[URLS]) {
        TargetType::Url
    } else if ends_in(name, &[PATHS]) || (ends_in(name, &[ENDS]) && tool_says(PATHS)) {
        TargetType::Path
    } else {
        TargetType::Id
    }
}

/// Words of tools that send mail.
const MAILS: &[&str] = &["email", "emails", "mail", "gmail", "outlook"];
/// From where to where something is moved.
const ENDS: &[&str] = &["source", "src", "destination", "dest", "dst", "from", "to"];

/// The entity type that stands for the value. One entity type has one kind.
fn entity_of(kind: TargetType, name: &str, list: &str) -> String {
    match kind {
        TargetType::Email => "Address".to_owned(),
        TargetType::Url => "Page".to_owned(),
        TargetType::Path => "Path".to_owned(),
        TargetType::Domain => "Host".to_owned(),
        TargetType::Id => {
            let own = words(name);
            let is_bare = own
                .iter()
                .all(|word| matches!(word.as_str(), "id" | "ids" | "name" | "names"));
            match is_bare {
                true => entity(&singular(list)),
                false => entity(name),
            }
        }
    }
}

fn singular(word: &str) -> String {
    match (word.strip_suffix("ies"), word.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}y"),
        (None, Some(stem)) => stem.to_owned(),
        (None, None) => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn targets(tool: &str, schema: &Value) -> Vec<String> {
        let found = guess(schema, &words(tool));
        found
            .targets
            .iter()
            .map(|target| {
                let optional = if target.optional { "?" } else { "" };
                format!(
                    "{} {:?} {}{optional}",
                    target.at, target.kind, target.entity
                )
            })
            .collect()
    }

    #[test]
    fn names_and_formats_say_what_is_acted_on() {
        let text = || json!({"type": "string"});
        for (tool, name, property, expected) in [
            ("write_file", "path", text(), &["/path Path Path?"][..]),
            ("write_file", "content", text(), &[]),
            (
                "move_file",
                "destination",
                text(),
                &["/destination Path Path?"],
            ),
            (
                "move_card",
                "destination",
                text(),
                &["/destination Id Destination?"],
            ),
            ("fetch", "url", text(), &["/url Url Page?"]),
            (
                "fetch",
                "target",
                json!({"type": "string", "format": "uri"}),
                &["/target Url Page?"],
            ),
            (
                "send_email",
                "to",
                json!({"type": "array", "items": text()}),
                &["/to Email Address?"],
            ),
            ("send_message", "to", text(), &["/to Id To?"]),
            (
                "delete_user",
                "userEmail",
                text(),
                &["/userEmail Email Address?"],
            ),
            (
                "close_issue",
                "issue_id",
                json!({"type": "integer"}),
                &["/issue_id Id Issue?"],
            ),
            (
                "sort",
                "name",
                json!({"type": "string", "enum": ["a", "b"]}),
                &[],
            ),
            ("search", "query", text(), &[]),
            (
                "create_entities",
                "entities",
                json!({"type": "array", "items": {"type": "object", "properties": {"name": text(), "note": text()}, "required": ["name"]}}),
                &["$.entities[*].name Id Entity?"],
            ),
        ] {
            let schema = json!({"type": "object", "properties": {name: property}});
            assert_eq!(targets(tool, &schema), expected, "{tool} {name}");
        }
    }
}
