//! What a relay over HTTP is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::limits::{CONNECT_TIMEOUT, FIRST_BYTE_TIMEOUT, SILENCE_TIMEOUT, TOTAL_TIMEOUT};

/// Most lines of a file of headers or of tokens.
const LINES: usize = 64;
/// Headers that belong to the transport, and are never the operator's to set.
const RESERVED: [&str; 12] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "accept",
    "accept-encoding",
    "te",
    "upgrade",
    "expect",
    "last-event-id",
];

/// Which revisions the upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpstreamRevision {
    /// The relay asks it.
    #[default]
    Ask,
    /// 2025-11-25 or an earlier one, with sessions.
    Sessions,
    /// 2026-07-28, without sessions.
    Stateless,
}

/// How the relay listens, and what it stands in front of.
pub struct HttpOptions {
    /// The address that clients connect to; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The upstream's endpoint. Clients reach the relay under the same path.
    pub upstream: UpstreamUrl,
    /// Which revisions the upstream speaks.
    pub revision: UpstreamRevision,
    /// Hosts (`HOST` or `HOST:PORT`) that a request may name beside the address itself.
    pub allow_hosts: Vec<String>,
    /// Origins (`https://HOST[:PORT]`) whose pages may use the relay.
    pub allow_origins: Vec<String>,
    /// Bearer tokens of clients; with none, whoever reaches the address is served.
    pub client_tokens: Vec<SecretString>,
    /// Headers that every request to the upstream carries.
    pub upstream_headers: UpstreamHeaders,
    /// Whether a client's `Authorization` goes on to the upstream.
    pub forward_authorization: bool,
    /// For `https`: a PEM file of certificates that may have signed the upstream's, in place of
    /// those that the system trusts.
    pub upstream_ca: Option<PathBuf>,
    /// How long things may take.
    pub timeouts: Timeouts,
}

impl HttpOptions {
    /// The options with nothing but an address and an upstream.
    pub fn new(listen: SocketAddr, upstream: UpstreamUrl) -> Self {
        Self {
            listen,
            upstream,
            revision: UpstreamRevision::Ask,
            allow_hosts: Vec::new(),
            allow_origins: Vec::new(),
            client_tokens: Vec::new(),
            upstream_headers: UpstreamHeaders::default(),
            forward_authorization: false,
            upstream_ca: None,
            timeouts: Timeouts::default(),
        }
    }

    /// Checks what cannot go together.
    pub(crate) fn check(&self) -> Result<(), HttpOptionsError> {
        let has_tokens = !self.client_tokens.is_empty();
        if has_tokens && self.forward_authorization {
            return Err(HttpOptionsError::TwoAuthorizations);
        }
        if self.forward_authorization
            && self
                .upstream_headers
                .0
                .contains_key(hyper::header::AUTHORIZATION)
        {
            return Err(HttpOptionsError::TwoAuthorizations);
        }
        let guarded = has_tokens || self.forward_authorization;
        if !self.listen.ip().is_loopback() && !guarded {
            return Err(HttpOptionsError::Open(self.listen));
        }
        Ok(())
    }
}

/// How long the upstream may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For connecting, TLS included.
    pub connect: Duration,
    /// For the head of an answer.
    pub first_byte: Duration,
    /// For the next bytes of an answer that has begun.
    pub silence: Duration,
    /// For the whole answer to one request.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: CONNECT_TIMEOUT,
            first_byte: FIRST_BYTE_TIMEOUT,
            silence: SILENCE_TIMEOUT,
            total: TOTAL_TIMEOUT,
        }
    }
}

/// Options that no relay can work with.
#[derive(Debug, thiserror::Error)]
pub enum HttpOptionsError {
    /// The address is no endpoint.
    #[error(
        "`{0}` is no address of an upstream: allowed are `http://HOST[:PORT]/PATH` and `https://HOST[:PORT]/PATH`, without a user or fragment"
    )]
    Upstream(String),
    /// A line of a file of headers is none that may stand there.
    #[error(
        "line {0} of the upstream's headers is none of the form `Name: value`, or names a header that the relay sets itself"
    )]
    Header(usize),
    /// A token cannot be one.
    #[error("line {0} of the clients' tokens is empty, shorter than 16 characters or holds spaces")]
    Token(usize),
    /// A file has too many lines.
    #[error("a file of headers or tokens holds more than {LINES} lines")]
    TooMany,
    /// One header would be used for two things.
    #[error("a client's `Authorization` cannot both go on to the upstream and be something else")]
    TwoAuthorizations,
    /// The address is open to others, and nothing is asked of them.
    #[error("`{0}` can be reached by other machines, and nothing is asked of clients")]
    Open(SocketAddr),
    /// A host that may be named is none.
    #[error("`{0}` is no host: allowed are `HOST` and `HOST:PORT`")]
    Host(String),
    /// An origin that may be named is none.
    #[error("`{0}` is no origin: allowed are `http://HOST[:PORT]` and `https://HOST[:PORT]`")]
    Origin(String),
}

