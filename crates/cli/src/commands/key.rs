//! `countersign key`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_core::entry::{AnyEntry, Body};
use countersign_keys::fingerprint;
use countersign_merkle::LeafIndex;
use countersign_note::VerifierKey;
use serde::Serialize;

use super::entries::open_log;
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::{Terminal, Tone};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Show the keys that check the log, and their fingerprints to compare over another way
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Read a data directory in place of a server
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// The keys as `--json` prints them.
#[derive(Serialize)]
struct Keys {
    origin: String,
    log_key: String,
    log_key_fingerprint: String,
    root_key: String,
    root_key_fingerprint: String,
}

pub(crate) fn run(
    command: &KeyCommand,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let KeyCommand::Show(args) = command;
    let keys = match &args.data {
        Some(dir) => of_directory(dir)?,
        None => {
            let head = connection.open(terminal)?.public().head()?;
            Keys::new(head.origin, head.log_key, head.root_key)?
        }
    };
    terminal.answer(&keys, || keys.text(terminal))?;
    if !terminal.is_json() {
        terminal.hint("hand them over by a way that whoever runs the server does not control, and compare the fingerprints");
    }
    Ok(Exit::Yes)
}

impl Keys {
    fn new(origin: String, log_key: String, root_key: String) -> Result<Self, CliError> {
        Ok(Self {
            log_key_fingerprint: print_of(&log_key)?,
            root_key_fingerprint: print_of(&root_key)?,
            origin,
            log_key,
            root_key,
        })
    }

    fn text(&self, terminal: &Terminal) -> String {
        let name = |name: &str| terminal.paint(Tone::Strong, name);
        [
            format!(
                "{}\n  {}",
                name("log key (--key): signs checkpoints"),
                self.log_key
            ),
            format!(
                "{}\n{}",
                name("  fingerprint"),
                halves(&self.log_key_fingerprint)
            ),
            format!(
                "{}\n  {}",
                name("root key (--root-key): signs the log key"),
                self.root_key
            ),
            format!(
                "{}\n{}",
                name("  fingerprint"),
                halves(&self.root_key_fingerprint)
            ),
        ]
        .join("\n")
    }
}

/// A fingerprint in two lines of eight groups.
fn halves(fingerprint: &str) -> String {
    let groups: Vec<&str> = fingerprint.split(' ').collect();
    groups
        .chunks(8)
        .map(|line| format!("    {}", line.join(" ")))
        .collect::<Vec<_>>()
        .join("\n")
}

fn print_of(key: &str) -> Result<String, CliError> {
    let key: VerifierKey = key
        .parse()
        .map_err(|error| CliError::usage(format!("the key `{key}`: {error}")))?;
    Ok(fingerprint(&key))
}

/// From the first entry of the log; the log key from the files of keys may be a later one.
fn of_directory(dir: &std::path::Path) -> Result<Keys, CliError> {
    let failed = |error: String| CliError::io(dir, error);
    let log = open_log(dir)?;
    let first = log
        .leaf(LeafIndex::new(0))
        .map_err(|error| failed(error.to_string()))?;
    let first = first.ok_or_else(|| failed("the log has no first entry".to_owned()))?;
    let entry = AnyEntry::from_leaf(&first.bytes).map_err(|error| failed(error.to_string()))?;
    let Some(Body::Genesis(genesis)) = entry.body() else {
        return Err(failed("the log's first entry is no genesis".to_owned()));
    };
    Keys::new(
        genesis.origin.to_string(),
        genesis.log_key.to_string(),
        genesis.root_key.to_string(),
    )
}
