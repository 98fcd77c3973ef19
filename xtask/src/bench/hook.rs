//! `cargo xtask bench hook`: what the hook's handler adds to a decision.
//!
//! A process per call, as a coding assistant starts it, from its start to its end; beside it, taking turns,
//! the same decision asked for over a connection of its own from a process that runs already, and
//! processes that decide nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign_client::Token;
use countersign_hooks::{Config, SdkPrompts, Tokens};
use serde::Serialize;
use serde_json::{Value, json};

use super::Effort;
use super::disk::Page;
use super::machine::Machine;
use super::report;
use crate::bundle_dir;
use crate::error::Error;
use crate::server::{ACTORS, Log, Server};
use crate::stats::{Summary, shown};
use crate::workspace::{self, beside};

/// Who makes the calls.
const CHANNEL: &str = "claude-code";
/// Calls that are not counted.
const WARM: usize = 10;

#[derive(Debug, Serialize)]
struct Figures {
    machine: Machine,
    smoke: bool,
    /// The handler, from its process's start to its end.
    handler: Summary,
    /// The same decision, asked for by a process that runs.
    server: Summary,
    /// The handler with an event that decides nothing and asks nobody.
    idle: Summary,
    /// A process that does nothing.
    nothing: Summary,
    /// What the handler adds at the median, in microseconds.
    added_p50_us: f64,
    /// Overwriting one page of a file that is there, and `fdatasync`.
    fdatasync: Summary,
}

