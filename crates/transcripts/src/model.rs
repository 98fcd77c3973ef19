//! What every format comes to: sessions of turns, calls and results, in order.

use countersign_core::document::PartBy;
use countersign_core::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::format::Format;

/// What a file holds.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// What it was recognised as.
    pub format: Format,
    /// Its sessions, in order.
    pub sessions: Vec<Session>,
    /// Lines and records that could not be read: how many.
    pub broken: usize,
    /// The first of them.
    pub broken_shown: Vec<Broken>,
    /// What was read and is worth a word: texts for people.
    pub notes: Vec<String>,
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// One conversation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    /// What it is called: an id of the transcript's own, or its number.
    pub name: String,
    /// Which model or agent, where the transcript says so.
    pub agent: Option<String>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The tools that the agent was offered, where the transcript says so.
    pub tools: Vec<ToolDefinition>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Somebody asked for something.
    Turn(Turn),
    /// The agent wanted to call a tool.
    Call(Call),
    /// A tool answered.
    Output(ToolOutput),
}

/// A message that starts work.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The text, in parts by whose words they are.
    pub parts: Vec<Part>,
    /// When, where the transcript says so.
    pub at: Option<Timestamp>,
}

/// A stretch of a turn's text with one author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose words these are.
    pub by: PartBy,
    /// The text.
    pub text: String,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The transcript's own id of the call.
    pub id: Option<String>,
    /// The tool's name.
    pub tool: String,
    /// The arguments.
    pub args: Args,
    /// When, where the transcript says so.
    pub at: Option<Timestamp>,
    /// Who is behind the call, where a recording of an attack says so.
    pub origin: Option<String>,
}

/// Arguments of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Args {
    /// JSON that every reader reads in the same way.
    Json(Value),
    /// Text that is no such JSON.
    Malformed {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a tool returned.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOutput {
    /// The call that it answers, as its place among the session's events.
    pub call: usize,
    /// What came: JSON, or a string of text.
    pub value: Value,
    /// Whether the tool says that it failed.
    pub is_error: bool,
}

/// A tool as the agent was told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDefinition {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The JSON Schema of its arguments, if there is one.
    pub arguments: Option<Value>,
}

impl Turn {
    /// The principal's words.
    pub fn words(&self) -> String {
        let words: Vec<&str> = self
            .parts
            .iter()
            .filter(|part| part.by == PartBy::Principal)
            .map(|part| part.text.as_str())
            .collect();
        words.join("\n")
    }
}

impl Event {
    /// Whether two events of two records of one conversation are the same one: a record that goes
    /// on with another one spells what came before a little differently.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Turn(a), Self::Turn(b)) => a.words() == b.words(),
            (Self::Call(a), Self::Call(b)) => match (&a.id, &b.id) {
                (Some(one), Some(two)) => one == two && a.tool == b.tool,
                _ => a.tool == b.tool && a.args == b.args,
            },
            (Self::Output(a), Self::Output(b)) => a.call == b.call,
            _ => false,
        }
    }
}
