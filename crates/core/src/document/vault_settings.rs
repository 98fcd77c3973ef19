//! What a bundle says of the vault: how long records are kept, and what it takes to open them.

use serde::{Deserialize, Serialize};

/// How long an opening that needs two people waits for the second one, unless the bundle says
/// otherwise, in seconds: 15 minutes.
pub const SECOND_READER_S: u32 = 900;
/// How many records one credential may open in an hour, unless the bundle says otherwise.
pub const OPENED_PER_HOUR: u32 = 1_000;
/// How long old backups may still open what was erased, unless the bundle says otherwise, in hours:
/// seven days.
pub const ERASURE_WINDOW_H: u32 = 168;

/// How long sealed records are kept, and what it takes to open them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultSettings {
    /// After how many days records are erased, kind by kind.
    #[serde(skip_serializing_if = "RetentionSettings::is_default")]
    pub retention: RetentionSettings,
    /// Whether it takes a second credential of another person to open a record.
    pub four_eyes: bool,
    /// How long the second one may take, in seconds.
    pub second_reader_s: u32,
    /// How many records one credential may open in an hour; 0 for any number.
    pub opened_per_hour: u32,
    /// How many hours after an erasure was requested the key-encryption epoch is destroyed, so that
    /// old backups open nothing either.
    pub erasure_window_h: u32,
}

impl VaultSettings {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for VaultSettings {
    fn default() -> Self {
        Self {
            retention: RetentionSettings::default(),
            four_eyes: false,
            second_reader_s: SECOND_READER_S,
            opened_per_hour: OPENED_PER_HOUR,
            erasure_window_h: ERASURE_WINDOW_H,
        }
    }
}

/// After how many days records are erased; nothing keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSettings {
    /// Turns, counted from when they end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent_days: Option<u32>,
    /// Calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_days: Option<u32>,
    /// What the judge looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts_days: Option<u32>,
    /// What agents gave as their reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_days: Option<u32>,
    /// Results of calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_days: Option<u32>,
    /// What reviewers were shown, and what readers gave as their purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_days: Option<u32>,
}

impl RetentionSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
