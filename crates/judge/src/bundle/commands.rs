//! What a manifest says of command lines, compiled.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{
    CommandOperands, CommandRule, CommandsDeclaration, Effect, TargetDeclaration, TargetType,
    ToolManifest,
};
use countersign_core::names::ActionName;

use super::argument_schema;
use super::nearest::nearest;
use super::tool::Part;
use crate::finding::Finding;
use crate::gate::Words;
use crate::limits::{COMMAND_ITEMS, COMMAND_RULES, COMMAND_WORDS};

/// The rules of command lines of one tool.
pub(crate) struct CommandTable {
    declaration: CommandsDeclaration,
    /// By program and subcommand, the place of the rule.
    rules: BTreeMap<String, usize>,
    /// The programs whose subcommands have rules.
    with_subcommands: BTreeSet<String>,
    words: BTreeMap<ActionName, Words>,
    parts: Vec<(ActionName, Effect, Vec<TargetDeclaration>)>,
}

impl CommandTable {
    pub(crate) fn declaration(&self) -> &CommandsDeclaration {
        &self.declaration
    }

    /// The rule of exactly this program and subcommand.
    pub(crate) fn rule(&self, run: &str) -> Option<&CommandRule> {
        self.declaration.rules.get(*self.rules.get(run)?)
    }

    /// Whether rules tell subcommands of the program apart.
    pub(crate) fn has_subcommands(&self, program: &str) -> bool {
        self.with_subcommands.contains(program)
    }

    /// Whether any rule is about a program.
    pub(crate) fn names(&self, program: &str) -> bool {
        self.has_subcommands(program) || self.rules.contains_key(program)
    }

    /// The words by which a turn speaks of an action.
    pub(crate) fn words(&self, action: &ActionName) -> Option<&Words> {
        self.words.get(action)
    }

    /// How far an action reaches.
    pub(crate) fn effect(&self, action: &ActionName) -> Option<Effect> {
        Some(self.declaration.actions.get(action)?.effect)
    }

    /// Everything that a command line can do.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.parts.iter().map(|(action, effect, targets)| Part {
            action,
            effect: *effect,
            targets,
        })
    }

    /// Whether a turn can speak of the action.
    pub(super) fn has_words(&self, action: &str) -> bool {
        self.words.keys().any(|known| known.as_str() == action)
    }
}

/// The entity types that stand for what command lines act on, with how their values are read.
pub(super) fn kinds(declaration: &CommandsDeclaration) -> [(&str, TargetType); 4] {
    let entities = &declaration.entities;
    [
        (&entities.path, TargetType::Path),
        (&entities.url, TargetType::Url),
        (&entities.program, TargetType::Id),
        (&entities.variable, TargetType::Id),
    ]
}

/// Compiles the declaration of a manifest, if it has one.
pub(super) fn compile(
    manifest: &ToolManifest,
    file: &str,
    findings: &mut Vec<Finding>,
) -> Option<CommandTable> {
    let declaration = manifest.commands.as_deref()?;
    check_place(manifest, declaration, file, findings);
    let mut rules = BTreeMap::new();
    let mut with_subcommands = BTreeSet::new();
    if declaration.rules.len() > COMMAND_RULES {
        let text = format!(
            "{} rules of commands are more than {COMMAND_RULES}",
            declaration.rules.len()
        );
        findings.push(Finding::error(file, text));
        return None;
    }
    for (n, rule) in declaration.rules.iter().enumerate() {
        check_rule(rule, file, findings);
        for run in &rule.run {
            let words: Vec<&str> = run.split(' ').collect();
            if run.is_empty() || words.len() > COMMAND_WORDS || words.contains(&"") {
                let text = format!("`{run}` is no program with its subcommand");
                let hint = format!("1 to {COMMAND_WORDS} words with one blank between them");
                findings.push(Finding::error(file, text).hint(hint));
            }
            if rules.insert(run.clone(), n).is_some() {
                let text = format!("`{run}` has two rules");
                findings.push(Finding::error(file, text));
            }
            if let [program, _, ..] = words.as_slice() {
                with_subcommands.insert((*program).to_owned());
            }
        }
    }
    let used = used(declaration);
    check_actions(declaration, &used, file, findings);
    let mut words = BTreeMap::new();
    for (name, action) in &declaration.actions {
        if !action.words.is_empty() {
            let compiled = Words::compile(&action.words, file, findings);
            words.insert(name.clone(), compiled);
        }
    }
    let parts = declaration.actions.iter().map(|(name, action)| {
        let targets = used.get(name).map_or_else(Vec::new, |used| {
            used.targets(declaration).collect::<Vec<_>>()
        });
        (name.clone(), action.effect, targets)
    });
    Some(CommandTable {
        parts: parts.collect(),
        declaration: declaration.clone(),
        rules,
        with_subcommands,
        words,
    })
}

