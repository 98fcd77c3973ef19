//! What is to be written into the log.

use countersign_core::entry::{Body, Flag, FlagClose, FlagUpdate};

/// The body of an entry that the watch asks for. It is acted upon once: by committing it and
/// showing the committed entry to the watch.
#[derive(Debug, Clone, PartialEq)]
pub enum FlagDraft {
    /// An incident was found.
    Raise(Flag),
    /// An incident has grown.
    Grow(FlagUpdate),
    /// An incident is over.
    Close(FlagClose),
}

impl From<FlagDraft> for Body {
    fn from(draft: FlagDraft) -> Self {
        match draft {
            FlagDraft::Raise(flag) => flag.into(),
            FlagDraft::Grow(update) => update.into(),
            FlagDraft::Close(close) => close.into(),
        }
    }
}
