//! `countersign notify`

mod act;
mod add;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_host::{DataDir, HostError};
use countersign_notify::{ConfigError, NotifyDir, RequestError, StateError};

use crate::error::CliError;
use crate::exit::Exit;
use crate::profile::data_home;
use crate::terminal::Terminal;

/// The sinks of a data directory. A running server takes changes up by itself.
#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// Add a webhook, a chat or mail recipients
    #[command(subcommand)]
    Add(add::AddCommand),
    /// List the sinks and how far each has come
    List(show::ListArgs),
    /// Remove a sink, with what it was not told yet and its dead letters
    Remove(act::RemoveArgs),
    /// Send a sink a test message, to see whether it arrives; no server is needed
    Test(act::TestArgs),
    /// List what was given up
    Dead(show::DeadArgs),
    /// Have dead letters sent again, and sinks that were given up tried again
    Retry(act::RetryArgs),
}

/// Which data directory.
#[derive(Debug, Clone, Args)]
pub(crate) struct At {
    /// The data directory [default: $XDG_DATA_HOME/countersign, or ~/.local/share/countersign]
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(crate) fn run(command: &NotifyCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    match command {
        NotifyCommand::Add(command) => add::run(command, terminal),
        NotifyCommand::List(args) => show::list(args, terminal),
        NotifyCommand::Remove(args) => act::remove(args, terminal),
        NotifyCommand::Test(args) => act::test(args, terminal),
        NotifyCommand::Dead(args) => show::dead(args, terminal),
        NotifyCommand::Retry(args) => act::retry(args, terminal),
    }
}

impl At {
    /// The option with which another command means the same directory.
    fn option(&self) -> String {
        match (&self.data, std::env::var_os("COUNTERSIGN_DATA")) {
            (Some(data), None) => format!(" --data {}", data.display()),
            _ => String::new(),
        }
    }

    /// The files, in a directory that holds a log.
    fn dir(&self) -> Result<(PathBuf, NotifyDir), CliError> {
        let own = || data_home().map(|home| home.join("countersign"));
        let root = self.data.clone().or_else(own).ok_or_else(|| {
            CliError::usage("there is no home directory to look for a data directory in")
                .hint("name one with --data DIR")
        })?;
        match DataDir::new(&root).is_begun() {
            true => Ok((root.clone(), NotifyDir::new(root))),
            false => Err(HostError::Missing(root).into()),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let own = Self::usage(crate::render::plain(&error.to_string()));
        match error.hint() {
            Some(hint) => own.hint(hint),
            None => own,
        }
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        let own = Self::usage(crate::render::plain(&error.to_string()));
        match &error {
            StateError::Form { path, .. } => own.hint(format!(
                "put back a copy of it, or remove it: then every sink begins at the present\nmv {0} {0}.aside",
                path.display()
            )),
            StateError::Io { .. } => own,
        }
    }
}

impl From<RequestError> for CliError {
    fn from(error: RequestError) -> Self {
        Self::usage(crate::render::plain(&error.to_string()))
    }
}
