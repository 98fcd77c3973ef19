//! Other people's servers and clients, with the relay between them, as `.ci/mcp-peers` installs them.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use serde_json::{Value, json};
use tokio::net::unix::pipe;

use crate::support::{Home, Ran, Serving, ran};

/// Where they are installed.
fn installed(name: &str) -> String {
    let root = std::env::var("COUNTERSIGN_TEST_PEERS")
        .expect("COUNTERSIGN_TEST_PEERS names what `.ci/mcp-peers` installs");
    let path = PathBuf::from(root).join(name);
    assert!(path.exists(), "{}", path.display());
    path.to_str().unwrap().to_owned()
}

/// What lies in the repository for these tests.
fn tool(name: &str) -> String {
    format!(
        "{}/../../tools/mcp-peers/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

/// A server of tools behind a relay, and Countersign under the bundle that was guessed for it.
struct World {
    home: Home,
    server: Vec<String>,
    _serving: Serving,
}

impl World {
    fn new(server: impl Fn(&Home) -> Vec<String>) -> Self {
        let home = Home::new();
        std::fs::create_dir(home.path("docs")).unwrap();
        std::fs::write(home.path("docs/plan.txt"), "The plan is to wait.\n").unwrap();
        let server = server(&home);
        let mut source = vec!["--"];
        source.extend(server.iter().map(String::as_str));
        Self {
            server: server.clone(),
            ..Self::with(home, &source)
        }
    }

    /// Under the bundle that is guessed for a server.
    fn with(home: Home, source: &[&str]) -> Self {
        let args = [&["manifest", "from-mcp", "--out", "bundle"], source].concat();
        eprintln!("{}\n", home.ok(&args));
        home.ok(&["policy", "check", "bundle"]);
        home.ok(&["policy", "test", "bundle"]);
        let serving = home.serve(&["--bundle", "bundle"]);
        Self {
            home,
            server: Vec::new(),
            _serving: serving,
        }
    }

    fn filesystem() -> Self {
        Self::new(|home| {
            vec![
                "node".to_owned(),
                installed("node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"),
                home.path("docs")
                    .canonicalize()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            ]
        })
    }

    fn memory() -> Self {
        Self::new(|home| {
            vec![
                "env".to_owned(),
                format!("MEMORY_FILE_PATH={}", home.path("memory.jsonl").display()),
                "node".to_owned(),
                installed("node_modules/@modelcontextprotocol/server-memory/dist/index.js"),
            ]
        })
    }

    fn time() -> Self {
        Self::new(|_| {
            vec![
                installed("venv/bin/python"),
                "-m".into(),
                "mcp_server_time".into(),
            ]
        })
    }

    /// A server of tools on HTTP, with its process, and Countersign for it.
    fn clocks() -> (Self, Ended, String) {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = Command::new(installed("venv/bin/python"))
            .args([tool("clocks.py"), port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let child = Ended(child);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "the clocks do not listen"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let url = format!("http://127.0.0.1:{port}/mcp");
        let world = Self::with(Home::new(), &["--url", &url]);
        (world, child, url)
    }

    /// A relay over HTTP, and its address.
    fn listening(&self, turn: Option<&str>, upstream: &str) -> (Ended, String) {
        let mut args = vec![
            "mcp",
            "--review-wait",
            "0",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            upstream,
        ];
        args.extend(turn.iter().flat_map(|turn| ["--turn", turn]));
        let mut command = self.home.command(&args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line}"));
        (Ended(child), url.to_owned())
    }

    /// The command of a relay before the server. Without a turn, calls are nobody's.
    fn relay(&self, turn: Option<&str>) -> Vec<String> {
        let mut words = vec![
            env!("CARGO_BIN_EXE_countersign").to_owned(),
            "mcp".to_owned(),
        ];
        words.extend(["--review-wait".to_owned(), "0".to_owned()]);
        words.extend(
            turn.iter()
                .flat_map(|turn| ["--turn".to_owned(), (*turn).to_owned()]),
        );
        words.push("--".to_owned());
        words.extend(self.server.clone());
        words
    }

    /// Runs a command of somebody else in this home.
    fn foreign(&self, program: &str, args: &[String]) -> Ran {
        let ours = self.home.command(&[]);
        let mut command = Command::new(program);
        command.args(args).current_dir(self.home.path(""));
        for (name, value) in ours.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        ran(command)
    }

    /// What a client of the Python SDK gets, line by line.
    fn python(&self, mode: &str, turn: Option<&str>, calls: &Value) -> Vec<Value> {
        self.python_at(mode, &self.relay(turn), calls)
    }

    /// The same of a server by its command, or by its address.
    fn python_at(&self, mode: &str, server: &[String], calls: &Value) -> Vec<Value> {
        let mut args = vec![tool("client.py"), mode.to_owned(), calls.to_string()];
        args.extend(server.iter().cloned());
        let Ran { code, out, err } = self.foreign(&installed("venv/bin/python"), &args);
        assert_eq!(code, 0, "{out}\n{err}");
        let lines = out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What Inspector gets of one method.
    fn inspector(&self, turn: Option<&str>, asked: &[&str]) -> (i32, Value) {
        let relay = self.relay(turn);
        let env: serde_json::Map<String, Value> = self
            .home
            .command(&[])
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), json!(value?.to_str()?))))
            .collect();
        let config = json!({"mcpServers": {"relayed": {"type": "stdio", "command": relay[0], "args": relay[1..], "env": env}}});
        std::fs::write(self.home.path("inspector.json"), config.to_string()).unwrap();
        let mut args = vec![installed("node_modules/.bin/mcp-inspector")];
        args.extend(
            ["--cli", "--config", "inspector.json", "--server", "relayed"].map(str::to_owned),
        );
        args.extend(asked.iter().map(|word| (*word).to_owned()));
        let Ran { code, out, err } = self.foreign("node", &args);
        let value =
            serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}\n{out}\n{err}"));
        (code, value)
    }

    /// Outcome and reasons of each decision, and the action.
    fn decisions(&self) -> Vec<String> {
        let page = self.home.json(0, &["entries", "--kind", "decision"]);
        let one = |found: &Value| {
            let entry = &found["entry"];
            let word = |name: &str| entry[name].as_str().unwrap().to_owned();
            let reasons = entry["reasons"].as_array().unwrap().iter();
            let reasons: Vec<&str> = reasons.map(|id| id.as_str().unwrap()).collect();
            format!(
                "{} {} {}",
                word("outcome"),
                word("action"),
                reasons.join(" ")
            )
        };
        let mut all: Vec<String> = page["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(one)
            .collect();
        all.reverse();
        all
    }

    /// The log as a whole verifies, each approved call has its execution, and the entry of each
    /// decision its proof.
    fn verifies(&self, approved: usize) {
        let home = &self.home;
        home.ok(&["checkpoint", "--save", "kept"]);
        home.ok(&["export", "ex"]);
        let report = home.json(0, &["verify", "ex", "--checkpoint", "kept"]);
        assert_eq!(report["findings_total"], 0, "{report}");
        let executions = home.json(0, &["entries", "--kind", "execution"]);
        let executions = executions["entries"].as_array().unwrap();
        assert_eq!(executions.len(), approved);
        for execution in executions {
            assert_eq!(execution["entry"]["phase"], "finished");
            assert!(execution["entry"]["result_ref"].is_string());
            let decision = execution["entry"]["links"]["decision"].as_str().unwrap();
            let proof = home.ok(&["entries", "proof", decision]);
            assert!(proof.starts_with("c2sp.org/tlog-proof@v1\n"), "{proof}");
        }
    }

    fn docs(&self, name: &str) -> String {
        let path = self.home.path("docs").canonicalize().unwrap().join(name);
        path.to_str().unwrap().to_owned()
    }
}

/// A process that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn first_text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

#[test]
#[ignore = "needs other people's servers: .ci/mcp-peers"]
fn files_for_inspector() {
    let world = World::filesystem();
    let (plan, new) = (world.docs("plan.txt"), world.docs("new.txt"));
    let turn = format!("Read {plan}");
    let (code, listed) = world.inspector(Some(&turn), &["--method", "tools/list"]);
    assert_eq!((code, listed["tools"].as_array().unwrap().len()), (0, 14));
    let call = |turn: Option<&str>, tool: &str, args: &[&str]| {
        let asked = [
            &["--method", "tools/call", "--tool-name", tool, "--tool-arg"],
            args,
        ]
        .concat();
        world.inspector(turn, &asked)
    };
    let read = format!("path={plan}");
    let (code, result) = call(Some(&turn), "read_text_file", &[&read]);
    assert_eq!((code, first_text(&result)), (0, "The plan is to wait.\n"));
    // Nobody asked for it; nobody named the file; somebody did.
    let (code, result) = call(None, "read_text_file", &[&read]);
    assert_ne!(code, 0);
    assert!(
        first_text(&result).contains("countersign.no-permit"),
        "{result}"
    );
    let write = [format!("path={new}"), "content=Go.".to_owned()];
    let write: Vec<&str> = write.iter().map(String::as_str).collect();
    let (code, result) = call(Some(&turn), "write_file", &write);
    assert!(
        code != 0 && first_text(&result).contains("asked-unless-named"),
        "{result}"
    );
    assert!(!PathBuf::from(&new).exists());
    let (code, _) = call(Some(&format!("Write Go. to {new}")), "write_file", &write);
    assert_eq!(code, 0);
    assert_eq!(std::fs::read_to_string(&new).unwrap(), "Go.");
    assert_eq!(
        world.decisions(),
        [
            "approved text_file.read reads-are-free",
            "rejected text_file.read countersign.no-permit",
            "escalated file.write asked-unless-named",
            "approved file.write changes-for-a-turn",
        ]
    );
    world.verifies(2);
}

#[test]
#[ignore = "needs other people's servers: .ci/mcp-peers"]
fn a_memory_for_the_python_sdk() {
    let world = World::memory();
    let entity =
        |name: &str| json!([{"name": name, "entityType": "person", "observations": ["kind"]}]);
    let calls = json!([
        ["create_entities", {"entities": entity("Ada")}],
        ["delete_entities", {"entityNames": ["Bob"]}],
        ["read_graph", {}],
        ["wipe_everything", {}],
    ]);
    let said = world.python("legacy", Some("Please remember Ada as a person"), &calls);
    assert_eq!(said[0]["revision"], "2025-11-25");
    assert_eq!(said[0]["tools"].as_array().unwrap().len(), 9);
    assert!(said[1]["isError"] != true, "{}", said[1]);
    assert!(
        first_text(&said[2]).contains("asked-unless-named"),
        "{}",
        said[2]
    );
    assert!(first_text(&said[3]).contains("Ada"), "{}", said[3]);
    assert_eq!(said[4]["isError"], true, "{}", said[4]);
    // A newer client finds out that the server is an older one.
    let newer = world.python(
        "auto",
        Some("What do you remember?"),
        &json!([["read_graph", {}]]),
    );
    assert_eq!(newer[0]["revision"], "2025-11-25");
    assert!(first_text(&newer[1]).contains("Ada"));
    assert_eq!(
        world.decisions(),
        [
            "approved entities.create changes-for-a-turn",
            "escalated entities.delete asked-unless-named",
            "approved graph.read reads-are-free",
            "rejected countersign.unknown countersign.unknown-tool",
            "approved graph.read reads-are-free",
        ]
    );
    world.verifies(3);
}

#[test]
#[ignore = "needs other people's servers: .ci/mcp-peers"]
fn the_time_for_the_python_sdk_in_both_revisions_and_for_rmcp() {
    let world = World::time();
    let zone = json!([["get_current_time", {"timezone": "Etc/UTC"}]]);
    for (era, revision) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
        let said = world.python(era, Some("What time is it?"), &zone);
        assert_eq!(said[0]["revision"], revision);
        assert!(first_text(&said[1]).contains("Etc/UTC"), "{}", said[1]);
        let nobodys = world.python(era, None, &zone);
        assert!(
            first_text(&nobodys[1]).contains("countersign.no-permit"),
            "{}",
            nobodys[1]
        );
    }
    rmcp(&world);
    let rejected = "rejected current_time.get countersign.no-permit";
    let approved = "approved current_time.get reads-are-free";
    assert_eq!(
        world.decisions(),
        [approved, rejected, approved, rejected, approved, rejected]
    );
    world.verifies(3);
}

