//! What an export is about.

use countersign_core::ids::EntryId;
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;

/// What an export is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// An entry. For a flag, or what became of one, all that the flag rests on.
    Entry(EntryId),
    /// A turn, and all that was done in its name.
    Intent(IntentRef),
    /// All that was committed at or after the one time and before the other.
    Between(Timestamp, Timestamp),
}

impl Question {
    /// The question as a manifest states it.
    pub(crate) fn stated(&self) -> serde_json::Value {
        match self {
            Self::Entry(id) => serde_json::json!({"entry": id.to_string()}),
            Self::Intent(intent) => serde_json::json!({"intent": intent.to_string()}),
            Self::Between(from, to) => {
                serde_json::json!({"from": from.to_string(), "to": to.to_string()})
            }
        }
    }
}
