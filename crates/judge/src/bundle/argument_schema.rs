//! The JSON Schema (2020-12) of a tool's arguments: compiled without any retrieval, and asked
//! whether a target can stand where its declaration says.

use std::collections::HashSet;

use countersign_core::document::TargetType;
use countersign_core::json::pointer::name_of;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::arguments::resolve;
use super::open_objects::open_objects;
use crate::finding::Finding;

/// Most bytes of one compiled pattern.
const PATTERN_BYTES: usize = 1024 * 1024;

/// The one dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Compiles the schema, or says why it cannot.
pub(super) fn compile(
    schema: &Value,
    file: &str,
    findings: &mut Vec<Finding>,
) -> Option<Validator> {
    let mut error = |text: String| findings.push(Finding::error(file, text));
    let mut reader = References {
        root: schema,
        problem: None,
        done: HashSet::new(),
        open: HashSet::new(),
    };
    reader.walk(schema);
    if let Some(problem) = reader.problem {
        error(problem);
        return None;
    }
    let root = resolve(schema, schema).unwrap_or(schema);
    if root.get("type").and_then(Value::as_str) != Some("object") {
        error("the schema of the arguments must have the type `object`".to_owned());
        return None;
    }
    let built = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
        .build(schema);
    match built {
        Err(problem) => {
            let text: String = problem.to_string().chars().take(400).collect();
            error(format!(
                "the schema of the arguments is no JSON Schema: {text}"
            ));
            None
        }
        Ok(validator) => {
            if let Some(dialect) = schema.get("$schema").and_then(Value::as_str)
                && dialect.trim_end_matches('#') != DIALECT
            {
                findings.push(Finding::warning(
                    file,
                    format!("the schema states the dialect `{dialect}`; it is read as 2020-12"),
                ));
            }
            for at in open_objects(schema) {
                let text = if at.is_empty() {
                    "the schema admits arguments that it does not declare".to_owned()
                } else {
                    format!("the schema admits members of `{at}` that it does not declare")
                };
                findings.push(
                    Finding::warning(file, text)
                        .hint("`\"additionalProperties\": false` closes it"),
                );
            }
            Some(validator)
        }
    }
}

/// Looks at every reference: each must lead to a place within the schema, and none may lead a
/// value back to where it already is, which a validator would follow without end.
struct References<'a> {
    root: &'a Value,
    problem: Option<String>,
    done: HashSet<*const Value>,
    open: HashSet<*const Value>,
}

impl<'a> References<'a> {
    fn walk(&mut self, schema: &'a Value) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Object(members) => {
                self.in_place(schema);
                for (name, member) in members {
                    if !matches!(name.as_str(), "const" | "enum" | "default" | "examples") {
                        self.walk(member);
                    }
                }
            }
            _ => {}
        }
    }

    /// Visits a schema and all that are applied to the same value.
    fn in_place(&mut self, schema: &'a Value) {
        let Some(members) = schema.as_object() else {
            return;
        };
        if self.problem.is_some() || self.done.contains(&std::ptr::from_ref(schema)) {
            return;
        }
        if !self.open.insert(std::ptr::from_ref(schema)) {
            self.problem = Some("the schema of the arguments refers to itself without end".into());
            return;
        }
        for (name, member) in members {
            match (name.as_str(), member) {
                ("$ref", Value::String(reference)) => self.reference(reference),
                ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                    self.problem = Some(format!("the schema of the arguments uses `{name}`"));
                }
                ("allOf" | "anyOf" | "oneOf", Value::Array(options)) => {
                    options.iter().for_each(|option| self.in_place(option));
                }
                ("not" | "if" | "then" | "else", inner) => self.in_place(inner),
                ("dependentSchemas", Value::Object(schemas)) => {
                    schemas.values().for_each(|inner| self.in_place(inner));
                }
                _ => {}
            }
        }
        self.open.remove(&std::ptr::from_ref(schema));
        self.done.insert(std::ptr::from_ref(schema));
    }

    fn reference(&mut self, reference: &str) {
        let shown: String = reference.chars().take(200).collect();
        match reference.strip_prefix('#') {
            Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => {
                match self.root.pointer(pointer) {
                    Some(target) => self.in_place(target),
                    None => self.problem = Some(format!("the reference `{shown}` leads nowhere")),
                }
            }
            _ => {
                self.problem = Some(format!(
                    "the reference `{shown}` leads outside of the schema; nothing is fetched"
                ));
            }
        }
    }
}

