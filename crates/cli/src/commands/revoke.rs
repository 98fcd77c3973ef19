//! `countersign revoke`

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// From its entry on, no call follows from the turn.
#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArgs {
    /// The turn, as `countersign turn` printed it
    intent_ref: String,
}

pub(crate) fn run(
    args: &RevokeArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client = connection
        .open(terminal)?
        .with_role(&["ingress", "admin", "reviewer"])?;
    let answer = client.revoke_turn(&args.intent_ref)?;
    terminal.answer(&answer, || {
        format!(
            "the turn has ended with entry {}",
            super::entry_id(&answer.entry)
        )
    })?;
    Ok(Exit::Yes)
}
