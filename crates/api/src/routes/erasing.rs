//! Erasing sealed records.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_wire::{EraseRequest, Erased};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Strict};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(erase))
}

/// Erase sealed records
///
/// Role `admin`. The keys of the selected records are destroyed, with the rows that lead to them; turns in
/// force are withdrawn; their commitments stay in the ledger, and the log still verifies. Each entry
/// names 64 records at most. Backups of before open them until the erasure is complete. A request that was
/// cut off is made again: what is erased already is passed over. With `dry_run` nothing is done.
#[utoipa::path(
    post, path = "/v1/vault/erase", tag = "vault",
    request_body = EraseRequest,
    responses((status = 200, description = "What was erased, or would be", body = Erased))
)]
async fn erase(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Admin)?;
    let request: EraseRequest = body::json(&app, request).await?;
    app.answer(Lane::Commit, StatusCode::OK, move |service| {
        service.erase(&caller, &request)
    })
    .await
}
