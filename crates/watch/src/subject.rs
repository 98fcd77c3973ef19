//! Whom or what an incident concerns.

use countersign_core::entry::{Detector, Flag};
use countersign_core::ids::CredentialId;
use countersign_core::names::ActorName;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, PolicyRef};

/// One detector, applied to one actor, intent or what else entries have in common. There is at most
/// one running incident of each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) detector: Detector,
    pub(crate) of: Of,
}

/// What the entries of an incident have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    /// Stands for no incident; it comes before all that do.
    Any,
    Actor(ActorName),
    Intent(IntentRef),
    Target(Pseudonym),
    Reader(CredentialId),
    /// The bundle that came into force.
    Bundle(PolicyRef),
    /// Nothing that the entries name.
    Nobody,
}

impl Subject {
    /// Comes before every other one, or is it.
    pub(crate) fn first() -> Self {
        Self {
            detector: Detector::Burst,
            of: Of::Any,
        }
    }

    pub(crate) fn actor(detector: Detector, actor: &ActorName) -> Self {
        let of = Of::Actor(actor.clone());
        Self { detector, of }
    }

    pub(crate) fn intent(detector: Detector, intent: IntentRef) -> Self {
        let of = Of::Intent(intent);
        Self { detector, of }
    }

    /// What a flag in the log is about: an intent's flag may name an actor too.
    pub(crate) fn of_flag(flag: &Flag) -> Option<Self> {
        let detector = flag.detector;
        let of = match detector {
            Detector::Spread => Of::Target(flag.target?),
            Detector::ReadingAround => Of::Reader(flag.reader?),
            Detector::Loosened => Of::Bundle(flag.policy_ref),
            _ => match (flag.intent_ref, &flag.actor) {
                (Some(intent), _) => Of::Intent(intent),
                (None, Some(actor)) => Of::Actor(actor.clone()),
                (None, None) if detector == Detector::UnapprovedExecution => Of::Nobody,
                (None, None) => return None,
            },
        };
        Some(Self { detector, of })
    }

    /// The same intent's incident of the detector that looks at the same attempts.
    pub(crate) fn twin(&self) -> Option<Self> {
        let detector = match (self.detector, &self.of) {
            (Detector::Burst, Of::Intent(_)) => Detector::Retry,
            (Detector::Retry, _) => Detector::Burst,
            _ => return None,
        };
        Some(Self {
            detector,
            of: self.of.clone(),
        })
    }

    /// Whether entries that do not come together within the window can be one incident all the same.
    pub(crate) fn can_be_slow(&self) -> bool {
        self.detector == Detector::Burst && matches!(self.of, Of::Actor(_))
    }

    /// Whether a running incident that names the same entries makes this one's flag needless.
    pub(crate) fn can_be_covered(&self) -> bool {
        use Detector::{Burst, Retry, Spread, Unmandated};
        matches!(self.detector, Burst | Retry | Spread | Unmandated)
    }

    /// Whether its flag can stand for others'. What is only unusual cannot.
    pub(crate) fn can_cover(&self) -> bool {
        use Detector::{Burst, Retry, Spread, ToolChanged, Unmandated};
        matches!(
            self.detector,
            Burst | Retry | Spread | ToolChanged | Unmandated
        )
    }

    /// Whether the entries are calls, of which some were stopped and some passed.
    pub(crate) fn is_about_calls(&self) -> bool {
        use Detector::{ReadingAround, UnapprovedExecution};
        !matches!(self.detector, ReadingAround | UnapprovedExecution)
    }
}
