//! What a request is answered with that does not pass.

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;

/// A request, read whole.
#[derive(Debug)]
pub struct Incoming {
    /// The method.
    pub method: Method,
    /// The path as it stood in the request.
    pub path: String,
    /// The query as it stood in the request, without its `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers; the length is not among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a request does not pass (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    /// The entry that the ledger holds of it.
    pub(crate) entry_id: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            entry_id: None,
        }
    }

    /// A request that has no single reading, or is none of its route.
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// A body of another kind than the route's.
    pub(crate) fn media(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "unsupported-media-type", detail)
    }

    /// A permit that is not good for this request.
    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "permit-refused", detail)
    }

    /// The ledger could not be asked: nothing leaves.
    pub(crate) fn no_ledger(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ledger-unavailable",
            detail,
        )
    }

    /// The call left, and the agent does not get what came of it.
    pub(crate) fn upstream(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, code, detail)
    }

    pub(crate) fn recorded(self, entry_id: Option<String>) -> Self {
        Self { entry_id, ..self }
    }

    /// The problem document.
    pub(crate) fn answer(&self) -> Answer {
        let mut document = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let (Some(members), Some(entry_id)) = (document.as_object_mut(), &self.entry_id) {
            members.insert("entry_id".to_owned(), json!(entry_id));
        }
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 section 15.5.2 wants a challenge.
            let challenge = HeaderValue::from_static("Countersign-Permit");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Answer {
            status: self.status,
            headers,
            body: document.to_string().into_bytes(),
        }
    }
}
