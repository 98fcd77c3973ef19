//! Points in time, to the millisecond, and the clock as an injected trait.

use crate::text::serde_as_text;

/// Milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 in UTC with three decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Text that is no time in the one form that documents use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no time: allowed is RFC 3339 in UTC with milliseconds, as `2026-04-18T02:13:44.000Z`"
)]
pub struct TimestampError {
    found: String,
}

/// Where the present time comes from.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}

impl Timestamp {
    /// The last time that has four digits of year in every time zone.
    pub const MAX: Self = Self(253_402_207_199_999);

    /// From milliseconds since 1970; those outside the years 1970 to 9999 are clamped.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, Self::MAX.0))
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// This time moved forward, clamped at [`Timestamp::MAX`].
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this; negative when `earlier` is later.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.0).map_err(|_| std::fmt::Error)?;
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    }
}

impl std::fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text
            .parse::<jiff::Timestamp>()
            .ok()
            .map(|at| Self(at.as_millisecond()));
        match parsed {
            Some(at) if (0..=Self::MAX.0).contains(&at.0) && at.to_string() == text => Ok(at),
            _ => Err(TimestampError {
                found: text.chars().take(40).flat_map(char::escape_debug).collect(),
            }),
        }
    }
}

serde_as_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_spelling() {
        let text = "2026-04-18T02:13:44.007Z";
        let at: Timestamp = text.parse().unwrap();
        assert_eq!(at.to_string(), text);
        for bad in [
            "2026-04-18T02:13:44Z",
            "2026-04-18T02:13:44.0070Z",
            "2026-04-18T02:13:44.007+00:00",
            "2026-04-18 02:13:44.007Z",
            "1969-12-31T23:59:59.999Z",
            "2026-02-30T00:00:00.000Z",
            "",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_outside_four_digit_years_are_clamped() {
        assert_eq!(
            Timestamp::from_millis(i64::MAX).to_string(),
            "9999-12-30T21:59:59.999Z"
        );
        assert_eq!(Timestamp::from_millis(-5).as_millis(), 0);
    }
}
