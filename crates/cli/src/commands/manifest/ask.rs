//! Asks a server what it offers: `initialize` and `tools/list`, all pages, in either revision of the
//! protocol.

use std::time::{Duration, Instant};

use countersign_mcp::jsonrpc::{Kind, Message, RawObject, code, error, result};
use serde_json::{Map, Value, json};

use crate::error::CliError;
use crate::render::plain;

/// Most pages of a list that are asked for.
const PAGES: usize = 100;
/// Most tools that are listed.
const TOOLS: usize = 1_000;
/// Most messages that are passed over while an answer is waited for.
const MESSAGES: usize = 10_000;
/// The revision that is asked for first.
const WITH_SESSIONS: &str = "2025-11-25";
/// The revision without `initialize`.
const STATELESS: &str = "2026-07-28";

/// The way to a server. Each message is the text of one JSON-RPC message.
pub(super) trait Transport {
    /// Sends a message; `method` is that of a request, for headers.
    fn send(&mut self, message: &str, method: Option<&str>) -> Result<(), CliError>;

    /// The next message of the server.
    fn next(&mut self, until: Instant) -> Result<Vec<u8>, CliError>;

    /// From now on the server is spoken to in this revision.
    fn speaks(&mut self, revision: &str);
}

/// What a server offers.
#[derive(Debug)]
pub(super) struct Listing {
    /// The revision of the protocol that it was spoken to in.
    pub(super) revision: String,
    /// What it calls itself, with its version.
    pub(super) server: String,
    /// What it says it has beside tools: `resources`, `prompts`, `completions`.
    pub(super) capabilities: Vec<String>,
    /// The text of each tool's definition.
    pub(super) tools: Vec<String>,
}

/// Asks; each answer may take as long as `patience`.
pub(super) fn listing(
    transport: &mut dyn Transport,
    patience: Duration,
) -> Result<Listing, CliError> {
    let mut talk = Talk {
        transport,
        patience,
        last_id: 0,
        is_stateless: false,
    };
    let hello = talk.hello()?;
    let tools = talk.tools()?;
    Ok(Listing {
        revision: hello.revision,
        server: hello.server,
        capabilities: hello.capabilities,
        tools,
    })
}

struct Hello {
    revision: String,
    server: String,
    capabilities: Vec<String>,
}

struct Talk<'a> {
    transport: &'a mut dyn Transport,
    patience: Duration,
    last_id: u64,
    is_stateless: bool,
}

/// What came in answer to a request.
enum Answer {
    Result(String),
    /// Why not, for people.
    Error(String),
}