#[test]
#[ignore = "needs other people's servers: .ci/mcp-peers"]
fn clocks_over_http_for_the_python_sdk_and_inspector() {
    let (world, _clocks, upstream) = World::clocks();
    let calls = json!([
        ["read_clock", {"city_name": "Oslo"}],
        ["set_clock", {"city_name": "Oslo", "hour": 3}],
        ["set_clock", {"city_name": "Rome", "hour": 3}],
    ]);
    let (_relay, url) = world.listening(Some("Set the clock of Oslo"), &upstream);
    for (mode, revision) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
        let said = world.python_at(mode, std::slice::from_ref(&url), &calls);
        assert_eq!(said[0]["revision"], revision);
        assert_eq!(said[0]["tools"], json!(["read_clock", "set_clock"]));
        assert_eq!(first_text(&said[1]), "It is noon in Oslo.");
        assert_eq!(first_text(&said[2]), "It is 3 in Oslo.");
        assert!(
            first_text(&said[3]).contains("asked-unless-named"),
            "{}",
            said[3]
        );
    }
    let args = [
        "--cli",
        &url,
        "--transport",
        "http",
        "--method",
        "tools/call",
        "--tool-name",
        "read_clock",
        "--tool-arg",
        "city_name=Oslo",
    ];
    let mut words = vec![installed("node_modules/.bin/mcp-inspector")];
    words.extend(args.map(str::to_owned));
    let Ran { code, out, err } = world.foreign("node", &words);
    assert!(
        code == 0 && out.contains("It is noon in Oslo."),
        "{out}\n{err}"
    );
    let each = [
        "approved clock.read reads-are-free",
        "approved clock.set changes-for-a-turn",
        "escalated clock.set asked-unless-named",
    ];
    // The same call, asked again while nobody has answered, is the same question.
    assert_eq!(
        world.decisions(),
        [&each[..], &each[..2], &each[..1]].concat()
    );
    world.verifies(5);
}

fn rmcp(world: &World) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (turn, is_error) in [(Some("What time is it?"), None), (None, Some(true))] {
        let relay = world.relay(turn);
        let words: Vec<&str> = relay[1..].iter().map(String::as_str).collect();
        let mut child = world
            .home
            .command(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ends = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        runtime.block_on(async {
            let from = pipe::Receiver::from_owned_fd(ends.0.into()).unwrap();
            let to = pipe::Sender::from_owned_fd(ends.1.into()).unwrap();
            let client = ().serve((from, to)).await.unwrap();
            let names: Vec<String> = client
                .list_all_tools()
                .await
                .unwrap()
                .into_iter()
                .map(|tool| tool.name.to_string())
                .collect();
            assert_eq!(names, ["get_current_time", "convert_time"]);
            let params = json!({"name": "get_current_time", "arguments": {"timezone": "Etc/UTC"}});
            let params: CallToolRequestParams = serde_json::from_value(params).unwrap();
            let result = client.call_tool(params).await.unwrap();
            assert_eq!(result.is_error.filter(|is| *is), is_error, "{result:?}");
            client.cancel().await.unwrap();
        });
        child.wait().unwrap();
    }
}
