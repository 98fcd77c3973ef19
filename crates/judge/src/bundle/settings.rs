//! The settings of a bundle, held to their bounds.

use std::ops::RangeInclusive;

use countersign_core::document::{Settings, VaultSettings, WatchSettings};

use crate::finding::Finding;
use crate::limits::{
    ERASURE_WINDOW_H, ESCALATION_TTL_S, OPENED_PER_HOUR, PERMIT_TTL_S, RETENTION_DAYS,
    SECOND_READER_S, WATCH_MUTES, WATCH_PAST_CALLS, WATCH_PAST_DAYS, WATCH_THRESHOLD,
    WATCH_WINDOW_S,
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
    check_vault(&settings.vault, &mut bound);
    if settings.vault.four_eyes && settings.publishing.replay {
        let text = "`vault.four_eyes` and `publishing.replay` stand together";
        let hint = "a replay opens records and knows one person only: no other bundle could ever come into force";
        findings.push(Finding::error("bundle.toml", text).hint(hint));
    }
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
        ("spread.principals", watch.spread.principals),
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

fn check_vault(
    vault: &VaultSettings,
    bound: &mut impl FnMut(&str, u32, &RangeInclusive<u32>, &str),
) {
    let kept = &vault.retention;
    for (name, days) in [
        ("intent_days", kept.intent_days),
        ("call_days", kept.call_days),
        ("facts_days", kept.facts_days),
        ("reasoning_days", kept.reasoning_days),
        ("result_days", kept.result_days),
        ("statement_days", kept.statement_days),
    ] {
        let hint = "without it, records of the kind are kept";
        let days = days.unwrap_or(RETENTION_DAYS);
        bound(
            &format!("vault.retention.{name}"),
            days,
            &(1..=RETENTION_DAYS),
            hint,
        );
    }
    let second = "whoever asked to open a record waits that long, so it lasts minutes or hours";
    bound(
        "vault.second_reader_s",
        vault.second_reader_s,
        &(1..=SECOND_READER_S),
        second,
    );
    let any = "0 allows any number";
    bound(
        "vault.opened_per_hour",
        vault.opened_per_hour,
        &(0..=OPENED_PER_HOUR),
        any,
    );
    let window = "that long, an old backup may still open what was erased";
    bound(
        "vault.erasure_window_h",
        vault.erasure_window_h,
        &(0..=ERASURE_WINDOW_H),
        window,
    );
}
