//! What can be set about a server: configuration file, then environment, then options, each over the
//! one before. Unknown keys are refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use countersign_api::{ConfigError, RateLimit, ServeError, ServerConfig, TlsFiles};
use countersign_core::names::TenantId;
use countersign_host::Host;
use serde::Deserialize;

use super::publishing::PublishingArgs;
use super::running::Bound;
use crate::error::CliError;
use crate::profile::data_home;
use crate::render::plain;
use crate::terminal::Terminal;
use crate::{bundles, input};

mod file;

use file::ConfigFile;

/// The tenant of a log unless another is named.
const DEFAULT_TENANT: &str = "local";

/// Without any option: HTTP on 127.0.0.1:8787, over a data directory that the first start makes.
#[derive(Debug, Args)]
#[command(after_help = "\
Every option can also stand in the file of --config, by its name with _ in place of -, as in
`listen = \"127.0.0.1:8787\"`. The file gives way to the environment, and the
environment to options. Unknown keys are refused.

The data directory is in $XDG_DATA_HOME and not in the directory that you stand in, so that it is
the same log from everywhere, and keys do not come to lie in a source tree.")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    first: FirstStart,
    /// Started by root: be this user's server, with data and profile in that user's home, out of reach of whatever runs as the agent's user
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// A TOML file with any of these options
    #[arg(long, env = "COUNTERSIGN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address; port 0 takes a free one [default: 127.0.0.1:8787]
    #[arg(long, env = "COUNTERSIGN_LISTEN", value_name = "IP:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
    /// A proxy in front ends TLS: serve plain HTTP on an address that is not loopback
    #[arg(long, env = "COUNTERSIGN_BEHIND_PROXY", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    behind_proxy: Option<bool>,
    /// The certificate chain, PEM
    #[arg(long, env = "COUNTERSIGN_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, env = "COUNTERSIGN_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Let anybody read the entries in the log's tiles; otherwise only auditors may
    #[arg(long, env = "COUNTERSIGN_PUBLIC_ENTRIES", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    public_entries: Option<bool>,
    /// Requests per second of one credential, in the long run; 0 for no limit [default: 200]
    #[arg(long, env = "COUNTERSIGN_RATE_PER_S", value_name = "N")]
    rate_per_s: Option<u32>,
    /// Requests of one credential at once [default: 1000]
    #[arg(long, env = "COUNTERSIGN_RATE_BURST", value_name = "N")]
    rate_burst: Option<u32>,
    /// Most connections at a time [default: 1024]
    #[arg(long, env = "COUNTERSIGN_MAX_CONNECTIONS", value_name = "N")]
    max_connections: Option<u32>,
    #[command(flatten)]
    publishing: PublishingArgs,
    /// How log lines look [default: text]
    #[arg(long, env = "COUNTERSIGN_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// What is logged at the least [default: info]
    #[arg(long, env = "COUNTERSIGN_LOG_LEVEL", value_enum)]
    log_level: Option<LogLevel>,
}

/// Makes the same as the first `countersign serve`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(super) first: FirstStart,
    /// Sign checkpoints with ML-DSA-44, too
    #[arg(long)]
    pub(super) ml_dsa: bool,
    /// The data directory of a log that lost entries: the new log has an origin, keys and credentials of its own, names the old one, and carries its bundle over if it can be read
    #[arg(long, value_name = "OLD", conflicts_with_all = ["public_name", "tenant"])]
    pub(super) successor_of: Option<PathBuf>,
    /// Say that the old log's entries are lost for good, and that it shall not go on
    #[arg(long, requires = "successor_of")]
    pub(super) i_have_lost_data: bool,
}

/// Where the data is, and what a new log begins with.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FirstStart {
    /// The data directory: keys, database, lock [default: $XDG_DATA_HOME/countersign, or ~/.local/share/countersign]
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// First start only: the policy bundle, mail-agent, coding-agent, allow-all or a directory [default: mail-agent]
    #[arg(long, env = "COUNTERSIGN_BUNDLE", value_name = "BUNDLE")]
    pub(super) bundle: Option<String>,
    /// First start only: the host name under which the log is to be reached; it becomes part of the log's name for good
    #[arg(long, env = "COUNTERSIGN_PUBLIC_NAME", value_name = "HOST")]
    pub(super) public_name: Option<String>,
    /// First start only: the tenant's id, which witnesses see [default: local]
    #[arg(long, env = "COUNTERSIGN_TENANT", value_name = "ID")]
    pub(super) tenant: Option<String>,
    /// First start only: do not print the tokens; they are in the profile
    #[arg(long, env = "COUNTERSIGN_HIDE_TOKENS")]
    pub(super) hide_tokens: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// What is logged at the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// What failed
    Error,
    /// And what is unusual
    Warn,
    /// And every request
    #[default]
    Info,
    /// And more
    Debug,
    /// And everything
    Trace,
}

