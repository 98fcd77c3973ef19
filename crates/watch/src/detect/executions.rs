//! What ran without having been approved, and what was approved and did not run.

use countersign_core::entry::{Detector, Execution, PermitRefusal, PermitRefused};
use countersign_core::verdict::Outcome;

use super::{Call, Policy, bare};
use crate::cases::Cases;
use crate::past::{Awaited, Decided, Past};
use crate::seen::{Place, Seen};
use crate::subject::{Of, Subject};

/// Has an approved call wait for the report that it ran.
pub(crate) fn await_report(call: &Call<'_>, past: &mut Past) {
    let watch = &call.settings().missing_execution;
    let is_approved = call.decision.outcome == Outcome::Approved;
    if !is_approved || watch.calls == 0 || call.is_muted(Detector::MissingExecution) {
        return;
    }
    let until = call
        .seen
        .at
        .plus_millis(i64::from(watch.after_s).saturating_mul(1000));
    past.await_report(Awaited {
        until,
        seen: call.seen.clone(),
        terms: call.policy.terms(watch.calls, watch.window_s),
        past_calls: call.settings().baseline.past_calls,
    });
}

/// The time of an approved call is over: it was reported to have run, or it is missing.
pub(crate) fn overdue(awaited: Awaited, past: &mut Past, cases: &mut Cases) {
    let Awaited {
        until,
        mut seen,
        terms,
        past_calls,
    } = awaited;
    seen.at = until;
    let decided = past.decisions.get(&seen.place.entry);
    let (Some(decided), Some(actor)) = (decided, seen.actor.clone()) else {
        return;
    };
    let is_missing = !decided.is_told;
    let Some(profile) = past.actors.get_mut(&actor) else {
        return;
    };
    let pattern = profile.report(is_missing, past_calls);
    let subject = Subject::actor(Detector::MissingExecution, &actor);
    match (pattern, is_missing) {
        (Some(pattern), true) => cases.count(subject, &seen, terms, Some(pattern)),
        (None, true) => {
            cases.go_on(&subject, &seen);
        }
        (Some(pattern), false) => cases.relieve(&subject, pattern),
        (None, false) => {}
    }
}

/// Something ran.
pub(crate) fn ran(
    place: Place,
    body: &Execution,
    policy: &Policy,
    past: &mut Past,
    cases: &mut Cases,
) {
    let decided = body.links.decision.as_ref();
    let Some(decided) = decided.and_then(|id| past.decisions.get_mut(id)) else {
        return;
    };
    decided.is_told = true;
    let decided = decided.clone();
    let watch = &policy.settings.unapproved_execution;
    if decided.outcome == Outcome::Approved || watch.refusals == 0 {
        return;
    }
    let seen = Seen {
        is_grave: true,
        ..about(place, Some(&decided), past)
    };
    // One is enough.
    count(seen, Some(&decided), (1, watch.window_s), policy, cases);
}

/// A permit was refused. Of those that ran out, or whose bundle or turn has ended, nothing is made.
pub(crate) fn refused(
    place: Place,
    body: &PermitRefused,
    policy: &Policy,
    past: &Past,
    cases: &mut Cases,
) {
    use PermitRefusal::{Arguments, Audience, Signature, Used};
    if !matches!(body.reason, Used | Audience | Arguments | Signature) {
        return;
    }
    let decided = body.links.decision.as_ref();
    let decided = decided.and_then(|id| past.decisions.get(id));
    let watch = &policy.settings.unapproved_execution;
    let seen = about(place, decided, past);
    count(
        seen,
        decided,
        (watch.refusals, watch.window_s),
        policy,
        cases,
    );
}

fn about(place: Place, decided: Option<&Decided>, past: &Past) -> Seen {
    let session = decided.and_then(|decided| decided.session);
    Seen {
        actor: decided.map(|decided| decided.actor.clone()),
        ..bare(place, past.before(session.as_ref()))
    }
}

fn count(
    seen: Seen,
    decided: Option<&Decided>,
    (threshold, window_s): (u32, u32),
    policy: &Policy,
    cases: &mut Cases,
) {
    let detector = Detector::UnapprovedExecution;
    let of = decided.map(|decided| (&decided.actor, &decided.action));
    if policy.mutes(detector, of, seen.at) {
        return;
    }
    let of = seen.actor.clone().map_or(Of::Nobody, Of::Actor);
    let terms = policy.terms(threshold, window_s);
    cases.count(Subject { detector, of }, &seen, terms, None);
}
