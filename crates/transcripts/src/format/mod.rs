//! The formats: how each is recognised, and who reads it.

mod chat;
mod claude_code;
mod message;
mod otel;
mod own;
mod recorded;
mod responses;

use serde_json::Value;

use crate::limits::GROWING_SESSIONS;
use crate::model::{Event, Session, Transcript};
use crate::session::{Builder, Skipped};

/// A record of a file.
pub(crate) struct Record {
    /// The line where it begins, from 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// What a transcript is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Messages of the OpenAI Chat Completions API, alone or as requests and responses.
    OpenAiChat,
    /// Items of the OpenAI Responses API.
    OpenAiResponses,
    /// Messages of the Anthropic Messages API.
    Anthropic,
    /// Session transcripts of Claude Code.
    ClaudeCode,
    /// OTLP JSON with spans of the OpenTelemetry GenAI conventions.
    OpenTelemetry,
    /// AgentDojo's own run logs.
    AgentDojo,
    /// Recorded runs: one run per line, with its turn and its steps.
    RecordedRuns,
    /// Our own JSON Lines.
    Countersign,
}

impl Format {
    const ALL: [Self; 8] = [
        Self::OpenTelemetry,
        Self::Countersign,
        Self::RecordedRuns,
        Self::ClaudeCode,
        Self::AgentDojo,
        Self::Anthropic,
        Self::OpenAiResponses,
        Self::OpenAiChat,
    ];

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "OpenAI chat messages",
            Self::OpenAiResponses => "OpenAI Responses items",
            Self::Anthropic => "Anthropic messages",
            Self::ClaudeCode => "a Claude Code session",
            Self::OpenTelemetry => "OpenTelemetry GenAI spans",
            Self::AgentDojo => "an AgentDojo run log",
            Self::RecordedRuns => "recorded runs",
            Self::Countersign => "Countersign's own JSON Lines",
        }
    }

    /// By what it is recognised.
    fn shape(self) -> &'static str {
        match self {
            Self::OpenAiChat => "`messages` or a list of objects with `role`",
            Self::OpenAiResponses => "`input` with items or `output` with `function_call` items",
            Self::Anthropic => "`messages` with `tool_use` blocks",
            Self::ClaudeCode => "lines with `type`, `sessionId` and `message`",
            Self::OpenTelemetry => "`resourceSpans`",
            Self::AgentDojo => "`messages` with `suite_name`",
            Self::RecordedRuns => "`user_turn` with `steps`",
            Self::Countersign => "`kind` of `turn`, `call`, `result` or `tool`",
        }
    }

    /// What was looked for in a file without a session.
    pub(crate) fn missing(self) -> &'static str {
        match self {
            Self::OpenTelemetry => {
                "no span with `gen_ai.input.messages` and no `execute_tool` span with arguments"
            }
            _ => "neither a turn nor a call",
        }
    }

    /// All shapes, for an error.
    pub(crate) fn shapes() -> String {
        let shapes = Self::ALL.map(|format| format!("{} ({})", format.name(), format.shape()));
        shapes.join(", ")
    }

    /// The format that the first telling record has.
    pub(crate) fn recognise<'a>(records: impl Iterator<Item = &'a Value>) -> Option<Self> {
        records
            .into_iter()
            .find_map(|record| Self::ALL.into_iter().find(|format| format.is_in(record)))
    }

    /// Whether a list is one conversation, rather than a list of records.
    pub(crate) fn is_conversation(items: &[Value]) -> bool {
        chat::is_conversation(items) || responses::is_conversation(items)
    }

    fn is_in(self, record: &Value) -> bool {
        match self {
            Self::OpenAiChat => chat::is_chat(record),
            Self::OpenAiResponses => responses::is_responses(record),
            Self::Anthropic => chat::is_anthropic(record),
            Self::ClaudeCode => claude_code::is_line(record),
            Self::OpenTelemetry => record.get("resourceSpans").is_some(),
            Self::AgentDojo => chat::is_agentdojo(record),
            Self::RecordedRuns => {
                is_list(record, "steps") && record.get("user_turn").is_some_and(Value::is_string)
            }
            Self::Countersign => own::is_line(record),
        }
    }

    pub(crate) fn read(self, records: Vec<Record>, out: &mut Transcript) {
        match self {
            Self::OpenAiChat | Self::Anthropic | Self::AgentDojo => chat::read(records, out),
            Self::OpenAiResponses => responses::read(records, out),
            Self::ClaudeCode => claude_code::read(records, out),
            Self::OpenTelemetry => otel::read(records, out),
            Self::RecordedRuns => recorded::read(records, out),
            Self::Countersign => own::read(records, out),
        }
    }
}

fn is_list(record: &Value, name: &str) -> bool {
    record.get(name).is_some_and(Value::is_array)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The sessions of a file as they are finished: a conversation that goes on with an earlier one
/// takes its place, and what was not read is told once.
#[derive(Default)]
struct Collected {
    sessions: Vec<Session>,
    skipped: Skipped,
}

impl Collected {
    fn add(&mut self, builder: Builder) {
        let (session, skipped) = builder.finish();
        for (what, times) in skipped {
            *self.skipped.entry(what).or_default() += times;
        }
        if !session.events.is_empty() {
            self.sessions.push(session);
        }
    }

    /// The same for records that hold the whole conversation up to them, as requests do.
    fn add_growing(&mut self, builder: Builder) {
        self.add(builder);
        let Some(new) = self.sessions.pop() else {
            return;
        };
        let mut recent = self.sessions.iter_mut().rev().take(GROWING_SESSIONS);
        match recent.find(|old| goes_on(&old.events, &new.events)) {
            Some(old) if old.events.len() < new.events.len() => {
                let name = std::mem::take(&mut old.name);
                *old = Session { name, ..new };
            }
            Some(_) => {}
            None => self.sessions.push(new),
        }
    }

    fn finish(self, out: &mut Transcript) {
        out.sessions.extend(self.sessions);
        for (what, times) in self.skipped {
            out.notes.push(format!("not read: {what} ({times})"));
        }
    }
}

/// Whether one of two conversations is the beginning of the other.
fn goes_on(one: &[Event], other: &[Event]) -> bool {
    one.iter().zip(other).all(|(a, b)| a.is_same(b))
}
