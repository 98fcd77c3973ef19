//! `countersign witness`: a witness of other people's logs.
//!
//! ```text
//! DIR/lock              held by the one process that uses the directory
//! DIR/keys/witness.key  cosigns checkpoints
//! DIR/logs/<sha256>     per log, the newest checkpoint that was cosigned
//! ```

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use countersign_api::{ServerConfig, TlsFiles, WitnessServer};
use countersign_core::names::Origin;
use countersign_keys::{KeyFileError, SystemRandom, WitnessKey, WitnessMlDsaKey, fingerprint};
use countersign_ledger::DirLock;
use countersign_note::{MlDsaSigner as _, NoteSigner as _, TlogPolicy, VerifierKey};
use countersign_witness::{FileStore, FileStoreError, Witness};
use serde::Serialize;

use crate::commands::verify::key;
use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::serve::{LogFormat, LogLevel, LogSettings, Signals, start_logging};
use crate::terminal::Terminal;

/// What can be done as a witness.
#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Make a directory with the key of a new witness, and print its verifier key
    Init(InitArgs),
    /// Print the verifier key of a witness
    Key(KeyArgs),
    /// Cosign checkpoints of the logs that are named
    Serve(ServeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The witness's directory
    #[arg(long, env = "COUNTERSIGN_WITNESS_DATA", value_name = "DIR")]
    data: PathBuf,
    /// The witness's name, such as witness.example/w1: it stands in each cosignature, for good
    #[arg(long)]
    name: String,
    /// Make a second key, for cosignatures with ML-DSA-44 beside those with Ed25519
    #[arg(long)]
    ml_dsa: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The witness's directory
    #[arg(long, env = "COUNTERSIGN_WITNESS_DATA", value_name = "DIR")]
    data: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The address is submission prefix and monitoring prefix alike (C2SP tlog-witness): logs send to
<address>/add-checkpoint, and <address>/<sha256 of a log's origin>/checkpoint is what was cosigned last.

There are no credentials: a request counts for the log's signature in it and nothing else.")]
pub(crate) struct ServeArgs {
    /// The witness's directory, as `countersign witness init` made it
    #[arg(long, env = "COUNTERSIGN_WITNESS_DATA", value_name = "DIR")]
    data: PathBuf,
    /// The address; port 0 takes a free one
    #[arg(
        long,
        env = "COUNTERSIGN_WITNESS_LISTEN",
        value_name = "IP:PORT",
        default_value = "127.0.0.1:8789"
    )]
    listen: SocketAddr,
    /// A log to witness: its verifier key, or a FILE that holds it; may be given several times
    #[arg(long = "log", value_name = "VKEY")]
    logs: Vec<String>,
    /// A tlog-policy whose logs are witnessed
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// How log lines look
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
    /// What is logged at the least
    #[arg(long, value_enum, default_value = "info")]
    log_level: LogLevel,
}

/// A witness's key as `--json` prints it.
#[derive(Serialize)]
struct Shown {
    name: String,
    verifier_key: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ml_dsa_key: Option<String>,
}

/// Where a witness listens, as `--json` prints it.
#[derive(Serialize)]
struct Listening<'a> {
    event: &'static str,
    url: &'a str,
    verifier_key: String,
    logs: Vec<&'a str>,
}

/// Carries a command out.
pub(crate) fn run(command: &WitnessCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    match command {
        WitnessCommand::Init(args) => init(args, terminal),
        WitnessCommand::Key(args) => {
            let key = load(&args.data)?;
            show(&key, second(&args.data)?.as_ref(), terminal)
        }
        WitnessCommand::Serve(args) => serve(args, terminal),
    }
}

fn init(args: &InitArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    let name: Origin = args
        .name
        .parse()
        .map_err(|error| CliError::usage(format!("--name: {error}")))?;
    let keys = keys_of(&args.data);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&keys)
        .map_err(|error| CliError::io(&keys, error))?;
    let key = WitnessKey::create(&keys, &name, &SystemRandom).map_err(key_error)?;
    let second = match args.ml_dsa {
        true => Some(WitnessMlDsaKey::create(&keys, &name, &SystemRandom).map_err(key_error)?),
        false => None,
    };
    show(&key, second.as_ref(), terminal)?;
    if !terminal.is_json() {
        terminal.hint("hand the key to whoever trusts this witness; a line of a tlog-policy is: witness <name> <key> <url>");
    }
    Ok(Exit::Yes)
}

