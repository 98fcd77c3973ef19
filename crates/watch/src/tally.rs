//! How many there were, and how grave that is.

use countersign_core::entry::{Detector, Flag, Severity};

use crate::seen::{Fate, Seen, WHOLE};

/// The numbers of an incident so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) count: u32,
    /// Calls that were stopped, and that passed; `None` where the flag in the log does not say.
    pub(crate) fates: Option<(u32, u32)>,
    /// What the entries counted, which for openings is the number of records.
    weight: u64,
    is_grave: bool,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            count: 0,
            fates: Some((0, 0)),
            weight: 0,
            is_grave: false,
        }
    }

    /// What a flag in the log says.
    pub(crate) fn of_flag(flag: &Flag) -> Self {
        Self {
            count: flag.count,
            fates: flag.stopped.zip(flag.passed),
            weight: u64::from(flag.count).saturating_mul(u64::from(WHOLE)),
            is_grave: false,
        }
    }

    pub(crate) fn count_in(&mut self, seen: &Seen) {
        self.count = self.count.saturating_add(1);
        self.weight = self.weight.saturating_add(u64::from(seen.weight));
        self.is_grave |= seen.is_grave;
        if let Some((stopped, passed)) = &mut self.fates {
            match seen.fate {
                Fate::Stopped => *stopped = stopped.saturating_add(1),
                Fate::Passed => *passed = passed.saturating_add(1),
                Fate::Neither => {}
            }
        }
    }

    /// How grave it is by now.
    pub(crate) fn severity(&self, detector: Detector, threshold: u32) -> Severity {
        let (stopped, passed) = self.fates.unwrap_or((self.count, 0));
        match detector {
            Detector::Burst | Detector::Retry if passed > 0 => Severity::Critical,
            Detector::Spread if stopped == 0 => Severity::Notice,
            Detector::Spread if passed > 0 => Severity::Critical,
            Detector::UnapprovedExecution if self.is_grave => Severity::Critical,
            Detector::ReadingAround if self.weight < four_times(threshold) => Severity::Notice,
            Detector::NovelTarget | Detector::OffHours | Detector::Loosened => Severity::Notice,
            _ => Severity::Warning,
        }
    }
}

fn four_times(threshold: u32) -> u64 {
    let weight = u64::from(threshold).saturating_mul(u64::from(WHOLE));
    weight.saturating_mul(4)
}
