//! An entry that counts, and the terms on which it does.

use countersign_core::ids::EntryId;
use countersign_core::names::ActorName;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, PolicyRef};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

/// What an entry weighs that counts in full.
pub(crate) const WHOLE: u32 = 8;
/// What one weighs that only repeats another one.
pub(crate) const REPEAT: u32 = 1;
/// What an attempt weighs of which a person was asked.
pub(crate) const ASKED: u32 = 4;

/// Where an entry stands in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) at: Timestamp,
    pub(crate) entry: EntryId,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Stopped,
    Passed,
    /// The entry is about no call that anybody decided on.
    Neither,
}

impl From<Outcome> for Fate {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Approved => Self::Passed,
            _ => Self::Stopped,
        }
    }
}

/// What stood in a session when an entry came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Before {
    /// The newest turn.
    pub(crate) turn: Option<IntentRef>,
    /// The execution whose result came in last.
    pub(crate) after: Option<EntryId>,
}

/// An entry that counts.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) place: Place,
    /// When it counts: for what did not happen in time, when the time was over.
    pub(crate) at: Timestamp,
    pub(crate) actor: Option<ActorName>,
    /// For whom: the person whose turn it is, or else the session.
    pub(crate) whose: Option<Pseudonym>,
    /// What of the call the detector is about, if it is about one of its targets.
    pub(crate) target: Option<Pseudonym>,
    pub(crate) before: Before,
    pub(crate) fate: Fate,
    /// How much it counts towards the threshold, in parts of [`WHOLE`].
    pub(crate) weight: u32,
    /// Whether an incident can begin with it.
    pub(crate) can_begin: bool,
    /// Whether it makes its incident as grave as its detector knows.
    pub(crate) is_grave: bool,
}

/// The settings that an incident began under; it keeps them when another bundle comes into force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) policy_ref: PolicyRef,
    pub(crate) threshold: u32,
    pub(crate) window_s: u32,
}

impl Terms {
    /// What has to come together.
    pub(crate) fn weight(&self) -> u64 {
        u64::from(self.threshold).saturating_mul(u64::from(WHOLE))
    }

    /// The window, in milliseconds.
    pub(crate) fn window_ms(&self) -> u64 {
        u64::from(self.window_s).saturating_mul(1000)
    }

    /// The last moment at which what follows `at` still belongs to it.
    pub(crate) fn deadline(&self, at: Timestamp) -> Timestamp {
        at.plus_millis(i64::from(self.window_s).saturating_mul(1000))
    }
}
