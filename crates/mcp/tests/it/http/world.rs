//! A relay before a Countersign server, an upstream that says what a test wants, and a client that
//! sends any bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_mcp::http::{HttpOptions, HttpRelay};
use countersign_testing::Running;
use countersign_testing::http::{Fields, read_fields};
use serde_json::{Value, json};

pub(crate) use crate::world::{PATIENCE, World};
pub(crate) use countersign_testing::http::{Reply, connect, read_chunk, read_head, read_reply};

/// What a relay's work that waits may take to end once it has stopped: less than for a review.
const LINGER: Duration = Duration::from_secs(1);

impl World {
    pub(crate) fn relay(&self, upstream: &Upstream) -> Relayed {
        self.relay_with(&upstream.url(), |_| {})
    }

    pub(crate) fn relay_with(&self, url: &str, edit: impl FnOnce(&mut HttpOptions)) -> Relayed {
        let core = self.core(|_| {});
        let mut options = HttpOptions::new("127.0.0.1:0".parse().unwrap(), url.parse().unwrap());
        edit(&mut options);
        let (address, running) = Running::start(LINGER, move |sender, stopped| async move {
            let relay = HttpRelay::bind(core, options).await.unwrap();
            sender.send(relay.local_addr()).unwrap();
            relay.run(stopped).await;
        });
        Relayed {
            address,
            _running: running,
        }
    }
}

/// A relay that listens.
pub(crate) struct Relayed {
    pub(crate) address: SocketAddr,
    _running: Running,
}

impl Relayed {
    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// A POST with these headers beside the usual ones.
    pub(crate) fn post(&self, headers: &[(&str, &str)], body: &str) -> Reply {
        self.send(&self.request("POST", headers, Some(body.as_bytes())))
    }

    /// The same, and does not wait for the answer.
    pub(crate) fn begin(&self, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = self.connect();
        let bytes = self.request("POST", headers, Some(body.as_bytes()));
        stream.write_all(&bytes).unwrap();
        stream
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes);
        read_reply(&mut BufReader::new(stream)).expect("a response")
    }

    pub(crate) fn request(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Vec<u8> {
        let usual = [
            ("host", format!("127.0.0.1:{}", self.address.port())),
            ("accept", "application/json, text/event-stream".to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        let mut head = format!("{method} /mcp HTTP/1.1\r\n");
        for (name, value) in &usual {
            if !headers.iter().any(|(own, _)| own == name) {
                head += &format!("{name}: {value}\r\n");
            }
        }
        for (name, value) in headers {
            if !value.is_empty() {
                head += &format!("{name}: {value}\r\n");
            }
        }
        if let Some(body) = body {
            head += &format!("content-length: {}\r\n", body.len());
        }
        head += "\r\n";
        [head.as_bytes(), body.unwrap_or_default()].concat()
    }

    /// Opens a session and says that it is ready; the session's id.
    pub(crate) fn initialize(&self, capabilities: &Value) -> String {
        self.initialize_as(&[], capabilities)
    }

    pub(crate) fn initialize_as(&self, headers: &[(&str, &str)], capabilities: &Value) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
            "clientInfo": {"name": "test", "version": "1"}});
        let body = request(json!("init"), "initialize", &params);
        let reply = self.post(headers, &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        let session = reply.header("mcp-session-id").unwrap().to_owned();
        let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let mut with = headers.to_vec();
        with.push(("mcp-session-id", &session));
        assert_eq!(self.post(&with, ready).status, 202);
        session
    }

    /// A call in a session.
    pub(crate) fn call(&self, session: &str, id: i64, tool: &str, args: &Value) -> Reply {
        let params = json!({"name": tool, "arguments": args});
        let body = request(json!(id), "tools/call", &params);
        self.post(&[("mcp-session-id", session)], &body)
    }

    /// A call in revision 2026-07-28.
    pub(crate) fn call_stateless(&self, id: i64, tool: &str, params: Value) -> Reply {
        let body = request(json!(id), "tools/call", &with_meta(params, &json!({})));
        self.post(&stateless("tools/call", Some(tool)), &body)
    }
}

/// The headers of a request of revision 2026-07-28.
pub(crate) fn stateless<'a>(method: &'a str, name: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", method),
    ];
    headers.extend(name.map(|name| ("mcp-name", name)));
    headers
}

/// Parameters with the `_meta` of revision 2026-07-28.
pub(crate) fn with_meta(mut params: Value, capabilities: &Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    params
}

