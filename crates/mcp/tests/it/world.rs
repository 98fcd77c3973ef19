//! A Countersign server, and the relay that asks it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::entry::Role;
use countersign_mcp::relay::{Clients, Relay, RelayOptions, TurnSource};
use countersign_testing::{Setup, TestServer, bundles, credential};

pub(crate) use countersign_testing::{AGENT, PATIENCE};

/// What a ticket is asked about before it is touched, by a rule of these tests.
const ASKED: &str = r#"
@id("tickets-are-asked-about")
@reason("Is this ticket meant?")
@escalate("requester")
forbid (principal, action == Action::"ticket.update", resource);
"#;

pub(crate) struct World {
    server: TestServer,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut credentials: Vec<_> = Role::ALL.iter().map(|role| credential(*role)).collect();
        for credential in &mut credentials {
            if credential.roles == ["agent"] {
                credential.surface = Some("relay".to_owned());
            }
        }
        let server = TestServer::start(Setup {
            bundle: bundles::starter_with("mail-agent", &[("policies/asked.cedar", ASKED)]),
            credentials,
            ..Setup::default()
        });
        Self { server }
    }

    /// The relay without a transport.
    pub(crate) fn core(&self, edit: impl FnOnce(&mut RelayOptions)) -> Relay {
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
}

impl Deref for World {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut TestServer {
        &mut self.server
    }
}
