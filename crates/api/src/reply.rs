//! Answers with JSON.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::error::ApiError;

/// RFC 8259 section 11.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with a JSON body.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Response, ApiError> {
    let bytes = serde_json::to_vec(value).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(bytes_as(status, JSON, bytes))
}

/// An answer with these bytes.
pub(crate) fn bytes_as(
    status: StatusCode,
    media_type: HeaderValue,
    bytes: impl Into<Body>,
) -> Response {
    (status, [(header::CONTENT_TYPE, media_type)], bytes.into()).into_response()
}

/// Replaces a response's body.
pub(crate) fn fill<T: Serialize>(response: &mut Response, media_type: HeaderValue, value: &T) {
    // Texts and numbers only: writing them cannot fail, and an empty body would still carry the status.
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(bytes);
}
