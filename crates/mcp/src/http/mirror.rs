//! The headers that repeat what stands in a body (revision 2026-07-28, Streamable HTTP, "Request
//! Metadata"): read, compared with the body, and written.
//!
//! What is judged is the body. A header that says something else would let whoever routes or
//! authorizes by headers see another call than the one that is made, so any difference is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::limits::MIRRORED_PARAMS;
use super::params::Tools;

/// The error code of a header that differs from the body.
pub(crate) const HEADER_MISMATCH: i64 = -32020;
/// The first revision that mirrors parts of the body, and that has no sessions.
pub(crate) const MODERN: &str = "2026-07-28";
/// The newest revision with sessions.
pub(crate) const LEGACY: &str = "2025-11-25";
/// What revisions with sessions are known, oldest first.
pub(crate) const LEGACY_ALL: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", LEGACY];
/// The member of `_meta` that says a request's revision.
pub(crate) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The member of `_meta` that says what a client can do.
pub(crate) const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The member of `_meta` that says who a client is.
pub(crate) const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";

pub(crate) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(crate) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(crate) const NAME: HeaderName = HeaderName::from_static("mcp-name");
pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const PARAM: &str = "mcp-param-";

const SENTINEL: (&str, &str) = ("=?base64?", "?=");
/// The largest integer that a header may mirror, and the smallest below zero.
const SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Why headers and body do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    #[error("header `{0}` stands there more than once")]
    Twice(HeaderName),
    #[error("header `{0}` holds characters that it must not, or no valid base64")]
    Unreadable(HeaderName),
    #[error("header `{0}` is required and missing")]
    Missing(HeaderName),
    #[error("header `{0}` is not what the body says")]
    Differs(HeaderName),
    #[error("more than {MIRRORED_PARAMS} `mcp-param-` headers")]
    TooMany,
}

/// The parts of a body that headers may repeat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Body<'a> {
    /// The method.
    pub(crate) method: &'a str,
    /// `params`, if there are any.
    pub(crate) params: Option<&'a Value>,
}

impl<'a> Body<'a> {
    /// What the message is about: the tool, prompt, resource or task that it names.
    pub(crate) fn name(&self) -> Option<&'a str> {
        let member = match self.method {
            "tools/call" | "prompts/get" => "name",
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => "uri",
            "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
            _ => return None,
        };
        self.params?.get(member)?.as_str()
    }

    /// The revision that the message says it is written in.
    pub(crate) fn version(&self) -> Option<&'a str> {
        self.params?.get("_meta")?.get(META_VERSION)?.as_str()
    }

    fn needs_name(&self) -> bool {
        matches!(self.method, "tools/call" | "prompts/get" | "resources/read")
    }
}

/// The only value of a header, as text, if it is there.
pub(crate) fn single(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Mismatch> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Mismatch::Twice(name.clone()));
    }
    let text = value.to_str();
    let text = text.map_err(|_| Mismatch::Unreadable(name.clone()))?;
    Ok(Some(text.to_owned()))
}

/// Which headers must be there. What is there must be true in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Required {
    /// None: a revision before 2026-07-28, or a notification.
    Nothing,
    /// Those that repeat method and name.
    Standard,
    /// Those that repeat arguments, too: the upstream looks at them.
    All,
}

/// Compares the headers of a request with its body.
pub(crate) fn check(
    headers: &HeaderMap,
    body: &Body<'_>,
    tools: &Tools,
    required: Required,
) -> Result<(), Mismatch> {
    let modern = required != Required::Nothing;
    if modern {
        let version = single(headers, &VERSION)?.ok_or(Mismatch::Missing(VERSION))?;
        if body.version() != Some(&version) {
            return Err(Mismatch::Differs(VERSION));
        }
    }
    match single(headers, &METHOD)? {
        Some(method) if method != body.method => return Err(Mismatch::Differs(METHOD)),
        None if modern => return Err(Mismatch::Missing(METHOD)),
        _ => {}
    }
    match (decoded(headers, &NAME)?, body.name()) {
        (Some(header), Some(name)) if header == name => {}
        (None, Some(_) | None) if !(modern && body.needs_name()) => {}
        (None, _) => return Err(Mismatch::Missing(NAME)),
        (Some(_), _) => return Err(Mismatch::Differs(NAME)),
    }
    params(headers, body, tools, required)
}

