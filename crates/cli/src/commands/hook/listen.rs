//! `countersign hook agent-hooks --listen`: verdicts over HTTP.
//!
//! Whoever can post here can register turns, so a request needs the configuration's token, and a
//! page in somebody's browser gets nowhere: no `Origin`, a `Host` that is this one, JSON only.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use countersign_core::refs::Sha256;
use countersign_hooks::limits::EVENT_BYTES;
use countersign_hooks::{Config, Handler, agent_hooks, config_file};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::install::hook_error;
use crate::error::CliError;
use crate::exit::Exit;
use crate::serve::Signals;
use crate::terminal::Terminal;

/// How many contexts are handled at once; each may wait for a person.
const AT_ONCE: usize = 64;
/// How long a request's body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

struct Listener {
    handler: Arc<Handler>,
    /// The digest of the token, so that comparing takes as long for a near miss as for a far one.
    token: Sha256,
    address: SocketAddr,
    places: Semaphore,
}

/// Where it listens, as `--json` prints it.
#[derive(Serialize)]
struct Listening<'a> {
    event: &'static str,
    url: &'a str,
}

pub(super) fn run(
    address: SocketAddr,
    config: Option<&Path>,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if !address.ip().is_loopback() {
        return Err(CliError::usage(format!(
            "`{address}` is not on this machine alone, and what comes there is not encrypted"
        ))
        .hint("listen on 127.0.0.1 or [::1]"));
    }
    let usual = config_file(agent_hooks::NAME);
    let path = config.or(usual.as_deref());
    let path = path.ok_or_else(|| CliError::usage("there is no home directory (HOME)"))?;
    let config = Config::read(path).map_err(|error| {
        hook_error(error).hint("`countersign hook install agent-hooks` writes it")
    })?;
    let Some(token) = config.tokens.listen.clone() else {
        return Err(CliError::io(path, "it has no token `listen`")
            .hint("`countersign hook install agent-hooks --renew` makes one"));
    };
    let handler = Arc::new(Handler::new(config)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| CliError::usage(format!("the runtime did not start: {error}")))?;
    runtime.block_on(async {
        let failed = |error| CliError::usage(format!("cannot listen on `{address}`: {error}"));
        let socket = tokio::net::TcpListener::bind(address)
            .await
            .map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let mut signals = Signals::listen()?;
        let url = format!("http://{address}/");
        let listening = Listening {
            event: "listening",
            url: &url,
        };
        terminal.answer(&listening, || format!("listening on {url}"))?;
        let listener = Listener {
            handler,
            token: Sha256::of(token.reveal().as_bytes()),
            address,
            places: Semaphore::new(AT_ONCE),
        };
        let router = Router::new()
            .route("/", post(verdict))
            .with_state(Arc::new(listener));
        let served =
            axum::serve(socket, router).with_graceful_shutdown(async move { signals.next().await });
        served.await.map_err(failed)?;
        Ok(Exit::Yes)
    })
}

async fn verdict(State(listener): State<Arc<Listener>>, request: Request) -> Response {
    if let Err((status, reason)) = admitted(&listener, request.headers()) {
        return (status, format!("{reason}\n")).into_response();
    }
    let Ok(_place) = listener.places.try_acquire() else {
        let reason = format!("more than {AT_ONCE} contexts are being handled\n");
        return (StatusCode::SERVICE_UNAVAILABLE, reason).into_response();
    };
    let body = match body(request.into_body()).await {
        Ok(body) => body,
        Err((status, reason)) => return (status, format!("{reason}\n")).into_response(),
    };
    let handler = Arc::clone(&listener.handler);
    // It waits for the server, and may wait for a person.
    let answered =
        tokio::task::spawn_blocking(move || agent_hooks::verdict_on(&handler, &body)).await;
    match answered {
        Ok(verdict) => {
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, format!("{verdict}\n")).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn body(body: Body) -> Result<Vec<u8>, (StatusCode, &'static str)> {
    let limit = usize::try_from(EVENT_BYTES).unwrap_or(usize::MAX);
    match timeout(BODY_TIME, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(_)) => Err((
            StatusCode::PAYLOAD_TOO_LARGE,
            "the context is too long, or broke off",
        )),
        Err(_) => Err((
            StatusCode::REQUEST_TIMEOUT,
            "the context took too long to arrive",
        )),
    }
}

fn admitted(listener: &Listener, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let port = listener.address.port();
    let own = [listener.address.to_string(), format!("localhost:{port}")];
    if !own.iter().any(|own| own.eq_ignore_ascii_case(host)) {
        return Err((
            StatusCode::MISDIRECTED_REQUEST,
            "`Host` names another place",
        ));
    }
    if headers.contains_key(header::ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "requests of web pages are not taken"));
    }
    let given = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    if given.is_none_or(|given| Sha256::of(given.as_bytes()) != listener.token) {
        return Err((
            StatusCode::UNAUTHORIZED,
            "the token is missing or another one",
        ));
    }
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    match kind.split(';').next().map(str::trim) {
        Some("application/json") => Ok(()),
        _ => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the context comes as application/json",
        )),
    }
}
