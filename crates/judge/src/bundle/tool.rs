//! One tool's manifest, compiled.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{Effect, TargetDeclaration, TargetType, ToolManifest};
use countersign_core::limits::{TARGETS, TOOL_NAME_BYTES};
use countersign_core::names::ActionName;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::argument_schema::{self, Step};
use super::arguments::{self, ArgMember};
use crate::finding::Finding;
use crate::limits::{TARGET_DECLARATIONS, TOOLS};
use crate::value::type_name;

/// One tool's manifest, compiled.
pub struct Tool {
    manifest: ToolManifest,
    /// The file, for findings.
    pub(crate) file: String,
    /// What policies see of the arguments.
    pub(crate) args: BTreeMap<String, ArgMember>,
    validator: jsonschema::Validator,
    targets: Vec<Place>,
}

/// Where a target stands in the arguments.
enum Place {
    Pointer,
    /// With its steps, if it has only names, indices and wildcards.
    Path(JsonPath, Option<Vec<Step>>),
}

/// A value at the place of a target declaration.
pub(crate) struct Found<'a> {
    pub(crate) declaration: &'a TargetDeclaration,
    /// The JSON Pointer of the value.
    pub(crate) at: String,
    pub(crate) value: &'a Value,
}

/// What stands at the places of all target declarations.
pub(crate) enum Targets<'a> {
    /// Every declaration that is not optional has a value; there are at most [`TARGETS`].
    Found(Vec<Found<'a>>),
    /// This declaration, which is not optional, has none.
    Missing(&'a TargetDeclaration),
    /// There are more than [`TARGETS`].
    TooMany,
}

impl Tool {
    /// The manifest.
    pub fn manifest(&self) -> &ToolManifest {
        &self.manifest
    }

    /// What a call of the tool does.
    pub fn action(&self) -> &ActionName {
        &self.manifest.action
    }

    /// Whether arguments fit the manifest's JSON Schema.
    pub fn accepts(&self, args: &Value) -> bool {
        self.validator.is_valid(args)
    }

    /// Why arguments do not fit the manifest's JSON Schema, for people: the first reason, with the
    /// JSON Pointer of the value. Not part of the facts: the wording is the validator's.
    pub fn schema_error(&self, args: &Value) -> Option<String> {
        let error = self.validator.validate(args).err()?;
        let at = error.instance_path().to_string();
        let at = if at.is_empty() { "the arguments" } else { &at };
        Some(
            format!("{at}: {}", error.masked())
                .chars()
                .take(300)
                .collect(),
        )
    }

    /// The values of all targets; those of arrays one by one, `null` counting as absent.
    pub(crate) fn targets<'a>(&'a self, args: &'a Value) -> Targets<'a> {
        let mut all = Vec::new();
        for (declaration, place) in self.manifest.targets.iter().zip(&self.targets) {
            let before = all.len();
            let mut take = |at: String, value: &'a Value| {
                if all.len() <= TARGETS {
                    all.push(Found {
                        declaration,
                        at,
                        value,
                    });
                }
            };
            match place {
                Place::Pointer => {
                    if let Some(value) = args.pointer(&declaration.at) {
                        spread(declaration.at.clone(), value, &mut take);
                    }
                }
                Place::Path(path, steps) => {
                    let mut whole = steps
                        .as_ref()
                        .is_none_or(|steps| argument_schema::is_everywhere(args, steps));
                    for node in path.query_located(args).iter() {
                        whole &= !is_nothing(node.node());
                        spread(node.location().to_json_pointer(), node.node(), &mut take);
                    }
                    if !whole && !declaration.optional {
                        return Targets::Missing(declaration);
                    }
                }
            }
            if all.len() > TARGETS {
                return Targets::TooMany;
            }
            if all.len() == before && !declaration.optional {
                return Targets::Missing(declaration);
            }
        }
        Targets::Found(all)
    }
}

/// An empty list names nobody, and `null` counts as absent.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn spread<'a>(at: String, value: &'a Value, take: &mut impl FnMut(String, &'a Value)) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate().take(TARGETS + 1) {
                take(format!("{at}/{n}"), item);
            }
        }
        value => take(at, value),
    }
}