/// Measures and reports.
pub(super) fn run(dir: &Path, effort: Effort, smoke: bool, as_json: bool) -> Result<(), Error> {
    let bundle = bundle_dir::read(&workspace::root().join("bundles/mail-agent"))?;
    let server = Server::over(Log::begin(bundle, None, dir)?)?;
    let home = tempfile::tempdir_in(dir).map_err(Error::io(dir))?;
    let mut assistant = Assistant::new(&server, home.path())?;
    let mut page = Page::new(dir)?;
    for _ in 0..WARM {
        assistant.call()?;
        assistant.ask(&server)?;
    }
    let (mut handler, mut asked) = (Vec::new(), Vec::new());
    let (mut idle, mut nothing, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=effort.rounds {
        eprintln!("round {round} of {}", effort.rounds);
        let until = Instant::now() + effort.round * 2;
        // In turn, so that a slow moment of the machine meets all.
        while Instant::now() < until {
            handler.push(assistant.call()?);
            asked.push(assistant.ask(&server)?);
            idle.push(assistant.run("Stop", json!({}))?.0);
            nothing.push(timed(&mut Command::new("true"), b"")?.0);
        }
        page.sync_for(effort.round / 4, &mut syncs)?;
    }
    server.stop()?;
    let none = || Error::server("the measurement")("nothing was measured");
    let handler = Summary::of(handler).ok_or_else(none)?;
    let asked = Summary::of(asked).ok_or_else(none)?;
    let figures = Figures {
        machine: Machine::here(dir),
        smoke,
        handler,
        server: asked,
        idle: Summary::of(idle).ok_or_else(none)?,
        nothing: Summary::of(nothing).ok_or_else(none)?,
        added_p50_us: handler.p50_us - asked.p50_us,
        fdatasync: Summary::of(syncs).ok_or_else(none)?,
    };
    match as_json {
        true => {
            let written = serde_json::to_string_pretty(&figures);
            println!("{}", written.map_err(Error::server("the report"))?);
        }
        false => print!("{figures}"),
    }
    Ok(())
}

/// What stands for the coding assistant: it runs the handler's command for each event.
struct Assistant {
    binary: PathBuf,
    config: PathBuf,
    cwd: PathBuf,
    actor: String,
    calls: u64,
}

impl Assistant {
    fn new(server: &Server, home: &Path) -> Result<Self, Error> {
        let failed = "the hook's configuration";
        let token = |role| server.log().token(role).map(Token::new);
        let actor = format!("{ACTORS}hook");
        let config = Config {
            server: server.url().parse().map_err(Error::server(failed))?,
            ca_file: None,
            principal: "user:jo".to_owned(),
            actor: actor.clone(),
            more_actors: Vec::new(),
            channel: CHANNEL.to_owned(),
            state: home.join("state"),
            review_wait_s: 0,
            request_timeout_s: 15,
            turn_ttl_s: 3_600,
            sdk_prompts: SdkPrompts::System,
            credentials: Default::default(),
            tokens: Tokens {
                agent: token("agent")?,
                ingress: token("ingress")?,
                tool: token("tool")?,
                listen: None,
            },
        };
        let path = home.join("claude-code.toml");
        config.write(&path).map_err(Error::server(failed))?;
        let assistant = Self {
            binary: beside("countersign", "countersign-cli")?,
            config: path,
            cwd: home.to_owned(),
            actor,
            calls: 0,
        };
        assistant.run("SessionStart", json!({ "source": "startup" }))?;
        let prompt = "Look up jo@customer.example";
        assistant.run("UserPromptSubmit", json!({ "prompt": prompt }))?;
        Ok(assistant)
    }

    /// One call's event, from the start of the handler's process to its end.
    fn call(&mut self) -> Result<Duration, Error> {
        self.calls += 1;
        let (took, out) = self.run(
            "PreToolUse",
            json!({
                "tool_name": "crm.lookup",
                "tool_input": { "contact": "jo@customer.example" },
                "tool_use_id": format!("toolu_{}", self.calls),
            }),
        )?;
        let answer: Value = serde_json::from_slice(&out).unwrap_or_default();
        match answer.pointer("/hookSpecificOutput/permissionDecision") == Some(&json!("allow")) {
            true => Ok(took),
            false => Err(Error::server("a call")(answer)),
        }
    }

    /// The same decision, asked for over a connection of its own.
    fn ask(&mut self, server: &Server) -> Result<Duration, Error> {
        self.calls += 1;
        let body = json!({
            "tool": "crm.lookup",
            "args": { "contact": "jo@customer.example" },
            "actor": self.actor,
            "session_turn": true,
            "session": format!("{CHANNEL}:bench"),
            "external_call_id": format!("toolu_{}", self.calls),
            "workspace": { "root": self.cwd, "cwd": self.cwd },
        });
        let body = serde_json::to_vec(&body).map_err(Error::server("a request"))?;
        let client = server.client("agent")?;
        let key = format!("bench-{}", self.calls);
        let begun = Instant::now();
        let answer = client.decide_bytes(body, Some(&key));
        let took = begun.elapsed();
        let answer = answer.map_err(Error::server("a decision"))?;
        match answer.outcome == "approved" {
            true => Ok(took),
            false => Err(Error::server("a decision")(format!("{answer:?}"))),
        }
    }

    fn run(&self, event: &str, more: Value) -> Result<(Duration, Vec<u8>), Error> {
        let mut input = json!({
            "session_id": "bench", "cwd": self.cwd, "hook_event_name": event, "prompt_id": "p",
            "permission_mode": "default",
        });
        if let (Some(input), Value::Object(more)) = (input.as_object_mut(), more) {
            input.extend(more);
        }
        let mut command = Command::new(&self.binary);
        command
            .args(["hook", CHANNEL, "--config"])
            .arg(&self.config);
        timed(&mut command, input.to_string().as_bytes())
    }
}

/// Runs a process: how long it took, and what it wrote.
fn timed(command: &mut Command, input: &[u8]) -> Result<(Duration, Vec<u8>), Error> {
    let failed = Error::server::<std::io::Error>("a process");
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(&failed)?;
    if let Some(mut to) = child.stdin.take() {
        // One that reads nothing has closed its end.
        let _ = to.write_all(input);
    }
    let output = child.wait_with_output().map_err(&failed)?;
    let took = begun.elapsed();
    match output.status.success() {
        true => Ok((took, output.stdout)),
        false => Err(Error::server("a process")(output.status)),
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        report::write_head(&self.machine, self.smoke, f)?;
        writeln!(f, "## The handler of a coding assistant's hook\n")?;
        let cases = [
            ("the handler of a call, a process", &self.handler),
            ("the same decision, asked for directly", &self.server),
            ("the handler of an event that decides nothing", &self.idle),
            ("a process that does nothing (`true`)", &self.nothing),
            ("a bare `fdatasync`", &self.fdatasync),
        ];
        report::write_cases(">times", &cases, f)?;
        writeln!(
            f,
            "Beyond the server's own time a call takes {} longer at the median.",
            shown(self.added_p50_us)
        )
    }
}
