//! Escalations that wait for a person, and the person's answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::ids::EntryId;
use countersign_service::REVIEW_BODY_BYTES;
use countersign_wire::{ReviewAnswered, ReviewList, ReviewRequest, ReviewShown};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::ApiError;
use crate::extract::{NoParameters, Segments, Strict, parse};
use crate::observe::Told;
use crate::reply;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(reviews, review))
        .routes(routes!(show_review))
}

/// List the escalations that wait for a person
///
/// Role `reviewer` or `auditor`; an `ingress` sees those of turns that it registered. At most 500,
/// without plaintext.
#[utoipa::path(
    get, path = "/v1/reviews", tag = "decisions",
    responses((status = 200, description = "Those that end soonest first", body = ReviewList))
)]
async fn reviews(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Reviewer, Role::Auditor, Role::Ingress])?;
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.reviews(&caller)
    })
    .await
}

/// Show what a reviewer needs to answer an escalation
///
/// Role `reviewer`, with a credential that states a key and a person. That it was opened is an entry
/// (`vault-access`), and what was shown is committed to by it: the answer is signed over `shown_ref`.
/// The documents can be checked against the refs that name them.
#[utoipa::path(
    post, path = "/v1/reviews/{id}/show", tag = "decisions",
    params(("id" = String, Path, description = "The escalated decision's entry id")),
    responses((status = 201, description = "It is opened", body = ReviewShown))
)]
async fn show_review(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments(id): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Reviewer)?;
    body::none(&request)?;
    let id: EntryId = parse(&id)?;
    app.answer(Lane::Commit, StatusCode::CREATED, move |service| {
        service.show_review(&caller, id)
    })
    .await
}

/// Answer an escalation
///
/// Role `reviewer`, with the signature of the key that its credential states; or the `ingress` that
/// registered the turn, for the person whose turn it is, where every rule that asks is
/// `@escalate("requester")`. The call is judged again with the answer, under the bundle in force; both
/// entries are committed together, and close the escalation. Whoever was first has answered: a second
/// answer, and one after the deadline, is 409.
#[utoipa::path(
    post, path = "/v1/reviews", tag = "decisions",
    request_body = ReviewRequest,
    responses((status = 201, description = "It is in the ledger, with what came of it", body = ReviewAnswered))
)]
async fn review(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Reviewer, Role::Ingress])?;
    let body = body::json_bytes(&app, request, REVIEW_BODY_BYTES).await?;
    let mut answered = app
        .run(Lane::Commit, move |service| service.review(&caller, &body))
        .await?;
    app.metrics.decided(&answered.decision.outcome);
    answered.decision = app.service.anchored(answered.decision, None).await?;
    let mut response = reply::json(StatusCode::CREATED, &answered)?;
    response.extensions_mut().insert(Told {
        outcome: answered.decision.outcome,
        entry_id: answered.decision.entry_id,
    });
    Ok(response)
}
