//! Entries and explanations.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::entry::Role;
use countersign_core::ids::EntryId;
use countersign_merkle::TreeSize;
use countersign_service::{EntryQuery, ProofAgainst};
use countersign_wire::{EntryAnswer, EntryPage, Explanation, ProofAnswer};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Lane};
use crate::auth::Authed;
use crate::error::ApiError;
use crate::extract::{NoParameters, Segments, Strict, parse};
use crate::reply;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(entries))
        .routes(routes!(entry))
        .routes(routes!(proof))
        .routes(routes!(explain))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filters {
    since: Option<String>,
    until: Option<String>,
    kind: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    intent: Option<String>,
    session: Option<String>,
    target: Option<String>,
    order: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// Look entries up
///
/// Role `auditor`. Every filter narrows. Without proofs; read one entry for its proof.
#[utoipa::path(
    get, path = "/v1/entries", tag = "entries",
    params(
        ("since" = Option<String>, Query, description = "Committed at or after this time (RFC 3339, UTC, milliseconds)"),
        ("until" = Option<String>, Query, description = "Committed before this time"),
        ("kind" = Option<String>, Query, description = "The kind of entry, such as `decision`"),
        ("actor" = Option<String>, Query, description = "The actor"),
        ("action" = Option<String>, Query, description = "The action"),
        ("outcome" = Option<String>, Query, description = "`approved`, `rejected` or `escalated`"),
        ("intent" = Option<String>, Query, description = "The `intent_ref`"),
        ("session" = Option<String>, Query, description = "The session's pseudonym or, with the role `vault-reader` too, its id"),
        ("target" = Option<String>, Query, description = "The target's pseudonym or, with the role `vault-reader` too, `Type::id`"),
        ("order" = Option<String>, Query, description = "`newest` (default) or `oldest` first"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<usize>, Query, description = "Entries on a page: 1 to 500, by default 50"),
    ),
    responses((status = 200, description = "A page of entries", body = EntryPage))
)]
async fn entries(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    Strict(filters): Strict<Filters>,
) -> Result<Response, ApiError> {
    caller.require(Role::Auditor)?;
    let query = filters.query()?;
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.entries(&caller, &query)
    })
    .await
}

impl Filters {
    fn query(self) -> Result<EntryQuery, ApiError> {
        let oldest_first = match self.order.as_deref() {
            None | Some("newest") => false,
            Some("oldest") => true,
            Some(_) => return Err(ApiError::malformed("`order` is `newest` or `oldest`")),
        };
        Ok(EntryQuery {
            since: self.since,
            until: self.until,
            kind: self.kind,
            actor: self.actor,
            action: self.action,
            outcome: self.outcome,
            intent: self.intent,
            session: self.session,
            target: self.target,
            oldest_first,
            cursor: self.cursor,
            limit: self.limit,
        })
    }
}

/// Read one entry with its proof
///
/// Role `auditor`. The proof is against the present checkpoint.
#[utoipa::path(
    get, path = "/v1/entries/{id}", tag = "entries",
    params(("id" = String, Path, description = "The entry's id")),
    responses((status = 200, description = "The entry", body = EntryAnswer))
)]
async fn entry(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    _: Strict<NoParameters>,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    caller.require(Role::Auditor)?;
    let id: EntryId = parse(&id)?;
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.entry(&caller, id)
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    size: Option<u64>,
}

/// Prove an entry against a published checkpoint
///
/// Role `auditor`. An older receipt is anchored anew: the proof is against the newest published
/// checkpoint, or against that of `size` if it is one of the last 1,024. Without witnesses it is
/// against the present checkpoint.
#[utoipa::path(
    get, path = "/v1/entries/{id}/proof", tag = "entries",
    params(
        ("id" = String, Path, description = "The entry's id"),
        ("size" = Option<u64>, Query, description = "How many entries the checkpoint covers"),
    ),
    responses((status = 200, description = "The proof", body = ProofAnswer))
)]
async fn proof(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    Strict(at): Strict<At>,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    caller.require(Role::Auditor)?;
    let id: EntryId = parse(&id)?;
    let against = match at.size {
        None => ProofAgainst::Newest,
        Some(size) => ProofAgainst::Size(TreeSize::new(size)),
    };
    app.answer(Lane::Read, StatusCode::OK, move |service| {
        service.entry_proof(&caller, id, against)
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Purpose {
    purpose: Option<String>,
}

/// Explain a decision
///
/// Role `auditor`. With the role `vault-reader` too and a purpose, the sealed parts are opened, and
/// that is an entry; else they are shown as sealed.
#[utoipa::path(
    get, path = "/v1/entries/{id}/explain", tag = "entries",
    params(
        ("id" = String, Path, description = "The decision's entry id"),
        ("purpose" = Option<String>, Query, description = "Why sealed parts are opened; at most 1,024 bytes"),
    ),
    responses((status = 200, description = "The explanation", body = Explanation))
)]
async fn explain(
    State(app): State<Arc<App>>,
    Authed(caller): Authed,
    Strict(parameters): Strict<Purpose>,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    caller.require(Role::Auditor)?;
    let id: EntryId = parse(&id)?;
    // Opening is an entry, so it goes by the way of those who commit.
    let lane = if parameters.purpose.is_some() {
        Lane::Commit
    } else {
        Lane::Read
    };
    let explanation = app
        .run(lane, move |service| {
            service.explain(&caller, id, parameters.purpose.as_deref())
        })
        .await?;
    reply::json(StatusCode::OK, &explanation)
}
