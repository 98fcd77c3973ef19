//! The directory: one entity, or many at once.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_service::DIRECTORY_BODY_BYTES;
use countersign_wire::{DirectoryChanged, DirectoryLine};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::config::SMALL_BODY_BYTES;
use crate::error::ApiError;
use crate::extract::{NoParameters, Segments, Strict};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(put_entity))
        .routes(routes!(load_directory))
}

/// Set or remove one entity
///
/// Role `author`. Body at most 64 KiB: an object of attributes, or `null` to remove the entity.
#[utoipa::path(
    put, path = "/v1/directory/{type}/{id}", tag = "directory",
    params(
        ("type" = String, Path, description = "The Cedar entity type, such as `Contact`"),
        ("id" = String, Path, description = "The entity's id, percent-encoded"),
    ),
    request_body = Option<Object>,
    responses((status = 200, description = "It is in the ledger", body = DirectoryChanged))
)]
async fn put_entity(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments((kind, id)): Segments<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Author)?;
    let body = body::json_bytes(&app, request, SMALL_BODY_BYTES).await?;
    app.answer(Lane::Commit, StatusCode::OK, move |service| {
        service.put_entity(&caller, &kind, &id, &body)
    })
    .await
}

/// Change many entities at once
///
/// Role `author`. Body at most 8 MiB of JSON Lines, at most 2,000 of them; all or none.
#[utoipa::path(
    post, path = "/v1/directory", tag = "directory",
    request_body(content = DirectoryLine, content_type = "application/jsonl", description = "One object per line"),
    responses((status = 200, description = "It is in the ledger", body = DirectoryChanged))
)]
async fn load_directory(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Author)?;
    let body = body::json_lines(&app, request, DIRECTORY_BODY_BYTES).await?;
    app.answer(Lane::Commit, StatusCode::OK, move |service| {
        service.load_directory(&caller, &body)
    })
    .await
}
