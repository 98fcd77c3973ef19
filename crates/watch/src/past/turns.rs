//! What is remembered of single decisions, targets and bundles.

use countersign_core::entry::Decision;
use countersign_core::names::{ActionName, ActorName};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::PolicyRef;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use crate::limits;
use crate::seen::{Place, Seen};

/// What later entries about a decision need of it.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) actor: ActorName,
    pub(crate) session: Option<Pseudonym>,
    pub(crate) action: ActionName,
    pub(crate) outcome: Outcome,
    /// Whether anybody has reported that its call ran.
    pub(crate) is_told: bool,
}

/// When a target was first named, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) since: Timestamp,
    /// The first entry for each person, and the first stopped one.
    pub(crate) chain: Vec<Seen>,
}

/// A stopped attempt, as far as one differs from another without its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) action: ActionName,
    pub(crate) targets: Vec<Pseudonym>,
}

impl Attempt {
    pub(crate) fn of(decision: &Decision) -> Self {
        let targets = decision.targets.iter().take(limits::TARGETS_OF_CALL);
        Self {
            action: decision.action.clone(),
            targets: targets.copied().collect(),
        }
    }

    /// Whether they are towards the same end: a target in common, or actions of one family.
    pub(crate) fn is_akin(&self, other: &Self) -> bool {
        self.shares_target(other) || family(&self.action) == family(&other.action)
    }

    /// Whether they do the same: to a target that they have in common, or without any.
    pub(crate) fn reaches(&self, other: &Self) -> bool {
        let names_none = self.targets.is_empty() && other.targets.is_empty();
        self.shares_target(other) || (names_none && self.action == other.action)
    }

    fn shares_target(&self, other: &Self) -> bool {
        self.targets
            .iter()
            .any(|target| other.targets.contains(target))
    }
}

/// What stands before the first dot: `email` of `email.send`.
fn family(action: &ActionName) -> &str {
    let name = action.as_str();
    name.split_once('.').map_or(name, |(family, _)| family)
}

/// What was rejected: an actor's action on one target, or on none, with a turn or without one.
pub(crate) type RejectionKey = (ActorName, ActionName, Option<Pseudonym>, bool);

/// That something was rejected by the rules of a bundle.
#[derive(Debug, Clone)]
pub(crate) struct Rejection {
    /// The first of those that are not far apart.
    pub(crate) first: Seen,
    pub(crate) last: Seen,
    pub(crate) policy_ref: PolicyRef,
}

/// The bundle that is in force, and what it put an end to.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) place: Place,
    pub(crate) policy_ref: PolicyRef,
    pub(crate) previous: Option<PolicyRef>,
    /// Rejections before, and approvals since, of the same; the newest.
    pub(crate) used: Vec<Seen>,
}
