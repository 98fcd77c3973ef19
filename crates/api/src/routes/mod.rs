//! The routes, one file per thing that they are about.

mod bundles;
mod credentials;
mod decisions;
mod delegations;
mod directory;
mod entries;
mod epochs;
mod erasing;
mod executions;
mod flags;
mod holds;
mod log;
mod meta;
mod permits;
mod reviews;
mod tools;
mod turns;
mod vault;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::error::{ApiError, HttpCode};
use crate::observe::{observe, panicked};
use crate::openapi;

/// All routes, and the document that describes them.
pub(crate) fn all() -> (Router<Arc<App>>, OpenApi) {
    let (router, document) = OpenApiRouter::with_openapi(openapi::frame())
        .merge(turns::routes())
        .merge(decisions::routes())
        .merge(delegations::routes())
        .merge(tools::routes())
        .merge(executions::routes())
        .merge(reviews::routes())
        .merge(permits::routes())
        .merge(entries::routes())
        .merge(flags::routes())
        .merge(bundles::routes())
        .merge(directory::routes())
        .merge(credentials::routes())
        .merge(vault::routes())
        .merge(epochs::routes())
        .merge(erasing::routes())
        .merge(holds::routes())
        .merge(log::routes())
        .merge(meta::routes())
        .split_for_parts();
    (router, openapi::complete(document))
}

/// The routes with what is around each of them.
pub(crate) fn finish(router: Router<Arc<App>>, app: &Arc<App>) -> Router {
    router
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(app), observe))
        .with_state(Arc::clone(app))
}

async fn no_such_route() -> ApiError {
    ApiError::http(
        HttpCode::NoSuchRoute,
        "there is nothing at this path; `/openapi.json` lists what there is",
    )
}

async fn method_not_allowed() -> ApiError {
    ApiError::http(
        HttpCode::MethodNotAllowed,
        "this path does not take this method",
    )
}
