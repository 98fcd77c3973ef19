//! What each argument is for, and which are targets, from names and values.

use std::collections::BTreeMap;

use countersign_core::document::{ArgumentRole, TargetDeclaration, TargetType};
use countersign_core::json::pointer::member;
use countersign_judge::lookup_form;
use serde_json::Value;

/// Names, or last words of names, of what is acted on.
const IDENTITIES: &[&str] = &[
    "id",
    "ids",
    "to",
    "cc",
    "bcc",
    "recipient",
    "recipients",
    "email",
    "emails",
    "user",
    "users",
    "username",
    "channel",
    "channels",
    "file",
    "files",
    "filename",
    "path",
    "paths",
    "url",
    "urls",
    "uri",
    "link",
    "account",
    "iban",
    "target",
    "targets",
    "key",
    "repo",
    "repository",
    "branch",
    "participants",
    "attendees",
    "attachments",
    "owner",
    "organization",
    "org",
    "project",
    "database",
    "table",
    "host",
    "hostname",
    "domain",
    "address",
    "phone",
    "contact",
    "contacts",
    "payee",
    "merchant",
    "vendor",
    "customer",
    "destination",
    "from",
    "sender",
    "directory",
    "folder",
    "bucket",
    "server",
    "endpoint",
    "cell",
    "notebook",
    "invitee",
    "member",
    "assignee",
    "bic",
    "uuid",
    "handle",
    "number",
    "ticket",
    "issue",
    "thread",
];
/// The same of how much, how many and when.
const QUANTITIES: &[&str] = &[
    "amount", "price", "quantity", "count", "limit", "offset", "date", "time", "start", "end",
    "duration", "page", "size", "max", "min", "total", "day", "month", "year", "hour", "timeout",
    "at", "deadline", "percent", "rate", "currency", "timezone", "n",
];
/// The same of what only its owner may know.
const SECRETS: &[&str] = &[
    "password",
    "secret",
    "token",
    "pin",
    "otp",
    "passphrase",
    "credential",
    "credentials",
];

/// What was guessed of a tool's arguments.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) roles: BTreeMap<String, ArgumentRole>,
    pub(super) targets: Vec<TargetDeclaration>,
}

impl Arguments {
    /// Whether the tool is given a URL.
    pub(super) fn fetches(&self) -> bool {
        self.targets
            .iter()
            .any(|target| target.kind == TargetType::Url)
    }
}

pub(super) fn guess(schema: &Value, seen: &[&Value]) -> Arguments {
    let mut out = Arguments::default();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let at = member("", name);
        let values: Vec<&Value> = seen.iter().filter_map(|args| args.get(name)).collect();
        let texts = texts(&values);
        let role = role(name, property, &values, texts.as_deref());
        if role == ArgumentRole::Identity
            && let Some(texts) = &texts
            && is_text(property)
        {
            let (kind, entity) = kind(name, texts);
            let required = schema.get("required").and_then(Value::as_array);
            let required = required.is_some_and(|names| names.iter().any(|n| n == name));
            let always = values.iter().all(|value| !is_nothing(value));
            out.targets.push(TargetDeclaration {
                at: at.clone(),
                kind,
                entity,
                optional: !(required && always),
            });
        }
        if role == ArgumentRole::Identity {
            inner(&at, property, &values, &mut out.roles);
        }
        out.roles.insert(at, role);
    }
    out
}

