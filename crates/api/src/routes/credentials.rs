//! Credentials: granting, listing, revoking.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::ids::CredentialId;
use countersign_wire::{CredentialCreated, CredentialList, NewCredential, Revoked};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::{Authed, UrgentAuthed};
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Segments, Strict, parse};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(credentials, add_credential))
        .routes(routes!(revoke_credential))
}

/// Grant a credential
///
/// Role `admin`. The token is in the answer and nowhere else.
#[utoipa::path(
    post, path = "/v1/credentials", tag = "credentials",
    request_body = NewCredential,
    responses((status = 201, description = "It is granted", body = CredentialCreated))
)]
async fn add_credential(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Admin)?;
    let request: NewCredential = body::json(&app, request).await?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.add_credential(&caller, &request)
    })
    .await
}

/// List the credentials
///
/// Role `admin` or `auditor`. Without their tokens, which nobody has but their owners.
#[utoipa::path(
    get, path = "/v1/credentials", tag = "credentials",
    responses((status = 200, description = "The credentials, oldest first", body = CredentialList))
)]
async fn credentials(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
) -> Result<Response, ApiError> {
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.credentials(&caller)
    })
    .await
}

/// Revoke a credential
///
/// Role `admin`. Effective with its entry, and for good.
#[utoipa::path(
    post, path = "/v1/credentials/{id}/revoke", tag = "credentials",
    params(("id" = String, Path, description = "The credential's id")),
    responses((status = 200, description = "It is revoked", body = Revoked))
)]
async fn revoke_credential(
    State(app): State<Arc<App>>,
    UrgentAuthed(caller): UrgentAuthed,
    _: Strict<NoParameters>,
    Segments(id): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Admin)?;
    body::none(&request)?;
    let id: CredentialId = parse(&id)?;
    app.answer(Lane::Urgent, StatusCode::OK, move |service| {
        service.revoke_credential(&caller, id)
    })
    .await
}
