//! `countersign session`

use countersign_wire::CloseSession;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum SessionCommand {
    /// Close a session: its turns end, and its entry says how much it held
    Close(CloseArgs),
}

/// A session is opened by its first turn, and closed without being asked an hour after its last turn has ended.
/// A later turn opens it anew.
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
    let SessionCommand::Close(args) = command;
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
