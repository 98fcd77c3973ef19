//! What came of the story, for programs (`--json`) and for the demo's own checks.

use std::path::PathBuf;

use countersign_verify::{Check, RangeWord, Word};
use countersign_wire::{DecisionAnswer, FlagView};
use serde::Serialize;

/// The evening.
pub(super) struct Evening {
    pub(super) approved: usize,
    /// The standing instruction's `intent_ref`.
    pub(super) standing: String,
}

/// The night.
pub(super) struct Night {
    /// The night run's `intent_ref`.
    pub(super) intent_ref: String,
    pub(super) tried: Vec<Tried>,
    /// What the mail tool said to a permit for another mail.
    pub(super) permit_refused: String,
}

/// One attempt to reach the customer who left.
#[derive(Debug, Serialize)]
pub(super) struct Tried {
    attempt: &'static str,
    pub(super) entry_id: String,
    outcome: String,
    reasons: Vec<String>,
}

impl Tried {
    pub(super) fn new(attempt: &'static str, answer: &DecisionAnswer) -> Self {
        Self {
            attempt,
            entry_id: answer.entry_id.clone(),
            outcome: answer.outcome.clone(),
            reasons: answer
                .reasons
                .iter()
                .map(|reason| reason.id.clone())
                .collect(),
        }
    }
}

/// The whole story.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) directory: PathBuf,
    pub(super) data: PathBuf,
    pub(super) profile: PathBuf,
    pub(super) origin: String,
    pub(super) log_key: String,
    pub(super) root_key: String,
    /// How many calls were approved, the night's reading included.
    pub(super) approved: usize,
    pub(super) attempts: Vec<Tried>,
    pub(super) permit_refused: String,
    pub(super) mail: Mail,
    pub(super) flag: FlagView,
    pub(super) verified: Verified,
    /// What to run next.
    pub(super) commands: Vec<String>,
}

/// What the mail server holds.
#[derive(Debug, Serialize)]
pub(super) struct Mail {
    pub(super) messages: usize,
    pub(super) recipients: Vec<String>,
}

/// The verifier's answers.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    pub(super) export: PathBuf,
    pub(super) evening_checkpoint: PathBuf,
    pub(super) morning_checkpoint: PathBuf,
    /// Against the evening's checkpoint.
    pub(super) evening: Said,
    /// Against both checkpoints.
    pub(super) morning: Said,
    pub(super) changed_export: PathBuf,
    /// Of the copy with one changed byte.
    pub(super) changed: Said,
}

/// One answer of the verifier.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    pub(super) word: Word,
    pub(super) ranges: Vec<RangeWord>,
    /// How many decisions came out the same when they were judged again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rejudged: Option<u64>,
    /// The first check that does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finding: Option<Found>,
}

/// A check that does not hold.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) index: Option<u64>,
    pub(super) entry_id: Option<String>,
    pub(super) check: Check,
}
