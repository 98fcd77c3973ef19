//! The weeks that are played.

use countersign_core::time::Timestamp;

pub(super) const SECOND_MS: i64 = 1_000;
pub(super) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// 2026-02-09T00:00:00Z, a Monday: when the log begins.
const BEGIN_MS: i64 = 1_770_595_200_000;

/// The beginning of a day, counted from that of the log, in milliseconds.
pub(super) fn day(n: i64) -> i64 {
    BEGIN_MS + n * DAY_MS
}

/// The day of the week, from Monday, of a day of the log.
pub(super) fn weekday(n: i64) -> i64 {
    n.rem_euclid(7)
}

/// When the log begins.
pub(super) fn begin() -> Timestamp {
    Timestamp::from_millis(BEGIN_MS)
}

/// The hour of the day, with its fraction.
pub(super) fn at(day_n: i64, hour: f64) -> i64 {
    day(day_n) + (hour * HOUR_MS as f64) as i64
}
