//! `countersign key list`

use std::path::PathBuf;

use clap::Args;
use countersign_core::entry::KeyPurpose;
use countersign_host::DataDir;
use countersign_note::{SignatureType, VerifierKey};
use countersign_service::GrantedKey;
use serde::Serialize;

use super::print_of;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::{Terminal, Tone};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The data directory
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "DIR")]
    data: PathBuf,
}

/// A key as `--json` prints it.
#[derive(Serialize)]
struct Row {
    /// `log`, `log-mldsa` or `permit`.
    purpose: &'static str,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    granted: u64,
    revoked: Option<u64>,
}

#[derive(Serialize)]
struct List {
    origin: String,
    root_key: String,
    keys: Vec<Row>,
}

pub(super) fn run(args: &ListArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let history = DataDir::new(&args.data).key_history()?;
    let list = List {
        origin: history.origin().to_string(),
        root_key: history.root_key().to_string(),
        keys: history.keys().iter().map(Row::from).collect(),
    };
    terminal.answer(&list, || list.text(terminal))?;
    Ok(Exit::Yes)
}

impl From<&GrantedKey> for Row {
    fn from(key: &GrantedKey) -> Self {
        Self {
            purpose: purpose_name(key),
            key: key.key.to_string(),
            fingerprint: print_of(key.key.as_str()).ok(),
            granted: key.granted.get(),
            revoked: key.revoked.map(countersign_merkle::LeafIndex::get),
        }
    }
}

impl List {
    fn text(&self, terminal: &Terminal) -> String {
        let mut table = terminal.table(["PURPOSE", "GRANTED AT", "REVOKED AT", "KEY"]);
        for row in &self.keys {
            let (tone, revoked) = match row.revoked {
                Some(index) => (Tone::Careful, format!("entry {index}")),
                None => (Tone::Good, "in force".to_owned()),
            };
            table.add_row([
                terminal.cell(Tone::Strong, row.purpose),
                terminal.cell(Tone::Quiet, &format!("entry {}", row.granted)),
                terminal.cell(tone, &revoked),
                // A key of another kind has thousands of characters: its name and id are enough.
                comfy_table::Cell::new(short(&row.key)),
            ]);
        }
        format!("{table}")
    }
}

/// What the key files call the purpose.
fn purpose_name(key: &GrantedKey) -> &'static str {
    let is_ml_dsa = VerifierKey::parse(key.key.as_str())
        .is_ok_and(|key| key.signature_type() == SignatureType::MlDsa44);
    match key.purpose {
        KeyPurpose::Permit => "permit",
        KeyPurpose::Log if is_ml_dsa => "log-mldsa",
        KeyPurpose::Log => "log",
    }
}

/// The key, or of a long one its name and id.
fn short(key: &str) -> String {
    /// As long as an Ed25519 key with a long name.
    const LONG: usize = 400;
    let mut parts = key.splitn(3, '+');
    match (parts.next(), parts.next()) {
        (Some(name), Some(id)) if key.len() > LONG => format!("{name}+{id}+…"),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_shown_by_its_name_and_id() {
        let long = format!("log/1+0a0b0c0d+B{}", "+x/".repeat(500));
        assert_eq!(short(&long), "log/1+0a0b0c0d+…");
        assert_eq!(short("log/1+0a0b0c0d+AQ+x"), "log/1+0a0b0c0d+AQ+x");
    }
}
