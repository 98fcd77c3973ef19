//! What holds for any request that comes to the gate.

use std::sync::OnceLock;

use countersign_core::json::CanonicalJson;
use countersign_core::refs::Sha256;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Uri};
use serde_json::{Map, Value, json};
use url::Url;

use crate::args;
use crate::routes::Routes;
use crate::target;

/// Where the requests go.
const UPSTREAM: &str = "https://upstream.example";

const ROUTES: &str = r#"
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
    path = "/json"
    tool = "json"
    body = { json = "content" }
    [[route]]
    method = "GET"
    path = "/m/{id}/{is:boolean}/"
    tool = "get"
"#;

/// A line with method and target, a line with the type of the body, and the body: what is matched is
/// what is sent, and the arguments are those that other readers of URLs and of JSON find in it.
pub(crate) fn gate(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (line, kind, body) = (part(), part(), part());
    let Ok(line) = std::str::from_utf8(line) else {
        return;
    };
    let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
    // Without it, so that what a library refuses is read here, too.
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    request(method, path, query, kind, body);
    // As it is taken off the wire.
    if let Ok(uri) = target.parse::<Uri>()
        && uri.scheme().is_none()
        && uri.authority().is_none()
    {
        request(method, uri.path(), uri.query(), kind, body);
    }
}

fn request(method: &str, path: &str, query: Option<&str>, kind: &[u8], body: &[u8]) {
    let Ok(read) = target::read(path, query) else {
        return;
    };
    let whole = match query {
        Some(query) => format!("{UPSTREAM}{path}?{query}"),
        None => format!("{UPSTREAM}{path}"),
    };
    // By who sends it, and by who tidies up.
    let sent: Uri = whole.parse().unwrap();
    assert_eq!((sent.path(), sent.query()), (path, query));
    assert_eq!(sent.host(), Some("upstream.example"));
    let other = Url::parse(&whole).unwrap();
    assert_eq!(other.host_str(), Some("upstream.example"));
    assert_eq!((other.path(), other.fragment()), (path, None));
    // It encodes `'` in a query, which is one of the characters that may stand there.
    let kept = query.map(|query| query.replace('\'', "%27"));
    assert_eq!(other.query(), kept.as_deref());
    let raw: Vec<&str> = read.segments.iter().map(|segment| segment.raw).collect();
    assert_eq!(raw, other.path_segments().unwrap().collect::<Vec<_>>());
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return;
    };
    let Some(route) = routes().find(&method, &read) else {
        return;
    };
    let mut headers = HeaderMap::new();
    if let (false, Ok(kind)) = (kind.is_empty(), HeaderValue::from_bytes(kind)) {
        headers.insert(CONTENT_TYPE, kind);
    }
    let Ok(digest) = args::digest(route, &read, &headers, body) else {
        return;
    };
    let (tool, args) = others(&method, &other, body);
    assert_eq!(route.tool, tool);
    assert_eq!(digest, CanonicalJson::of(&args).unwrap().digest(), "{args}");
}

fn routes() -> &'static Routes {
    static READ: OnceLock<Routes> = OnceLock::new();
    READ.get_or_init(|| Routes::parse(ROUTES, |_| None).unwrap())
}

/// The tool and its arguments as a handler behind the gate would read them.
fn others(method: &Method, url: &Url, body: &[u8]) -> (&'static str, Value) {
    let decoded = |raw: &str| {
        let bytes = percent_encoding::percent_decode_str(raw);
        bytes.decode_utf8().unwrap().into_owned()
    };
    let segments: Vec<String> = url.path_segments().unwrap().map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let json = || serde_json::from_slice::<Value>(body).unwrap();
    let content = |value: Value| json!({"content": value});
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["m", id, n]) => {
            let mut args = Map::new();
            args.insert("box".to_owned(), json!("out"));
            args.insert("id".to_owned(), json!(id));
            args.insert("n".to_owned(), json!(n.parse::<i64>().unwrap()));
            let mut tags = Vec::new();
            for (name, value) in url.query_pairs() {
                match name.as_ref() {
                    "tag" => tags.push(json!(value)),
                    "dry" => drop(args.insert("dry".to_owned(), json!(value == "true"))),
                    "at" => {
                        let number = value.parse::<f64>().unwrap();
                        args.insert("at".to_owned(), json!(number));
                    }
                    other => panic!("`{other}` passed"),
                }
            }
            if !tags.is_empty() {
                args.insert("tag".to_owned(), Value::Array(tags));
            }
            for (name, value) in json().as_object().unwrap() {
                assert!(args.insert(name.clone(), value.clone()).is_none());
            }
            ("send", Value::Object(args))
        }
        ("PUT", ["text"]) => ("text", content(json!(std::str::from_utf8(body).unwrap()))),
        ("PUT", ["any"]) => ("any", content(json!(Sha256::of(body).to_string()))),
        ("PUT", ["json"]) => ("json", content(json())),
        ("GET", ["m", id, is, ""]) => {
            assert!(body.is_empty());
            ("get", json!({"id": id, "is": is.parse::<bool>().unwrap()}))
        }
        other => panic!("{other:?} passed"),
    }
}
