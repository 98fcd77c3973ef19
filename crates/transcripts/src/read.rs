//! From bytes to a transcript: which records there are, which format they have, and what they hold.

use countersign_core::json;
use serde_json::Value;

use crate::format::{Format, Record};
use crate::limits::{BROKEN_SHOWN, LIST_DEPTH, RECORD_BYTES, SAMPLED_RECORDS};
use crate::model::{Broken, Transcript};

/// Bytes that are no transcript of a known format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotATranscript {
    /// There is nothing.
    #[error("the file is empty")]
    Empty,
    /// The bytes are neither JSON nor JSON Lines.
    #[error("this is neither json nor json lines: {reason}")]
    NoJson {
        /// What is wrong.
        reason: String,
    },
    /// It is JSON of a shape that none of the formats has.
    #[error(
        "{} of json, and none has the shape of a transcript; looked for: {}",
        counted(*records),
        Format::shapes()
    )]
    UnknownShape {
        /// How many records there are.
        records: usize,
        /// Whether the first is what a hook of Claude Code was given.
        is_hook: bool,
    },
    /// The format is known, and the records hold no conversation.
    #[error("recognised as {}, and it holds {missing}", .format.name())]
    NoSession {
        /// The format.
        format: Format,
        /// What was looked for.
        missing: &'static str,
    },
}

impl NotATranscript {
    /// What can be done.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSession {
                format: Format::OpenTelemetry,
                ..
            } => {
                "instrumentations leave content out unless told otherwise: set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true where the agent runs"
            }
            Self::UnknownShape { is_hook: true, .. } => {
                "this is what a hook was given: the session is the file that its `transcript_path` names"
            }
            _ => {
                "what is read of each format, and a format of our own that is easy to write, stand in docs/observe.md"
            }
        }
    }
}

fn counted(number: usize) -> String {
    match number {
        1 => "1 record".to_owned(),
        _ => format!("{number} records"),
    }
}

/// Reads a transcript. What cannot be read of it is counted; only a file without any record of a
/// known format is an error.
pub fn read(bytes: &[u8]) -> Result<Transcript, NotATranscript> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(NotATranscript::Empty);
    }
    let mut found = Found::default();
    found.records(bytes)?;
    let sample = found.records.iter().take(SAMPLED_RECORDS);
    let Some(format) = Format::recognise(sample.map(|record| &record.value)) else {
        return Err(NotATranscript::UnknownShape {
            records: found.records.len(),
            is_hook: found
                .records
                .first()
                .is_some_and(|record| record.value.get("hook_event_name").is_some()),
        });
    };
    let ambiguous = found.ambiguous;
    let mut transcript = Transcript {
        format,
        sessions: Vec::new(),
        broken: found.broken,
        broken_shown: found.broken_shown,
        notes: Vec::new(),
    };
    format.read(found.records, &mut transcript);
    if transcript.sessions.is_empty() {
        let missing = format.missing();
        return Err(NotATranscript::NoSession { format, missing });
    }
    if ambiguous > 0 {
        transcript.notes.push(format!(
            "{ambiguous} records hold json that two readers could read differently, such as a member given twice; they were read as most readers do, the last one counts"
        ));
    }
    Ok(transcript)
}

/// The records of a file, before their format is known.
#[derive(Default)]
struct Found {
    records: Vec<Record>,
    ambiguous: usize,
    broken: usize,
    broken_shown: Vec<Broken>,
}

impl Found {
    /// One document, or one record per line. A document that is spread over lines begins with a
    /// line that is no JSON by itself.
    fn records(&mut self, bytes: &[u8]) -> Result<(), NotATranscript> {
        let mut lines = lines(bytes);
        let first = lines.next();
        let is_lines = lines.next().is_some() && first.is_some_and(|(_, line)| is_json(line));
        if !is_lines {
            match self.value(bytes) {
                Ok(value) => {
                    self.push(value, 1, 0);
                    return Ok(());
                }
                Err(reason) if first.is_none_or(|(_, line)| line.len() == bytes.len()) => {
                    return Err(NotATranscript::NoJson { reason });
                }
                Err(_) => {}
            }
        }
        self.lines(bytes)
    }

    fn lines(&mut self, bytes: &[u8]) -> Result<(), NotATranscript> {
        let mut reason = None;
        for (number, line) in lines(bytes) {
            match self.value(line) {
                Ok(value) => self.push(value, number, 0),
                Err(why) => {
                    reason.get_or_insert_with(|| format!("line {number}: {why}"));
                    self.broken(number, why);
                }
            }
        }
        match (self.records.is_empty(), reason) {
            (true, reason) => Err(NotATranscript::NoJson {
                reason: reason.unwrap_or_default(),
            }),
            (false, _) => Ok(()),
        }
    }

    /// One value. Strictly first; what is only ambiguous is read as most readers read it, and said.
    fn value(&mut self, text: &[u8]) -> Result<Value, String> {
        if text.len() > RECORD_BYTES {
            return Err(format!(
                "{} bytes are more than {RECORD_BYTES}, the limit of one record",
                text.len()
            ));
        }
        if let Ok(value) = json::parse_written(text, RECORD_BYTES) {
            return Ok(value);
        }
        let read: Result<Value, _> = serde_json::from_slice(text);
        let value = read.map_err(|error| error.to_string())?;
        self.ambiguous += 1;
        Ok(value)
    }

    /// A list of records is its items; a list of messages is one record.
    fn push(&mut self, value: Value, line: usize, depth: usize) {
        match value {
            Value::Array(items) if depth < LIST_DEPTH && !Format::is_conversation(&items) => {
                for item in items {
                    self.push(item, line, depth + 1);
                }
            }
            value => self.records.push(Record { line, value }),
        }
    }

    fn broken(&mut self, line: usize, reason: String) {
        self.broken += 1;
        if self.broken_shown.len() < BROKEN_SHOWN {
            self.broken_shown.push(Broken { line, reason });
        }
    }
}

/// The lines that hold something, numbered from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .enumerate()
        .map(|(n, line)| (n + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty())
}

fn is_json(text: &[u8]) -> bool {
    text.len() <= RECORD_BYTES && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

impl Transcript {
    /// Counts a record that has not the shape that its format demands.
    pub(crate) fn is_broken(&mut self, line: usize, reason: impl Into<String>) {
        self.broken += 1;
        if self.broken_shown.len() < BROKEN_SHOWN {
            let reason = reason.into();
            self.broken_shown.push(Broken { line, reason });
        }
    }
}
