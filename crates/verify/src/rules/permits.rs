//! Permits at the tool's side: used up, or refused.

use std::collections::HashMap;

use countersign_core::entry::{Execution, ExecutionPhase, Mode, PermitRefusal, PermitRefused};
use countersign_core::ids::{EntryId, PermitId};
use countersign_core::verdict::Outcome;

use super::Rules;
use super::decisions::Seen;
use crate::report::{At, Check};

/// Which permits were used up, and of which decision each is.
#[derive(Default)]
pub(crate) struct Permits {
    of: HashMap<PermitId, EntryId>,
    permits: HashMap<EntryId, PermitId>,
    used: HashMap<PermitId, u64>,
}

impl Permits {
    /// A permit is of one decision, and a decision has one permit.
    fn belongs(&mut self, at: &mut At<'_>, permit: PermitId, decision: EntryId) {
        let of = *self.of.entry(permit).or_insert(decision);
        let known = *self.permits.entry(decision).or_insert(permit);
        let found = format_args!("permit {permit} of {decision}");
        let expected = format_args!("permit {known}, or a decision of {of}");
        let holds = of == decision && known == permit;
        at.require(holds, Check::Permit, found, expected);
    }
}

impl Rules<'_> {
    /// What was used up held: the turn, the bundle, the asker.
    pub(super) fn permit_used(&mut self, at: &mut At<'_>, body: &Execution, by_agent: bool) {
        let Some(permit) = body.permit else {
            return;
        };
        let is_start = body.phase == ExecutionPhase::Started && !by_agent;
        let found = format_args!("a permit at `{}`", body.phase);
        let expected = "a permit only at `started`, by the tool's side";
        at.require(is_start, Check::Members, found, expected);
        if let Some(first) = self.permits.used.insert(permit, at.index) {
            let found = format_args!("permit {permit}, used at entry {first}");
            at.fail(Check::UsedOnce, found, "a permit that was not used before");
        }
        let Some(decision) = body.links.decision else {
            return;
        };
        self.permits.belongs(at, permit, decision);
        // Without a decision, the link is a finding of its own.
        let Some(seen) = self.decisions.get(&decision) else {
            return;
        };
        for (holds, found, expected) in [
            (
                self.is_asked(seen),
                "a stop",
                "an actor and an asker that were not stopped",
            ),
            (
                self.is_meant(at, seen),
                "an intent that has ended",
                "an intent that goes on",
            ),
            (
                self.is_permitted(seen),
                "another bundle in force",
                "the bundle of the decision",
            ),
            (
                self.is_in_time(at, seen),
                "a permit that has ended",
                "one that goes on",
            ),
        ] {
            at.require(holds, Check::Permit, found, expected);
        }
    }

    /// What is said of a permit that was refused is so, as far as the log knows.
    pub(super) fn permit_refused(&mut self, at: &mut At<'_>, body: &PermitRefused) {
        let is_ours = body.permit.is_some();
        let of_none = body.reason == PermitRefusal::Signature;
        let is_whole = is_ours == body.links.decision.is_some() && is_ours != of_none;
        let found = format_args!("`{}`", body.reason);
        let expected = "a permit and its decision, or neither for `signature`";
        at.require(is_whole, Check::Members, found, expected);
        let (Some(permit), Some(decision)) = (body.permit, body.links.decision) else {
            return;
        };
        self.permits.belongs(at, permit, decision);
        let Some(seen) = self.decisions.get(&decision) else {
            return;
        };
        let is_approval = seen.outcome == Outcome::Approved && seen.mode == Mode::Enforced;
        let found = format_args!("entry {}: `{}`", seen.index, seen.outcome.name());
        at.require(is_approval, Check::Permit, found, "an approved decision");
        let holds = match body.reason {
            PermitRefusal::Used => self.executions.is_told(&decision),
            PermitRefusal::Stopped => !self.is_asked(seen),
            PermitRefusal::Intent => !self.is_meant(at, seen),
            PermitRefusal::Policy => !self.is_permitted(seen),
            // What the permit says stands in no leaf.
            PermitRefusal::Expired
            | PermitRefusal::Audience
            | PermitRefusal::Arguments
            | PermitRefusal::Signature => true,
        };
        let found = format_args!("`{}`", body.reason);
        at.require(holds, Check::Permit, found, "a reason that the log shows");
    }

    fn is_asked(&self, seen: &Seen) -> bool {
        let givers = seen.delegation.as_ref();
        let givers = givers.map_or(&[][..], |id| self.intents.givers(id));
        let mut actors = givers.iter().chain([&seen.actor]);
        !actors.any(|actor| self.decisions.is_stopped(actor))
            && self.credentials.is_live(&seen.credential)
    }

    fn is_meant(&self, at: &At<'_>, seen: &Seen) -> bool {
        let now = at.entry.timestamp;
        let goes_on = |intent| self.intents.goes_on(intent, now);
        seen.intent_ref.as_ref().is_none_or(goes_on)
    }

    /// Not later than the bundle lets any permit live. That it ended before, with its turn, is shown by
    /// the turn.
    fn is_in_time(&self, at: &At<'_>, seen: &Seen) -> bool {
        let lived = at.entry.timestamp.millis_since(seen.time);
        let most = self.bundles.permit_ttl_s(&seen.policy_ref);
        most.is_none_or(|ttl_s| lived < i64::from(ttl_s).saturating_mul(1_000))
    }

    fn is_permitted(&self, seen: &Seen) -> bool {
        self.bundles.in_force() == Some(seen.policy_ref)
    }
}