/// How the operator's log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogSettings {
    /// How lines look.
    pub(crate) format: LogFormat,
    /// What is logged at the least.
    pub(crate) level: LogLevel,
}

/// Everything that was set.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) first: FirstStart,
    pub(super) server: ServerConfig,
    pub(super) log: LogSettings,
    pub(super) publishing: PublishingArgs,
}

impl Settings {
    /// Reads the configuration file, if one is named, and lays environment and options over it.
    pub(super) fn gather(args: &ServeArgs) -> Result<Self, CliError> {
        let file = match &args.config {
            Some(path) => ConfigFile::parse(&input::file(path)?).map_err(|error| error.at(path))?,
            None => ConfigFile::default(),
        };
        let first = args.first.over(file.first);
        let tls = match (
            args.tls_cert.clone().or(file.tls_cert),
            args.tls_key.clone().or(file.tls_key),
        ) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(CliError::usage("a certificate is given and no key")
                    .hint("give both --tls-cert and --tls-key"));
            }
            (None, Some(_)) => {
                return Err(CliError::usage("a key is given and no certificate")
                    .hint("give both --tls-cert and --tls-key"));
            }
        };
        let usual = ServerConfig::default();
        let server = ServerConfig {
            listen: args.listen.or(file.listen).unwrap_or(usual.listen),
            tls,
            behind_proxy: args
                .behind_proxy
                .or(file.behind_proxy)
                .unwrap_or(usual.behind_proxy),
            rate: rate(
                usual.rate,
                args.rate_per_s.or(file.rate_per_s),
                args.rate_burst.or(file.rate_burst),
            )?,
            connections: count(args.max_connections.or(file.max_connections))
                .unwrap_or(usual.connections),
            public_entries: args
                .public_entries
                .or(file.public_entries)
                .unwrap_or(usual.public_entries),
            ..usual
        };
        // The server refuses this, too; here it is said before a data directory is made.
        if !server.listen.ip().to_canonical().is_loopback()
            && server.tls.is_none()
            && !server.behind_proxy
        {
            return Err(ServeError::Config(ConfigError::InTheClear(server.listen)).into());
        }
        let log = LogSettings {
            format: args.log_format.or(file.log_format).unwrap_or_default(),
            level: args.log_level.or(file.log_level).unwrap_or_default(),
        };
        let publishing = args.publishing.over(file.publishing);
        publishing.check()?;
        Ok(Self {
            first,
            server,
            log,
            publishing,
        })
    }

    /// The address for clients, as far as it is known before the server listens.
    pub(super) fn client_url(&self) -> String {
        let scheme = if self.server.tls.is_some() {
            "https"
        } else {
            "http"
        };
        self.named_url()
            .unwrap_or_else(|| format!("{scheme}://{}", reachable(self.server.listen)))
    }

    /// The address for clients.
    pub(super) fn url_of(&self, bound: &Bound) -> String {
        match bound.address().ip().is_unspecified() {
            false => self.named_url().unwrap_or_else(|| bound.url()),
            true => {
                let url = bound.url().replace(
                    &bound.address().to_string(),
                    &reachable(bound.address()).to_string(),
                );
                self.named_url().unwrap_or(url)
            }
        }
    }

    /// A certificate is for a name, not for an address.
    fn named_url(&self) -> Option<String> {
        let name = self
            .first
            .public_name
            .as_ref()
            .filter(|_| self.server.tls.is_some() && self.server.listen.port() != 0)?;
        let name = name.split('/').next().unwrap_or(name);
        Some(match (name.contains(':'), self.server.listen.port()) {
            (true, _) | (false, 443) => format!("https://{name}"),
            (false, port) => format!("https://{name}:{port}"),
        })
    }
}

impl FirstStart {
    /// The data directory.
    pub(super) fn data(&self) -> Result<PathBuf, CliError> {
        match (&self.data, data_home()) {
            (Some(data), _) => Ok(data.clone()),
            (None, Some(home)) => Ok(home.join("countersign")),
            (None, None) => Err(CliError::usage(
                "there is no home directory to put a data directory in",
            )
            .hint("name one with --data DIR")),
        }
    }

    /// The bundle's name or directory.
    pub(super) fn bundle(&self) -> &str {
        self.bundle.as_deref().unwrap_or(bundles::DEFAULT)
    }

    /// The tenant's id.
    pub(super) fn tenant(&self) -> Result<TenantId, CliError> {
        let text = self.tenant.as_deref().unwrap_or(DEFAULT_TENANT);
        text.parse()
            .map_err(|error| CliError::usage(format!("--tenant: {error}")))
    }

