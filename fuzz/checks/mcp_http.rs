//! What holds for any bytes that the relay takes over HTTP: events of a stream, headers that repeat
//! a body, and a body that goes on in another revision of the protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::http::bridge::{with_meta, without_meta};
use crate::http::mirror::{
    Body, META_CAPABILITIES, META_CLIENT, META_VERSION, METHOD, MODERN, NAME, Required, VERSION,
    check, of,
};
use crate::http::params::Tools;
use crate::http::sse::{Event, Reader, SseError, write};
use crate::jsonrpc::Message;

/// A stream means the same however it is cut, what is written anew reads as it was, and another
/// reader finds the same data.
pub(crate) fn mcp_sse(data: &[u8]) {
    let whole = events(data, data.len().max(1));
    for size in [1, 2, 3, 7] {
        assert_eq!(events(data, size), whole, "in chunks of {size}");
    }
    let Ok(whole) = whole else { return };
    let again: Vec<u8> = whole.iter().flat_map(write).collect();
    assert_eq!(events(&again, again.len().max(1)).as_ref(), Ok(&whole));
    let found = whole.iter().filter_map(|event| match event {
        Event::Comment => None,
        Event::Message(message) => message.data.clone(),
    });
    let found: Vec<Vec<u8>> = found.collect();
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(found, others(text));
        for event in &whole {
            let Event::Message(message) = event else {
                continue;
            };
            let id = message
                .id
                .iter()
                .all(|id| HeaderValue::from_str(id).is_ok());
            assert!(id, "an id that cannot be sent back");
        }
    }
}

fn events(data: &[u8], size: usize) -> Result<Vec<Event>, SseError> {
    let mut reader = Reader::default();
    let mut events = Vec::new();
    for chunk in data.chunks(size) {
        reader.push(chunk, &mut events)?;
    }
    Ok(events)
}

/// The data of the events of a stream, read line by line out of the whole text (WHATWG HTML section
/// 9.2.6).
fn others(text: &str) -> Vec<Vec<u8>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut found = Vec::new();
    let mut data: Option<String> = None;
    for line in text.split_inclusive('\n') {
        // What has no end is no line yet.
        let Some(line) = line.strip_suffix('\n') else {
            break;
        };
        if line.is_empty() {
            found.extend(data.take().map(String::into_bytes));
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            data = Some(match data {
                Some(before) => format!("{before}\n{value}"),
                None => value.to_owned(),
            });
        }
    }
    found
}

/// Headers, a line `---`, the message that they came with, and after another such line the schema of
/// the tool that it calls. Headers that pass are the text of what the body says, or its base64; with
/// another body they do not pass; those that the relay writes pass. In another revision the message
/// is the same but for the members of `_meta`.
pub(crate) fn mcp_headers(data: &[u8]) {
    let data = String::from_utf8_lossy(data);
    let mut parts = data.splitn(3, "\n---\n");
    let headers = read_headers(parts.next().unwrap_or_default());
    let message = parts.next().unwrap_or_default().trim_start_matches('\n');
    let Ok(message) = Message::read(message.as_bytes().to_vec()) else {
        return;
    };
    is_carried_over(&message);
    let (Some(method), Ok(params)) = (message.method(), message.strict()) else {
        return;
    };
    let params = params.as_ref();
    let body = Body { method, params };
    let tools = Tools::default();
    if let (Some(name), Ok(schema)) = (
        body.name(),
        serde_json::from_str::<Value>(parts.next().unwrap_or_default()),
    ) {
        tools.learn(name, &schema);
    }
    for required in [Required::Nothing, Required::Standard, Required::All] {
        if check(&headers, &body, &tools, required).is_ok() {
            repeats_the_body(&headers, &body, &tools, required);
        }
    }
    // More than what is demanded cannot be less.
    let passes = |required| check(&headers, &body, &tools, required).is_ok();
    assert!(!passes(Required::All) || passes(Required::Standard));
    assert!(!passes(Required::Standard) || passes(Required::Nothing));
    if body.version() == Some(MODERN) && can_be_written(&body, &tools) {
        let written: HeaderMap = of(&body, &tools).into_iter().collect();
        check(&written, &body, &tools, Required::All).unwrap();
        repeats_the_body(&written, &body, &tools, Required::All);
    }
}

