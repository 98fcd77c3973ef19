//! `countersign explain`

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Terminal;

/// Which turn, which rule, where each value came from, what the agent said, what the proof shows.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// The decision's entry id
    entry_id: String,
    /// Open what is sealed, for this purpose; that it was opened is an entry
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
}

pub(crate) fn run(
    args: &ExplainArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let roles: &[&str] = if args.purpose.is_some() {
        &["vault-reader"]
    } else {
        &["auditor", "vault-reader"]
    };
    let client = connection.open(terminal)?.with_role(roles)?;
    let explained = client.explain(&args.entry_id, args.purpose.as_deref())?;
    terminal.answer(&explained, || render::explanation(terminal, &explained))?;
    if args.purpose.is_some() && explained.vault_access.is_none() {
        terminal.warn("the credential may not open what is sealed: it needs the role vault-reader beside auditor");
    }
    Ok(Exit::Yes)
}
