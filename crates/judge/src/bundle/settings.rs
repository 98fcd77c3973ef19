//! The settings of a bundle, held to their bounds.

use std::ops::RangeInclusive;

use countersign_core::document::Settings;

use crate::finding::Finding;
use crate::limits::{ESCALATION_TTL_S, PERMIT_TTL_S, WATCH_THRESHOLD, WATCH_WINDOW_S};

/// Says which settings are out of bounds.
pub(super) fn check(settings: &Settings, findings: &mut Vec<Finding>) {
    let watch = &settings.watch;
    let thresholds = 0..=WATCH_THRESHOLD;
    let windows = 1..=WATCH_WINDOW_S;
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
    let off = "0 turns the detector off";
    bound(
        "watch.burst_rejections",
        watch.burst_rejections,
        &thresholds,
        off,
    );
    bound(
        "watch.unmandated_calls",
        watch.unmandated_calls,
        &thresholds,
        off,
    );
    let window = "a window is in seconds";
    bound(
        "watch.burst_window_s",
        watch.burst_window_s,
        &windows,
        window,
    );
    bound(
        "watch.unmandated_window_s",
        watch.unmandated_window_s,
        &windows,
        window,
    );
}
