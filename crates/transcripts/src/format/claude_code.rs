//! Session transcripts of Claude Code: one JSON object per line.
//!
//! What the program itself puts into `user` lines (reminders, the output of slash commands,
//! summaries, the errands of sub-agents) are not the person's words.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::message::{is_message, message};
use super::{Collected, Record, text};
use crate::model::Transcript;
use crate::session::{Builder, time};

/// How texts begin that the program writes into `user` lines.
const NOT_THE_PERSON: &[&str] = &[
    "<system-reminder>",
    "<command-name>",
    "<command-message>",
    "<command-args>",
    "<local-command-stdout>",
    "<local-command-stderr>",
    "<local-command-caveat>",
    "<bash-stdout>",
    "<bash-stderr>",
    "<task-notification>",
    "<ide_opened_file>",
    "<ide_selection>",
    "<user-prompt-submit-hook>",
    "[Request interrupted by user",
    "Caveat: The messages below were generated",
    "This session is being continued from a previous conversation",
];

pub(super) fn is_line(record: &Value) -> bool {
    let has = |member| record.get(member).is_some();
    text(record, "type").is_some()
        && (has("sessionId") || has("uuid"))
        && (record.get("message").is_some_and(is_message) || has("sessionId"))
}

pub(super) fn read(records: Vec<Record>, out: &mut Transcript) {
    let mut sessions: Vec<Builder> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for record in records {
        let line = &record.value;
        if let Some(uuid) = text(line, "uuid")
            && !known.insert(uuid.to_owned())
        {
            continue;
        }
        let session = text(line, "sessionId").unwrap_or("session").to_owned();
        let place = *places.entry(session.clone()).or_insert_with(|| {
            sessions.push(Builder::named(&session));
            sessions.len() - 1
        });
        let Some(builder) = sessions.get_mut(place) else {
            continue;
        };
        match (text(line, "type"), line.get("message")) {
            (Some("assistant"), Some(said)) => {
                builder.agent_is(text(said, "model").filter(|model| !model.starts_with('<')));
                message(builder, &with_time(said, line));
            }
            (Some("user"), Some(said)) => user(builder, line, said),
            _ => builder.skip("lines that are no messages"),
        }
    }
    let mut collected = Collected::default();
    sessions
        .into_iter()
        .for_each(|builder| collected.add(builder));
    collected.finish(out);
}

fn user(builder: &mut Builder, line: &Value, said: &Value) {
    let is = |member| line.get(member).and_then(Value::as_bool) == Some(true);
    let is_person = !is("isMeta")
        && !is("isSidechain")
        && !is("isCompactSummary")
        && !is("isVisibleInTranscriptOnly");
    let blocks = match said.get("content") {
        Some(Value::Array(blocks)) => blocks.clone(),
        Some(Value::String(words)) => vec![serde_json::json!({ "type": "text", "text": words })],
        _ => Vec::new(),
    };
    let mut words = Vec::new();
    for block in blocks {
        if text(&block, "type") != Some("text") {
            // Results, and what is not read.
            let one = serde_json::json!({ "role": "user", "content": [block] });
            message(builder, &one);
            continue;
        }
        let said = text(&block, "text").unwrap_or_default();
        let begins = said.trim_start();
        let by_program = NOT_THE_PERSON.iter().any(|lead| begins.starts_with(lead));
        if by_program {
            builder.system(said);
        } else if is("isSidechain") {
            builder.skip("errands that the agent gave to sub-agents");
        } else if is_person {
            words.push(said.to_owned());
        } else {
            builder.system(said);
        }
    }
    builder.principal(words, time(line.get("timestamp")));
}

/// The message with the time of its line.
fn with_time(said: &Value, line: &Value) -> Value {
    let mut said = said.clone();
    if let (Value::Object(members), Some(at)) = (&mut said, line.get("timestamp")) {
        members.insert("timestamp".to_owned(), at.clone());
    }
    said
}
