//! The verifier's answer.

mod check;
mod findings;
mod not_shown;

pub use check::Check;
pub(crate) use findings::{At, Findings};
pub use not_shown::{NotShown, NotShownCode};

use std::collections::BTreeMap;

use countersign_core::ids::EntryId;
use serde::Serialize;

/// The verifier's answer, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// A check does not hold.
    Failed,
    /// Every check holds, but nothing outside the log covers it.
    Unanchored,
    /// Every check holds, and something that the caller held covers it.
    Trusted,
}

impl Word {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unanchored => "unanchored",
            Self::Trusted => "trusted",
        }
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The word for a range of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RangeWord {
    /// The first entry's leaf index.
    pub first: u64,
    /// The last entry's leaf index.
    pub last: u64,
    /// What is said of them.
    pub word: Word,
}

/// A check that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The leaf index of the entry, if it is about one.
    pub index: Option<u64>,
    /// The entry's id, if it could be read.
    pub entry_id: Option<EntryId>,
    /// Which check.
    pub check: Check,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

/// What anchors entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Anchor {
    /// A checkpoint that the caller held; entries below its size are covered.
    HeldCheckpoint {
        /// Its size.
        size: u64,
    },
    /// Witnesses that the caller's policy names have cosigned the log's checkpoint.
    Witnesses {
        /// Their names in the policy.
        names: Vec<String>,
    },
}

/// How much was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Entries read, by kind.
    pub entries: BTreeMap<String, u64>,
    /// Decisions, by outcome.
    pub decisions: BTreeMap<String, u64>,
    /// Refs to documents in the entries.
    pub documents_named: u64,
    /// Refs whose document was there to be checked.
    pub documents_checked: u64,
    /// Escalations that nothing has closed.
    pub open_escalations: u64,
}

/// What came of judging again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rejudged {
    /// Decisions whose facts and verdict came out the same.
    pub agreed: u64,
    /// Decisions that could not be judged again, by reason.
    pub not_rejudged: BTreeMap<NotRejudged, u64>,
}

/// Why a decision was not judged again, which is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotRejudged {
    /// An input is sealed, or was not given.
    Sealed,
    /// An input was erased; the erasure is an entry.
    Erased,
    /// The call was too malformed to have facts.
    NoFacts,
    /// What decided is not for the judge to say: a stop, or a foreign actor.
    OutsideTheJudge,
    /// The facts were drawn by an extractor that this build does not hold.
    OtherExtractor,
}

/// The verifier's answer, with everything that it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The overall word: the weakest.
    pub word: Word,
    /// How deep it was looked.
    pub depth: crate::audit::Depth,
    /// The log's origin, as its checkpoint gives it.
    pub origin: Option<String>,
    /// The checkpoint's size.
    pub size: u64,
    /// The checkpoint's root, in hex.
    pub root: Option<String>,
    /// The word for each range of entries, in order, without gaps.
    pub ranges: Vec<RangeWord>,
    /// What anchors entries.
    pub anchors: Vec<Anchor>,
    /// What does not hold; cut off at a limit.
    pub findings: Vec<Finding>,
    /// How many findings there were, those that were cut off included.
    pub findings_total: u64,
    /// Two signed heads that contradict each other, if that was found.
    pub contradiction: Option<crate::contradiction::Contradiction>,
    /// What the result does not show.
    pub not_shown: Vec<NotShown>,
    /// How much was looked at.
    pub counts: Counts,
    /// What came of judging again, if it was asked for.
    pub rejudged: Option<Rejudged>,
}

impl Report {
    /// The documented exit code: 0 `trusted`, 4 `unanchored`, 1 `failed`, 3 `failed` because two
    /// signed heads contradict each other. (2 is for what kept the verifier from answering.)
    pub fn exit_code(&self) -> u8 {
        match (self.word, &self.contradiction) {
            (_, Some(_)) => 3,
            (Word::Failed, None) => 1,
            (Word::Trusted, None) => 0,
            (Word::Unanchored, None) => 4,
        }
    }
}
