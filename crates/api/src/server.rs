//! The server: binding, accepting, stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use countersign_accept::ACCEPT_REST;
use countersign_service::Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::app::App;
use crate::config::{ConfigError, SWEEP, ServerConfig, TURNED_AWAY};
use crate::connection::{Carrier, turn_away};
use crate::openapi;
use crate::routes;
use crate::telling::Telling;
use crate::tls::{self, TlsError};

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What was set cannot be served.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// TLS cannot be offered.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The threads that judge could not be started.
    #[error("the threads that judge could not be started: {0}")]
    Threads(std::io::Error),
    /// The API's description could not be written.
    #[error("the openapi document could not be written: {0}")]
    OpenApi(#[from] serde_json::Error),
}

/// A server that listens and does not accept yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    router: Router,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

/// Binds and serves until `shutdown`; see [`Server`].
pub async fn serve(
    service: Arc<Service>,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Server::bind(service, config).await?.run(shutdown).await;
    Ok(())
}

impl Server {
    /// Checks the configuration and takes the address.
    ///
    /// The runtime must have the time and I/O drivers, and at least 512 threads that may block
    /// (tokio's default).
    pub async fn bind(service: Arc<Service>, config: ServerConfig) -> Result<Self, ServeError> {
        config.check()?;
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let (router, document) = routes::all();
        let app = App::new(service, config, openapi::text(&document)?);
        let app = Arc::new(app.map_err(ServeError::Threads)?);
        let failed = |error| ServeError::Listen {
            address: app.config.listen,
            error,
        };
        let listener = TcpListener::bind(app.config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = routes::finish(router, &app);
        Ok(Self {
            listener,
            address,
            app,
            router,
            tls,
        })
    }

    /// Says who tells people of flags: `/healthz` and `/metrics` have how they fare. The first counts.
    pub fn set_telling(&self, telling: Arc<dyn Telling>) {
        let _ = self.app.telling.set(telling);
    }

    /// The address that is listened on; with port 0 in the configuration, this has the real one.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for clients on this machine, without a slash at its end.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Accepts and serves until `shutdown`; then finishes the requests in work, within the time to
    /// drain.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self {
            listener,
            app,
            router,
            tls,
            ..
        } = self;
        let (stop, stopping) = watch::channel(false);
        let carrier = Carrier::new(router, tls, &app.config, stopping);
        let mut connections = JoinSet::new();
        accept(&listener, &app, &carrier, &mut connections, shutdown).await;
        drop(listener);
        app.stop_waiting();
        stop.send_replace(true);
        let drained = async {
            while connections.join_next().await.is_some() {}
            app.at_rest().await;
        };
        if timeout(app.config.drain, drained).await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                "stopped with requests in work"
            );
        }
        connections.shutdown().await;
    }
}

async fn accept(
    listener: &TcpListener,
    app: &Arc<App>,
    carrier: &Carrier,
    connections: &mut JoinSet<()>,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(app.config.connections));
    let away = Arc::new(Semaphore::new(TURNED_AWAY));
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = shutdown.as_mut() => return,
            Some(_) = connections.join_next() => {}
            _ = sweep.tick() => app.rates.sweep(),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                    Ok(place) => {
                        let (carrier, app) = (carrier.clone(), Arc::clone(app));
                        connections.spawn(async move {
                            app.metrics.connections.inc();
                            carrier.serve(stream, peer).await;
                            app.metrics.connections.dec();
                            drop(place);
                        });
                    }
                    Err(_) => refuse(stream, &away, carrier.tls.is_some(), connections),
                },
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    sleep(ACCEPT_REST).await;
                }
            },
        }
    }
}

/// Turns a connection away; before a TLS handshake there is no way to say so.
fn refuse(stream: TcpStream, away: &Arc<Semaphore>, is_tls: bool, connections: &mut JoinSet<()>) {
    let Ok(place) = Arc::clone(away).try_acquire_owned() else {
        return;
    };
    if is_tls {
        return;
    }
    connections.spawn(async move {
        turn_away(stream).await;
        drop(place);
    });
}
