//! What a call acts on: target declarations, compiled, and the values that stand at their places.

use std::collections::BTreeSet;

use countersign_core::document::TargetDeclaration;
use countersign_core::limits::TARGETS;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::argument_schema::{self, Step};
use super::nearest::nearest;
use super::schema_leaves;
use crate::finding::Finding;
use crate::limits::TARGET_DECLARATIONS;

/// The targets of one action of a tool, compiled.
pub(crate) struct TargetSet {
    declarations: Vec<TargetDeclaration>,
    places: Vec<Place>,
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

impl TargetSet {
    /// The values of all targets; those of arrays one by one, `null` counting as absent.
    pub(crate) fn find<'a>(&'a self, args: &'a Value) -> Targets<'a> {
        let mut all = Vec::new();
        for (declaration, place) in self.declarations.iter().zip(&self.places) {
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
pub(super) fn is_nothing(value: &Value) -> bool {
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

/// Compiles the targets of one action; `None` if one of them cannot be used.
pub(super) fn compile(
    declarations: &[TargetDeclaration],
    schema: &Value,
    file: &str,
    findings: &mut Vec<Finding>,
) -> Option<TargetSet> {
    if declarations.len() > TARGET_DECLARATIONS {
        let text = format!(
            "{} targets are more than {TARGET_DECLARATIONS}",
            declarations.len()
        );
        findings.push(Finding::error(file, text));
        return None;
    }
    let mut seen = BTreeSet::new();
    let places: Vec<Place> = declarations
        .iter()
        .filter_map(|target| {
            if !seen.insert(&target.at) {
                let text = format!("the target `{}` is declared twice", target.at);
                findings.push(Finding::error(file, text));
            }
            compile_target(target, schema, file, findings)
        })
        .collect();
    (places.len() == declarations.len()).then(|| TargetSet {
        declarations: declarations.to_vec(),
        places,
    })
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
                let known = schema_leaves::pointers(schema);
                let hint = match nearest(at, known.iter().map(String::as_str)) {
                    Some(name) if name != at => format!("did you mean `{name}`?"),
                    _ => "a target names an argument that the schema's `properties` declare".into(),
                };
                findings
                    .push(Finding::error(file, format!("the target `{at}` {problem}")).hint(hint));
                return None;
            }
            if argument_schema::picks_one_of_many(schema, &steps) {
                let text = format!(
                    "the target `{at}` is one item of a list, and the others are no target"
                );
                findings.push(
                    Finding::warning(file, text)
                        .hint("name the whole list, or bound it by `maxItems` in the schema"),
                );
            }
        }
    }
    Some(place)
}
