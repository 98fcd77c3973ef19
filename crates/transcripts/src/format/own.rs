//! Our own JSON Lines: one object per line, a turn, a call, a result or a tool.

use std::collections::BTreeMap;

use countersign_core::document::PartBy;
use countersign_core::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Collected, Record, text};
use crate::model::{Call, Part, ToolDefinition, Transcript};
use crate::session::{Builder, args};

/// One line.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    Turn {
        #[serde(default)]
        session: String,
        #[serde(default)]
        text: Option<String>,
        #[serde(default)]
        parts: Vec<TextPart>,
        #[serde(default)]
        at: Option<Timestamp>,
    },
    Call {
        #[serde(default)]
        session: String,
        #[serde(default)]
        id: Option<String>,
        tool: String,
        #[serde(default)]
        args: Value,
        #[serde(default)]
        at: Option<Timestamp>,
    },
    Result {
        #[serde(default)]
        session: String,
        #[serde(default)]
        call: Option<String>,
        result: Value,
        #[serde(default)]
        is_error: bool,
    },
    Tool {
        name: String,
        #[serde(default)]
        description: String,
        #[serde(default)]
        arguments: Option<Value>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextPart {
    by: PartBy,
    text: String,
}

pub(super) fn is_line(record: &Value) -> bool {
    let has = |member| record.get(member).is_some();
    match text(record, "kind") {
        Some("turn") => has("text") || has("parts"),
        Some("call") => has("tool"),
        Some("result") => has("result"),
        Some("tool") => has("name"),
        _ => false,
    }
}

pub(super) fn read(records: Vec<Record>, out: &mut Transcript) {
    let mut sessions: Vec<Builder> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut tools = Vec::new();
    for record in records {
        let line = match serde_json::from_value::<Line>(record.value) {
            Ok(line) => line,
            Err(error) => {
                out.is_broken(record.line, error.to_string());
                continue;
            }
        };
        let session = match &line {
            Line::Turn { session, .. }
            | Line::Call { session, .. }
            | Line::Result { session, .. } => session.clone(),
            Line::Tool { .. } => {
                tools.push(line);
                continue;
            }
        };
        let place = *places.entry(session.clone()).or_insert_with(|| {
            let name = if session.is_empty() {
                "session"
            } else {
                &session
            };
            sessions.push(Builder::named(name));
            sessions.len() - 1
        });
        if let Some(builder) = sessions.get_mut(place) {
            one(builder, line);
        }
    }
    for tool in tools {
        if let (
            Line::Tool {
                name,
                description,
                arguments,
            },
            Some(builder),
        ) = (tool, sessions.first_mut())
        {
            builder.tool(ToolDefinition {
                name,
                description,
                arguments,
            });
        }
    }
    let mut collected = Collected::default();
    sessions
        .into_iter()
        .for_each(|builder| collected.add(builder));
    collected.finish(out);
}

fn one(builder: &mut Builder, line: Line) {
    match line {
        Line::Turn {
            text, parts, at, ..
        } => {
            let words = text.map(|text| Part {
                by: PartBy::Principal,
                text,
            });
            let others = parts.into_iter().map(|part| Part {
                by: part.by,
                text: part.text,
            });
            builder.turn(words.into_iter().chain(others).collect(), at);
        }
        Line::Call {
            id,
            tool,
            args: given,
            at,
            ..
        } => builder.call(Call {
            id,
            tool,
            args: args(Some(&given)),
            at,
            origin: None,
        }),
        Line::Result {
            call,
            result,
            is_error,
            ..
        } => builder.output(call.as_deref(), None, result, is_error),
        Line::Tool { .. } => {}
    }
}
