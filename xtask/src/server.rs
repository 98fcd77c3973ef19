//! A real server on loopback, over a fresh data directory, with one credential per role.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_api::ServerConfig;
use countersign_client::{Client, Options, Token};
use countersign_core::document::BundleContent;
use countersign_host::{Beginning, DataDir, Host};
use countersign_service::Service;
use countersign_wire::NewCredential;
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::error::Error;

/// The tenant whose log it is.
pub(crate) const TENANT: &str = "xtask";
/// The prefix of all actors' names.
pub(crate) const ACTORS: &str = "agent:xtask/";
/// The roles that have a credential.
const ROLES: [&str; 4] = ["ingress", "agent", "tool", "auditor"];
/// How long a request may take before it counts as an error.
const REQUEST: Duration = Duration::from_secs(60);

/// A data directory with a log that was just begun.
pub(crate) struct Log {
    tokens: Vec<(&'static str, SecretString)>,
    // The service goes before the directory that it writes to.
    host: Host,
    scratch: Option<TempDir>,
}

/// A server over a log. Dropping it ends it at once.
pub(crate) struct Server {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
    // Fields are dropped in this order.
    runtime: Runtime,
    log: Log,
}

impl Log {
    /// Begins a log in `data` or, without one, in a directory of its own below `scratch`, which is
    /// removed at the end.
    pub(crate) fn begin(
        content: BundleContent,
        data: Option<&Path>,
        scratch: &Path,
    ) -> Result<Self, Error> {
        let (root, temporary) = match data {
            Some(root) => (root.to_path_buf(), None),
            None => {
                let made = tempfile::Builder::new()
                    .prefix("countersign-")
                    .tempdir_in(scratch);
                let made = made.map_err(Error::io(scratch))?;
                (made.path().join("data"), Some(made))
            }
        };
        let beginning = Beginning {
            tenant: TENANT.parse().map_err(Error::server("the tenant"))?,
            public_name: None,
            bundle: content,
            credentials: ROLES.into_iter().map(credential).collect(),
        };
        let (host, first) = DataDir::new(root)
            .begin(beginning)
            .map_err(Error::server("the data directory"))?;
        let tokens = ROLES
            .into_iter()
            .zip(first)
            .map(|(role, first)| (role, first.token))
            .collect();
        Ok(Self {
            tokens,
            host,
            scratch: temporary,
        })
    }

    /// The service.
    pub(crate) fn service(&self) -> &Arc<Service> {
        self.host.service()
    }

    /// The token of the credential with this role.
    pub(crate) fn token(&self, role: &str) -> Result<&str, Error> {
        let found = self.tokens.iter().find(|(has, _)| *has == role);
        let missing = || Error::server("the credentials")(format!("none has the role {role}"));
        found
            .map(|(_, token)| token.expose_secret())
            .ok_or_else(missing)
    }
}

impl Server {
    /// Begins a log and serves it.
    pub(crate) fn start(content: BundleContent, data: Option<&Path>) -> Result<Self, Error> {
        Self::over(Log::begin(content, data, &std::env::temp_dir())?)
    }

    /// Serves a log on a free port, with its background work and without limits of rate.
    pub(crate) fn over(log: Log) -> Result<Self, Error> {
        let failed = Error::server::<std::io::Error>("the server");
        log.service().spawn_background().map_err(&failed)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(&failed)?;
        let config = ServerConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            rate: None,
            ..ServerConfig::default()
        };
        let bound = countersign_api::Server::bind(Arc::clone(log.service()), config);
        let server = runtime
            .block_on(bound)
            .map_err(Error::server("the server"))?;
        let url = server.url();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = runtime.spawn(server.run(async move { drop(stopped.await) }));
        Ok(Self {
            url,
            stop: Some(stop),
            served,
            runtime,
            log,
        })
    }

    /// The log that is served.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A client with connections of its own and the token of this role.
    pub(crate) fn client(&self, role: &str) -> Result<Client, Error> {
        let failed = "the client";
        let address = self.url.parse().map_err(Error::server(failed))?;
        let options = Options {
            request_timeout: REQUEST,
            ..Options::default()
        };
        let client = Client::new(address, options).map_err(Error::server(failed))?;
        Ok(client.with_token(Token::new(self.log.token(role)?)))
    }

    /// Stops it and lets what is in work be finished.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        if let Some(stop) = self.stop.take() {
            // Nobody listens if the server has ended by itself.
            let _ = stop.send(());
        }
        self.runtime
            .block_on(self.served)
            .map_err(Error::server("the server"))?;
        self.log
            .service()
            .close()
            .map_err(Error::server("the service"))?;
        if let Some(scratch) = self.log.scratch.take() {
            let path: PathBuf = scratch.path().to_path_buf();
            drop(self.log);
            scratch.close().map_err(Error::io(&path))?;
        }
        Ok(())
    }
}

fn credential(role: &str) -> NewCredential {
    let speaks = matches!(role, "ingress" | "agent");
    NewCredential {
        roles: vec![role.to_owned()],
        actors: if speaks {
            vec![ACTORS.to_owned()]
        } else {
            Vec::new()
        },
        ..NewCredential::default()
    }
}
