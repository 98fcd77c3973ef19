//! Who asks: the bearer token of the `Authorization` header, and nothing else.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use countersign_service::{Caller, ErrorCode};

use crate::app::App;
use crate::context::{Link, RequestContext};
use crate::error::{ApiError, Code};
use crate::rate::Bucket;

/// The scheme of RFC 6750, in any case (RFC 9110 section 11.1).
const SCHEME: &str = "bearer";

/// An authenticated caller within its rate.
pub(crate) struct Authed(pub(crate) Caller);

/// The same for stops and revocations, which count apart.
pub(crate) struct UrgentAuthed(pub(crate) Caller);

impl FromRequestParts<Arc<App>> for Authed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        admit(app, parts, Bucket::Ordinary).map(Self)
    }
}

impl FromRequestParts<Arc<App>> for UrgentAuthed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        admit(app, parts, Bucket::Urgent).map(Self)
    }
}

/// Authenticates a request and counts it.
fn admit(app: &App, parts: &Parts, bucket: Bucket) -> Result<Caller, ApiError> {
    let caller = match authenticate(app, &parts.headers) {
        Err(error) if error.code == Code::Service(ErrorCode::Unauthenticated) => {
            return Err(failed(app, parts, error));
        }
        other => other?,
    };
    if let Some(context) = parts.extensions.get::<RequestContext>() {
        context.authenticated(caller.id());
    }
    if let Err(wait) = app.rates.ask(caller.id(), bucket) {
        app.service.note_throttled(caller.id());
        app.metrics.throttled();
        let detail =
            "the credential asks too often; the refused requests are counted in the ledger";
        return Err(ApiError::service(ErrorCode::RateLimited, detail).retry_after(wait));
    }
    Ok(caller)
}

/// In place: it is one look at a row, which is nearly always in memory, and an HMAC.
fn authenticate(app: &App, headers: &HeaderMap) -> Result<Caller, ApiError> {
    Ok(app.service.authenticate(bearer(headers)?)?)
}

/// A failed authentication. A valid token is never refused for what others at its address did,
/// so the limit spares the log and not the look-up.
fn failed(app: &App, parts: &Parts, error: ApiError) -> ApiError {
    let Some(link) = Link::of(&parts.extensions) else {
        return error;
    };
    match app.rates.fail(link.peer.ip()) {
        Ok(()) => error,
        Err(wait) => {
            app.metrics.throttled();
            let detail = "too many failed authentications from this address";
            ApiError::service(ErrorCode::RateLimited, detail).retry_after(wait)
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let refused = |detail: &str| ApiError::service(ErrorCode::Unauthenticated, detail);
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return Err(refused(
            "there is no `Authorization` header; send `Authorization: Bearer cs_…`",
        ));
    };
    if fields.next().is_some() {
        return Err(refused("there is more than one `Authorization` header"));
    }
    let shape = || refused("the `Authorization` header is not `Bearer` and a token");
    let (scheme, token) = field
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(shape)?;
    let token = token.trim_matches(' ');
    if !scheme.eq_ignore_ascii_case(SCHEME) || token.is_empty() {
        return Err(shape());
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn read(fields: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(field));
        }
        bearer(&headers).ok().map(str::to_owned)
    }

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        assert_eq!(read(&["Bearer cs_x"]).as_deref(), Some("cs_x"));
        assert_eq!(read(&["bEARER  cs_x"]).as_deref(), Some("cs_x"));
        for bad in [
            &["Basic cs_x"][..],
            &["cs_x"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a", "Bearer a"],
            &[],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
