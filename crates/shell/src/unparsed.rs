//! Why a command line is not understood.

/// A command line that cannot be parsed, or whose effects do not stand in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {why}")]
pub struct Unparsed {
    /// Where, in bytes from the start of the text that was parsed.
    pub at: usize,
    /// Why.
    pub why: &'static str,
}

impl Unparsed {
    pub(crate) fn new(at: usize, why: &'static str) -> Self {
        Self { at, why }
    }
}
