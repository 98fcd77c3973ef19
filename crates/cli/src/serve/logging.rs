//! The operator's log, on stderr. No body, token or value of a query is in it.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::settings::{LogFormat, LogSettings};
use crate::error::CliError;

/// Starts logging: our own crates at the level that was asked for, others only from warnings on.
pub(crate) fn start(settings: &LogSettings) -> Result<(), CliError> {
    let level: LevelFilter = settings.level.into();
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("countersign", level);
    let layer = fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match settings.format {
        LogFormat::Text => {
            let colour =
                std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && is_terminal();
            registry.with(layer.with_ansi(colour)).try_init()
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    started.map_err(|error| CliError::usage(format!("logging could not be started: {error}")))
}

fn is_terminal() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal()
}
