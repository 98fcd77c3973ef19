//! Bundles: storing, putting in force, trying in shadow, replaying, reading.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::limits::BUNDLE_BYTES;
use countersign_core::refs::PolicyRef;
use countersign_service::{REPLAY_BODY_BYTES, ServiceError};
use countersign_wire::{
    BundleCurrent, BundleStored, ReplayPage, ReplayRequest, SetCurrentBundle, ShadowEnded,
};
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
        .routes(routes!(shadow, set_shadow, end_shadow))
        .routes(routes!(replay))
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

/// Read which bundle is in shadow
///
/// Role `author`, `auditor`, `admin` or `reviewer`. 404 if none is.
#[utoipa::path(
    get, path = "/v1/bundles/shadow", tag = "bundles",
    responses((status = 200, description = "The bundle in shadow", body = BundleCurrent))
)]
async fn shadow(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
) -> Result<Response, ApiError> {
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.shadow(&caller)
    })
    .await
}

/// Put a stored bundle in shadow
///
/// Role `author`. It judges every call that is judged from now on beside the bundle in force. What it
/// says is recorded as a decision of mode `shadow`, and nothing comes of it. It takes the place of the
/// bundle that was in shadow.
#[utoipa::path(
    put, path = "/v1/bundles/shadow", tag = "bundles",
    request_body = SetCurrentBundle,
    responses((status = 200, description = "It is in shadow", body = BundleCurrent))
)]
async fn set_shadow(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Author)?;
    let request: SetCurrentBundle = body::json(&app, request).await?;
    app.answer(Lane::Commit, StatusCode::OK, move |service| {
        service.set_shadow(&caller, &request)
    })
    .await
}

/// End the time in shadow
///
/// Role `author`. 404 if no bundle is in shadow.
#[utoipa::path(
    delete, path = "/v1/bundles/shadow", tag = "bundles",
    responses((status = 200, description = "It is no longer in shadow", body = ShadowEnded))
)]
async fn end_shadow(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
) -> Result<Response, ApiError> {
    app.answer(Lane::Commit, StatusCode::OK, move |service| {
        service.end_shadow(&caller)
    })
    .await
}

/// Judge recorded decisions again under another bundle
///
/// Role `vault-reader`: what comes out tells of what is sealed, so it is access to the vault, with a
/// purpose, and an entry. A page at a time, the newest decisions first, at most 128 for each; the work
/// ends with the page. A first page of full length under a bundle of the log is an entry of its own,
/// which `settings.publishing.replay` asks for.
#[utoipa::path(
    post, path = "/v1/bundles/replay", tag = "bundles",
    request_body = ReplayRequest,
    responses((status = 200, description = "What comes out otherwise", body = ReplayPage))
)]
async fn replay(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::VaultReader)?;
    let body = body::json_bytes(&app, request, REPLAY_BODY_BYTES).await?;
    let request: ReplayRequest =
        countersign_core::json::parse_as(&body, REPLAY_BODY_BYTES).map_err(ServiceError::from)?;
    app.answer(Lane::Commit, StatusCode::OK, move |service| {
        service.replay_decisions(&caller, &request)
    })
    .await
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