impl HttpOptionsError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Open(_) => {
                Some("give clients a token with `--client-token-file`, or listen on `127.0.0.1`")
            }
            Self::TwoAuthorizations => Some(
                "use one of `--client-token-file`, `--forward-authorization` and an `Authorization` of the upstream's headers",
            ),
            _ => None,
        }
    }
}

/// The address of an upstream's endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamUrl(Uri);

impl UpstreamUrl {
    /// The address.
    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }

    /// The path, under which the relay is reached, too.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// Scheme, host and port: the name of the server, where none is given.
    pub fn origin(&self) -> String {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self
            .0
            .authority()
            .map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}")
    }
}

impl std::str::FromStr for UpstreamUrl {
    type Err = HttpOptionsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || {
            let shown = text.chars().take(100).flat_map(char::escape_debug);
            HttpOptionsError::Upstream(shown.collect())
        };
        let uri: Uri = text.parse().map_err(|_| error())?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if !known || authority.is_empty() || authority.contains('@') || text.contains('#') {
            return Err(error());
        }
        Ok(Self(uri))
    }
}

/// Headers for the upstream, such as its `Authorization`. They have no `Debug`.
#[derive(Clone, Default)]
pub struct UpstreamHeaders(pub(crate) HeaderMap);

impl UpstreamHeaders {
    /// Reads lines of the form `Name: value`; empty lines and those that begin with `#` say nothing.
    pub fn read(text: &str) -> Result<Self, HttpOptionsError> {
        let mut headers = HeaderMap::new();
        for (at, line) in lines(text)? {
            let error = || HttpOptionsError::Header(at);
            let (name, value) = line.split_once(':').ok_or_else(error)?;
            let name: HeaderName = name.trim().parse().map_err(|_| error())?;
            let reserved = RESERVED.contains(&name.as_str()) || name.as_str().starts_with("mcp-");
            let mut value = HeaderValue::from_str(value.trim()).map_err(|_| error())?;
            if reserved || headers.contains_key(&name) {
                return Err(error());
            }
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self(headers))
    }
}

/// Reads tokens of clients, one a line.
pub fn read_tokens(text: &str) -> Result<Vec<SecretString>, HttpOptionsError> {
    let mut tokens = Vec::new();
    for (at, line) in lines(text)? {
        let token = SecretString::from(line.to_owned());
        let sound = token.expose_secret().len() >= 16
            && token
                .expose_secret()
                .bytes()
                .all(|byte| byte.is_ascii_graphic());
        if !sound {
            return Err(HttpOptionsError::Token(at));
        }
        tokens.push(token);
    }
    match tokens.is_empty() {
        true => Err(HttpOptionsError::Token(1)),
        false => Ok(tokens),
    }
}

fn lines(text: &str) -> Result<Vec<(usize, &str)>, HttpOptionsError> {
    let numbered = text.lines().enumerate();
    let lines: Vec<(usize, &str)> = numbered
        .map(|(at, line)| (at + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .collect();
    match lines.len() > LINES {
        true => Err(HttpOptionsError::TooMany),
        false => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_upstreams_are_read_strictly() {
        let url: UpstreamUrl = "https://tools.example:8443/mcp?k=1".parse().unwrap();
        assert_eq!(url.path(), "/mcp");
        assert_eq!(url.origin(), "https://tools.example:8443");
        for text in [
            "",
            "/mcp",
            "ftp://a/",
            "http://u@h/",
            "http:///x",
            "file:///etc",
        ] {
            assert!(text.parse::<UpstreamUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn headers_of_the_transport_are_not_the_operators() {
        let read = |text: &str| {
            UpstreamHeaders::read(text)
                .map(|headers| headers.0.len())
                .ok()
        };
        assert_eq!(
            read("# token\nAuthorization: Bearer x\n\nX-Key: 1\n"),
            Some(2)
        );
        for text in [
            "Host: x",
            "mcp-session-id: 1",
            "Transfer-Encoding: chunked",
            "no colon",
            "A: 1\nA: 2",
            "a b: 1",
            "X: \u{1}",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn short_tokens_and_open_addresses_are_refused() {
        assert!(read_tokens("0123456789abcdef\n# more\nfedcba9876543210\n").is_ok());
        for text in ["", "short", "0123456789 abcdef"] {
            assert!(read_tokens(text).is_err(), "{text}");
        }
        let upstream = || "http://127.0.0.1:1/mcp".parse().unwrap();
        let mut options = HttpOptions::new("0.0.0.0:0".parse().unwrap(), upstream());
        assert!(options.check().is_err());
        options.client_tokens = read_tokens("0123456789abcdef").unwrap();
        options.check().unwrap();
        options.forward_authorization = true;
        assert!(options.check().is_err());
    }
}
