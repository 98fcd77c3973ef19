//! A POST to an address that was looked up once and checked. No redirect is followed, no proxy asked,
//! no byte of the answer's body read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::time::Timestamp;
use ureq::Error;
use ureq::config::Config;
use ureq::http::{HeaderMap, Uri, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use url::{Host, Url};

use super::{Attempt, Outcome};
use crate::address::{Lookup, resolve};
use crate::config::Sink;
use crate::limits::{ANSWER_HEADER_BYTES, CONNECT};

/// The addresses that were checked, whatever is asked for.
#[derive(Debug)]
struct Pinned(Vec<SocketAddr>);

impl Resolver for Pinned {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut found = self.empty();
        for address in &self.0 {
            found.push(*address);
        }
        match found.is_empty() {
            true => Err(Error::HostNotFound),
            false => Ok(found),
        }
    }
}

pub(super) fn post(
    url: &Url,
    headers: &[(&'static str, String)],
    body: String,
    sink: &Sink,
    attempt: &Attempt<'_>,
    lookup: &dyn Lookup,
) -> Outcome {
    let begun = Instant::now();
    let Some(host) = url.host() else {
        return Outcome::Refused("the address names no host".to_owned());
    };
    let host = match host {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = match resolve(lookup, &host, port, sink.reach.networks) {
        Ok(addresses) => addresses,
        Err(error) => return Outcome::failed(error),
    };
    let left = attempt.within.saturating_sub(begun.elapsed());
    let agent = match agent(sink, addresses, url.scheme() == "https", left) {
        Ok(agent) => agent,
        Err(why) => return Outcome::failed(why),
    };
    let mut request = agent
        .post(url.as_str())
        .header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    match request.send(body) {
        Ok(answer) => judge(answer.status().as_u16(), answer.headers(), attempt.now),
        Err(error) => Outcome::failed(plain(&error)),
    }
}

fn agent(
    sink: &Sink,
    addresses: Vec<SocketAddr>,
    is_encrypted: bool,
    within: Duration,
) -> Result<ureq::Agent, String> {
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .https_only(is_encrypted)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A proxy would look the name up again.
        .proxy(None)
        .timeout_global(Some(within))
        .timeout_connect(Some(CONNECT.min(within)))
        .max_response_header_size(ANSWER_HEADER_BYTES)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
    if is_encrypted {
        config = config.tls_config(tls(sink)?);
    }
    let connector = DefaultConnector::default();
    Ok(ureq::Agent::with_parts(
        config.build(),
        connector,
        Pinned(addresses),
    ))
}

fn tls(sink: &Sink) -> Result<TlsConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = match &sink.reach.ca_file {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let failed = |error: String| format!("`{}`: {error}", path.display());
            let trusted = super::tls::certificates(path).map_err(failed)?;
            let trusted: Vec<Certificate<'static>> = trusted
                .iter()
                .map(|der| Certificate::from_der(der).to_owned())
                .collect();
            RootCerts::from(trusted)
        }
    };
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(roots)
        .build())
}

fn judge(status: u16, headers: &HeaderMap, now: Timestamp) -> Outcome {
    match status {
        200..=299 => Outcome::Delivered,
        410 => Outcome::Gone("it answered 410: it will have no more messages".to_owned()),
        300..=399 => Outcome::failed(format!("it answered {status}: redirects are not followed")),
        _ => Outcome::Failed {
            why: format!("it answered {status}"),
            after: retry_after(headers, now),
        },
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = at.as_millisecond().saturating_sub(now.as_millis());
    u64::try_from(wait).ok().map(Duration::from_millis)
}

/// What went wrong, without the address, which may be a secret.
fn plain(error: &Error) -> String {
    match error {
        Error::Timeout(what) => format!("it took too long ({what})"),
        Error::HostNotFound => "it has no address".to_owned(),
        Error::BadUri(_) => "its address cannot be used".to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_their_status() {
        let now = Timestamp::from_millis(784_111_700_000);
        let none = HeaderMap::new();
        for status in [200, 204, 299] {
            assert_eq!(judge(status, &none, now), Outcome::Delivered);
        }
        assert!(matches!(judge(410, &none, now), Outcome::Gone(_)));
        for status in [301, 302, 307, 400, 401, 404, 500, 503] {
            assert!(
                matches!(judge(status, &none, now), Outcome::Failed { .. }),
                "{status}"
            );
        }
        for (text, seconds) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(77)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            let Outcome::Failed { after, .. } = judge(429, &headers, now) else {
                panic!("{text}");
            };
            assert_eq!(after, seconds.map(Duration::from_secs), "{text}");
        }
    }
}
