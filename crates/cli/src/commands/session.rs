//! `countersign session`

use countersign_wire::{CloseSession, OpenSession};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum SessionCommand {
    /// Open a session before its first turn
    Open(OpenArgs),
    /// Close a session: its turns end, and its entry says how much it held
    Close(CloseArgs),
}

/// Without this, a session is opened by its first turn. One that the same credential has open stays as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct OpenArgs {
    /// The session's id at the ingress
    session: String,
}

/// A session is closed without being asked an hour after its last turn has ended. A later turn opens it anew.
#[derive(Debug, clap::Args)]
pub(crate) struct CloseArgs {
    /// The session's id at the ingress
    session: String,
}

pub(crate) fn run(
    command: &SessionCommand,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match command {
        SessionCommand::Open(args) => open(args, connection, terminal),
        SessionCommand::Close(args) => close(args, connection, terminal),
    }
}

fn open(
    args: &OpenArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let request = OpenSession {
        session: args.session.clone(),
    };
    let client = connection.open(terminal)?.with_role(&["ingress"])?;
    let opened = client.open_session(&request)?;
    terminal.answer(&opened, || {
        let entry = super::entry_id(&opened.entry);
        match opened.is_new {
            true => format!("opened with entry {entry}"),
            false => format!("open since entry {entry}"),
        }
    })?;
    Ok(Exit::Yes)
}

fn close(
    args: &CloseArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let request = CloseSession {
        session: args.session.clone(),
    };
    let client = connection
        .open(terminal)?
        .with_role(&["ingress", "admin"])?;
    let closed = client.close_session(&request)?;
    terminal.answer(&closed, || {
        format!(
            "closed with entry {}: {} turns, {} decisions, {} executions",
            super::entry_id(&closed.entry),
            closed.turns,
            closed.decisions,
            closed.executions
        )
    })?;
    Ok(Exit::Yes)
}
