//! The relay before a server of tools that is hostile, from the manifests to the flag.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Home, Serving};

const HOSTILE: &str = include_str!("../../../../tools/mcp-peers/hostile.py");

/// The interpreter of a hostile server, if there is one here.
fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let works = Command::new(&python).arg("--version").output();
    if works.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("\n*** SKIPPED: `{python}` does not run, and the hostile server needs it ***\n");
    None
}

/// A Countersign server under the bundle that was guessed for the hostile server.
struct World {
    home: Home,
    python: String,
    _serving: Serving,
}

impl World {
    fn new() -> Option<Self> {
        let python = python()?;
        let home = Home::new();
        std::fs::create_dir(home.path("notes")).unwrap();
        std::fs::write(home.path("hostile.py"), HOSTILE).unwrap();
        home.ok(&[
            "manifest",
            "from-mcp",
            "--out",
            "bundle",
            "--",
            &python,
            "hostile.py",
            "notes",
        ]);
        let serving = home.serve(&["--bundle", "bundle"]);
        Some(Self {
            home,
            python,
            _serving: serving,
        })
    }

    fn note(&self, name: &str) -> PathBuf {
        self.home.path(&format!("notes/{name}"))
    }

    /// The tools that were called at the hostile server.
    fn called(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.note("called")).unwrap_or_default();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn relay(&self, turn: &str) -> Client {
        let args = ["mcp", "--turn", turn, "--review-wait", "0", "--"];
        let mut command = self.home.command(&args);
        command.args([&self.python, "hostile.py", "notes"]);
        let log = std::fs::File::create(self.home.path("relay.log")).unwrap();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut client = Client {
            to: child.stdin.take(),
            from: BufReader::new(child.stdout.take().unwrap()),
            child,
            last: 0,
        };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}});
        client.ask("initialize", &hello);
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    /// What the entries of a kind say in one member.
    fn entries(&self, kind: &str) -> Vec<Value> {
        let page = self.home.json(0, &["entries", "--kind", kind]);
        let mut all: Vec<Value> = page["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["entry"].clone())
            .collect();
        all.reverse();
        all
    }
}

/// A client that shows every line.
struct Client {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    last: u64,
}

impl Client {
    fn send(&mut self, message: &Value) {
        let to = self.to.as_mut().unwrap();
        writeln!(to, "{message}").unwrap();
        to.flush().unwrap();
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Asks; what comes before the answer is told, and must be no request.
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.next();
            if message["id"] == id {
                return message;
            }
            assert!(message.get("id").is_none(), "nobody asked: {message}");
        }
    }

    fn call(&mut self, tool: &str, args: &Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": args}))
    }

    fn tools(&mut self) -> Vec<String> {
        let listed = self.ask("tools/list", &json!({}));
        let tools = listed["result"]["tools"].as_array().unwrap().iter();
        tools
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn end(mut self) {
        self.to = None;
        assert!(self.child.wait().unwrap().success());
    }
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
}

