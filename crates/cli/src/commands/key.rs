//! `countersign key`

mod change;
mod list;
mod rotate_vault;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_core::entry::KeyPurpose;
use countersign_host::DataDir;
use countersign_keys::fingerprint;
use countersign_note::{SignatureType, VerifierKey};
use serde::Serialize;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::{Terminal, Tone};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Show the keys that check the log, and their fingerprints to compare over another way
    Show(ShowArgs),
    /// List every key that the log has granted, and which are revoked
    List(list::ListArgs),
    /// Let a new key follow the present one; but for the vault's, no server may run meanwhile
    Rotate(change::RotateArgs),
    /// Revoke a key that is no longer in use
    Revoke(change::RevokeArgs),
    /// Have checkpoints signed a second time, with ML-DSA-44, or no longer
    Mldsa(change::MldsaArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Read a data directory in place of a server, which does not say the ML-DSA-44 key
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
    #[serde(skip_serializing_if = "Option::is_none")]
    ml_dsa_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ml_dsa_key_fingerprint: Option<String>,
}

pub(crate) fn run(
    command: &KeyCommand,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match command {
        KeyCommand::Show(args) => show(args, connection, terminal),
        KeyCommand::List(args) => list::run(args, terminal),
        KeyCommand::Rotate(args) => change::rotate(args, connection, terminal),
        KeyCommand::Revoke(args) => change::revoke(args, terminal),
        KeyCommand::Mldsa(args) => change::mldsa(args, terminal),
    }
}

fn show(
    args: &ShowArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let keys = match &args.data {
        Some(dir) => of_directory(dir)?,
        None => {
            let head = connection.open(terminal)?.public().head()?;
            Keys::new(head.origin, head.log_key, head.root_key, None)?
        }
    };
    terminal.answer(&keys, || keys.text(terminal))?;
    if !terminal.is_json() {
        terminal.hint("hand them over by a way that whoever runs the server does not control, and compare the fingerprints");
    }
    Ok(Exit::Yes)
}

impl Keys {
    fn new(
        origin: String,
        log_key: String,
        root_key: String,
        ml_dsa_key: Option<String>,
    ) -> Result<Self, CliError> {
        Ok(Self {
            ml_dsa_key_fingerprint: ml_dsa_key.as_deref().map(print_of).transpose()?,
            ml_dsa_key,
            log_key_fingerprint: print_of(&log_key)?,
            root_key_fingerprint: print_of(&root_key)?,
            origin,
            log_key,
            root_key,
        })
    }

    fn text(&self, terminal: &Terminal) -> String {
        let shown = |name: &str, key: &str, print: &str| {
            [
                terminal.paint(Tone::Strong, name),
                format!("  {key}"),
                terminal.paint(Tone::Strong, "  fingerprint"),
                halves(print),
            ]
            .join("\n")
        };
        let mut keys = vec![
            shown(
                "log key (--key): signs checkpoints",
                &self.log_key,
                &self.log_key_fingerprint,
            ),
            shown(
                "root key (--root-key): signs the log key",
                &self.root_key,
                &self.root_key_fingerprint,
            ),
        ];
        if let (Some(key), Some(print)) = (&self.ml_dsa_key, &self.ml_dsa_key_fingerprint) {
            let name = "ml-dsa-44 key (--key): signs checkpoints a second time";
            keys.push(shown(name, key, print));
        }
        keys.join("\n")
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

/// From the entries of the log: the newest of the keys that hold.
fn of_directory(dir: &std::path::Path) -> Result<Keys, CliError> {
    let history = DataDir::new(dir).key_history()?;
    let newest = |signature_type: SignatureType| {
        let keys = history.live(KeyPurpose::Log).filter(|key| {
            VerifierKey::parse(key.key.as_str())
                .is_ok_and(|key| key.signature_type() == signature_type)
        });
        keys.last().map(|key| key.key.to_string())
    };
    let log_key = newest(SignatureType::Ed25519)
        .ok_or_else(|| CliError::io(dir, "the log has no key in force that signs checkpoints"))?;
    Keys::new(
        history.origin().to_string(),
        log_key,
        history.root_key().to_string(),
        newest(SignatureType::MlDsa44),
    )
}
