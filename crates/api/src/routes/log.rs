//! The log in the layout of C2SP tlog-tiles, under the path of its origin.

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_merkle::AnyTile;
use countersign_service::{Service, ServiceError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::error::ApiError;
use crate::extract::{NoParameters, Segments, Strict};
use crate::reply;

/// C2SP tlog-tiles, "Checkpoints".
const CHECKPOINT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// C2SP tlog-tiles, "Merkle Tree" and "Log entries".
const TILE: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// No tile ever changes, not even a partial one: a wider one has another name.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The same for what only some may read.
const FOR_GOOD_PRIVATE: HeaderValue =
    HeaderValue::from_static("private, max-age=31536000, immutable");
/// A checkpoint is out of date at the next commit.
const AT_PRESENT: HeaderValue = HeaderValue::from_static("no-cache");

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(checkpoint))
        .routes(routes!(tile))
}

/// Read the newest published checkpoint
///
/// No credential. A C2SP tlog-checkpoint. Where the server has witnesses, it is the newest one that
/// was published with their cosignatures, at most one a second; else the newest one.
#[utoipa::path(
    get, path = "/log/{tenant}/{epoch}/checkpoint", tag = "log",
    params(("tenant" = String, Path, description = "As in the log's origin"), ("epoch" = String, Path, description = "As in the log's origin")),
    responses((status = 200, description = "The signed checkpoint", body = String, content_type = "text/plain")),
    security(())
)]
async fn checkpoint(
    State(app): State<Arc<App>>,
    _: Strict<NoParameters>,
    Segments((tenant, epoch)): Segments<(String, String)>,
) -> Result<Response, ApiError> {
    check_log(&app.service, &tenant, &epoch)?;
    let note = app.service.published_checkpoint()?.to_string();
    Ok(cached(
        reply::bytes_as(StatusCode::OK, CHECKPOINT, note),
        AT_PRESENT,
    ))
}

/// Read a tile
///
/// Hash tiles (`tile/<L>/<N>[.p/<W>]`) need no credential; bundles of entries
/// (`tile/entries/<N>[.p/<W>]`) need the role `auditor`, unless the server makes them public. `tile` is
/// the rest of the path, slashes included.
#[utoipa::path(
    get, path = "/log/{tenant}/{epoch}/tile/{*tile}", tag = "log",
    params(
        ("tenant" = String, Path, description = "As in the log's origin"),
        ("epoch" = String, Path, description = "As in the log's origin"),
        ("tile" = String, Path, description = "Level and index as C2SP tlog-tiles writes them"),
    ),
    responses((status = 200, description = "The tile", body = [u8], content_type = "application/octet-stream")),
    security((), ("bearer" = []))
)]
async fn tile(
    State(app): State<Arc<App>>,
    _: Strict<NoParameters>,
    Segments((tenant, epoch, _)): Segments<(String, String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    check_log(&app.service, &tenant, &epoch)?;
    let (mut parts, _) = request.into_parts();
    // The path as it was sent: a tile has one name, and `%2e` is no way to write it.
    let path = parts
        .uri
        .path()
        .splitn(5, '/')
        .nth(4)
        .unwrap_or_default()
        .to_owned();
    let no_tile = || ApiError::from(ServiceError::not_found("such tile"));
    let tile: AnyTile = path.parse().map_err(|_| no_tile())?;
    let is_private = matches!(tile, AnyTile::Entries(_)) && !app.config.public_entries;
    if is_private {
        let Authed(caller) = Authed::from_request_parts(&mut parts, &app).await?;
        caller.require(Role::Auditor)?;
    }
    let bytes = app
        .run(Lane::Read, move |service| {
            Ok(service.ledger().any_tile(&tile)?)
        })
        .await?
        .ok_or_else(no_tile)?;
    let cache = if is_private {
        FOR_GOOD_PRIVATE
    } else {
        FOR_GOOD
    };
    Ok(cached(reply::bytes_as(StatusCode::OK, TILE, bytes), cache))
}

fn cached(mut response: Response, cache: HeaderValue) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    response
}

/// The origin ends in `/<tenant>/<epoch>`.
fn check_log(service: &Service, tenant: &str, epoch: &str) -> Result<(), ApiError> {
    let mut end = service.origin().as_str().rsplit('/');
    match (end.next(), end.next()) {
        (Some(own_epoch), Some(own_tenant)) if own_epoch == epoch && own_tenant == tenant => Ok(()),
        _ => Err(ServiceError::not_found("such log").into()),
    }
}
