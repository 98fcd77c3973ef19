//! A ledger's server, a gate before a tool, and a client that sends any bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use countersign_client::Client;
use countersign_core::entry::{AnyEntry, Body, Execution, ExecutionPhase, PermitRefused, Role};
use countersign_core::refs::Sha256;
use countersign_gate::{Gate, GateOptions, GateServer, Routes, Upstream, UpstreamOptions};
use countersign_testing::{AGENT, Running, Setup, TestServer, http};
use countersign_wire::{DecisionRequest, TurnRequest, WireRequest};
use serde_json::{Value, json};

use crate::tool::Tool;

pub(crate) use countersign_testing::PATIENCE;

const WORDS: &str = "Write to pat@acme.example, and read the inbox";

pub(crate) const ROUTES: &str = r#"
[[route]]
method = "POST"
path = "/v1/send"
tool = "email.send"
body = "object"

[[route]]
method = "GET"
path = "/v1/inbox"
tool = "inbox.read"
query = { message = "string", limit = "integer" }
"#;

pub(crate) struct World {
    pub(crate) gate: SocketAddr,
    pub(crate) tool: Tool,
    // The gate goes before the ledger that it asks.
    running: Running,
    server: TestServer,
}

impl World {
    pub(crate) fn new(tool: Tool) -> Self {
        Self::with(tool, ROUTES, &UpstreamOptions::default())
    }

    pub(crate) fn with(tool: Tool, routes: &str, options: &UpstreamOptions) -> Self {
        let server = TestServer::start(Setup::default());
        let gate = Gate::new(GateOptions {
            client: server.client("tool"),
            routes: Routes::parse(routes, |_| None).unwrap(),
            upstream: Upstream::new(&tool.url(), options).unwrap(),
        });
        gate.prepare().unwrap();
        let (gate, running) = Running::start(PATIENCE, move |sender, stopped| async move {
            let address = "127.0.0.1:0".parse().unwrap();
            let server = GateServer::bind(gate, address, Some(64 * 1024), Some(8))
                .await
                .unwrap();
            sender.send(server.local_addr()).unwrap();
            server.run(stopped).await;
        });
        Self {
            gate,
            tool,
            server,
            running,
        }
    }

    pub(crate) fn client(&self, role: Role) -> Client {
        self.server.client(role.name())
    }

    pub(crate) fn turn_clock(&self, millis: i64) {
        self.server.clock().turn(millis);
    }

    /// Ends the ledger's server; the gate goes on.
    pub(crate) fn end_server(&mut self) {
        self.server.stop();
    }

    /// Ends the gate, which finishes what it is at.
    pub(crate) fn end_gate(&mut self) {
        self.running.stop();
    }

    /// Asks for an approval of a call that the turn names.
    pub(crate) fn approve(&self, tool: &str, args: &Value, wire: Option<WireRequest>) -> String {
        let turn = serde_json::from_value(json!({
            "principal": "user:jo@acme.example", "channel": "chat", "session": "s1",
            "actors": [AGENT], "parts": [{"by": "principal", "text": WORDS}],
        }));
        let turn: TurnRequest = turn.unwrap();
        let turn = self.client(Role::Ingress).register_turn(&turn).unwrap();
        let request = DecisionRequest {
            tool: tool.to_owned(),
            args: args.clone(),
            actor: AGENT.to_owned(),
            intent_ref: Some(turn.intent_ref),
            wire,
            ..DecisionRequest::default()
        };
        let answer = self.client(Role::Agent).decide(&request, None).unwrap();
        assert_eq!(answer.outcome, "approved", "{:?}", answer.reasons);
        answer.permit.unwrap()
    }

    /// A permit for a mail with exactly these bytes at the tool.
    pub(crate) fn mail_permit(&self) -> String {
        let wire = self.wire("POST", "/v1/send", MAIL.as_bytes());
        self.approve(
            "email.send",
            &serde_json::from_str(MAIL).unwrap(),
            Some(wire),
        )
    }

    pub(crate) fn wire(&self, method: &str, target: &str, body: &[u8]) -> WireRequest {
        WireRequest {
            profile: format!("http:{method}"),
            destination: format!("{}{target}", self.tool.url()),
            sha256: Sha256::of(body).to_string(),
        }
    }

    /// Sends the mail with a permit.
    pub(crate) fn send(&self, permit: &str) -> Reply {
        self.ask("POST", "/v1/send", &[("countersign-permit", permit)], MAIL)
    }

    pub(crate) fn ask(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: gate\r\n");
        if !body.is_empty() {
            head += &format!("content-length: {}\r\n", body.len());
            if !fields.iter().any(|(name, _)| *name == "content-type") {
                head += "content-type: application/json\r\n";
            }
        }
        for (name, value) in fields {
            head += &format!("{name}: {value}\r\n");
        }
        self.exchange(format!("{head}\r\n{body}").as_bytes())
    }

    /// Sends bytes and reads until the gate closes.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // The gate may close before it has read what it does not want.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Reply::read(&answer)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        http::connect(self.gate)
    }

    pub(crate) fn log(&self) -> Vec<Body> {
        let service = self.server.service();
        let size = service.ledger().size().get();
        let mut bodies = Vec::new();
        while (bodies.len() as u64) < size {
            let from = bodies.len() as u64;
            for leaf in service.ledger().leaves(from..size).unwrap() {
                let entry = AnyEntry::from_leaf(&leaf.bytes).unwrap();
                bodies.push(entry.body().unwrap().clone());
            }
        }
        bodies
    }

    pub(crate) fn executions(&self) -> Vec<Execution> {
        let bodies = self.log().into_iter();
        bodies
            .filter_map(|body| match body {
                Body::Execution(it) => Some(it),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn phases(&self) -> Vec<ExecutionPhase> {
        self.executions().iter().map(|it| it.phase).collect()
    }

    pub(crate) fn refusals(&self) -> Vec<PermitRefused> {
        let bodies = self.log().into_iter();
        bodies
            .filter_map(|body| match body {
                Body::PermitRefused(it) => Some(it),
                _ => None,
            })
            .collect()
    }

    /// The newest result, as it was sealed.
    pub(crate) fn result(&self) -> Value {
        let reference = self.executions().pop().unwrap().result_ref.unwrap();
        let opened = self
            .client(Role::VaultReader)
            .open(&reference.to_string(), "test");
        let opened: Value = serde_json::to_value(opened.unwrap()).unwrap();
        opened["document"]["result"].clone()
    }
}

pub(crate) const MAIL: &str =
    r#"{ "to": ["pat@acme.example"], "subject":"Hello" , "body": "Good morning" }"#;

/// An answer of the gate.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn read(bytes: &[u8]) -> Self {
        let Some((head, body)) = split(bytes) else {
            panic!("no answer: {:?}", String::from_utf8_lossy(bytes));
        };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            body: body.to_vec(),
            head,
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> String {
        let problem: Value =
            serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        problem["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        fields
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

pub(crate) fn split(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    Some((head, &bytes[end + 4..]))
}

pub(crate) fn length(head: &str) -> usize {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths
        .next()
        .map_or(0, |(_, value)| value.trim().parse().unwrap())
}

/// An answer of a tool.
pub(crate) fn ok(kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// The arguments of a mail.
pub(crate) fn mail_args() -> Value {
    json!({"to": ["pat@acme.example"], "subject": "Hello", "body": "Good morning"})
}
