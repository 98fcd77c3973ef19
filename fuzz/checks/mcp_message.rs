//! What holds for any bytes that come as a message of the relay.

use countersign_core::json::CanonicalJson;
use serde_json::Value;

use crate::jsonrpc::{self, Id, Kind, Message, Overlong, Scanner, Unreadable, is_judged};

/// Up to here, whatever the members are spaced with, the text of an id is short enough to be kept.
const SHORT: usize = 1_024;

/// What is read means the same to `serde_json`, and is relayed as the bytes that came; what is not
/// read is answered, and is known for a call where it may be one. What looks through a message that
/// is too long finds the same in pieces of any size as in the whole.
pub(crate) fn mcp_message(data: &[u8]) {
    let seen = scanned(data, data.len().max(1));
    for piece in [1, 3, 7] {
        assert_eq!(scanned(data, piece), seen, "in pieces of {piece}");
    }
    assert_eq!(seen.bytes, data.len() as u64);
    match Message::read(data.to_vec()) {
        Ok(message) => {
            means_the_same(&message, data, &seen);
            goes_on(&message);
        }
        Err(unreadable) => is_answered(&unreadable, data),
    }
}

fn scanned(data: &[u8], piece: usize) -> Overlong {
    let mut scanner = Scanner::default();
    for piece in data.chunks(piece) {
        scanner.feed(piece);
    }
    scanner.end()
}

fn means_the_same(message: &Message, data: &[u8], seen: &Overlong) {
    assert_eq!(message.bytes(), data);
    let id = message.id().map(|id| serde_json::to_value(id).unwrap());
    // Deeper than it reads, or with a number that is too large for it: then nothing is judged.
    if let Ok(other) = serde_json::from_slice::<Value>(data) {
        assert_eq!(other["jsonrpc"], "2.0");
        assert_eq!(
            other.get("method").and_then(Value::as_str),
            message.method()
        );
        assert_eq!(other["id"], id.unwrap_or_default());
        let is_error = other.get("error").is_some();
        let content = match message.kind() {
            Kind::Response { is_error: said, .. } => {
                assert_eq!(*said, is_error);
                other.get(if is_error { "error" } else { "result" })
            }
            _ => other.get("params"),
        };
        let own: Option<Value> = serde_json::from_str(message.content()).ok();
        assert_eq!(own.as_ref(), content);
    }
    if let Ok(Some(strict)) = message.strict() {
        let other: Value = serde_json::from_str(message.content()).unwrap();
        let canonical = |value: &Value| CanonicalJson::of(value).unwrap().as_bytes().to_vec();
        assert_eq!(canonical(&strict), canonical(&other));
    }
    assert!(seen.id.is_none() || seen.id.as_ref() == message.id());
    assert!(seen.method.is_none() || seen.method.as_deref() == message.method());
    if data.len() <= SHORT {
        assert_eq!(seen.id.as_ref(), message.id());
        assert_eq!(seen.method.as_deref(), message.method());
    }
}

/// It goes on under another id or with another content, and is otherwise the same.
fn goes_on(message: &Message) {
    let read = |bytes: Vec<u8>| Message::read(bytes).unwrap();
    if !matches!(message.kind(), Kind::Notification { .. }) {
        let other = Id::Text("a \"b\u{1}\"".to_owned());
        let under = read(message.under(&other));
        assert_eq!(under.id(), Some(&other));
        assert_eq!(
            (under.method(), under.content()),
            (message.method(), message.content())
        );
    }
    if !message.content().is_empty() {
        let with = read(message.with_content("{\"x\":[]}"));
        assert_eq!(with.kind(), message.kind());
        assert_eq!(with.content(), "{\"x\":[]}");
    }
    let params = message.strict().ok().flatten();
    let (Some(method), Some(params @ Value::Object(_))) = (message.method(), params) else {
        return;
    };
    let told = read(jsonrpc::notification(method, &params));
    assert_eq!((told.method(), told.id()), (Some(method), None));
    let Some(id) = message.id() else { return };
    let asked = read(jsonrpc::request(id, method, &params));
    assert_eq!(asked.kind(), message.kind());
    assert_eq!(asked.strict().unwrap().unwrap(), params);
    let answer = read(jsonrpc::result(id, &params));
    assert_eq!(answer.id(), Some(id));
    assert_eq!(answer.strict().unwrap().unwrap(), params);
}

fn is_answered(unreadable: &Unreadable, data: &[u8]) {
    let id = unreadable.id.as_ref();
    let said = jsonrpc::error(id, unreadable.code, &unreadable.reason, None);
    let said = Message::read(said).unwrap();
    let (id, is_error) = (id.cloned(), true);
    assert_eq!(*said.kind(), Kind::Response { id, is_error });
    let error = said.strict().unwrap().unwrap();
    assert_eq!(error["message"], unreadable.reason);
    assert!(!unreadable.reason.contains(char::is_control));
    if let Ok(other) = serde_json::from_slice::<Value>(data) {
        let is_call = other["method"].as_str().is_some_and(is_judged);
        assert!(
            unreadable.names_judged || !is_call,
            "a call goes unrecorded"
        );
    }
}
