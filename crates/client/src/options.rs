//! Where the server is, and how long to wait for it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How long connecting may take: 5 seconds.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request may take, its answer included: 30 seconds.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How a client works.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one request may take, its answer included.
    pub request_timeout: Duration,
    /// For `https`: a PEM file of certificates that may have signed the server's, in place of those
    /// that the system trusts.
    pub ca_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            ca_file: None,
        }
    }
}

/// The address of a server: `http://` or `https://`, a host and perhaps a path, without `/` at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl(String);

/// Text that is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no address of a server: allowed are `http://HOST[:PORT]` and `https://HOST[:PORT]`, without a user, query or fragment"
)]
pub struct ServerUrlError {
    text: String,
}

impl ServerUrl {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether the server is on this machine, so that nobody else hears an unencrypted connection.
    pub fn is_loopback(&self) -> bool {
        let is_name = self.host().eq_ignore_ascii_case("localhost");
        is_name || self.address().is_some_and(|ip| ip.is_loopback())
    }

    /// The host's address, if it is written as one: then there is no name to look up.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        }
    }
}

impl std::str::FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ServerUrlError {
            text: text
                .chars()
                .take(100)
                .flat_map(char::escape_debug)
                .collect(),
        };
        let trimmed = text.trim().trim_end_matches('/');
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| trimmed.strip_prefix(scheme));
        let rest = rest.ok_or_else(error)?;
        let plain = rest
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'@' | b'\\'));
        if rest.is_empty() || rest.starts_with(['/', ':']) || !plain {
            return Err(error());
        }
        Ok(Self(trimmed.to_owned()))
    }
}

impl std::fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_strictly() {
        let read = |text: &str| text.parse::<ServerUrl>().map(|url| url.to_string());
        assert_eq!(
            read("http://127.0.0.1:8787/").unwrap(),
            "http://127.0.0.1:8787"
        );
        assert_eq!(
            read("https://log.example/base//").unwrap(),
            "https://log.example/base"
        );
        for text in [
            "",
            "127.0.0.1:8787",
            "ftp://a",
            "http://",
            "http://:1",
            "http://user@host",
            "http://a?b",
            "http://a b",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_that_is_an_address_is_told_from_a_name() {
        let address = |text: &str| text.parse::<ServerUrl>().unwrap().address();
        assert!(address("http://127.0.0.1:8787/base").is_some());
        assert!(address("https://[2001:db8::1]:1").is_some());
        assert!(address("https://log.example").is_none() && address("http://localhost").is_none());
    }

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
        let is = |text: &str| text.parse::<ServerUrl>().unwrap().is_loopback();
        assert!(is("http://127.0.0.1:8787") && is("http://[::1]:1/x") && is("http://localhost"));
        assert!(
            !is("http://127.0.0.1.evil.test")
                && !is("http://10.0.0.1")
                && !is("http://localhost.evil.test")
        );
    }
}
