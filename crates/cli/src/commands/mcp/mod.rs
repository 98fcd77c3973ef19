//! `countersign mcp`

mod http;
mod stdio;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use countersign_hooks::State;
use countersign_mcp::limits::REVIEW_WAIT;
use countersign_mcp::relay::{
    Clients, FindSession, Notices, Relay, RelayError, RelayOptions, TurnSource,
};

use super::turn::{LOCAL_ACTOR, login};
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::Terminal;
use crate::{input, units};

/// Every tool call is judged before the server sees it; what the server returns is recorded before the client sees it.
///
/// Exit code: the server's own, over stdio.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  countersign mcp -- npx -y @modelcontextprotocol/server-filesystem ~/notes
  countersign mcp --listen 127.0.0.1:8790 --upstream https://tools.example/mcp

In a client's configuration, put `countersign mcp --` before the server's own command.")]
pub(crate) struct McpArgs {
    /// The server's command, which is run and spoken to on its stdin and stdout
    #[arg(
        last = true,
        value_name = "COMMAND",
        required_unless_present = "listen",
        conflicts_with = "listen"
    )]
    command: Vec<OsString>,
    /// Who calls
    #[arg(long, default_value = LOCAL_ACTOR)]
    actor: String,
    /// What the person asked for, for one-shot use: a text or @FILE; it is registered at the start
    #[arg(long, value_name = "TEXT", conflicts_with = "session")]
    turn: Option<String>,
    /// Whose turn it is [default: user: and your login name]
    #[arg(long = "as", value_name = "PRINCIPAL", requires = "turn")]
    principal: Option<String>,
    /// The way by which the turn came in
    #[arg(long, default_value = "cli", requires = "turn")]
    channel: String,
    /// The session whose newest turn calls follow from [default: the one that a hook noted for this directory, if any]
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// What is put before each tool's name, so that policies can tell servers apart
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    prefix: String,
    /// The server's name in decisions [default: its command, or its address]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long an escalated call waits for a person, such as 30s; 0 to refuse at once [default: 55s]
    #[arg(long, value_name = "TIME", value_parser = units::seconds)]
    review_wait: Option<u64>,
    /// Say on stderr what was decided on each call, and how long it took
    #[arg(long)]
    log_calls: bool,
    /// A `tool` credential's token in place of the profile's
    #[arg(
        long,
        env = "COUNTERSIGN_TOOL_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    tool_token: Option<String>,
    /// An `ingress` credential's token in place of the profile's
    #[arg(
        long,
        env = "COUNTERSIGN_INGRESS_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    ingress_token: Option<String>,
    // Last, because its heading holds for all that follows.
    #[command(flatten)]
    http: http::HttpArgs,
}

pub(crate) fn run(
    args: &McpArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let upstream = args.http.upstream()?;
    let server_name = match (&args.name, &upstream, args.command.first()) {
        (Some(name), _, _) => name.clone(),
        (None, Some(upstream), _) => upstream.origin(),
        (None, None, _) => {
            let words = args.command.iter().map(|word| word.to_string_lossy());
            words.collect::<Vec<_>>().join(" ")
        }
    };
    let relay = start(args, connection, server_name, *terminal)?;
    if let Some(turn) = relay.own_turn() {
        terminal.note(format!("registered turn {}", plain(turn)));
    }
    match upstream {
        Some(upstream) => http::run(&args.http, upstream, relay, terminal),
        None => stdio::run(&args.command, &relay.recording_behind(), terminal),
    }
}

/// A relay with one credential per role.
fn start(
    args: &McpArgs,
    connection: &ConnectionArgs,
    server_name: String,
    terminal: Terminal,
) -> Result<Relay, CliError> {
    let opened = connection.open(&terminal)?;
    let needs_ingress = args.turn.is_some() || args.ingress_token.is_some();
    let ingress = match opened.with_own("ingress", args.ingress_token.as_deref()) {
        Ok(client) => Some(client),
        Err(error) if needs_ingress => return Err(error),
        Err(_) => None,
    };
    let clients = Clients {
        agent: opened.with_role(&["relay", "agent"])?,
        tool: opened.with_own("tool", args.tool_token.as_deref())?,
        ingress,
    };
    let turn = match (&args.turn, &args.session) {
        (Some(text), _) => TurnSource::Text {
            text: input::text(text)?,
            principal: args.principal.clone().unwrap_or_else(login),
            channel: args.channel.clone(),
        },
        (None, Some(session)) => TurnSource::OfSession(session.clone()),
        (None, None) => noted_session().map_or(TurnSource::Unmandated, TurnSource::Noted),
    };
    let notices: Notices = Arc::new(move |text| terminal.warn(plain(text)));
    let calls: Notices = Arc::new(move |text| terminal.note(plain(text)));
    let options = RelayOptions {
        actor: args.actor.clone(),
        turn,
        server_name,
        prefix: args.prefix.clone(),
        clients,
        review_wait: args.review_wait.map_or(REVIEW_WAIT, Duration::from_secs),
        notices,
        calls: args.log_calls.then_some(calls),
    };
    Relay::new(options).map_err(|error| match error {
        RelayError::NoIngress => CliError::usage(error.to_string()),
        RelayError::Turn(error) => CliError::from(error),
    })
}

/// Finds the session that a hook noted for this directory, at each call anew: the assistant may
/// have begun another one since.
fn noted_session() -> Option<FindSession> {
    let state = State::at(&countersign_hooks::state_home()?, "relay");
    let here = std::env::current_dir().ok()?.canonicalize().ok()?;
    Some(Arc::new(move || {
        let noted = state.newest_session(&here).ok().flatten()?;
        Some(noted.session)
    }))
}
