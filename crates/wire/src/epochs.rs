//! Epochs of the vault's keys, and the erasures that end with them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a new epoch of keys is to begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BeginEpoch {
    /// If an erasure is not complete that no epoch that is under way completes.
    #[default]
    IfPending,
    /// In any case, unless one is under way.
    Always,
    /// Not now: go on with what is under way.
    Never,
}

/// What is to be completed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompleteRequest {
    /// `if-pending` (the default), `always` or `never`.
    pub begin: BeginEpoch,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Completion {
    /// Whether all is done: the keys of every older epoch are destroyed, and every erasure that this
    /// completes has its entry. If not, ask again: the server goes on meanwhile.
    pub done: bool,
    /// The newest epoch of keys, under which is sealed.
    pub epoch: u32,
    /// The oldest epoch whose keys are there.
    pub oldest: u32,
    /// Up to which record, in the order in which they are stored, keys were wrapped anew.
    pub reached: u64,
    /// The last record to be reached.
    pub last: u64,
    /// How many keys were wrapped anew since the server started.
    pub rewrapped: u64,
    /// How many records no key opens, now or before: they were damaged.
    pub unopenable: u64,
    /// How many erasures were completed since the server started.
    pub completed: u64,
    /// How many erasures are not complete; at most 1,000 are counted.
    pub pending: u64,
}
