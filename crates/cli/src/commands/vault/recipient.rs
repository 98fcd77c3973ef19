//! `countersign vault recipient-key`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use countersign_keys::{KeyFileError, RecipientKeyFile, SystemRandom};
use serde::Serialize;

use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum RecipientCommand {
    /// Make a key into a new file, and print its public half; a file that is there is never written over
    New {
        /// The file of the private key
        file: PathBuf,
    },
    /// Print the public half of a key
    Show {
        /// The file of the private key
        file: PathBuf,
    },
}

/// A recipient's key as `--json` prints it.
#[derive(Serialize)]
struct Printed<'a> {
    file: &'a Path,
    public_key: String,
}

pub(super) fn run(command: &RecipientCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    let (file, key) = match command {
        RecipientCommand::New { file } => {
            let key = RecipientKeyFile::fresh(&SystemRandom).map_err(unusable)?;
            key.write_new(file).map_err(unusable)?;
            (file, key)
        }
        RecipientCommand::Show { file } => (file, load(file)?),
    };
    let printed = Printed {
        file,
        public_key: key.public().to_string(),
    };
    terminal.answer(&printed, || printed.public_key.clone())?;
    if matches!(command, RecipientCommand::New { .. }) && !terminal.is_json() {
        terminal.note(format!(
            "the private key is in `{}`: keep it to yourself; whoever loses it cannot open what was sealed to it",
            file.display()
        ));
        terminal.hint(
            "hand over the line above; who exports compares it with you over another way, and then: countersign vault export --for KEY",
        );
    }
    Ok(Exit::Yes)
}

/// Reads a recipient's private key.
pub(super) fn load(path: &Path) -> Result<RecipientKeyFile, CliError> {
    RecipientKeyFile::load_file(path).map_err(unusable)
}

fn unusable(error: KeyFileError) -> CliError {
    let own = CliError::usage(error.to_string());
    match &error {
        KeyFileError::Missing { .. } => {
            own.hint("`countersign vault recipient-key new FILE` makes one")
        }
        KeyFileError::AlreadyThere { .. } => own.hint("choose another file"),
        _ => match error.hint() {
            Some(hint) => own.hint(hint),
            None => own,
        },
    }
}
