//! How many records one credential opens in an hour: counted and bounded in the plan.

use std::time::Duration;

use countersign_core::ids::CredentialId;
use countersign_core::time::Timestamp;
use countersign_ledger::{Step, StepError};

use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, OpenedRow, key};

/// How fine the hour is counted, in milliseconds: a record counts up to that much longer.
const MINUTE_MS: i64 = 60_000;
/// Minutes that count, the present one among them: never less than the last hour.
const COUNTED: i64 = 61;

/// Counts records that a credential opens, and refuses what is more than `allowed` in an hour; with
/// 0, any number is.
pub(crate) fn note_opening(
    step: &mut Step<'_>,
    by: CredentialId,
    records: usize,
    allowed: u32,
) -> Result<(), StepError> {
    if records == 0 {
        return Ok(());
    }
    let state_key = key::opened(by);
    let mut row = state::read_in::<OpenedRow>(step, &state_key)?.unwrap_or_default();
    let (now, records) = (step.now(), u64::try_from(records).unwrap_or(u64::MAX));
    row.forget(now);
    if let Some(refusal) = row.refusal(now, records, allowed) {
        return Err(StepError::refused(refusal));
    }
    row.add(now, records);
    state::put(step, state_key, &row)
}

impl OpenedRow {
    /// Why so many records may not be opened now, if they may not.
    pub(crate) fn refusal(
        &self,
        now: Timestamp,
        records: u64,
        allowed: u32,
    ) -> Option<ServiceError> {
        let (most, before) = (u64::from(allowed), self.sum());
        if allowed == 0 || before.saturating_add(records) <= most {
            return None;
        }
        let detail = format!(
            "the credential opened {before} records within the hour, and asks for {records} more; \
             the bundle in force allows {allowed} (`settings.vault.opened_per_hour`)"
        );
        let error = ServiceError::new(ErrorCode::RateLimited, detail);
        Some(match self.free_at(records, most) {
            Some(minute) => {
                let wait = minute.saturating_mul(MINUTE_MS) - now.as_millis();
                error.retry_after(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
            }
            // More at once than an hour has room for: waiting does not help.
            None => error,
        })
    }

    /// Takes out what does not count any more.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        let oldest = minute_of(now).saturating_sub(COUNTED - 1);
        self.minutes.retain(|(minute, _)| *minute >= oldest);
    }

    fn add(&mut self, now: Timestamp, records: u64) {
        let now = minute_of(now);
        match self.minutes.last_mut() {
            // The log's time never goes back.
            Some((minute, count)) if *minute >= now => *count = count.saturating_add(records),
            _ => self.minutes.push((now, records)),
        }
    }

    fn sum(&self) -> u64 {
        let counts = self.minutes.iter().map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }

    /// The minute from which on there is room for so many more, if there ever is.
    fn free_at(&self, records: u64, most: u64) -> Option<i64> {
        let mut left = self.sum();
        for (minute, count) in &self.minutes {
            left = left.saturating_sub(*count);
            if left.saturating_add(records) <= most {
                return Some(minute.saturating_add(COUNTED));
            }
        }
        None
    }
}

fn minute_of(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(MINUTE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_776_470_400_000 + seconds * 1_000)
    }

    fn try_open(row: &mut OpenedRow, now: i64, records: u64) -> Result<(), Option<Duration>> {
        row.forget(at(now));
        match row.refusal(at(now), records, 10) {
            Some(error) => Err(error.retry_after.map(|wait| *wait)),
            None => {
                row.add(at(now), records);
                Ok(())
            }
        }
    }

    #[test]
    fn no_hour_has_more_than_is_allowed() {
        let mut row = OpenedRow::default();
        let mut opened: Vec<i64> = Vec::new();
        for now in (0..20_000).step_by(37) {
            if try_open(&mut row, now, 1).is_ok() {
                opened.push(now);
            }
        }
        for from in &opened {
            let within = opened
                .iter()
                .filter(|at| (*from..from + 3_600).contains(*at));
            assert!(within.count() <= 10);
        }
        assert!(opened.len() > 40, "and it goes on: {}", opened.len());
        assert!(row.minutes.len() <= 61);
    }

    #[test]
    fn whoever_waits_as_long_as_told_is_served() {
        let mut row = OpenedRow::default();
        try_open(&mut row, 10, 6).unwrap();
        try_open(&mut row, 200, 4).unwrap();
        let wait = try_open(&mut row, 300, 5).unwrap_err().unwrap();
        let then = 300 + i64::try_from(wait.as_secs()).unwrap();
        assert!(try_open(&mut row.clone(), then - 1, 5).is_err());
        try_open(&mut row, then, 5).unwrap();
    }

    #[test]
    fn more_than_an_hour_holds_is_never_served() {
        let mut row = OpenedRow::default();
        assert_eq!(try_open(&mut row, 0, 11), Err(None));
        try_open(&mut row, 0, 10).unwrap();
    }
}
