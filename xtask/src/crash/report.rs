//! What came of a campaign.

use std::time::Duration;

use serde::Serialize;

use super::acknowledged::Acknowledged;
use crate::error::Error;
use crate::stats::{Summary, shown};
use crate::table::{Table, grouped};

/// How long a start takes before one was measured.
const FIRST_GUESS: Duration = Duration::from_millis(200);

/// What came of a campaign.
#[derive(Serialize)]
pub(super) struct Report {
    seed: u64,
    pub(super) logs: u64,
    pub(super) kills_under_load: u64,
    pub(super) kills_at_start: u64,
    /// Decisions that were answered before a kill.
    pub(super) acknowledged: u64,
    /// Requests that a kill left without an answer.
    pub(super) unanswered: u64,
    /// Requests that were sent again under their idempotency key.
    pub(super) asked_again: u64,
    /// Entries of all logs at their ends.
    entries: u64,
    /// How long the server took to listen again, in microseconds.
    start: Option<Summary>,
    pub(super) elapsed_s: u64,
    findings: Vec<String>,
    #[serde(skip)]
    starts: Vec<Duration>,
}

impl Report {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            logs: 0,
            kills_under_load: 0,
            kills_at_start: 0,
            acknowledged: 0,
            unanswered: 0,
            asked_again: 0,
            entries: 0,
            start: None,
            elapsed_s: 0,
            findings: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// Whether nothing was found.
    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn finding(&mut self, text: String) {
        self.findings.push(text);
    }

    /// The server took so long to listen.
    pub(super) fn started(&mut self, took: Duration) {
        self.starts.push(took);
        self.start = Summary::of(self.starts.clone());
    }

    /// How long a start takes, in microseconds.
    pub(super) fn typical_start_us(&self) -> u64 {
        let measured = self.starts.last().copied().unwrap_or(FIRST_GUESS);
        u64::try_from(measured.as_micros())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// Takes over what was found on one log.
    pub(super) fn take(&mut self, log: Acknowledged) {
        self.entries += log.size;
        self.findings.extend(log.found);
    }

    pub(super) fn json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(Error::server("the report"))
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = Table::new(&["what", ">count"]);
        let mut row = |what: &str, count: u64| table.row(vec![what.to_owned(), grouped(count)]);
        row("kills under load", self.kills_under_load);
        row("kills while starting", self.kills_at_start);
        row("logs", self.logs);
        row("decisions acknowledged before a kill", self.acknowledged);
        row("requests that a kill left unanswered", self.unanswered);
        row("requests sent again under their key", self.asked_again);
        row("entries, all checked at the end", self.entries);
        row("findings", self.findings.len() as u64);
        write!(f, "{table}")?;
        if let Some(start) = &self.start {
            writeln!(
                f,
                "\nlistening again after {} (median), {} (99 of 100)",
                shown(start.p50_us),
                shown(start.p99_us)
            )?;
        }
        write!(f, "seed {}, {} s", self.seed, self.elapsed_s)?;
        for finding in &self.findings {
            write!(f, "\nFOUND: {finding}")?;
        }
        Ok(())
    }
}
