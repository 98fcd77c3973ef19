//! The part of JSON Schema that becomes a Cedar type, so that policies can speak of arguments.
//!
//! Cedar has strings, booleans, 64-bit integers, sets and records. What is none of these is left
//! out of the context, and the check of a bundle says so.

use std::collections::BTreeMap;

use countersign_core::json::pointer;
use serde_json::{Map, Value, json};

use crate::limits::ARGUMENT_TYPE_DEPTH;

/// A type that a policy can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArgType {
    String,
    Bool,
    Long,
    Set(Box<Self>),
    Record(BTreeMap<String, ArgMember>),
}

/// A member of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArgMember {
    pub(crate) kind: ArgType,
    pub(crate) required: bool,
}

/// A part of a schema that becomes no type: its JSON Pointer in the arguments, and why.
pub(crate) type LeftOut = (String, &'static str);

/// Why a number becomes no type.
pub(crate) const FRACTIONS: &str = "policies have no fractions";

/// The record type of a tool's arguments, and what it leaves out.
pub(crate) fn of_schema(schema: &Value) -> (BTreeMap<String, ArgMember>, Vec<LeftOut>) {
    let mut reader = SchemaReader {
        root: schema,
        left_out: Vec::new(),
    };
    let members = match resolve(schema, schema) {
        Some(root) => reader.record(root, "", 0),
        None => BTreeMap::new(),
    };
    (members, reader.left_out)
}

struct SchemaReader<'a> {
    root: &'a Value,
    left_out: Vec<LeftOut>,
}

impl SchemaReader<'_> {
    fn record(&mut self, schema: &Value, at: &str, depth: usize) -> BTreeMap<String, ArgMember> {
        let mut members = BTreeMap::new();
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return members;
        };
        for (name, property) in properties {
            let at = pointer::member(at, name);
            match self.kind(property, &at, depth + 1) {
                Ok((kind, nullable)) => {
                    let required = required.contains(&name.as_str()) && !nullable;
                    members.insert(name.clone(), ArgMember { kind, required });
                }
                Err(why) => self.left_out.push((at, why)),
            }
        }
        members
    }

    /// The type of a schema, and whether it also admits `null`.
    fn kind(
        &mut self,
        schema: &Value,
        at: &str,
        depth: usize,
    ) -> Result<(ArgType, bool), &'static str> {
        if depth > ARGUMENT_TYPE_DEPTH {
            return Err("it is nested too deeply, or within itself");
        }
        let schema = resolve(self.root, schema).ok_or("its reference leads nowhere")?;
        if let Some(members) = schema.as_object()
            && let Some((inner, nullable)) = only_alternative(members)?
        {
            let (kind, inner_nullable) = self.kind(inner, at, depth + 1)?;
            return Ok((kind, nullable || inner_nullable));
        }
        let (name, nullable) = type_of(schema)?;
        let kind = match name {
            "string" => ArgType::String,
            "boolean" => ArgType::Bool,
            "integer" => ArgType::Long,
            "array" => {
                let items = schema.get("items").ok_or("its items have no one type")?;
                if schema.get("prefixItems").is_some() {
                    return Err("its items have no one type");
                }
                match self.kind(items, at, depth + 1)? {
                    (_, true) => return Err("its items may be null"),
                    (kind, false) => ArgType::Set(Box::new(kind)),
                }
            }
            "object" if schema.get("properties").is_some() => {
                ArgType::Record(self.record(schema, at, depth))
            }
            "object" => return Err("its members are not declared"),
            "number" => return Err(FRACTIONS),
            _ => return Err("it has no one type"),
        };
        Ok((kind, nullable))
    }
}

/// Follows `$ref`s within the schema.
pub(super) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let mut current = schema;
    for _ in 0..=ARGUMENT_TYPE_DEPTH {
        match current.get("$ref").and_then(Value::as_str) {
            None => return Some(current),
            Some(reference) => {
                let pointer = reference.strip_prefix('#')?;
                current = root.pointer(pointer)?;
            }
        }
    }
    None
}

/// `anyOf` or `oneOf` of one schema and `null`, or `allOf` of one schema.
fn only_alternative(members: &Map<String, Value>) -> Result<Option<(&Value, bool)>, &'static str> {
    if members.contains_key("type") {
        return Ok(None);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let Some(options) = members.get(keyword).and_then(Value::as_array) else {
            continue;
        };
        let is_null = |option: &&Value| option.get("type").and_then(Value::as_str) == Some("null");
        let null = options.iter().any(|option| is_null(&option));
        let mut others = options.iter().filter(|option| !is_null(option));
        return match (others.next(), others.next()) {
            (Some(only), None) => Ok(Some((only, null))),
            _ => Err("it has no one type"),
        };
    }
    Ok(None)
}

