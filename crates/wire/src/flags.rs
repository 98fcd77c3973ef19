//! Flags, and what became of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{EntryAnswer, RawJson};

/// The flags, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FlagList {
    /// The flags.
    pub flags: Vec<FlagView>,
}

/// A flag and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FlagView {
    /// The flag's entry id.
    pub flag: String,
    /// What was looked for, such as `burst`; docs/watch.md has them all.
    pub detector: String,
    /// `notice`, `warning` or `critical`, as of the newest report.
    pub severity: String,
    /// `open`, `acknowledged` or `closed`.
    pub state: String,
    /// When it was raised.
    pub raised_at: String,
    /// When the newest report of it was committed: it grew, somebody took note, or it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<String>,
    /// The credential that took note of it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// The credential that closed it; absent while it is open, and when it went quiet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    /// The actor that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The intent that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_ref: Option<String>,
    /// The pseudonym of the target that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The credential whose openings of sealed records it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// The entry where it began.
    pub onset: String,
    /// The turn that was the newest of its session at the onset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// The execution whose result was the last to come in before the onset, in its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The entries that it rests on, in the order of the log; at most 64.
    pub entries: Vec<String>,
    /// How many there are now.
    pub count: u32,
    /// How many of them are calls that were stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<u32>,
    /// How many of them are calls that were approved. With 0, the policy held throughout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<u32>,
}

/// A flag with the entries that it rests on, each with its proof.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FlagDetail {
    /// The flag and what became of it.
    pub flag: FlagView,
    /// The flag itself, its updates and its end, in the order of the log.
    pub reports: Vec<EntryAnswer>,
    /// Where it began, the turn and the result just before, and the entries that it names, in the
    /// order of the log.
    pub entries: Vec<EntryAnswer>,
}

/// Somebody took note of a flag, or closed it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FlagChanged {
    /// The `flag-update` or `flag-close` entry, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}
