//! Tools: which of them an agent needs to be shown.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::json;
use countersign_service::{ServiceError, VISIBLE_BODY_BYTES};
use countersign_wire::{VisibleAnswer, VisibleRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Strict};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(visible_tools))
}

/// Ask which tools to show
///
/// Role `agent`. Body at most 512 KiB. For whoever relays a list of tools: the hidden ones are those
/// that no policy in force could permit to the actor, whatever the arguments, and those that are
/// listed otherwise than they were confirmed. It is no decision; of the latter each is recorded once, as
/// the rejection that any call of it would be.
#[utoipa::path(
    post, path = "/v1/tools/visible", tag = "decisions",
    request_body = VisibleRequest,
    responses((status = 200, description = "Which to show", body = VisibleAnswer))
)]
async fn visible_tools(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Agent)?;
    let body = body::json_bytes(&app, request, VISIBLE_BODY_BYTES).await?;
    let request: VisibleRequest =
        json::parse_as(&body, VISIBLE_BODY_BYTES).map_err(ServiceError::from)?;
    app.answer(Lane::Commit, StatusCode::OK, move |service| {
        service.visible_tools(&caller, request)
    })
    .await
}
