//! A message with a role, as chat APIs write it: OpenAI, Anthropic, AgentDojo.

use serde_json::Value;

use super::{list, text};
use crate::model::{Call, ToolDefinition};
use crate::session::{Builder, args, time};

/// Whether a value is a message.
pub(super) fn is_message(value: &Value) -> bool {
    matches!(
        text(value, "role"),
        Some("system" | "developer" | "user" | "assistant" | "tool" | "function" | "model")
    ) && (value.get("content").is_some()
        || value.get("tool_calls").is_some()
        || value.get("function_call").is_some())
}

/// Reads one message.
pub(super) fn message(builder: &mut Builder, message: &Value) {
    let content = message.get("content");
    match text(message, "role") {
        Some("system" | "developer") => {
            for text in texts(content) {
                builder.system(&text);
            }
        }
        Some("user") => user(builder, message, content),
        Some("assistant" | "model") => assistant(builder, message, content),
        Some("tool" | "function") => tool(builder, message, content),
        _ => builder.skip("messages of an unknown role"),
    }
}

fn user(builder: &mut Builder, message: &Value, content: Option<&Value>) {
    let at = time(message.get("timestamp").or(message.get("created_at")));
    let mut words = Vec::new();
    match content {
        Some(Value::Array(blocks)) => {
            for block in blocks {
                match block_text(block) {
                    Some(text) => words.push(text.to_owned()),
                    None => other_block(builder, block),
                }
            }
        }
        Some(Value::String(text)) => words.push(text.clone()),
        _ => {}
    }
    builder.principal(words, at);
}

fn assistant(builder: &mut Builder, message: &Value, content: Option<&Value>) {
    match content {
        Some(Value::Array(blocks)) => {
            for block in blocks {
                match block_text(block) {
                    Some(text) => builder.agent(text),
                    None => other_block(builder, block),
                }
            }
        }
        Some(Value::String(text)) => builder.agent(text),
        _ => {}
    }
    let at = time(message.get("timestamp").or(message.get("created_at")));
    for call in list(message, "tool_calls") {
        match tool_call(call) {
            Some(call) => builder.call(Call { at, ..call }),
            None => builder.skip("tool calls without a name"),
        }
    }
    if let Some(legacy) = message.get("function_call").filter(|call| call.is_object())
        && let Some(call) = named(legacy, "arguments")
    {
        builder.call(Call { at, ..call });
    }
}

/// `{id, function: {name, arguments}}`, or AgentDojo's `{id, function: "name", args}`.
fn tool_call(call: &Value) -> Option<Call> {
    let id = text(call, "id").map(str::to_owned);
    let read = match call.get("function") {
        Some(Value::String(tool)) => Some(Call {
            id: None,
            tool: tool.clone(),
            args: args(call.get("args").or(call.get("arguments"))),
            at: None,
            origin: None,
        }),
        Some(function) => named(function, "arguments"),
        // Custom tools take a text.
        None => match call.get("custom") {
            Some(custom) => named(custom, "input"),
            None => named(call, "arguments").or_else(|| named(call, "args")),
        },
    };
    read.map(|call| Call { id, ..call })
}

fn named(value: &Value, arguments: &str) -> Option<Call> {
    Some(Call {
        id: None,
        tool: text(value, "name")?.to_owned(),
        args: args(value.get(arguments)),
        at: None,
        origin: None,
    })
}

fn tool(builder: &mut Builder, message: &Value, content: Option<&Value>) {
    let error = message.get("error").filter(|error| !error.is_null());
    let value = match (plain_content(content), error) {
        (Value::String(text), Some(error)) if text.is_empty() => error.clone(),
        (value, _) => value,
    };
    let id = text(message, "tool_call_id").or_else(|| {
        let call = message.get("tool_call")?;
        text(call, "id")
    });
    let id = id.filter(|id| !id.is_empty());
    let name = text(message, "name").or_else(|| {
        let call = message.get("tool_call")?;
        text(call, "function")
    });
    builder.output(id, name, value, error.is_some());
}

/// Blocks that are no text: calls, results, and what is not read.
fn other_block(builder: &mut Builder, block: &Value) {
    let kind = text(block, "type").unwrap_or_default();
    if kind.ends_with("tool_use") {
        let Some(tool) = text(block, "name") else {
            return builder.skip("tool calls without a name");
        };
        builder.call(Call {
            id: text(block, "id").map(str::to_owned),
            tool: tool.to_owned(),
            args: match block.get("input") {
                Some(Value::String(input)) => args(Some(&Value::String(input.clone()))),
                input => args(input),
            },
            at: None,
            origin: None,
        });
    } else if kind.ends_with("tool_result") {
        let value = plain_content(block.get("content"));
        let is_error = block.get("is_error").and_then(Value::as_bool) == Some(true);
        builder.output(text(block, "tool_use_id"), None, value, is_error);
    } else if !matches!(kind, "thinking" | "redacted_thinking" | "reasoning") {
        builder.skip("images, files and other blocks that are no text");
    }
}

/// The text of a block that is one.
fn block_text(block: &Value) -> Option<&str> {
    match block {
        Value::String(text) => Some(text),
        _ => match text(block, "type") {
            Some("text" | "input_text" | "output_text" | "refusal") | None => text(block, "text")
                .or_else(|| text(block, "content"))
                .or_else(|| text(block, "refusal")),
            Some(_) => None,
        },
    }
}

fn texts(content: Option<&Value>) -> Vec<String> {
    match content {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(blocks)) => blocks
            .iter()
            .filter_map(block_text)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// A result as its tool gave it: one text block is that text, several are joined, and JSON stays.
pub(super) fn plain_content(content: Option<&Value>) -> Value {
    match content {
        None | Some(Value::Null) => Value::String(String::new()),
        Some(Value::Array(blocks))
            if !blocks.is_empty() && blocks.iter().all(|block| block.get("type").is_some()) =>
        {
            Value::String(texts(content).join("\n"))
        }
        Some(value) => value.clone(),
    }
}

/// The tools that a request offers, in the shapes of all three APIs.
pub(super) fn tools(builder: &mut Builder, tools: &[Value]) {
    for tool in tools {
        let tool = match tool.get("function") {
            Some(function @ Value::Object(_)) => function,
            _ => tool,
        };
        let Some(name) = text(tool, "name") else {
            continue;
        };
        let schema = ["parameters", "input_schema", "inputSchema"]
            .into_iter()
            .find_map(|member| tool.get(member))
            .filter(|schema| schema.is_object());
        builder.tool(ToolDefinition {
            name: name.to_owned(),
            description: text(tool, "description").unwrap_or_default().to_owned(),
            arguments: schema.cloned(),
        });
    }
}
