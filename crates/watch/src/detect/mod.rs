//! The detectors: each looks at an entry and at the past, and says what counts.

mod attempts;
mod bundles;
mod executions;
mod readers;
mod unusual;

pub(crate) use attempts::{burst, remember, retry, tool_changed, unmandated};
pub(crate) use bundles::{came_into_force, loosened};
pub(crate) use executions::{await_report, overdue, ran, refused};
pub(crate) use readers::opened;
pub(crate) use unusual::{novel_target, off_hours, spread, unnamed};

use std::sync::Arc;

use countersign_core::document::WatchSettings;
use countersign_core::entry::{ActorPattern, Decision, Detector, Mode};
use countersign_core::names::{ActionName, ActorName, BuiltinReason, ReasonId};
use countersign_core::refs::PolicyRef;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use crate::limits;
use crate::past::{Attempt, Past};
use crate::seen::{Before, Fate, Place, Seen, Terms, WHOLE};

/// The bundle in force, and what it says of the detectors.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) policy_ref: PolicyRef,
    pub(crate) settings: Arc<WatchSettings>,
}

impl Policy {
    pub(crate) fn terms(&self, threshold: u32, window_s: u32) -> Terms {
        Terms {
            policy_ref: self.policy_ref,
            threshold: threshold.min(limits::THRESHOLD),
            window_s,
        }
    }

    /// Whether the bundle says that this is not to be counted.
    pub(crate) fn mutes(
        &self,
        detector: Detector,
        of: Option<(&ActorName, &ActionName)>,
        at: Timestamp,
    ) -> bool {
        self.settings.mute.iter().any(|mute| {
            let covers_actor =
                |pattern: &ActorPattern| of.is_some_and(|(actor, _)| pattern.covers(actor));
            let is_action = |action: &ActionName| of.is_some_and(|(_, of)| of == action);
            mute.detector == detector
                && mute.until.is_none_or(|until| at < until)
                && mute.actor.as_ref().is_none_or(covers_actor)
                && mute.action.as_ref().is_none_or(is_action)
        })
    }
}

/// A decision that had an effect.
pub(crate) struct Call<'a> {
    pub(crate) decision: &'a Decision,
    pub(crate) policy: &'a Policy,
    pub(crate) seen: Seen,
}

impl<'a> Call<'a> {
    pub(crate) fn of(
        place: Place,
        decision: &'a Decision,
        policy: &'a Policy,
        past: &Past,
    ) -> Option<Self> {
        (decision.mode == Mode::Enforced).then(|| Self {
            decision,
            policy,
            seen: Seen {
                place,
                at: place.at,
                actor: Some(decision.actor.clone()),
                whose: decision.principal.or(decision.session),
                target: None,
                before: past.before(decision.session.as_ref()),
                fate: Fate::from(decision.outcome),
                weight: WHOLE,
                can_begin: true,
                is_grave: false,
            },
        })
    }

    fn settings(&self) -> &'a WatchSettings {
        &self.policy.settings
    }

    /// Whether the bundle says that this detector is not to count it.
    fn is_muted(&self, detector: Detector) -> bool {
        let of = Some((&self.decision.actor, &self.decision.action));
        self.policy.mutes(detector, of, self.seen.at)
    }

    fn is_rejected(&self) -> bool {
        self.decision.outcome == Outcome::Rejected
    }

    /// Whether it was stopped.
    fn is_stopped(&self) -> bool {
        self.decision.outcome != Outcome::Approved
    }

    /// Whether an earlier attempt under the same intent was stopped that does the same to the same
    /// target. Without a target nothing says that it is the same.
    fn is_repeat(&self, past: &Past) -> bool {
        let earlier = self
            .decision
            .intent_ref
            .and_then(|intent| past.attempts.get(&intent));
        let attempt = Attempt::of(self.decision);
        !attempt.targets.is_empty() && earlier.is_some_and(|earlier| earlier.contains(&attempt))
    }

    /// Whether a person has answered to it.
    fn is_reviewed(&self) -> bool {
        self.decision.links.review.is_some() || self.decision.links.resolves.is_some()
    }

    /// Whether it was rejected because its tool is listed otherwise than it was confirmed.
    fn has_changed_tool(&self) -> bool {
        let changed = ReasonId::builtin(BuiltinReason::ToolChanged);
        self.is_rejected() && self.decision.reasons.contains(&changed)
    }

    /// Whether somebody called the tool. Where a changed definition was met in a list, nobody did.
    pub(crate) fn is_attempt(&self) -> bool {
        self.decision.facts_ref.is_some() || !self.has_changed_tool()
    }
}

/// Something that is about no call, or about one that another entry is about.
pub(crate) fn bare(place: Place, before: Before) -> Seen {
    Seen {
        place,
        at: place.at,
        actor: None,
        whose: None,
        target: None,
        before,
        fate: Fate::Neither,
        weight: WHOLE,
        can_begin: true,
        is_grave: false,
    }
}
