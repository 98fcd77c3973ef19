//! The arguments of a call, read from the very request.

use std::collections::BTreeMap;

use countersign_core::json::{self, CanonicalJson};
use countersign_core::limits::CALL_ARGS_BYTES;
use countersign_core::refs::Sha256;
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Map, Value};

use crate::problem::Problem;
use crate::routes::{BodyMode, Kind, Part, Route};
use crate::target::Target;

/// What a request asks for: the digest of the arguments' canonical JSON.
pub(crate) fn digest(
    route: &Route,
    target: &Target<'_>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Sha256, Problem> {
    let mut args = Args(route.fixed.clone());
    for (part, segment) in route.path.iter().zip(&target.segments) {
        if let Part::Argument(name, kind) = part {
            let what = || format!("the part `{{{name}}}` of the path");
            args.put(name, read(*kind, &segment.decoded, what)?)?;
        }
    }
    query(route, target, &mut args)?;
    read_body(route, headers, body, &mut args)?;
    let canonical = CanonicalJson::of(&args.0)
        .map_err(|error| Problem::bad(format!("the arguments: {error}")))?;
    match canonical.as_bytes().len() {
        length if length > CALL_ARGS_BYTES => Err(Problem::bad(format!(
            "the arguments have {length} bytes as json; allowed are {CALL_ARGS_BYTES}"
        ))),
        _ => Ok(canonical.digest()),
    }
}

struct Args(Map<String, Value>);

impl Args {
    fn put(&mut self, name: &str, value: Value) -> Result<(), Problem> {
        match self.0.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(Problem::bad(format!(
                "the argument `{}` stands in two places",
                shown(name)
            ))),
        }
    }
}

fn query(route: &Route, target: &Target<'_>, args: &mut Args) -> Result<(), Problem> {
    let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (name, value) in &target.query {
        let kind = route.query.get(*name).ok_or_else(|| {
            Problem::bad(format!("the route has no `{}` in its query", shown(name)))
        })?;
        let value = read(*kind, value, || format!("`{name}` of the query"))?;
        match kind {
            Kind::Strings => lists.entry(*name).or_default().push(value),
            _ => args.put(name, value)?,
        }
    }
    for (name, values) in lists {
        args.put(name, Value::Array(values))?;
    }
    Ok(())
}

fn read(kind: Kind, text: &str, what: impl Fn() -> String) -> Result<Value, Problem> {
    let wrong = |expected: &str| Problem::bad(format!("{} is not {expected}", what()));
    match kind {
        Kind::String | Kind::Strings => Ok(Value::String(text.to_owned())),
        Kind::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(wrong("`true` or `false`")),
        },
        Kind::Integer | Kind::Number => {
            // A reader that allows less than others do: no sign but `-`, no zeros before a digit.
            let value = json::parse(text.as_bytes(), text.len()).ok();
            let is_whole = |byte: u8| byte.is_ascii_digit() || byte == b'-';
            let fits = match kind {
                Kind::Integer => text.bytes().all(is_whole),
                // Space around a number is none of it.
                _ => text.trim() == text,
            };
            match value {
                Some(Value::Number(number)) if fits => Ok(Value::Number(number)),
                _ if kind == Kind::Integer => Err(wrong("a whole number")),
                _ => Err(wrong("a number")),
            }
        }
    }
}

fn read_body(
    route: &Route,
    headers: &HeaderMap,
    body: &[u8],
    args: &mut Args,
) -> Result<(), Problem> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Problem::media(
            "a body with a `Content-Encoding` is not read",
        ));
    }
    if route.body == BodyMode::None {
        return match body.is_empty() {
            true => Ok(()),
            false => Err(Problem::bad("this route takes no body")),
        };
    }
    media_type(route, headers)?;
    match &route.body {
        BodyMode::None => Ok(()),
        BodyMode::Object => match strict(body)? {
            Value::Object(members) => members
                .into_iter()
                .try_for_each(|(name, value)| args.put(&name, value)),
            _ => Err(Problem::bad("the body is no json object")),
        },
        BodyMode::Json(name) => args.put(name, strict(body)?),
        BodyMode::Text(name) => {
            let text = str::from_utf8(body).map_err(|_| Problem::bad("the body is not utf-8"))?;
            args.put(name, Value::String(text.to_owned()))
        }
        BodyMode::Digest(name) => args.put(name, Value::String(Sha256::of(body).to_string())),
    }
}

fn strict(body: &[u8]) -> Result<Value, Problem> {
    json::parse(body, CALL_ARGS_BYTES)
        .map_err(|error| Problem::bad(format!("the body is not strict json: {error}")))
}

/// The same bytes are another request under another media type, and no permit names it: so a route
/// takes one.
fn media_type(route: &Route, headers: &HeaderMap) -> Result<(), Problem> {
    let is_any = matches!(route.body, BodyMode::Digest(_));
    if is_any && !headers.contains_key(CONTENT_TYPE) {
        return Ok(());
    }
    let kind = content_type(headers)?;
    let essence = kind.split(';').next().unwrap_or_default().trim();
    match essence == route.media_type && is_utf8(&kind) {
        true => Ok(()),
        false => Err(Problem::media(format!(
            "the body must be `{}`, in utf-8 where it is text",
            route.media_type
        ))),
    }
}

/// The one `Content-Type`, in lower case.
fn content_type(headers: &HeaderMap) -> Result<String, Problem> {
    let mut fields = headers.get_all(CONTENT_TYPE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return Err(Problem::media("a body needs exactly one `Content-Type`"));
    };
    let text = field
        .to_str()
        .map_err(|_| Problem::media("the `Content-Type` is not ascii"))?;
    Ok(text.to_ascii_lowercase())
}

