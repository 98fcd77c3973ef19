//! What a turn or a result mentions.
use countersign_core::document::{Intent, ToolResult};

/// What the words of one turn mention, parsed once.
#[derive(Debug, Default)]
pub struct TurnMentions {}

impl TurnMentions {
    /// The mentions of a turn.
    pub fn of(_intent: &Intent) -> Self {
        Self {}
    }
}

/// What one result holds, parsed once.
#[derive(Debug, Default)]
pub struct ResultIndex {}

impl ResultIndex {
    /// The index of a result.
    pub fn of(_result: &ToolResult) -> Self {
        Self {}
    }
}
