//! Who may speak to the relay: Host and Origin against DNS rebinding, bearer tokens, media types.

use std::net::SocketAddr;

use countersign_core::refs::Sha256;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN,
};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{StatusCode, Uri};
use secrecy::ExposeSecret as _;

use super::mirror::{Mismatch, single};
use super::options::{HttpOptions, HttpOptionsError};

/// Whom a session belongs to: the hash of what the client authorized itself with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Owner([u8; 32]);

/// Why a request is not heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turned {
    /// The status.
    pub(crate) status: StatusCode,
    /// What to say.
    pub(crate) text: &'static str,
}

/// What requests have to satisfy before they are looked at.
pub(crate) struct Guard {
    hosts: Vec<(String, Option<u16>)>,
    origins: Vec<String>,
    tokens: Vec<Owner>,
    forwards: bool,
}

impl Guard {
    /// A guard for an address that is really listened on.
    pub(crate) fn new(options: &HttpOptions, listen: SocketAddr) -> Result<Self, HttpOptionsError> {
        let mut hosts = vec![(host_of(listen), Some(listen.port()))];
        if listen.ip().is_loopback() || listen.ip().is_unspecified() {
            for host in ["localhost", "127.0.0.1", "[::1]"] {
                hosts.push((host.to_owned(), Some(listen.port())));
            }
        }
        for text in &options.allow_hosts {
            let host = authority(text).ok_or_else(|| HttpOptionsError::Host(text.clone()))?;
            hosts.push(host);
        }
        let origins = options.allow_origins.iter().map(|text| {
            let origin = origin_of(text);
            origin.ok_or_else(|| HttpOptionsError::Origin(text.clone()))
        });
        let origins = origins.collect::<Result<_, _>>()?;
        let tokens = options.client_tokens.iter();
        let tokens = tokens.map(|token| Owner::of(format!("Bearer {}", token.expose_secret())));
        Ok(Self {
            hosts,
            origins,
            tokens: tokens.collect(),
            forwards: options.forward_authorization,
        })
    }

    /// Checks where a request says that it goes and comes from.
    pub(crate) fn place(&self, head: &Parts) -> Result<(), Turned> {
        self.host(&head.uri, &head.headers)?;
        match only(&head.headers, &ORIGIN)? {
            Some(origin) => self.origin(&origin),
            None => Ok(()),
        }
    }

    fn host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Turned> {
        let text = only(headers, &HOST)?;
        let text = text.ok_or(Turned::bad("the header `host` is missing"))?;
        let wrong = Turned::forbidden("this host is not served here");
        let named = authority(&text).ok_or(wrong)?;
        // The absolute form of a target counts before the header (RFC 9112 section 3.2.2).
        if let Some(absolute) = uri.authority()
            && authority(absolute.as_str()).as_ref() != Some(&named)
        {
            return Err(wrong);
        }
        match self.serves(&named) {
            true => Ok(()),
            false => Err(wrong),
        }
    }

    fn serves(&self, (host, port): &(String, Option<u16>)) -> bool {
        self.hosts
            .iter()
            .any(|(allowed, at)| allowed == host && at.is_none_or(|at| at == port.unwrap_or(80)))
    }

    fn origin(&self, text: &str) -> Result<(), Turned> {
        let wrong = Turned::forbidden("pages of this origin may not use the relay");
        let origin = origin_of(text).ok_or(wrong)?;
        let own = origin.strip_prefix("http://").and_then(authority);
        let is_own = own.is_some_and(|own| self.serves(&own));
        match is_own || self.origins.contains(&origin) {
            true => Ok(()),
            false => Err(wrong),
        }
    }

