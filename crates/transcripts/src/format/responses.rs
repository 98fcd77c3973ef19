//! Items of the OpenAI Responses API: requests with `input`, responses with `output`, or a list of
//! items.

use serde_json::Value;

use super::message::{message, plain_content, tools};
use super::{Collected, Record, is_list, list, text};
use crate::model::{Call, Transcript};
use crate::session::{Builder, args};

pub(super) fn is_conversation(items: &[Value]) -> bool {
    items.iter().any(is_tool_item)
        && items
            .iter()
            .all(|item| is_item(item) || item.get("role").is_some())
}

pub(super) fn is_responses(record: &Value) -> bool {
    match record {
        Value::Array(items) => is_conversation(items),
        _ => {
            is_tool_item(record)
                || input(record).is_some()
                || list(record, "output").iter().any(is_item)
        }
    }
}

fn is_tool_item(item: &Value) -> bool {
    matches!(
        text(item, "type"),
        Some(
            "function_call"
                | "function_call_output"
                | "custom_tool_call"
                | "custom_tool_call_output"
                | "mcp_call"
        )
    )
}

fn is_item(item: &Value) -> bool {
    is_tool_item(item)
        || matches!(
            text(item, "type"),
            Some(
                "message" | "reasoning" | "web_search_call" | "file_search_call" | "computer_call"
            )
        )
}

/// The object with `input`: the record itself, or the request in it.
fn input(record: &Value) -> Option<&Value> {
    let is_request = |place: &&Value| {
        let has_items = list(place, "input")
            .iter()
            .any(|item| is_item(item) || item.get("role").is_some());
        let has_words = place.get("input").is_some_and(Value::is_string)
            && (place.get("model").is_some() || is_list(place, "output"));
        has_items || has_words
    };
    [Some(record), record.get("request"), record.get("body")]
        .into_iter()
        .flatten()
        .find(is_request)
}

pub(super) fn read(records: Vec<Record>, out: &mut Transcript) {
    let mut collected = Collected::default();
    let mut loose = Builder::named("items");
    for (n, record) in records.into_iter().enumerate() {
        let value = &record.value;
        let name = || {
            let id = text(value, "session_id").or(text(value, "conversation_id"));
            id.map_or_else(|| format!("conversation {}", n + 1), str::to_owned)
        };
        if let Value::Array(items) = value {
            let mut builder = Builder::named(name());
            items.iter().for_each(|one| item(&mut builder, one));
            collected.add_growing(builder);
        } else if let Some(request) = input(value) {
            let mut builder = Builder::named(name());
            builder.agent_is(text(request, "model"));
            tools(&mut builder, list(request, "tools"));
            if let Some(instructions) = text(request, "instructions") {
                builder.system(instructions);
            }
            match request.get("input") {
                Some(Value::String(words)) => builder.principal(vec![words.clone()], None),
                _ => list(request, "input")
                    .iter()
                    .for_each(|one| item(&mut builder, one)),
            }
            let answer = value.get("response").unwrap_or(value);
            list(answer, "output")
                .iter()
                .for_each(|one| item(&mut builder, one));
            collected.add_growing(builder);
        } else if is_item(value) || value.get("role").is_some() {
            item(&mut loose, value);
        } else if is_list(value, "output") {
            list(value, "output")
                .iter()
                .for_each(|one| item(&mut loose, one));
        } else {
            out.is_broken(record.line, "an object without `input` and without items");
        }
    }
    collected.add(loose);
    collected.finish(out);
}

fn item(builder: &mut Builder, item: &Value) {
    let id = text(item, "call_id").or(text(item, "id"));
    match text(item, "type") {
        Some("function_call" | "custom_tool_call" | "mcp_call") => {
            let Some(tool) = text(item, "name") else {
                return builder.skip("tool calls without a name");
            };
            let arguments = item.get("arguments").or(item.get("input"));
            builder.call(Call {
                id: id.map(str::to_owned),
                tool: tool.to_owned(),
                args: args(arguments),
                at: None,
                origin: None,
            });
            // An MCP call carries its own answer.
            if let (Some("mcp_call"), Some(output)) = (text(item, "type"), item.get("output"))
                && !output.is_null()
            {
                let failed = item.get("error").is_some_and(|error| !error.is_null());
                builder.output(id, None, plain_content(Some(output)), failed);
            }
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            builder.output(id, None, plain_content(item.get("output")), false);
        }
        Some("message") | None if item.get("role").is_some() => message(builder, item),
        Some("reasoning") => {}
        _ => builder.skip("calls of tools that run at the provider"),
    }
}
