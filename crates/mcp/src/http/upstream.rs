//! Requests to the upstream, with a bound on everything that it may do.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    LOCATION, USER_AGENT, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout, timeout_at};

use super::connect::{Connector, UpstreamTlsError};
use super::guard::{is_encoded, is_media_type};
use super::limits::{EVENTS_PER_ANSWER, HEAD_BYTES, HEAD_FIELDS, MESSAGE_BYTES};
use super::options::{HttpOptions, Timeouts, UpstreamUrl};
use super::sse::{Event, Reader};

pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Both forms that an answer may have.
const EITHER: &str = "application/json, text/event-stream";
const STREAM: &str = "text/event-stream";

/// Why the upstream gave no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the upstream cannot be reached")]
    Unreachable,
    #[error("the upstream did not answer within {} s", .0.as_secs_f64())]
    Slow(Duration),
    #[error("the upstream's answer broke off")]
    Broken,
    #[error("the upstream's answer exceeds {MESSAGE_BYTES} bytes")]
    TooLong,
    #[error("the upstream's headers exceed {HEAD_BYTES} bytes")]
    LongHead,
    #[error("the upstream sends its client elsewhere, which is not followed")]
    Redirect,
    #[error("the upstream answered with an encoding that was not asked for")]
    Encoded,
    #[error("the upstream answered with status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("the upstream wants to know who asks")]
    Unauthorized(Option<HeaderValue>),
    #[error("the upstream answered without a response")]
    NoResponse,
    #[error("the upstream has ended the session")]
    SessionEnded,
    #[error("the upstream sent more events than one answer may have")]
    TooMany,
}

/// The one upstream.
#[derive(Clone)]
pub(crate) struct Upstream {
    url: UpstreamUrl,
    headers: Arc<HeaderMap>,
    client: Client<Connector, Full<Bytes>>,
    pub(crate) timeouts: Timeouts,
}

/// An answer whose head has come.
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    body: Incoming,
    until: Option<Instant>,
    silence: Duration,
}

/// What a reply's body is, as its media type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Stream,
    Other,
}

impl Upstream {
    /// The upstream that the options name.
    pub(crate) fn new(options: &HttpOptions) -> Result<Self, UpstreamTlsError> {
        let url = options.upstream.clone();
        let within = options.timeouts.connect;
        let connector = Connector::new(url.uri(), options.upstream_ca.as_deref(), within)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(32)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(HEAD_BYTES)
            .http1_max_headers(HEAD_FIELDS)
            .build(connector);
        Ok(Self {
            url,
            headers: Arc::new(options.upstream_headers.0.clone()),
            client,
            timeouts: options.timeouts,
        })
    }

    /// Sends one message.
    pub(crate) async fn post(&self, more: HeaderMap, body: Vec<u8>) -> Result<Reply, Trouble> {
        let until = Instant::now() + self.timeouts.total;
        self.post_until(more, body, Some(until)).await
    }

    /// Sends one message whose answer may go on for as long as its client likes.
    pub(crate) async fn post_open(&self, more: HeaderMap, body: Vec<u8>) -> Result<Reply, Trouble> {
        self.post_until(more, body, None).await
    }

    async fn post_until(
        &self,
        more: HeaderMap,
        body: Vec<u8>,
        until: Option<Instant>,
    ) -> Result<Reply, Trouble> {
        let mut headers = more;
        headers.insert(ACCEPT, HeaderValue::from_static(EITHER));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(Method::POST, headers, body, until).await
    }

    /// Opens a stream, or resumes one.
    pub(crate) async fn listen(&self, more: HeaderMap) -> Result<Reply, Trouble> {
        let mut headers = more;
        headers.insert(ACCEPT, HeaderValue::from_static(STREAM));
        self.send(Method::GET, headers, Vec::new(), None).await
    }

    /// Ends a session.
    pub(crate) async fn delete(&self, more: HeaderMap) -> Result<Reply, Trouble> {
        self.send(Method::DELETE, more, Vec::new(), None).await
    }

