//! Request bodies: of the right media type, within the route's limit, and never more in memory than
//! the server bears.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use countersign_core::json;
use countersign_service::{ErrorCode, ServiceError};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Bytes};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::app::App;
use crate::config::SMALL_BODY_BYTES;
use crate::context::Link;
use crate::error::{ApiError, HttpCode};

/// A body that was read, and its place in the memory for bodies.
pub(crate) struct Read {
    bytes: Vec<u8>,
    _memory: OwnedSemaphorePermit,
}

impl std::ops::Deref for Read {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a JSON body of at most `limit` bytes, as the bytes that came.
pub(crate) async fn json_bytes(
    app: &App,
    request: Request,
    limit: usize,
) -> Result<Read, ApiError> {
    read_as(app, request, &["application/json"], limit).await
}

/// Reads a small JSON body strictly as `T`.
pub(crate) async fn json<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, ApiError> {
    let body = json_bytes(app, request, SMALL_BODY_BYTES).await?;
    Ok(json::parse_as(&body, SMALL_BODY_BYTES).map_err(ServiceError::from)?)
}

/// Reads a body of JSON Lines.
pub(crate) async fn json_lines(
    app: &App,
    request: Request,
    limit: usize,
) -> Result<Read, ApiError> {
    read_as(
        app,
        request,
        &["application/jsonl", "application/x-ndjson"],
        limit,
    )
    .await
}

/// Refuses a body where none belongs.
pub(crate) fn none(request: &Request) -> Result<(), ApiError> {
    match request.body().is_end_stream() {
        true => Ok(()),
        false => Err(ApiError::malformed("this route takes no body")),
    }
}

async fn read_as(
    app: &App,
    request: Request,
    allowed: &[&str],
    limit: usize,
) -> Result<Read, ApiError> {
    check_media_type(request.headers(), allowed)?;
    let link = Link::of(request.extensions()).cloned();
    let body = request.into_body();
    let declared = body.size_hint();
    // RFC 9110 section 15.5.14: answered before any of it is read.
    if declared.lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let expected = declared
        .exact()
        .and_then(|exact| usize::try_from(exact).ok())
        .unwrap_or(limit);
    let memory = reserve(app, expected)?;
    let bytes = match timeout(
        app.config.body_timeout,
        collect(body, limit, declared.exact().is_some()),
    )
    .await
    {
        Ok(bytes) => bytes?,
        Err(_) => {
            let detail = format!(
                "the body did not arrive within {} s",
                app.config.body_timeout.as_secs()
            );
            return Err(ApiError::http(HttpCode::BodyTimeout, detail));
        }
    };
    if let Some(link) = link {
        link.set_unread(false);
    }
    Ok(Read {
        bytes,
        _memory: memory,
    })
}

async fn collect(mut body: Body, limit: usize, is_declared: bool) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::with_capacity(if is_declared {
        usize::try_from(body.size_hint().lower())
            .unwrap_or(0)
            .min(limit)
    } else {
        0
    });
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            ApiError::http(
                HttpCode::BodyBroken,
                "the body was cut off, or its framing is wrong",
            )
        })?;
        let data: Bytes = frame.into_data().unwrap_or_default();
        if bytes.len().saturating_add(data.len()) > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn reserve(app: &App, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
    let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
    Arc::clone(&app.body_memory)
        .try_acquire_many_owned(kib)
        .map_err(|_| {
            ApiError::service(
                ErrorCode::Busy,
                "too many large bodies are in transit at this time; nothing was done",
            )
        })
}

fn check_media_type(headers: &HeaderMap, allowed: &[&str]) -> Result<(), ApiError> {
    let refused = |found: &str| {
        let found: String = found
            .chars()
            .take(80)
            .flat_map(char::escape_debug)
            .collect();
        let detail = format!(
            "the `Content-Type` is `{found}`; allowed is `{}`",
            allowed.join("` or `")
        );
        Err(ApiError::http(HttpCode::UnsupportedMediaType, detail))
    };
    let mut fields = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(field) = fields.next().and_then(|field| field.to_str().ok()) else {
        return refused("");
    };
    if fields.next().is_some() {
        return refused("more than one");
    }
    let (media_type, parameters) = field.split_once(';').unwrap_or((field, ""));
    // RFC 8259 section 11 knows no parameters; the one that many clients send must be true.
    let is_utf8 = match parameters.trim() {
        "" => true,
        charset => {
            charset.eq_ignore_ascii_case("charset=utf-8")
                || charset.eq_ignore_ascii_case("charset=\"utf-8\"")
        }
    };
    match is_utf8
        && allowed
            .iter()
            .any(|allowed| media_type.trim().eq_ignore_ascii_case(allowed))
    {
        true => Ok(()),
        false => refused(field),
    }
}

fn too_large(limit: usize) -> ApiError {
    ApiError::service(
        ErrorCode::TooLarge,
        format!("the body has more than {limit} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn json_is_asked_for_by_its_name() {
        let check = |field: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(field));
            check_media_type(&headers, &["application/json"]).is_ok()
        };
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(check(good), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/json; charset=utf-16",
            "application/jsonx",
            "application/x-www-form-urlencoded",
            "application/json, text/plain",
        ] {
            assert!(!check(bad), "{bad}");
        }
        assert!(check_media_type(&HeaderMap::new(), &["application/json"]).is_err());
    }
}
