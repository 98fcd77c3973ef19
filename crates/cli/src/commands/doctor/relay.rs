//! MCP servers of the assistant's settings: which of them stand behind a relay, and what the relay
//! answers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Probe;
use super::ledger::{Ledger, entry_in};
use super::process::end;
use super::report::{Check, Section};
use super::settings::read;

/// How long a relay and the server behind it may take to answer one message.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Most servers that are tried.
const SERVERS: usize = 64;
/// Longest line that a relay may write, in bytes.
const LINE_BYTES: u64 = 16 * 1024 * 1024;
/// A tool that no server has.
const NO_TOOL: &str = "countersign-doctor";
/// The revision of the protocol that is spoken.
const REVISION: &str = "2025-11-25";

/// An MCP server as a settings file names it.
pub(super) struct Configured {
    name: String,
    file: PathBuf,
    /// `None` for a server that is reached over HTTP.
    launch: Option<Launch>,
}

/// How a server is started.
struct Launch {
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

/// The MCP servers of a project and of the user.
pub(super) fn configured(project: &Path, more: &[PathBuf]) -> Vec<Configured> {
    let home = std::env::var_os("CLAUDE_CONFIG_DIR").or_else(|| std::env::var_os("HOME"));
    let user = home.map(|home| PathBuf::from(home).join(".claude.json"));
    let mut servers = Vec::new();
    if let Some(user) = user {
        let settings = read(&user);
        servers.extend(of(&user, settings.get("mcpServers")));
        let own = project.to_str().and_then(|project| {
            let projects = settings.get("projects")?;
            projects.get(project)?.get("mcpServers")
        });
        servers.extend(of(&user, own));
    }
    for file in [&project.join(".mcp.json")].into_iter().chain(more) {
        servers.extend(of(file, read(file).get("mcpServers")));
    }
    servers.truncate(SERVERS);
    servers
}

fn of(file: &Path, servers: Option<&Value>) -> Vec<Configured> {
    let servers = servers.and_then(Value::as_object).into_iter().flatten();
    let texts = |value: Option<&Value>| -> Vec<String> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    servers
        .map(|(name, server)| {
            let command = server.get("command").and_then(Value::as_str);
            let env = server.get("env").and_then(Value::as_object);
            let env = env
                .into_iter()
                .flatten()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            Configured {
                name: name.clone(),
                file: file.to_owned(),
                launch: command.map(|program| Launch {
                    program: program.to_owned(),
                    args: texts(server.get("args")),
                    env: env.collect(),
                }),
            }
        })
        .collect()
}

impl Configured {
    /// Whether a relay of ours stands before it.
    pub(super) fn is_ours(&self) -> bool {
        let Some(Launch { program, args, .. }) = &self.launch else {
            return false;
        };
        let file = Path::new(program)
            .file_name()
            .and_then(|file| file.to_str());
        let mut before = args.iter().take_while(|word| *word != "--");
        file.is_some_and(|file| file.starts_with("countersign")) && before.any(|word| word == "mcp")
    }
}

/// Everything about one server; nothing where there is nothing to say.
pub(super) fn examine(
    probe: &Probe,
    server: &Configured,
    ledger: Option<&Ledger>,
    has_hook: bool,
) -> Option<Section> {
    let file = server.file.display();
    let mut section = Section::new(format!("the MCP server `{}` ({file})", server.name));
    if !server.is_ours() {
        if has_hook {
            return None; // Its calls are the assistant's, which the hook judges.
        }
        section.add(
            Check::yellow("no relay stands before it: its calls are not judged")
                .hint("put `countersign mcp --` before its command"),
        );
        return Some(section);
    }
    if probe.is_sending {
        match attempt(probe, server, ledger) {
            Ok(checks) => section.checks.extend(checks),
            Err(error) => section.add(Check::red(error)),
        }
    } else {
        section.add(Check::green("a relay stands before it"));
    }
    Some(section)
}

fn attempt(
    probe: &Probe,
    server: &Configured,
    ledger: Option<&Ledger>,
) -> Result<Vec<Check>, String> {
    let mut relay = Relay::start(probe, server)?;
    let client = json!({"name": "countersign-doctor", "version": env!("CARGO_PKG_VERSION")});
    let began = relay.ask(
        "initialize",
        &json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client}),
    )?;
    if let Some(error) = began.get("error") {
        return Err(format!("it does not begin: {error}"));
    }
    relay.tell("notifications/initialized")?;
    let listed = relay.ask("tools/list", &json!({}))?;
    let tools = listed.pointer("/result/tools").and_then(Value::as_array);
    let mut checks = vec![match tools {
        None => Check::red(format!("it lists no tools: {listed}")),
        Some(tools) if tools.is_empty() => {
            Check::yellow("it lists no tool: the bundle in force could permit none of them")
                .hint("`countersign manifest from-mcp -- COMMAND` writes what a bundle needs to know of its tools")
        }
        Some(tools) => Check::green(format!("answers, and lists {} tools", tools.len())),
    }];
    let call = relay.ask("tools/call", &json!({"name": NO_TOOL, "arguments": {}}))?;
    checks.push(denied(&call, ledger));
    Ok(checks)
}

