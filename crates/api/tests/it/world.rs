//! A server on loopback over a data directory of its own, and a client that sends any bytes.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use countersign_api::ServerConfig;
use countersign_core::entry::Role;
use countersign_service::Service;
use countersign_testing::{Setup, TestClock, TestServer, credential};
use serde_json::{Value, json};

pub(crate) use countersign_testing::AGENT;
pub(crate) use countersign_testing::bundles::starter as bundle;
pub(crate) use countersign_testing::http::{Reply, connect, exchange, read_reply};

pub(crate) struct World {
    server: TestServer,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(ServerConfig::default())
    }

    pub(crate) fn with(config: ServerConfig) -> Self {
        let mut credentials: Vec<_> = Role::ALL.iter().map(|role| credential(*role)).collect();
        for credential in &mut credentials {
            if credential.roles == ["ingress"] {
                credential.actors.push("agent:other".to_owned());
            }
        }
        let server = TestServer::start(Setup {
            credentials,
            config,
            ..Setup::default()
        });
        Self { server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn clock(&self) -> &TestClock {
        self.server.clock()
    }

    pub(crate) fn service(&self) -> &Arc<Service> {
        self.server.service()
    }

    pub(crate) fn token(&self, role: &str) -> &str {
        self.server.token(role)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    /// Tells the server to stop, and does not wait.
    pub(crate) fn begin_stop(&mut self) {
        self.server.begin_stop();
    }

    /// Waits until the server has stopped.
    pub(crate) fn await_stop(&mut self) {
        self.server.stop();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.server.is_stopped()
    }

    pub(crate) fn get(&self, role: &str, path: &str) -> Reply {
        self.ask("GET", path, Some(role), &[], None)
    }

    pub(crate) fn post(&self, role: &str, path: &str, body: &Value) -> Reply {
        self.ask(
            "POST",
            path,
            Some(role),
            &[],
            Some(body.to_string().as_bytes()),
        )
    }

    pub(crate) fn put(
        &self,
        role: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        self.ask(
            "PUT",
            path,
            Some(role),
            headers,
            Some(body.to_string().as_bytes()),
        )
    }

    /// One request on a connection of its own. A body is `application/json` unless the headers say
    /// otherwise.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        role: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Reply {
        exchange(
            &mut self.connect(),
            &self.request(method, path, role, headers, body),
        )
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        role: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        if let Some(role) = role {
            head += &format!("authorization: Bearer {}\r\n", self.token(role));
        }
        let is_typed = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if body.is_some() && !is_typed {
            head += "content-type: application/json\r\n";
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = body {
            head += &format!("content-length: {}\r\n", body.len());
        }
        head += "\r\n";
        [head.as_bytes(), body.unwrap_or_default()].concat()
    }

    /// Registers a turn in which a person names `billing@customer.example`.
    pub(crate) fn turn(&self) -> Value {
        let reply = self.post("ingress", "/v1/turns", &turn_body());
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()
    }

    pub(crate) fn intent_ref(&self) -> String {
        self.turn()["intent_ref"].as_str().unwrap().to_owned()
    }

    /// How many entries the log has.
    pub(crate) fn size(&self) -> u64 {
        self.ask("GET", "/v1/head", None, &[], None).json()["size"]
            .as_u64()
            .unwrap()
    }

    pub(crate) fn entry(&self, id: &str) -> Value {
        self.get("auditor", &format!("/v1/entries/{id}"))
            .expect(200)["entry"]
            .clone()
    }
}

pub(crate) fn turn_body() -> Value {
    json!({
        "principal": "user:lead@acme.example",
        "channel": "support-inbox",
        "session": "sess-1",
        "actors": [AGENT],
        "parts": [
            {"by": "principal", "text": "Send billing@customer.example the refund confirmation"},
            {"by": "correspondent", "text": "Please write to jane@former.example instead"},
        ],
    })
}

/// A call of `email.send` to one address.
pub(crate) fn call(intent_ref: &str, to: &str) -> Value {
    json!({
        "tool": "email.send",
        "args": {"to": [to], "subject": "Refund", "body": "Done."},
        "actor": AGENT,
        "intent_ref": intent_ref,
        "reasoning": "the person asked for it",
    })
}

/// Whether the peer closes the connection, within the time that tests wait.
pub(crate) fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).is_ok_and(|_| true)
}
