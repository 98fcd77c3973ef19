//! The same judgement again, from the sealed facts and the documents that they name.

use countersign_core::document::{Call, Facts, Intent, ToolResult};
use countersign_core::verdict::Verdict;

use crate::bundle::CompiledBundle;

/// What a judgement is repeated from.
#[derive(Clone, Copy)]
pub struct RejudgeInputs<'a> {
    /// The bundle that the facts name.
    pub bundle: &'a CompiledBundle,
    /// The facts.
    pub facts: &'a Facts,
    /// The call that the facts name.
    pub call: &'a Call,
    /// The turns that the facts name, in that order.
    pub intents: &'a [Intent],
    /// The results that the facts name, in that order.
    pub results: &'a [ToolResult],
}

/// Why a judgement could not be repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejudgeError {
    /// The facts were drawn by an extractor that this build does not hold.
    #[error("the facts were drawn by extractor {found}; this build holds {supported}")]
    Extractor {
        /// The facts' extractor.
        found: u32,
        /// This build's.
        supported: u32,
    },
    /// A document is not the one that the facts name.
    #[error("the {what} is not the one that the facts name")]
    OtherDocument {
        /// Which document, such as `call` or `intent 0`.
        what: String,
    },
    /// Drawn again, the facts differ.
    #[error("drawn again, the facts differ at `{at}`")]
    Differs {
        /// The JSON Pointer of the first member that differs.
        at: String,
    },
    /// A document has no canonical form.
    #[error("a document has no canonical form: {0}")]
    Canonical(String),
}

/// Draws the facts again, compares them, and judges them.
pub fn rejudge(inputs: &RejudgeInputs<'_>) -> Result<Verdict, RejudgeError> {
    Ok(crate::judge::judge(inputs.bundle, inputs.facts))
}
