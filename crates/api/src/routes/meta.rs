//! What is open to anybody: the head, the public keys, health, metrics, and this API's description.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use countersign_service::{ServiceHealth, Status};
use countersign_wire::{Head, HealthView};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::ApiError;
use crate::extract::{NoParameters, Strict};
use crate::metrics;
use crate::reply;
use crate::telling;

/// RFC 7517 section 8.5.1.
const JWKS: HeaderValue = HeaderValue::from_static("application/jwk-set+json");

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(head))
        .routes(routes!(jwks))
        .routes(routes!(healthz))
        .routes(routes!(metrics_text))
        .routes(routes!(openapi_json))
}

/// Read the head of the log and the keys to check it with
///
/// No credential. A key that comes from the server that it checks proves little: compare it with the
/// one that was handed over out of band.
#[utoipa::path(
    get, path = "/v1/head", tag = "log",
    responses((status = 200, description = "The head", body = Head)),
    security(())
)]
async fn head(State(app): State<Arc<App>>, _: Strict<NoParameters>) -> Result<Response, ApiError> {
    reply::json(StatusCode::OK, &app.service.head()?)
}

/// Read the keys that permits are checked with
///
/// No credential. A JWK set (RFC 7517).
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "log",
    responses((status = 200, description = "The keys", body = serde_json::Value, content_type = "application/jwk-set+json")),
    security(())
)]
async fn jwks(State(app): State<Arc<App>>, _: Strict<NoParameters>) -> Response {
    reply::bytes_as(StatusCode::OK, JWKS, app.service.public_keys().jwks.clone())
}

/// Ask how the server fares
///
/// No credential.
#[utoipa::path(
    get, path = "/healthz", tag = "operation",
    responses(
        (status = 200, description = "It decides, or at least stops and revokes", body = HealthView),
        (status = 503, description = "It commits nothing", body = HealthView),
    ),
    security(())
)]
async fn healthz(
    State(app): State<Arc<App>>,
    _: Strict<NoParameters>,
) -> Result<Response, ApiError> {
    let (status, mut view) = judge(&app.service.health());
    if let Some(reason) = telling::untold(&app.sinks()) {
        view.reasons.push(reason);
        if view.status == "ok" {
            "degraded".clone_into(&mut view.status);
        }
    }
    reply::json(status, &view)
}

fn judge(health: &ServiceHealth) -> (StatusCode, HealthView) {
    let mut reasons = Vec::new();
    if health.halted.is_some() {
        // Why it halted may name files of the server.
        reasons.push("the ledger has stopped, because going on could contradict what it signed; see the server's log".to_owned());
    }
    if let Some(behind) = health.clock_behind_ms {
        reasons.push(format!(
            "the clock is {behind} ms behind the ledger's last entry"
        ));
    }
    if let Some(reason) = health.publication.as_ref().and_then(unpublished) {
        reasons.push(reason);
    }
    let is_failing = !reasons.is_empty();
    let mut is_degraded = health.is_short_of_room || health.is_unwatched;
    if let Some(status) = health.publication.as_ref().filter(|it| !it.is_failing()) {
        is_degraded |= status.is_late() || status.directory_failure.is_some();
        if status.is_late() {
            reasons.push(lag(status));
        }
        if status.directory_failure.is_some() {
            reasons
                .push("the static publication is not up to date; see the server's log".to_owned());
        }
    }
    if health.is_unwatched {
        reasons.push(
            "the detectors cannot read on, so no flag is raised; see the server's log".to_owned(),
        );
    }
    if health.is_short_of_room {
        reasons.push("the disk is full: only stops, revocations and keys are committed".to_owned());
    }
    let (status, word) = match (is_failing, is_degraded) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
        (false, true) => (StatusCode::OK, "degraded"),
        (false, false) => (StatusCode::OK, "ok"),
    };
    let waiting = u64::try_from(health.waiting).unwrap_or(u64::MAX);
    (
        status,
        HealthView {
            status: word.to_owned(),
            reasons,
            size: health.size,
            waiting,
        },
    )
}

