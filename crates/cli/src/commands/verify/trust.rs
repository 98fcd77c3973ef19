//! What the caller believes, from options, files and the profile.

use std::path::{Path, PathBuf};

use countersign_note::{Note, TlogPolicy, VerifierKey};
use countersign_verify::Trust;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::input;
use crate::terminal::Terminal;

/// Keys and anchors.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    #[command(flatten)]
    heads: HeadArgs,
    /// The root key, or a FILE that holds it; --key may be left out then, for it vouches for the log's own keys [default: the profile's, with the profile's log key]
    #[arg(long, value_name = "VKEY")]
    root_key: Option<String>,
}

/// Who signs heads of the log, and heads that are held already.
#[derive(Debug, clap::Args)]
pub(crate) struct HeadArgs {
    /// The log's verifier key, or a FILE that holds it; can be given more than once [default: the profile's]
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// A checkpoint that you got earlier and kept; can be given more than once
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// A C2SP tlog-policy: which witnesses must have cosigned
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl TrustArgs {
    /// Whether the caller has nothing to hold the log against.
    pub(crate) fn has_no_checkpoint(&self) -> bool {
        self.heads.checkpoints.is_empty()
    }

    /// The text of the policy, if one was given.
    pub(crate) fn policy_text(&self) -> Result<Option<String>, CliError> {
        self.heads.policy.as_deref().map(input::file).transpose()
    }

    /// Reads all of it.
    pub(crate) fn read(
        &self,
        connection: &ConnectionArgs,
        terminal: &Terminal,
    ) -> Result<Trust, CliError> {
        let mut trust = match &self.root_key {
            // The root key is enough, so the profile's keys are not added to it.
            Some(_) => self.heads.named()?,
            None => self.heads.read(connection, terminal)?,
        };
        if let Some(text) = &self.root_key {
            trust.root_key = Some(key("--root-key", text)?);
        }
        Ok(trust)
    }
}

impl HeadArgs {
    /// Reads all of it.
    pub(crate) fn read(
        &self,
        connection: &ConnectionArgs,
        terminal: &Terminal,
    ) -> Result<Trust, CliError> {
        let mut trust = self.named()?;
        if trust.log_keys.is_empty() && trust.policy.is_none() {
            let profile = connection.profile()?.ok_or_else(|| {
                CliError::usage(
                    "no key of the log was given: keys inside what is checked are never trusted",
                )
                .hint(
                    "give --key with what `countersign key show` printed, or what you were handed",
                )
            })?;
            let log_key = key("the profile's log key", &profile.log_key)?;
            trust.log_keys.push(log_key);
            trust.root_key = Some(key("the profile's root key", &profile.root_key)?);
            terminal.note("checked with the keys of the profile, since no --key was given");
        }
        Ok(trust)
    }

    /// Only what the options name.
    fn named(&self) -> Result<Trust, CliError> {
        let keys = self.keys.iter().map(|text| key("--key", text));
        let held = self.checkpoints.iter().map(|path| note(path));
        Ok(Trust {
            log_keys: keys.collect::<Result<_, _>>()?,
            root_key: None,
            held: held.collect::<Result<_, _>>()?,
            policy: self.policy.as_deref().map(policy).transpose()?,
        })
    }
}

/// Every key that may sign checkpoints.
pub(crate) fn log_keys(trust: &Trust) -> Vec<VerifierKey> {
    let logs = trust.policy.iter().flat_map(TlogPolicy::logs);
    let keys = trust.log_keys.iter().chain(logs.map(|log| log.key()));
    keys.cloned().collect()
}

pub(crate) fn key(what: &str, argument: &str) -> Result<VerifierKey, CliError> {
    let text = input::key(argument)?;
    text.trim().parse().map_err(|error| {
        let own = CliError::usage(format!("{what}: {error}"));
        // What holds no `+` cannot have been meant for a key.
        match argument.contains('+') || Path::new(argument).exists() {
            true => own.hint(
                "a verifier key is one line, name+8 hex digits+base64, or a FILE that holds it and nothing else",
            ),
            false => own.hint(format!("there is no file `{argument}` either")),
        }
    })
}

fn note(path: &Path) -> Result<Note, CliError> {
    Note::parse(&input::file_bytes(path)?).map_err(|error| CliError::io(path, error))
}

fn policy(path: &Path) -> Result<TlogPolicy, CliError> {
    TlogPolicy::parse(&input::file_bytes(path)?).map_err(|error| CliError::io(path, error))
}
