//! `countersign key rotate vault`

use std::path::Path;

use countersign_host::DataDir;

use crate::commands::vault::complete;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Without a data directory the running server does it. No other key is needed.
pub(super) fn run(
    data: Option<&Path>,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let Some(data) = data else {
        return complete::rotate(connection, terminal);
    };
    let bar = terminal.progress("records");
    let completion = DataDir::new(data).rotate_vault_keys(&mut |completion| {
        bar.set_length(completion.last);
        bar.set_position(completion.reached);
    });
    bar.finish_and_clear();
    complete::tell(&completion?, terminal)
}