    /// Says if something was set that only counts when a log begins, and the log says otherwise.
    pub(super) fn warn_of_unused(&self, host: &Host, terminal: &Terminal) {
        let service = host.service();
        let origin = service.origin().as_str();
        if let Some(name) = self
            .public_name
            .as_deref()
            .filter(|name| !origin.starts_with(&format!("{name}/")))
        {
            terminal.warn(format!(
                "the log's name is `{origin}` for good: the public name `{name}` is not used"
            ));
        }
        if let Some(tenant) = self
            .tenant
            .as_deref()
            .filter(|tenant| *tenant != service.tenant().as_str())
        {
            terminal.warn(format!(
                "the log is of the tenant `{}`: `{tenant}` is not used",
                service.tenant()
            ));
        }
        if let Some(bundle) = &self.bundle {
            terminal.note(format!(
                "--bundle is for the first start, and this log has a bundle in force; to put this one in its place: countersign policy publish --activate {}",
                plain(bundle)
            ));
        }
    }

    fn over(&self, file: Self) -> Self {
        Self {
            data: self.data.clone().or(file.data),
            bundle: self.bundle.clone().or(file.bundle),
            public_name: self.public_name.clone().or(file.public_name),
            tenant: self.tenant.clone().or(file.tenant),
            hide_tokens: self.hide_tokens || file.hide_tokens,
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "give IP:PORT, such as 127.0.0.1:8790".to_owned())
}

fn rate(
    usual: Option<RateLimit>,
    per_s: Option<u32>,
    burst: Option<u32>,
) -> Result<Option<RateLimit>, CliError> {
    let (Some(usual), true) = (usual, per_s != Some(0)) else {
        return Ok(None);
    };
    let nonzero = |value: u32| {
        NonZeroU32::new(value)
            .ok_or_else(|| CliError::usage("`rate-burst` is 0; allowed is 1 or more"))
    };
    Ok(Some(RateLimit {
        per_second: per_s.map_or(Ok(usual.per_second), nonzero)?,
        burst: burst.map_or(Ok(usual.burst), nonzero)?,
    }))
}

fn count(value: Option<u32>) -> Option<usize> {
    value.map(|value| usize::try_from(value).unwrap_or(usize::MAX))
}

/// An address that a client of this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl From<LogLevel> for tracing_subscriber::filter::LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

impl file::ConfigError {
    fn at(self, path: &Path) -> CliError {
        let error = CliError::io(path, &self);
        match self.hint() {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn gathered(options: &[&str], config: &str) -> Result<Settings, CliError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, config).unwrap();
        let mut line = vec!["serve", "--config", path.to_str().unwrap()];
        line.extend(options);
        Settings::gather(&Line::try_parse_from(line).unwrap().serve)
    }

    #[test]
    fn options_come_before_the_file() {
        let config =
            "listen = \"127.0.0.1:1\"\nrate_per_s = 7\nlog_level = \"warn\"\nbehind_proxy = true\n";
        let settings =
            gathered(&["--listen", "127.0.0.1:2", "--behind-proxy=false"], config).unwrap();
        assert_eq!(settings.server.listen.port(), 2);
        assert!(!settings.server.behind_proxy);
        assert_eq!(settings.server.rate.unwrap().per_second.get(), 7);
        assert_eq!(settings.log.level, LogLevel::Warn);
    }

    #[test]
    fn no_limit_is_said_by_zero_and_half_of_tls_is_refused() {
        assert!(
            gathered(&["--rate-per-s", "0"], "")
                .unwrap()
                .server
                .rate
                .is_none()
        );
        let error = gathered(&["--tls-cert", "a.pem"], "").unwrap_err();
        assert!(error.to_string().contains("no key"), "{error}");
    }

    #[test]
    fn clients_get_an_address_that_they_can_use() {
        let url = |options: &[&str]| gathered(options, "").unwrap().client_url();
        assert_eq!(
            url(&["--listen", "0.0.0.0:80", "--behind-proxy"]),
            "http://127.0.0.1:80"
        );
        assert_eq!(
            url(&["--listen", "[::]:80", "--behind-proxy"]),
            "http://[::1]:80"
        );
        let tls = [
            "--tls-cert",
            "c",
            "--tls-key",
            "k",
            "--public-name",
            "log.example",
            "--listen",
        ];
        assert_eq!(
            url(&[&tls[..], &["0.0.0.0:443"]].concat()),
            "https://log.example"
        );
        assert_eq!(
            url(&[&tls[..], &["0.0.0.0:8443"]].concat()),
            "https://log.example:8443"
        );
    }
}
