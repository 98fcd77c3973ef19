//! Bundles: storing, putting in force, reading.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::limits::BUNDLE_BYTES;
use countersign_core::refs::PolicyRef;
use countersign_wire::{BundleCurrent, BundleStored, SetCurrentBundle};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Segments, Strict, parse};
use crate::reply;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(store_bundle))
        .routes(routes!(current_bundle, set_bundle))
        .routes(routes!(bundle))
}

/// Check a bundle and store it
///
/// Role `author`. Body at most 2 MiB: name, policies, schema, tool manifests and settings as one JSON
/// document. It does not come into force by that. A bundle that does not pass its check is answered
/// 422 with the findings.
#[utoipa::path(
    post, path = "/v1/bundles", tag = "bundles",
    request_body = serde_json::Value,
    responses(
        (status = 201, description = "It is in the log", body = BundleStored),
        (status = 200, description = "The log held it already", body = BundleStored),
    )
)]
async fn store_bundle(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Author)?;
    let body = body::json_bytes(&app, request, BUNDLE_BYTES).await?;
    let stored = app
        .run(Lane::Commit, move |service| {
            service.store_bundle(&caller, &body)
        })
        .await?;
    let status = if stored.known {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    reply::json(status, &stored)
}

/// Read which bundle is in force
///
/// Role `author`, `auditor`, `admin` or `reviewer`. Its ref is the `ETag`.
#[utoipa::path(
    get, path = "/v1/bundles/current", tag = "bundles",
    responses((status = 200, description = "The bundle in force", body = BundleCurrent, headers(("ETag" = String, description = "The policy_ref, in double quotes"))))
)]
async fn current_bundle(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
) -> Result<Response, ApiError> {
    let current = app
        .run(Lane::Read, move |service| service.current_bundle(&caller))
        .await?;
    with_etag(&current)
}

/// Put a stored bundle in force
///
/// Role `author`. `If-Match` says which bundle the caller believes to be in force.
#[utoipa::path(
    put, path = "/v1/bundles/current", tag = "bundles",
    params(("If-Match" = String, Header, description = "The policy_ref in force, as in the `ETag`")),
    request_body = SetCurrentBundle,
    responses((status = 200, description = "It is in force", body = BundleCurrent, headers(("ETag" = String, description = "The policy_ref, in double quotes"))))
)]
async fn set_bundle(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Author)?;
    let if_match = if_match(request.headers())?;
    let request: SetCurrentBundle = body::json(&app, request).await?;
    let current = app
        .run(Lane::Commit, move |service| {
            service.set_bundle(&caller, &request, if_match.as_deref())
        })
        .await?;
    with_etag(&current)
}

/// Read a stored bundle
///
/// Role `author`, `auditor`, `admin` or `reviewer`. Its canonical JSON, whose SHA-256 is the ref.
#[utoipa::path(
    get, path = "/v1/bundles/{policy_ref}", tag = "bundles",
    params(("policy_ref" = String, Path, description = "The bundle")),
    responses((status = 200, description = "The bundle", body = serde_json::Value))
)]
async fn bundle(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments(policy_ref): Segments<String>,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Author, Role::Auditor, Role::Admin, Role::Reviewer])?;
    let policy_ref: PolicyRef = parse(&policy_ref)?;
    let bytes = app
        .run(Lane::Read, move |service| {
            service.bundle(&caller, policy_ref)
        })
        .await?;
    Ok(reply::bytes_as(StatusCode::OK, reply::JSON, bytes))
}

fn with_etag(current: &BundleCurrent) -> Result<Response, ApiError> {
    let mut response = reply::json(StatusCode::OK, current)?;
    let etag = HeaderValue::from_str(&format!("\"{}\"", current.policy_ref));
    let etag = etag.map_err(|error| ApiError::internal(error.to_string()))?;
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// One strong entity tag (RFC 9110 section 13.1.1). Neither `*` nor a list says which bundle the
/// caller has seen, so both are refused.
fn if_match(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut fields = headers.get_all(header::IF_MATCH).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(ApiError::malformed(
            "there is more than one `If-Match` header",
        ));
    }
    let tag = field
        .to_str()
        .ok()
        .and_then(|text| text.trim().strip_prefix('"')?.strip_suffix('"'));
    match tag {
        Some(tag) => Ok(Some(tag.to_owned())),
        None => Err(ApiError::malformed(
            "`If-Match` is one policy_ref in double quotes, as in the `ETag`",
        )),
    }
}
