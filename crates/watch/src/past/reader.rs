//! How many sealed records one credential used to open.

use countersign_core::time::Timestamp;

use super::day;

/// How many times its own most a credential must open.
const OUT_OF_PATTERN: u64 = 3;

/// What one credential used to open.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reader {
    today: i64,
    /// The window-long stretch that is being counted, and the records of it.
    stretch: (i64, u64),
    most_today: u64,
    /// The most of the days before; an eighth of it fades every day.
    most_before: u64,
}

impl Reader {
    /// One more opening. Gives how many records within a window are out of the pattern.
    pub(crate) fn open(&mut self, at: Timestamp, window_ms: u64, records: u32) -> u64 {
        let days = day(at).saturating_sub(self.today);
        if days > 0 {
            self.most_before = self.most_before.max(self.most_today);
            for _ in 0..days.min(128) {
                self.most_before = self.most_before.saturating_mul(7) / 8;
            }
            (self.today, self.most_today) = (day(at), 0);
        }
        let window = i64::try_from(window_ms).unwrap_or(i64::MAX).max(1);
        let stretch = at.as_millis().div_euclid(window);
        if self.stretch.0 != stretch {
            self.stretch = (stretch, 0);
        }
        self.stretch.1 = self.stretch.1.saturating_add(records.into());
        self.most_today = self.most_today.max(self.stretch.1);
        self.most_before.saturating_mul(OUT_OF_PATTERN)
    }
}
