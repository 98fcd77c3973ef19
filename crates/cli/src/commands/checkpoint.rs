//! `countersign checkpoint`

use std::io::Write as _;
use std::path::PathBuf;

use countersign_client::{ClientError, LogPath};
use countersign_note::{SignedCheckpoint, VerifierKey};

use super::entries::open_log;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Whoever keeps it can later tell whether any entry that it covers was changed.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckpointArgs {
    /// Save it to a new file in place of printing it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The key that must have signed it, or a FILE that holds it [default: the profile's, if it is of this log]
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// Read a data directory in place of a server
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// A checkpoint as `--json` prints it.
#[derive(serde::Serialize)]
struct Printed<'a> {
    origin: &'a str,
    size: u64,
    checkpoint: &'a str,
    signature_checked: bool,
}

pub(crate) fn run(
    args: &CheckpointArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let text = match &args.data {
        Some(dir) => open_log(dir)?.checkpoint().to_string(),
        None => fetch(connection, terminal)?,
    };
    let key = key(args, connection)?;
    let note = countersign_note::Note::parse(text.as_bytes())
        .map_err(|error| CliError::usage(format!("the checkpoint: {error}")))?;
    let checkpoint = countersign_note::Checkpoint::parse(note.text())
        .map_err(|error| CliError::usage(format!("the checkpoint: {error}")))?;
    let is_checked = match &key {
        Some(key) => {
            let signed = SignedCheckpoint::open(&note, std::slice::from_ref(key));
            signed.map_err(|error| {
                CliError::usage(format!("the checkpoint: {error}")).exiting(Exit::No)
            })?;
            true
        }
        None => false,
    };
    if let Some(path) = &args.save {
        save(path, &text)?;
    }
    let printed = Printed {
        origin: checkpoint.origin(),
        size: checkpoint.size().get(),
        checkpoint: &text,
        signature_checked: is_checked,
    };
    match (terminal.is_json(), &args.save) {
        (true, _) => terminal.json(&printed)?,
        (false, None) => terminal.bytes(text.as_bytes())?,
        (false, Some(path)) => {
            let path = path.display();
            terminal.note(format!(
                "`{path}` covers {} entries; keep it where whoever runs the server cannot reach",
                printed.size
            ));
        }
    }
    if !is_checked && !terminal.is_json() {
        terminal.warn(
            "no --key was given, and no profile has one of this log: the signature was not checked",
        );
    }
    Ok(Exit::Yes)
}

fn fetch(connection: &ConnectionArgs, terminal: &Terminal) -> Result<String, CliError> {
    let connection = connection.open(terminal)?;
    let client = connection.public();
    let head = client.head()?;
    let log = LogPath::of_origin(&head.origin).ok_or_else(|| {
        ClientError::Request("the server's log has an origin of an unknown form".to_owned())
    })?;
    String::from_utf8(client.checkpoint(&log)?)
        .map_err(|_| CliError::usage("the checkpoint is not utf-8"))
}

fn key(
    args: &CheckpointArgs,
    connection: &ConnectionArgs,
) -> Result<Option<VerifierKey>, CliError> {
    let text = match &args.key {
        Some(text) => Some(crate::input::key(text)?),
        // A data directory need not be the profile's.
        None if args.data.is_some() => None,
        None => connection.profile()?.map(|profile| profile.log_key),
    };
    let parsed = text
        .map(|text| text.trim().parse::<VerifierKey>())
        .transpose();
    parsed.map_err(|error| CliError::usage(format!("the key: {error}")))
}

/// What is kept is never written over: that would lose the very thing that it is for.
fn save(path: &std::path::Path, text: &str) -> Result<(), CliError> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| {
            let own = CliError::io(path, &error);
            match error.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    own.hint("keep each checkpoint in a file of its own")
                }
                _ => own,
            }
        })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| CliError::io(path, error))
}
