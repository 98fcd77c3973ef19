//! Calls that were stopped, and calls that nobody stands behind.

use countersign_core::entry::Detector;
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::verdict::Outcome;

use super::Call;
use crate::cases::Cases;
use crate::gather::Pattern;
use crate::limits;
use crate::past::{Attempt, Past};
use crate::seen::{ASKED, REPEAT, Seen, Terms, WHOLE};
use crate::subject::Subject;

/// Calls of tools that their servers list otherwise than a person has confirmed them.
pub(crate) fn tool_changed(call: &Call<'_>, cases: &mut Cases) {
    if call.has_changed_tool() && !call.is_muted(Detector::ToolChanged) {
        let terms = call.policy.terms(1, limits::TOOL_CHANGED_WINDOW_S);
        let subject = Subject::actor(Detector::ToolChanged, &call.decision.actor);
        cases.count(subject, &call.seen, terms, None);
    }
}

/// Calls without a live intent. Those that were stopped, or whose state kept changing, were refused
/// before anybody looked for their turn.
pub(crate) fn unmandated(call: &Call<'_>, cases: &mut Cases) {
    let unlooked = [BuiltinReason::Stopped, BuiltinReason::Contended].map(ReasonId::builtin);
    let decision = call.decision;
    let is_unmandated =
        decision.intent_ref.is_none() && !decision.reasons.iter().any(|id| unlooked.contains(id));
    if is_unmandated && call.is_attempt() && !call.is_muted(Detector::Unmandated) {
        let settings = call.settings();
        let (threshold, window_s) = (settings.unmandated_calls, settings.unmandated_window_s);
        let subject = Subject::actor(Detector::Unmandated, &decision.actor);
        cases.count(
            subject,
            &call.seen,
            call.policy.terms(threshold, window_s),
            None,
        );
    }
}

/// Rejections under one intent, and of one actor.
pub(crate) fn burst(call: &Call<'_>, past: &Past, cases: &mut Cases) {
    if !call.is_attempt() || call.is_muted(Detector::Burst) {
        return;
    }
    let settings = call.settings();
    let profile = past.actors.get(&call.decision.actor);
    let pattern = profile.and_then(|of| of.rejections(call.seen.at, &settings.baseline));
    let terms = burst_terms(call, pattern);
    let under = call.decision.intent_ref;
    let under = under.map(|intent| Subject::intent(Detector::Burst, intent));
    let of = Subject::actor(Detector::Burst, &call.decision.actor);
    // Which of them has an incident decides whether the other needs one.
    let mut subjects: Vec<Subject> = under.into_iter().chain([of.clone()]).collect();
    if cases.is_flagged(&of) {
        subjects.reverse();
    }
    let seen = Seen {
        weight: if call.is_repeat(past) { REPEAT } else { WHOLE },
        ..call.seen.clone()
    };
    for subject in subjects {
        if call.is_rejected() {
            cases.count(subject, &seen, terms, pattern);
        } else if let Some(pattern) = pattern {
            cases.relieve(&subject, pattern);
        }
    }
}

/// Who was observed for long is only held to more than the floor.
fn burst_terms(call: &Call<'_>, pattern: Option<Pattern>) -> Terms {
    let settings = call.settings();
    let more = u32::from(pattern.is_some() && settings.burst_rejections > 1);
    let threshold = settings.burst_rejections.saturating_add(more);
    call.policy.terms(threshold, settings.burst_window_s)
}

/// Attempts of one intent that go on after a rejection, and what gets through.
pub(crate) fn retry(call: &Call<'_>, past: &Past, cases: &mut Cases) {
    let settings = &call.settings().retry;
    let Some(intent) = call.decision.intent_ref else {
        return;
    };
    if settings.attempts == 0 || !call.is_attempt() || call.is_muted(Detector::Retry) {
        return;
    }
    let terms = call.policy.terms(settings.attempts, settings.window_s);
    let attempt = Attempt::of(call.decision);
    let earlier = past.attempts.get(&intent).map_or(&[][..], Vec::as_slice);
    let subject = Subject::intent(Detector::Retry, intent);
    if call.decision.outcome == Outcome::Approved {
        let gets_through = earlier.iter().any(|earlier| earlier.reaches(&attempt));
        if gets_through && !call.is_reviewed() {
            let passed = Seen {
                weight: 0,
                can_begin: false,
                ..call.seen.clone()
            };
            let burst = Subject::intent(Detector::Burst, intent);
            cases.join(&burst, &passed, &burst_terms(call, None));
            cases.join(&subject, &passed, &terms);
        }
        return;
    }
    if earlier.is_empty() && !call.is_rejected() {
        return;
    }
    let is_akin = earlier.is_empty() || earlier.iter().any(|of| of.is_akin(&attempt));
    let is_new = !earlier.contains(&attempt);
    if is_akin {
        // The same once more belongs to it, and is no other attempt.
        let seen = Seen {
            weight: match (is_new, call.is_rejected()) {
                (false, _) => 0,
                (true, true) => WHOLE,
                (true, false) => ASKED,
            },
            can_begin: call.is_rejected(),
            ..call.seen.clone()
        };
        if is_new {
            cases.count(subject, &seen, terms, None);
        } else {
            cases.join(&subject, &seen, &terms);
        }
    }
}

/// Keeps a stopped attempt, to know later ones by.
pub(crate) fn remember(call: &Call<'_>, past: &mut Past) {
    let Some(intent) = call.decision.intent_ref else {
        return;
    };
    let is_known = past.attempts.get(&intent).is_some();
    if !call.is_stopped() || !(is_known || call.is_rejected()) {
        return;
    }
    let attempt = Attempt::of(call.decision);
    let attempts = past.attempts.entry(&intent, Vec::new);
    if attempts.len() < limits::ATTEMPTS && !attempts.contains(&attempt) {
        attempts.push(attempt);
    }
}
