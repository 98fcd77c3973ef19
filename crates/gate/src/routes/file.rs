//! Reading a routes file.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::json::CanonicalJson;
use countersign_core::limits::TOOL_NAME_BYTES;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::pattern::{self, Kind, Part, is_argument};
use super::{BodyMode, Route, Routes};
use crate::headers;
use crate::limits::{ROUTES, ROUTES_BYTES};

/// Longest name of the upstream in permits, in bytes.
const DESTINATION_BYTES: usize = 1024;
/// Methods that a route may have.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Why a text is no routes file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct RoutesError {
    place: String,
    reason: String,
}

impl RoutesError {
    fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            reason: reason.into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    wire: WireRule,
    destination: Option<String>,
    #[serde(default)]
    forward_headers: Vec<String>,
    #[serde(default)]
    set_headers: BTreeMap<String, SetHeader>,
    #[serde(default)]
    route: Vec<RouteTable>,
}

#[derive(Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum WireRule {
    #[default]
    Required,
    Optional,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetHeader {
    env: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteTable {
    method: String,
    path: String,
    tool: String,
    audience: Option<String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    body: Option<toml::Value>,
    media_type: Option<String>,
    #[serde(default)]
    fixed: toml::Table,
}

pub(super) fn read(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Routes, RoutesError> {
    let whole = |reason: String| RoutesError::new("the file", reason);
    if text.len() > ROUTES_BYTES {
        return Err(whole(format!(
            "it has {} bytes; allowed are {ROUTES_BYTES}",
            text.len()
        )));
    }
    let file: File = toml::from_str(text).map_err(|error| whole(error.to_string()))?;
    if file.route.is_empty() || file.route.len() > ROUTES {
        return Err(whole(format!(
            "it has {} routes; allowed are 1 to {ROUTES}",
            file.route.len()
        )));
    }
    let mut routes: Vec<Route> = Vec::new();
    for (number, table) in file.route.into_iter().enumerate() {
        let place = format!("route {} (`{} {}`)", number + 1, table.method, table.path);
        let route = route(table).map_err(|reason| RoutesError::new(place.as_str(), reason))?;
        let earlier = routes.iter().position(|earlier| {
            earlier.method == route.method && pattern::covers(&earlier.path, &route.path)
        });
        if let Some(earlier) = earlier {
            let reason = format!("it is never reached: route {} comes first", earlier + 1);
            return Err(RoutesError::new(place, reason));
        }
        routes.push(route);
    }
    let destination = file.destination.map(|text| destination(&text));
    Ok(Routes {
        routes,
        destination: destination.transpose().map_err(whole)?,
        is_wire_required: file.wire == WireRule::Required,
        forwarded: forwarded(&file.forward_headers)
            .map_err(|reason| RoutesError::new("forward_headers", reason))?,
        set: set(&file.set_headers, variable)
            .map_err(|reason| RoutesError::new("set_headers", reason))?,
    })
}

fn destination(text: &str) -> Result<String, String> {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|it| text.strip_prefix(it));
    let fits = |rest: &str| {
        !rest.is_empty()
            && !rest.ends_with('/')
            && rest.bytes().all(|b| b.is_ascii_graphic())
            && !rest.contains(['?', '#', '@', '\\'])
    };
    match rest.is_some_and(fits) && text.len() <= DESTINATION_BYTES {
        true => Ok(text.to_owned()),
        false => Err(
            "`destination` is an address such as `https://api.mail.example`, without a slash at its end"
                .to_owned(),
        ),
    }
}

fn route(table: RouteTable) -> Result<Route, String> {
    if !METHODS.contains(&table.method.as_str()) {
        return Err(format!("the method is one of {}", METHODS.join(", ")));
    }
    let method = Method::from_bytes(table.method.as_bytes()).map_err(|error| error.to_string())?;
    if table.tool.is_empty() || table.tool.len() > TOOL_NAME_BYTES {
        return Err(format!("`tool` has 1 to {TOOL_NAME_BYTES} bytes"));
    }
    let path = pattern::parse(&table.path)?;
    let mut query = BTreeMap::new();
    for (name, kind) in table.query {
        let known = Kind::parse(&kind).filter(|_| is_argument(&name));
        let known = known.ok_or_else(|| {
            format!("`query.{name}` is `{kind}`; allowed are string, strings, integer, number and boolean")
        })?;
        query.insert(name, known);
    }
    let body = body(table.body)?;
    let media_type = media_type(&body, table.media_type)?;
    // RFC 9110 sections 9.3.1, 9.3.2, 9.3.5
    let may_have_body = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    if body != BodyMode::None && !may_have_body {
        return Err(format!("`{method}` has no body that every server reads"));
    }
    let fixed = fixed(table.fixed)?;
    let mut names = BTreeSet::new();
    let of_path = path.iter().filter_map(|part| match part {
        Part::Argument(name, _) => Some(name.as_str()),
        Part::Fixed(_) => None,
    });
    let of_body = match &body {
        BodyMode::None | BodyMode::Object => None,
        BodyMode::Json(name) | BodyMode::Text(name) | BodyMode::Digest(name) => Some(name.as_str()),
    };
    let all = of_path
        .chain(query.keys().map(String::as_str))
        .chain(of_body)
        .chain(fixed.keys().map(String::as_str));
    for name in all {
        if !names.insert(name) {
            return Err(format!("the argument `{name}` comes from two places"));
        }
    }
    let audience = table
        .audience
        .unwrap_or_else(|| format!("tool:{}", table.tool));
    Ok(Route {
        method,
        path,
        audience,
        query,
        body,
        media_type,
        fixed,
        tool: table.tool,
    })
}

fn body(value: Option<toml::Value>) -> Result<BodyMode, String> {
    let wrong = || {
        "`body` is \"none\", \"object\", { json = \"ARGUMENT\" }, { text = \"ARGUMENT\" } or { sha256 = \"ARGUMENT\" }"
            .to_owned()
    };
    let Some(value) = value else {
        return Ok(BodyMode::None);
    };
    match value {
        toml::Value::String(word) if word == "none" => Ok(BodyMode::None),
        toml::Value::String(word) if word == "object" => Ok(BodyMode::Object),
        toml::Value::Table(table) => {
            let mut members = table.into_iter();
            let (Some((how, toml::Value::String(name))), None) = (members.next(), members.next())
            else {
                return Err(wrong());
            };
            if !is_argument(&name) {
                return Err(wrong());
            }
            match how.as_str() {
                "json" => Ok(BodyMode::Json(name)),
                "text" => Ok(BodyMode::Text(name)),
                "sha256" => Ok(BodyMode::Digest(name)),
                _ => Err(wrong()),
            }
        }
        _ => Err(wrong()),
    }
}

/// The one media type of a body. Its parameters are not for a routes file to say.
fn media_type(body: &BodyMode, stated: Option<String>) -> Result<String, String> {
    let usual = match body {
        BodyMode::None if stated.is_some() => {
            return Err("`media_type` is for a route with a body".to_owned());
        }
        BodyMode::None => "",
        BodyMode::Object | BodyMode::Json(_) => "application/json",
        BodyMode::Text(_) => "text/plain",
        BodyMode::Digest(_) => "application/octet-stream",
    };
    let Some(stated) = stated else {
        return Ok(usual.to_owned());
    };
    let stated = stated.to_ascii_lowercase();
    let is_token = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !text.is_empty() && text.bytes().all(fits)
    };
    let is_one = stated
        .split_once('/')
        .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    let fits = match body {
        BodyMode::Object | BodyMode::Json(_) => stated.ends_with("json"),
        BodyMode::Text(_) => stated.starts_with("text/"),
        BodyMode::None | BodyMode::Digest(_) => true,
    };
    match is_one && fits {
        true => Ok(stated),
        false => Err(format!(
            "`media_type` is `{stated}`; of this body it is one such as `{usual}`, without parameters"
        )),
    }
}

