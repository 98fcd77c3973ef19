//! `notify.toml`: which sinks there are. A settings file that holds secrets, so only its owner may
//! read it.

mod check;
mod file;
mod sink;

pub use file::ConfigFile;
pub(crate) use file::Stamp;
pub use sink::{Mail, MailTls, RawSink, Reach, Sink, SinkName, To, Webhook};

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::{CONFIG_BYTES, SINKS};

/// All settings.
#[derive(Clone, Default)]
pub struct Config {
    /// The sinks, as they stand in the file.
    pub sinks: Vec<Arc<Sink>>,
    /// The address under which people look at a flag, with `{flag}` in it.
    pub link: Option<String>,
}

/// The file as it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
    #[serde(default, rename = "sink", skip_serializing_if = "Vec::is_empty")]
    pub(crate) sinks: Vec<RawSink>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read or written.
    #[error("`{path}`: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Others may read it.
    #[error("`{path}` holds secrets and has the mode {mode:03o}; allowed is 600")]
    Loose {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is too long.
    #[error("`{0}` is longer than {CONFIG_BYTES} bytes")]
    Long(PathBuf),
    /// It is no TOML of this form.
    #[error("`{path}`: {error}")]
    Form {
        /// Which.
        path: PathBuf,
        /// What is wrong, without the text around it, which may be secret.
        error: String,
    },
    /// A sink cannot be used.
    #[error("sink `{name}`: {error}")]
    Sink {
        /// Which.
        name: String,
        /// What is wrong.
        error: String,
    },
    /// Two sinks have one name.
    #[error("there are two sinks `{0}`")]
    Twice(String),
    /// There is no such sink.
    #[error("there is no sink `{0}`")]
    Unknown(String),
    /// There are too many.
    #[error("there are {0} sinks; allowed are {SINKS}")]
    Many(usize),
    /// The link does not name the flag.
    #[error(
        "`link` is no address with `{{flag}}` in it, as `https://console.example/flags/{{flag}}`"
    )]
    Link,
}

impl ConfigError {
    /// What can be done about it, if that can be said in a line.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Loose { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::Unknown(_) => Some("countersign notify list".to_owned()),
            Self::Sink { .. } | Self::Form { .. } => {
                Some("docs/notify.md has all settings".to_owned())
            }
            _ => None,
        }
    }
}

impl RawConfig {
    pub(crate) fn check(&self) -> Result<Config, ConfigError> {
        if self.sinks.len() > SINKS {
            return Err(ConfigError::Many(self.sinks.len()));
        }
        if let Some(link) = &self.link {
            let address = url::Url::parse(&link.replace("{flag}", "x"));
            let is_web = address.is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
            if !is_web || !link.contains("{flag}") {
                return Err(ConfigError::Link);
            }
        }
        let mut names = BTreeSet::new();
        let mut sinks = Vec::new();
        for raw in &self.sinks {
            let sink = raw.check().map_err(|error| ConfigError::Sink {
                name: raw.name.clone(),
                error,
            })?;
            if !names.insert(sink.name.clone()) {
                return Err(ConfigError::Twice(sink.name.to_string()));
            }
            sinks.push(Arc::new(sink));
        }
        Ok(Config {
            sinks,
            link: self.link.clone(),
        })
    }
}

impl Config {
    /// The sink of this name.
    pub fn sink(&self, name: &str) -> Result<&Arc<Sink>, ConfigError> {
        let found = self.sinks.iter().find(|sink| sink.name.as_str() == name);
        found.ok_or_else(|| ConfigError::Unknown(name.to_owned()))
    }
}
