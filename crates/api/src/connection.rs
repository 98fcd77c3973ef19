//! One connection: its handshake, its requests, its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::config::{HANDSHAKE, HEAD_BYTES, LINGER, ServerConfig};
use crate::context::Link;
use crate::error::{ApiError, HttpCode};
use crate::linger::Lingering;

/// What every connection of a server has.
#[derive(Clone)]
pub(crate) struct Carrier {
    pub(crate) router: Router,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) header_timeout: Duration,
    pub(crate) age: Duration,
    /// How long a connection at its age may take for the request that it is at.
    pub(crate) last_request: Duration,
    /// Turns true when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Carrier {
    pub(crate) fn new(
        router: Router,
        tls: Option<TlsAcceptor>,
        config: &ServerConfig,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let last_request = config.header_timeout
            + config.body_timeout
            + config.work_timeout.saturating_mul(2)
            + LINGER;
        Self {
            router,
            tls,
            header_timeout: config.header_timeout,
            age: config.connection_age,
            last_request,
            stopping,
        }
    }

    /// Serves a connection until it ends.
    pub(crate) async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let unread = Arc::new(AtomicBool::new(false));
        let link = Link::new(peer, Arc::clone(&unread));
        let stream = Lingering::new(stream, unread);
        let Some(tls) = self.tls.clone() else {
            return self.speak(stream, link).await;
        };
        match timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, link).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "tls handshake failed"),
            Err(_) => tracing::debug!(%peer, "tls handshake took too long"),
        }
    }

    async fn speak(
        mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        link: Link,
    ) {
        let peer = link.peer;
        let router = self.router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            answer(router.clone(), request, link.clone())
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_header_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stopped(&mut self.stopping) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = sleep(self.age) => {
                connection.as_mut().graceful_shutdown();
                match timeout(self.last_request, connection).await {
                    Ok(result) => result,
                    Err(_) => return tracing::debug!(%peer, "a connection past its age was cut"),
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(%peer, %error, "connection ended");
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is a reason to stop as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn answer(
    router: Router,
    mut request: Request<Incoming>,
    link: Link,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(link);
    router.oneshot(request.map(Body::new)).await
}

/// Tells a client that there are too many connections, without reading what it wants.
pub(crate) async fn turn_away(mut stream: TcpStream) {
    let error = ApiError::http(
        HttpCode::TooManyConnections,
        "the server has all the connections that it bears",
    );
    let request_id = ulid::Ulid::generate().to_string();
    let body = serde_json::to_string(&error.problem(&request_id)).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
         x-request-id: {request_id}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let told = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 4 * 1024];
        while stream.read(&mut rest).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Whoever does not listen is simply closed.
    let _ = timeout(LINGER, told).await;
}