fn read_headers(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let name = HeaderName::from_bytes(name.trim().as_bytes());
        // As a server takes them off the wire (RFC 9112 section 5.1).
        let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

fn repeats_the_body(headers: &HeaderMap, body: &Body<'_>, tools: &Tools, required: Required) {
    let only = |name: &HeaderName| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().map(|value| value.to_str().unwrap());
        assert!(all.next().is_none(), "`{name}` passed twice");
        first
    };
    let says = |header: &str, text: &str| {
        header == text || header == format!("=?base64?{}?=", STANDARD.encode(text))
    };
    if let Some(method) = only(&METHOD) {
        assert_eq!(method, body.method);
    }
    if let Some(name) = only(&NAME) {
        assert!(says(name, body.name().unwrap()));
        assert!(name.starts_with("=?base64?") || name == body.name().unwrap());
    }
    if required != Required::Nothing {
        assert_eq!(only(&VERSION), body.version());
        assert_eq!(only(&METHOD), Some(body.method));
        let is_named = matches!(body.method, "tools/call" | "prompts/get" | "resources/read");
        assert!(!is_named || only(&NAME).is_some());
    }
    let other = format!("{}x", body.method);
    let changed = Body {
        method: &other,
        ..*body
    };
    let is_said = headers.contains_key(METHOD);
    assert!(!is_said || check(headers, &changed, tools, required).is_err());
    let arguments = body.params.and_then(|params| params.get("arguments"));
    let name = body.name().filter(|_| body.method == "tools/call");
    for param in name.map(|name| tools.of(name)).unwrap_or_default() {
        let Some(header) = only(&param.name()) else {
            continue;
        };
        match arguments.and_then(|it| param.value(it)) {
            Some(Value::String(text)) => assert!(says(header, text), "{header}"),
            Some(Value::Bool(flag)) => assert!(says(header, &flag.to_string()), "{header}"),
            Some(Value::Number(_)) => {}
            other => panic!("`{header}` repeats {other:?}"),
        }
    }
    let known: Vec<HeaderName> = name
        .map(|name| tools.of(name))
        .unwrap_or_default()
        .iter()
        .map(|param| param.name())
        .collect();
    for name in headers.keys() {
        let is_param = name.as_str().starts_with("mcp-param-");
        if is_param && !known.contains(name) {
            assert!(arguments.is_some(), "`{name}` says what no body does");
        }
    }
}

/// Whether the method is a name, as that of each message that is relayed, and the arguments that a
/// tool mirrors can stand in headers, where a reader takes them for what they are.
fn can_be_written(body: &Body<'_>, tools: &Tools) -> bool {
    let arguments = body.params.and_then(|params| params.get("arguments"));
    let name = body.name().filter(|_| body.method == "tools/call");
    let is_named = !matches!(body.method, "tools/call" | "prompts/get" | "resources/read")
        || body.name().is_some();
    let params = name.map(|name| tools.of(name)).unwrap_or_default();
    let fits = |value: &Value| match value {
        Value::String(_) | Value::Bool(_) | Value::Null => true,
        Value::Number(number) => number.as_f64().is_some_and(|it| it.abs() < 9e15),
        Value::Array(_) | Value::Object(_) => false,
    };
    let mut values = params
        .iter()
        .filter_map(|param| arguments.and_then(|it| param.value(it)));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_');
    is_named && body.method.bytes().all(is_name) && values.all(fits)
}

/// Between revisions only the members of `_meta` come and go that belong to one of them.
fn is_carried_over(message: &Message) {
    if !message.content().is_empty() && !message.content().starts_with('{') {
        return;
    }
    let members = |bytes: Vec<u8>| {
        let read = Message::read(bytes).unwrap();
        assert_eq!(read.kind(), message.kind());
        read.strict().ok().map(Option::unwrap_or_default)
    };
    let Some(before) = members(message.bytes().to_vec()) else {
        return;
    };
    let own = [META_VERSION, META_CAPABILITIES, META_CLIENT];
    let without = |mut params: Value| {
        if let Some(meta) = params.get_mut("_meta").and_then(Value::as_object_mut) {
            meta.retain(|name, _| !own.contains(&name.as_str()));
        }
        params
    };
    if message.method().is_none() {
        return;
    }
    if let Some(bytes) = without_meta(message) {
        assert_eq!(members(bytes), Some(without(before.clone())));
    }
    if let Some(bytes) = with_meta(message, &json!({"name": "a \"client\""})) {
        let after = members(bytes).unwrap();
        assert_eq!(after["_meta"][META_VERSION], MODERN);
        assert_eq!(after["_meta"][META_CAPABILITIES], json!({}));
        assert_eq!(after["_meta"][META_CLIENT], json!({"name": "a \"client\""}));
        let mut bare = without(after);
        let mut before = before;
        if before.is_null() {
            before = json!({});
        }
        for params in [&mut bare, &mut before] {
            let meta = params.get("_meta").and_then(Value::as_object);
            if meta.is_some_and(serde_json::Map::is_empty) {
                params.as_object_mut().unwrap().remove("_meta");
            }
        }
        assert_eq!(bare, before);
    }
}
