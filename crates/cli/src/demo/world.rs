//! What the story plays on: a fresh data directory, a server over it on loopback, a mail server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_api::{Server, ServerConfig};
use countersign_client::{Client, Options, ServerUrl, Token};
use countersign_host::{Beginning, DataDir, Host};
use countersign_notify::{Notifier, NotifyDir};
use countersign_service::{FirstCredential, PublicKeys};
use countersign_wire::NewCredential;
use secrecy::ExposeSecret as _;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::agent;
use super::smtp::Sink;
use crate::bundles;
use crate::commands::turn::LOCAL_ACTOR;
use crate::connection::{Connection, DEFAULT_SERVER};
use crate::error::CliError;
use crate::profile::Profile;
use crate::serve::notify;

/// How long the sinks have to be told of the night.
const TOLD: Duration = Duration::from_secs(20);
/// The tenant, which its log's origin names.
const TENANT: &str = "acme";
/// The credentials: a role, under which the profile has its token, and all roles of it.
const CREDENTIALS: [(&str, &[&str]); 8] = [
    ("ingress", &["ingress"]),
    ("agent", &["agent"]),
    ("tool", &["tool"]),
    ("reviewer", &["reviewer"]),
    ("author", &["author"]),
    ("auditor", &["auditor"]),
    ("vault-reader", &["vault-reader", "auditor"]),
    ("admin", &["admin"]),
];

/// Whom the agent's and the ingress's credentials may speak for: the agent of the story, and
/// whoever tries the commands afterwards.
const ACTORS: [&str; 2] = [agent::ACTOR, LOCAL_ACTOR];

/// Everything that runs while the story is told.
pub(super) struct World {
    home: PathBuf,
    host: Host,
    serving: Serving,
    anonymous: Client,
    tokens: Vec<(String, Token)>,
    mail_server: Sink,
    notifier: Option<Notifier>,
}

/// A server on a runtime of its own.
struct Serving {
    runtime: Runtime,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl World {
    /// Makes the directory, begins a log in it, and starts both servers.
    pub(super) fn begin(home: PathBuf, sinks: Option<&Path>) -> Result<Self, CliError> {
        let data = DataDir::new(home.join("data"));
        let beginning = Beginning {
            tenant: TENANT.parse().map_err(failed)?,
            public_name: None,
            bundle: bundles::read("mail-agent")?,
            credentials: CREDENTIALS
                .iter()
                .map(|(name, roles)| credential(name, roles))
                .collect(),
        };
        let (host, first) = data.begin(beginning).map_err(failed)?;
        // It watches from a thread of its own, as that of `serve` does.
        drop(host.service().spawn_background().map_err(failed)?);
        let notifier = sinks.map(|sinks| told(sinks, &host, &data)).transpose()?;
        let (serving, address) = Serving::start(&host)?;
        let url: ServerUrl = format!("http://{address}").parse().map_err(failed)?;
        Ok(Self {
            home,
            host,
            serving,
            anonymous: Client::new(url, Options::default())?,
            tokens: first.into_iter().filter_map(named).collect(),
            mail_server: Sink::start().map_err(failed)?,
            notifier,
        })
    }

    /// The directory that the demo made.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// The server's address.
    pub(super) fn url(&self) -> &ServerUrl {
        self.anonymous.server()
    }

    /// The mail server.
    pub(super) fn mail_server(&self) -> &Sink {
        &self.mail_server
    }

    /// A client without a token.
    pub(super) fn anonymous(&self) -> &Client {
        &self.anonymous
    }

    /// A client with the token of a role.
    pub(super) fn client(&self, role: &str) -> Result<Client, CliError> {
        let found = self.tokens.iter().find(|(name, _)| name == role);
        let (_, token) =
            found.ok_or_else(|| CliError::usage(format!("there is no credential `{role}`")))?;
        Ok(self.anonymous.with_token(token.clone()))
    }

    /// The public keys, as the operator hands them over: out of band, not through the server.
    pub(super) fn public_keys(&self) -> &PublicKeys {
        self.host.service().public_keys()
    }

    /// The log's origin.
    pub(super) fn origin(&self) -> String {
        self.host.service().origin().to_string()
    }

    /// Lets the watcher look at everything that was committed so far.
    pub(super) fn settle_watch(&self) -> Result<(), CliError> {
        self.host.service().settle_watch().map_err(failed)
    }

    /// A connection as the commands have it.
    pub(super) fn connection(&self) -> Connection {
        Connection::of(self.anonymous.clone(), self.profile(self.url().to_string()))
    }

    /// Writes the profile with which the commands work on this log once it is served again.
    pub(super) fn save_profile(&self) -> Result<PathBuf, CliError> {
        let path = self.home.join("profile.toml");
        self.profile(DEFAULT_SERVER.to_owned()).save(&path)?;
        Ok(path)
    }

    fn profile(&self, server: String) -> Profile {
        let keys = self.public_keys();
        Profile {
            server,
            log_key: keys.log_key.clone(),
            root_key: keys.root_key.clone(),
            ca_file: None,
            tokens: self.tokens.iter().cloned().collect(),
        }
    }

    /// Stops the server and lets the data directory go.
    pub(super) fn end(self) -> Result<(), CliError> {
        let is_told = self.notifier.as_ref().is_none_or(|it| it.settle(TOLD));
        drop(self.notifier);
        self.serving.end()?;
        if !is_told {
            return Err(
                CliError::usage("not all sinks took what they were told").hint(format!(
                    "countersign notify list --data {}",
                    self.home.join("data").display()
                )),
            );
        }
        self.host.service().close().map_err(failed)
    }
}

impl Serving {
    fn start(host: &Host) -> Result<(Self, SocketAddr), CliError> {
        let config = ServerConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            ..ServerConfig::default()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(failed)?;
        let service = Arc::clone(host.service());
        let server = runtime
            .block_on(Server::bind(service, config))
            .map_err(failed)?;
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let served = runtime.spawn(async move {
            let stopped = async { drop(stopped.await) };
            server.run(stopped).await;
        });
        Ok((
            Self {
                runtime,
                stop,
                served,
            },
            address,
        ))
    }

    fn end(self) -> Result<(), CliError> {
        // Nobody is there to be told if the server has ended by itself; joining it says why.
        let _ = self.stop.send(());
        self.runtime.block_on(self.served).map_err(failed)
    }
}

/// Starts telling the sinks of a file, which becomes the data directory's own.
fn told(sinks: &Path, host: &Host, data: &DataDir) -> Result<Notifier, CliError> {
    let copy = NotifyDir::new(data.path()).config();
    std::fs::copy(sinks, copy.path()).map_err(|error| CliError::io(sinks, error))?;
    notify::start(host, data)
}

fn credential(name: &str, roles: &[&str]) -> NewCredential {
    let speaks = roles.iter().any(|role| ["agent", "ingress"].contains(role));
    NewCredential {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        name: Some(name.to_owned()),
        actors: if speaks {
            ACTORS.map(str::to_owned).to_vec()
        } else {
            Vec::new()
        },
        ..NewCredential::default()
    }
}

fn named(first: FirstCredential) -> Option<(String, Token)> {
    Some((first.name?, Token::new(first.token.expose_secret())))
}

/// Something that the demo rests on did not work.
pub(super) fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::usage(error.to_string())
}
