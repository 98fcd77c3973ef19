//! What the upstream answered, as the result that the ledger keeps.

use countersign_core::json;
use countersign_core::refs::Sha256;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};

/// JSON where the answer is strict JSON and says so, text where it is text in UTF-8, else what kind
/// of bytes there were, how many and their digest. Nothing for no bytes.
pub(crate) fn of(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    if body.is_empty() {
        return None;
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let is_plain = !headers.contains_key(CONTENT_ENCODING);
    if is_plain
        && (essence.ends_with("/json") || essence.ends_with("+json"))
        && let Ok(value) = json::parse(body, body.len())
    {
        return Some(value);
    }
    match str::from_utf8(body) {
        Ok(text) if is_plain && !text.contains('\0') => Some(Value::String(text.to_owned())),
        _ => Some(json!({
            "media_type": essence,
            "bytes": body.len(),
            "sha256": Sha256::of(body).to_string(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_json_text_or_a_digest() {
        let headers = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            headers
        };
        let json = headers("application/json; charset=utf-8");
        assert_eq!(of(&json, br#"{"id":1}"#), Some(json!({"id": 1})));
        // What two readers could read differently is a text.
        assert_eq!(
            of(&json, br#"{"a":1,"a":2}"#),
            Some(json!(r#"{"a":1,"a":2}"#))
        );
        assert_eq!(of(&headers("text/html"), b"<p>"), Some(json!("<p>")));
        assert_eq!(of(&HeaderMap::new(), b"x"), Some(json!("x")));
        assert_eq!(of(&json, b""), None);
        let picture = of(&headers("image/png"), b"\xff").unwrap();
        assert_eq!(
            (&picture["media_type"], &picture["bytes"]),
            (&json!("image/png"), &json!(1))
        );
    }
}
