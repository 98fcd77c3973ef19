//! The vault: opening one sealed record, by one person or by two.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_service::OpenAnswer;
use countersign_wire::{OpenRequest, Opened, OpeningConfirmed, OpeningRequested, OpeningView};
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
        .routes(routes!(open_record))
        .routes(routes!(opening))
        .routes(routes!(confirm_opening))
}

/// Open a sealed record
///
/// Role `vault-reader`. The access is in the ledger before the content is given; its purpose is sealed.
/// Where the bundle in force demands two people (`settings.vault.four_eyes`), a call with a purpose is a
/// request (202): another person's credential confirms it, and then a call with `request` opens, once.
/// No more than `settings.vault.opened_per_hour` records by one credential: 429 with `Retry-After`.
#[utoipa::path(
    post, path = "/v1/vault/{ref}/open", tag = "vault",
    params(("ref" = String, Path, description = "The record's commitment")),
    request_body = OpenRequest,
    responses(
        (status = 200, description = "The record", body = Opened),
        (status = 202, description = "Nothing is open: a second person must confirm the request", body = OpeningRequested)
    )
)]
async fn open_record(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments(reference): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::VaultReader)?;
    let reference: Sha256 = parse(&reference)?;
    let request: OpenRequest = body::json(&app, request).await?;
    let answer = app
        .run(Lane::Commit, move |service| {
            service.open_record(&caller, reference, &request)
        })
        .await?;
    match answer {
        OpenAnswer::Opened(opened) => reply::json(StatusCode::OK, &opened),
        OpenAnswer::Requested(asked) => reply::json(StatusCode::ACCEPTED, &asked),
    }
}

/// Read a request for an opening
///
/// Role `vault-reader`. What the second person needs to see before saying yes: the records, who asks, and
/// for which purpose.
#[utoipa::path(
    get, path = "/v1/vault/openings/{id}", tag = "vault",
    params(("id" = String, Path, description = "The request's entry id")),
    responses((status = 200, description = "The request, and what became of it", body = OpeningView))
)]
async fn opening(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    caller.require(Role::VaultReader)?;
    let id: EntryId = parse(&id)?;
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.opening_asked_for(&caller, id)
    })
    .await
}

/// Confirm a request for an opening
///
/// Role `vault-reader`, with a credential of another person than who asked, within
/// `settings.vault.second_reader_s` of the request.
#[utoipa::path(
    post, path = "/v1/vault/openings/{id}/confirm", tag = "vault",
    params(("id" = String, Path, description = "The request's entry id")),
    responses((status = 201, description = "Who asked may open the records, once", body = OpeningConfirmed))
)]
async fn confirm_opening(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments(id): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::VaultReader)?;
    body::none(&request)?;
    let id: EntryId = parse(&id)?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.confirm_opening(&caller, id)
    })
    .await
}