/// A call of a tool that no server has must come back as refused.
fn denied(call: &Value, ledger: Option<&Ledger>) -> Check {
    let what = "a call of a tool that nobody has";
    let text = call.to_string();
    let is_error = call.pointer("/result/isError") == Some(&Value::Bool(true));
    if !is_error && call.get("error").is_none() {
        return Check::red(format!("{what} must be denied, and goes through"));
    }
    let Some(entry) = entry_in(&text) else {
        let said: String = text.chars().take(400).collect();
        return Check::red(format!("{what} fails, and no entry says so: {said}"));
    };
    let check = match ledger.map(|ledger| ledger.decision(&entry)) {
        None => Check::yellow(format!(
            "{what} is denied, and no profile with the role `auditor` is there to look its entry up"
        )),
        Some(Err(error)) => Check::red(format!(
            "{what} is denied by an entry that does not bear it out: {error}"
        )),
        Some(Ok(proved)) => {
            let outcome = proved.decision.outcome.name();
            match outcome {
                "approved" => Check::red(format!("{what} fails, and its entry says `approved`"))
                    .hint("the bundle in force stops nothing"),
                _ => Check::green(format!(
                    "{what} is denied, and recorded with a proof that holds"
                )),
            }
        }
    };
    check.entry(entry)
}

/// The arguments with a session of its own, so that a trial does not come to stand in one that the
/// hook noted for this directory.
fn in_session(args: &[String], session: &str) -> Vec<String> {
    let mut args = args.to_vec();
    let end = args.iter().position(|word| word == "--");
    let options = args.get(..end.unwrap_or(args.len())).unwrap_or_default();
    let says = |name: &str| options.iter().any(|word| word.starts_with(name));
    let at = options.iter().position(|word| word == "mcp");
    if let Some(at) = at.filter(|_| !says("--session") && !says("--turn")) {
        let own = ["--session".to_owned(), session.to_owned()];
        args.splice(at + 1..at + 1, own);
    }
    args
}

/// A relay that runs, and how to talk with it: JSON-RPC messages, one a line.
struct Relay {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    probe: String,
    asked: u32,
}

impl Relay {
    fn start(probe: &Probe, server: &Configured) -> Result<Self, String> {
        let launch = server.launch.as_ref().ok_or("it has no command")?;
        let (program, env) = (&launch.program, &launch.env);
        let args = in_session(&launch.args, &probe.id);
        let mut child = Command::new(program)
            .args(args)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir(&probe.project)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("`{program}`: {error}"))?;
        let (send, lines) = mpsc::channel();
        let stdin = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(std::io::Read::take(stdout, LINE_BYTES));
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if send.send(std::mem::take(&mut line)).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self {
            child,
            stdin,
            lines,
            probe: probe.id.clone(),
            asked: 0,
        })
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        self.asked += 1;
        let id = format!("{}-{}", self.probe, self.asked);
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        let until = Instant::now() + ANSWER_LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).map_err(|error| match error {
                mpsc::RecvTimeoutError::Timeout => {
                    format!(
                        "no answer to `{method}` within {} s",
                        ANSWER_LIMIT.as_secs()
                    )
                }
                mpsc::RecvTimeoutError::Disconnected => {
                    format!(
                        "it ended before it answered `{method}`: run its command by hand to see why"
                    )
                }
            })?;
            let message: Value = serde_json::from_str(&line).unwrap_or_default();
            let is_answer = message.get("method").is_none();
            if is_answer && message.get("id").and_then(Value::as_str) == Some(id.as_str()) {
                return Ok(message);
            }
        }
    }

    fn tell(&mut self, method: &str) -> Result<(), String> {
        self.write(&json!({"jsonrpc": "2.0", "method": method}))
    }

    fn write(&mut self, message: &Value) -> Result<(), String> {
        let stdin = self.stdin.as_mut().ok_or("its input is closed")?;
        writeln!(stdin, "{message}").map_err(|error| format!("it does not read: {error}"))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The relay ends its server when its input ends; it has a moment for that.
        self.stdin = None;
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        end(&mut self.child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_relay_is_told_from_what_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mcp.json");
        let servers = json!({"mcpServers": {
            "a": {"command": "/usr/bin/countersign", "args": ["--profile", "p", "mcp", "--", "npx", "x"]},
            "b": {"command": "npx", "args": ["countersign", "mcp"]},
            "c": {"type": "http", "url": "http://127.0.0.1:1/mcp"},
            "d": {"command": "countersign", "args": ["serve", "--", "mcp"]},
        }});
        std::fs::write(&file, servers.to_string()).unwrap();
        let found = configured(dir.path(), &[file]);
        let of_file = found.iter().filter(|it| it.file.starts_with(dir.path()));
        let ours: Vec<_> = of_file.map(|it| (it.name.as_str(), it.is_ours())).collect();
        let expected = [("a", true), ("b", false), ("c", false), ("d", false)];
        assert_eq!(ours, expected);
    }
}
