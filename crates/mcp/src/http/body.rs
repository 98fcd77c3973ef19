//! Bodies of answers, and the way on which an exchange sends its answer: as JSON if it is one
//! message, as a stream of events if more is to be said.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::guard::Turned;
use super::limits::{CHUNKS, UNREAD_TIMEOUT};
use super::sse::{self, Event};

/// A body of an answer. While it lives, its client is there.
pub(crate) struct Out {
    content: Content,
    _alive: Option<Alive>,
}

enum Content {
    Whole(Option<Bytes>),
    Stream(mpsc::Receiver<Bytes>),
}

/// Held by whoever brings an answer to its client.
pub(crate) struct Alive(
    #[expect(dead_code, reason = "dropping it is what it is for")] oneshot::Sender<()>,
);

/// Ends when the client has the whole answer, or has gone.
pub(crate) struct Gone(Option<oneshot::Receiver<()>>);

/// Where an exchange sends its answer.
pub(crate) struct Outlet {
    reply: Option<oneshot::Sender<Response<Out>>>,
    stream: Option<mpsc::Sender<Bytes>>,
}

/// The client reads no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unread;

/// An outlet, and what waits for its answer.
pub(crate) fn outlet() -> (Outlet, oneshot::Receiver<Response<Out>>) {
    let (reply, answer) = oneshot::channel();
    let outlet = Outlet {
        reply: Some(reply),
        stream: None,
    };
    (outlet, answer)
}

/// The two ends of a client's presence.
pub(crate) fn presence() -> (Alive, Gone) {
    let (alive, gone) = oneshot::channel();
    (Alive(alive), Gone(Some(gone)))
}

impl Gone {
    /// Waits until the client has gone.
    pub(crate) async fn wait(&mut self) {
        if let Some(gone) = &mut self.0 {
            let _ = gone.await;
            self.0 = None;
        }
    }
}

impl Outlet {
    /// Sends the one message of a JSON answer, or the last event of a stream.
    pub(crate) async fn answer(mut self, status: StatusCode, bytes: Vec<u8>) {
        if self.stream.is_some() {
            let _ = self.event(sse::message(bytes)).await;
            return;
        }
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(json(status, bytes));
        }
    }

    /// Answers with a status and a text, unless the answer has begun.
    pub(crate) fn turn(mut self, turned: Turned) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(plain(turned));
        }
    }

    /// Answers with this, unless the answer has begun.
    pub(crate) fn respond(mut self, response: Response<Out>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(response);
        }
    }

    /// Begins a stream of events.
    pub(crate) fn begin(&mut self) {
        if let Some(reply) = self.reply.take() {
            let (stream, chunks) = mpsc::channel(CHUNKS);
            self.stream = Some(stream);
            let _ = reply.send(events(chunks));
        }
    }

    /// Whether a stream has begun.
    pub(crate) fn is_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Sends the bytes of an event.
    pub(crate) async fn event(&mut self, bytes: Vec<u8>) -> Result<(), Unread> {
        self.begin();
        let Some(stream) = &self.stream else {
            return Err(Unread);
        };
        match timeout(UNREAD_TIMEOUT, stream.send(Bytes::from(bytes))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Unread),
        }
    }

    /// Says that there is nothing to say, if a stream has begun and its client keeps up.
    pub(crate) fn keep_alive(&self) {
        if let Some(stream) = &self.stream {
            let _ = stream.try_send(Bytes::from(sse::write(&Event::Comment)));
        }
    }
}

impl Out {
    /// A body that is there.
    pub(crate) fn whole(bytes: Vec<u8>) -> Self {
        Self {
            content: Content::Whole(Some(Bytes::from(bytes)).filter(|bytes| !bytes.is_empty())),
            _alive: None,
        }
    }

    /// The same body, which holds the sign of its client's presence.
    pub(crate) fn held(self, alive: Alive) -> Self {
        Self {
            _alive: Some(alive),
            ..self
        }
    }
}

impl Body for Out {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Stream(chunks) => {
                let next = chunks.poll_recv(cx);
                next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, bytes: Vec<u8>) -> Response<Out> {
    let mut response = Response::new(Out::whole(bytes));
    *response.status_mut() = status;
    head(&mut response, "application/json");
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Out> {
    let mut response = Response::new(Out::whole(Vec::new()));
    *response.status_mut() = status;
    response
}

/// A status and a text.
pub(crate) fn plain(turned: Turned) -> Response<Out> {
    let mut response = Response::new(Out::whole(format!("{}\n", turned.text).into_bytes()));
    *response.status_mut() = turned.status;
    head(&mut response, "text/plain; charset=utf-8");
    if turned.status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(hyper::header::WWW_AUTHENTICATE, scheme);
    }
    response
}

fn events(chunks: mpsc::Receiver<Bytes>) -> Response<Out> {
    let mut response = Response::new(Out {
        content: Content::Stream(chunks),
        _alive: None,
    });
    head(&mut response, "text/event-stream");
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response
        .headers_mut()
        .insert(unbuffered, HeaderValue::from_static("no"));
    response
}

fn head(response: &mut Response<Out>, kind: &'static str) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let sniffed = HeaderName::from_static("x-content-type-options");
    headers.insert(sniffed, HeaderValue::from_static("nosniff"));
}
