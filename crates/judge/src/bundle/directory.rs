//! Whether an entity is one that the judge could use: checked before the directory takes it.

use std::collections::BTreeMap;

use cedar_policy::Entity;
use serde_json::{Value, json};

use super::nearest::nearest;
use super::schema::{ACTOR, BundleSchema, CALL};
use crate::limits::ATTRIBUTE_DEPTH;

/// Refuses what a request that reaches the entity would fail for. `null` is absence.
pub(super) fn check(
    schema: &BundleSchema,
    kind: &str,
    attributes: &BTreeMap<String, Value>,
) -> Result<(), String> {
    if !schema.types.contains(kind) {
        return Err(unknown_type(schema, kind));
    }
    let none = BTreeMap::new();
    let declared = schema.attributes.get(kind).unwrap_or(&none);
    for (name, value) in attributes {
        let Some(expected) = declared.get(name) else {
            return Err(unknown_attribute(kind, name, declared));
        };
        if is_deeper(value, ATTRIBUTE_DEPTH) {
            return Err(format!(
                "the attribute `{}` of `{kind}` is nested deeper than {ATTRIBUTE_DEPTH} levels",
                shown(name)
            ));
        }
        if !value.is_null() && !fits(schema, kind, name, value) {
            return Err(format!(
                "the attribute `{}` of `{kind}` must be {expected}, not {}",
                shown(name),
                met(value)
            ));
        }
    }
    Ok(())
}

fn unknown_type(schema: &BundleSchema, kind: &str) -> String {
    if [ACTOR, CALL, "Action"].contains(&kind) {
        return format!("`{kind}` is built in: the directory holds no entities of it");
    }
    let declared = schema.types.iter().map(String::as_str);
    let hint = match nearest(kind, declared.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => some_of("declared are", declared),
    };
    format!(
        "no schema and no manifest declares the entity type `{}`; {hint}",
        shown(kind)
    )
}

fn unknown_attribute(kind: &str, name: &str, declared: &BTreeMap<String, String>) -> String {
    let names = declared.keys().map(String::as_str);
    let hint = match nearest(name, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => some_of("declared are", names),
    };
    format!(
        "the schema declares no attribute `{}` of `{kind}`; {hint}",
        shown(name)
    )
}

/// The first few names, so that a message stays one.
fn some_of<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.get(..SHOWN) {
        None if names.is_empty() => "none is declared".to_owned(),
        Some(first) if names.len() > SHOWN => format!("{what} {}, …", first.join(", ")),
        _ => format!("{what} {}", names.join(", ")),
    }
}

/// A name that a client sent, short enough for a message.
fn shown(name: &str) -> String {
    name.chars()
        .take(80)
        .flat_map(char::escape_debug)
        .collect::<String>()
}

/// Whether a value is of the declared type: as the judge reads it, one attribute at a time.
fn fits(schema: &BundleSchema, kind: &str, name: &str, value: &Value) -> bool {
    let entity = json!({"uid": {"type": kind, "id": "any"}, "attrs": {name: value}, "parents": []});
    Entity::from_json_value(entity, Some(&schema.schema)).is_ok()
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(members) => {
            levels == 0 || members.values().any(|item| is_deeper(item, levels - 1))
        }
        _ => false,
    }
}

/// What arrived, for people. Its text may be somebody's data, so it is not repeated.
fn met(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_i64() => "a whole number",
        Value::Number(number) if number.is_u64() => "a number beyond 64 bits",
        Value::Number(_) => "a number with a fraction",
        Value::String(_) => "text",
        Value::Array(_) => "this list",
        Value::Object(_) => "this object",
    }
}

/// The type of an attribute, in the JSON form of a Cedar schema, for people.
pub(super) fn describe(kind: &Value) -> String {
    let text = |name: &str| kind.get(name).and_then(Value::as_str);
    match text("type").unwrap_or_default() {
        "String" | "__cedar::String" => "text".to_owned(),
        "Boolean" | "Bool" | "__cedar::Bool" => "true or false".to_owned(),
        "Long" | "__cedar::Long" => "a whole number".to_owned(),
        "Record" => "an object with the declared members".to_owned(),
        "Set" => match kind.get("element").map(describe) {
            Some(item) => format!("a list, each item {item}"),
            None => "a list".to_owned(),
        },
        "Entity" | "EntityOrCommon" => match text("name") {
            Some("String") => "text".to_owned(),
            Some("Bool" | "Boolean") => "true or false".to_owned(),
            Some("Long") => "a whole number".to_owned(),
            name => format!(
                "a reference `{{\"type\": …, \"id\": …}}` to a `{}`",
                name.unwrap_or_default()
            ),
        },
        "Extension" => format!("a value of the type `{}`", text("name").unwrap_or_default()),
        other => format!("of the type `{other}`"),
    }
}