impl Talk<'_> {
    /// Asks in the revision with sessions; a server that refuses is asked without one.
    fn hello(&mut self) -> Result<Hello, CliError> {
        self.transport.speaks(WITH_SESSIONS);
        let params = json!({
            "protocolVersion": WITH_SESSIONS,
            "capabilities": {},
            "clientInfo": client(),
        });
        let refused = match self.ask("initialize", params) {
            Ok(Answer::Result(text)) => {
                let result = object("initialize", &text)?;
                let revision = string(&result, "protocolVersion").unwrap_or_default();
                self.transport.speaks(&revision);
                self.tell("notifications/initialized")?;
                return Ok(hello(&result, revision));
            }
            Ok(Answer::Error(reason)) => CliError::usage(reason),
            Err(error) => error,
        };
        self.is_stateless = true;
        self.transport.speaks(STATELESS);
        match self.ask("server/discover", json!({})) {
            Ok(Answer::Result(text)) => {
                let result = object("server/discover", &text)?;
                Ok(hello(&result, STATELESS.to_owned()))
            }
            // Then it speaks neither: what it said first is what helps.
            Ok(Answer::Error(_)) | Err(_) => Err(refused),
        }
    }

    fn tools(&mut self) -> Result<Vec<String>, CliError> {
        let mut tools = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let mut params = Map::new();
            params.extend(cursor.iter().map(|at| ("cursor".to_owned(), json!(at))));
            let text = match self.ask("tools/list", Value::Object(params))? {
                Answer::Result(text) => text,
                Answer::Error(reason) => return Err(CliError::usage(reason)),
            };
            let result = object("tools/list", &text)?;
            let page: Vec<&serde_json::value::RawValue> =
                serde_json::from_str(result.value("tools").unwrap_or("null"))
                    .map_err(|error| unreadable("tools/list", error))?;
            tools.extend(page.iter().map(|tool| tool.get().to_owned()));
            if tools.len() > TOOLS {
                let message = format!("the server lists more than {TOOLS} tools");
                return Err(CliError::usage(message));
            }
            let next = string(&result, "nextCursor");
            if next.is_none() || next == cursor {
                return Ok(tools);
            }
            cursor = next;
        }
        let message = format!("the server's list of tools has more than {PAGES} pages");
        Err(CliError::usage(message))
    }

    fn tell(&mut self, method: &str) -> Result<(), CliError> {
        let message = json!({"jsonrpc": "2.0", "method": method});
        self.transport.send(&message.to_string(), None)
    }

    /// Asks and waits for the answer. What the server asks meanwhile is refused, but a ping.
    fn ask(&mut self, method: &str, params: Value) -> Result<Answer, CliError> {
        self.last_id += 1;
        let mut params = params;
        if self.is_stateless
            && let Some(members) = params.as_object_mut()
        {
            members.insert(
                "_meta".to_owned(),
                json!({
                    "io.modelcontextprotocol/protocolVersion": STATELESS,
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": client(),
                }),
            );
        }
        let request =
            json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        self.transport.send(&request.to_string(), Some(method))?;
        let until = Instant::now() + self.patience;
        for _ in 0..MESSAGES {
            let message = Message::read(self.transport.next(until)?)
                .map_err(|error| unreadable(method, error))?;
            let is_ours = match message.kind() {
                Kind::Request { id, method } => {
                    let answer = match method.as_str() {
                        "ping" => result(id, &json!({})),
                        _ => {
                            let why = "nobody is there to be asked";
                            error(Some(id), code::METHOD_NOT_FOUND, why, None)
                        }
                    };
                    self.transport
                        .send(&String::from_utf8_lossy(&answer), None)?;
                    false
                }
                Kind::Notification { .. } => false,
                Kind::Response { id, .. } => id
                    .as_ref()
                    .is_none_or(|id| id.to_string() == self.last_id.to_string()),
            };
            if is_ours {
                return answer(method, &message);
            }
        }
        let message = format!("the server sends messages and does not answer `{method}`");
        Err(CliError::usage(message))
    }
}

fn client() -> Value {
    json!({"name": "countersign", "version": env!("CARGO_PKG_VERSION")})
}

fn answer(method: &str, message: &Message) -> Result<Answer, CliError> {
    if let Kind::Response {
        is_error: false, ..
    } = message.kind()
    {
        return Ok(Answer::Result(message.content().to_owned()));
    }
    let error: Value =
        serde_json::from_str(message.content()).map_err(|error| unreadable(method, error))?;
    let said = error.get("message").and_then(Value::as_str);
    let said: String = plain(said.unwrap_or("no reason"))
        .chars()
        .take(300)
        .collect();
    Ok(Answer::Error(format!(
        "the server refuses `{method}`: {said}"
    )))
}

fn unreadable(method: &str, error: impl std::fmt::Display) -> CliError {
    let said: String = plain(&error.to_string()).chars().take(300).collect();
    CliError::usage(format!(
        "the server's answer to `{method}` cannot be read: {said}"
    ))
}

fn object<'a>(method: &str, text: &'a str) -> Result<RawObject<'a>, CliError> {
    RawObject::read(text).map_err(|error| unreadable(method, error))
}

fn string(object: &RawObject<'_>, name: &str) -> Option<String> {
    serde_json::from_str(object.value(name)?).ok()
}

fn hello(result: &RawObject<'_>, revision: String) -> Hello {
    let value = |name: &str| -> Value {
        let text = result.value(name).unwrap_or("null");
        serde_json::from_str(text).unwrap_or_default()
    };
    let mut info = value("serverInfo");
    if info.is_null() {
        let meta = value("_meta");
        let stated = meta.get("io.modelcontextprotocol/serverInfo");
        info = stated.cloned().unwrap_or_default();
    }
    let text = |name: &str| {
        info.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let server = format!("{} {}", text("name"), text("version"));
    let capabilities = value("capabilities");
    let names = ["resources", "prompts", "completions"].into_iter();
    Hello {
        revision,
        server: plain(server.trim()).chars().take(120).collect(),
        capabilities: names
            .filter(|name| capabilities.get(name).is_some_and(Value::is_object))
            .map(str::to_owned)
            .collect(),
    }
}