fn show(
    key: &WitnessKey,
    second: Option<&WitnessMlDsaKey>,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let shown = Shown {
        name: key.name().to_owned(),
        verifier_key: key.verifier_key().to_string(),
        fingerprint: fingerprint(key.verifier_key()),
        ml_dsa_key: second.map(|key| key.verifier_key().to_string()),
    };
    let lines = || {
        let keys = std::iter::once(&shown.verifier_key).chain(&shown.ml_dsa_key);
        keys.cloned().collect::<Vec<_>>().join("\n")
    };
    terminal.answer(&shown, lines)?;
    Ok(Exit::Yes)
}

fn serve(args: &ServeArgs, terminal: &Terminal) -> Result<Exit, CliError> {
    start_logging(&LogSettings {
        format: args.log_format,
        level: args.log_level,
    })?;
    let logs = args.logs()?;
    let key = load(&args.data)?;
    let _lock = DirLock::acquire(&args.data).map_err(|error| {
        CliError::usage(error.to_string())
            .hint("stop the other process: two of them would cosign two histories")
    })?;
    let store = FileStore::open(
        &args.data.join("logs"),
        logs.iter().cloned(),
        key.verifier_key(),
    )
    .map_err(store_error)?;
    let mut witness = Witness::new(logs, Arc::new(key), store)
        .map_err(|error| CliError::usage(error.to_string()))?;
    if let Some(second) = second(&args.data)? {
        witness = witness.with_second(Arc::new(second));
    }
    let own_key = witness.verifier_key().to_string();
    let origins: Vec<String> = witness.origins().map(str::to_owned).collect();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::usage(format!("the runtime did not start: {error}")))?;
    runtime.block_on(async {
        let server = WitnessServer::bind(witness, args.server()).await?;
        let mut signals = Signals::listen()?;
        let url = server.url();
        let listening = Listening {
            event: "listening",
            url: &url,
            verifier_key: own_key,
            logs: origins.iter().map(String::as_str).collect(),
        };
        terminal.answer(&listening, || format!("listening on {url}"))?;
        for origin in &origins {
            terminal.note(format!("witness of {origin}"));
        }
        server.run(signals.next()).await;
        Ok(Exit::Yes)
    })
}

impl ServeArgs {
    /// The keys of the logs, from both options.
    fn logs(&self) -> Result<Vec<VerifierKey>, CliError> {
        let mut keys = Vec::new();
        for argument in &self.logs {
            keys.push(key("--log", argument)?);
        }
        if let Some(path) = &self.policy {
            let policy = TlogPolicy::parse(&input::file_bytes(path)?)
                .map_err(|error| CliError::io(path, error))?;
            keys.extend(policy.logs().iter().map(|log| log.key().clone()));
        }
        match keys.is_empty() {
            false => Ok(keys),
            true => Err(CliError::usage("no log is named")
                .hint("give --log VKEY, as `countersign key show` prints it, or --policy FILE")),
        }
    }

    fn server(&self) -> ServerConfig {
        let tls = self.tls_cert.clone().zip(self.tls_key.clone());
        ServerConfig {
            listen: self.listen,
            tls: tls.map(|(cert, key)| TlsFiles { cert, key }),
            ..ServerConfig::default()
        }
    }
}

fn keys_of(data: &Path) -> PathBuf {
    data.join("keys")
}

fn load(data: &Path) -> Result<WitnessKey, CliError> {
    WitnessKey::load(&keys_of(data)).map_err(|error| match error {
        KeyFileError::Missing { .. } => {
            CliError::usage(format!("`{}` holds no witness", data.display())).hint(format!(
                "make one with `countersign witness init --data {} --name NAME`",
                data.display()
            ))
        }
        error => key_error(error),
    })
}

fn second(data: &Path) -> Result<Option<WitnessMlDsaKey>, CliError> {
    WitnessMlDsaKey::load(&keys_of(data)).map_err(key_error)
}

fn key_error(error: KeyFileError) -> CliError {
    let own = CliError::usage(error.to_string());
    match error.hint() {
        Some(hint) => own.hint(hint),
        None => own,
    }
}

fn store_error(error: FileStoreError) -> CliError {
    let own = CliError::usage(error.to_string());
    match error {
        FileStoreError::Damaged { .. } => own.exiting(Exit::Inconsistent).hint(
            "put the newest file back; a witness that has forgotten what it cosigned needs a new key",
        ),
        _ => own,
    }
}
