//! Listening: connections of clients, their requests, the end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use countersign_accept::accept;
use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, HeaderValue, ORIGIN, VARY,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::app::{App, Settings};
use super::body::{Out, empty, plain};
use super::connect::UpstreamTlsError;
use super::guard::{Guard, Turned};
use super::limits::{
    CONNECTIONS, DRAIN, EXCHANGES, FLUSH, HEAD_BYTES, HEAD_FIELDS, HEADER_TIMEOUT,
};
use super::options::{HttpOptions, HttpOptionsError};
use super::upstream::Upstream;
use super::{listen, post};
use crate::relay::Relay;

const METHODS: &str = "GET, POST, DELETE";
/// What a page may send beside what every page may.
const HEADERS: &str = "authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id";

/// Why a relay does not listen.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// What was set does not go.
    #[error(transparent)]
    Options(#[from] HttpOptionsError),
    /// TLS cannot be spoken with the upstream.
    #[error(transparent)]
    Tls(#[from] UpstreamTlsError),
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
}

/// A relay that listens and does not accept yet.
pub struct HttpRelay {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    stop: watch::Sender<bool>,
}

impl HttpRelay {
    /// Checks the options and takes the address.
    pub async fn bind(relay: Relay, options: HttpOptions) -> Result<Self, HttpError> {
        options.check()?;
        let failed = |error| HttpError::Listen {
            address: options.listen,
            error,
        };
        let upstream = Upstream::new(&options)?;
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let guard = Guard::new(&options, address)?;
        let settings = Settings {
            path: options.upstream.path().to_owned(),
            forwards: options.forward_authorization,
            revision: options.revision,
            notices: Arc::clone(&relay.options().notices),
        };
        let (stop, stopping) = watch::channel(false);
        let app = Arc::new(App::new(relay, guard, upstream, settings, stopping));
        Ok(Self {
            listener,
            address,
            app,
            stop,
        })
    }

    /// The address that is listened on; with port 0 in the options, this has the real one.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.app.path)
    }

    /// Accepts and serves until `shutdown`; then every call that is still at the upstream is
    /// recorded as unknown.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let notices = Arc::clone(&self.app);
        let failed = move |error: &std::io::Error| {
            (notices.notices)(&format!("no connection could be accepted: {error}"));
        };
        let app = Arc::clone(&self.app);
        let each = move |stream, _| serve(Arc::clone(&app), stream);
        let mut connections = accept(self.listener, CONNECTIONS, shutdown, failed, each).await;
        self.stop.send_replace(true);
        let places = u32::try_from(EXCHANGES).unwrap_or(u32::MAX);
        let at_rest = async {
            let _ = self.app.exchanges.acquire_many(places).await;
            let _ = self.app.left_open.acquire_many(places).await;
        };
        let _ = timeout(DRAIN, at_rest).await;
        self.app.let_go(self.app.sessions.drain());
        // An exchange is over before its answer has been written to the client.
        let written = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(FLUSH, written).await;
        connections.shutdown().await;
    }
}

async fn serve(app: Arc<App>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let stopping = Arc::clone(&app);
    let service = service_fn(move |request| answer(Arc::clone(&app), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stopping.stopped() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(app: Arc<App>, request: Request<Incoming>) -> Result<Response<Out>, Infallible> {
    let (head, body) = request.into_parts();
    if let Err(turned) = app.guard.place(&head) {
        return Ok(plain(turned));
    }
    let origin = head.headers.get(ORIGIN).cloned();
    let mut response = route(&app, head, body).await;
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("origin"));
        let exposed = HeaderValue::from_static("mcp-session-id, www-authenticate");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    Ok(response)
}

async fn route(app: &Arc<App>, head: hyper::http::request::Parts, body: Incoming) -> Response<Out> {
    if head.uri.path() != app.path || head.uri.query().is_some() {
        return plain(Turned {
            status: StatusCode::NOT_FOUND,
            text: "nothing is here",
        });
    }
    if head.method == Method::OPTIONS && head.headers.contains_key(ORIGIN) {
        let mut response = empty(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static(METHODS),
        );
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(HEADERS),
        );
        return response;
    }
    let owner = match app.guard.authorized(&head.headers) {
        Ok(owner) => owner,
        Err(turned) => return plain(turned),
    };
    match head.method {
        Method::POST => post::post(app, owner, head, body).await,
        Method::GET => listen::get(app, owner, &head).await,
        Method::DELETE => listen::delete(app, owner, &head).await,
        _ => {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(METHODS));
            response
        }
    }
}
