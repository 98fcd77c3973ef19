//! Lists of messages: alone, as requests with or without responses, and AgentDojo's run logs.

use serde_json::Value;

use super::message::{is_message, message, tools};
use super::{Collected, Record, is_list, list, text};
use crate::model::Transcript;
use crate::session::Builder;

/// Whether a list is one conversation.
pub(super) fn is_conversation(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(is_message)
}

pub(super) fn is_chat(record: &Value) -> bool {
    match record {
        Value::Array(items) => is_conversation(items),
        _ => is_message(record) || request(record).is_some() || response(record).is_some(),
    }
}

pub(super) fn is_anthropic(record: &Value) -> bool {
    let messages = match record {
        Value::Array(items) => items.as_slice(),
        record if is_message(record) => std::slice::from_ref(record),
        record => match request(record) {
            Some(request) if has_anthropic_tools(request) => return true,
            Some(request) => list(request, "messages"),
            None => return false,
        },
    };
    let blocks = messages.iter().flat_map(|message| list(message, "content"));
    blocks
        .filter_map(|block| text(block, "type"))
        .any(|kind| kind.ends_with("tool_use") || kind.ends_with("tool_result"))
}

fn has_anthropic_tools(request: &Value) -> bool {
    request.get("system").is_some()
        || list(request, "tools")
            .iter()
            .any(|tool| tool.get("input_schema").is_some())
}

pub(super) fn is_agentdojo(record: &Value) -> bool {
    is_list(record, "messages")
        && ["suite_name", "user_task_id", "pipeline_name"]
            .iter()
            .any(|member| record.get(member).is_some())
}

/// The object that holds `messages`: the record itself, or what is logged of the request in it.
fn request(record: &Value) -> Option<&Value> {
    let places = [
        Some(record),
        record.get("request"),
        record.get("body"),
        record
            .get("request")
            .and_then(|request| request.get("body")),
        record.get("kwargs"),
    ];
    places
        .into_iter()
        .flatten()
        .find(|place| is_list(place, "messages"))
}

/// The object that holds the answer: `choices`, or a message of the assistant.
fn response(record: &Value) -> Option<&Value> {
    let places = [
        Some(record),
        record.get("response"),
        record
            .get("response")
            .and_then(|response| response.get("body")),
        record.get("completion"),
    ];
    places.into_iter().flatten().find(|place| {
        is_list(place, "choices")
            || (text(place, "role") == Some("assistant") && is_list(place, "content"))
    })
}

pub(super) fn read(records: Vec<Record>, out: &mut Transcript) {
    let mut collected = Collected::default();
    // Messages that stand on lines of their own are one conversation.
    let mut loose = Builder::named("messages");
    for (n, record) in records.into_iter().enumerate() {
        let value = &record.value;
        if let Value::Array(items) = value {
            let mut builder = Builder::named(format!("conversation {}", n + 1));
            items.iter().for_each(|item| message(&mut builder, item));
            collected.add_growing(builder);
        } else if let Some(request) = request(value) {
            collected.add_growing(conversation(value, request, n));
        } else if is_message(value) {
            message(&mut loose, value);
        } else if response(value).is_some() {
            loose.skip("responses whose request is not in the same record");
        } else {
            out.is_broken(
                record.line,
                "an object without `messages` and without `role`",
            );
        }
    }
    collected.add(loose);
    collected.finish(out);
}

fn conversation(record: &Value, request: &Value, n: usize) -> Builder {
    let mut builder = Builder::named(name(record, n));
    builder.agent_is(
        text(record, "pipeline_name")
            .or(text(request, "model"))
            .or(text(record, "model")),
    );
    tools(&mut builder, list(request, "tools"));
    match request.get("system") {
        Some(Value::String(system)) => builder.system(system),
        Some(blocks) => {
            let blocks = blocks.as_array().map(Vec::as_slice).unwrap_or_default();
            let texts = blocks.iter().filter_map(|block| text(block, "text"));
            texts.for_each(|text| builder.system(text));
        }
        None => {}
    }
    for item in list(request, "messages") {
        message(&mut builder, item);
    }
    if let Some(response) = response(record) {
        for choice in list(response, "choices").iter().take(1) {
            if let Some(answer) = choice.get("message") {
                message(&mut builder, answer);
            }
        }
        if text(response, "role") == Some("assistant") {
            message(&mut builder, response);
        }
    }
    builder
}

fn name(record: &Value, n: usize) -> String {
    if is_agentdojo(record) {
        let of = |member| text(record, member).unwrap_or_default();
        let injection = match text(record, "injection_task_id") {
            Some(task) => format!(" × {task}"),
            None => String::new(),
        };
        return format!("{}/{}{injection}", of("suite_name"), of("user_task_id"));
    }
    let id = [
        "session_id",
        "conversation_id",
        "thread_id",
        "custom_id",
        "id",
    ]
    .into_iter()
    .find_map(|member| text(record, member));
    id.map_or_else(|| format!("conversation {}", n + 1), str::to_owned)
}
