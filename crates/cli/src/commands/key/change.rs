//! `countersign key rotate`, `revoke` and `mldsa`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use countersign_host::{DataDir, HostError, KeyChanged};
use countersign_keys::{Purpose, RootKey};
use serde::Serialize;

use super::{print_of, rotate_vault};
use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Which directory, and who signs.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// The data directory; no server may use it meanwhile
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "DIR")]
    data: PathBuf,
    /// The root key's file, brought back from where it is kept [default: DIR/keys/root.key]
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
}

/// Which key is to be followed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rotatable {
    /// Signs checkpoints; the old one is revoked in the same commit
    Log,
    /// Signs checkpoints a second time; the old one is revoked in the same commit
    LogMldsa,
    /// Signs permits; the old one holds until it is revoked
    Permit,
    /// Open sealed records: a new epoch begins, and the keys of older ones are destroyed. On the running server, or in
    /// the directory of `--data`; needs no root key
    Vault,
}

/// The new key's file is durable before the log grants the key, and takes its place after. What an interruption
/// leaves half done is ended by the next command or server that uses the directory.
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// Which key
    #[arg(value_enum)]
    key: Rotatable,
    /// The data directory; no server may use it meanwhile
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "DIR", required_if_eq_any([("key", "log"), ("key", "log-mldsa"), ("key", "permit")]))]
    data: Option<PathBuf>,
    /// The root key's file, brought back from where it is kept [default: DIR/keys/root.key]
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
}

/// A key that is in use is not revoked so: another has to follow it first.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The key, as `countersign key list` prints it
    key: String,
    #[command(flatten)]
    change: ChangeArgs,
}

/// The second signature is of type 0x06 of C2SP tlog-cosignature, and stands under every checkpoint beside the first.
#[derive(Debug, Args)]
pub(crate) struct MldsaArgs {
    /// Whether checkpoints are to be signed so
    #[arg(value_enum)]
    wanted: Switch,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// Make a key, have the log grant it, and sign
    On,
    /// Revoke the key and remove its file
    Off,
}

/// A change as `--json` prints it.
#[derive(Serialize)]
struct Changed {
    granted: Option<String>,
    fingerprint: Option<String>,
    revoked: Option<String>,
    entries: Vec<u64>,
    checkpoint: String,
}

pub(super) fn rotate(
    args: &RotateArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let (purpose, advice) = match args.key {
        Rotatable::Log => (
            Purpose::Log,
            "hand the new key to the log's witnesses, and to everybody who checks the log; who pins the root key needs nothing",
        ),
        Rotatable::LogMldsa => (
            Purpose::LogMlDsa,
            "hand the new key to everybody who checks with it",
        ),
        Rotatable::Permit => (
            Purpose::Permit,
            "the tool's side gets both keys from /.well-known/jwks.json; once the last permits of the old one have ended, revoke it with `countersign key revoke`",
        ),
        Rotatable::Vault => {
            return rotate_vault::run(args.data.as_deref(), connection, terminal);
        }
    };
    let change = ChangeArgs {
        data: args
            .data
            .clone()
            .ok_or_else(|| CliError::usage("the data directory is needed: --data DIR"))?,
        root_key: args.root_key.clone(),
    };
    let changed = change.carry_out(|data, root| data.rotate(purpose, root))?;
    tell(changed, advice, terminal)
}

pub(super) fn revoke(args: &RevokeArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let key = crate::input::key(&args.key)?;
    let changed = args
        .change
        .carry_out(|data, root| data.revoke_key(key.trim(), root))?;
    let advice = "a server that starts now no longer serves it";
    tell(changed, advice, terminal)
}

pub(super) fn mldsa(args: &MldsaArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let on = args.wanted == Switch::On;
    let changed = args
        .change
        .carry_out(|data, root| data.set_ml_dsa(on, root))?;
    let advice = match on {
        true => {
            "whoever checks with this key alone rests on ML-DSA-44 alone: `countersign verify --key`"
        }
        false => "checkpoints bear the ed25519 signature only, from the next start on",
    };
    tell(changed, advice, terminal)
}

/// The root key, from the file that was named or from where `init` left it.
fn root_key(data: &DataDir, file: Option<&Path>) -> Result<RootKey, CliError> {
    let loaded = match file {
        Some(file) => RootKey::load_file(file),
        None => RootKey::load(&data.keys()),
    };
    loaded.map_err(|error| {
        let missing = matches!(error, countersign_keys::KeyFileError::Missing { .. });
        let own = CliError::from(HostError::Key(error));
        match missing && file.is_none() {
            true => own.hint("name its file with --root-key FILE"),
            false => own,
        }
    })
}

impl ChangeArgs {
    fn carry_out(
        &self,
        change: impl FnOnce(&DataDir, &RootKey) -> Result<KeyChanged, HostError>,
    ) -> Result<KeyChanged, CliError> {
        let data = DataDir::new(&self.data);
        if !data.is_begun() {
            return Err(HostError::Missing(self.data.clone()).into());
        }
        let root = root_key(&data, self.root_key.as_deref())?;
        Ok(change(&data, &root)?)
    }
}

fn tell(changed: KeyChanged, advice: &str, terminal: &Terminal) -> Result<Exit, CliError> {
    let changed = Changed {
        fingerprint: changed
            .granted
            .as_deref()
            .and_then(|key| print_of(key).ok()),
        granted: changed.granted,
        revoked: changed.revoked,
        entries: changed.entries.iter().map(|index| index.get()).collect(),
        checkpoint: changed.checkpoint,
    };
    terminal.answer(&changed, || changed.text())?;
    if !terminal.is_json() {
        terminal.hint(advice);
        terminal.hint("take the root key away again");
    }
    Ok(Exit::Yes)
}

impl Changed {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        let mut entries = self.entries.iter();
        for (what, key) in [("granted", &self.granted), ("revoked", &self.revoked)] {
            // Each change is one entry, in this order.
            if let Some(key) = key
                && let Some(index) = entries.next()
            {
                lines.push(format!("{what} at entry {index}\n  {key}"));
                if let Some(print) = self.fingerprint.as_ref().filter(|_| what == "granted") {
                    lines.push(format!("  fingerprint {print}"));
                }
            }
        }
        lines.join("\n")
    }
}
