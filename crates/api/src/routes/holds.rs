//! Legal holds.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_wire::{HoldList, HoldPlaced, HoldReleased, HoldRequest, ReleaseRequest};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Strict};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(holds, place_hold))
        .routes(routes!(release_hold))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    after: Option<String>,
}

/// List the holds in force
///
/// Role `admin` or `auditor`. The oldest first, 100 on a page; refs only, no content.
#[utoipa::path(
    get, path = "/v1/vault/holds", tag = "vault",
    params(("after" = Option<String>, Query, description = "The last hold of the page before")),
    responses((status = 200, description = "The holds", body = HoldList))
)]
async fn holds(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    Strict(page): Strict<After>,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Admin, Role::Auditor])?;
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.holds(&caller, page.after.as_deref())
    })
    .await
}

/// Put records under legal hold
///
/// Role `admin`. The selected records that are there now cannot be erased and do not expire until the
/// hold is lifted; records that come later are not held. Each entry is for 64 records at most.
#[utoipa::path(
    post, path = "/v1/vault/holds", tag = "vault",
    request_body = HoldRequest,
    responses((status = 201, description = "The records are held", body = HoldPlaced))
)]
async fn place_hold(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Admin)?;
    let request: HoldRequest = body::json(&app, request).await?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.place_hold(&caller, &request)
    })
    .await
}

/// Lift a legal hold
///
/// Role `admin`. One entry's hold (`hold`), or all that one request placed (`authority_ref`), from all of
/// its records or those in `refs`. A record that is under another hold stays held.
#[utoipa::path(
    post, path = "/v1/vault/holds/release", tag = "vault",
    request_body = ReleaseRequest,
    responses((status = 201, description = "It is lifted", body = HoldReleased))
)]
async fn release_hold(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Admin)?;
    let request: ReleaseRequest = body::json(&app, request).await?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.release_hold(&caller, &request)
    })
    .await
}
