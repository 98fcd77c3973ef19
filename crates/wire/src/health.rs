//! How a server fares.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a server fares. `failing` comes with the HTTP status 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// `ok`, `degraded` (only stops, revocations and keys are committed) or `failing` (nothing is).
    pub status: String,
    /// Why it is not `ok`.
    pub reasons: Vec<String>,
    /// How many entries the log holds.
    pub size: u64,
    /// How many units of work wait for the ledger.
    pub waiting: u64,
}
