//! The Cedar schema of a bundle: generated from its manifests, joined with its author's fragment.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{EntityTypeName, Schema, SchemaFragment};
use serde_json::{Map, Value, json};

use super::actions::ActionShape;
use super::arguments::record_to_cedar;
use super::{diagnostic, directory};
use crate::finding::Finding;

/// The file of the author's fragment.
pub(crate) const FRAGMENT_FILE: &str = "schema.cedarschema";
/// The entity type of those who make calls.
pub(crate) const ACTOR: &str = "Actor";
/// The entity type that stands for a call without targets.
pub(crate) const CALL: &str = "Call";
/// The action groups, one for each effect.
pub(crate) const GROUPS: [&str; 3] = ["reads", "writes", "irreversible"];

/// The joined schema.
pub(crate) struct BundleSchema {
    pub(crate) schema: Schema,
    pub(crate) text: String,
    /// The attributes that each entity type declares, with their types as people say them.
    pub(crate) attributes: Attributes,
    /// The entity types that the directory can hold: the author's and those of targets.
    pub(crate) types: BTreeSet<String>,
    /// Those whose only ids the author lists.
    pub(crate) listed: BTreeSet<String>,
}

/// What the author's fragment declares.
#[derive(Default)]
struct Declared {
    attributes: Attributes,
    listed: BTreeSet<String>,
}

/// Attributes with their types, by entity type.
type Attributes = BTreeMap<String, BTreeMap<String, String>>;

/// Generates and joins; `None` if an error was found.
pub(crate) fn build(
    fragment: &str,
    actions: &BTreeMap<String, ActionShape>,
    extractor: u32,
    findings: &mut Vec<Finding>,
) -> Option<BundleSchema> {
    let before = findings.len();
    let Declared { attributes, listed } = read_fragment(fragment, findings)?;
    let mut generated_types: BTreeSet<&str> = BTreeSet::from([ACTOR, CALL]);
    for kind in actions.values().flat_map(|action| &action.entities) {
        if kind.parse::<EntityTypeName>().is_err() || [ACTOR, "Action"].contains(&kind.as_str()) {
            findings.push(Finding::error(
                "tools",
                format!("`{kind}` cannot be the entity type of a target"),
            ));
        } else if !attributes.contains_key(kind) {
            if kind.contains("::") {
                findings.push(
                    Finding::error(
                        "tools",
                        format!("nothing declares the entity type `{kind}`"),
                    )
                    .hint(format!("declare it in {FRAGMENT_FILE}")),
                );
            } else {
                generated_types.insert(kind);
            }
        }
    }
    if findings.len() > before {
        return None;
    }
    let generated = generate(&generated_types, actions, extractor);
    let built = SchemaFragment::from_json_value(generated)
        .map_err(|e| diagnostic::finding("tools", None, &e))
        .and_then(|generated| join(fragment, generated));
    match built {
        Ok((schema, text)) => Some(BundleSchema {
            schema,
            text,
            types: attributes
                .keys()
                .map(String::as_str)
                .chain(generated_types)
                .filter(|name| ![ACTOR, CALL].contains(name))
                .map(str::to_owned)
                .collect(),
            attributes,
            listed,
        }),
        Err(finding) => {
            findings.push(finding);
            None
        }
    }
}

fn join(fragment: &str, generated: SchemaFragment) -> Result<(Schema, String), Finding> {
    let mut text = generated
        .to_cedarschema()
        .map_err(|e| diagnostic::finding("tools", None, &e))?;
    let mut fragments = vec![generated];
    if !fragment.trim().is_empty() {
        let (own, _) = SchemaFragment::from_cedarschema_str(fragment)
            .map_err(|e| diagnostic::finding(FRAGMENT_FILE, Some(fragment), &e))?;
        fragments.push(own);
        text = format!("{}\n\n{text}", fragment.trim_end());
    }
    let schema = Schema::from_schema_fragments(fragments)
        .map_err(|e| diagnostic::finding(FRAGMENT_FILE, Some(fragment), &e))?;
    Ok((schema, text))
}

