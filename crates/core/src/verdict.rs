//! What the judge answers.

use std::collections::BTreeSet;

use crate::names::ReasonId;

/// The outcome of one call. Clients treat all but `approved` as a refusal.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The call may be made.
    Approved,
    /// A person must be asked; the call is judged again with the answer.
    Escalated,
    /// The call may not be made.
    Rejected,
    /// Reserved; never produced in version 1.
    Modified,
    /// Reserved; never produced in version 1.
    Deferred,
}

impl Outcome {
    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Escalated => "escalated",
            Self::Rejected => "rejected",
            Self::Modified => "modified",
            Self::Deferred => "deferred",
        }
    }
}

impl std::str::FromStr for Outcome {
    type Err = UnknownOutcome;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Approved,
            Self::Escalated,
            Self::Rejected,
            Self::Modified,
            Self::Deferred,
        ]
        .into_iter()
        .find(|outcome| outcome.name() == text)
        .ok_or_else(|| UnknownOutcome(text.chars().take(40).collect()))
    }
}

/// Text that names no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no outcome: allowed are approved, rejected, escalated, modified and deferred")]
pub struct UnknownOutcome(String);

/// The outcome and the ids of the policies that determined it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was decided.
    pub outcome: Outcome,
    /// Why, sorted; the union over all targets.
    pub reasons: BTreeSet<ReasonId>,
}
