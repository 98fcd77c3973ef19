//! What is known of a request beside its content: its id, its trace, and whose credential it came with.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use countersign_core::ids::CredentialId;

/// W3C Trace Context, section 3.2.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The trace's id alone, for those who search logs.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// What is known of a request; one for its whole life.
#[derive(Clone)]
pub(crate) struct RequestContext(Arc<Inner>);

struct Inner {
    request_id: String,
    trace: Option<Trace>,
    credential: OnceLock<CredentialId>,
}

/// A valid `traceparent`, as it came.
struct Trace {
    header: HeaderValue,
    trace_id: String,
}

impl RequestContext {
    /// For a request that has just come in. An id that it brings along is not taken over: two
    /// requests must not have one id in the log.
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        Self(Arc::new(Inner {
            request_id: ulid::Ulid::generate().to_string(),
            trace: headers.get(TRACEPARENT).and_then(Trace::read),
            credential: OnceLock::new(),
        }))
    }

    pub(crate) fn request_id(&self) -> &str {
        &self.0.request_id
    }

    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.0.trace.as_ref().map(|trace| trace.trace_id.as_str())
    }

    /// Notes whose credential the request came with.
    pub(crate) fn authenticated(&self, credential: CredentialId) {
        // A request is authenticated once; a second time it would be the same credential.
        let _ = self.0.credential.set(credential);
    }

    pub(crate) fn credential(&self) -> Option<CredentialId> {
        self.0.credential.get().copied()
    }

    /// Puts the ids into a response's headers.
    pub(crate) fn echo(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::from_str(&self.0.request_id) {
            headers.insert(crate::error::REQUEST_ID, id);
        }
        if let Some(trace) = &self.0.trace {
            headers.insert(TRACEPARENT, trace.header.clone());
            if let Ok(id) = HeaderValue::from_str(&trace.trace_id) {
                headers.insert(TRACE_ID, id);
            }
        }
    }
}

impl Trace {
    /// Version 00: `00-<32 hex>-<16 hex>-<2 hex>`, lower case, no id of zeroes. What is not so is
    /// not taken into a log.
    fn read(header: &HeaderValue) -> Option<Self> {
        let text = header.to_str().ok()?;
        let mut fields = text.split('-');
        let (version, trace, parent, flags) = (
            fields.next()?,
            fields.next()?,
            fields.next()?,
            fields.next()?,
        );
        let is_hex = |field: &str, length: usize| {
            field.len() == length
                && field
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_id =
            |field: &str, length: usize| is_hex(field, length) && field.bytes().any(|b| b != b'0');
        let is_valid = version == "00"
            && is_id(trace, 32)
            && is_id(parent, 16)
            && is_hex(flags, 2)
            && fields.next().is_none();
        is_valid.then(|| Self {
            header: header.clone(),
            trace_id: trace.to_owned(),
        })
    }
}

/// The connection that a request came by.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) peer: SocketAddr,
    unread: Arc<AtomicBool>,
}

impl Link {
    pub(crate) fn new(peer: SocketAddr, unread: Arc<AtomicBool>) -> Self {
        Self { peer, unread }
    }

    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Notes whether a part of a request's body has not been read.
    pub(crate) fn set_unread(&self, unread: bool) {
        self.unread.store(unread, Ordering::Relaxed);
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(text: &str) -> Option<String> {
        Trace::read(&HeaderValue::from_str(text).unwrap()).map(|trace| trace.trace_id)
    }

    #[test]
    fn only_a_valid_traceparent_is_taken_over() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            trace(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(),
            Some(id)
        );
        for bad in [
            format!("01-{id}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{id}-{}-01", "0".repeat(16)),
            format!("00-{id}-00f067aa0ba902b7-1"),
            format!("00-{id}-00f067aa0ba902b7-01-"),
            format!("00-{id}-00f067aa0ba902b7"),
            "x\"} evil".to_owned(),
            String::new(),
        ] {
            assert_eq!(trace(&bad), None, "{bad}");
        }
    }
}
