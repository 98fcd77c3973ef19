//! What a new bundle permits that the one before it had just rejected.

use countersign_core::entry::{Detector, Policy as PolicyEntry, PolicyPhase};
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::verdict::Outcome;

use super::{Call, bare};
use crate::cases::Cases;
use crate::limits;
use crate::past::{InForce, Past, Rejection, RejectionKey};
use crate::seen::{Before, Place, Seen};
use crate::subject::{Of, Subject};

/// A bundle came into force.
pub(crate) fn came_into_force(place: Place, body: &PolicyEntry, past: &mut Past) {
    if body.phase == PolicyPhase::InForce {
        past.in_force = Some(InForce {
            place,
            policy_ref: body.policy_ref,
            previous: body.previous,
            used: Vec::new(),
        });
    }
}

/// A call that is approved, though the bundle before rejected the same one shortly before.
pub(crate) fn loosened(call: &Call<'_>, past: &mut Past, cases: &mut Cases) {
    match call.decision.outcome {
        Outcome::Rejected => remember(call, past),
        Outcome::Approved => approved(call, past, cases),
        _ => {}
    }
}

/// Keeps what was rejected by rules. Other reasons do not change with a bundle.
fn remember(call: &Call<'_>, past: &mut Past) {
    let of_rules = [BuiltinReason::NoPermit, BuiltinReason::UnknownTool].map(ReasonId::builtin);
    let is_rule = |id: &ReasonId| !id.is_builtin() || of_rules.contains(id);
    if call.decision.reasons.iter().any(is_rule) {
        let window_s = call.settings().loosened.window_s;
        let terms = call.policy.terms(1, window_s);
        for key in keys(call) {
            let new = || Rejection {
                first: call.seen.clone(),
                last: call.seen.clone(),
                policy_ref: call.decision.policy_ref,
            };
            let known = past.rejected.entry(&key, new);
            let goes_on = known.policy_ref == call.decision.policy_ref
                && call.seen.at <= terms.deadline(known.last.at);
            if goes_on {
                known.last = call.seen.clone();
            } else {
                *known = new();
            }
        }
    }
}

fn approved(call: &Call<'_>, past: &mut Past, cases: &mut Cases) {
    let watch = &call.settings().loosened;
    let terms = call.policy.terms(watch.calls, watch.window_s);
    let Some(in_force) = &mut past.in_force else {
        return;
    };
    let Some(previous) = in_force.previous else {
        return;
    };
    let is_in_time = call.decision.policy_ref == in_force.policy_ref
        && call.seen.at <= terms.deadline(in_force.place.at);
    if watch.calls == 0 || !is_in_time || call.is_reviewed() || call.is_muted(Detector::Loosened) {
        return;
    }
    let rejected = |key: RejectionKey| {
        let rejection = past.rejected.get(&key)?;
        let is_before = |seen: &&Seen| {
            seen.place.index < in_force.place.index && in_force.place.at <= terms.deadline(seen.at)
        };
        let both = [&rejection.first, &rejection.last];
        let before: Vec<Seen> = both.into_iter().filter(is_before).cloned().collect();
        (rejection.policy_ref == previous && !before.is_empty()).then_some(before)
    };
    let Some(rejections) = keys(call).into_iter().find_map(rejected) else {
        return;
    };
    let subject = Subject {
        detector: Detector::Loosened,
        of: Of::Bundle(in_force.policy_ref),
    };
    if cases.go_on(&subject, &call.seen) {
        return;
    }
    // The bundle's entry is nobody's; here it is a part of what was done with it.
    let policy = Seen {
        actor: call.seen.actor.clone(),
        ..bare(in_force.place, Before::default())
    };
    let used = &mut in_force.used;
    used.extend(rejections);
    used.extend([policy, call.seen.clone()]);
    used.sort_by_key(|seen| seen.place.index);
    used.dedup_by_key(|seen| seen.place.index);
    let index = in_force.place.index;
    let calls = used.iter().filter(|seen| seen.place.index > index);
    let calls = u32::try_from(calls.count()).unwrap_or(u32::MAX);
    if calls >= terms.threshold {
        let chain = std::mem::take(used);
        cases.begin(subject, terms, &chain);
    }
}

/// What the call is known by: once for each of its targets.
fn keys(call: &Call<'_>) -> Vec<RejectionKey> {
    let decision = call.decision;
    let key = |target| {
        let (actor, action) = (decision.actor.clone(), decision.action.clone());
        (actor, action, target, decision.intent_ref.is_some())
    };
    let targets = decision.targets.iter().take(limits::TARGETS_OF_CALL);
    let keys: Vec<_> = targets.map(|target| key(Some(*target))).collect();
    match keys.is_empty() {
        true => vec![key(None)],
        false => keys,
    }
}