/// One step into the arguments.
pub(super) enum Step {
    Name(String),
    /// One item of an array.
    Index(usize),
    /// Any item or member.
    Every,
}

/// The steps of a JSON Pointer, or of a JSONPath of names, indices and wildcards.
pub(super) fn steps(at: &str) -> Option<Vec<Step>> {
    if let Some(rest) = at.strip_prefix('/') {
        return Some(
            rest.split('/')
                .map(|token| Step::Name(name_of(token)))
                .collect(),
        );
    }
    let mut rest = at.strip_prefix('$')?;
    let mut out = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[*]").or_else(|| rest.strip_prefix(".*")) {
            out.push(Step::Every);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at_checked(end)?;
            if name.is_empty() {
                return None;
            }
            out.push(Step::Name(name.to_owned()));
            rest = after;
        } else {
            let (inner, after) = rest.strip_prefix('[')?.split_once(']')?;
            let name = inner
                .strip_prefix('\'')
                .and_then(|inner| inner.strip_suffix('\''))
                .or_else(|| inner.strip_prefix('"').and_then(|i| i.strip_suffix('"')));
            match name {
                Some(name) if !name.contains(['\\', '\'', '"']) => {
                    out.push(Step::Name(name.to_owned()));
                }
                None if !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit()) => {
                    out.push(Step::Index(inner.parse().ok()?));
                }
                _ => return None,
            }
            rest = after;
        }
    }
    Some(out)
}

/// The argument that a target is, or is a part of.
pub(super) fn first_name(at: &str) -> Option<String> {
    match steps(at)?.into_iter().next()? {
        Step::Name(name) => Some(name),
        Step::Index(_) | Step::Every => None,
    }
}

/// Texts among the arguments of which the schema says neither length nor form.
pub(super) fn unbounded_texts(schema: &Value) -> impl Iterator<Item = &str> {
    const BOUNDS: [&str; 5] = ["maxLength", "pattern", "format", "enum", "const"];
    resolve(schema, schema)
        .and_then(|root| root.get("properties"))
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, property)| {
            resolve(schema, property).is_some_and(|property| {
                let mut types = Vec::new();
                leaf_types(property, &mut types);
                types.contains(&"string") && BOUNDS.iter().all(|b| property.get(*b).is_none())
            })
        })
        .map(|(name, _)| name.as_str())
}

/// Whether something stands at the end of every way that the steps can take through `value`: no
/// element is without it, no list on the way is empty, nothing is `null`.
pub(super) fn is_everywhere(value: &Value, steps: &[Step]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
    };
    match (step, value) {
        (Step::Name(name), Value::Object(members)) => members
            .get(name)
            .is_some_and(|inner| is_everywhere(inner, rest)),
        (Step::Index(n), Value::Array(items)) => items
            .get(*n)
            .is_some_and(|inner| is_everywhere(inner, rest)),
        (Step::Every, Value::Array(items)) => {
            !items.is_empty() && items.iter().all(|inner| is_everywhere(inner, rest))
        }
        (Step::Every, Value::Object(members)) => {
            !members.is_empty() && members.values().all(|inner| is_everywhere(inner, rest))
        }
        _ => false,
    }
}

/// Whether the schema declares something behind these steps.
pub(super) fn exists(schema: &Value, steps: &[Step]) -> bool {
    let mut reached = Vec::new();
    reach(schema, schema, steps, 0, &mut reached);
    !reached.is_empty()
}

