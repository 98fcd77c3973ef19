//! `countersign reviews key`

use clap::Args;
use countersign_keys::{ReviewerKey, SystemRandom};
use serde::Serialize;

use super::KeyFile;
use super::answer::unusable;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// Make a key; one that is there is never written over
    #[arg(long)]
    new: bool,
    #[command(flatten)]
    key: KeyFile,
}

/// A reviewer's key as `--json` prints it.
#[derive(Serialize)]
struct Printed {
    file: String,
    public_key: String,
}

pub(super) fn run(
    args: &KeyArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let path = args.key.path(connection)?;
    let key = match args.new {
        true => {
            let key = ReviewerKey::fresh(&SystemRandom).map_err(unusable)?;
            key.write_new(&path).map_err(unusable)?;
            key
        }
        false => ReviewerKey::load_file(&path).map_err(unusable)?,
    };
    let printed = Printed {
        file: path.display().to_string(),
        public_key: key.public_key(),
    };
    terminal.answer(&printed, || printed.public_key.clone())?;
    if args.new && !terminal.is_json() {
        terminal.note(format!(
            "the key is in `{}`: keep it to yourself",
            printed.file
        ));
        terminal.hint(format!(
            "an admin grants its owner a credential: countersign credential add --role reviewer --principal user:NAME --public-key {}",
            printed.public_key
        ));
    }
    Ok(Exit::Yes)
}