pub(crate) fn request(id: Value, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// Arguments of a call that is approved, and of one that is rejected.
pub(crate) fn lookup() -> Value {
    json!({"contact": "billing@customer.example"})
}

pub(crate) fn mail(to: &str) -> Value {
    json!({"to": [to], "subject": "Confirmation", "body": "Done."})
}

/// The code of a JSON-RPC error.
pub(crate) fn error_code(reply: &Reply) -> i64 {
    reply.json()["error"]["code"].as_i64().unwrap_or_default()
}

/// Whether it is the refusal of a call in words.
pub(crate) fn is_refused_call(reply: &Reply) -> bool {
    reply.json()["result"]["isError"] == true
}

/// What an upstream was sent.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) headers: Fields,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn asks(&self) -> String {
        self.json()["method"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

type Handler = Arc<dyn Fn(&Seen, &mut TcpStream) + Send + Sync>;

/// A server of tools that says what a test wants.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    pub(crate) fn start(handler: impl Fn(&Seen, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (all, handler) = (Arc::clone(&seen), Arc::new(handler) as Handler);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, handler) = (Arc::clone(&all), Arc::clone(&handler));
                std::thread::spawn(move || serve(stream, &all, &handler));
            }
        });
        Self { address, seen }
    }

    /// A server of revision 2025-11-25 whose calls are answered by this.
    pub(crate) fn of_sessions(
        call: impl Fn(&Seen, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |seen, stream| match seen.asks().as_str() {
            "initialize" => {
                let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                    "serverInfo": {"name": "old", "version": "1"}, "instructions": "be kind"});
                answer(seen, stream, &[("mcp-session-id", "upstream-1")], &result);
            }
            "server/discover" => raw(stream, "400 Bad Request", &[], b"no session"),
            "tools/list" => answer(seen, stream, &[], &tools()),
            "" | "notifications/initialized" | "notifications/cancelled"
                if seen.method == "POST" =>
            {
                raw(stream, "202 Accepted", &[], b"");
            }
            "ping" => answer(seen, stream, &[], &json!({})),
            _ => call(seen, stream),
        })
    }

    /// A server of revision 2026-07-28 whose calls are answered by this.
    pub(crate) fn stateless(call: impl Fn(&Seen, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::start(move |seen, stream| {
            let body = seen.json();
            let meta = &body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
            let is_one = seen.header("mcp-protocol-version") == Some("2026-07-28")
                && seen.header("mcp-method") == body["method"].as_str()
                && *meta == "2026-07-28";
            if !is_one {
                let error = json!({"jsonrpc": "2.0", "id": body["id"],
                    "error": {"code": -32020, "message": "no"}});
                return raw(
                    stream,
                    "400 Bad Request",
                    JSON,
                    error.to_string().as_bytes(),
                );
            }
            match seen.asks().as_str() {
                "server/discover" => {
                    let result = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"],
                        "capabilities": {"tools": {"listChanged": true}, "logging": {}}, "serverInfo": {"name": "new", "version": "2"},
                        "ttlMs": 0, "cacheScope": "private"});
                    answer(seen, stream, &[], &result);
                }
                "tools/list" => {
                    let mut list = tools();
                    list["resultType"] = json!("complete");
                    list["ttlMs"] = json!(60_000);
                    list["cacheScope"] = json!("public");
                    answer(seen, stream, &[], &list);
                }
                _ => call(seen, stream),
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests for this method.
    pub(crate) fn asked(&self, method: &str) -> Vec<Seen> {
        let all = self.seen();
        all.into_iter()
            .filter(|seen| seen.asks() == method)
            .collect()
    }
}

fn serve(stream: TcpStream, all: &Mutex<Vec<Seen>>, handler: &Handler) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let method = line.split(' ').next().unwrap_or_default().to_owned();
        let headers = read_fields(&mut reader);
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let seen = Seen {
            method,
            headers,
            body: String::from_utf8(body).unwrap(),
        };
        all.lock().unwrap().push(seen.clone());
        handler(&seen, &mut writer);
    }
}

pub(crate) const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
/// Answers a request with a result.
pub(crate) fn answer(
    seen: &Seen,
    stream: &mut TcpStream,
    headers: &[(&str, &str)],
    result: &Value,
) {
    let body = json!({"jsonrpc": "2.0", "id": seen.json()["id"], "result": result}).to_string();
    let mut all = JSON.to_vec();
    all.extend_from_slice(headers);
    raw(stream, "200 OK", &all, body.as_bytes());
}

/// Answers a call with a text.
pub(crate) fn say(seen: &Seen, stream: &mut TcpStream, text: &str) {
    answer(seen, stream, &[], &content(text));
}

pub(crate) fn content(text: &str) -> Value {
    json!({"resultType": "complete", "content": [{"type": "text", "text": text}], "isError": false})
}

pub(crate) fn raw(stream: &mut TcpStream, status: &str, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
}

/// Begins a stream of events.
pub(crate) fn begin(stream: &mut TcpStream) {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let _ = stream.write_all(head.as_bytes());
}

pub(crate) fn chunk(stream: &mut TcpStream, bytes: &[u8]) {
    let mut all = format!("{:x}\r\n", bytes.len()).into_bytes();
    all.extend_from_slice(bytes);
    all.extend_from_slice(b"\r\n");
    let _ = stream.write_all(&all);
}

pub(crate) fn end(stream: &mut TcpStream) {
    let _ = stream.write_all(b"0\r\n\r\n");
}

pub(crate) fn tools() -> Value {
    let tool = |name: &str, properties: Value| {
        json!({"name": name, "description": name,
            "inputSchema": {"type": "object", "properties": properties}})
    };
    let text = || json!({"type": "string"});
    json!({"tools": [
        tool("crm.lookup", json!({"contact": {"type": "string", "x-mcp-header": "Contact"}})),
        tool("email.send", json!({"to": {"type": "array"}, "subject": text(), "body": text()})),
        tool("ticket.update", json!({"ticket": text(), "status": text()})),
        tool("unknown.tool", json!({})),
    ]})
}
