//! The JSON Schema of arguments: the tool's own, or one that fits what was seen.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Most members that a schema declares.
const MEMBERS: usize = 100;
/// Deepest nesting that a schema describes.
const DEPTH: usize = 4;

/// A schema that all of these arguments fit.
pub(super) fn schema(seen: &[&Value]) -> Value {
    let objects: Vec<&Map<String, Value>> =
        seen.iter().filter_map(|args| args.as_object()).collect();
    object(&objects, 0)
}

fn object(objects: &[&Map<String, Value>], depth: usize) -> Value {
    let mut names: Vec<&str> = Vec::new();
    let mut known = BTreeSet::new();
    for name in objects.iter().flat_map(|object| object.keys()) {
        if known.len() <= MEMBERS && known.insert(name) && names.len() < MEMBERS {
            names.push(name);
        }
    }
    let is_cut = known.len() > names.len();
    let mut properties = Map::new();
    let mut required = Vec::new();
    for name in names {
        let values: Vec<&Value> = objects
            .iter()
            .filter_map(|object| object.get(name))
            .collect();
        if values.len() == objects.len() {
            required.push(Value::from(name));
        }
        properties.insert(name.to_owned(), value(&values, depth + 1));
    }
    let mut schema = json!({ "type": "object", "properties": properties, "required": required });
    // What was never seen is not declared, and so not let through: unless nothing was seen.
    if let (Value::Object(members), false) = (&mut schema, objects.is_empty() || is_cut) {
        members.insert("additionalProperties".to_owned(), Value::from(false));
    }
    schema
}

fn value(values: &[&Value], depth: usize) -> Value {
    let kinds: BTreeSet<&str> = values.iter().map(|value| kind(value)).collect();
    let mut out = Map::new();
    // `integer` is a `number`, too.
    let mut kinds: Vec<&str> = kinds.into_iter().collect();
    if kinds.contains(&"number") {
        kinds.retain(|kind| *kind != "integer");
    }
    let named = match kinds.as_slice() {
        [one] => json!(one),
        several => json!(several),
    };
    out.insert("type".to_owned(), named);
    if depth < DEPTH && kinds.contains(&"array") {
        let items: Vec<&Value> = values
            .iter()
            .filter_map(|value| value.as_array())
            .flatten()
            .collect();
        if !items.is_empty() {
            out.insert("items".to_owned(), value(&items, depth + 1));
        } else {
            out.insert("items".to_owned(), json!({ "type": "string" }));
        }
    }
    if depth < DEPTH && kinds.contains(&"object") {
        let objects: Vec<&Map<String, Value>> = values
            .iter()
            .filter_map(|value| value.as_object())
            .collect();
        let Value::Object(inner) = object(&objects, depth) else {
            return Value::Object(out);
        };
        out.extend(inner.into_iter().filter(|(name, _)| name != "type"));
    }
    Value::Object(out)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A schema without the words that are for a reader: they may hold anything.
pub(super) fn without_remarks(schema: &Value) -> Value {
    strip(schema, false)
}

/// `named`: whether the members are names of arguments, and not words of the schema.
fn strip(schema: &Value, named: bool) -> Value {
    match schema {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| {
                named
                    || !matches!(
                        name.as_str(),
                        "description"
                            | "title"
                            | "examples"
                            | "example"
                            | "default"
                            | "$schema"
                            | "$id"
                            | "$comment"
                            | "format"
                    )
            });
            let names =
                |name: &str| !named && matches!(name, "properties" | "$defs" | "definitions");
            Value::Object(
                kept.map(|(name, value)| (name.clone(), strip(value, names(name))))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(|item| strip(item, false)).collect(),
        other => other.clone(),
    }
}

/// Whether a tool's own schema can be one: an object's, which declares what was seen.
pub(super) fn fits(schema: &Value, seen: &[&Value]) -> bool {
    let is_object = schema.get("type").and_then(Value::as_str) == Some("object");
    let declared = schema.get("properties").and_then(Value::as_object);
    let all = seen.iter().filter_map(|args| args.as_object());
    is_object
        && all
            .flat_map(|args| args.keys())
            .all(|name| declared.is_some_and(|declared| declared.contains_key(name)))
}

/// A schema that a server lists, in the forms that a manifest can have, the fullest first, each with
/// what is to be known of it. Where its objects can be closed they are: what nobody declared has no
/// role.
pub(super) fn listed(schema: &Value) -> Vec<(Value, Vec<&'static str>)> {
    const PLAIN: &str = "remarks, defaults and formats are left out of its schema";
    const SIMPLE: &str =
        "its schema cannot be used as it is: only the types of its arguments are kept";
    let mut out = Vec::new();
    let dialect = without_dialect(schema);
    for (schema, said) in [
        (dialect.clone(), None),
        (without_remarks(schema), Some(PLAIN)),
        (simple(schema), Some(SIMPLE)),
    ] {
        let mut closed = schema.clone();
        let said: Vec<&str> = said.into_iter().collect();
        if close(&mut closed, 0) {
            out.push((closed, said.clone()));
        }
        out.push((schema, said));
    }
    out
}

fn without_dialect(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(members) = &mut schema {
        members.shift_remove("$schema");
    }
    schema
}

/// Closes each object of which the schema names all members; whether there was any.
fn close(schema: &mut Value, depth: usize) -> bool {
    const ELSEWHERE: [&str; 9] = [
        "additionalProperties",
        "unevaluatedProperties",
        "patternProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "if",
        "$ref",
        "dependentSchemas",
    ];
    let Value::Object(members) = schema else {
        return false;
    };
    if depth > 2 * DEPTH {
        return false;
    }
    let is_object = members.get("type").and_then(Value::as_str) == Some("object");
    let names_all = members.contains_key("properties") || depth == 0;
    let mut any = false;
    if is_object && names_all && !ELSEWHERE.iter().any(|name| members.contains_key(*name)) {
        members.insert("additionalProperties".to_owned(), Value::from(false));
        any = true;
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        for property in properties.values_mut() {
            any |= close(property, depth + 1);
        }
    }
    if let Some(items) = members.get_mut("items") {
        any |= close(items, depth + 1);
    }
    any
}

/// The names of the arguments, with their types where these are plain.
fn simple(schema: &Value) -> Value {
    let declared = schema.get("properties").and_then(Value::as_object);
    let properties: Map<String, Value> = declared
        .into_iter()
        .flatten()
        .take(MEMBERS)
        .map(|(name, property)| {
            let plain = match property.get("type").and_then(Value::as_str) {
                Some(kind @ ("string" | "boolean" | "integer" | "number")) => json!({"type": kind}),
                _ => json!({}),
            };
            (name.clone(), plain)
        })
        .collect();
    let required = schema.get("required").and_then(Value::as_array);
    let required: Vec<&Value> = required
        .into_iter()
        .flatten()
        .filter(|name| {
            name.as_str()
                .is_some_and(|name| properties.contains_key(name))
        })
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}
