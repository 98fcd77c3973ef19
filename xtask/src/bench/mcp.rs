//! `cargo xtask bench mcp`: what the relay adds to a call over stdio.
//!
//! The same server of tools, once alone and once behind `countersign mcp`, taking turns, each as a
//! process of its own as anybody runs them. Behind the relay a call is judged, its decision is
//! durable before it leaves, and what it returned is durable before the client has it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

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

/// What is called.
const TOOL: &str = "crm.lookup";
/// Calls of each side that are not counted.
const WARM: usize = 20;
/// After how many calls a session ends and another begins, where sessions are young.
const SESSION: u64 = 100;
/// What lies between two calls: less than any model takes.
const THOUGHT: Duration = Duration::from_millis(10);

#[derive(Debug, Serialize)]
struct Figures {
    machine: Machine,
    smoke: bool,
    /// A call of the server itself.
    alone: Summary,
    /// The same behind the relay, with a moment between two calls, in sessions of at most 100 calls.
    relayed: Summary,
    /// The same in one session that goes on: facts name its newest results, up to 256 of them.
    long_session: Summary,
    /// The same in that session, one call after the other: then each waits until the result before it is recorded.
    without_pause: Summary,
    /// What the relay adds at the median, with a moment between two calls, in microseconds.
    added_p50_us: f64,
    /// Overwriting one page of a file that is there, and `fdatasync`.
    fdatasync: Summary,
}

/// Measures and reports.
pub(super) fn run(dir: &Path, effort: Effort, smoke: bool, as_json: bool) -> Result<(), Error> {
    let bundle = bundle_dir::read(&workspace::root().join("bundles/mail-agent"))?;
    let server = Server::over(Log::begin(bundle, None, dir)?)?;
    let scripted = beside("mcp-scripted", "countersign-mcp")?;
    let mut alone = Peer::start(Command::new(&scripted).arg("quick"))?;
    let behind = || Peer::start(&mut relay(&server, &scripted)?)?.warmed();
    let (mut young, mut long) = (behind()?, behind()?);
    let mut page = Page::new(dir)?;
    let (mut of_alone, mut of_young, mut of_long) = (Vec::new(), Vec::new(), Vec::new());
    let (mut in_a_row, mut syncs) = (Vec::new(), Vec::new());
    alone = alone.warmed()?;
    for round in 1..=effort.rounds {
        eprintln!("round {round} of {}", effort.rounds);
        // Side by side: one call of each in turn, so that a slow moment of the machine meets both.
        let until = Instant::now() + effort.round * 2;
        while Instant::now() < until {
            std::thread::sleep(THOUGHT);
            of_alone.push(alone.call()?);
            of_young.push(young.call()?);
            std::thread::sleep(THOUGHT);
            of_long.push(long.call()?);
            if young.calls >= SESSION {
                std::mem::replace(&mut young, behind()?).end()?;
            }
        }
        let until = Instant::now() + effort.round;
        while Instant::now() < until {
            in_a_row.push(long.call()?);
        }
        page.sync_for(effort.round / 4, &mut syncs)?;
    }
    alone.end()?;
    young.end()?;
    long.end()?;
    server.stop()?;
    let nothing = || Error::server("the measurement")("nothing was measured");
    let figures = Figures {
        machine: Machine::here(dir),
        smoke,
        added_p50_us: 0.0,
        alone: Summary::of(of_alone).ok_or_else(nothing)?,
        relayed: Summary::of(of_young).ok_or_else(nothing)?,
        long_session: Summary::of(of_long).ok_or_else(nothing)?,
        without_pause: Summary::of(in_a_row).ok_or_else(nothing)?,
        fdatasync: Summary::of(syncs).ok_or_else(nothing)?,
    };
    let figures = Figures {
        added_p50_us: figures.relayed.p50_us - figures.alone.p50_us,
        ..figures
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

fn relay(server: &Server, scripted: &Path) -> Result<Command, Error> {
    let mut command = Command::new(beside("countersign", "countersign-cli")?);
    command
        .args([
            "mcp",
            "--actor",
            &format!("{ACTORS}mcp"),
            "--turn",
            "Look up jo@customer.example",
            "--as",
            "user:jo",
            "--",
        ])
        .arg(scripted)
        .arg("quick")
        .env("COUNTERSIGN_URL", server.url())
        // Nobody's own profile.
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env_remove("COUNTERSIGN_PROFILE")
        .env("COUNTERSIGN_TOKEN", server.log().token("agent")?)
        .env("COUNTERSIGN_TOOL_TOKEN", server.log().token("tool")?)
        .env("COUNTERSIGN_INGRESS_TOKEN", server.log().token("ingress")?);
    Ok(command)
}

/// A server of tools, alone or behind the relay, that is spoken to.
struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    calls: u64,
}

impl Peer {
    fn start(command: &mut Command) -> Result<Self, Error> {
        let failed = Error::server::<std::io::Error>("the server of tools");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(&failed)?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::server("the server of tools")("it has no streams"));
        };
        let mut peer = Self {
            child,
            to,
            from: BufReader::new(from),
            calls: 0,
        };
        let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" } });
        peer.ask(&json!({ "jsonrpc": "2.0", "id": "i", "method": "initialize", "params": hello }))?;
        peer.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        peer.ask(&json!({ "jsonrpc": "2.0", "id": "l", "method": "tools/list" }))?;
        Ok(peer)
    }

    /// The same after calls that are not counted.
    fn warmed(mut self) -> Result<Self, Error> {
        for _ in 0..WARM {
            self.call()?;
        }
        Ok(self)
    }

    /// One call, from its first byte to the last of its answer.
    fn call(&mut self) -> Result<Duration, Error> {
        self.calls += 1;
        let params = json!({ "name": TOOL, "arguments": { "contact": "jo@customer.example" } });
        let call =
            json!({ "jsonrpc": "2.0", "id": self.calls, "method": "tools/call", "params": params });
        let begun = Instant::now();
        let answer = self.ask(&call)?;
        let took = begun.elapsed();
        match answer.pointer("/result/isError") == Some(&Value::Bool(false)) {
            true => Ok(took),
            false => Err(Error::server("a call")(answer)),
        }
    }

    fn ask(&mut self, message: &Value) -> Result<Value, Error> {
        self.say(message)?;
        let mut line = String::new();
        self.from
            .read_line(&mut line)
            .map_err(Error::server("the answer"))?;
        serde_json::from_str(&line).map_err(Error::server("the answer"))
    }

    fn say(&mut self, message: &Value) -> Result<(), Error> {
        let line = format!("{message}\n");
        let written = self.to.write_all(line.as_bytes());
        written.map_err(Error::server("the call"))
    }

    fn end(mut self) -> Result<(), Error> {
        drop(self.to);
        self.child
            .wait()
            .map(drop)
            .map_err(Error::server("the server of tools"))
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        report::write_head(&self.machine, self.smoke, f)?;
        writeln!(
            f,
            "## A call over MCP stdio, alone and behind `countersign mcp`\n"
        )?;
        let cases = [
            ("the server alone", &self.alone),
            ("behind the relay", &self.relayed),
            ("behind the relay, in a long session", &self.long_session),
            ("the same, without a pause", &self.without_pause),
            ("a bare `fdatasync`", &self.fdatasync),
        ];
        report::write_cases(">calls", &cases, f)?;
        writeln!(
            f,
            "The relay adds {} at the median in sessions of at most {SESSION} calls, with {} ms between two calls. The decision is durable before the call leaves; what was \
             returned is durable before the next call is judged.",
            shown(self.added_p50_us),
            THOUGHT.as_millis()
        )
    }
}
