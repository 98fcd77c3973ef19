//! A server that is reached over HTTP (streamable HTTP): each message is a POST, and its answer a
//! document or a stream of events.

use std::collections::VecDeque;
use std::io::{BufReader, Read as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_mcp::limits::MESSAGE_BYTES;
use ureq::http::{Request, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};

use super::ask::Transport;
use crate::error::CliError;
use crate::render::plain;

/// Most messages of one answer.
const MESSAGES: usize = 1_024;
/// The revision whose requests say in headers what they ask for.
const STATELESS: &str = "2026-07-28";

/// A server's address, and what it gave so far.
pub(super) struct Remote {
    agent: ureq::Agent,
    url: String,
    bearer: Option<String>,
    session: Option<String>,
    revision: Option<String>,
    came: VecDeque<Vec<u8>>,
}

impl Remote {
    /// Nothing is connected yet.
    pub(super) fn new(
        url: &str,
        bearer: Option<String>,
        patience: Duration,
    ) -> Result<Self, CliError> {
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(CliError::usage(format!(
                "`{}` is no address of a server: allowed are http://… and https://…",
                plain(url)
            )));
        }
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A token must not follow a redirect to another place.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(patience))
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
        if url.starts_with("https://") {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = TlsConfig::builder()
                .unversioned_rustls_crypto_provider(provider)
                .root_certs(RootCerts::PlatformVerifier)
                .build();
            config = config.tls_config(tls);
        }
        Ok(Self {
            agent: config.build().new_agent(),
            url: url.to_owned(),
            bearer,
            session: None,
            revision: None,
            came: VecDeque::new(),
        })
    }

    fn failed(&self, error: impl std::fmt::Display) -> CliError {
        CliError::usage(format!("`{}`: {error}", plain(&self.url)))
    }

    /// The headers of each request.
    fn headers(&self, method: Option<&str>) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json, text/event-stream".to_owned()),
        ];
        let bearer = self.bearer.iter().map(|token| format!("Bearer {token}"));
        headers.extend(bearer.map(|value| ("authorization", value)));
        headers.extend(self.session.iter().map(|id| ("mcp-session-id", id.clone())));
        if method != Some("initialize") {
            let revision = self.revision.iter().cloned();
            headers.extend(revision.map(|revision| ("mcp-protocol-version", revision)));
        }
        if self.revision.as_deref() == Some(STATELESS) {
            headers.extend(method.map(|method| ("mcp-method", method.to_owned())));
        }
        headers
    }
}

impl Transport for Remote {
    fn send(&mut self, message: &str, method: Option<&str>) -> Result<(), CliError> {
        let mut request = Request::post(&self.url);
        for (name, value) in self.headers(method) {
            request = request.header(name, value);
        }
        let request = request
            .body(message.to_owned())
            .map_err(|error| self.failed(error))?;
        let answer = self.agent.run(request);
        let mut answer = answer.map_err(|error| self.failed(error))?;
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let kind = header("content-type").unwrap_or_default();
        if method == Some("initialize") {
            self.session = header("mcp-session-id");
        }
        let status = answer.status();
        let limit = u64::try_from(MESSAGE_BYTES).unwrap_or(u64::MAX);
        let reader = answer.body_mut().with_config().limit(limit).reader();
        if kind.starts_with("text/event-stream") {
            // The stream may stay open after the answer: it is read as far as that.
            let wanted = method.is_some();
            for event in Events::of(BufReader::new(reader)).take(MESSAGES) {
                let event = event.map_err(|error| self.failed(error))?;
                let is_answer = wanted && is_answer(&event);
                self.came.push_back(event);
                if is_answer {
                    break;
                }
            }
            return Ok(());
        }
        let mut body = Vec::new();
        let mut reader = reader;
        reader
            .read_to_end(&mut body)
            .map_err(|error| self.failed(error))?;
        let is_json = kind.starts_with("application/json");
        match status {
            StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {}
            // A refusal may be a JSON-RPC error.
            _ if is_json && method.is_some() => {}
            _ if method.is_none() => return Ok(()),
            other => return Err(self.failed(format_args!("the server answers {other}"))),
        }
        if !body.trim_ascii().is_empty() && method.is_some() {
            self.came.push_back(body);
        }
        Ok(())
    }

    fn next(&mut self, _until: Instant) -> Result<Vec<u8>, CliError> {
        let next = self.came.pop_front();
        next.ok_or_else(|| self.failed("the server gave no answer"))
    }

    fn speaks(&mut self, revision: &str) {
        self.revision = Some(revision.to_owned());
    }
}

impl Drop for Remote {
    /// Says that the session is not needed any more; a server need not take that.
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            let mut request = Request::delete(&self.url).header("mcp-session-id", session);
            if let Some(token) = &self.bearer {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if let Ok(request) = request.body(()) {
                let _ = self.agent.run(request);
            }
        }
    }
}

/// Whether the message answers a request.
fn is_answer(message: &[u8]) -> bool {
    let message: serde_json::Value = serde_json::from_slice(message).unwrap_or_default();
    message.get("method").is_none() && message.get("id").is_some()
}

/// The data of server-sent events.
struct Events<R> {
    from: R,
}

impl<R: std::io::BufRead> Events<R> {
    fn of(from: R) -> Self {
        Self { from }
    }
}

impl<R: std::io::BufRead> Iterator for Events<R> {
    type Item = std::io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut data = Vec::new();
        loop {
            let mut line = Vec::new();
            match self.from.read_until(b'\n', &mut line) {
                Err(error) => return Some(Err(error)),
                Ok(0) => return (!data.is_empty()).then_some(Ok(data)),
                Ok(_) => {}
            }
            let line = line.trim_ascii_end();
            match line.strip_prefix(b"data:") {
                Some(text) => data.extend_from_slice(text.trim_ascii_start()),
                None if line.is_empty() && !data.is_empty() => return Some(Ok(data)),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_one_by_one() {
        let stream = ": hello\r\n\r\nevent: message\r\nid: 1\r\ndata: {\"id\":1}\r\n\r\ndata: {\ndata: }\n\ndata: last";
        let events: Vec<String> = Events::of(stream.as_bytes())
            .map(|event| String::from_utf8(event.unwrap()).unwrap())
            .collect();
        assert_eq!(events, ["{\"id\":1}", "{}", "last"]);
    }
}