/// Whether the steps pick one item of a list that the schema does not bound.
pub(super) fn picks_one_of_many(schema: &Value, steps: &[Step]) -> bool {
    steps.iter().enumerate().any(|(n, step)| {
        let is_index = match step {
            Step::Index(_) => true,
            Step::Name(name) => name.bytes().all(|b| b.is_ascii_digit()),
            Step::Every => false,
        };
        let mut lists = Vec::new();
        if let Some(before) = steps.get(..n).filter(|_| is_index) {
            reach(schema, schema, before, 0, &mut lists);
        }
        let is_open = |list: &Value| list.get("items").is_some() && list.get("maxItems").is_none();
        lists.into_iter().any(is_open)
    })
}

/// What the steps overlook: a type that the schema admits on their way, and that the next step does
/// not enter.
pub(super) fn overlooked<'a>(schema: &'a Value, steps: &[Step]) -> Option<&'a str> {
    steps.iter().enumerate().find_map(|(n, step)| {
        let mut reached = Vec::new();
        reach(schema, schema, steps.get(..n)?, 0, &mut reached);
        let mut types = Vec::new();
        for schema in reached {
            leaf_types(schema, &mut types);
        }
        let enters = |kind: &str| match step {
            Step::Name(_) => kind == "object",
            Step::Index(_) => kind == "array",
            Step::Every => kind == "array" || kind == "object",
        };
        types
            .into_iter()
            .find(|kind| *kind != "null" && !enters(kind))
    })
}

/// Whether a target of this type can stand there.
pub(super) fn can_hold(
    schema: &Value,
    steps: &[Step],
    kind: TargetType,
) -> Result<(), &'static str> {
    let mut reached = Vec::new();
    reach(schema, schema, steps, 0, &mut reached);
    if reached.is_empty() {
        return Err("names no argument of the schema");
    }
    let fits = |schema: &Value| {
        let mut leaves = Vec::new();
        leaf_types(schema, &mut leaves);
        leaves.is_empty()
            || leaves
                .iter()
                .any(|leaf| *leaf == "string" || (*leaf == "integer" && kind == TargetType::Id))
    };
    let mut items = Vec::new();
    for schema_there in &reached {
        reach(schema, schema_there, &[Step::Every], 0, &mut items);
    }
    let is_list = |s: &Value| s.get("type").and_then(Value::as_str) == Some("array");
    if reached.iter().any(|s| !is_list(s) && fits(s)) || items.iter().any(|item| fits(item)) {
        return Ok(());
    }
    Err("is no text by its schema")
}

/// The schemas that a value behind these steps may have to fit.
fn reach<'a>(
    root: &'a Value,
    schema: &'a Value,
    steps: &[Step],
    depth: usize,
    out: &mut Vec<&'a Value>,
) {
    const DEPTH: usize = 32;
    const WIDTH: usize = 1024;
    if depth > DEPTH || out.len() > WIDTH {
        return;
    }
    let Some(schema) = resolve(root, schema) else {
        return;
    };
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for option in schema
            .get(keyword)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            reach(root, option, steps, depth + 1, out);
        }
    }
    match steps.split_first() {
        None => {
            if schema.get("anyOf").is_none() && schema.get("oneOf").is_none() {
                out.push(schema);
            }
        }
        Some((Step::Name(name), rest)) => {
            if let Some(next) = schema.get("properties").and_then(|p| p.get(name)) {
                reach(root, next, rest, depth + 1, out);
            } else if name.bytes().all(|b| b.is_ascii_digit())
                && let Some(items) = schema.get("items")
            {
                reach(root, items, rest, depth + 1, out);
            }
        }
        Some((Step::Index(_), rest)) => {
            if let Some(items) = schema.get("items") {
                reach(root, items, rest, depth + 1, out);
            }
        }
        Some((Step::Every, rest)) => {
            if let Some(items) = schema.get("items") {
                reach(root, items, rest, depth + 1, out);
            }
            let properties = schema.get("properties").and_then(Value::as_object);
            for next in properties.into_iter().flat_map(|p| p.values()) {
                reach(root, next, rest, depth + 1, out);
            }
        }
    }
}

/// The types that a schema names at its root.
fn leaf_types<'a>(schema: &'a Value, out: &mut Vec<&'a str>) {
    match schema.get("type") {
        Some(Value::String(name)) => out.push(name),
        Some(Value::Array(names)) => out.extend(names.iter().filter_map(Value::as_str)),
        _ => {}
    }
}
