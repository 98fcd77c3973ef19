//! The connection to one server.

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::Problem;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::body::limit;
use crate::error::{ClientError, Unreachable};
use crate::options::{Options, ServerUrl};
use crate::token::Token;

/// How long an idle connection is kept; shorter than servers keep it, so that none is written to
/// while it closes.
const IDLE: Duration = Duration::from_secs(5);
/// How many idle connections are kept: as many as threads read a log at once.
const IDLE_CONNECTIONS: usize = 8;
/// Longest `Retry-After` that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// A client of one server, with at most one token. Cloning it shares the connections.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    server: ServerUrl,
    token: Option<Token>,
    options: Arc<Options>,
}

/// A request before it has its address and token.
pub(crate) struct Request<'a> {
    pub(crate) method: http::Method,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Vec<u8>>,
    /// Most bytes of the answer.
    pub(crate) limit: u64,
    /// Time beyond the usual that the answer may take.
    pub(crate) extra: Duration,
    /// Whether an answer of status 503 is a document like any other.
    pub(crate) is_telling_unavailable: bool,
}

impl Client {
    /// A client without a token. Nothing is connected yet.
    pub fn new(server: ServerUrl, options: Options) -> Result<Self, ClientError> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A token must not follow a redirect to another place.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(options.connect_timeout))
            // Looking a name up in time takes a thread for each request.
            .timeout_resolve(
                server
                    .address()
                    .is_none()
                    .then_some(options.connect_timeout),
            )
            .max_idle_age(IDLE)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .user_agent(concat!("countersign-client/", env!("CARGO_PKG_VERSION")));
        if server.is_loopback() {
            config = config.proxy(None);
        }
        if server.is_encrypted() {
            config = config.tls_config(tls(&options)?);
        }
        let agent = config.build().new_agent();
        Ok(Self {
            agent,
            server,
            token: None,
            options: Arc::new(options),
        })
    }

    /// The same client with a token.
    #[must_use]
    pub fn with_token(&self, token: Token) -> Self {
        Self {
            token: Some(token),
            ..self.clone()
        }
    }

    /// The server's address.
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Request::get(path))
    }

    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.json(Request::with_json(http::Method::POST, path, body)?)
    }

    /// A POST without a body.
    pub(crate) fn post_nothing<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        // An empty body, so that its length is said to be 0 (RFC 9110 section 8.6).
        self.json(Request {
            method: http::Method::POST,
            body: Some(Vec::new()),
            ..Request::get(path)
        })
    }

    /// Sends a request whose answer is a document.
    pub(crate) fn json<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, ClientError> {
        let bytes = self.send(request)?;
        serde_json::from_slice(&bytes).map_err(|_| self.not_this_api(200))
    }

    /// Sends a request; the answer's bytes, if it is one of success.
    pub(crate) fn send(&self, request: Request<'_>) -> Result<Vec<u8>, ClientError> {
        let (limit, allowed) = (
            request.limit,
            self.options.request_timeout.saturating_add(request.extra),
        );
        let is_telling_unavailable = request.is_telling_unavailable;
        let mut answer = self.exchange(request, allowed)?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) || (is_telling_unavailable && status == 503) {
            return self.read(answer.body_mut(), limit, allowed);
        }
        match self.refusal(&mut answer, allowed) {
            ClientError::Status { status, .. } => Err(self.not_this_api(status)),
            error => Err(error),
        }
    }

    /// What an answer that is none of success says.
    pub(crate) fn refusal(
        &self,
        answer: &mut http::Response<ureq::Body>,
        allowed: Duration,
    ) -> ClientError {
        let status = answer.status().as_u16();
        let retry_after = retry_after(answer.headers());
        let is_problem = answer
            .headers()
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
        let other = ClientError::Status {
            server: self.server.to_string(),
            status,
        };
        if !is_problem {
            return other;
        }
        let bytes = match self.read(answer.body_mut(), limit::PROBLEM, allowed) {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => ClientError::Problem {
                problem: Box::new(problem),
                retry_after,
            },
            Err(_) => other,
        }
    }

    /// How long a request may take.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.options.request_timeout
    }

    pub(crate) fn exchange(
        &self,
        request: Request<'_>,
        allowed: Duration,
    ) -> Result<http::Response<ureq::Body>, ClientError> {
        let unfit = |error: http::Error| {
            ClientError::Request(format!("the request cannot be made: {error}"))
        };
        let mut built = http::Request::builder()
            .method(request.method)
            .uri(format!("{}{}", self.server, request.path));
        for (name, value) in request.headers {
            built = built.header(name, value);
        }
        if let Some(token) = &self.token {
            let value = token.authorization().ok_or_else(|| {
                ClientError::Request("the token holds characters that no token has".to_owned())
            })?;
            let mut value = http::HeaderValue::from_str(value.expose_secret())
                .map_err(|error| unfit(error.into()))?;
            value.set_sensitive(true);
            built = built.header(http::header::AUTHORIZATION, value);
        }
        let result = match request.body {
            Some(body) => self
                .agent
                .run(self.timed(built.body(body).map_err(unfit)?, allowed)),
            None => self
                .agent
                .run(self.timed(built.body(()).map_err(unfit)?, allowed)),
        };
        result.map_err(|error| self.failed(error, allowed))
    }

    fn timed<S: ureq::AsSendBody>(
        &self,
        request: http::Request<S>,
        allowed: Duration,
    ) -> http::Request<S> {
        self.agent
            .configure_request(request)
            .timeout_global(Some(allowed))
            .build()
    }

    pub(crate) fn read(
        &self,
        body: &mut ureq::Body,
        limit: u64,
        allowed: Duration,
    ) -> Result<Vec<u8>, ClientError> {
        body.with_config()
            .limit(limit)
            .read_to_vec()
            .map_err(|error| match error {
                ureq::Error::BodyExceedsLimit(_) => ClientError::AnswerTooLong { limit },
                error => self.failed(error, allowed),
            })
    }

    pub(crate) fn failed(&self, error: ureq::Error, allowed: Duration) -> ClientError {
        use std::io::ErrorKind;
        let server = self.server.to_string();
        let cause = match error {
            ureq::Error::HostNotFound => Unreachable::NoSuchHost,
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                Unreachable::TooSlow(self.options.connect_timeout)
            }
            ureq::Error::Timeout(_) => return ClientError::Timeout { server, allowed },
            ureq::Error::Rustls(error) => Unreachable::Tls(error.to_string()),
            ureq::Error::Tls(error) => Unreachable::Tls(error.to_owned()),
            ureq::Error::BadUri(error) => return ClientError::Request(error),
            ureq::Error::ConnectionFailed => Unreachable::Other("connecting failed".to_owned()),
            ureq::Error::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused => Unreachable::Refused,
                // Certificates that do not serve come as the TLS library's own error inside.
                _ if error
                    .get_ref()
                    .is_some_and(|inner| inner.is::<rustls::Error>()) =>
                {
                    Unreachable::Tls(error.to_string())
                }
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                    Unreachable::Other(error.to_string())
                }
                _ => {
                    return ClientError::Broken {
                        server,
                        reason: error.to_string(),
                    };
                }
            },
            error => {
                return ClientError::Broken {
                    server,
                    reason: error.to_string(),
                };
            }
        };
        ClientError::Unreachable { server, cause }
    }

    pub(crate) fn not_this_api(&self, status: u16) -> ClientError {
        ClientError::NotThisApi {
            server: self.server.to_string(),
            status,
        }
    }
}

