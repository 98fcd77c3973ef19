//! What each argument of a tool is for.

use std::collections::BTreeMap;

use countersign_core::document::{ArgumentRole, ToolManifest};
use serde_json::Value;

use super::nearest::nearest;
use super::schema_leaves::{self, Declared, pointer};
use super::{argument_schema, arguments};
use crate::finding::Finding;

/// The roles of a tool's arguments. A role holds for everything below, unless something below has
/// a role of its own.
#[derive(Default)]
pub(crate) struct Roles {
    root: Node,
}

#[derive(Default)]
struct Node {
    role: Option<ArgumentRole>,
    members: BTreeMap<String, Self>,
}

/// A place in the arguments, with its role.
#[derive(Clone, Copy)]
pub(crate) struct RoleAt<'a> {
    node: Option<&'a Node>,
    role: Option<ArgumentRole>,
}

impl<'a> RoleAt<'a> {
    /// What stands here is for; none where the manifest does not say.
    pub(crate) fn role(self) -> Option<ArgumentRole> {
        self.role
    }

    /// Whether the manifest names what stands here.
    pub(crate) fn is_declared(self) -> bool {
        self.node.is_some()
    }

    /// A member of the object that stands here. The items of a list are at the list's place.
    pub(crate) fn member(self, name: &str) -> Self {
        let node = self.node.and_then(|node| node.members.get(name));
        Self {
            node,
            role: node.and_then(|node| node.role).or(self.role),
        }
    }
}

impl Roles {
    /// The place of the arguments as a whole.
    pub(crate) fn root(&self) -> RoleAt<'_> {
        RoleAt {
            node: Some(&self.root),
            role: None,
        }
    }

    /// The arguments whose values have sources: those that are, or hold, something of a role other
    /// than text.
    pub(super) fn sourced(&self) -> impl Iterator<Item = &str> {
        let members = self.root.members.iter();
        members
            .filter(|(_, node)| node.is_sourced())
            .map(|(name, _)| name.as_str())
    }

    /// The arguments that are, or hold, something of this role.
    pub(super) fn top(&self, role: ArgumentRole) -> impl Iterator<Item = &str> {
        let members = self.root.members.iter();
        members
            .filter(move |(_, node)| node.holds(role))
            .map(|(name, _)| name.as_str())
    }

    fn at(&self, path: &[String]) -> Option<ArgumentRole> {
        path.iter()
            .fold(self.root(), |at, name| at.member(name))
            .role()
    }

    fn own(&self, path: &[String]) -> Option<ArgumentRole> {
        let mut node = &self.root;
        for name in path {
            node = node.members.get(name)?;
        }
        node.role
    }

    fn set(&mut self, path: Vec<String>, role: ArgumentRole) {
        self.declare(path).role = Some(role);
    }

    fn declare(&mut self, path: Vec<String>) -> &mut Node {
        let mut node = &mut self.root;
        for name in path {
            node = node.members.entry(name).or_default();
        }
        node
    }
}

impl Node {
    fn holds(&self, role: ArgumentRole) -> bool {
        self.role == Some(role) || self.members.values().any(|node| node.holds(role))
    }

    fn is_sourced(&self) -> bool {
        self.role.is_some_and(|role| role != ArgumentRole::Text)
            || self.members.values().any(Self::is_sourced)
    }
}

/// Whether the schema says that this argument of the tool is always there, and not `null`.
pub(super) fn is_always_there(schema: &Value, name: &str) -> bool {
    let Some(root) = arguments::resolve(schema, schema) else {
        return false;
    };
    let required = root.get("required").and_then(Value::as_array);
    let property = root.get("properties").and_then(|p| p.get(name));
    required.is_some_and(|names| names.iter().any(|n| n == name))
        && property
            .and_then(|property| arguments::resolve(schema, property))
            .and_then(|property| property.get("type"))
            .is_some_and(|kind| match kind {
                Value::String(kind) => kind != "null",
                Value::Array(kinds) => !kinds.iter().any(|kind| kind == "null"),
                _ => false,
            })
}