/// The attributes of each entity type that the author declares.
fn read_fragment(fragment: &str, findings: &mut Vec<Finding>) -> Option<Declared> {
    if fragment.trim().is_empty() {
        return Some(Declared::default());
    }
    let (json, warnings) = match cedar_policy::schema_str_to_json_with_resolved_types(fragment) {
        Ok(read) => read,
        Err(error) => {
            findings.push(diagnostic::finding(FRAGMENT_FILE, Some(fragment), &error));
            return None;
        }
    };
    for warning in warnings {
        findings.push(diagnostic::warning(FRAGMENT_FILE, Some(fragment), &warning));
    }
    let before = findings.len();
    let mut out = Declared::default();
    for (namespace, content) in json.as_object().into_iter().flatten() {
        let members = |name: &str| content.get(name).and_then(Value::as_object);
        if let Some((action, _)) = members("actions").and_then(|actions| actions.iter().next()) {
            findings.push(
                Finding::error(
                    FRAGMENT_FILE,
                    format!("the schema declares the action `{action}`"),
                )
                .at(fragment, fragment.find("action").unwrap_or(0))
                .hint("actions come from the manifests of the tools"),
            );
        }
        for (name, kind) in members("entityTypes").into_iter().flatten() {
            let full = if namespace.is_empty() {
                name.clone()
            } else {
                format!("{namespace}::{name}")
            };
            let attributes = entity_attributes(&full, kind, &json, fragment, findings);
            if kind.get("enum").is_some() {
                out.listed.insert(full.clone());
            }
            out.attributes.insert(full, attributes);
        }
    }
    let errors = findings
        .get(before..)
        .is_some_and(|new| new.iter().any(|f| f.severity == crate::Severity::Error));
    (!errors).then_some(out)
}

/// The attributes of one declared type; each must be optional.
fn entity_attributes(
    name: &str,
    kind: &Value,
    schema: &Value,
    fragment: &str,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, String> {
    let place = fragment
        .find(&format!(
            "entity {}",
            name.rsplit("::").next().unwrap_or(name)
        ))
        .unwrap_or(0);
    if [ACTOR, CALL].contains(&name) {
        findings.push(
            Finding::error(
                FRAGMENT_FILE,
                format!("the entity type `{name}` is built in"),
            )
            .at(fragment, place),
        );
    }
    if kind.get("tags").is_some() || kind.get("memberOfTypes").is_some_and(|m| m != &json!([])) {
        findings.push(
            Finding::warning(
                FRAGMENT_FILE,
                format!("`{name}` has tags or parents, which the directory cannot give"),
            )
            .at(fragment, place),
        );
    }
    let shape = kind.get("shape").map(|shape| follow(shape, schema));
    let mut names = BTreeMap::new();
    let declared = shape
        .and_then(|shape| shape.get("attributes"))
        .and_then(Value::as_object);
    for (attribute, of) in declared.into_iter().flatten() {
        if of.get("required").and_then(Value::as_bool).unwrap_or(true) {
            let at = fragment
                .get(place..)
                .and_then(|rest| rest.find(attribute.as_str()))
                .map_or(place, |found| place + found);
            findings.push(
                Finding::error(
                    FRAGMENT_FILE,
                    format!("the attribute `{attribute}` of `{name}` must be optional"),
                )
                .at(fragment, at)
                .hint(format!(
                    "write `{attribute}?`: a target that the directory does not know has no attributes"
                )),
            );
        }
        let kind = directory::describe(follow(of, schema));
        names.insert(attribute.clone(), kind);
    }
    names
}

/// Follows the names of common types.
fn follow<'a>(shape: &'a Value, schema: &'a Value) -> &'a Value {
    let mut current = shape;
    for _ in 0..16 {
        let Some(name) = current.get("type").and_then(Value::as_str) else {
            break;
        };
        let (namespace, base) = name.rsplit_once("::").unwrap_or(("", name));
        let common = schema
            .get(namespace)
            .and_then(|content| content.get("commonTypes"))
            .and_then(|types| types.get(base));
        match common {
            Some(next) => current = next,
            None => break,
        }
    }
    current
}

fn generate(
    types: &BTreeSet<&str>,
    actions: &BTreeMap<String, ActionShape>,
    extractor: u32,
) -> Value {
    let entity_types: Map<String, Value> = types
        .iter()
        .map(|name| ((*name).to_owned(), json!({})))
        .collect();
    let mut declared: Map<String, Value> = GROUPS
        .iter()
        .map(|group| ((*group).to_owned(), json!({})))
        .collect();
    for (name, action) in actions {
        let resources: Vec<&str> = action.resources().collect();
        let groups: Vec<Value> = action.group.iter().map(|g| json!({"id": g})).collect();
        declared.insert(
            name.clone(),
            json!({
                "memberOf": groups,
                "appliesTo": {
                    "principalTypes": [ACTOR],
                    "resourceTypes": resources,
                    "context": record_to_cedar(&action.context(extractor)),
                },
            }),
        );
    }
    json!({"": {"entityTypes": entity_types, "actions": declared}})
}
