//! The HTTP side of a witness (C2SP tlog-witness): two routes over `countersign-witness`.
//!
//! There are no credentials: a request counts for the signature of its log and nothing else. So
//! plain HTTP gives nothing away; TLS keeps others from delaying a log's checkpoints unseen.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use countersign_accept::accept;
use countersign_note::{Checkpoint, Timestamp};
use countersign_witness::{AddCheckpoint, FileStore, MAX_REQUEST_LEN, Reply, Witness};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::config::ServerConfig;
use crate::connection::Carrier;
use crate::context::Link;
use crate::server::ServeError;
use crate::tls;

/// Most requests of a witness that are worked on at a time; more wait.
const AT_ONCE: usize = 16;

/// A witness that listens and does not accept yet.
pub struct WitnessServer {
    listener: TcpListener,
    address: SocketAddr,
    config: ServerConfig,
    router: Router,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

struct App {
    witness: Witness<FileStore>,
    body_timeout: Duration,
    places: Semaphore,
}

impl WitnessServer {
    /// Takes the address. Of the configuration, what is about credentials has no meaning here.
    pub async fn bind(
        witness: Witness<FileStore>,
        config: ServerConfig,
    ) -> Result<Self, ServeError> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let failed = |error| ServeError::Listen {
            address: config.listen,
            error,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let app = Arc::new(App {
            witness,
            body_timeout: config.body_timeout,
            places: Semaphore::new(AT_ONCE),
        });
        let router = Router::new()
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/{log}/checkpoint", get(checkpoint))
            .fallback(async || text(StatusCode::NOT_FOUND, "there is nothing at this path\n"))
            .layer(DefaultBodyLimit::disable())
            .with_state(app);
        Ok(Self {
            listener,
            address,
            config,
            router,
            tls,
        })
    }

    /// The base URL, without a slash at its end: submission and monitoring prefix alike.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Accepts and serves until `shutdown`; then finishes the requests in work, within the time to
    /// drain.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (stop, stopping) = watch::channel(false);
        let carrier = Carrier::new(self.router, self.tls, &self.config, stopping);
        let failed = |error: &std::io::Error| {
            tracing::warn!(%error, "no connection could be accepted");
        };
        // A log whose connection is one too many tries again a second later.
        let each = move |stream, peer| {
            let carrier = carrier.clone();
            async move { carrier.serve(stream, peer).await }
        };
        let most = self.config.connections;
        let mut connections = accept(self.listener, most, shutdown, failed, each).await;
        stop.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if timeout(self.config.drain, drained).await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                "stopped with requests in work"
            );
        }
        connections.shutdown().await;
    }
}

async fn add_checkpoint(State(app): State<Arc<App>>, request: Request) -> Response {
    let link = Link::of(request.extensions()).cloned();
    let has_body = !request.body().is_end_stream();
    let tell = |unread| {
        if let Some(link) = &link {
            link.set_unread(unread);
        }
    };
    tell(has_body);
    let body = match timeout(app.body_timeout, read(request.into_body())).await {
        Ok(Ok(body)) => body,
        Ok(Err(refusal)) => return refusal,
        Err(_) => {
            let late = "the request did not arrive in time\n";
            return closing(text(StatusCode::REQUEST_TIMEOUT, late));
        }
    };
    tell(false);
    let Ok(_place) = app.places.acquire().await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the witness is stopping\n");
    };
    let Some(now) = now() else {
        tracing::error!("the clock is before 1970: nothing is cosigned");
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the witness failed; nothing was cosigned\n",
        );
    };
    let working = Arc::clone(&app);
    let about = About::of(&body);
    let work = move || working.witness.add_checkpoint(&body, now);
    match tokio::task::spawn_blocking(work).await {
        Ok(reply) => {
            log(link.as_ref(), &about, &reply);
            answer(reply)
        }
        Err(error) => {
            tracing::error!(%error, "a worker ended");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed\n")
        }
    }
}

async fn checkpoint(State(app): State<Arc<App>>, Path(log): Path<String>) -> Response {
    // A look at memory; what is being written meanwhile is a few hundred bytes.
    let work = move || app.witness.checkpoint(&log);
    match tokio::task::spawn_blocking(work).await {
        Ok(reply) => answer(reply),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed\n"),
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Response> {
    match Limited::new(body, MAX_REQUEST_LEN).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => {
            let long = format!("a request has at most {MAX_REQUEST_LEN} bytes\n");
            Err(closing(text(StatusCode::PAYLOAD_TOO_LARGE, &long)))
        }
        Err(_) => Err(closing(text(
            StatusCode::BAD_REQUEST,
            "the body was cut off\n",
        ))),
    }
}

fn answer(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media_type = HeaderValue::from_static(reply.media_type);
    let mut response = (status, reply.body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn text(status: StatusCode, body: &str) -> Response {
    (status, body.to_owned()).into_response()
}

/// What follows on the connection would be the rest of a body that nobody reads.
fn closing(mut response: Response) -> Response {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// Which checkpoint a request is about, as it says itself.
#[derive(Default)]
struct About {
    origin: Option<String>,
    size: Option<u64>,
}

impl About {
    fn of(body: &[u8]) -> Self {
        let request = AddCheckpoint::parse(body).ok();
        let named = request.and_then(|it| Checkpoint::parse(it.checkpoint().text()).ok());
        named.map_or_else(Self::default, |checkpoint| Self {
            // Whoever asks chose it: it must not break the line.
            origin: Some(checkpoint.origin().escape_debug().to_string()),
            size: Some(checkpoint.size().get()),
        })
    }
}

fn log(link: Option<&Link>, about: &About, reply: &Reply) {
    let (origin, size) = (about.origin.as_deref(), about.size);
    let peer = link.map(|link| link.peer.to_string());
    let said = match reply.status {
        200 => "cosigned",
        _ => reply.body.trim_end(),
    };
    match reply.status {
        422 | 500.. => {
            tracing::warn!(
                peer,
                origin,
                size,
                status = reply.status,
                said,
                "add-checkpoint"
            );
        }
        _ => tracing::info!(
            peer,
            origin,
            size,
            status = reply.status,
            said,
            "add-checkpoint"
        ),
    }
}

fn now() -> Option<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_seconds(since.as_secs())
}
