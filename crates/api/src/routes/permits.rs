//! Permits: used up at the tool's side.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_service::CONSUME_BODY_BYTES;
use countersign_wire::{ConsumeRequest, Consumed};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Strict};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(consume_permit))
}

/// Use a permit up, before the call is made
///
/// Role `tool`. Body at most 64 KiB. An execution `started` is in the ledger when this is answered with
/// 201, and only then may the call be made. The permit's end, the turn, the bundle in force and stops
/// are looked at again. A permit that is not good, or was used before, is answered with 403
/// `permit-refused`, whose `entry_id` names the recorded refusal; past so many in a minute they are
/// only counted. Report the end of the call with `POST /v1/executions`.
#[utoipa::path(
    post, path = "/v1/permits/consume", tag = "decisions",
    request_body = ConsumeRequest,
    responses((status = 201, description = "The call may be made, once", body = Consumed))
)]
async fn consume_permit(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Tool)?;
    let body = body::json_bytes(&app, request, CONSUME_BODY_BYTES).await?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.consume_permit(&caller, &body)
    })
    .await
}
