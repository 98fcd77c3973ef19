//! Flags: what the detectors raised, and who took note of it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::ids::EntryId;
use countersign_wire::{FlagChanged, FlagDetail, FlagList};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Segments, Strict, parse};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(flags))
        .routes(routes!(flag))
        .routes(routes!(acknowledge))
        .routes(routes!(close))
}

/// List the flags
///
/// Role `auditor`, `reviewer` or `admin`. The newest 1,000, newest first, with what became of them.
#[utoipa::path(
    get, path = "/v1/flags", tag = "flags",
    responses((status = 200, description = "The flags", body = FlagList))
)]
async fn flags(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
) -> Result<Response, ApiError> {
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.flags(&caller)
    })
    .await
}

/// Read one flag
///
/// Role `auditor`, `reviewer` or `admin`. With its updates and its end, where it began, the turn and
/// the result just before, and the entries that it names, each with its proof.
#[utoipa::path(
    get, path = "/v1/flags/{id}", tag = "flags",
    params(("id" = String, Path, description = "The flag's entry id")),
    responses((status = 200, description = "The flag and what it rests on", body = FlagDetail))
)]
async fn flag(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let id: EntryId = parse(&id)?;
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.flag(&caller, id)
    })
    .await
}

/// Take note of a flag
///
/// Role `reviewer` or `admin`. It is an entry (`flag-update`) that says who; the flag goes on.
#[utoipa::path(
    post, path = "/v1/flags/{id}/acknowledge", tag = "flags",
    params(("id" = String, Path, description = "The flag's entry id")),
    responses((status = 201, description = "It is noted", body = FlagChanged))
)]
async fn acknowledge(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments(id): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Reviewer, Role::Admin])?;
    body::none(&request)?;
    let id: EntryId = parse(&id)?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.acknowledge_flag(&caller, id)
    })
    .await
}

/// Close a flag
///
/// Role `reviewer` or `admin`. It is an entry (`flag-close`) that says who; what comes after it begins
/// another flag.
#[utoipa::path(
    post, path = "/v1/flags/{id}/close", tag = "flags",
    params(("id" = String, Path, description = "The flag's entry id")),
    responses((status = 201, description = "It is closed", body = FlagChanged))
)]
async fn close(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments(id): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Reviewer, Role::Admin])?;
    body::none(&request)?;
    let id: EntryId = parse(&id)?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.close_flag(&caller, id)
    })
    .await
}