fn fixed(table: toml::Table) -> Result<Map<String, Value>, String> {
    let wrong = |error: String| format!("`fixed`: {error}");
    let members = table
        .into_iter()
        .map(|(name, value)| Ok((name, json(value)?)))
        .collect::<Result<Map<_, _>, String>>()
        .map_err(wrong)?;
    CanonicalJson::of(&members).map_err(|error| wrong(error.to_string()))?;
    Ok(members)
}

fn json(value: toml::Value) -> Result<Value, String> {
    use toml::Value as Toml;
    Ok(match value {
        Toml::String(text) => Value::String(text),
        Toml::Integer(number) => Value::from(number),
        Toml::Float(number) => serde_json::Number::from_f64(number)
            .map(Value::Number)
            .ok_or("a number is finite")?,
        Toml::Boolean(yes) => Value::Bool(yes),
        Toml::Datetime(_) => return Err("json has no dates: write them as text".to_owned()),
        Toml::Array(items) => Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Toml::Table(table) => {
            let members = table
                .into_iter()
                .map(|(name, value)| Ok((name, json(value)?)));
            Value::Object(members.collect::<Result<_, String>>()?)
        }
    })
}

fn forwarded(names: &[String]) -> Result<Vec<HeaderName>, String> {
    names
        .iter()
        .map(|text| {
            let name: HeaderName = text
                .parse()
                .map_err(|_| format!("`{text}` is no name of a header"))?;
            match headers::is_never_forwarded(&name) {
                true => Err(format!("`{name}` is never passed on")),
                false => Ok(name),
            }
        })
        .collect()
}

