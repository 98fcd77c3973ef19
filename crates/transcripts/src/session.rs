//! Puts a session together, event by event.

use std::collections::BTreeMap;

use countersign_core::document::PartBy;
use countersign_core::json;
use countersign_core::limits::CALL_ARGS_BYTES;
use countersign_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::limits::AGENT_TEXT_BYTES;
use crate::model::{Args, Call, Event, Part, Session, ToolDefinition, ToolOutput, Turn};

/// What was met and not read, with how often.
pub(crate) type Skipped = BTreeMap<&'static str, usize>;

/// A session that is being read.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    session: Session,
    /// By the transcript's id of a call, its place among the events.
    calls: BTreeMap<String, usize>,
    /// Calls without an answer, in order.
    open: Vec<usize>,
    /// The system's words since the last turn.
    system: Vec<String>,
    /// The agent's words since the last turn or call.
    agent: String,
    pub(crate) skipped: Skipped,
}

impl Builder {
    pub(crate) fn named(name: impl Into<String>) -> Self {
        let mut builder = Self::default();
        builder.session.name = name.into();
        builder
    }

    pub(crate) fn agent_is(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.session.agent = Some(name.to_owned());
        }
    }

    /// What the agent was offered; a later record counts more.
    pub(crate) fn tool(&mut self, tool: ToolDefinition) {
        match self.session.tools.iter_mut().find(|t| t.name == tool.name) {
            Some(known) => *known = tool,
            None => self.session.tools.push(tool),
        }
    }

    pub(crate) fn skip(&mut self, what: &'static str) {
        *self.skipped.entry(what).or_default() += 1;
    }

    /// The system's words stand in the next turn, and carry no authority there.
    pub(crate) fn system(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.system.push(text.to_owned());
        }
    }

    /// The agent's last words before a turn stand in it: by a "yes" a person may have confirmed them.
    pub(crate) fn agent(&mut self, text: &str) {
        if self.agent.len() + text.len() <= AGENT_TEXT_BYTES {
            if !self.agent.is_empty() {
                self.agent.push('\n');
            }
            self.agent.push_str(text);
        }
    }

    /// The principal's words start a turn.
    pub(crate) fn principal(&mut self, texts: Vec<String>, at: Option<Timestamp>) {
        let words = texts.into_iter().filter(|text| !text.trim().is_empty());
        let words: Vec<Part> = words
            .map(|text| Part {
                by: PartBy::Principal,
                text,
            })
            .collect();
        if words.is_empty() {
            return;
        }
        self.turn(words, at);
    }

    /// A turn in parts; what the system and the agent said before it stands before them.
    pub(crate) fn turn(&mut self, parts: Vec<Part>, at: Option<Timestamp>) {
        let system = std::mem::take(&mut self.system);
        let agent = std::mem::take(&mut self.agent);
        let mut all: Vec<Part> = system
            .into_iter()
            .map(|text| Part {
                by: PartBy::System,
                text,
            })
            .collect();
        if !agent.trim().is_empty() {
            all.push(Part {
                by: PartBy::Agent,
                text: agent,
            });
        }
        all.extend(parts);
        self.session
            .events
            .push(Event::Turn(Turn { parts: all, at }));
    }

    pub(crate) fn call(&mut self, call: Call) {
        self.agent.clear();
        let at = self.session.events.len();
        if let Some(id) = &call.id {
            self.calls.insert(id.clone(), at);
        }
        self.open.push(at);
        self.session.events.push(Event::Call(call));
    }

    /// Whether a call with this id was met.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.calls.contains_key(id)
    }

    /// Whether the call with this id was answered.
    pub(crate) fn is_answered(&self, id: &str) -> bool {
        self.calls.get(id).is_some_and(|at| !self.open.contains(at))
    }

    /// A result: of the call with this id; without one, of the first open call (of this tool).
    pub(crate) fn output(
        &mut self,
        id: Option<&str>,
        tool: Option<&str>,
        value: Value,
        is_error: bool,
    ) {
        let is_tool = |at: &usize| match (tool, self.session.events.get(*at)) {
            (Some(tool), Some(Event::Call(call))) => call.tool == tool,
            _ => true,
        };
        let call = match id {
            Some(id) => self.calls.get(id).copied(),
            None => self.open.iter().copied().find(is_tool),
        };
        let Some(call) = call else {
            return self.skip("results whose call is not in the transcript");
        };
        self.open.retain(|open| *open != call);
        self.session.events.push(Event::Output(ToolOutput {
            call,
            value,
            is_error,
        }));
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.session.events
    }

    /// The session, and what was not read of it.
    pub(crate) fn finish(self) -> (Session, Skipped) {
        (self.session, self.skipped)
    }
}

/// Arguments as models write them: JSON, or a string that holds JSON. The string is read as a
/// server reads it: strictly.
pub(crate) fn args(value: Option<&Value>) -> Args {
    match value {
        None | Some(Value::Null) => Args::Json(Value::Object(Map::new())),
        Some(Value::String(text)) if text.trim().is_empty() => {
            Args::Json(Value::Object(Map::new()))
        }
        Some(Value::String(text)) => match json::parse(text.as_bytes(), CALL_ARGS_BYTES) {
            Ok(value) => Args::Json(value),
            Err(error) => Args::Malformed {
                text: text.clone(),
                reason: error.to_string(),
            },
        },
        Some(value) => Args::Json(value.clone()),
    }
}

/// A time as transcripts write it: RFC 3339 with any offset, or seconds or milliseconds since 1970.
pub(crate) fn time(value: Option<&Value>) -> Option<Timestamp> {
    match value? {
        Value::String(text) => text.parse().ok().or_else(|| zulu(text)),
        Value::Number(number) => {
            let number = number.as_f64()?;
            // Milliseconds since 1970 have passed 10^11 in 1973.
            let millis = if number > 1e11 { number } else { number * 1e3 };
            #[expect(clippy::cast_possible_truncation, reason = "clamped by the timestamp")]
            (millis >= 1.0).then(|| Timestamp::from_millis(millis as i64))
        }
        _ => None,
    }
}

/// `2026-04-18T02:13:44Z` and with other fractions than three digits, in UTC.
fn zulu(text: &str) -> Option<Timestamp> {
    let body = text
        .strip_suffix('Z')
        .or_else(|| text.strip_suffix("+00:00"))?;
    let (seconds, fraction) = body.split_once('.').unwrap_or((body, "0"));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    format!("{seconds}.{millis}Z").parse().ok()
}
