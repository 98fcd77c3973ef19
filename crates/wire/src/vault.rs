//! Opening sealed records.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::RawJson;

/// Why a record is opened. Exactly one of `purpose` and `request` is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpenRequest {
    /// The purpose, in words; at most 1,024 bytes. It is sealed, and committed to by the access's entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// A request that a second person has confirmed: its entry. The purpose is the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Where two people are needed, be refused instead of asking for the second.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
}

/// An opened record. That it was opened is in the ledger.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Opened {
    /// The record's commitment.
    pub reference: String,
    /// The document's kind.
    pub kind: String,
    /// The document; the SHA-256 of its canonical JSON is the commitment.
    #[schema(value_type = Object)]
    pub document: Value,
    /// The entry of the access, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}