fn set(
    headers: &BTreeMap<String, SetHeader>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    headers
        .iter()
        .map(|(text, header)| {
            let name: HeaderName = text
                .parse()
                .map_err(|_| format!("`{text}` is no name of a header"))?;
            if headers::is_never_forwarded(&name) {
                return Err(format!("`{name}` is never passed on"));
            }
            let value = variable(&header.env)
                .ok_or_else(|| format!("the variable `{}` for `{name}` is not set", header.env))?;
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| format!("`{}` holds what no header may", header.env))?;
            value.set_sensitive(true);
            Ok((name, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = r#"
        destination = "https://mail.example"
        forward_headers = ["x-account"]
        set_headers = { authorization = { env = "MAIL_TOKEN" } }

        [[route]]
        method = "POST"
        path = "/v1/messages/{id}/send"
        tool = "email.send"
        query = { dry_run = "boolean", tag = "strings" }
        body = "object"
        fixed = { folder = "outbox" }

        [[route]]
        method = "PUT"
        path = "/v1/files/{size:integer}"
        tool = "file.write"
        body = { sha256 = "content" }
    "#;

    fn read(text: &str) -> Result<Routes, RoutesError> {
        Routes::parse(text, |name| {
            (name == "MAIL_TOKEN").then(|| "Bearer x".to_owned())
        })
    }

    #[test]
    fn a_file_is_read_whole() {
        let routes = read(MAIL).unwrap();
        let lines: Vec<String> = routes.lines().collect();
        assert_eq!(lines[0], "POST /v1/messages/{id}/send -> email.send");
        assert_eq!(lines[1], "PUT /v1/files/{size:integer} -> file.write");
        assert!(routes.is_wire_required);
        assert_eq!(routes.routes[0].audience, "tool:email.send");
        assert_eq!(
            routes.routes[1].body,
            BodyMode::Digest("content".to_owned())
        );
        assert!(routes.set[0].1.is_sensitive());
    }

    #[test]
    fn files_that_would_not_do_what_they_say_are_refused() {
        let one = |more: &str| {
            let file = format!("[[route]]\nmethod = \"POST\"\npath = \"/a\"\ntool = \"t\"\n{more}");
            read(&file).unwrap_err().to_string()
        };
        for (more, reason) in [
            (
                "[[route]]\nmethod = \"POST\"\npath = \"/a\"\ntool = \"u\"",
                "never reached",
            ),
            (
                "[[route]]\nmethod = \"GET\"\npath = \"/a/../b\"\ntool = \"u\"",
                "dot segment",
            ),
            (
                "[[route]]\nmethod = \"GET\"\npath = \"/x{id}\"\ntool = \"u\"",
                "must be percent-encoded",
            ),
            (
                "[[route]]\nmethod = \"GET\"\npath = \"/b\"\ntool = \"u\"\nbody = \"object\"",
                "no body",
            ),
            (
                "[[route]]\nmethod = \"CONNECT\"\npath = \"/b\"\ntool = \"u\"",
                "one of GET",
            ),
            (
                "[[route]]\nmethod = \"GET\"\npath = \"/{a}/{a}\"\ntool = \"u\"",
                "two places",
            ),
            ("query = { \"a[]\" = \"string\" }", "query.a[]"),
            ("query = { a = \"float\" }", "allowed are"),
            ("body = { text = \"a\", json = \"b\" }", "`body` is"),
            ("media_type = \"text/plain\"", "with a body"),
            (
                "body = \"object\"\nmedia_type = \"text/plain\"",
                "`media_type` is",
            ),
            (
                "body = \"object\"\nmedia_type = \"application/json; x=1\"",
                "`media_type` is",
            ),
            ("fixed = { at = 2020-01-01 }", "write them as text"),
            (
                "fixed = { at = 1 }\nquery = { at = \"string\" }",
                "two places",
            ),
            ("tools = 1", "unknown field"),
        ] {
            let found = one(more);
            assert!(found.contains(reason), "{more}: {found}");
        }
        for top in [
            "forward_headers = [\"host\"]\n",
            "forward_headers = [\"x-http-method-override\"]\n",
            "set_headers = { authorization = { env = \"UNSET\" } }\n",
            "destination = \"mail.example\"\n",
            "wire = \"never\"\n",
        ] {
            let text = format!("{top}[[route]]\nmethod = \"POST\"\npath = \"/a\"\ntool = \"t\"\n");
            assert!(read(&text).is_err(), "{top}");
        }
        assert!(read("").is_err());
        // The more special one first is fine.
        read("[[route]]\nmethod=\"GET\"\npath=\"/u/me\"\ntool=\"a\"\n[[route]]\nmethod=\"GET\"\npath=\"/u/{id}\"\ntool=\"b\"")
            .unwrap();
    }
}
