//! The settings of a bundle, held to their bounds.

use std::ops::RangeInclusive;

use countersign_core::document::{Settings, WatchSettings};

use crate::finding::Finding;
use crate::limits::{
    ESCALATION_TTL_S, PERMIT_TTL_S, WATCH_MUTES, WATCH_PAST_CALLS, WATCH_PAST_DAYS,
    WATCH_THRESHOLD, WATCH_WINDOW_S,
};

/// Says which settings are out of bounds.
pub(super) fn check(settings: &Settings, findings: &mut Vec<Finding>) {
    let mut bound = |name: &str, value: u32, allowed: &RangeInclusive<u32>, hint: &str| {
        if !allowed.contains(&value) {
            let (least, most) = (allowed.start(), allowed.end());
            let text = format!("`{name}` is {value}; allowed are {least} to {most}");
            findings.push(Finding::error("bundle.toml", text).hint(hint));
        }
    };
    let ttl = "a permit is for one call that is about to be made, so it lasts seconds";
    bound(
        "permit_ttl_s",
        settings.permit_ttl_s,
        &(1..=PERMIT_TTL_S),
        ttl,
    );
    let asked = "whoever waits for the answer waits that long, so it lasts minutes or hours";
    bound(
        "escalation_ttl_s",
        settings.escalation_ttl_s,
        &(1..=ESCALATION_TTL_S),
        asked,
    );
    check_watch(&settings.watch, &mut bound);
    let muted = settings.watch.mute.len();
    if muted > WATCH_MUTES {
        let text = format!("`watch.mute` has {muted} items; allowed are at most {WATCH_MUTES}");
        let hint = "one item covers all actors whose names begin with a prefix that ends in `/`";
        findings.push(Finding::error("bundle.toml", text).hint(hint));
    }
}

fn check_watch(
    watch: &WatchSettings,
    bound: &mut impl FnMut(&str, u32, &RangeInclusive<u32>, &str),
) {
    let thresholds = [
        ("burst_rejections", watch.burst_rejections),
        ("unmandated_calls", watch.unmandated_calls),
        ("retry.attempts", watch.retry.attempts),
        ("novel_target.calls", watch.novel_target.calls),
        ("off_hours.calls", watch.off_hours.calls),
        ("spread.sessions", watch.spread.sessions),
        ("missing_execution.calls", watch.missing_execution.calls),
        (
            "unapproved_execution.refusals",
            watch.unapproved_execution.refusals,
        ),
        ("reading_around.records", watch.reading_around.records),
        ("loosened.calls", watch.loosened.calls),
    ];
    for (name, value) in thresholds {
        let hint = "0 turns the detector off";
        bound(
            &format!("watch.{name}"),
            value,
            &(0..=WATCH_THRESHOLD),
            hint,
        );
    }
    let windows = [
        ("burst_window_s", watch.burst_window_s),
        ("unmandated_window_s", watch.unmandated_window_s),
        ("retry.window_s", watch.retry.window_s),
        ("novel_target.window_s", watch.novel_target.window_s),
        ("off_hours.window_s", watch.off_hours.window_s),
        ("spread.window_s", watch.spread.window_s),
        (
            "missing_execution.window_s",
            watch.missing_execution.window_s,
        ),
        ("missing_execution.after_s", watch.missing_execution.after_s),
        (
            "unapproved_execution.window_s",
            watch.unapproved_execution.window_s,
        ),
        ("reading_around.window_s", watch.reading_around.window_s),
        ("loosened.window_s", watch.loosened.window_s),
    ];
    for (name, value) in windows {
        let hint = "a window is in seconds";
        bound(&format!("watch.{name}"), value, &(1..=WATCH_WINDOW_S), hint);
    }
    let past = "an actor that must have more of a past than it will ever have is never held to it";
    let calls = 1..=WATCH_PAST_CALLS;
    bound(
        "watch.baseline.past_calls",
        watch.baseline.past_calls,
        &calls,
        past,
    );
    let days = 1..=WATCH_PAST_DAYS;
    bound(
        "watch.baseline.past_days",
        watch.baseline.past_days,
        &days,
        past,
    );
}
