//! Decisions: asking for one, and reading one again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::ids::EntryId;
use countersign_core::verdict::Outcome;
use countersign_service::{CALL_BODY_BYTES, Caller, ErrorCode, WAIT_MAX, WaitLevel};
use countersign_wire::{DecisionAnswer, DecisionRequest};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::body;
use crate::error::{ApiError, Code, HttpCode};
use crate::extract::{NoParameters, Segments, Strict, parse};
use crate::observe::Told;
use crate::reply;

/// The draft of the IETF HTTPAPI working group that gave it its name.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How often an open escalation is looked at while a client waits.
const WAIT_STEP: Duration = Duration::from_millis(200);

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(decide))
        .routes(routes!(decision))
}

/// Ask for a decision on one tool call
///
/// Role `agent`. Body at most 8 MiB. The decision is in the ledger before it is answered; the proof
/// in `entry` can be checked at once. Treat every outcome but `approved` as a refusal. A body that is
/// no call is an error whose `entry_id` names the recorded rejection.
#[utoipa::path(
    post, path = "/v1/decisions", tag = "decisions",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body get the same entry and permit; another body gets 409. 1 to 255 visible ASCII characters.")),
    request_body = DecisionRequest,
    responses((status = 200, description = "The decision", body = DecisionAnswer))
)]
async fn decide(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    parameters: Result<Strict<NoParameters>, ApiError>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.require(Role::Agent)?;
    let read = async {
        parameters?;
        let key = idempotency_key(request.headers())?;
        Ok((key, body::json_bytes(&app, request, CALL_BODY_BYTES).await?))
    };
    let (key, body) = match read.await {
        Ok(read) => read,
        Err(error) => return Err(refuse_unread(&app, caller, error).await),
    };
    match app.decide(caller, body, key).await {
        Ok(answer) => {
            app.metrics.decided(&answer.outcome);
            answer_with(&answer)
        }
        Err(error) => {
            let is_replay = error.code == Code::Service(ErrorCode::IdempotencyConflict);
            if error.entry_id.is_some() && !is_replay {
                app.metrics.decided(Outcome::Rejected.name());
            }
            Err(error)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    wait_s: Option<u64>,
    wait: Option<String>,
}

/// Read a decision again
///
/// Role `agent` (its own ones, with the permit), `auditor`, `tool` or `reviewer`. With `wait_s`, the
/// answer waits until an open escalation is closed.
#[utoipa::path(
    get, path = "/v1/decisions/{id}", tag = "decisions",
    params(
        ("id" = String, Path, description = "The decision's entry id"),
        ("wait_s" = Option<u64>, Query, description = "How long to wait for an open escalation, in seconds; at most 60"),
        ("wait" = Option<String>, Query, description = "`witnessed`: answer once the quorum of witnesses has cosigned the decision, or with an error"),
    ),
    responses((status = 200, description = "The decision", body = DecisionAnswer))
)]
async fn decision(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    Strict(parameters): Strict<Wait>,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    caller.require_any(&[Role::Agent, Role::Auditor, Role::Tool, Role::Reviewer])?;
    let id: EntryId = parse(&id)?;
    let level: Option<WaitLevel> = parameters.wait.as_deref().map(str::parse).transpose()?;
    let wait = Duration::from_secs(parameters.wait_s.unwrap_or(0));
    if wait > WAIT_MAX {
        return Err(ApiError::malformed(format!(
            "`wait_s` is {}; allowed is 0 to {}",
            wait.as_secs(),
            WAIT_MAX.as_secs()
        )));
    }
    // Waiting here and not on the service's thread: those who wait must not take the places of
    // those who decide.
    let deadline = Instant::now() + wait;
    loop {
        let caller = caller.clone();
        let answer = app
            .run(Lane::Read, move |service| service.decision(&caller, id))
            .await?;
        let is_open = answer.outcome == Outcome::Escalated.name() && answer.resolution.is_none();
        if !is_open || Instant::now() >= deadline || app.is_stopping() {
            return answer_with(&app.service.anchored(answer, level).await?);
        }
        sleep(WAIT_STEP).await;
    }
}

fn answer_with(answer: &DecisionAnswer) -> Result<Response, ApiError> {
    let mut response = reply::json(StatusCode::OK, answer)?;
    let outcome = answer.outcome.clone();
    response.extensions_mut().insert(Told {
        outcome,
        entry_id: answer.entry_id.clone(),
    });
    Ok(response)
}

/// What an agent sends and nobody can read is a rejection in the ledger. What the server could not
/// take in is not: nothing is known of it.
async fn refuse_unread(app: &App, caller: Caller, error: ApiError) -> ApiError {
    match error.code {
        Code::Http(HttpCode::BodyBroken) | Code::Service(ErrorCode::Busy) => error,
        _ => {
            app.metrics.decided(Outcome::Rejected.name());
            app.record_unread(caller, error).await
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut fields = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(ApiError::malformed(
            "there is more than one `Idempotency-Key` header",
        ));
    }
    match field.to_str() {
        Ok(key) => Ok(Some(key.to_owned())),
        Err(_) => Err(ApiError::malformed(
            "the `Idempotency-Key` header is not visible ASCII",
        )),
    }
}
