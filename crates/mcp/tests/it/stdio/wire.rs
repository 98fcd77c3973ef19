//! A relay around the scripted server, and the client on its other side.

use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use countersign_mcp::relay::{Relay, RelayOptions};
use countersign_mcp::stdio::{self, Ended, ServerCommand};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

/// A relay that runs, with the client's side of it.
pub(crate) struct Wire {
    to: Option<PipeWriter>,
    lines: Receiver<String>,
    stop: Sender<()>,
    thread: Option<JoinHandle<Ended>>,
    next: i64,
}

/// A command that runs the scripted server.
pub(crate) fn scripted(what: &str) -> ServerCommand {
    ServerCommand {
        program: env!("CARGO_BIN_EXE_mcp-scripted").into(),
        args: vec![what.into()],
        without: Vec::new(),
    }
}

impl Wire {
    /// A relay whose client has shaken hands.
    pub(crate) fn new(world: &World, what: &str) -> Self {
        let mut wire = Self::with(world.core(|_| {}), what);
        wire.shake_hands(&json!({}));
        wire
    }

    /// The same with other options of the relay, and capabilities of the client.
    pub(crate) fn edited(
        world: &World,
        what: &str,
        capabilities: &Value,
        edit: impl FnOnce(&mut RelayOptions),
    ) -> Self {
        let mut wire = Self::with(world.core(edit), what);
        wire.shake_hands(capabilities);
        wire
    }

    /// The same where results are recorded while the client has them.
    pub(crate) fn behind(world: &World, what: &str) -> Self {
        let mut wire = Self::with(world.core(|_| {}).recording_behind(), what);
        wire.shake_hands(&json!({}));
        wire
    }

    pub(crate) fn with(relay: Relay, what: &str) -> Self {
        let (input, to) = std::io::pipe().unwrap();
        let (from, output) = std::io::pipe().unwrap();
        let (stop, stopped) = channel();
        let command = scripted(what);
        let thread = std::thread::spawn(move || {
            stdio::run(&relay, &command, input, output, stopped).unwrap()
        });
        Self {
            to: Some(to),
            lines: lines(from),
            stop,
            thread: Some(thread),
            next: 1,
        }
    }

    fn shake_hands(&mut self, capabilities: &Value) {
        let answer = self.ask(
            "initialize",
            &json!({
                "protocolVersion": "2025-11-25",
                "capabilities": capabilities,
                "clientInfo": { "name": "test", "version": "1" },
            }),
        );
        assert_eq!(
            answer["result"]["serverInfo"]["name"], "scripted",
            "{answer}"
        );
        self.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        let listed = self.ask("tools/list", &json!({}));
        assert!(listed["result"]["tools"].is_array(), "{listed}");
    }

    /// Sends a line.
    pub(crate) fn say(&mut self, line: &str) {
        let to = self.to.as_mut().unwrap();
        to.write_all(line.as_bytes()).unwrap();
        to.write_all(b"\n").unwrap();
    }

    /// Sends bytes that are no line.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.to.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Sends a request and does not wait.
    pub(crate) fn begin(&mut self, method: &str, params: &Value) -> i64 {
        let id = self.next;
        self.next += 1;
        self.say(
            &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string(),
        );
        id
    }

    /// The next message to the client.
    pub(crate) fn hear(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("a message");
        serde_json::from_str(&line).unwrap()
    }

    /// Sends a request and waits for its answer, which must be the next message.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        let answer = self.hear();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// A call of a tool.
    pub(crate) fn call(&mut self, tool: &str, args: &Value) -> Value {
        self.ask("tools/call", &json!({ "name": tool, "arguments": args }))
    }

    /// Closes the client's side and waits for the end; what was still said, and how it ended.
    pub(crate) fn close(mut self) -> (Vec<Value>, Ended) {
        self.to = None;
        self.ended()
    }

    /// Waits for an end that comes by itself.
    pub(crate) fn ended(mut self) -> (Vec<Value>, Ended) {
        let ended = self.thread.take().unwrap().join().unwrap();
        let rest = self.lines.iter();
        let rest = rest
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect();
        (rest, ended)
    }

    /// What a signal to the relay does.
    pub(crate) fn stop(&self) {
        self.stop.send(()).unwrap();
    }
}

fn lines(from: PipeReader) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

pub(crate) fn mail(to: &str) -> Value {
    json!({ "to": [to], "subject": "Refund", "body": "Done." })
}

/// What a refused call says to the model.
pub(crate) fn refusal(answer: &Value) -> String {
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// What a call returned.
pub(crate) fn returned(answer: &Value) -> &str {
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    answer["result"]["content"][0]["text"].as_str().unwrap()
}
