//! Objects whose schema admits members that it does not declare: a tool may act on what no policy
//! was shown.

use std::collections::{BTreeSet, HashSet};

use countersign_core::json::pointer;
use serde_json::{Value, json};

use super::arguments::resolve;

/// The places of all open objects, as JSON Pointers with `*` for any item or member.
pub(super) fn open_objects(schema: &Value) -> BTreeSet<String> {
    let mut walk = Walk {
        root: schema,
        done: HashSet::new(),
        found: BTreeSet::new(),
    };
    walk.visit(schema, "", false);
    walk.found
}

struct Walk<'a> {
    root: &'a Value,
    done: HashSet<(*const Value, bool)>,
    found: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    /// `closed` says whether another schema of the same value admits no more than it declares.
    fn visit(&mut self, schema: &'a Value, at: &str, closed: bool) {
        let Some(schema) = resolve(self.root, schema) else {
            return;
        };
        if !self.done.insert((std::ptr::from_ref(schema), closed)) {
            return;
        }
        let closed = closed || is_closed(self.root, schema, 0);
        if is_object(schema) && !closed {
            self.found.insert(at.to_owned());
        }
        for branch in branches(schema) {
            self.visit(branch, at, closed);
        }
        for (name, property) in members(schema, "properties") {
            self.visit(property, &pointer::member(at, name), false);
        }
        let any = format!("{at}/*");
        for (_, property) in members(schema, "patternProperties") {
            self.visit(property, &any, false);
        }
        for keyword in ["items", "additionalProperties", "unevaluatedProperties"] {
            if let Some(inner) = schema.get(keyword) {
                self.visit(inner, &any, false);
            }
        }
        for inner in list(schema, "prefixItems") {
            self.visit(inner, &any, false);
        }
    }
}

/// Schemas that are applied to the same value.
pub(super) fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["allOf", "anyOf", "oneOf"]
        .into_iter()
        .flat_map(|keyword| list(schema, keyword));
    let single = ["if", "then", "else"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword));
    let dependent = members(schema, "dependentSchemas").map(|(_, schema)| schema);
    lists.chain(single).chain(dependent)
}

/// Whether an object of this schema has only members that it declares.
fn is_closed(root: &Value, schema: &Value, depth: usize) -> bool {
    const DEPTH: usize = 16;
    let Some(schema) = resolve(root, schema).filter(|_| depth < DEPTH) else {
        return false;
    };
    let shut = |keyword: &str| {
        schema
            .get(keyword)
            .is_some_and(|inner| inner == &json!(false) || inner == &json!({"not": {}}))
    };
    let patterns = members(schema, "patternProperties").next().is_some();
    if (shut("additionalProperties") || shut("unevaluatedProperties")) && !patterns {
        return true;
    }
    let branch = |inner: &Value| is_closed(root, inner, depth + 1);
    // Of alternatives, those that are no objects admit no members.
    let all = |keyword: &str| {
        let mut objects = list(schema, keyword)
            .filter_map(|inner| resolve(root, inner))
            .filter(|inner| !is_scalar(inner))
            .peekable();
        objects.peek().is_some() && objects.all(branch)
    };
    list(schema, "allOf").any(branch) || all("anyOf") || all("oneOf")
}

fn is_object(schema: &Value) -> bool {
    schema.get("properties").is_some() || types(schema).any(|name| name == "object")
}

fn is_scalar(schema: &Value) -> bool {
    let mut types = types(schema).peekable();
    types.peek().is_some() && types.all(|name| name != "object")
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let kind = schema.get("type");
    let several = kind.and_then(Value::as_array).into_iter().flatten();
    kind.into_iter().chain(several).filter_map(Value::as_str)
}

pub(super) fn list<'a>(
    schema: &'a Value,
    keyword: &str,
) -> impl Iterator<Item = &'a Value> + use<'a> {
    let items = schema.get(keyword).and_then(Value::as_array);
    items.into_iter().flatten()
}

fn members<'a>(
    schema: &'a Value,
    keyword: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    let members = schema.get(keyword).and_then(Value::as_object);
    members.into_iter().flatten()
}