/// Whether a media type states no parameter but `charset=utf-8`: another would change what the bytes
/// mean.
fn is_utf8(kind: &str) -> bool {
    let mut parameters = kind.split(';').skip(1).map(str::trim);
    parameters.all(|it| matches!(it, "charset=utf-8" | "charset=\"utf-8\""))
}

/// A text from outside, safe to print.
fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use hyper::Method;
    use hyper::header::HeaderValue;
    use serde_json::json;

    use super::*;
    use crate::routes::Routes;
    use crate::target;

    const FILE: &str = r#"
        [[route]]
        method = "POST"
        path = "/m/{id}/{n:integer}"
        tool = "send"
        query = { dry = "boolean", tag = "strings", at = "number" }
        body = "object"
        fixed = { box = "out" }
        [[route]]
        method = "PUT"
        path = "/text"
        tool = "text"
        body = { text = "content" }
        [[route]]
        method = "PUT"
        path = "/any"
        tool = "any"
        body = { sha256 = "content" }
        [[route]]
        method = "PUT"
        path = "/image"
        tool = "image"
        body = { sha256 = "content" }
        media_type = "image/png"
        [[route]]
        method = "PUT"
        path = "/json"
        tool = "json"
        body = { json = "content" }
        [[route]]
        method = "PATCH"
        path = "/json"
        tool = "patch"
        body = { json = "content" }
        media_type = "application/merge-patch+json"
        [[route]]
        method = "DELETE"
        path = "/none"
        tool = "none"
    "#;

    fn asked((method, path, kind): (&str, &str, &str), body: &[u8]) -> Result<Sha256, String> {
        let routes = Routes::parse(FILE, |_| None).unwrap();
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let target = target::read(path, query).unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        }
        let route = routes.find(&method, &target).unwrap();
        digest(route, &target, &headers, body).map_err(|problem| problem.to_string())
    }

    fn of(value: &Value) -> Sha256 {
        CanonicalJson::of(value).unwrap().digest()
    }

    #[test]
    fn arguments_come_from_path_query_and_body() {
        let body = br#"{ "to": ["jo@acme.example"], "amount": 1.0e1 }"#;
        let found = asked(
            (
                "POST",
                "/m/a%20b/-7?tag=x&dry=true&tag=y&at=1.50",
                "application/json; charset=UTF-8",
            ),
            body,
        );
        let expected = json!({
            "box": "out", "id": "a b", "n": -7, "tag": ["x", "y"], "dry": true, "at": 1.5,
            "to": ["jo@acme.example"], "amount": 10,
        });
        assert_eq!(found.unwrap(), of(&expected));
        let text = asked(("PUT", "/text", "text/plain"), "grüezi".as_bytes());
        assert_eq!(text.unwrap(), of(&json!({"content": "grüezi"})));
        let sum = Sha256::of(b"\xff\x00").to_string();
        for (path, kind) in [
            ("/any", "application/octet-stream"),
            ("/any", ""),
            ("/image", "Image/PNG"),
        ] {
            let any = asked(("PUT", path, kind), b"\xff\x00");
            assert_eq!(any.unwrap(), of(&json!({"content": sum})));
        }
        for (method, kind) in [
            ("PUT", "application/json"),
            ("PATCH", "application/merge-patch+json"),
        ] {
            let json = asked((method, "/json", kind), b"[1]");
            assert_eq!(json.unwrap(), of(&json!({"content": [1]})));
        }
        assert_eq!(asked(("DELETE", "/none", ""), b"").unwrap(), of(&json!({})));
    }

    #[test]
    fn what_has_no_single_reading_is_refused() {
        let json = "application/json";
        for (what, body) in [
            (("POST", "/m/a/1", json), &br#"{"to":1,"to":2}"#[..]),
            (("POST", "/m/a/1", json), br#"{"id":"b"}"#),
            (("POST", "/m/a/1", json), br#"{"box":"in"}"#),
            (("POST", "/m/a/1", json), br#"{"a":9007199254740993}"#),
            (("POST", "/m/a/1", json), b"[]"),
            (("POST", "/m/a/1", json), b""),
            (("POST", "/m/a/1", json), b"\xef\xbb\xbf{}"),
            (("POST", "/m/a/1", ""), b"{}"),
            (("POST", "/m/a/1", "text/plain"), b"{}"),
            (
                ("POST", "/m/a/1", "application/json; charset=utf-16"),
                b"{}",
            ),
            (("POST", "/m/a/1?tag=1&x=2", json), b"{}"),
            (("POST", "/m/a/1?dry=true&dry=true", json), b"{}"),
            (("POST", "/m/a/1?dry=1", json), b"{}"),
            (("POST", "/m/a/01", json), b"{}"),
            (("POST", "/m/a/+1", json), b"{}"),
            (("POST", "/m/a/1.5", json), b"{}"),
            (("POST", "/m/a/%201", json), b"{}"),
            (("POST", "/m/a/9007199254740993", json), b"{}"),
            (("PUT", "/text", "text/plain; charset=latin1"), b"a"),
            (("PUT", "/text", "application/json"), b"a"),
            (("PUT", "/text", "text/plain"), b"\xff"),
            (("PUT", "/text", "text/html"), b"a"),
            (("PUT", "/json", "application/ld+json"), b"1"),
            (("PATCH", "/json", "application/json-patch+json"), b"[]"),
            (("PATCH", "/json", "application/json"), b"[]"),
            (("PUT", "/any", "application/x-www-form-urlencoded"), b"a=b"),
            (("PUT", "/image", "multipart/form-data; boundary=a"), b"a"),
            (("DELETE", "/none", ""), b"a"),
        ] {
            assert!(asked(what, body).is_err(), "{what:?} {body:?}");
        }
    }
}
