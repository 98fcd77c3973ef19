//! Delegations: an agent gives part of its mandate to another.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_wire::{DelegationAnswer, DelegationRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Strict};
use crate::reply;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(delegate))
}

/// Delegate
///
/// Role `agent`, with a credential that speaks for both actors. The receiver may then act on the
/// turn, for the actions that were given and until the delegation, the turn or its session ends.
/// Nobody can give more than they have. The same delegation, asked for again while it stands, is
/// answered with 200 and its entry.
#[utoipa::path(
    post, path = "/v1/delegations", tag = "turns",
    request_body = DelegationRequest,
    responses(
        (status = 201, description = "It is in force", body = DelegationAnswer),
        (status = 200, description = "It was in force already", body = DelegationAnswer),
    )
)]
async fn delegate(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Agent)?;
    let request: DelegationRequest = body::json(&app, request).await?;
    let given = app
        .run(Lane::Commit, move |service| {
            service.delegate(&caller, &request)
        })
        .await?;
    let status = match given.is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    reply::json(status, &given)
}
