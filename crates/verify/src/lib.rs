//! The offline verifier: what a ledger's files say of themselves, and what the caller's own keys and
//! checkpoints say of them.
//!
//! [`Audit::run`] reads every leaf and every tile of one log through a [`LogSource`], rebuilds the
//! tree, follows keys, bundles, credentials, turns and decisions from the first leaf to the last,
//! and answers with a [`Report`]: `trusted`, `unanchored` or `failed`, range by range, never a bare
//! "ok". Keys come from the caller; none is believed because the log or the export names it.
//! [`Depth::Tree`] stops at the tree: signatures, tiles, root and held checkpoints.
//!
//! This crate is pure and synchronous: reading files or URLs is the caller's, behind [`LogSource`].
//! It is *not* the tree's arithmetic (`countersign-merkle`), the texts of C2SP
//! (`countersign-note`), or the judge (`countersign-judge`): judging every decision again is behind
//! the feature `rejudge`, so that an auditor need not compile Cedar.

mod audit;
mod documents;
mod head;
mod ranges;
mod read;
#[cfg(feature = "rejudge")]
mod rejudge;
mod report;
mod rules;
mod signature;
mod source;
mod trust;

pub use audit::{Audit, Depth, Limits, Progress, VerifyError};
pub use report::{
    Anchor, Check, Contradiction, Counts, Finding, NotRejudged, NotShown, NotShownCode, RangeWord,
    Rejudged, Report, Word,
};
pub use source::{LogSource, MemoryLog, SourceError};
pub use trust::Trust;