/// The roles of an identity's members that name nothing: of `{"type": "file", "file_id": "13"}`, the type.
pub(super) fn inner(
    at: &str,
    schema: &Value,
    values: &[&Value],
    roles: &mut BTreeMap<String, ArgumentRole>,
) {
    let lists = values.iter().filter_map(|value| value.as_array()).flatten();
    let all: Vec<&Value> = values.iter().copied().chain(lists).collect();
    let schemas = [Some(schema), schema.get("items")];
    let properties = schemas
        .into_iter()
        .flatten()
        .filter_map(|schema| schema.get("properties").and_then(Value::as_object));
    for (name, property) in properties.flatten() {
        let seen: Vec<&Value> = all.iter().filter_map(|value| value.get(name)).collect();
        let role = role(name, property, &seen, texts(&seen).as_deref());
        if role != ArgumentRole::Identity {
            roles.insert(member(at, name), role);
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The texts among the values, items of lists one by one; none if there is anything else.
fn texts(values: &[&Value]) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    for value in values {
        match value {
            Value::Null => {}
            Value::String(text) => texts.push(text.clone()),
            Value::Array(items) => {
                for item in items.iter().filter(|item| !item.is_null()) {
                    texts.push(item.as_str()?.to_owned());
                }
            }
            _ => return None,
        }
    }
    Some(texts)
}

/// Whether a schema is of a text or of a list of texts.
pub(super) fn is_text(schema: &Value) -> bool {
    let says = |schema: &Value, wanted: &str| match schema.get("type") {
        Some(Value::String(kind)) => kind == wanted,
        Some(Value::Array(kinds)) => {
            kinds.iter().all(|kind| kind == wanted || kind == "null")
                && kinds.iter().any(|kind| kind == wanted)
        }
        _ => false,
    };
    let branches = schema.get("anyOf").and_then(Value::as_array);
    says(schema, "string")
        || (says(schema, "array")
            && schema
                .get("items")
                .is_some_and(|items| says(items, "string")))
        || branches.is_some_and(|branches| {
            branches
                .iter()
                .all(|branch| is_text(branch) || says(branch, "null"))
        })
}

pub(super) fn role(
    name: &str,
    schema: &Value,
    values: &[&Value],
    texts: Option<&[String]>,
) -> ArgumentRole {
    let words = words(name);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let is = |names: &[&str]| names.contains(&last) || names.contains(&words.join("").as_str());
    let is_number = values
        .iter()
        .any(|value| value.is_number() || value.is_boolean())
        || matches!(
            schema.get("type").and_then(Value::as_str),
            Some("number" | "integer" | "boolean")
        );
    if is(SECRETS) {
        return ArgumentRole::Secret;
    }
    if is_number && last != "id" {
        return ArgumentRole::Quantity;
    }
    if is(IDENTITIES) {
        return ArgumentRole::Identity;
    }
    if is(QUANTITIES) {
        return ArgumentRole::Quantity;
    }
    // A choice of a few words names nobody.
    if schema.get("enum").is_some() {
        return ArgumentRole::Text;
    }
    match texts {
        Some(texts) if !texts.is_empty() && texts.iter().all(|text| is_address(text)) => {
            ArgumentRole::Identity
        }
        _ => ArgumentRole::Text,
    }
}

fn is_address(text: &str) -> bool {
    !text.contains(char::is_whitespace) && (is_email(text) || is_url(text) || text.starts_with('/'))
}

fn is_email(text: &str) -> bool {
    text.contains('@') && lookup_form(TargetType::Email, text).is_some()
}

fn is_url(text: &str) -> bool {
    (text.contains("://") || text.starts_with("www."))
        && lookup_form(TargetType::Url, text).is_some()
}

/// How the values are read, and the entity type that stands for them. One entity type has one kind.
fn kind(name: &str, texts: &[String]) -> (TargetType, String) {
    // A model gives a wrong value now and then: nine of ten say what the others should have been.
    let all = |is: fn(&str) -> bool| {
        let fitting = texts.iter().filter(|text| is(text)).count();
        !texts.is_empty() && fitting * 10 >= texts.len() * 9
    };
    let words = words(name);
    let says = |word: &str| words.iter().any(|known| known == word);
    if all(is_email) {
        return (TargetType::Email, "Address".to_owned());
    }
    if all(is_url) || (says("url") && all(|text| lookup_form(TargetType::Url, text).is_some())) {
        return (TargetType::Url, "Page".to_owned());
    }
    let is_path =
        |text: &str| text.starts_with(['/', '~', '.']) && !text.contains(char::is_whitespace);
    let path_like = says("path") || says("file") || says("directory");
    if path_like && all(is_path) && all(|text| lookup_form(TargetType::Path, text).is_some()) {
        return (TargetType::Path, "Path".to_owned());
    }
    (TargetType::Id, entity(name))
}

/// The entity type that stands for an id, by the argument's name; none that stands for something else.
pub(super) fn entity(name: &str) -> String {
    let mut entity: String = words(name)
        .iter()
        .filter(|word| *word != "id" && *word != "ids" && *word != "name")
        .map(|word| capital(word))
        .collect();
    if entity.is_empty()
        || matches!(
            entity.as_str(),
            "Address"
                | "Page"
                | "Path"
                | "Host"
                | "Actor"
                | "Call"
                | "Action"
                | "String"
                | "Long"
                | "Bool"
        )
        || !entity.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        entity = format!("Named{entity}");
    }
    entity
}

fn capital(word: &str) -> String {
    let mut letters = word.chars().filter(char::is_ascii_alphanumeric);
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars().take(128) {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}
