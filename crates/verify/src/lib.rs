//! The offline verifier: what a ledger's files say of themselves, and what the caller's own keys and
//! checkpoints say of them.
//!
//! [`Audit::run`] reads every leaf and every tile of one log through a [`LogSource`], rebuilds the
//! tree, follows keys, bundles, credentials, turns and decisions from the first leaf to the last,
//! and answers with a [`Report`]: `trusted`, `unanchored` or `failed`, range by range, never a bare
//! "ok". Keys come from the caller; none is believed because the log or the export names it.
//! [`Depth::Tree`] stops at the tree: signatures, tiles, root and held checkpoints.
//!
//! [`Follower`] is what a monitor knows of a log from head to head, and [`Contradiction`] two signed
//! heads that cannot both be true, as a text that a stranger can check.
//!
//! This crate is pure and synchronous: reading files or URLs is the caller's, behind [`LogSource`].
//! It is *not* the tree's arithmetic (`countersign-merkle`), the texts of C2SP
//! (`countersign-note`), or the judge (`countersign-judge`): judging every decision again is behind
//! the feature `rejudge`, so that an auditor need not compile Cedar.

mod audit;
mod consistency;
mod contradiction;
mod documents;
mod follow;
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
pub use contradiction::{Contradiction, MAX_CONTRADICTION_LEN, NotProven, Prefix, Proven};
pub use follow::{EntriesSeen, FollowError, Follower, MAX_KEPT, MAX_NEW_ENTRIES, Step};
pub use report::{
    Anchor, Check, Counts, Finding, NotRejudged, NotShown, NotShownCode, RangeWord, Rejudged,
    Report, Word,
};
pub use source::{LogSource, MemoryLog, SourceError};
pub use trust::Trust;