/// Compares the mirrored arguments. Where the tool's definition is known, each header must repeat
/// the property that the definition names, and none may be missing. Where it is not, a header must
/// at least repeat some argument: it passes, as intermediaries must pass what they do not know, but
/// it cannot say what the body does not.
fn params(
    headers: &HeaderMap,
    body: &Body<'_>,
    tools: &Tools,
    required: Required,
) -> Result<(), Mismatch> {
    let is_call = body.method == "tools/call";
    let arguments = body.params.and_then(|params| params.get("arguments"));
    let arguments = arguments.filter(|_| is_call);
    let known = body.name().filter(|_| is_call);
    let known = known.map(|name| tools.of(name)).unwrap_or_default();
    let mut count = 0;
    for header in headers.keys() {
        let Some(suffix) = header.as_str().strip_prefix(PARAM) else {
            continue;
        };
        count += 1;
        if count > MIRRORED_PARAMS {
            return Err(Mismatch::TooMany);
        }
        let value = decoded(headers, header)?.unwrap_or_default();
        let said = match known.iter().find(|param| param.header == suffix) {
            Some(param) => arguments.and_then(|arguments| param.value(arguments)),
            None => arguments.filter(|arguments| holds(arguments, &value)),
        };
        let is_known = known.iter().any(|param| param.header == suffix);
        let same = said.is_some_and(|said| !is_known || repeats(&value, said));
        if !same {
            return Err(Mismatch::Differs(header.clone()));
        }
    }
    let missing = known.iter().find(|param| {
        let stands = arguments.and_then(|arguments| param.value(arguments));
        stands.is_some_and(|value| !value.is_null()) && !headers.contains_key(param.name())
    });
    match missing {
        Some(param) if required == Required::All => Err(Mismatch::Missing(param.name())),
        _ => Ok(()),
    }
}

/// Whether some primitive that is reached by members alone is repeated by a header's value.
fn holds(value: &Value, header: &str) -> bool {
    match value {
        Value::Object(members) => members.values().any(|value| holds(value, header)),
        Value::Array(_) => false,
        primitive => repeats(header, primitive),
    }
}