    /// Whose request it is.
    pub(crate) fn authorized(&self, headers: &HeaderMap) -> Result<Owner, Turned> {
        let said = only(headers, &AUTHORIZATION)?;
        if self.tokens.is_empty() {
            // What is not looked at does not tell clients apart either.
            return Ok(Owner::of(
                said.filter(|_| self.forwards).unwrap_or_default(),
            ));
        }
        let wrong = Turned {
            status: StatusCode::UNAUTHORIZED,
            text: "a bearer token of this relay is required",
        };
        let said = said.ok_or(wrong)?;
        let (scheme, token) = said.split_once(' ').ok_or(wrong)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(wrong);
        }
        let owner = Owner::of(format!("Bearer {}", token.trim()));
        match self.tokens.contains(&owner) {
            true => Ok(owner),
            false => Err(wrong),
        }
    }
}

impl Owner {
    fn of(text: String) -> Self {
        Self(*Sha256::of(text.as_bytes()).as_bytes())
    }
}

impl Turned {
    pub(crate) const fn bad(text: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text,
        }
    }

    const fn forbidden(text: &'static str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            text,
        }
    }
}

/// A body must be JSON as it stands: nothing that a page could send without asking, and nothing
/// compressed.
pub(crate) fn json_body(headers: &HeaderMap) -> Result<(), Turned> {
    let wrong = Turned {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        text: "the body must be `application/json`, without an encoding",
    };
    let kind = only(headers, &CONTENT_TYPE)?.ok_or(wrong)?;
    match is_media_type(&kind, "application/json") && !is_encoded(headers) {
        true => Ok(()),
        false => Err(wrong),
    }
}

/// A client must take both forms of an answer, or the one that a GET has.
pub(crate) fn accepts(headers: &HeaderMap, needed: &[&str]) -> Result<(), Turned> {
    let mut taken = Vec::new();
    for value in headers.get_all(ACCEPT) {
        let text = value
            .to_str()
            .map_err(|_| Turned::bad("the header `accept` is unreadable"))?;
        taken.extend(
            text.split(',')
                .map(|range| range.trim().to_ascii_lowercase()),
        );
    }
    let takes = |kind: &str| {
        let group = kind.split('/').next().unwrap_or_default();
        taken.iter().any(|range| {
            is_media_type(range, kind)
                || is_media_type(range, "*/*")
                || is_media_type(range, &format!("{group}/*"))
        })
    };
    match needed.iter().all(|kind| takes(kind)) {
        true => Ok(()),
        false => Err(Turned {
            status: StatusCode::NOT_ACCEPTABLE,
            text: "the client must accept `application/json` and `text/event-stream` (a GET: the latter)",
        }),
    }
}

/// Whether a body is compressed or the like.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    values.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether a media type is this one, whatever its parameters.
pub(crate) fn is_media_type(text: &str, kind: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(kind)
}

