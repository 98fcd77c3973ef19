//! Sending a call to the tool.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_client::{ServerUrl, ServerUrlError};
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use ureq::http;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::headers;
use crate::limits::{ANSWER_BYTES, ANSWER_HEAD_BYTES, CONNECT_TIME, UPSTREAM_TIME};
use crate::problem::{Answer, Incoming};

/// How the upstream is reached.
#[derive(Debug, Clone)]
pub struct UpstreamOptions {
    /// How long the upstream may take for its whole answer.
    pub timeout: Duration,
    /// Most bytes of an answer.
    pub answer_bytes: usize,
    /// For `https`: a PEM file of certificates that may have signed the upstream's, in place of those
    /// that the system trusts.
    pub ca_file: Option<PathBuf>,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            timeout: UPSTREAM_TIME,
            answer_bytes: ANSWER_BYTES,
            ca_file: None,
        }
    }
}

/// The tool's own server.
#[derive(Clone)]
pub struct Upstream {
    base: ServerUrl,
    agent: ureq::Agent,
    answer_bytes: usize,
}

/// Why an upstream cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] ServerUrlError),
    /// The file of certificates cannot be used.
    #[error("the ca file `{path}`: {reason}")]
    CaFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why there is no answer to give. Whether the call was made is not known.
#[derive(Debug)]
pub(crate) enum SendError {
    /// It never left.
    Unbuilt(String),
    /// There was no answer, or only a part.
    Failed(String),
    /// The answer is longer than allowed; this is its status.
    TooLong(u16),
}

impl Upstream {
    /// The upstream at an address: `http://` or `https://`, a host and perhaps a path.
    pub fn new(address: &str, options: &UpstreamOptions) -> Result<Self, UpstreamError> {
        let base: ServerUrl = address.parse()?;
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A permit is for one destination.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            // A connection of its own for each call: one that breaks is never tried again by itself,
            // and no answer can be taken for that of another.
            .max_idle_connections(0)
            .max_response_header_size(ANSWER_HEAD_BYTES)
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_global(Some(options.timeout))
            .user_agent(concat!("countersign-gate/", env!("CARGO_PKG_VERSION")));
        if base.is_encrypted() {
            config = config.tls_config(tls(options)?);
        }
        Ok(Self {
            base,
            agent: config.build().new_agent(),
            answer_bytes: options.answer_bytes,
        })
    }

    /// The address, without a slash at its end.
    pub fn address(&self) -> &str {
        self.base.as_str()
    }

    /// Sends the request's path, query and body as they came, with these headers.
    pub(crate) fn send(
        &self,
        incoming: &Incoming,
        mut passed: HeaderMap,
    ) -> Result<Answer, SendError> {
        let target = crate::gate::destination(self.base.as_str(), incoming);
        passed.insert("connection", HeaderValue::from_static("close"));
        let mut built = http::Request::builder()
            .method(incoming.method.clone())
            .uri(target);
        if let Some(headers) = built.headers_mut() {
            *headers = passed;
        }
        let unbuilt = |error: http::Error| SendError::Unbuilt(error.to_string());
        let may_have_body = [Method::POST, Method::PUT, Method::PATCH].contains(&incoming.method);
        let sent = match may_have_body {
            true => self
                .agent
                .run(built.body(incoming.body.clone()).map_err(unbuilt)?),
            false => self.agent.run(built.body(()).map_err(unbuilt)?),
        };
        let mut answer = sent.map_err(|error| SendError::Failed(error.to_string()))?;
        let limit = u64::try_from(self.answer_bytes).unwrap_or(u64::MAX);
        let body = answer.body_mut().with_config().limit(limit).read_to_vec();
        let body = body.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => SendError::TooLong(answer.status().as_u16()),
            error => SendError::Failed(error.to_string()),
        })?;
        Ok(Answer {
            status: answer.status(),
            headers: headers::returned(answer.headers()),
            body,
        })
    }
}

fn tls(options: &UpstreamOptions) -> Result<TlsConfig, UpstreamError> {
    let roots = match &options.ca_file {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let failed = |reason: String| UpstreamError::CaFile {
                path: path.display().to_string(),
                reason,
            };
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let mut certificates: Vec<Certificate<'static>> = Vec::new();
            for item in parse_pem(&pem) {
                if let PemItem::Certificate(certificate) =
                    item.map_err(|error| failed(error.to_string()))?
                {
                    certificates.push(certificate);
                }
            }
            if certificates.is_empty() {
                return Err(failed("it holds no certificate".to_owned()));
            }
            RootCerts::from(certificates)
        }
    };
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(roots)
        .build())
}