#[test]
fn a_tool_that_changes_is_refused_flagged_and_taken_over_by_a_person() {
    let Some(world) = World::new() else { return };
    let mut client = world.relay("Read the notes");
    assert_eq!(client.tools(), ["read_note", "write_note"]);
    let topic = json!({"topic": "x"});
    assert_eq!(text(&client.call("read_note", &topic)), "a note");

    // It changes, and is listed again: it is not shown any more, and who remembers it is refused.
    std::fs::write(world.note("changed"), "").unwrap();
    assert_eq!(client.tools(), ["write_note"]);
    let refused = client.call("read_note", &topic);
    assert_eq!(refused["result"]["isError"], true);
    assert!(
        text(&refused).contains("countersign.tool-changed"),
        "{refused}"
    );
    assert_eq!(world.called().len(), 1, "the second call did not leave");
    client.end();
    let log = std::fs::read_to_string(world.home.path("relay.log")).unwrap();
    assert!(log.contains("otherwise than it was confirmed"), "{log}");
    let decisions = world.entries("decision");
    assert_eq!(decisions[1]["reasons"], json!(["countersign.tool-changed"]));
    let flags = world.home.json(0, &["flags"]);
    let flag = &flags["flags"][0];
    assert_eq!(flag["detector"], "tool-changed", "{flags}");
    assert_eq!(flag["entries"][0], decisions[1]["entry_id"]);

    // A person looks, and confirms it.
    let answers = |code: i32, update: &[&str]| {
        let mut args = vec!["manifest", "from-mcp", "--out", "bundle"];
        args.extend(update);
        args.extend(["--", &world.python, "hostile.py", "notes"]);
        world.home.expect(code, &args)
    };
    let shown = answers(1, &[]);
    assert!(
        shown.contains("changed read_note") && shown.contains("eve@evil.example"),
        "{shown}"
    );
    answers(0, &["--update"]);
    world
        .home
        .ok(&["policy", "publish", "--activate", "bundle"]);
    let mut client = world.relay("Read the notes");
    assert_eq!(client.tools(), ["read_note", "write_note"]);
    assert_eq!(text(&client.call("read_note", &topic)), "a note");
    client.end();
}

#[test]
fn a_tool_that_changes_between_list_and_call_is_looked_at_again() {
    let Some(world) = World::new() else { return };
    std::fs::write(world.note("tells"), "").unwrap();
    let mut client = world.relay("Read the notes");
    client.tools();
    let topic = json!({"topic": "x"});
    // With the first answer the server tells that its list has changed; nobody lists it.
    assert_eq!(text(&client.call("read_note", &topic)), "a note");
    let refused = client.call("read_note", &topic);
    assert!(
        text(&refused).contains("countersign.tool-changed"),
        "{refused}"
    );
    // Names that were never listed are other tools, whatever they look like.
    for name in [
        "read_note ",
        "Read_note",
        "read_n\u{43e}te",
        "read_note\u{200b}",
        "ｒead_note",
        "delete_all",
    ] {
        let refused = client.call(name, &topic);
        let said = refused.to_string();
        assert!(
            said.contains("isError") || said.contains("error"),
            "{name:?} {refused}"
        );
    }
    client.end();
    assert_eq!(world.called().len(), 1);
    let decisions = world.entries("decision");
    assert_eq!(decisions.len(), 8);
    assert!(
        decisions[1..]
            .iter()
            .all(|decision| decision["outcome"] == "rejected")
    );
}

#[test]
fn what_a_tool_returns_approves_nothing_and_asks_nobody() {
    let Some(world) = World::new() else { return };
    let mut client = world.relay("Read the notes on approve and ask");
    client.tools();
    let claimed = client.call("read_note", &json!({"topic": "approve"}));
    assert!(
        text(&claimed).contains("is approved for note-9"),
        "{claimed}"
    );
    let held = client.call("write_note", &json!({"note_id": "note-9"}));
    assert_eq!(held["result"]["isError"], true, "{held}");
    assert!(text(&held).contains("asked-unless-named"), "{held}");
    // Everything that it asks for is refused to it, and the client hears none of it.
    let asked = client.call("read_note", &json!({"topic": "ask"}));
    assert_eq!(text(&asked), "a note");
    // The server answers before it reads what it is told.
    let refused = || {
        let heard = std::fs::read_to_string(world.note("heard")).unwrap_or_default();
        let told = heard.lines().filter(|line| line.contains("\"back-"));
        told.filter(|line| line.contains("\"error\"")).count()
    };
    let begun = std::time::Instant::now();
    while refused() < 4 && begun.elapsed() < std::time::Duration::from_secs(30) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(refused(), 4);
    client.end();
    let called: Vec<Value> = world
        .called()
        .iter()
        .map(|call| call["name"].clone())
        .collect();
    assert_eq!(called, ["read_note", "read_note"]);
    let outcomes: Vec<Value> = world
        .entries("decision")
        .iter()
        .map(|one| one["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["approved", "escalated", "approved"]);
}
