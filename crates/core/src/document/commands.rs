//! What a bundle knows of the command lines that a tool runs in a shell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::{ActionWords, Effect};
use crate::names::ActionName;

/// That an argument is a command line, and what the programs of command lines do. Everything that a
/// line does is judged: each program with what it acts on, each file that is redirected, each
/// variable that is set. A line that cannot be parsed is rejected (`countersign.unparsed-command`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandsDeclaration {
    /// The JSON Pointer (RFC 6901) of the command line in the arguments.
    pub at: String,
    /// What is done where no rule says it.
    pub does: CommandActions,
    /// Every action that command lines can take, with how far it reaches.
    pub actions: BTreeMap<ActionName, CommandAction>,
    /// The entity types of what is acted on.
    #[serde(default)]
    pub entities: CommandEntities,
    /// Options that stand between a program and its subcommand, by program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, OptionsBefore>,
    /// What programs do. A program that no rule names does `does.runs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<CommandRule>,
}

/// What is done where no rule says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandActions {
    /// Running a program that no rule names, or in a way that its rule does not know. Its target is
    /// the program.
    pub runs: ActionName,
    /// Running a file by its path. Its target is the path.
    pub scripts: ActionName,
    /// Running code that does not stand in the line. Its target is the interpreter.
    pub code: ActionName,
    /// Reading a file: by `<`, or by an option.
    pub reads: ActionName,
    /// Writing a file: by `>`, or by an option.
    pub writes: ActionName,
    /// Setting a variable. Its target is the variable.
    pub sets: ActionName,
    /// Opening a connection by `/dev/tcp`. Its target is the place.
    pub connects: ActionName,
}

/// An action that a command line can take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandAction {
    /// How far it reaches.
    pub effect: Effect,
    /// The words by which a turn speaks of it, by language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, ActionWords>,
}

/// The Cedar entity types that stand for what command lines act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandEntities {
    /// A path.
    pub path: String,
    /// A URL.
    pub url: String,
    /// A program with its subcommand, or another name that a program is given.
    pub program: String,
    /// A variable of the environment.
    pub variable: String,
}

impl Default for CommandEntities {
    fn default() -> Self {
        Self {
            path: "Path".to_owned(),
            url: "Url".to_owned(),
            program: "Program".to_owned(),
            variable: "Variable".to_owned(),
        }
    }
}

/// Options that stand between a program and its subcommand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptionsBefore {
    /// Those that change nothing of what the subcommand does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Those whose value is the directory in which it works.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
}

/// What some programs do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRule {
    /// The programs, each with the words of its subcommand: `ls`, `git push`, `python -m pytest`.
    /// The longest that fits counts.
    pub run: Vec<String>,
    /// What they do.
    pub does: ActionName,
    /// What they do it to.
    #[serde(default)]
    pub on: CommandOperands,
    /// How many operands come first that are nothing of that: a pattern, a mode.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: u8,
    /// How many operands count after those. What follows belongs to what is run, options too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u8>,
    /// Most operands; with more, it is `does.runs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u8>,
    /// What is done to the last operand, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<ActionName>,
    /// What is done to the working directory where there are no operands; without it, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bare: Option<ActionName>,
    /// The only options that change nothing. Without it, all are taken to be such that no other list
    /// of the rule names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<String>>,
    /// Options with a value that changes nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Options whose value is a path that is read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// Options whose value is a path that is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// Options that stand for the operands that are skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instead: Vec<String>,
    /// Options that make it another action.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changes: BTreeMap<String, ActionName>,
    /// Options that make it `does.runs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<String>,
    /// Texts within an operand that make it `does.runs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<String>,
    /// What language the operands that are skipped are written in. Where they do more than work on
    /// text, it is `does.runs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<CommandScript>,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// What a program acts on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandOperands {
    /// Something of its own: its target is the program.
    #[default]
    Program,
    /// Nothing.
    Nothing,
    /// The directory in which it works.
    Here,
    /// Paths: its operands.
    Paths,
    /// URLs: its operands.
    Urls,
    /// Names: its operands.
    Names,
}

/// A language of small programs that stand in an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandScript {
    /// The stream editor's.
    Sed,
    /// AWK.
    Awk,
}
