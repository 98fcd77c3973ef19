//! `countersign flags`

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

/// Newest first, each with the entry where it began.
#[derive(Debug, clap::Args)]
pub(crate) struct FlagsArgs {
    /// Only those that are open
    #[arg(long)]
    open: bool,
}

pub(crate) fn run(
    args: &FlagsArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let client =
        connection
            .open(terminal)?
            .with_role(&["auditor", "reviewer", "admin", "vault-reader"])?;
    let mut answer = client.flags()?;
    answer
        .flags
        .retain(|flag| !args.open || flag.state == "open");
    if terminal.is_json() || !answer.flags.is_empty() {
        terminal.answer(&answer, || render::flags(terminal, &answer.flags))?;
    } else {
        terminal.note("there are no flags");
    }
    Ok(Exit::Yes)
}
