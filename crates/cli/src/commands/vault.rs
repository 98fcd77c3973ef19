//! `countersign vault`

use clap::{Args, Subcommand};

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Open one sealed record; that it was opened, and for which purpose, is an entry
    Open(OpenArgs),
}

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// The record's commitment: sha256: and 64 hex digits
    reference: String,
    /// Why it is opened
    #[arg(long, value_name = "TEXT")]
    purpose: String,
}

pub(crate) fn run(
    command: &VaultCommand,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let VaultCommand::Open(args) = command;
    let client = connection.open(terminal)?.with_role(&["vault-reader"])?;
    let opened = client.open(&args.reference, &args.purpose)?;
    terminal.answer(&opened, || {
        let pretty = serde_json::to_string_pretty(&opened.document).unwrap_or_default();
        render::plain(&pretty)
    })?;
    if !terminal.is_json() {
        terminal.note(format!(
            "opened with entry {}",
            super::entry_id(&opened.entry)
        ));
    }
    Ok(Exit::Yes)
}
