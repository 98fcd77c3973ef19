//! What can be set about a server, and its limits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// The address unless another is given: loopback, port 8787.
pub(crate) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);
/// Most bytes of one request head; longer ones, and those with more than 100 fields (hyper's own
/// limit), are answered 431.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Most bytes of a JSON body on routes that name no other limit.
pub(crate) const SMALL_BODY_BYTES: usize = 64 * 1024;
/// Most bytes of request bodies in memory at the same time, over all connections.
pub(crate) const BODY_MEMORY_BYTES: usize = 256 * 1024 * 1024;
/// Most bytes of a call that the judging threads take; a larger one gets a thread of its own, so
/// that small ones need not wait for it.
pub(crate) const SMALL_CALL_BYTES: usize = 64 * 1024;
/// How long a TLS handshake may take.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long what a refused client still sends is read and thrown away, so that it meets the
/// answer and not a reset.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// How many bytes of it are read at most.
pub(crate) const LINGER_BYTES: usize = 16 * 1024 * 1024;
/// How many connections over the cap are told so at the same time; others are just closed.
pub(crate) const TURNED_AWAY: usize = 64;
/// How many urgent requests (stops, revocations) are worked on at the same time.
pub(crate) const URGENT_AT_ONCE: usize = 32;
/// How many requests that only read are worked on at the same time.
pub(crate) const READS_AT_ONCE: usize = 64;
/// How often rate limits forget those who have been quiet.
pub(crate) const SWEEP: Duration = Duration::from_secs(60);
/// Failed authentications of one address per second, and at once.
pub(crate) const FAILURES: RateLimit = RateLimit {
    per_second: nonzero(5),
    burst: nonzero(50),
};

/// How a server listens and what it bears.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address; port 0 takes a free one. By default `127.0.0.1:8787`.
    pub listen: SocketAddr,
    /// Certificate and key; without them it is plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether a proxy in front ends TLS. Without this and without `tls`, only loopback is served.
    pub behind_proxy: bool,
    /// Requests of one credential; `None` for no limit. By default 200 a second, 1,000 at once.
    /// Stops and revocations have a limit of their own of the same size.
    pub rate: Option<RateLimit>,
    /// Most connections at a time. By default 1,024; more are turned away with 503.
    pub connections: usize,
    /// Most requests that are worked on at a time and may change the ledger. By default 256.
    pub at_once: usize,
    /// Most requests that wait for their turn; more are answered 503. By default 1,024.
    pub waiting: usize,
    /// How long a request's head may take, idle time before it included. By default 20 s.
    pub header_timeout: Duration,
    /// How long a request's body may take. By default 30 s.
    pub body_timeout: Duration,
    /// How long the work on a request may take. By default 30 s.
    pub work_timeout: Duration,
    /// After which time a connection is closed between two requests. By default 10 min.
    pub connection_age: Duration,
    /// How long a server that stops waits for requests in work. By default 15 s.
    pub drain: Duration,
    /// Whether anybody may read the tiles of entries. By default only `auditor` credentials may.
    pub public_entries: bool,
}

/// Where certificate chain and private key lie, both PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, the server's certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A rate that may be exceeded for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once.
    pub burst: NonZeroU32,
}

/// What cannot be set together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Tokens would cross the network in the clear.
    #[error(
        "`{0}` is no loopback address, and without tls tokens would cross the network in the clear"
    )]
    InTheClear(SocketAddr),
    /// A limit admits nothing.
    #[error("`{0}` is 0; allowed is 1 or more")]
    Zero(&'static str),
}

impl ConfigError {
    /// What can be done about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InTheClear(_) => {
                "give a certificate and a key, or say that a proxy in front ends tls (`--behind-proxy`)"
            }
            Self::Zero(_) => "leave it out for its default",
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: LISTEN,
            tls: None,
            behind_proxy: false,
            rate: Some(RateLimit {
                per_second: nonzero(200),
                burst: nonzero(1_000),
            }),
            connections: 1_024,
            at_once: 256,
            waiting: 1_024,
            header_timeout: Duration::from_secs(20),
            body_timeout: Duration::from_secs(30),
            work_timeout: Duration::from_secs(30),
            connection_age: Duration::from_mins(10),
            drain: Duration::from_secs(15),
            public_entries: false,
        }
    }
}

impl ServerConfig {
    /// Refuses what must not be served.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let is_private = self.listen.ip().to_canonical().is_loopback();
        if !is_private && self.tls.is_none() && !self.behind_proxy {
            return Err(ConfigError::InTheClear(self.listen));
        }
        for (name, value) in [("connections", self.connections), ("at_once", self.at_once)] {
            if value == 0 {
                return Err(ConfigError::Zero(name));
            }
        }
        Ok(())
    }
}

const fn nonzero(value: u32) -> NonZeroU32 {
    match NonZeroU32::new(value) {
        Some(value) => value,
        None => NonZeroU32::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(on: &str) -> ServerConfig {
        ServerConfig {
            listen: on.parse().unwrap(),
            ..ServerConfig::default()
        }
    }

    #[test]
    fn only_loopback_is_served_in_the_clear() {
        for on in [
            "127.0.0.1:0",
            "127.9.9.9:1",
            "[::1]:0",
            "[::ffff:127.0.0.1]:0",
        ] {
            assert_eq!(listening(on).check(), Ok(()), "{on}");
        }
        for on in [
            "0.0.0.0:0",
            "[::]:0",
            "192.0.2.1:80",
            "[::ffff:192.0.2.1]:0",
        ] {
            let refused = ConfigError::InTheClear(on.parse().unwrap());
            assert_eq!(listening(on).check(), Err(refused), "{on}");
            let proxied = ServerConfig {
                behind_proxy: true,
                ..listening(on)
            };
            assert_eq!(proxied.check(), Ok(()), "{on}");
        }
    }

    #[test]
    fn a_limit_that_admits_nothing_is_refused() {
        let none = ServerConfig {
            connections: 0,
            ..ServerConfig::default()
        };
        assert_eq!(none.check(), Err(ConfigError::Zero("connections")));
    }
}
