//! Requests to servers of other protocols, whose answers are taken as they come: witnesses.

use ureq::http::{Method, header};

use crate::error::ClientError;
use crate::transport::{Client, Request};

/// An answer of whatever status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// The media type, if one is named.
    pub media_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// GET, for at most `limit` bytes of an answer.
    pub fn raw_get(&self, path: &str, limit: u64) -> Result<RawAnswer, ClientError> {
        self.raw(Request {
            limit,
            ..Request::get(path)
        })
    }

    /// POST of a body, for at most `limit` bytes of an answer.
    pub fn raw_post(
        &self,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
        limit: u64,
    ) -> Result<RawAnswer, ClientError> {
        self.raw(Request {
            limit,
            ..Request::with_bytes(Method::POST, path, media_type, body)
        })
    }

    fn raw(&self, request: Request<'_>) -> Result<RawAnswer, ClientError> {
        let limit = request.limit;
        let allowed = self.request_timeout();
        let mut answer = self.exchange(request, allowed)?;
        let media_type = answer.headers().get(header::CONTENT_TYPE);
        let media_type = media_type
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let status = answer.status().as_u16();
        let body = self.read(answer.body_mut(), limit, allowed)?;
        Ok(RawAnswer {
            status,
            media_type,
            body,
        })
    }
}
