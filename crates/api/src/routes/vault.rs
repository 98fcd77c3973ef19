//! The vault: opening one sealed record.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::refs::Sha256;
use countersign_wire::{OpenRequest, Opened};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Segments, Strict, parse};
use crate::reply;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(open_record))
}

/// Open a sealed record
///
/// Role `vault-reader`. The access is in the ledger before the content is given; its purpose is sealed.
#[utoipa::path(
    post, path = "/v1/vault/{ref}/open", tag = "vault",
    params(("ref" = String, Path, description = "The record's commitment")),
    request_body = OpenRequest,
    responses((status = 200, description = "The record", body = Opened))
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
    let opened = app
        .run(Lane::Commit, move |service| {
            service.open_record(&caller, reference, &request)
        })
        .await?;
    reply::json(StatusCode::OK, &opened)
}