/// What an action is taken on.
#[derive(Default)]
struct Used {
    path: bool,
    url: bool,
    program: bool,
    variable: bool,
    nothing: bool,
}

impl Used {
    fn on(&mut self, operands: CommandOperands) {
        match operands {
            CommandOperands::Program | CommandOperands::Names => self.program = true,
            CommandOperands::Nothing => self.nothing = true,
            CommandOperands::Here | CommandOperands::Paths => self.path = true,
            CommandOperands::Urls => self.url = true,
        }
    }

    fn targets(
        &self,
        declaration: &CommandsDeclaration,
    ) -> impl Iterator<Item = TargetDeclaration> {
        let used = [self.path, self.url, self.program, self.variable];
        kinds(declaration)
            .into_iter()
            .zip(used)
            .filter(|(_, used)| *used)
            .map(|((entity, kind), _)| TargetDeclaration {
                at: declaration.at.clone(),
                kind,
                entity: entity.to_owned(),
                optional: self.nothing,
            })
    }
}

fn used(declaration: &CommandsDeclaration) -> BTreeMap<&ActionName, Used> {
    let mut all: BTreeMap<&ActionName, Used> = BTreeMap::new();
    let does = &declaration.does;
    for action in [&does.runs, &does.code, &does.connects] {
        all.entry(action).or_default().program = true;
    }
    for action in [&does.scripts, &does.reads, &does.writes] {
        all.entry(action).or_default().path = true;
    }
    all.entry(&does.sets).or_default().variable = true;
    for rule in &declaration.rules {
        for action in std::iter::once(&rule.does).chain(rule.changes.values()) {
            all.entry(action).or_default().on(rule.on);
        }
        if let Some(last) = &rule.last {
            all.entry(last).or_default().on(rule.on);
        }
        if let Some(bare) = &rule.bare {
            all.entry(bare).or_default().path = true;
        }
    }
    all
}

fn check_place(
    manifest: &ToolManifest,
    declaration: &CommandsDeclaration,
    file: &str,
    findings: &mut Vec<Finding>,
) {
    let at = &declaration.at;
    let fits = at.starts_with('/')
        && argument_schema::steps(at).is_some_and(|steps| {
            argument_schema::can_hold(&manifest.arguments, &steps, TargetType::Path).is_ok()
        });
    if !fits {
        let text = format!("the command line `{at}` is no text by the schema of the arguments");
        findings.push(Finding::error(file, text).hint("it is a JSON Pointer, such as `/command`"));
    }
    if !manifest.targets.is_empty() || !manifest.effects.is_empty() {
        let text = "a tool whose command lines are judged has no other targets and effects";
        findings.push(Finding::error(file, text));
    }
}

fn check_rule(rule: &CommandRule, file: &str, findings: &mut Vec<Finding>) {
    let shown = rule.run.first().map_or("", String::as_str);
    let lists = [
        &rule.run,
        &rule.values,
        &rule.reads,
        &rule.writes,
        &rule.instead,
        &rule.other,
        &rule.odd,
    ];
    let lists = lists.into_iter().chain(&rule.flags);
    if lists.clone().any(|list| list.len() > COMMAND_ITEMS) || rule.changes.len() > COMMAND_ITEMS {
        let text = format!("a list of the rule of `{shown}` has more than {COMMAND_ITEMS} items");
        findings.push(Finding::error(file, text));
    }
    if rule.run.is_empty() {
        findings.push(Finding::error(file, "a rule of commands names no program"));
    }
    if rule.odd.iter().any(String::is_empty) {
        let text = format!("an odd text of the rule of `{shown}` is empty");
        findings.push(Finding::error(file, text));
    }
    let options = [
        &rule.values,
        &rule.reads,
        &rule.writes,
        &rule.instead,
        &rule.other,
    ];
    let options = options.into_iter().flatten().chain(rule.changes.keys());
    for option in options.chain(rule.flags.iter().flatten()) {
        if option.len() < 2 || !option.starts_with(['-', '+']) {
            let text = format!("`{option}` in the rule of `{shown}` is no option");
            findings.push(Finding::error(file, text).hint("an option begins with `-`"));
        }
    }
}

/// Every action that is used is declared, and the other way round.
fn check_actions(
    declaration: &CommandsDeclaration,
    used: &BTreeMap<&ActionName, Used>,
    file: &str,
    findings: &mut Vec<Finding>,
) {
    let known = declaration.actions.keys().map(ActionName::as_str);
    for action in used.keys() {
        if !declaration.actions.contains_key(action) {
            let text = format!("`actions` of the command lines does not declare `{action}`");
            let finding = Finding::error(file, text);
            findings.push(match nearest(action.as_str(), known.clone()) {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
    }
    for action in declaration.actions.keys() {
        if !used.contains_key(action) {
            let text = format!("no command line does `{action}`");
            findings.push(Finding::warning(file, text));
        }
    }
}
