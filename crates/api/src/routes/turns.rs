//! Turns: registering, revoking, stopping.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::refs::IntentRef;
use countersign_service::TURN_BODY_BYTES;
use countersign_wire::{
    CloseSession, OpenSession, Revoked, SessionClosed, SessionOpened, StopRequest, TurnAnswer,
    TurnRequest,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::{Authed, UrgentAuthed};
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Segments, Strict, parse};
use crate::reply;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(register_turn))
        .routes(routes!(revoke_turn))
        .routes(routes!(open_session))
        .routes(routes!(close_session))
        .routes(routes!(stop))
}

/// Register a turn
///
/// Role `ingress`. Body at most 8 MiB. The answer holds the intent document: whoever keeps it can
/// check the link to any decision later.
#[utoipa::path(
    post, path = "/v1/turns", tag = "turns",
    request_body = TurnRequest,
    responses((status = 201, description = "The turn is registered", body = TurnAnswer))
)]
async fn register_turn(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Ingress)?;
    let body = body::json_bytes(&app, request, TURN_BODY_BYTES).await?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.register_turn(&caller, &body)
    })
    .await
}

/// Revoke a turn
///
/// Role `ingress`, `admin` or `reviewer`. From this entry on nothing can be done in its name.
#[utoipa::path(
    post, path = "/v1/turns/{intent_ref}/revoke", tag = "turns",
    params(("intent_ref" = String, Path, description = "The turn")),
    responses((status = 200, description = "The turn is revoked", body = Revoked))
)]
async fn revoke_turn(
    State(app): State<Arc<App>>,
    UrgentAuthed(caller): UrgentAuthed,
    _: Strict<NoParameters>,
    Segments(intent_ref): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Ingress, Role::Admin, Role::Reviewer])?;
    body::none(&request)?;
    let intent_ref: IntentRef = parse(&intent_ref)?;
    app.answer(Lane::Urgent, StatusCode::OK, move |service| {
        service.revoke_turn(&caller, intent_ref)
    })
    .await
}

/// Open a session
///
/// Role `ingress`. For an ingress that knows when a session begins: its first turn does not open it
/// again, and without turns it is closed an hour later. A session that the same credential opened,
/// and that is still open, is answered with 200 and the entry that opened it.
#[utoipa::path(
    post, path = "/v1/sessions/open", tag = "turns",
    request_body = OpenSession,
    responses(
        (status = 201, description = "The session is opened", body = SessionOpened),
        (status = 200, description = "It was open already", body = SessionOpened),
    )
)]
async fn open_session(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Ingress)?;
    let request: OpenSession = body::json(&app, request).await?;
    let opened = app
        .run(Lane::Commit, move |service| {
            service.open_session(&caller, &request)
        })
        .await?;
    let status = match opened.is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    reply::json(status, &opened)
}

/// Close a session
///
/// Role `ingress` for a session that the credential opened, or `admin`. Its turns end, and its entry
/// says how many turns, decisions and executions it held, so that a missing one is visible. A later
/// turn opens it anew. A session is closed without being asked an hour after its last turn has ended.
#[utoipa::path(
    post, path = "/v1/sessions/close", tag = "turns",
    request_body = CloseSession,
    responses((status = 200, description = "The session is closed", body = SessionClosed))
)]
async fn close_session(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Ingress, Role::Admin])?;
    let request: CloseSession = body::json(&app, request).await?;
    app.answer(Lane::Commit, StatusCode::OK, move |service| {
        service.close_session(&caller, &request)
    })
    .await
}

/// Stop an actor or everything
///
/// Role `admin` or `reviewer`. Effective at the next commit, also on a full disk and with a full
/// queue; `"effect": "resume"` lifts it.
#[utoipa::path(
    post, path = "/v1/stop", tag = "turns",
    request_body = StopRequest,
    responses((status = 200, description = "It is in force", body = Revoked))
)]
async fn stop(
    State(app): State<Arc<App>>,
    UrgentAuthed(caller): UrgentAuthed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Admin, Role::Reviewer])?;
    let request: StopRequest = body::json(&app, request).await?;
    app.answer(Lane::Urgent, StatusCode::OK, move |service| {
        service.stop(&caller, &request)
    })
    .await
}
