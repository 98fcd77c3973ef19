//! The configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::{FirstStart, LogFormat, LogLevel};
use crate::serve::publishing::{PublishingArgs, Wait};

/// Every key that the file may hold.
const KEYS: &[&str] = &[
    "behind_proxy",
    "bundle",
    "data",
    "hide_tokens",
    "listen",
    "log_format",
    "log_level",
    "max_connections",
    "public_entries",
    "public_name",
    "publish",
    "rate_burst",
    "rate_per_s",
    "require_witness",
    "tenant",
    "tls_cert",
    "tls_key",
    "wait",
    "witness_ca_file",
    "witness_policy",
];

/// What the file says; what it leaves out is `None`.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    pub(super) first: FirstStart,
    pub(super) listen: Option<SocketAddr>,
    pub(super) behind_proxy: Option<bool>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) public_entries: Option<bool>,
    pub(super) rate_per_s: Option<u32>,
    pub(super) rate_burst: Option<u32>,
    pub(super) max_connections: Option<u32>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_level: Option<LogLevel>,
    pub(super) publishing: PublishingArgs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    data: Option<PathBuf>,
    bundle: Option<String>,
    public_name: Option<String>,
    tenant: Option<String>,
    hide_tokens: Option<bool>,
    listen: Option<SocketAddr>,
    behind_proxy: Option<bool>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    public_entries: Option<bool>,
    rate_per_s: Option<u32>,
    rate_burst: Option<u32>,
    max_connections: Option<u32>,
    log_format: Option<LogFormat>,
    log_level: Option<LogLevel>,
    publish: Option<PathBuf>,
    require_witness: Option<bool>,
    wait: Option<Wait>,
    witness_ca_file: Option<PathBuf>,
    witness_policy: Option<PathBuf>,
}

/// Why a configuration file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConfigError {
    /// It is no TOML, or a value is of another type.
    #[error("{0}")]
    Toml(String),
    /// It holds a key that nothing reads.
    #[error("`{found}` is no setting")]
    UnknownKey {
        /// The key.
        found: String,
        /// The setting that may have been meant.
        near: Option<&'static str>,
    },
}

impl ConfigError {
    /// What may help.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Toml(_) => None,
            Self::UnknownKey {
                near: Some(near), ..
            } => Some(format!("did you mean `{near}`?")),
            Self::UnknownKey { near: None, .. } => {
                Some(format!("settings are {}", KEYS.join(", ")))
            }
        }
    }
}

impl ConfigFile {
    /// Reads the file's text.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let said = |error: toml::de::Error| {
            ConfigError::Toml(error.to_string().trim_end().replace('\n', "\n  "))
        };
        let table: toml::Table = toml::from_str(text).map_err(said)?;
        if let Some(found) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(ConfigError::UnknownKey {
                near: nearest(found),
                found: found.clone(),
            });
        }
        let raw: Raw = toml::from_str(text).map_err(said)?;
        Ok(Self {
            first: FirstStart {
                data: raw.data,
                bundle: raw.bundle,
                public_name: raw.public_name,
                tenant: raw.tenant,
                hide_tokens: raw.hide_tokens.unwrap_or(false),
            },
            listen: raw.listen,
            behind_proxy: raw.behind_proxy,
            tls_cert: raw.tls_cert,
            tls_key: raw.tls_key,
            public_entries: raw.public_entries,
            rate_per_s: raw.rate_per_s,
            rate_burst: raw.rate_burst,
            max_connections: raw.max_connections,
            log_format: raw.log_format,
            log_level: raw.log_level,
            publishing: PublishingArgs {
                publish: raw.publish,
                require_witness: raw.require_witness,
                wait: raw.wait,
                witness_ca_file: raw.witness_ca_file,
                witness_policy: raw.witness_policy,
            },
        })
    }
}

/// The setting whose name is at most three edits away.
fn nearest(found: &str) -> Option<&'static str> {
    let found = found.to_lowercase().replace('-', "_");
    let distance = |key: &&&str| edits(&found, key);
    let near = KEYS.iter().min_by_key(distance)?;
    (edits(&found, near) <= 3).then_some(*near)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().take(64).enumerate() {
        let mut next = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let at =
                |row: &Vec<usize>, index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&row, j) + usize::from(left != *right);
            next.push(replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_the_one_that_may_have_been_meant() {
        for (text, near) in [
            ("listn = \"127.0.0.1:1\"", Some("listen")),
            ("behind-proxy = true", Some("behind_proxy")),
            ("Tls_Cert = \"a\"", Some("tls_cert")),
            ("colour = true", None),
            ("[listen_on]\na = 1", Some("listen")),
            ("[server]\na = 1", None),
        ] {
            match ConfigFile::parse(text) {
                Err(ConfigError::UnknownKey { near: found, .. }) => {
                    assert_eq!(found, near, "{text}")
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused_with_its_line() {
        let error = ConfigFile::parse("data = \"/x\"\nlisten = 80\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(ConfigFile::parse("log_level = \"loud\"").is_err());
    }

    #[test]
    fn every_key_is_read() {
        let text = "behind_proxy = true\nbundle = \"b\"\ndata = \"d\"\nhide_tokens = true\nlisten = \"[::1]:1\"\nlog_format = \"json\"\nlog_level = \"debug\"\nmax_connections = 3\npublic_entries = true\npublic_name = \"n\"\nrate_burst = 2\nrate_per_s = 1\ntenant = \"t\"\ntls_cert = \"c\"\ntls_key = \"k\"\npublish = \"p\"\nrequire_witness = true\nwait = \"witnessed\"\nwitness_ca_file = \"a\"\nwitness_policy = \"w\"\n";
        assert_eq!(text.lines().count(), KEYS.len());
        let shown = format!("{:?}", ConfigFile::parse(text).unwrap());
        assert!(!shown.contains("None"), "{shown}");
    }
}