    async fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Vec<u8>,
        until: Option<Instant>,
    ) -> Result<Reply, Trouble> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = self.url.uri().clone();
        let all = request.headers_mut();
        *all = headers;
        all.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        all.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("countersign/", env!("CARGO_PKG_VERSION"))),
        );
        for (name, value) in self.headers.iter() {
            all.insert(name.clone(), value.clone());
        }
        let within = self.timeouts.first_byte;
        let answered = timeout(within, self.client.request(request)).await;
        let response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => return Err(Trouble::Unreachable),
            Ok(Err(_)) => return Err(Trouble::Broken),
            Err(_) => return Err(Trouble::Slow(within)),
        };
        self.reply(response, until)
    }

    fn reply(
        &self,
        response: Response<Incoming>,
        until: Option<Instant>,
    ) -> Result<Reply, Trouble> {
        let (head, body) = response.into_parts();
        let fields = head.headers.iter();
        let length: usize = fields
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if length > HEAD_BYTES {
            return Err(Trouble::LongHead);
        }
        if head.status.is_redirection() || head.headers.contains_key(LOCATION) {
            return Err(Trouble::Redirect);
        }
        if is_encoded(&head.headers) {
            return Err(Trouble::Encoded);
        }
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body,
            until,
            silence: self.timeouts.silence,
        })
    }
}

impl Reply {
    /// The trouble that its status is.
    pub(crate) fn trouble(&self) -> Trouble {
        match self.status {
            StatusCode::UNAUTHORIZED => {
                Trouble::Unauthorized(self.headers.get(WWW_AUTHENTICATE).cloned())
            }
            status => Trouble::Status(status),
        }
    }

    /// What the body is.
    pub(crate) fn form(&self) -> Form {
        let mut kinds = self.headers.get_all(CONTENT_TYPE).iter();
        let kind = kinds.next().and_then(|value| value.to_str().ok());
        match kind {
            _ if kinds.next().is_some() => Form::Other,
            Some(kind) if is_media_type(kind, "application/json") => Form::Json,
            Some(kind) if is_media_type(kind, STREAM) => Form::Stream,
            _ => Form::Other,
        }
    }

    /// The next bytes; `None` at the end that the upstream meant.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            let limit = match self.until {
                Some(until) => until.min(Instant::now() + self.silence),
                // A stream that was asked for may be quiet for as long as it likes.
                None => Instant::now() + Duration::from_secs(365 * 24 * 60 * 60),
            };
            let Ok(frame) = timeout_at(limit, self.body.frame()).await else {
                return Err(Trouble::Slow(self.silence));
            };
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(Trouble::Broken),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The messages of a body that is a stream of events.
    pub(crate) fn messages(&mut self) -> Messages<'_> {
        Messages {
            reply: self,
            reader: Reader::default(),
            events: Vec::new().into_iter(),
            count: 0,
        }
    }

    /// The whole body, up to the size of a message.
    pub(crate) async fn whole(&mut self) -> Result<Vec<u8>, Trouble> {
        if self.body.size_hint().lower() > MESSAGE_BYTES as u64 {
            return Err(Trouble::TooLong);
        }
        let mut whole = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > MESSAGE_BYTES {
                return Err(Trouble::TooLong);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }
}

/// What the events of a stream bring, one after the other.
pub(crate) struct Messages<'a> {
    reply: &'a mut Reply,
    reader: Reader,
    /// Those that came and were not given yet.
    events: std::vec::IntoIter<Event>,
    count: usize,
}

impl Messages<'_> {
    /// The data of the next event that brings any; `None` at the end that the upstream meant.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        loop {
            for event in self.events.by_ref() {
                if let Event::Message(event) = event
                    && let Some(data) = event.data.filter(|data| !data.is_empty())
                {
                    return Ok(Some(data));
                }
            }
            let Some(chunk) = self.reply.chunk().await? else {
                return Ok(None);
            };
            let mut events = Vec::new();
            self.reader
                .push(&chunk, &mut events)
                .map_err(|_| Trouble::TooLong)?;
            self.count += events.len();
            if self.count > EVENTS_PER_ANSWER {
                return Err(Trouble::TooMany);
            }
            self.events = events.into_iter();
        }
    }
}

/// A client's `Authorization`, marked so that nothing prints it.
pub(crate) fn authorization(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut value = headers.get(AUTHORIZATION)?.clone();
    value.set_sensitive(true);
    Some(value)
}
