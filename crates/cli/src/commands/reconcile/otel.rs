//! OpenTelemetry spans of tool calls (semantic conventions for generative AI, `execute_tool`), as
//! OTLP JSON.

use serde_json::{Map, Value};

use super::outside::{Record, hash, time};

/// Attribute in which a span may name the entry of its decision.
const ENTRY: &str = "dev.countersign.entry_id";
/// How deep lists and maps of attributes are read.
const DEPTH: usize = 32;

/// The tool calls of a document; what it holds beside traces is passed over.
pub(super) fn records(document: &Value) -> Result<Vec<Record>, String> {
    let spans = each(document, &["resourceSpans", "resource_spans"])
        .flat_map(|resource| each(resource, &["scopeSpans", "scope_spans"]))
        .flat_map(|scope| each(scope, &["spans"]));
    spans.filter_map(|span| record(span).transpose()).collect()
}

fn each<'a>(value: &'a Value, names: &[&str]) -> impl Iterator<Item = &'a Value> {
    let list = names.iter().find_map(|name| value.get(*name)?.as_array());
    list.into_iter().flatten()
}

fn record(span: &Value) -> Result<Option<Record>, String> {
    let attribute = |wanted: &str| {
        let found = each(span, &["attributes"])
            .find(|it| it.get("key").and_then(Value::as_str) == Some(wanted));
        found?.get("value")
    };
    let text = |wanted: &str| {
        let value = attribute(wanted)?.get("stringValue")?;
        value.as_str().map(str::to_owned)
    };
    let name = span.get("name").and_then(Value::as_str).unwrap_or_default();
    let operation = text("gen_ai.operation.name");
    let is_call = match &operation {
        Some(operation) => operation == "execute_tool",
        None => name == "execute_tool" || name.starts_with("execute_tool "),
    };
    if !is_call {
        return Ok(None);
    }
    let begun = ["startTimeUnixNano", "start_time_unix_nano"];
    let begun = begun.iter().find_map(|name| span.get(*name));
    let args = attribute("gen_ai.tool.call.arguments").map(|value| hash(&plain(value, DEPTH)));
    let named = name.strip_prefix("execute_tool ").map(str::to_owned);
    Ok(Some(Record {
        place: String::new(),
        time: begun.map(time).transpose()?,
        tool: text("gen_ai.tool.name").or(named),
        entry_id: text(ENTRY),
        call_id: text("gen_ai.tool.call.id"),
        args_sha256: args,
    }))
}

/// An attribute's value as JSON.
fn plain(value: &Value, depth: usize) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|members| members.iter().next()) else {
        return Value::Null;
    };
    if depth == 0 {
        return Value::Null;
    }
    match kind.as_str() {
        // 64-bit whole numbers are texts in OTLP JSON.
        "intValue" => inner
            .as_str()
            .and_then(|text| text.parse::<i64>().ok())
            .map_or_else(|| inner.clone(), Value::from),
        "arrayValue" => each(inner, &["values"])
            .map(|item| plain(item, depth - 1))
            .collect(),
        "kvlistValue" => {
            let members = each(inner, &["values"]).filter_map(|member| {
                let name = member.get("key")?.as_str()?.to_owned();
                Some((name, plain(member.get("value")?, depth - 1)))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        _ => inner.clone(),
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::json::CanonicalJson;
    use serde_json::json;

    use super::*;

    fn document(spans: &Value) -> Value {
        json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": spans}]}]})
    }

    #[test]
    fn tool_calls_are_found_among_other_spans() {
        let attribute = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
        let args = json!({"to": ["a"], "n": 7, "yes": true});
        let found = records(&document(&json!([
            {"name": "chat gpt", "attributes": [attribute("gen_ai.operation.name", "chat")]},
            {
                "name": "execute_tool send", "startTimeUnixNano": "1776470000000000321",
                "attributes": [
                    attribute("gen_ai.operation.name", "execute_tool"),
                    attribute("gen_ai.tool.name", "send"),
                    attribute("gen_ai.tool.call.id", "call_1"),
                    attribute("gen_ai.tool.call.arguments", &args.to_string()),
                    attribute("dev.countersign.entry_id", "01HYA"),
                ],
            },
            {
                "name": "execute_tool read", "start_time_unix_nano": 1_776_470_000_000_000_321_i64,
                "attributes": [{"key": "gen_ai.tool.call.arguments", "value": {"kvlistValue": {"values": [
                    {"key": "n", "value": {"intValue": "7"}},
                    {"key": "yes", "value": {"boolValue": true}},
                    {"key": "to", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
                ]}}}],
            },
        ])))
        .unwrap();
        let digest = CanonicalJson::of(&args).unwrap().digest();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].entry_id.as_deref(), Some("01HYA"));
        assert_eq!(found[0].call_id.as_deref(), Some("call_1"));
        assert_eq!(found[1].tool.as_deref(), Some("read"));
        for record in &found {
            assert_eq!(record.args_sha256, Some(digest));
            assert_eq!(record.time.unwrap().to_string(), "2026-04-17T23:53:20.000Z");
        }
        assert!(records(&json!({"resourceLogs": []})).unwrap().is_empty());
        let wrong = document(&json!([{"name": "execute_tool x", "startTimeUnixNano": "soon"}]));
        assert!(records(&wrong).is_err());
    }
}
