//! `countersign gate`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use countersign_gate::limits::{ANSWER_BYTES, BODY_BYTES, CALLS, UPSTREAM_TIME};
use countersign_gate::{Gate, GateOptions, GateServer, Routes, Upstream, UpstreamOptions};
use serde::Serialize;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::serve::{LogFormat, LogLevel, LogSettings, Signals, start_logging};
use crate::terminal::Terminal;

/// A reverse proxy before an HTTP tool. A request passes once, on a permit in its header
/// `Countersign-Permit` for exactly this call; that it began is in the ledger before it leaves, and what
/// came of it before the agent gets the answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 ended by a signal · 2 usage or I/O

A routes file says which request is which tool's call (docs/permits.md):

  [[route]]
  method = \"POST\"
  path = \"/v1/messages/{id}/send\"
  tool = \"email.send\"
  body = \"object\"          # the members of the JSON body are arguments")]
pub(crate) struct GateArgs {
    /// The address; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8788")]
    listen: SocketAddr,
    /// The tool's server, http or https: a host and perhaps a port, without a path
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// Which request is which tool's call
    #[arg(long, value_name = "FILE")]
    routes: PathBuf,
    /// Most bytes of a request's body
    #[arg(long, value_name = "BYTES", default_value_t = BODY_BYTES)]
    max_body: usize,
    /// Most bytes of the tool's answer
    #[arg(long, value_name = "BYTES", default_value_t = ANSWER_BYTES)]
    max_answer: usize,
    /// Seconds that the tool may take for its answer
    #[arg(long, value_name = "SECONDS", default_value_t = UPSTREAM_TIME.as_secs(), value_parser = clap::value_parser!(u64).range(1..=3_600))]
    upstream_timeout: u64,
    /// Most calls at once
    #[arg(long, value_name = "N", default_value_t = CALLS)]
    calls: usize,
    /// For an https upstream: a PEM file of certificates to trust in place of the system's
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// How log lines look
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
    /// What is logged at the least
    #[arg(long, value_enum, default_value = "info")]
    log_level: LogLevel,
}

/// Where a gate listens, as `--json` prints it.
#[derive(Serialize)]
struct Listening<'a> {
    event: &'static str,
    url: &'a str,
    upstream: &'a str,
    routes: &'a [String],
}

pub(crate) fn run(
    args: &GateArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    start_logging(&LogSettings {
        format: args.log_format,
        level: args.log_level,
    })?;
    let text = input::file(&args.routes)?;
    let routes = Routes::parse(&text, |name| std::env::var(name).ok())
        .map_err(|error| CliError::io(&args.routes, error))?;
    let lines: Vec<String> = routes.lines().collect();
    let options = UpstreamOptions {
        timeout: Duration::from_secs(args.upstream_timeout),
        answer_bytes: args.max_answer,
        ca_file: args.upstream_ca.clone(),
    };
    let upstream = Upstream::new(&args.upstream, &options)
        .map_err(|error| CliError::usage(format!("--upstream: {error}")))?;
    let address = upstream.address().to_owned();
    let gate = Gate::new(GateOptions {
        client: connection.open(terminal)?.with_role(&["tool"])?,
        routes,
        upstream,
    });
    if let Err(error) = gate.prepare() {
        terminal.warn(format!("{error}; until the server answers, nothing passes"));
    }
    if !args.listen.ip().is_loopback() {
        terminal.warn(
            "the gate listens beyond this machine without TLS: permits and calls can be read on the way",
        );
    }
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::usage(format!("the runtime did not start: {error}")))?;
    let calls = u32::try_from(args.calls).map_err(|_| CliError::usage("--calls is too large"))?;
    runtime.block_on(async {
        let server = GateServer::bind(gate, args.listen, Some(args.max_body), Some(calls)).await;
        let server = server.map_err(|error| {
            CliError::usage(error.to_string())
                .hint("take another port with --listen 127.0.0.1:PORT (0 takes a free one)")
        })?;
        let mut signals = Signals::listen()?;
        let url = format!("http://{}", server.local_addr());
        let listening = Listening {
            event: "listening",
            url: &url,
            upstream: &address,
            routes: &lines,
        };
        terminal.answer(&listening, || format!("listening on {url}"))?;
        if !terminal.is_json() {
            terminal.note(format!("before {address}"));
            for line in &lines {
                terminal.note(crate::render::plain(line));
            }
        }
        server.run(signals.next()).await;
        Ok(Exit::Yes)
    })
}