/// Whether a header's value is the text of a primitive; integers are compared as numbers.
fn repeats(header: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => text == header,
        Value::Bool(flag) => header == if *flag { "true" } else { "false" },
        Value::Number(number) => {
            let said = serde_json::from_str::<serde_json::Number>(header).ok();
            let (Some(said), Some(number)) = (said.and_then(|said| said.as_f64()), number.as_f64())
            else {
                return false;
            };
            said == number && said.abs() <= SAFE_INTEGER
        }
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// The only value of a header that may be written in base64, as the text that it stands for.
fn decoded(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Mismatch> {
    let Some(text) = single(headers, name)? else {
        return Ok(None);
    };
    let inner = text.strip_prefix(SENTINEL.0);
    let Some(inner) = inner.and_then(|inner| inner.strip_suffix(SENTINEL.1)) else {
        return Ok(Some(text));
    };
    let bytes = STANDARD.decode(inner);
    let bytes = bytes.map_err(|_| Mismatch::Unreadable(name.clone()))?;
    let text = String::from_utf8(bytes).map_err(|_| Mismatch::Unreadable(name.clone()))?;
    Ok(Some(text))
}

/// The headers that a request of revision 2026-07-28 with this body must carry.
pub(crate) fn of(body: &Body<'_>, tools: &Tools) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![(VERSION, HeaderValue::from_static(MODERN))];
    headers.extend(encoded(body.method).map(|value| (METHOD, value)));
    let name = body.name().and_then(encoded);
    headers.extend(name.map(|value| (NAME, value)));
    let arguments = body.params.and_then(|params| params.get("arguments"));
    if let (Some(name), Some(arguments), "tools/call") = (body.name(), arguments, body.method) {
        for param in tools.of(name) {
            let text = param.value(arguments).and_then(text_of);
            let value = text.and_then(|text| encoded(&text));
            headers.extend(value.map(|value| (param.name(), value)));
        }
    }
    headers
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text as a header's value, in base64 where it could not stand there as it is.
fn encoded(text: &str) -> Option<HeaderValue> {
    let is_sentinel = text.starts_with(SENTINEL.0) && text.ends_with(SENTINEL.1);
    let is_padded = text.starts_with(' ') || text.ends_with(' ');
    let is_ascii = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    let plain = is_ascii && !is_padded && !is_sentinel;
    match plain {
        true => HeaderValue::from_str(text).ok(),
        false => {
            let inner = STANDARD.encode(text);
            HeaderValue::from_str(&format!("{}{inner}{}", SENTINEL.0, SENTINEL.1)).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    fn call(name: &str) -> Value {
        json!({"name": name, "arguments": {"region": "us-west1", "n": 42, "deep": {"x": true}},
            "_meta": {META_VERSION: MODERN, META_CAPABILITIES: {}}})
    }

    fn checked(pairs: &[(&str, &str)], params: &Value, tools: &Tools) -> Result<(), Mismatch> {
        let body = Body {
            method: "tools/call",
            params: Some(params),
        };
        check(&headers(pairs), &body, tools, Required::All)
    }

    const BASE: [(&str, &str); 2] = [
        ("MCP-Protocol-Version", MODERN),
        ("Mcp-Method", "tools/call"),
    ];

    fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        BASE.iter().chain(more).copied().collect()
    }

    #[test]
    fn headers_that_repeat_the_body_pass() {
        let tools = Tools::default();
        checked(&with(&[("Mcp-Name", "pay")]), &call("pay"), &tools).unwrap();
        let base64 = with(&[("mcp-name", "=?base64?cGF5?=")]);
        checked(&base64, &call("pay"), &tools).unwrap();
        let unicode = with(&[("mcp-name", "=?base64?SGVsbG8sIOS4lueVjA==?=")]);
        checked(&unicode, &call("Hello, 世界"), &tools).unwrap();
    }

    #[test]
    fn a_name_that_only_looks_alike_differs() {
        let tools = Tools::default();
        // The same text composed and decomposed, a Cyrillic letter, a zero width space, another
        // case, base64 without padding, in the URL alphabet, of what is no UTF-8, twice encoded.
        let composed = STANDARD.encode("caf\u{e9}");
        let cases = [
            (format!("=?base64?{composed}?="), "cafe\u{301}"),
            (
                format!("=?base64?{}?=", STANDARD.encode("p\u{430}y")),
                "pay",
            ),
            (
                format!("=?base64?{}?=", STANDARD.encode("pay\u{200b}")),
                "pay",
            ),
            ("Pay".to_owned(), "pay"),
            ("pay ".to_owned() + "x", "pay"),
            ("=?BASE64?cGF5?=".to_owned(), "pay"),
            ("=?base64?cGF5eQ?=".to_owned(), "payy"),
            ("=?base64?cGF5eR==?=".to_owned(), "payy"),
            ("=?base64?-_-_?=".to_owned(), "pay"),
            (
                format!("=?base64?{}?=", STANDARD.encode([0xff, 0xfe])),
                "\u{fffd}\u{fffd}",
            ),
            ("=?base64?cGF5?=".to_owned(), "=?base64?cGF5?="),
            (String::new(), "pay"),
        ];
        for (header, name) in cases {
            let mut pairs = BASE.to_vec();
            pairs.push(("Mcp-Name", &header));
            let result = checked(&pairs, &call(name), &tools);
            assert!(result.is_err(), "{header:?} passed for {name:?}");
        }
        // Raw bytes that are no ASCII are no value, even where they are the body's very bytes.
        let raw = with(&[("mcp-name", "caf\u{e9}")]);
        assert!(checked(&raw, &call("caf\u{e9}"), &tools).is_err());
    }

    #[test]
    fn what_is_missing_doubled_or_different_is_refused() {
        let tools = Tools::default();
        let call = call("pay");
        let name = ("Mcp-Name", "pay");
        let cases: [&[(&str, &str)]; 8] = [
            &[],
            &BASE,
            &[BASE[0], name],
            &[BASE[1], name],
            &[BASE[0], ("Mcp-Method", "tools/list"), name],
            &[BASE[0], BASE[1], name, name],
            &[BASE[0], BASE[1], BASE[1], name],
            &[("MCP-Protocol-Version", "2025-11-25"), BASE[1], name],
        ];
        for case in cases {
            assert!(checked(case, &call, &tools).is_err(), "{case:?}");
        }
        let list = json!({"_meta": {META_VERSION: MODERN}});
        let body = Body {
            method: "tools/list",
            params: Some(&list),
        };
        let pairs = [BASE[0], ("Mcp-Method", "tools/list"), ("Mcp-Name", "pay")];
        let result = check(&headers(&pairs), &body, &tools, Required::All);
        assert_eq!(result, Err(Mismatch::Differs(NAME)));
    }

    #[test]
    fn mirrored_arguments_are_those_of_the_definition() {
        let tools = Tools::default();
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "n": {"type": "integer", "x-mcp-header": "N"},
            "deep": {"type": "object", "properties": {"x": {"type": "boolean", "x-mcp-header": "X"}}},
            "gone": {"type": "string", "x-mcp-header": "Gone"}}});
        tools.learn("pay", &schema);
        let call = call("pay");
        let good = [
            ("Mcp-Name", "pay"),
            ("Mcp-Param-Region", "us-west1"),
            ("mcp-param-n", "42.0"),
            ("MCP-PARAM-X", "true"),
        ];
        checked(&with(&good), &call, &tools).unwrap();
        for at in 1..good.len() {
            let mut fewer = good.to_vec();
            fewer.remove(at);
            assert!(checked(&with(&fewer), &call, &tools).is_err());
            let mut other = good.to_vec();
            other[at].1 = "43";
            assert!(checked(&with(&other), &call, &tools).is_err());
        }
        let mut more = good.to_vec();
        more.push(("Mcp-Param-Gone", "us-west1"));
        assert!(checked(&with(&more), &call, &tools).is_err());
        let body = Body {
            method: "tools/call",
            params: Some(&call),
        };
        let written: HeaderMap = of(&body, &tools).into_iter().collect();
        check(&written, &body, &tools, Required::All).unwrap();
        assert_eq!(written["mcp-param-n"], "42");
    }

    #[test]
    fn a_header_of_an_unknown_tool_says_nothing_that_the_body_does_not() {
        let tools = Tools::default();
        let pass = with(&[("Mcp-Name", "pay"), ("Mcp-Param-R", "us-west1")]);
        checked(&pass, &call("pay"), &tools).unwrap();
        let stop = with(&[("Mcp-Name", "pay"), ("Mcp-Param-R", "eu-north1")]);
        assert!(checked(&stop, &call("pay"), &tools).is_err());
    }

    #[test]
    fn an_earlier_revision_needs_no_headers_but_true_ones() {
        let tools = Tools::default();
        let params = json!({"name": "pay"});
        let body = Body {
            method: "tools/call",
            params: Some(&params),
        };
        check(&HeaderMap::new(), &body, &tools, Required::Nothing).unwrap();
        let lie = headers(&[("Mcp-Name", "read")]);
        assert!(check(&lie, &body, &tools, Required::Nothing).is_err());
    }
}