/// A header's only value.
pub(crate) fn only(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Turned> {
    single(headers, name).map_err(|error| match error {
        Mismatch::Twice(_) => Turned::bad("a header stands there more than once"),
        _ => Turned::bad("a header is unreadable"),
    })
}

fn host_of(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// Host and port, in lower case; nothing else may stand there.
fn authority(text: &str) -> Option<(String, Option<u16>)> {
    if text.contains('@') {
        return None;
    }
    let authority: Authority = text.parse().ok()?;
    let host = authority.host().to_ascii_lowercase();
    let port = authority.port().map(|port| port.as_str().parse::<u16>());
    match port {
        Some(Ok(port)) => Some((host, Some(port))),
        None if !text.ends_with(':') && !host.is_empty() => Some((host, None)),
        _ => None,
    }
}

/// An origin as its ASCII serialization (RFC 6454 section 6.2), without the scheme's own port.
fn origin_of(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let own = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let (host, port) = authority(rest)?;
    match port.filter(|port| *port != own) {
        Some(port) => Some(format!("{scheme}://{host}:{port}")),
        None => Some(format!("{scheme}://{host}")),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use secrecy::SecretString;

    use super::*;

    fn guard(edit: impl FnOnce(&mut HttpOptions)) -> Guard {
        let listen = "127.0.0.1:4000".parse().unwrap();
        let mut options = HttpOptions::new(listen, "http://127.0.0.1:1/mcp".parse().unwrap());
        edit(&mut options);
        Guard::new(&options, listen).unwrap()
    }

    fn status(guard: &Guard, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let admitted = guard.place(&head);
        admitted.map_or_else(|turned| turned.status.as_u16(), |()| 200)
    }

    #[test]
    fn a_foreign_host_is_not_served() {
        let guard = guard(|options| options.allow_hosts.push("Tools.example".to_owned()));
        let of = |host: &str| status(&guard, "/mcp", &[("host", host)]);
        for host in [
            "127.0.0.1:4000",
            "localhost:4000",
            "LOCALHOST:4000",
            "[::1]:4000",
            "tools.example",
            "tools.example:443",
        ] {
            assert_eq!(of(host), 200, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:4000",
            "localhost",
            "localhost:4001",
            "localhost.:4000",
            "127.0.0.1.evil.example:4000",
            "user@localhost:4000",
            "localhost:4000:4000",
            "localhost:",
            "localhost:04000x",
            "0.0.0.0:4000",
            "127.1:4000",
            "",
        ] {
            assert_ne!(of(host), 200, "{host}");
        }
        assert_eq!(status(&guard, "/mcp", &[]), 400);
        let two = [("host", "localhost:4000"), ("host", "localhost:4000")];
        assert_eq!(status(&guard, "/mcp", &two), 400);
        let absolute = "http://evil.example/mcp";
        assert_eq!(status(&guard, absolute, &[("host", "localhost:4000")]), 403);
    }

    #[test]
    fn a_page_of_another_origin_is_turned_away() {
        let guard = guard(|options| options.allow_origins.push("https://app.example".to_owned()));
        let of = |origin: &str| {
            status(
                &guard,
                "/mcp",
                &[("host", "localhost:4000"), ("origin", origin)],
            )
        };
        for origin in [
            "https://app.example",
            "https://APP.example:443",
            "http://localhost:4000",
        ] {
            assert_eq!(of(origin), 200, "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://app.example",
            "https://app.example.evil.test",
            "https://app.example@evil.test",
            "https://app.example:8443",
            "http://localhost:3000",
            "https://localhost:4000",
            "https://app.example/path",
            "https://app.example https://evil.test",
        ] {
            assert_eq!(of(origin), 403, "{origin}");
        }
    }

    #[test]
    fn a_token_is_asked_for_and_tells_clients_apart() {
        let guard = guard(|options| {
            options.client_tokens = ["one-one-one-one-1", "two-two-two-two-2"]
                .map(SecretString::from)
                .into();
        });
        let owner = |value: Option<&str>| {
            let mut request = Request::builder()
                .uri("/mcp")
                .header("host", "localhost:4000");
            if let Some(value) = value {
                request = request.header("authorization", value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            guard.authorized(&head.headers).ok()
        };
        let one = owner(Some("Bearer one-one-one-one-1"));
        assert!(one.is_some() && one == owner(Some("bearer one-one-one-one-1")));
        assert_ne!(one, owner(Some("Bearer two-two-two-two-2")));
        for value in [
            "Bearer",
            "Bearer one",
            "Basic one-one-one-one-1",
            "one-one-one-one-1",
        ] {
            assert_eq!(owner(Some(value)), None, "{value}");
        }
        assert_eq!(owner(None), None);
    }

    #[test]
    fn a_form_is_no_message() {
        let of = |kind: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            json_body(&headers).is_ok()
        };
        assert!(of("application/json") && of("application/json; charset=utf-8"));
        assert!(!of("text/plain") && !of("application/json-patch+json"));
        assert!(!of("application/x-www-form-urlencoded") && !of("application/json, text/plain"));
        assert!(json_body(&HeaderMap::new()).is_err());
    }
}