impl<'a> Request<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self {
            method: http::Method::GET,
            path,
            headers: Vec::new(),
            body: None,
            limit: limit::DOCUMENT,
            extra: Duration::ZERO,
            is_telling_unavailable: false,
        }
    }

    pub(crate) fn with_json(
        method: http::Method,
        path: &'a str,
        body: &impl Serialize,
    ) -> Result<Self, ClientError> {
        let body =
            serde_json::to_vec(body).map_err(|error| ClientError::Request(error.to_string()))?;
        Ok(Self::with_bytes(method, path, "application/json", body))
    }

    pub(crate) fn with_bytes(
        method: http::Method,
        path: &'a str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Self {
        let headers = vec![("content-type", media_type.to_owned())];
        Self {
            method,
            headers,
            body: Some(body),
            ..Self::get(path)
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn tls(options: &Options) -> Result<TlsConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = match &options.ca_file {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let failed = |reason: String| ClientError::CaFile {
                path: path.display().to_string(),
                reason,
            };
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let mut certificates = Vec::new();
            for item in ureq::tls::parse_pem(&pem) {
                if let ureq::tls::PemItem::Certificate(certificate) =
                    item.map_err(|error| failed(error.to_string()))?
                {
                    certificates.push(certificate);
                }
            }
            if certificates.is_empty() {
                return Err(failed("it holds no certificate".to_owned()));
            }
            let certificates: Vec<Certificate<'static>> = certificates;
            RootCerts::from(certificates)
        }
    };
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(roots)
        .build())
}

/// `Retry-After` in seconds (RFC 9110 section 10.2.3); the form with a date is not used by this API.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}
