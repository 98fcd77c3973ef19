//! Errors, as RFC 9457 problem documents.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::FindingView;

/// An error (RFC 9457), media type `application/problem+json`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI that names the kind of error: `https://countersign.dev/errors/<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of error it is, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The stable code.
    pub code: String,
    /// The request's id, which the server's log has, too.
    pub request_id: String,
    /// The entry that records the rejection, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_id: Option<String>,
    /// What the check of a bundle found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingView>,
}
