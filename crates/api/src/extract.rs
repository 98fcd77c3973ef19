//! Paths and query strings, read strictly: what is unknown is an error and not passed over.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::error::ApiError;

/// A query string with known parameters, each at most once.
pub(crate) struct Strict<T>(pub(crate) T);

/// The parameters of a route that has none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}

/// The variable segments of a path, percent-decoded.
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Strict<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(refused) => {
                let text = refused.body_text();
                let cause = text.rsplit("string: ").next().unwrap_or_default();
                Err(ApiError::malformed(format!("the query string: {cause}")))
            }
        }
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, app).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(ApiError::malformed("a segment of the path is no utf-8")),
        }
    }
}

/// A ref or id in its one spelling.
pub(crate) fn parse<T: FromStr>(text: &str) -> Result<T, ApiError>
where
    T::Err: Display,
{
    text.parse()
        .map_err(|error: T::Err| ApiError::malformed(error.to_string()))
}
