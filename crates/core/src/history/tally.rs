//! Sums over a sliding window, in buckets.

use serde::{Deserialize, Serialize};

use crate::document::CounterDeclaration;
use crate::time::Timestamp;

/// Into how many buckets a window is divided. A bucket counts until it has left the window whole: a
/// call counts for up to one bucket longer than the window, and never shorter.
pub const BUCKETS: i64 = 60;

/// What was counted, by the bucket of the moment at which it was; without a window all in one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally(Vec<(i64, i64)>);

/// A counter's window in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    millis: i64,
    bucket: i64,
}

impl Window {
    pub(super) fn of(declaration: &CounterDeclaration) -> Option<Self> {
        let millis = i64::from(declaration.window_s?).saturating_mul(1_000);
        // Rounded up, so that the buckets cover the window.
        let bucket = millis.saturating_add(BUCKETS - 1) / BUCKETS;
        let bucket = bucket.max(1);
        Some(Self { millis, bucket })
    }

    fn bucket_of(self, time: Timestamp) -> i64 {
        time.as_millis().div_euclid(self.bucket)
    }

    fn holds(self, bucket: i64, now: Timestamp) -> bool {
        let end = bucket.saturating_add(1).saturating_mul(self.bucket);
        end > now.as_millis().saturating_sub(self.millis)
    }
}

/// The bucket of a moment.
pub(super) fn bucket(window: Option<Window>, time: Timestamp) -> i64 {
    window.map_or(0, |window| window.bucket_of(time))
}

/// Whether a bucket counts at a moment.
pub(super) fn holds(window: Option<Window>, bucket: i64, now: Timestamp) -> bool {
    window.is_none_or(|window| window.holds(bucket, now))
}

impl Tally {
    pub(super) fn value(&self, window: Option<Window>, now: Timestamp) -> i64 {
        let counting = self.0.iter().filter(|(b, _)| holds(window, *b, now));
        counting.fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// Adds to the bucket of `now`, and forgets those that no longer count.
    pub(super) fn add(&mut self, window: Option<Window>, now: Timestamp, delta: i64) {
        self.0.retain(|(b, _)| holds(window, *b, now));
        let newest = bucket(window, now);
        match self.0.last_mut().filter(|(b, _)| *b >= newest) {
            Some((_, sum)) => *sum = sum.saturating_add(delta),
            None => self.0.push((newest, delta)),
        }
    }

    /// Takes one out of a bucket.
    pub(super) fn take(&mut self, bucket: i64) {
        if let Some((_, sum)) = self.0.iter_mut().find(|(b, _)| *b == bucket) {
            *sum = sum.saturating_sub(1);
        }
        self.0.retain(|(b, sum)| *b != bucket || *sum != 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(seconds: i64) -> Option<Window> {
        let millis = seconds * 1_000;
        let bucket = (millis + BUCKETS - 1) / BUCKETS;
        Some(Window { millis, bucket })
    }

    proptest! {
        /// Held against the list of all that was counted.
        #[test]
        fn a_window_never_counts_too_little_and_too_much_by_one_bucket_at_most(
            seconds in 1_i64..200_000,
            steps in proptest::collection::vec((0_i64..40_000_000, 1_i64..100), 1..80),
        ) {
            let window = window(seconds);
            let (mut now, mut tally, mut all) = (1_776_470_000_000, Tally::default(), Vec::new());
            for (step, delta) in steps {
                now += step % (seconds * 200);
                let at = Timestamp::from_millis(now);
                let within = |millis: i64| -> i64 {
                    let counting = all.iter().filter(|(time, _)| now - time < millis);
                    counting.map(|(_, delta)| *delta).sum()
                };
                let value = tally.value(window, at);
                prop_assert!(value >= within(seconds * 1_000));
                let bucket = (seconds * 1_000 + BUCKETS - 1) / BUCKETS;
                prop_assert!(value <= within(seconds * 1_000 + bucket));
                tally.add(window, at, delta);
                prop_assert_eq!(tally.value(window, at), value + delta);
                prop_assert!(tally.0.len() <= 62);
                all.push((now, delta));
            }
        }
    }

    #[test]
    fn without_a_window_nothing_is_forgotten() {
        let mut tally = Tally::default();
        for day in 0..1_000 {
            tally.add(None, Timestamp::from_millis(day * 86_400_000), 2);
        }
        assert_eq!(tally.value(None, Timestamp::MAX), 2_000);
        assert_eq!(tally.0.len(), 1);
    }
}
