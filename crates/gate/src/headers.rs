//! Which headers pass, in either direction.
//!
//! Headers are no arguments, so no permit covers them. What could change the meaning of a request
//! does not pass; of the rest, only what is named.

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::routes::Routes;

/// Where a request carries its permit.
pub(crate) const PERMIT: HeaderName = HeaderName::from_static("countersign-permit");
/// The entry of the execution, in an answer.
pub(crate) const EXECUTION: HeaderName = HeaderName::from_static("countersign-execution");

/// What passes to the upstream without being named in the routes file.
const FORWARDED: [HeaderName; 12] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::AUTHORIZATION,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::USER_AGENT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// What frames a message or is for one connection alone (RFC 9110 section 7.6.1), and what some
/// servers take for another method, path or host.
const NEVER: [HeaderName; 24] = [
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::FORWARDED,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    PERMIT,
];

/// Whether a header cannot be named in a routes file.
pub(crate) fn is_never_forwarded(name: &HeaderName) -> bool {
    NEVER.contains(name)
}

/// The headers of a request that go on. What framing needs is set by whoever sends.
pub(crate) fn forwarded(headers: &HeaderMap, routes: &Routes, has_body: bool) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for name in FORWARDED.iter().chain(&routes.forwarded) {
        if *name == header::CONTENT_TYPE && !has_body {
            continue;
        }
        if !is_named_hop(headers, name) && !passed.contains_key(name) {
            for value in headers.get_all(name) {
                passed.append(name.clone(), value.clone());
            }
        }
    }
    for (name, value) in &routes.set {
        passed.insert(name.clone(), value.clone());
    }
    passed
}

/// The headers of an answer that go back.
pub(crate) fn returned(headers: &HeaderMap) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for (name, value) in headers {
        let is_framing = matches!(
            *name,
            header::CONNECTION
                | header::CONTENT_LENGTH
                | header::PROXY_AUTHENTICATE
                | header::TE
                | header::TRAILER
                | header::TRANSFER_ENCODING
                | header::UPGRADE
        ) || matches!(name.as_str(), "keep-alive" | "proxy-connection");
        if !is_framing && *name != EXECUTION && !is_named_hop(headers, name) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

/// Whether `Connection` says that a header is for this connection alone.
fn is_named_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    let named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| {
            text.split(',')
                .any(|it| it.trim().eq_ignore_ascii_case(name.as_str()))
        })
    };
    headers.get_all(header::CONNECTION).iter().any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        map
    }

    fn names(map: &HeaderMap) -> Vec<&str> {
        map.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn what_could_change_the_call_stays_here() {
        let file = "forward_headers = [\"x-account\"]\nset_headers = { authorization = { env = \"T\" } }\n\
                    [[route]]\nmethod = \"POST\"\npath = \"/a\"\ntool = \"t\"";
        let routes = Routes::parse(file, |_| Some("Bearer own".to_owned())).unwrap();
        let sent = map(&[
            ("countersign-permit", "p"),
            ("host", "evil"),
            ("connection", "close, X-Account, accept"),
            ("x-account", "7"),
            ("accept", "text/html"),
            ("x-http-method-override", "DELETE"),
            ("x-original-url", "/admin"),
            ("transfer-encoding", "chunked"),
            ("cookie", "a=b"),
            ("authorization", "Bearer agent"),
            ("content-type", "application/json"),
            ("traceparent", "00-1"),
        ]);
        let passed = forwarded(&sent, &routes, true);
        let mut found = names(&passed);
        found.sort_unstable();
        assert_eq!(found, ["authorization", "content-type", "traceparent"]);
        assert_eq!(passed["authorization"], "Bearer own");
        assert!(!forwarded(&sent, &routes, false).contains_key("content-type"));
    }

    #[test]
    fn answers_lose_what_was_for_the_gate() {
        let passed = returned(&map(&[
            ("transfer-encoding", "chunked"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("content-type", "text/plain"),
            ("countersign-execution", "01HYA"),
        ]));
        let mut found = names(&passed);
        found.sort_unstable();
        assert_eq!(found, ["content-type", "set-cookie"]);
        assert_eq!(passed.get_all("set-cookie").iter().count(), 2);
    }
}
