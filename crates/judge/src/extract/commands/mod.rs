//! What a command line does, by the rules of its tool's manifest.

mod options;
mod program;
mod script;

use std::collections::BTreeSet;

use countersign_core::document::{Effect, TargetType};
use countersign_core::limits::TARGETS;
use countersign_core::names::{ActionName, BuiltinReason};
use countersign_shell::{Place, Step, Word, steps};
use serde_json::Value;

use super::drawing::Drawing;
use super::targets::{self, Readable};
use super::{Deed, DirectoryError, Drawn};
use crate::bundle::{CommandTable, Tool};
use crate::limits::UNKNOWN_CHARS;

/// Something that a line does, and to what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Done {
    action: ActionName,
    to: Object,
}

/// What something is done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    Nothing,
    /// A path as the line names it, from the directory of the call on.
    Path(String),
    /// A path that is not known beforehand.
    SomePath(String),
    Url(String),
    Program(String),
    Variable(String),
}

/// All that a line does.
struct Doing<'a> {
    table: &'a CommandTable,
    done: Vec<Done>,
    seen: BTreeSet<Done>,
}

/// Draws the deeds of a command line: what reaches farthest first, then in the order of the line. A
/// line that does nothing of what the rules name is the tool's own action.
pub(super) fn draw(
    drawing: &Drawing<'_>,
    tool: &Tool,
    table: &CommandTable,
) -> Result<Drawn, DirectoryError> {
    let at = &table.declaration().at;
    let mut done = match of_line(table, drawing.inputs.call.args.pointer(at)) {
        Ok(done) => done,
        Err(reason) => {
            return Ok(Drawn {
                actions: Vec::new(),
                deeds: Err((reason, Some(at.clone()))),
                unreadable: None,
            });
        }
    };
    if done.is_empty() {
        done.push(Done {
            action: tool.action().clone(),
            to: Object::Nothing,
        });
    }
    let effect = |action: &ActionName| table.effect(action).unwrap_or(tool.manifest().effect);
    let mut actions: Vec<ActionName> = Vec::new();
    for each in &done {
        if !actions.contains(&each.action) {
            actions.push(each.action.clone());
        }
    }
    actions.sort_by_key(|action| match effect(action) {
        Effect::Irreversible => 0,
        Effect::Write => 1,
        Effect::Read => 2,
    });
    let mut deeds = Vec::with_capacity(actions.len());
    for action in &actions {
        let mut read = Vec::new();
        let mut bare = false;
        for each in done.iter().filter(|done| done.action == *action) {
            match readable(drawing, table, &each.to) {
                Some(target) => read.push(targets::draw(drawing, target)?),
                None => bare = true,
            }
        }
        let deed = |targets| Deed {
            action: action.clone(),
            effect: effect(action).name(),
            targets,
        };
        deeds.extend(bare.then(|| deed(Vec::new())));
        deeds.extend((!read.is_empty()).then(|| deed(read)));
    }
    Ok(Drawn {
        actions,
        deeds: Ok(deeds),
        unreadable: None,
    })
}

/// What the line at this place of the arguments does.
fn of_line(table: &CommandTable, line: Option<&Value>) -> Result<Vec<Done>, BuiltinReason> {
    let steps = match line {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(line)) => steps(line).map_err(|_| BuiltinReason::UnparsedCommand)?,
        Some(_) => return Err(BuiltinReason::SchemaMismatch),
    };
    let mut doing = Doing {
        table,
        done: Vec::new(),
        seen: BTreeSet::new(),
    };
    for step in &steps {
        doing.step(step);
    }
    let targets = doing.done.iter().filter(|done| done.to != Object::Nothing);
    match targets.count() > TARGETS {
        true => Err(BuiltinReason::TooManyTargets),
        false => Ok(doing.done),
    }
}

/// What something is done to, as a target; `None` for nothing.
fn readable(drawing: &Drawing<'_>, table: &CommandTable, to: &Object) -> Option<Readable> {
    let declaration = table.declaration();
    let entities = &declaration.entities;
    let unknown = |text: &str| {
        let (at, entity) = (declaration.at.clone(), entities.path.clone());
        Readable::unknown(drawing, at, entity, shown(text))
    };
    let read = |kind, entity: &String, text: &str| {
        let at = declaration.at.clone();
        Readable::read(drawing, at, kind, entity.clone(), text.to_owned())
    };
    match to {
        Object::Nothing => None,
        // What no path can be, somebody must look at.
        Object::Path(path) => {
            let read = read(TargetType::Path, &entities.path, path);
            Some(read.unwrap_or_else(|| unknown(path)))
        }
        Object::SomePath(text) => Some(unknown(text)),
        Object::Url(url) => {
            let read = read(TargetType::Url, &entities.url, url);
            Some(read.unwrap_or_else(|| unknown(url)))
        }
        Object::Program(name) => {
            let read = read(TargetType::Id, &entities.program, &shown(name));
            Some(read.unwrap_or_else(|| unknown(name)))
        }
        Object::Variable(name) => {
            let read = read(TargetType::Id, &entities.variable, &shown(name));
            Some(read.unwrap_or_else(|| unknown(name)))
        }
    }
}

/// A text as facts show it: in one line, and no longer than a reader looks.
fn shown(text: &str) -> String {
    let flat = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let shown: String = flat.take(UNKNOWN_CHARS).collect();
    match shown.trim() {
        "" => "(empty)".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

impl Doing<'_> {
    fn add(&mut self, action: &ActionName, to: Object) {
        let done = Done {
            action: action.clone(),
            to,
        };
        if self.seen.insert(done.clone()) {
            self.done.push(done);
        }
    }

    /// A word that names a path.
    fn path(&mut self, action: &ActionName, word: &Word, place: &Place) {
        let is_stream = matches!(
            word.known(),
            Some("/dev/null" | "/dev/stdout" | "/dev/stderr")
        );
        // Code that comes through them stands nowhere.
        if is_stream && *action != self.table.declaration().does.scripts {
            return;
        }
        match place.paths(word) {
            Some(paths) => {
                for path in paths {
                    self.add(action, Object::Path(path));
                }
            }
            None => self.add(action, Object::SomePath(word.text.clone())),
        }
    }

    /// The directory in which something works.
    fn here(&mut self, action: &ActionName, place: &Place) {
        self.path(action, &Word::literal("."), place);
    }

    fn step(&mut self, step: &Step) {
        let does = &self.table.declaration().does;
        match step {
            Step::Run(run) => self.run(run),
            Step::Reads(word, place) => self.path(&does.reads, word, place),
            Step::Writes(word, place) => self.path(&does.writes, word, place),
            Step::Sets(name) => self.add(&does.sets, Object::Variable(name.clone())),
            Step::Code(name) => self.add(&does.code, Object::Program(name.clone())),
            Step::Connects(to) => self.add(&does.connects, Object::Program(to.clone())),
        }
    }
}
