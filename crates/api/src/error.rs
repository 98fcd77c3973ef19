//! Errors as RFC 9457 problem documents: the codes, their HTTP statuses, and how they are shown.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_service::{ErrorCode, ServiceError, finding_view};
use countersign_wire::{FindingView, Problem};

use crate::reply;

/// Where a code's page is.
const PAGES: &str = "https://countersign.dev/errors/";
/// After which time a client may ask again that met a full queue or a moving state.
const RETRY: Duration = Duration::from_secs(1);

/// What went wrong with a request: of the service's codes, or of HTTP's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Service(ErrorCode),
    Http(HttpCode),
}

macro_rules! http_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:ident, $title:literal;)*) => {
        /// The codes of what never comes to the service.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum HttpCode {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl HttpCode {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

http_codes! {
    /// The path is none of this API. `/openapi.json` lists those that are.
    NoSuchRoute = "no-such-route", NOT_FOUND, "no such route";
    /// The path is there, but not for this method: see the `Allow` header.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "the method is not allowed here";
    /// The body is not of the media type that the route takes: `application/json`, or `application/jsonl` for bulk changes of the directory. For a call, a rejection is recorded.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "the body is of another media type";
    /// The body did not arrive in time. Nothing was done.
    BodyTimeout = "body-timeout", REQUEST_TIMEOUT, "the body did not arrive in time";
    /// The connection ended before the body did. Nothing was done, and nobody is there to read this.
    BodyBroken = "body-broken", BAD_REQUEST, "the body was cut off";
    /// The work took too long, and whether it was done is unknown. Ask again with the same `Idempotency-Key`, or look into the ledger.
    TimedOut = "timed-out", GATEWAY_TIMEOUT, "no answer in time";
    /// The server has all the connections that it bears. Nothing was read; ask again later.
    TooManyConnections = "too-many-connections", SERVICE_UNAVAILABLE, "too many connections";
}

/// The HTTP status of a code of the service.
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::WrongRole
        | ErrorCode::OutOfBounds
        | ErrorCode::BadSignature
        | ErrorCode::PermitRefused => StatusCode::FORBIDDEN,
        ErrorCode::MalformedJson | ErrorCode::MalformedRequest => StatusCode::BAD_REQUEST,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::IdempotencyConflict
        | ErrorCode::Conflict
        | ErrorCode::Held
        | ErrorCode::SecondPerson
        | ErrorCode::SecondReader
        | ErrorCode::ReplayRequired => StatusCode::CONFLICT,
        ErrorCode::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorCode::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
        ErrorCode::InvalidBundle => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Busy
        | ErrorCode::Contended
        | ErrorCode::ClockBehind
        | ErrorCode::StorageFull
        | ErrorCode::StorageFailed
        | ErrorCode::LedgerHalted => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::NotWitnessed => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Erased => StatusCode::GONE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Code {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Service(code) => code.name(),
            Self::Http(code) => code.name(),
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Service(code) => status(code),
            Self::Http(code) => code.status(),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Service(code) => code.title(),
            Self::Http(code) => code.title(),
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Service(code) => code.meaning(),
            Self::Http(code) => code.meaning(),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let service = ErrorCode::ALL.iter().copied().map(Self::Service);
        service.chain(HttpCode::ALL.iter().copied().map(Self::Http))
    }
}

/// What is documented of one error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorPage {
    /// The code.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What kind of error it is.
    pub title: &'static str,
    /// When it is answered and what to do about it.
    pub meaning: &'static str,
}

/// Every code that the API answers with.
pub fn error_pages() -> Vec<ErrorPage> {
    Code::all()
        .map(|code| ErrorPage {
            code: code.name(),
            status: code.status().as_u16(),
            title: code.title(),
            meaning: code.meaning(),
        })
        .collect()
}

/// A request that is not carried out.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    pub(crate) entry_id: Option<String>,
    pub(crate) internal: Option<String>,
    detail: String,
    findings: Vec<FindingView>,
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = match code {
            Code::Service(ErrorCode::Busy | ErrorCode::Contended)
            | Code::Http(HttpCode::TooManyConnections) => Some(RETRY),
            _ => None,
        };
        Self {
            code,
            detail: detail.into(),
            entry_id: None,
            findings: Vec::new(),
            internal: None,
            retry_after,
        }
    }

    pub(crate) fn http(code: HttpCode, detail: impl Into<String>) -> Self {
        Self::new(Code::Http(code), detail)
    }

    pub(crate) fn service(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::new(Code::Service(code), detail)
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::service(ErrorCode::MalformedRequest, detail)
    }

    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let error = Self::service(ErrorCode::Internal, "the request could not be carried out");
        Self {
            internal: Some(cause.into()),
            ..error
        }
    }

    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    pub(crate) fn recorded(self, entry_id: String) -> Self {
        Self {
            entry_id: Some(entry_id),
            ..self
        }
    }

    /// The problem document. What is only for the operator is not in it.
    pub(crate) fn problem(&self, request_id: &str) -> Problem {
        Problem {
            kind: format!("{PAGES}{}", self.code.name()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone(),
            code: self.code.name().to_owned(),
            request_id: request_id.to_owned(),
            entry_id: self.entry_id.clone(),
            findings: self.findings.clone(),
        }
    }

    /// The response, its body still without the problem document, which needs the request's id.
    fn head(&self) -> Response {
        let mut response = self.code.status().into_response();
        let headers = response.headers_mut();
        if self.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"countersign\""),
            );
        }
        if let Some(wait) = self.retry_after {
            // Rounded up: whoever comes back then is not refused again.
            let seconds = wait
                .as_secs()
                .saturating_add(u64::from(wait.subsec_nanos() > 0))
                .max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// The whole response.
    pub(crate) fn respond(&self, request_id: &str) -> Response {
        let mut response = self.head();
        reply::fill(&mut response, PROBLEM, &self.problem(request_id));
        response
    }
}

/// RFC 9457 section 6.1.
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The id of a request, made here.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let told = Self::service(error.code, error.detail);
        Self {
            entry_id: error.entry_id.map(|id| id.to_string()),
            findings: error.findings.iter().map(finding_view).collect(),
            internal: error.internal.map(String::from),
            retry_after: error.retry_after.map(|wait| *wait).or(told.retry_after),
            ..told
        }
    }
}

/// Left for the observer, which knows the request's id, to be made a problem document.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.head();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_codes_have_one_name() {
        let mut names: Vec<&str> = Code::all().map(Code::name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_code_is_an_error_status() {
        for code in Code::all() {
            let status = code.status();
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{}",
                code.name()
            );
        }
    }

    #[test]
    fn what_is_for_the_operator_is_not_in_the_answer() {
        let error = ApiError::internal("the disk at /secret says no");
        let shown = serde_json::to_string(&error.problem("R")).unwrap();
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn waiting_times_are_rounded_up_to_whole_seconds() {
        let after = |wait| {
            let error = ApiError::service(ErrorCode::RateLimited, "x").retry_after(wait);
            error.head().headers()[header::RETRY_AFTER]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(after(Duration::from_millis(1)), "1");
        assert_eq!(after(Duration::from_millis(1_001)), "2");
        assert_eq!(after(Duration::from_secs(3)), "3");
    }
}
