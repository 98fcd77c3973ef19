//! A Countersign server over a data directory of its own, which can go away and come back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use countersign_api::{Server, ServerConfig};
use countersign_client::{Client, EntriesQuery, Options, Token};
use countersign_core::document::BundleContent;
use countersign_core::entry::Role;
use countersign_host::{Beginning, DataDir, Host};
use countersign_mcp::relay::{Clients, Relay, RelayOptions, TurnSource};
use countersign_service::Service;
use countersign_wire::NewCredential;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::sync::oneshot;

pub(crate) const AGENT: &str = "agent:support";
/// Nothing that a test waits for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a ticket is asked about before it is touched, by a rule of these tests.
const ASKED: &str = r#"
@id("tickets-are-asked-about")
@reason("Is this ticket meant?")
@escalate("requester")
forbid (principal, action == Action::"ticket.update", resource);
"#;

pub(crate) struct World {
    address: SocketAddr,
    tokens: BTreeMap<&'static str, String>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    host: Host,
    _dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("data"));
        let beginning = Beginning {
            tenant: "acme".parse().unwrap(),
            public_name: None,
            bundle: bundle(),
            credentials: Role::ALL.iter().map(|role| credential(*role)).collect(),
        };
        let (host, first) = data.begin(beginning).unwrap();
        let tokens = first.iter().map(|first| {
            let token = first.token.expose_secret().to_owned();
            (first.roles[0].name(), token)
        });
        let tokens = tokens.collect();
        let free = "127.0.0.1:0".parse().unwrap();
        let (address, running) = serve(Arc::clone(host.service()), free);
        Self {
            address,
            tokens,
            running: Some(running),
            host,
            _dir: dir,
        }
    }

    /// The server goes away; the log stays.
    pub(crate) fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }

    /// It comes back under its address.
    pub(crate) fn start_again(&mut self) {
        let (_, running) = serve(Arc::clone(self.host.service()), self.address);
        self.running = Some(running);
    }

    pub(crate) fn client(&self, role: &str) -> Client {
        let url = format!("http://{}", self.address).parse().unwrap();
        let client = Client::new(url, Options::default()).unwrap();
        client.with_token(Token::new(&self.tokens[role]))
    }

    pub(crate) fn relay(&self, edit: impl FnOnce(&mut RelayOptions)) -> Relay {
        let text =
            "Look up billing@customer.example, send them the confirmation, close ticket 4821";
        let mut options = RelayOptions {
            actor: AGENT.to_owned(),
            turn: TurnSource::Text {
                text: text.to_owned(),
                principal: "user:lead@acme.example".to_owned(),
                channel: "support-inbox".to_owned(),
            },
            server_name: "tools".to_owned(),
            prefix: String::new(),
            clients: Clients {
                agent: self.client("agent"),
                tool: self.client("tool"),
                ingress: Some(self.client("ingress")),
            },
            review_wait: Duration::from_secs(20),
            notices: Arc::new(|text| eprintln!("notice: {text}")),
            calls: Some(Arc::new(|text| eprintln!("call: {text}"))),
        };
        edit(&mut options);
        Relay::new(options).unwrap()
    }

    /// The entries of a kind, oldest first.
    pub(crate) fn entries(&self, kind: &str) -> Vec<Value> {
        let query = EntriesQuery {
            kind: Some(kind.to_owned()),
            order: Some("oldest".to_owned()),
            limit: Some(100),
            ..EntriesQuery::default()
        };
        let page = self.client("auditor").entries(&query).unwrap();
        let entries = page.entries.iter();
        entries
            .map(|entry| serde_json::to_value(&entry.entry).unwrap())
            .collect()
    }

    /// The kinds of the newest entries, oldest first.
    pub(crate) fn kinds(&self, most: usize) -> Vec<String> {
        let query = EntriesQuery {
            limit: Some(100),
            order: Some("oldest".to_owned()),
            ..EntriesQuery::default()
        };
        let page = self.client("auditor").entries(&query).unwrap();
        let entries = page.entries.iter();
        let entries: Vec<Value> = entries
            .map(|entry| serde_json::to_value(&entry.entry).unwrap())
            .collect();
        let kinds = texts(&entries, "kind");
        kinds[kinds.len().saturating_sub(most)..].to_vec()
    }

    pub(crate) fn outcomes(&self) -> Vec<String> {
        texts(&self.entries("decision"), "outcome")
    }

    pub(crate) fn phases(&self) -> Vec<String> {
        texts(&self.entries("execution"), "phase")
    }

    /// Waits until the executions have these phases.
    pub(crate) fn await_phases(&self, phases: &[&str]) {
        let begun = Instant::now();
        while self.phases() != phases {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.phases());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The call document of the newest decision.
    pub(crate) fn newest_call(&self) -> Value {
        let decision = self.entries("decision").pop().unwrap();
        let reference = decision["call_ref"].as_str().unwrap();
        let opened = self.client("vault-reader").open(reference, "test").unwrap();
        serde_json::to_value(opened).unwrap()["document"].take()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
        let _ = self.host.service().close();
    }
}

fn texts(entries: &[Value], member: &str) -> Vec<String> {
    let texts = entries.iter().map(|entry| entry[member].as_str());
    texts
        .map(|text| text.unwrap_or_default().to_owned())
        .collect()
}

fn serve(
    service: Arc<Service>,
    listen: SocketAddr,
) -> (SocketAddr, (oneshot::Sender<()>, JoinHandle<()>)) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let config = ServerConfig {
                listen,
                ..ServerConfig::default()
            };
            let server = Server::bind(service, config).await.unwrap();
            sender.send(server.local_addr()).unwrap();
            let ended = async {
                let _ = stopped.await;
            };
            server.run(ended).await;
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
    });
    (receiver.recv().unwrap(), (stop, thread))
}

fn credential(role: Role) -> NewCredential {
    let speaks = matches!(role, Role::Agent | Role::Ingress);
    NewCredential {
        roles: vec![role.name().to_owned()],
        actors: if speaks {
            vec![AGENT.to_owned()]
        } else {
            Vec::new()
        },
        surface: (role == Role::Agent).then(|| "relay".to_owned()),
        ..NewCredential::default()
    }
}

fn bundle() -> BundleContent {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bundles/mail-agent");
    let mut files = vec![("policies/asked.cedar".to_owned(), ASKED.to_owned())];
    for directory in ["", "policies", "tools"] {
        for entry in std::fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((name.to_owned(), text));
            }
        }
    }
    countersign_judge::source::read(&files).unwrap()
}
