//! One tool's manifest, compiled.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{
    Effect, EffectDeclaration, TargetDeclaration, TargetType, ToolManifest,
};
use countersign_core::limits::TOOL_NAME_BYTES;
use countersign_core::names::ActionName;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::arguments::{self, ArgMember, FRACTIONS};
use super::commands::{self, CommandTable};
use super::nearest::nearest;
use super::roles::{self, Roles};
use super::targets::{self, TargetSet, Targets, is_nothing};
use super::{argument_schema, schema_leaves};
use crate::finding::{Finding, Severity};
use crate::gate::Words;
use crate::limits::{EFFECTS, TOOLS};
use crate::result::ResultShape;
use crate::value::type_name;

/// One tool's manifest, compiled.
pub struct Tool {
    manifest: ToolManifest,
    /// The file, for findings.
    pub(crate) file: String,
    /// What policies see of the arguments.
    pub(crate) args: BTreeMap<String, ArgMember>,
    validator: jsonschema::Validator,
    targets: TargetSet,
    roles: Roles,
    words: Words,
    results: ResultShape,
    effects: Vec<ToolEffect>,
    commands: Option<CommandTable>,
}

/// One more thing that a call of the tool does.
pub(crate) struct ToolEffect {
    pub(crate) declaration: EffectDeclaration,
    when: Option<JsonPath>,
    targets: TargetSet,
}

/// One thing that a call of a tool does.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) action: &'a ActionName,
    pub(super) effect: Effect,
    pub(super) targets: &'a [TargetDeclaration],
}

impl ToolEffect {
    /// Whether a call with these arguments has the effect. `null` and an empty list are nothing.
    pub(crate) fn applies(&self, args: &Value) -> bool {
        self.when
            .as_ref()
            .is_none_or(|path| path.query(args).iter().any(|found| !is_nothing(found)))
    }

    /// The values of its targets; those of arrays one by one, `null` counting as absent.
    pub(crate) fn targets<'a>(&'a self, args: &'a Value) -> Targets<'a> {
        self.targets.find(args)
    }
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
        self.targets.find(args)
    }

    /// What each argument is for.
    pub(crate) fn roles(&self) -> &Roles {
        &self.roles
    }

    /// How its results are read, and who wrote which field of them.
    pub(crate) fn results(&self) -> &ResultShape {
        &self.results
    }

    /// The words by which a turn speaks of something that it does.
    pub(crate) fn words_for(&self, action: &ActionName) -> &Words {
        let own = self.commands.as_ref().and_then(|table| table.words(action));
        own.unwrap_or(&self.words)
    }

    /// What a call does beside its action.
    pub(crate) fn effects(&self) -> &[ToolEffect] {
        &self.effects
    }

    /// What its command lines do.
    pub(crate) fn commands(&self) -> Option<&CommandTable> {
        self.commands.as_ref()
    }

    /// Whether a turn can speak of this action of the tool.
    pub(super) fn has_words(&self, action: &str) -> bool {
        let commands = self.commands.as_ref();
        !self.manifest.words.is_empty() || commands.is_some_and(|table| table.has_words(action))
    }

    /// Everything that a call can do: the action first, then its effects, then what its command lines
    /// do.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let own = &self.manifest;
        let first = Part {
            action: &own.action,
            effect: own.effect,
            targets: &own.targets,
        };
        let more = own.effects.iter().map(|more| Part {
            action: &more.action,
            effect: more.effect,
            targets: &more.targets,
        });
        let commands = self.commands.iter().flat_map(CommandTable::parts);
        std::iter::once(first).chain(more).chain(commands)
    }

    /// What every call does, whatever its arguments.
    pub(super) fn certain_parts(&self) -> impl Iterator<Item = Part<'_>> {
        let always = self.effects.iter().map(|effect| effect.when.is_none());
        let parts = self.parts().zip(std::iter::once(true).chain(always));
        parts.filter_map(|(part, always)| always.then_some(part))
    }

    /// Whether a call can change something.
    pub(super) fn is_sink(&self) -> bool {
        self.parts().any(|part| part.effect != Effect::Read)
    }
}

/// Compiles all manifests. What is no matter for a bundle of the log goes to `later`.
pub(crate) fn compile_all(
    manifests: &[ToolManifest],
    findings: &mut Vec<Finding>,
    later: &mut Vec<Finding>,
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
        let more = manifest.effects.iter().flat_map(|effect| &effect.targets);
        let targets = manifest.targets.iter().chain(more);
        let targets = targets.map(|target| (target.entity.as_str(), target.kind));
        let of_commands = manifest
            .commands
            .iter()
            .flat_map(|all| commands::kinds(all));
        for (entity, kind) in targets.chain(of_commands) {
            let first = *kinds.entry(entity).or_insert(kind);
            if first != kind {
                findings.push(Finding::error(
                    &file,
                    format!(
                        "the entity type `{entity}` stands for values of type `{}` and of type `{}`",
                        type_name(first),
                        type_name(kind)
                    ),
                )
                .hint("the directory knows an entity under one form of its value; give each type an entity type of its own"));
            }
        }
        if let Some(tool) = compile(manifest, file, findings, later) {
            out.insert(manifest.tool.clone(), tool);
        }
    }
    out
}

