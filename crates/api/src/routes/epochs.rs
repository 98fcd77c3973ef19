//! Epochs of the vault's keys: completing erasures.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_wire::{CompleteRequest, Completion};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Strict};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(complete))
}

/// Complete the erasures that were requested
///
/// Role `admin`. A new epoch of the vault's keys begins, the keys of all records that are left are wrapped
/// anew under it, the keys of the older epochs are destroyed, and each erasure gets its `complete` entry. The
/// server does the same by itself when `settings.vault.erasure_window_h` is over. The answer comes after two
/// seconds at most and says how far it is; the server goes on, and another request with `begin: "never"` asks again.
#[utoipa::path(
    post, path = "/v1/vault/complete", tag = "vault",
    request_body = CompleteRequest,
    responses((status = 200, description = "How far it is", body = Completion))
)]
async fn complete(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Admin)?;
    let request: CompleteRequest = body::json(&app, request).await?;
    app.answer(Lane::Commit, StatusCode::OK, move |service| {
        service.complete_erasures(&caller, &request)
    })
    .await
}