/// Compiles all manifests.
pub(crate) fn compile_all(
    manifests: &[ToolManifest],
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Tool> {
    let mut out = BTreeMap::new();
    if manifests.len() > TOOLS {
        findings.push(Finding::error(
            "tools",
            format!("{} tools are more than {TOOLS}", manifests.len()),
        ));
        return out;
    }
    let mut kinds: BTreeMap<&str, TargetType> = BTreeMap::new();
    for manifest in manifests {
        let file = format!("tools/{}.json", manifest.tool);
        if out.contains_key(&manifest.tool) {
            let text = format!("the tool `{}` has two manifests", manifest.tool);
            findings.push(Finding::error(&file, text));
            continue;
        }
        for target in &manifest.targets {
            let first = *kinds.entry(&target.entity).or_insert(target.kind);
            if first != target.kind {
                findings.push(Finding::error(
                    &file,
                    format!(
                        "the entity type `{}` stands for values of type `{}` and of type `{}`",
                        target.entity,
                        type_name(first),
                        type_name(target.kind)
                    ),
                )
                .hint("the directory knows an entity under one form of its value; give each type an entity type of its own"));
            }
        }
        if let Some(tool) = compile(manifest, file, findings) {
            out.insert(manifest.tool.clone(), tool);
        }
    }
    out
}

fn compile(manifest: &ToolManifest, file: String, findings: &mut Vec<Finding>) -> Option<Tool> {
    let before = findings.len();
    let name = &manifest.tool;
    if name.is_empty() || name.len() > TOOL_NAME_BYTES || name.chars().any(char::is_control) {
        findings.push(Finding::error(
            &file,
            format!("a tool's name has 1 to {TOOL_NAME_BYTES} bytes and no control characters"),
        ));
    }
    if manifest.targets.len() > TARGET_DECLARATIONS {
        findings.push(Finding::error(
            &file,
            format!(
                "{} targets are more than {TARGET_DECLARATIONS}",
                manifest.targets.len()
            ),
        ));
    }
    let validator = argument_schema::compile(&manifest.arguments, &file, findings);
    if findings
        .get(before..)
        .is_none_or(|new| new.iter().any(|f| f.severity == crate::Severity::Error))
    {
        return None;
    }
    let mut seen = BTreeSet::new();
    let targets: Vec<Place> = manifest
        .targets
        .iter()
        .filter_map(|target| {
            if !seen.insert(&target.at) {
                let text = format!("the target `{}` is declared twice", target.at);
                findings.push(Finding::error(&file, text));
            }
            compile_target(target, &manifest.arguments, &file, findings)
        })
        .collect();
    let (args, left_out) = arguments::of_schema(&manifest.arguments);
    for (at, why) in left_out {
        findings.push(Finding::warning(
            &file,
            format!("policies cannot see the argument `{at}`: {why}"),
        ));
    }
    warn_of_unbounded(manifest, &file, findings);
    (targets.len() == manifest.targets.len()).then_some(Tool {
        manifest: manifest.clone(),
        file,
        args,
        validator: validator?,
        targets,
    })
}

/// What cannot be taken back deserves to be asked what its texts may hold: a line break in a subject
/// is a header of its own.
fn warn_of_unbounded(manifest: &ToolManifest, file: &str, findings: &mut Vec<Finding>) {
    if manifest.effect != Effect::Irreversible {
        return;
    }
    let targets: Vec<String> = manifest
        .targets
        .iter()
        .filter_map(|target| argument_schema::first_name(&target.at))
        .collect();
    let names: Vec<String> = argument_schema::unbounded_texts(&manifest.arguments)
        .filter(|name| !targets.iter().any(|target| target == name))
        .map(|name| format!("`{name}`"))
        .collect();
    if !names.is_empty() {
        let text = format!(
            "nothing bounds what the tool writes irreversibly: {}",
            names.join(", ")
        );
        findings.push(Finding::warning(file, text).hint(
            "give each a `pattern`, an `enum` or a `maxLength`; one that becomes a header, such as a subject, must refuse line breaks",
        ));
    }
}

fn compile_target(
    target: &TargetDeclaration,
    schema: &Value,
    file: &str,
    findings: &mut Vec<Finding>,
) -> Option<Place> {
    let at = &target.at;
    let place = if at.starts_with('/') {
        Place::Pointer
    } else if at.starts_with('$') {
        match JsonPath::parse(at) {
            Ok(path) => Place::Path(path, argument_schema::steps(at)),
            Err(error) => {
                let text = format!("the target `{at}` is no JSONPath: {error}");
                findings.push(Finding::error(file, text));
                return None;
            }
        }
    } else {
        findings.push(
            Finding::error(
                file,
                format!("the target `{at}` is no JSON Pointer and no JSONPath"),
            )
            .hint("a JSON Pointer begins with `/`, a JSONPath with `$`"),
        );
        return None;
    };
    match argument_schema::steps(at) {
        None => findings.push(Finding::warning(
            file,
            format!("whether the target `{at}` can exist cannot be told from the schema"),
        )),
        Some(steps) => {
            if let Err(problem) = argument_schema::can_hold(schema, &steps, target.kind) {
                findings.push(
                    Finding::error(file, format!("the target `{at}` {problem}"))
                        .hint("a target names an argument that the schema's `properties` declare"),
                );
                return None;
            }
        }
    }
    Some(place)
}
