//! Whom or what an incident concerns.

use countersign_core::entry::{Detector, Flag};
use countersign_core::names::ActorName;
use countersign_core::refs::IntentRef;

/// One detector, applied to one actor or intent. There is at most one running incident of each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) detector: Detector,
    pub(crate) of: Of,
}

/// What the entries of an incident have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    Actor(ActorName),
    Intent(IntentRef),
}

impl Subject {
    pub(crate) fn burst_of(actor: &ActorName) -> Self {
        Self {
            detector: Detector::Burst,
            of: Of::Actor(actor.clone()),
        }
    }

    pub(crate) fn burst_under(intent: IntentRef) -> Self {
        Self {
            detector: Detector::Burst,
            of: Of::Intent(intent),
        }
    }

    pub(crate) fn unmandated(actor: &ActorName) -> Self {
        Self {
            detector: Detector::Unmandated,
            of: Of::Actor(actor.clone()),
        }
    }

    pub(crate) fn tool_changed(actor: &ActorName) -> Self {
        Self {
            detector: Detector::ToolChanged,
            of: Of::Actor(actor.clone()),
        }
    }

    /// What a flag in the log is about: an intent's flag may name an actor too.
    pub(crate) fn of_flag(flag: &Flag) -> Option<Self> {
        let of = match (flag.intent_ref, &flag.actor) {
            (Some(intent), _) => Of::Intent(intent),
            (None, Some(actor)) => Of::Actor(actor.clone()),
            (None, None) => return None,
        };
        Some(Self {
            detector: flag.detector,
            of,
        })
    }
}
