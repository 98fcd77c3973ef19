//! How a server fares.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a server fares. `failing` comes with the HTTP status 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// `ok`, `degraded` (a part of it does not work, see `reasons`) or `failing` (nothing is committed).
    pub status: String,
    /// Why it is not `ok`.
    pub reasons: Vec<String>,
    /// How many entries the log holds.
    pub size: u64,
    /// How many units of work wait for the ledger.
    pub waiting: u64,
}
