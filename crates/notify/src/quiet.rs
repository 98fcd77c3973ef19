//! Quiet hours: a window of each day, by a fixed offset from UTC.

use countersign_core::entry::Severity;
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;
const DAY_MIN: i64 = 24 * 60;
/// The offsets that are in use anywhere, in minutes (UTC-12 to UTC+14).
const OFFSETS: std::ops::RangeInclusive<i64> = -12 * 60..=14 * 60;

/// A window in which what is less than grave is gathered. What is critical always passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    from: i64,
    to: i64,
    offset: i64,
    below: Severity,
}

/// Why a window cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuietError {
    /// A time of day.
    #[error("`{0}` is no time of day: allowed is `00:00` to `23:59`")]
    Time(String),
    /// An offset.
    #[error("`{0}` is no offset from UTC: allowed is `-12:00` to `+14:00`, as `+02:00`")]
    Offset(String),
    /// The window is empty, or the whole day.
    #[error(
        "quiet hours begin and end at `{0}`: nothing but what is critical would ever be told in time"
    )]
    Empty(String),
    /// Notices are below nothing.
    #[error("`below` is `notice`, and nothing is below it: allowed are `warning` and `critical`")]
    Below,
}

/// The window as settings have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawQuiet {
    /// When it begins, as `22:00`.
    pub from: String,
    /// When it ends, as `07:00`.
    pub to: String,
    /// The offset from UTC of both, as `+02:00`; it does not follow summer time.
    #[serde(default = "utc")]
    pub offset: String,
    /// What is less grave than this is gathered; `critical` unless it says `warning`.
    #[serde(default = "critical")]
    pub below: Severity,
}

fn utc() -> String {
    "+00:00".to_owned()
}

fn critical() -> Severity {
    Severity::Critical
}

impl QuietHours {
    /// Reads a window.
    pub fn parse(raw: &RawQuiet) -> Result<Self, QuietError> {
        let time = |text: &str| minutes(text).filter(|minutes| *minutes < DAY_MIN);
        let from = time(&raw.from).ok_or_else(|| QuietError::Time(raw.from.clone()))?;
        let to = time(&raw.to).ok_or_else(|| QuietError::Time(raw.to.clone()))?;
        if from == to {
            return Err(QuietError::Empty(raw.from.clone()));
        }
        if raw.below == Severity::Notice {
            return Err(QuietError::Below);
        }
        let bad_offset = || QuietError::Offset(raw.offset.clone());
        let (sign, rest) = match raw.offset.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, raw.offset.strip_prefix('+').ok_or_else(bad_offset)?),
        };
        let offset = minutes(rest).ok_or_else(bad_offset)?.saturating_mul(sign);
        match OFFSETS.contains(&offset) {
            true => Ok(Self {
                from,
                to,
                offset,
                below: raw.below,
            }),
            false => Err(bad_offset()),
        }
    }

    /// Whether news of this urgency waits at this time.
    pub fn holds(&self, urgency: Severity, now: Timestamp) -> bool {
        self.could_hold(urgency) && self.is_quiet(now)
    }

    /// Whether news of this urgency waits at any time.
    pub fn could_hold(&self, urgency: Severity) -> bool {
        urgency < self.below
    }

    /// Whether this time is in the window. Its end is not.
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        let minute = now.as_millis().div_euclid(MINUTE_MS);
        let minute = minute.saturating_add(self.offset).rem_euclid(DAY_MIN);
        match self.from < self.to {
            true => (self.from..self.to).contains(&minute),
            false => minute >= self.from || minute < self.to,
        }
    }
}

/// `HH:MM` as minutes.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| is_two)
    };
    let minutes = number(minutes).filter(|minutes| *minutes < 60)?;
    Some(number(hours)?.saturating_mul(60).saturating_add(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(from: &str, to: &str, offset: &str) -> RawQuiet {
        RawQuiet {
            from: from.into(),
            to: to.into(),
            offset: offset.into(),
            below: Severity::Critical,
        }
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-03-01T{text}:00.000Z").parse().unwrap()
    }

    #[test]
    fn a_window_over_midnight_is_quiet_on_both_sides_of_it() {
        let quiet = QuietHours::parse(&raw("22:00", "07:00", "+02:00")).unwrap();
        for (time, expected) in [
            ("19:59", false),
            ("20:00", true),
            ("23:00", true),
            ("00:00", true),
            ("04:59", true),
            ("05:00", false),
            ("12:00", false),
        ] {
            assert_eq!(quiet.is_quiet(at(time)), expected, "{time}");
        }
        assert!(quiet.holds(Severity::Warning, at("23:00")));
        assert!(!quiet.holds(Severity::Critical, at("23:00")));
        let west = QuietHours::parse(&raw("00:00", "06:00", "-05:00")).unwrap();
        assert!(
            west.is_quiet(at("05:00"))
                && !west.is_quiet(at("04:59"))
                && !west.is_quiet(at("11:00"))
        );
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for (from, to, offset) in [
            ("24:00", "07:00", "+00:00"),
            ("7:00", "08:00", "+00:00"),
            ("+1:00", "08:00", "+00:00"),
            ("22:60", "07:00", "+00:00"),
            ("22:00", "22:00", "+00:00"),
            ("22:00", "07:00", "02:00"),
            ("22:00", "07:00", "+15:00"),
            ("22:00", "07:00", "Z"),
        ] {
            assert!(
                QuietHours::parse(&raw(from, to, offset)).is_err(),
                "{from} {to} {offset}"
            );
        }
        let none = RawQuiet {
            below: Severity::Notice,
            ..raw("22:00", "07:00", "+00:00")
        };
        assert_eq!(QuietHours::parse(&none), Err(QuietError::Below));
    }
}