/// Reads the roles of a manifest whose schema and targets are sound. What it finds is a matter for
/// whoever publishes: a bundle of the log is judged by the roles that it has.
pub(super) fn compile(
    manifest: &ToolManifest,
    is_sink: bool,
    file: &str,
    findings: &mut Vec<Finding>,
) -> Roles {
    let schema = &manifest.arguments;
    let declared = schema_leaves::declared(schema);
    let known: BTreeMap<String, &Declared> = declared
        .iter()
        .map(|argument| (pointer(&argument.path), argument))
        .collect();
    let mut roles = Roles::default();
    for argument in &declared {
        roles.declare(argument.path.clone());
    }
    for (at, role) in &manifest.roles {
        match known.get(at) {
            Some(argument) => roles.set(argument.path.clone(), *role),
            None => findings.push(unknown(at, &known, file)),
        }
    }
    imply_targets(manifest, &mut roles, file, findings);
    if is_sink {
        let missing: Vec<String> = declared
            .iter()
            .filter(|argument| argument.is_leaf && roles.at(&argument.path).is_none())
            .map(|argument| pointer(&argument.path))
            .collect();
        if !missing.is_empty() {
            findings.push(without_role(&missing, file));
        }
    }
    roles
}

fn unknown(at: &str, known: &BTreeMap<String, &Declared>, file: &str) -> Finding {
    let named = match at.starts_with('/') {
        true => at.to_owned(),
        false => format!("/{at}"),
    };
    let hint = match nearest(&named, known.keys().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "a role names an argument by its JSON Pointer, such as `/to`; below a list the \
                 pointer goes on without an index, as in `/attachments/file_id`"
            .to_owned(),
    };
    let text = format!("the role of `{at}` names no argument of the schema");
    Finding::error(file, text).hint(hint)
}

/// A target is an identity, whether or not its manifest says so.
fn imply_targets(
    manifest: &ToolManifest,
    roles: &mut Roles,
    file: &str,
    findings: &mut Vec<Finding>,
) {
    let more = manifest.effects.iter().flat_map(|effect| &effect.targets);
    let mut implied = Vec::new();
    let targets = manifest.targets.iter().chain(more);
    let places = targets.map(|target| target.at.as_str());
    let lines = manifest.commands.iter().map(|all| all.at.as_str());
    for at in places.chain(lines) {
        let Some(steps) = argument_schema::steps(at) else {
            continue;
        };
        for path in schema_leaves::along(&manifest.arguments, &steps) {
            match roles.own(&path) {
                Some(role) if role != ArgumentRole::Identity => {
                    let text = format!("the target `{at}` has the role `{}`", role.name());
                    let hint = "a target is an `identity`, and needs no role in the manifest";
                    findings.push(Finding::error(file, text).hint(hint));
                }
                _ => implied.push(path),
            }
        }
    }
    for path in implied {
        roles.set(path, ArgumentRole::Identity);
    }
}

fn without_role(missing: &[String], file: &str) -> Finding {
    const SHOWN: usize = 8;
    let first = missing.get(..SHOWN).unwrap_or(missing);
    let more = missing.len() - first.len();
    let names = |each: &dyn Fn(&String) -> String, rest: &str| {
        let names: Vec<String> = first.iter().map(each).collect();
        let rest = if more > 0 { rest } else { "" };
        format!("{}{rest}", names.join(", "))
    };
    let text = match missing {
        [one] => format!("the argument `{one}` has no role"),
        _ => format!(
            "{} arguments have no role: {}",
            missing.len(),
            names(&|name| format!("`{name}`"), ", …")
        ),
    };
    let example = names(&|name| format!("\"{name}\": \"text\""), ", …");
    Finding::error(file, text).hint(format!(
        "say what each is for, as in `\"roles\": {{{example}}}`: `identity` (who, where, which \
         object), `quantity` (how much, when), `secret`, or `text` for all else"
    ))
}
