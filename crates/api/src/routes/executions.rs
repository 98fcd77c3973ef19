//! Executions: what the tool's side reports.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_service::EXECUTION_BODY_BYTES;
use countersign_wire::{ExecutionAnswer, ExecutionRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Strict};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(report_execution))
}

/// Report how far an approved call came
///
/// Role `tool`, or `agent` for what it asked for itself. Body at most 8 MiB, of an agent 256 KiB. The one way by which tool
/// results enter, and what later facts draw on. Each phase is taken once: `started` first if at all,
/// then `finished` or `unknown`. What an agent reports counts as a correspondent's words; it stands
/// beside the tool's report, and is refused (409) once the tool's side has reported the end. The
/// decision of another agent is not found (404).
#[utoipa::path(
    post, path = "/v1/executions", tag = "decisions",
    request_body = ExecutionRequest,
    responses((status = 201, description = "It is in the ledger", body = ExecutionAnswer))
)]
async fn report_execution(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Tool, Role::Agent])?;
    let body = body::json_bytes(&app, request, EXECUTION_BODY_BYTES).await?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.report_execution(&caller, &body)
    })
    .await
}
