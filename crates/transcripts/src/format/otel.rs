//! OTLP JSON with spans of the OpenTelemetry semantic conventions for generative AI: messages of
//! model calls, and `execute_tool` spans.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::message::tools;
use super::{Collected, Record, list, text};
use crate::limits::ATTRIBUTE_DEPTH;
use crate::model::{Call, Event, Transcript};
use crate::session::{Builder, args};
use countersign_core::time::Timestamp;

/// A span with what is read of it.
struct Span {
    started: u64,
    group: String,
    attributes: Map<String, Value>,
}

pub(super) fn read(records: Vec<Record>, out: &mut Transcript) {
    let mut spans = Vec::new();
    for record in records {
        let resources = list(&record.value, "resourceSpans");
        if resources.is_empty() && record.value.get("resourceSpans").is_none() {
            out.is_broken(record.line, "an object without `resourceSpans`");
        }
        for resource in resources {
            let scopes = list(resource, "scopeSpans").iter();
            for scope in scopes.chain(list(resource, "instrumentationLibrarySpans")) {
                spans.extend(list(scope, "spans").iter().filter_map(span));
            }
        }
    }
    spans.sort_by_key(|span| span.started);
    let mut groups: Vec<(String, Vec<Span>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for span in spans {
        let place = *places.entry(span.group.clone()).or_insert_with(|| {
            groups.push((span.group.clone(), Vec::new()));
            groups.len() - 1
        });
        if let Some((_, group)) = groups.get_mut(place) {
            group.push(span);
        }
    }
    let mut collected = Collected::default();
    for (name, spans) in groups {
        collected.add(session(&name, &spans));
    }
    collected.finish(out);
}

/// A span of the conventions; the attributes of its events count as its own.
fn span(span: &Value) -> Option<Span> {
    let mut attributes = Map::new();
    let events = list(span, "events").iter();
    for holder in events.chain(Some(span)) {
        for attribute in list(holder, "attributes") {
            if let (Some(key), Some(value)) = (text(attribute, "key"), attribute.get("value"))
                && key.starts_with("gen_ai.")
            {
                attributes.insert(key.to_owned(), any(value, 0));
            }
        }
    }
    if attributes.is_empty() {
        return None;
    }
    let group = attributes
        .get("gen_ai.conversation.id")
        .and_then(Value::as_str)
        .or(text(span, "traceId"))
        .unwrap_or("trace");
    Some(Span {
        started: match span.get("startTimeUnixNano") {
            Some(Value::String(nanos)) => nanos.parse().unwrap_or(0),
            Some(nanos) => nanos.as_u64().unwrap_or(0),
            None => 0,
        },
        group: group.to_owned(),
        attributes,
    })
}

/// An OTLP `AnyValue` as JSON.
fn any(value: &Value, depth: usize) -> Value {
    if depth > ATTRIBUTE_DEPTH {
        return Value::Null;
    }
    let Value::Object(members) = value else {
        return value.clone();
    };
    match members.iter().next() {
        Some((name, inner)) => match name.as_str() {
            "stringValue" | "boolValue" | "doubleValue" | "bytesValue" => inner.clone(),
            "intValue" => match inner {
                Value::String(digits) => digits.parse::<i64>().map_or(Value::Null, Value::from),
                number => number.clone(),
            },
            "arrayValue" => {
                let values = list(inner, "values").iter();
                values.map(|value| any(value, depth + 1)).collect()
            }
            "kvlistValue" => {
                let members = list(inner, "values").iter().filter_map(|member| {
                    let value = member.get("value").map(|value| any(value, depth + 1));
                    Some((text(member, "key")?.to_owned(), value.unwrap_or_default()))
                });
                Value::Object(members.collect())
            }
            _ => Value::Null,
        },
        None => Value::Null,
    }
}

fn session(name: &str, spans: &[Span]) -> Builder {
    let mut builder = Builder::named(name);
    for span in spans {
        let of = |name: &str| span.attributes.get(name);
        builder.agent_is(
            of("gen_ai.agent.name")
                .or(of("gen_ai.request.model"))
                .and_then(Value::as_str),
        );
        tools(&mut builder, &structured(of("gen_ai.tool.definitions")));
        let at = Some(Timestamp::from_millis(
            i64::try_from(span.started / 1_000_000).unwrap_or(0),
        ));
        if of("gen_ai.operation.name").and_then(Value::as_str) == Some("execute_tool") {
            execute_tool(&mut builder, span, at);
            continue;
        }
        let mut own = Builder::named(name);
        for part in structured(of("gen_ai.system_instructions")) {
            if let Some(words) = text(&part, "content") {
                own.system(words);
            }
        }
        for said in structured(of("gen_ai.input.messages")) {
            message(&mut own, &said, at);
        }
        for said in structured(of("gen_ai.output.messages")) {
            message(&mut own, &said, at);
        }
        merge(&mut builder, own);
    }
    builder
}

/// A list of objects, as such or as a string of JSON: exporters write both.
fn structured(value: Option<&Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items.clone(),
        Some(Value::String(json)) => serde_json::from_str(json).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn execute_tool(builder: &mut Builder, span: &Span, at: Option<Timestamp>) {
    let of = |name: &str| span.attributes.get(name);
    let id = of("gen_ai.tool.call.id").and_then(Value::as_str);
    let Some(tool) = of("gen_ai.tool.name").and_then(Value::as_str) else {
        return builder.skip("execute_tool spans without the tool's name");
    };
    if !id.is_some_and(|id| builder.knows(id)) {
        let Some(arguments) = of("gen_ai.tool.call.arguments") else {
            return builder.skip("execute_tool spans without arguments");
        };
        builder.call(Call {
            id: id.map(str::to_owned),
            tool: tool.to_owned(),
            args: args(Some(arguments)),
            at,
            origin: None,
        });
    }
    if id.is_some_and(|id| builder.is_answered(id)) {
        return;
    }
    if let Some(result) = of("gen_ai.tool.call.result") {
        let failed = of("error.type").is_some();
        builder.output(id, Some(tool), result.clone(), failed);
    }
}

/// A message in parts, as the conventions have it.
fn message(builder: &mut Builder, said: &Value, at: Option<Timestamp>) {
    let role = text(said, "role").unwrap_or_default();
    let mut words = Vec::new();
    for part in list(said, "parts") {
        match (text(part, "type"), role) {
            (Some("text"), "user") => words.extend(text(part, "content").map(str::to_owned)),
            (Some("text"), "assistant") => builder.agent(text(part, "content").unwrap_or_default()),
            (Some("text"), _) => builder.system(text(part, "content").unwrap_or_default()),
            (Some("tool_call"), _) => match text(part, "name") {
                Some(tool) => builder.call(Call {
                    id: text(part, "id").map(str::to_owned),
                    tool: tool.to_owned(),
                    args: args(part.get("arguments")),
                    at,
                    origin: None,
                }),
                None => builder.skip("tool calls without a name"),
            },
            (Some("tool_call_response"), _) => {
                let value = part.get("response").or(part.get("result"));
                let value = value.cloned().unwrap_or_default();
                builder.output(text(part, "id"), None, value, false);
            }
            (Some("reasoning"), _) => {}
            _ => builder.skip("parts of messages that are no text"),
        }
    }
    builder.principal(words, at);
}

/// Takes over what a later span tells beyond the earlier ones: each holds the conversation so far.
fn merge(builder: &mut Builder, own: Builder) {
    let known = builder.events().len();
    // Both tell the same story in order, so what was met once is not met again: a second "yes" is
    // another turn.
    let mut met = 0;
    let (session, skipped) = own.finish();
    for (what, times) in skipped {
        *builder.skipped.entry(what).or_default() += times;
    }
    let mut ids: Vec<Option<String>> = Vec::new();
    for event in session.events {
        ids.push(match &event {
            Event::Call(call) => call.id.clone(),
            _ => None,
        });
        if !matches!(event, Event::Output(_)) {
            let mut rest = builder.events().iter().take(known).skip(met);
            if let Some(at) = rest.position(|old| old.is_same(&event)) {
                met += at + 1;
                continue;
            }
        }
        match event {
            Event::Turn(turn) => builder.turn(turn.parts, turn.at),
            Event::Call(call) => builder.call(call),
            Event::Output(output) => {
                let id = ids.get(output.call).cloned().flatten();
                match id {
                    Some(id) if builder.is_answered(&id) => {}
                    Some(id) => builder.output(Some(&id), None, output.value, output.is_error),
                    None => builder.output(None, None, output.value, output.is_error),
                }
            }
        }
    }
}