fn compile(
    manifest: &ToolManifest,
    file: String,
    findings: &mut Vec<Finding>,
    later: &mut Vec<Finding>,
) -> Option<Tool> {
    let before = findings.len();
    let name = &manifest.tool;
    if name.is_empty() || name.len() > TOOL_NAME_BYTES || name.chars().any(char::is_control) {
        findings.push(Finding::error(
            &file,
            format!("a tool's name has 1 to {TOOL_NAME_BYTES} bytes and no control characters"),
        ));
    }
    let schema = &manifest.arguments;
    let validator = argument_schema::compile(schema, &file, findings);
    if has_errors(findings, before) {
        return None;
    }
    let targets = targets::compile(&manifest.targets, schema, &file, findings);
    let effects = compile_effects(manifest, &file, findings);
    let (args, left_out) = arguments::of_schema(schema);
    for (at, why) in left_out {
        let text = format!("policies cannot see the argument `{at}`: {why}");
        let finding = Finding::warning(&file, text);
        findings.push(match why {
            FRACTIONS => finding
                .hint("`context.sources` says where it comes from, and a counter can add it up"),
            _ => finding,
        });
    }
    warn_of_unbounded(manifest, &file, findings);
    let commands = commands::compile(manifest, &file, findings);
    let mut tool = Tool {
        manifest: manifest.clone(),
        args,
        validator: validator?,
        targets: targets?,
        roles: Roles::default(),
        words: Words::compile(&manifest.words, &file, findings),
        results: ResultShape::compile(manifest, &file, findings),
        effects: effects?,
        commands,
        file,
    };
    tool.roles = roles::compile(manifest, tool.is_sink(), &tool.file, later);
    Some(tool)
}

fn has_errors(findings: &[Finding], from: usize) -> bool {
    findings
        .get(from..)
        .is_none_or(|new| new.iter().any(|f| f.severity == Severity::Error))
}

/// Compiles what the call does beside its action; `None` if something of it cannot be used.
fn compile_effects(
    manifest: &ToolManifest,
    file: &str,
    findings: &mut Vec<Finding>,
) -> Option<Vec<ToolEffect>> {
    if manifest.effects.len() > EFFECTS {
        let text = format!("{} effects are more than {EFFECTS}", manifest.effects.len());
        findings.push(Finding::error(file, text));
        return None;
    }
    let mut actions = BTreeSet::from([&manifest.action]);
    let effects: Vec<ToolEffect> = manifest
        .effects
        .iter()
        .filter_map(|effect| {
            if !actions.insert(&effect.action) {
                let text = format!("two effects of the tool are `{}`", effect.action);
                let hint =
                    "each effect has an action of its own; one action may have several targets";
                findings.push(Finding::error(file, text).hint(hint));
            }
            let when = match &effect.when {
                None => None,
                Some(when) => Some(compile_when(when, &manifest.arguments, file, findings)?),
            };
            Some(ToolEffect {
                declaration: effect.clone(),
                when,
                targets: targets::compile(&effect.targets, &manifest.arguments, file, findings)?,
            })
        })
        .collect();
    (effects.len() == manifest.effects.len()).then_some(effects)
}

/// A condition must be able to find something in arguments that fit the schema.
fn compile_when(
    when: &str,
    schema: &Value,
    file: &str,
    findings: &mut Vec<Finding>,
) -> Option<JsonPath> {
    let path = match JsonPath::parse(when) {
        Ok(path) => path,
        Err(error) => {
            let text = format!("the condition `{when}` of an effect is no JSONPath: {error}");
            findings.push(Finding::error(file, text));
            return None;
        }
    };
    // What stands before the first filter or descent is told from the schema.
    let plain = when
        .find("[?")
        .into_iter()
        .chain(when.find(".."))
        .min()
        .and_then(|end| when.get(..end))
        .unwrap_or(when);
    match argument_schema::steps(plain) {
        None => findings.push(Finding::warning(
            file,
            format!(
                "whether the condition `{when}` can find anything cannot be told from the schema"
            ),
        )),
        Some(steps) => {
            if !argument_schema::exists(schema, &steps) {
                let known = schema_leaves::pointers(schema);
                let names = known.iter().map(|at| at.replace('/', "."));
                let names: Vec<String> = names.map(|at| format!("${at}")).collect();
                let hint = match nearest(plain, names.iter().map(String::as_str)) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => "it names an argument that the schema's `properties` declare".into(),
                };
                let text = format!("the condition `{when}` of an effect can find nothing");
                findings.push(Finding::error(file, text).hint(hint));
                return None;
            }
            if let Some(kind) = argument_schema::overlooked(schema, &steps) {
                let text = format!(
                    "the condition `{when}` of an effect overlooks an argument of the type `{kind}`, which the schema admits on its way"
                );
                let hint =
                    "name the argument alone, as in `$.cc`, or let the schema admit one type";
                findings.push(Finding::warning(file, text).hint(hint));
            }
        }
    }
    Some(path)
}

/// What cannot be taken back deserves to be asked what its texts may hold: a line break in a subject
/// is a header of its own.
fn warn_of_unbounded(manifest: &ToolManifest, file: &str, findings: &mut Vec<Finding>) {
    let more = manifest.effects.iter().map(|effect| effect.effect);
    if std::iter::once(manifest.effect)
        .chain(more)
        .all(|effect| effect != Effect::Irreversible)
    {
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
