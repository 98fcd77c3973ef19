//! Listening, reading requests whole, answering them.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_accept::accept;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming as Body};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::gate::Gate;
use crate::head::{Seen, Tapped};
use crate::limits::{
    BODY_BYTES, BODY_MEMORY_KIB, BODY_TIME, CALLS, CONNECTIONS, HEAD_BYTES, HEAD_TIME, HEADERS,
};
use crate::problem::{Answer, Incoming, Problem};

/// How long calls in work may take when the gate ends, beyond the time that the upstream has.
const DRAIN: Duration = Duration::from_secs(90);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {error}")]
pub struct ListenError {
    address: SocketAddr,
    error: std::io::Error,
}

/// A gate that listens and does not accept yet.
pub struct GateServer {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    gate: Arc<Gate>,
    body_bytes: usize,
    calls: Arc<Semaphore>,
    most_calls: u32,
    memory: Arc<Semaphore>,
}

impl GateServer {
    /// Takes the address. `body_bytes` and `calls` take the place of [`BODY_BYTES`] and [`CALLS`].
    pub async fn bind(
        gate: Gate,
        address: SocketAddr,
        body_bytes: Option<usize>,
        calls: Option<u32>,
    ) -> Result<Self, ListenError> {
        let failed = |error| ListenError { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let most_calls = calls
            .unwrap_or(u32::try_from(CALLS).unwrap_or(u32::MAX))
            .max(1);
        let places = usize::try_from(most_calls).unwrap_or(CALLS);
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            shared: Arc::new(Shared {
                gate: Arc::new(gate),
                body_bytes: body_bytes.unwrap_or(BODY_BYTES).min(BODY_MEMORY_KIB * 1024),
                calls: Arc::new(Semaphore::new(places)),
                most_calls,
                memory: Arc::new(Semaphore::new(BODY_MEMORY_KIB)),
            }),
        })
    }

    /// The address that is listened on; with port 0, this has the real one.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts and serves until `shutdown`; then finishes the calls in work.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let failed = |error: &std::io::Error| {
            tracing::warn!(%error, "no connection could be accepted");
        };
        let shared = Arc::clone(&self.shared);
        let each = move |stream, _| serve(Arc::clone(&shared), stream);
        let mut connections = accept(self.listener, CONNECTIONS, shutdown, failed, each).await;
        // What has left must be reported, whoever still waits for it.
        let at_rest = self.shared.calls.acquire_many(self.shared.most_calls);
        if timeout(DRAIN, at_rest).await.is_err() {
            tracing::warn!("stopped with calls in work: they stay without an end in the ledger");
        }
        let answered = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(Duration::from_secs(1), answered).await;
        connections.shutdown().await;
    }
}

/// Serves the one request of a connection.
async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let seen = Seen::default();
    let stream = Tapped::new(stream, seen.clone());
    let service = service_fn(move |request| {
        let (shared, seen) = (Arc::clone(&shared), seen.clone());
        async move { Ok::<_, Infallible>(answer(&shared, &seen, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_header_size(HEAD_BYTES)
        .max_headers(HEADERS)
        // Nothing that comes after the request is read as another one.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn answer(shared: &Shared, seen: &Seen, request: Request<Body>) -> Response<Full<Bytes>> {
    let answered = match read(shared, seen, request).await {
        Ok((incoming, memory)) => handle(shared, incoming, memory).await,
        Err(problem) => problem.answer(),
    };
    let mut response = Response::new(Full::new(Bytes::from(answered.body)));
    *response.status_mut() = answered.status;
    *response.headers_mut() = answered.headers;
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Reads a request whole, before anything is done with it.
async fn read(
    shared: &Shared,
    seen: &Seen,
    request: Request<Body>,
) -> Result<(Incoming, OwnedSemaphorePermit), Problem> {
    let (parts, body) = request.into_parts();
    let too_large = || {
        let detail = format!("the body is longer than {} bytes", shared.body_bytes);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
    };
    let length = body.size_hint().exact().unwrap_or(u64::MAX);
    let known = usize::try_from(length).ok().filter(|_| length != u64::MAX);
    if known.is_some_and(|known| known > shared.body_bytes) {
        return Err(too_large());
    }
    let memory = memory(shared, known.unwrap_or(shared.body_bytes))?;
    let bytes = timeout(BODY_TIME, Limited::new(body, shared.body_bytes).collect()).await;
    let bytes = match bytes {
        Ok(Ok(bytes)) => bytes.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(_)) => return Err(Problem::bad("the body was cut off")),
        Err(_) => {
            let detail = "the body did not arrive in time";
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body-timeout",
                detail,
            ));
        }
    };
    if let Some(ambiguity) = seen.ambiguity() {
        return Err(Problem::bad(ambiguity));
    }
    if parts.uri.scheme().is_some() || parts.uri.authority().is_some() {
        return Err(Problem::bad(
            "the request's target is no path, such as `/messages`",
        ));
    }
    Ok((
        Incoming {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            body: bytes.to_vec(),
        },
        memory,
    ))
}

fn memory(shared: &Shared, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let kib = u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX);
    let taken = Arc::clone(&shared.memory).try_acquire_many_owned(kib);
    taken.map_err(|_| busy())
}

fn busy() -> Problem {
    let detail = "the gate has all the calls that it bears; nothing was sent, ask again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
}

/// Runs the call on a thread that may block. It goes on when the client has gone.
async fn handle(shared: &Shared, incoming: Incoming, memory: OwnedSemaphorePermit) -> Answer {
    let Ok(place) = Arc::clone(&shared.calls).try_acquire_owned() else {
        return busy().answer();
    };
    let gate = Arc::clone(&shared.gate);
    let handled = tokio::task::spawn_blocking(move || {
        let answer = gate.handle(&incoming);
        drop((place, memory));
        answer
    });
    handled.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request ended the thread that it was on");
        let detail = "an internal error; if the call left, its end is `unknown` in the ledger";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).answer()
    })
}
