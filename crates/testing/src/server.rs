//! A server over a log of its own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use countersign_api::{Server, ServerConfig};
use countersign_client::{Client, Options, Token};
use countersign_core::document::BundleContent;
use countersign_core::entry::Role;
use countersign_core::time::Clock;
use countersign_host::{Beginning, DataDir, Host};
use countersign_keys::SystemRandom;
use countersign_service::Service;
use countersign_wire::NewCredential;
use secrecy::ExposeSecret as _;

use crate::{PATIENCE, Running, TestClock, bundles};

/// Whose calls the agent's credential covers, and whom the turns of the ingress may name.
pub const AGENT: &str = "agent:support";

/// What a log begins with, and how it is served.
pub struct Setup {
    /// The first bundle.
    pub bundle: BundleContent,
    /// The first credentials, one for a role.
    pub credentials: Vec<NewCredential>,
    /// How it is served; the address does not count.
    pub config: ServerConfig,
}

impl Default for Setup {
    /// The bundle `mail-agent`, and a credential for each role.
    fn default() -> Self {
        Self {
            bundle: bundles::starter("mail-agent"),
            credentials: Role::ALL.iter().map(|role| credential(*role)).collect(),
            config: ServerConfig::default(),
        }
    }
}

/// A credential of this role, which speaks for [`AGENT`] if the role speaks for anybody.
pub fn credential(role: Role) -> NewCredential {
    let speaks = matches!(role, Role::Agent | Role::Ingress);
    NewCredential {
        roles: vec![role.name().to_owned()],
        actors: speaks.then(|| AGENT.to_owned()).into_iter().collect(),
        ..NewCredential::default()
    }
}

/// A server on a free port of loopback over a data directory of its own; both go when it is dropped.
pub struct TestServer {
    address: SocketAddr,
    clock: Arc<TestClock>,
    tokens: BTreeMap<&'static str, String>,
    running: Running,
    host: Host,
    _dir: tempfile::TempDir,
}

impl TestServer {
    /// Begins a log and serves it.
    pub fn start(setup: Setup) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let beginning = Beginning {
            tenant: "acme".parse().unwrap(),
            public_name: None,
            bundle: setup.bundle,
            credentials: setup.credentials,
        };
        let clock = Arc::new(TestClock::default());
        let (host, first) = DataDir::new(dir.path().join("data"))
            .begin_with(
                beginning,
                Arc::clone(&clock) as Arc<dyn Clock>,
                Arc::new(SystemRandom),
            )
            .unwrap();
        let tokens = first.iter().map(|first| {
            let token = first.token.expose_secret().to_owned();
            (first.roles[0].name(), token)
        });
        let tokens = tokens.collect();
        let config = ServerConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            ..setup.config
        };
        let (address, running) = serve(Arc::clone(host.service()), config);
        Self {
            address,
            clock,
            tokens,
            running,
            host,
            _dir: dir,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its clock.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The service that it serves.
    pub fn service(&self) -> &Arc<Service> {
        self.host.service()
    }

    /// The token of the credential with this role.
    pub fn token(&self, role: &str) -> &str {
        &self.tokens[role]
    }

    /// A client with the token of this role.
    pub fn client(&self, role: &str) -> Client {
        let url = format!("http://{}", self.address).parse().unwrap();
        let client = Client::new(url, Options::default()).unwrap();
        client.with_token(Token::new(self.token(role)))
    }

    /// Tells the server to stop, and does not wait.
    pub fn begin_stop(&mut self) {
        self.running.begin_stop();
    }

    /// The server goes away; the log stays.
    pub fn stop(&mut self) {
        self.running.stop();
    }

    /// Whether it has stopped.
    pub fn is_stopped(&self) -> bool {
        self.running.is_ended()
    }

    /// It comes back under its address, with the settings that servers have of themselves.
    pub fn start_again(&mut self) {
        let config = ServerConfig {
            listen: self.address,
            ..ServerConfig::default()
        };
        let (_, running) = serve(Arc::clone(self.host.service()), config);
        self.running = running;
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.clock.open();
        self.running.stop();
        let _ = self.host.service().close();
    }
}

fn serve(service: Arc<Service>, config: ServerConfig) -> (SocketAddr, Running) {
    Running::start(PATIENCE, move |sender, stopped| async move {
        let server = Server::bind(service, config).await.unwrap();
        sender.send(server.local_addr()).unwrap();
        server.run(stopped).await;
    })
}
