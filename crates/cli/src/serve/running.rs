//! A server that runs: its signals, its background work, and what ends it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_api::{ServeError, Server, ServerConfig};
use countersign_host::Host;
use countersign_notify::Notifier;
use countersign_publish::Publisher;
use tokio::runtime::Runtime;

use super::signals::Signals;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How often it is looked whether the ledger has stopped.
const HALT_STEP: Duration = Duration::from_millis(500);

/// A server that has its address and does not accept yet.
pub(super) struct Bound {
    runtime: Runtime,
    server: Server,
    // From here on a signal does not end the process by itself.
    signals: Signals,
}

/// What ends a server.
enum End {
    Signal,
    Halted(String),
}

/// Finds out early whether an address can be had, before anything is made for it.
pub(super) fn check_free(address: SocketAddr) -> Result<(), CliError> {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => Err(ServeError::Listen { address, error }.into()),
    }
}

impl Bound {
    /// Takes the address.
    pub(super) fn new(host: &Host, config: ServerConfig) -> Result<Self, CliError> {
        let runtime = Runtime::new()
            .map_err(|error| CliError::usage(format!("the runtime did not start: {error}")))?;
        let service = Arc::clone(host.service());
        let (server, signals) =
            runtime.block_on(async { (Server::bind(service, config).await, Signals::listen()) });
        Ok(Self {
            server: server?,
            signals: signals?,
            runtime,
        })
    }

    /// The address that it has.
    pub(super) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// The address as a URL.
    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    /// Serves until a signal or until the ledger stops. A second signal ends the process at once;
    /// what was answered is durable.
    pub(super) fn run(
        self,
        host: &Host,
        (publisher, notifier): (Option<Publisher>, Notifier),
        terminal: &Terminal,
    ) -> Result<Exit, CliError> {
        let service = host.service();
        let background = service
            .spawn_background()
            .map_err(|error| CliError::usage(format!("a thread did not start: {error}")))?;
        let (server, mut signals) = (self.server, self.signals);
        server.set_telling(super::notify::telling(&notifier));
        let halted = self.runtime.block_on(async {
            let (tell, told) = tokio::sync::oneshot::channel();
            let (watched, speaker) = (Arc::clone(service), *terminal);
            let end = tokio::spawn(async move {
                let end = tokio::select! {
                    () = signals.next() => End::Signal,
                    reason = halted(&watched) => End::Halted(reason),
                };
                if matches!(end, End::Signal) {
                    speaker.note(
                        "stopping: requests in work are finished; a second signal ends at once",
                    );
                }
                // The server may be gone by itself.
                let _ = tell.send(());
                // Dropped when the process ends, which is what the second signal is for.
                tokio::spawn(async move {
                    signals.next().await;
                    std::process::exit(i32::from(Exit::Trouble.code()));
                });
                end
            });
            server.run(async { drop(told.await) }).await;
            let end = end
                .await
                .map_err(|error| CliError::usage(error.to_string()))?;
            Ok::<_, CliError>(match end {
                End::Signal => None,
                End::Halted(reason) => Some(reason),
            })
        })?;
        // Nobody waits for witnesses any more: the server is gone.
        drop(publisher);
        drop(notifier);
        let closed = service.close();
        let _ = background.join();
        match halted.or_else(|| service.ledger().health().halted) {
            None => {
                closed?;
                Ok(Exit::Yes)
            }
            Some(reason) => Err(CliError::usage(format!("the ledger has stopped: {reason}"))
                .exiting(Exit::Inconsistent)
                .hint("keep the data directory as it is; nothing is decided until somebody has looked (SECURITY.md)")),
        }
    }
}

async fn halted(service: &countersign_service::Service) -> String {
    loop {
        if let Some(reason) = service.ledger().health().halted {
            return reason;
        }
        tokio::time::sleep(HALT_STEP).await;
    }
}

impl From<ServeError> for CliError {
    fn from(error: ServeError) -> Self {
        let own = Self::usage(error.to_string());
        match &error {
            ServeError::Config(config) => own.hint(config.hint()),
            ServeError::Listen { error, .. } if error.kind() == std::io::ErrorKind::AddrInUse => {
                own.hint("another process listens there; take another port with --listen 127.0.0.1:PORT (0 takes a free one)")
            }
            _ => own,
        }
    }
}
