//! `countersign turn`

use std::path::PathBuf;

use countersign_wire::{TurnPartRequest, TurnRequest};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;
use crate::{input, units};

/// The actor that the credentials of a first start may speak for.
pub(crate) const LOCAL_ACTOR: &str = "agent:local";

/// Prints the turn's intent_ref, which calls name.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: countersign turn \"Send billing@customer.example the refund confirmation\""
)]
pub(crate) struct TurnArgs {
    /// What the person said: a text, @FILE, or - for stdin; left out for a turn under a --mandate
    #[arg(required_unless_present = "mandate")]
    text: Option<String>,
    /// Whose turn it is [default: user: and your login name]
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// Which agents may act on it; can be given more than once
    #[arg(long = "actor", value_name = "ACTOR", default_value = LOCAL_ACTOR)]
    actors: Vec<String>,
    /// The session; turns of one session build on each other [default: a new one]
    #[arg(long)]
    session: Option<String>,
    /// The way by which it came in
    #[arg(long, default_value = "cli")]
    channel: String,
    /// A file with somebody else's words (a mail, a ticket), which carry no authority; can be given more than once
    #[arg(long = "correspondent", value_name = "FILE")]
    correspondents: Vec<PathBuf>,
    /// human, schedule or system
    #[arg(long)]
    author: Option<String>,
    /// The intent_ref of the standing instruction that a turn without a person's words rests on
    #[arg(long, value_name = "INTENT_REF")]
    mandate: Option<String>,
    /// How long it counts, such as 90s, 30m or 12h; at most 30d [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = units::seconds)]
    expires_in: Option<u64>,
}

pub(crate) fn run(
    args: &TurnArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let mut parts = Vec::new();
    if let Some(text) = &args.text {
        parts.push(part("principal", input::text(text)?));
    }
    for file in &args.correspondents {
        parts.push(part("correspondent", input::file(file)?));
    }
    let session = args.session.clone().unwrap_or_else(new_session);
    let turn = TurnRequest {
        principal: args.principal.clone().unwrap_or_else(login),
        author: args.author.clone(),
        channel: args.channel.clone(),
        session: session.clone(),
        actors: args.actors.clone(),
        parts,
        expires_in_s: args.expires_in,
        mandate: args.mandate.clone(),
    };
    let client = connection.open(terminal)?.with_role(&["ingress"])?;
    let answer = client.register_turn(&turn)?;
    terminal.answer(&answer, || answer.intent_ref.clone())?;
    if !terminal.is_json() && args.session.is_none() {
        terminal.note(format!("registered in session {session}"));
    }
    Ok(Exit::Yes)
}

fn part(by: &str, text: String) -> TurnPartRequest {
    TurnPartRequest {
        by: by.to_owned(),
        media_type: None,
        text,
        raw_sha256: None,
    }
}

/// The person at this machine, as a principal.
pub(crate) fn login() -> String {
    let name = ["USER", "LOGNAME"]
        .iter()
        .find_map(|variable| std::env::var(variable).ok());
    format!(
        "user:{}",
        name.filter(|name| !name.is_empty())
            .unwrap_or_else(|| "local".to_owned())
    )
}

/// Turns that nobody put together do not build on each other.
fn new_session() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("cli-{}-{}", since.as_millis(), std::process::id())
}
