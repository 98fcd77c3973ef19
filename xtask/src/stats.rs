//! Percentiles of measured times.

use std::time::Duration;

use serde::Serialize;

/// What a row of times comes to.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Summary {
    /// How many were measured.
    pub(crate) count: usize,
    /// The median, in microseconds.
    pub(crate) p50_us: f64,
    /// What 99 of 100 do not exceed, in microseconds.
    pub(crate) p99_us: f64,
    /// The mean, in microseconds.
    pub(crate) mean_us: f64,
}

impl Summary {
    /// Of times in any order; `None` of none.
    pub(crate) fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let sum: Duration = times.iter().sum();
        let count = times.len();
        Some(Self {
            count,
            p50_us: micros(percentile(&times, 50)?),
            p99_us: micros(percentile(&times, 99)?),
            mean_us: micros(sum) / count as f64,
        })
    }
}

/// The nearest-rank percentile of sorted times.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// In microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A time for people: three significant digits, in the unit that suits it.
pub(crate) fn shown(micros: f64) -> String {
    let (value, unit) = match micros {
        m if m < 1e3 => (m, "µs"),
        m if m < 1e6 => (m / 1e3, "ms"),
        m => (m / 1e6, "s"),
    };
    let digits = match value {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_of_measured_values() {
        let hundred: Vec<u64> = (1..=100).rev().collect();
        let summary = Summary::of(ms(&hundred)).unwrap();
        assert_eq!((summary.p50_us, summary.p99_us), (50_000.0, 99_000.0));
        let one = Summary::of(ms(&[7])).unwrap();
        assert_eq!(
            (one.p50_us, one.p99_us, one.mean_us),
            (7_000.0, 7_000.0, 7_000.0)
        );
        assert!(Summary::of(Vec::new()).is_none());
    }

    #[test]
    fn times_are_shown_with_three_digits() {
        let shown: Vec<String> = [0.42, 28.44, 431.0, 5_250.0, 61_000.0, 2_000_000.0]
            .map(shown)
            .into();
        assert_eq!(
            shown,
            [
                "0.42 µs", "28.4 µs", "431 µs", "5.25 ms", "61.0 ms", "2.00 s"
            ]
        );
    }
}
