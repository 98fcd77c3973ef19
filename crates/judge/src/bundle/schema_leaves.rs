//! The arguments that a schema declares, by their JSON Pointers. Below an array, a pointer goes on
//! without an index.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use countersign_core::json::pointer::push_member;
use serde_json::Value;

use super::argument_schema::Step;
use super::arguments::resolve;
use super::open_objects::{branches, list};
use crate::limits::{ARGUMENT_TYPE_DEPTH, DECLARED_ARGUMENTS};

/// A declared argument.
pub(super) struct Declared {
    /// The names that lead to it.
    pub(super) path: Vec<String>,
    /// Whether the schema declares nothing below it.
    pub(super) is_leaf: bool,
}

/// All declared arguments, at most [`DECLARED_ARGUMENTS`] of them, parents first.
pub(super) fn declared(schema: &Value) -> Vec<Declared> {
    let mut out = Vec::new();
    below(schema, &[schema], &mut Vec::new(), &mut out);
    out
}

/// The pointers of all declared arguments.
pub(super) fn pointers(schema: &Value) -> BTreeSet<String> {
    declared(schema)
        .iter()
        .map(|argument| pointer(&argument.path))
        .collect()
}

/// Names as a JSON Pointer.
pub(super) fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |mut at, name| {
        push_member(&mut at, name);
        at
    })
}

fn below<'a>(root: &'a Value, here: &[&'a Value], at: &mut Vec<String>, out: &mut Vec<Declared>) {
    for (name, schemas) in members(root, here) {
        if out.len() >= DECLARED_ARGUMENTS {
            return;
        }
        at.push(name.to_owned());
        let is_leaf = at.len() >= ARGUMENT_TYPE_DEPTH || members(root, &schemas).is_empty();
        out.push(Declared {
            path: at.clone(),
            is_leaf,
        });
        if !is_leaf {
            below(root, &schemas, at, out);
        }
        at.pop();
    }
}

/// The members that are declared of a value, or of the items of a list, to which all of these
/// schemas may apply.
fn members<'a>(root: &'a Value, here: &[&'a Value]) -> BTreeMap<&'a str, Vec<&'a Value>> {
    let mut out: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut open = here.to_vec();
    let mut done: HashSet<*const Value> = HashSet::new();
    while let Some(schema) = open.pop() {
        let Some(schema) = resolve(root, schema) else {
            continue;
        };
        if !done.insert(std::ptr::from_ref(schema)) {
            continue;
        }
        open.extend(branches(schema));
        open.extend(schema.get("items"));
        open.extend(list(schema, "prefixItems"));
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            out.entry(name).or_default().push(property);
        }
    }
    out
}

/// The names of declared arguments that the steps can lead to. A wildcard is an item, which has no
/// name, or each declared member.
pub(super) fn along(schema: &Value, steps: &[Step]) -> BTreeSet<Vec<String>> {
    let mut ways = vec![(Vec::new(), vec![schema])];
    for step in steps {
        let mut next = Vec::new();
        for (path, here) in ways {
            if next.len() >= DECLARED_ARGUMENTS {
                break;
            }
            let declared = members(schema, &here);
            let mut enter = |name: &str, schemas: Vec<_>| {
                let mut path: Vec<String> = path.clone();
                path.push(name.to_owned());
                next.push((path, schemas));
            };
            match step {
                Step::Name(name) => match declared.get(name.as_str()) {
                    Some(schemas) => enter(name, schemas.clone()),
                    // Of an array, a pointer's digits are an index.
                    None if name.bytes().all(|b| b.is_ascii_digit()) => next.push((path, here)),
                    None => {}
                },
                Step::Index(_) => next.push((path, here)),
                Step::Every => {
                    if here.iter().any(|here| is_list(schema, here)) || declared.is_empty() {
                        next.push((path, here));
                    } else {
                        declared
                            .into_iter()
                            .for_each(|(name, schemas)| enter(name, schemas));
                    }
                }
            }
        }
        ways = next;
    }
    ways.into_iter().map(|(path, _)| path).collect()
}

fn is_list(root: &Value, schema: &Value) -> bool {
    let holds_items =
        |schema: &Value| resolve(root, schema).is_some_and(|schema| schema.get("items").is_some());
    holds_items(schema)
        || resolve(root, schema).is_some_and(|schema| branches(schema).any(holds_items))
}
