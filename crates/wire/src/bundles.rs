//! Bundles and the directory.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::RawJson;

/// A bundle that was checked and stored.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BundleStored {
    /// Commits to the bundle.
    pub policy_ref: String,
    /// Whether the log already held it.
    pub known: bool,
    /// Warnings of the check.
    pub findings: Vec<FindingView>,
}

/// What the check of a bundle found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    /// `error` or `warning`.
    pub severity: String,
    /// The file.
    pub file: String,
    /// The line, from 1; 0 where there is none.
    pub line: u32,
    /// The column, from 1; 0 where there is none.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// The text in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Which bundle comes into force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCurrentBundle {
    /// A stored bundle.
    pub policy_ref: String,
}

/// The bundle in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BundleCurrent {
    /// Commits to the bundle.
    pub policy_ref: String,
    /// The entry since which it is in force.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// A bundle that is no longer in shadow.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ShadowEnded {
    /// Commits to the bundle.
    pub policy_ref: String,
    /// The entry since which it is not.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// One line of a bulk change of the directory.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryLine {
    /// The Cedar entity type, such as `Contact`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The entity's id, such as an address.
    pub id: String,
    /// Its attributes from now on; `null` removes the entity.
    #[schema(value_type = Object)]
    pub attributes: Option<serde_json::Map<String, Value>>,
}

/// A change of the directory that is in the ledger.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DirectoryChanged {
    /// How many entities changed.
    pub changes: u32,
    /// The entry, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}