fn type_of(schema: &Value) -> Result<(&str, bool), &'static str> {
    match schema.get("type") {
        Some(Value::String(name)) => Ok((name, false)),
        Some(Value::Array(names)) => {
            let mut others = names
                .iter()
                .filter_map(Value::as_str)
                .filter(|n| *n != "null");
            match (others.next(), others.next()) {
                (Some(only), None) => Ok((only, names.len() > 1)),
                _ => Err("it has no one type"),
            }
        }
        _ => {
            let of_strings = schema
                .get("enum")
                .and_then(Value::as_array)
                .is_some_and(|options| !options.is_empty() && options.iter().all(Value::is_string))
                || schema.get("const").is_some_and(Value::is_string);
            if of_strings {
                Ok(("string", false))
            } else {
                Err("it has no one type")
            }
        }
    }
}

/// What tools that share an action have in common: a member of the same type in all that have it.
/// Required is what all require. The names of those that differ come back too.
pub(crate) fn merge(
    tools: &[&BTreeMap<String, ArgMember>],
) -> (BTreeMap<String, ArgMember>, Vec<String>) {
    let mut merged: BTreeMap<String, ArgMember> = BTreeMap::new();
    let mut differing = Vec::new();
    for tool in tools {
        for (name, member) in *tool {
            match merged.get(name) {
                Some(other) if other.kind != member.kind => differing.push(name.clone()),
                Some(_) => {}
                None => {
                    merged.insert(name.clone(), member.clone());
                }
            }
        }
    }
    for name in &differing {
        merged.remove(name);
    }
    for (name, member) in &mut merged {
        member.required = tools
            .iter()
            .all(|tool| tool.get(name).is_some_and(|member| member.required));
    }
    differing.sort();
    differing.dedup();
    (merged, differing)
}

/// The type in the JSON form of a Cedar schema.
pub(crate) fn to_cedar(kind: &ArgType) -> Value {
    match kind {
        ArgType::String => json!({"type": "String"}),
        ArgType::Bool => json!({"type": "Boolean"}),
        ArgType::Long => json!({"type": "Long"}),
        ArgType::Set(item) => json!({"type": "Set", "element": to_cedar(item)}),
        ArgType::Record(members) => record_to_cedar(members),
    }
}

/// A record type in the JSON form of a Cedar schema.
pub(crate) fn record_to_cedar(members: &BTreeMap<String, ArgMember>) -> Value {
    let attributes: Map<String, Value> = members
        .iter()
        .map(|(name, member)| {
            let mut kind = to_cedar(&member.kind);
            if let Some(object) = kind.as_object_mut() {
                object.insert("required".to_owned(), Value::Bool(member.required));
            }
            (name.clone(), kind)
        })
        .collect();
    json!({"type": "Record", "attributes": attributes})
}

/// Whether a value is of the type, as Cedar would find of the same value.
pub(crate) fn fits(kind: &ArgType, value: &Value) -> bool {
    match (kind, value) {
        (ArgType::String, Value::String(_)) | (ArgType::Bool, Value::Bool(_)) => true,
        (ArgType::Long, Value::Number(number)) => number.is_i64(),
        (ArgType::Set(item), Value::Array(items)) => items.iter().all(|value| fits(item, value)),
        (ArgType::Record(members), Value::Object(given)) => {
            all_fit(members, given) && required_in(members, |name| given.contains_key(name))
        }
        _ => false,
    }
}

/// Whether each given member is declared and of its type.
pub(crate) fn all_fit(members: &BTreeMap<String, ArgMember>, given: &Map<String, Value>) -> bool {
    given.iter().all(|(name, value)| {
        let member = members.get(name);
        member.is_some_and(|member| fits(&member.kind, value))
    })
}

/// Whether each required member is there.
pub(crate) fn required_in(
    members: &BTreeMap<String, ArgMember>,
    is_there: impl Fn(&str) -> bool,
) -> bool {
    members
        .iter()
        .all(|(name, member)| !member.required || is_there(name))
}

/// The part of `args` that the type shows. A value that does not fit stays as it is, and so makes
/// the request unfit for its schema: it must not pass for absent.
pub(crate) fn visible(members: &BTreeMap<String, ArgMember>, args: &Value) -> Value {
    let Value::Object(given) = args else {
        return args.clone();
    };
    let mut out = Map::new();
    for (name, member) in members {
        match given.get(name) {
            None => {}
            // A member that may be null is optional, and null is its absence.
            Some(Value::Null) if !member.required => {}
            Some(value) => {
                out.insert(name.clone(), visible_value(&member.kind, value));
            }
        }
    }
    Value::Object(out)
}

fn visible_value(kind: &ArgType, value: &Value) -> Value {
    match (kind, value) {
        (ArgType::Set(item), Value::Array(items)) => items
            .iter()
            .map(|value| visible_value(item, value))
            .collect(),
        (ArgType::Record(members), Value::Object(_)) => visible(members, value),
        (ArgType::Long, Value::Number(number)) => long(number),
        _ => value.clone(),
    }
}

/// JSON Schema calls `5.0` an integer; Cedar does not know it.
fn long(number: &serde_json::Number) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.is_i64() {
        return Value::Number(number.clone());
    }
    match number.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an integer within the range in which doubles are exact"
        )]
        Some(double) if double.fract() == 0.0 && double.abs() <= EXACT => {
            Value::from(double as i64)
        }
        _ => Value::Number(number.clone()),
    }
}