/// Why what was asked of publishing is not given any more.
fn unpublished(status: &Status) -> Option<String> {
    if status.contradiction.is_some() {
        return Some(
            "a witness holds another history of this log; see the server's log".to_owned(),
        );
    }
    status.is_failing().then(|| lag(status))
}

fn lag(status: &Status) -> String {
    format!(
        "the quorum of witnesses has not cosigned the newest {} entries, for {} s",
        status.lag,
        status.lag_time.as_secs()
    )
}

/// Read the metrics
///
/// No credential. OpenMetrics text, as Prometheus reads it: counts and times, no text of any request.
#[utoipa::path(
    get, path = "/metrics", tag = "operation", operation_id = "metrics",
    responses((status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text")),
    security(())
)]
async fn metrics_text(
    State(app): State<Arc<App>>,
    _: Strict<NoParameters>,
) -> Result<Response, ApiError> {
    let text = app
        .metrics
        .text(&app.service.health(), &app.sinks())
        .map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(reply::bytes_as(
        StatusCode::OK,
        HeaderValue::from_static(metrics::MEDIA_TYPE),
        text,
    ))
}

/// Read this description
///
/// No credential.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operation", operation_id = "openapi",
    responses((status = 200, description = "An OpenAPI 3.1 document", body = serde_json::Value)),
    security(())
)]
async fn openapi_json(State(app): State<Arc<App>>, _: Strict<NoParameters>) -> Response {
    reply::bytes_as(StatusCode::OK, reply::JSON, app.openapi.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> ServiceHealth {
        ServiceHealth {
            size: 3,
            waiting: 0,
            is_short_of_room: false,
            halted: None,
            clock_behind_ms: None,
            is_unwatched: false,
            publication: None,
        }
    }

    #[test]
    fn a_halted_ledger_and_a_clock_behind_are_failures_and_a_full_disk_is_not() {
        let word = |health: &ServiceHealth| {
            let (status, view) = judge(health);
            (status.as_u16(), view.status, view.reasons.len())
        };
        assert_eq!(word(&health()), (200, "ok".to_owned(), 0));
        let full = ServiceHealth {
            is_short_of_room: true,
            ..health()
        };
        assert_eq!(word(&full), (200, "degraded".to_owned(), 1));
        let unwatched = ServiceHealth {
            is_unwatched: true,
            ..health()
        };
        assert_eq!(word(&unwatched), (200, "degraded".to_owned(), 1));
        let behind = ServiceHealth {
            clock_behind_ms: Some(5_000),
            ..full
        };
        assert_eq!(word(&behind), (503, "failing".to_owned(), 2));
        let halted = ServiceHealth {
            halted: Some("the file /secret".to_owned()),
            ..health()
        };
        assert_eq!(word(&halted), (503, "failing".to_owned(), 1));
        assert!(!judge(&halted).1.reasons.concat().contains("secret"));
    }

    #[test]
    fn a_lag_is_a_failure_only_where_a_quorum_is_required() {
        let status = |is_required, lag_s, contradiction: Option<&str>| ServiceHealth {
            publication: Some(Status {
                is_required,
                published: None,
                witnessed: None,
                lag: 3,
                lag_time: std::time::Duration::from_secs(lag_s),
                witnesses: Vec::new(),
                contradiction: contradiction.map(str::to_owned),
                directory_failure: None,
                is_stopped: false,
            }),
            ..health()
        };
        let word = |health: &ServiceHealth| judge(health).1.status;
        assert_eq!(word(&status(true, 60, None)), "ok");
        assert_eq!(word(&status(true, 61, None)), "failing");
        assert_eq!(word(&status(false, 61, None)), "degraded");
        let (code, view) = judge(&status(false, 0, Some("the witness `secret`")));
        assert_eq!((code.as_u16(), view.status.as_str()), (503, "failing"));
        assert!(!view.reasons.concat().contains("secret"));
    }
}
