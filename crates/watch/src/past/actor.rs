//! What one actor used to do.

use std::collections::BTreeSet;

use countersign_core::document::Baseline;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::time::Timestamp;

use super::day;
use super::novelty::Novelty;
use crate::gather::Pattern;
use crate::limits;

/// What one call weighs in the sums over days: they are whole numbers, and are cut every day.
const ONE: u64 = 16;
/// The part that is kept of such a sum from one day to the next: seven eighths, so that half of it
/// is of the last five days.
const KEPT: (u64, u64) = (7, 8);
/// After so many days without a call nothing is left of it.
const FORGOTTEN_DAYS: i64 = 128;
/// How many reports are weighed, in the end: at twice as many, all numbers are halved.
const REPORTS: u32 = 1024;
/// How many hours after an actor was first at work at an hour, that hour counts as known.
const KNOWN_AFTER_H: i64 = 12;

/// How many hours lie between one at which the actor is at work and one that is usual, too.
const NEAR_H: i64 = 1;
/// So many hours away from all that are known, an hour stands out whatever was before.
const FAR_H: i64 = 3;

/// What one actor used to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    today: i64,
    /// Days with a call, today included.
    days: u32,
    all_calls: u64,
    calls: Daily,
    rejected: Daily,
    targets: BTreeSet<Pseudonym>,
    reaches_many: bool,
    target: Novelty,
    hours: Hours,
    reports: Reports,
}

/// A number of today, and the fading sum of the days before.
#[derive(Debug, Clone, Copy, Default)]
struct Daily {
    today: u64,
    before: u64,
}

impl Daily {
    fn turn(&mut self, days: i64) {
        self.before = self.before.saturating_add(self.today.saturating_mul(ONE));
        self.today = 0;
        if days >= FORGOTTEN_DAYS {
            self.before = 0;
        }
        for _ in 0..days.clamp(0, FORGOTTEN_DAYS) {
            self.before = self.before.saturating_mul(KEPT.0) / KEPT.1;
        }
    }
}

/// At which hours of the day the actor was at work, and since when.
#[derive(Debug, Clone, Default)]
struct Hours {
    /// For each hour of the day in UTC: the hour since 1970 at which it was first.
    first: [Option<i64>; 24],
    last: Option<i64>,
    is_off: bool,
    novelty: Novelty,
}

/// Of how many approved calls it was told that they ran.
#[derive(Debug, Clone, Copy, Default)]
struct Reports {
    all: u32,
    missing: u32,
}

impl Profile {
    /// One more call. To be called last, when the detectors have looked at it.
    pub(crate) fn learn(&mut self, at: Timestamp, is_rejected: bool) {
        let today = day(at);
        if self.days == 0 || today > self.today {
            let days = today.saturating_sub(self.today);
            self.calls.turn(days);
            self.rejected.turn(days);
            self.today = today;
            self.days = self.days.saturating_add(1);
        }
        self.all_calls = self.all_calls.saturating_add(1);
        self.calls.today = self.calls.today.saturating_add(1);
        self.rejected.today += u64::from(is_rejected);
    }

    /// How often the actor's calls are rejected, if it has a past of enough calls and days. What
    /// happens today is no past.
    pub(crate) fn rejections(&self, at: Timestamp, enough: &Baseline) -> Option<Pattern> {
        let (mut calls, mut rejected) = (self.calls, self.rejected);
        let days = day(at).saturating_sub(self.today);
        if days > 0 {
            calls.turn(days);
            rejected.turn(days);
        }
        let is_enough = self.all_calls.saturating_sub(calls.today) >= enough.past_calls.into()
            && self.days_before(at) >= enough.past_days;
        // Of little that is left of the past, little is said: as if one more had been rejected.
        let rejected = rejected.before.saturating_add(ONE);
        let calls = calls.before.saturating_add(ONE);
        is_enough.then(|| Pattern::of(rejected, calls))
    }

    fn days_before(&self, at: Timestamp) -> u32 {
        self.days.saturating_sub(u32::from(day(at) == self.today))
    }

    /// Takes in the targets of a call. Gives one that is new, and whether that stands out.
    pub(crate) fn reach(
        &mut self,
        at: Timestamp,
        (targets, unnamed): (&[Pseudonym], &[Pseudonym]),
        enough: &Baseline,
    ) -> Option<(Pseudonym, bool)> {
        if self.reaches_many || targets.is_empty() {
            return None;
        }
        let is_new = |target: &&Pseudonym| !self.targets.contains(*target);
        let new = unnamed.iter().chain(targets).find(is_new);
        let Some(new) = new.copied() else {
            self.target.usual();
            return None;
        };
        self.targets.extend(targets);
        // What others know is less of a surprise.
        let times = if unnamed.contains(&new) { 1 } else { 2 };
        let stands_out = self.target.novel(enough.past_calls, times);
        if self.targets.len() > limits::TARGETS_OF_ACTOR {
            self.reaches_many = true;
            self.targets = BTreeSet::new();
        }
        Some((new, stands_out && self.days_before(at) >= enough.past_days))
    }

    /// Takes in that the actor is at work. Says whether the hour is one at which it never was.
    pub(crate) fn is_off_hours(&mut self, at: Timestamp, enough: &Baseline) -> bool {
        let has_past = self.days_before(at) >= enough.past_days;
        let hour = at.as_millis().div_euclid(3_600_000);
        self.hours.meet(hour, enough.past_days.saturating_mul(3)) && has_past
    }

    /// One more approved call whose time for a report is over. How often reports are missing, if
    /// they almost never are.
    pub(crate) fn report(&mut self, is_missing: bool, past_calls: u32) -> Option<Pattern> {
        let before = self.reports;
        self.reports.all = self.reports.all.saturating_add(1);
        self.reports.missing += u32::from(is_missing);
        if self.reports.all >= REPORTS.saturating_mul(2) {
            self.reports.all /= 2;
            self.reports.missing /= 2;
        }
        let is_enough = before.all >= past_calls.min(REPORTS);
        let is_usual = u64::from(before.missing).saturating_mul(16) <= u64::from(before.all);
        (is_enough && is_usual).then(|| Pattern::of(before.missing.into(), before.all.into()))
    }
}

impl Hours {
    fn meet(&mut self, hour: i64, least: u32) -> bool {
        let last = self.last.unwrap_or(i64::MIN);
        if last >= hour {
            return self.is_off;
        }
        self.last = Some(hour);
        // An hour soon after one that stood out stands out with it.
        let goes_on = self.is_off && hour.saturating_sub(last) <= KNOWN_AFTER_H;
        self.is_off = if self.is_near(hour, NEAR_H) {
            self.novelty.usual();
            false
        } else {
            let stands_out = self.novelty.novel(least, 2);
            stands_out || goes_on || !self.is_near(hour, FAR_H)
        };
        if let Some(first) = self.first.get_mut(of_day(hour)) {
            first.get_or_insert(hour);
        }
        self.is_off
    }

    /// Whether the actor was at work at an hour of the day that is no further away than this.
    fn is_near(&self, hour: i64, away: i64) -> bool {
        (-away..=away).any(|beside| {
            let first = self.first.get(of_day(hour.saturating_add(beside)));
            let first = first.copied().flatten();
            first.is_some_and(|first| hour.saturating_sub(first) > KNOWN_AFTER_H)
        })
    }
}

fn of_day(hour: i64) -> usize {
    usize::try_from(hour.rem_euclid(24)).unwrap_or(0)
}
