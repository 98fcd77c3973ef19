//! When a message is tried again, and when it is given up.

use std::time::Duration;

use countersign_core::time::Timestamp;

use crate::limits::RETRY_AFTER_MAX;

/// How a sink is tried again: the wait doubles from `first` to `most`, each time somewhere between
/// half and the whole of it, until `give_up` has gone by since the first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPlan {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
    /// After how long a message is given up.
    pub give_up: Duration,
}

impl Default for RetryPlan {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            most: Duration::from_secs(3_600),
            give_up: Duration::from_secs(3 * 24 * 3_600),
        }
    }
}

impl RetryPlan {
    /// The longest that one wait can be.
    pub(crate) fn longest(&self) -> Duration {
        self.most.max(RETRY_AFTER_MAX)
    }

    /// When to try again after the `attempts`th attempt failed now; `None` if that is too late.
    pub fn next(
        &self,
        attempts: u32,
        first: Timestamp,
        now: Timestamp,
        asked: Option<Duration>,
    ) -> Option<Timestamp> {
        let doublings = attempts.saturating_sub(1).min(31);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(factor).min(self.most);
        // Receivers that fail together are not to be asked again together.
        let wait = wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        let asked = asked.unwrap_or_default().min(RETRY_AFTER_MAX);
        let next = now.plus_millis(millis(wait.max(asked)));
        let end = first.plus_millis(millis(self.give_up));
        // The last attempt is made when the time is up, not long before.
        match (now >= end, next > end) {
            (true, _) => None,
            (false, true) => Some(end),
            (false, false) => Some(next),
        }
    }
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_jitter_and_end() {
        let plan = RetryPlan::default();
        let start = Timestamp::from_millis(1_000_000);
        for (attempts, whole) in [
            (1, 5_000),
            (2, 10_000),
            (4, 40_000),
            (20, 3_600_000),
            (u32::MAX, 3_600_000),
        ] {
            for _ in 0..50 {
                let next = plan.next(attempts, start, start, None).unwrap();
                let wait = next.millis_since(start);
                assert!((whole / 2..=whole).contains(&wait), "{attempts}: {wait}");
            }
        }
        let asked = plan
            .next(1, start, start, Some(Duration::from_secs(600)))
            .unwrap();
        assert_eq!(asked.millis_since(start), 600_000);
        let forever = plan
            .next(1, start, start, Some(Duration::from_secs(u64::MAX)))
            .unwrap();
        assert_eq!(forever.millis_since(start), millis(RETRY_AFTER_MAX));
        let end = start.plus_millis(millis(plan.give_up));
        let almost = end.plus_millis(-1_000);
        assert_eq!(plan.next(60, start, almost, None), Some(end));
        assert_eq!(plan.next(61, start, end, None), None);
    }
}
