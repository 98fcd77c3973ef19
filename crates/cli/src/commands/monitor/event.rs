//! What a monitor says.

use std::path::PathBuf;

use countersign_verify::Step;
use serde::Serialize;

use crate::error::CliError;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};

/// One thing that was seen.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Event {
    /// When it was seen.
    pub(super) time: String,
    /// `log`, `held`, or `witness NAME`.
    pub(super) source: String,
    /// What: a stable code.
    pub(super) event: &'static str,
    /// Whether something does not hold, or is late.
    pub(super) finding: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    /// The newest size that is known of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) newest: Option<u64>,
    /// How many entries a witness is behind the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lag_entries: Option<u64>,
    /// When the witness cosigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cosigned_at: Option<String>,
    /// How many seconds ago that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lag_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Where two heads that contradict each other are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<PathBuf>,
}

impl Event {
    pub(super) fn new(time: String, source: &str, event: &'static str) -> Self {
        Self {
            time,
            source: source.to_owned(),
            event,
            finding: false,
            size: None,
            newest: None,
            lag_entries: None,
            cosigned_at: None,
            lag_s: None,
            reason: None,
            evidence: None,
        }
    }

    /// What a head is to those before it, as the log's own.
    pub(super) fn of_step(time: String, source: &str, step: &Step) -> Self {
        let (event, size, newest, reason) = match step {
            Step::First { size } => ("first", *size, *size, None),
            Step::Same { size } => ("same", *size, *size, None),
            Step::Grown { to, .. } => ("grown", *to, *to, None),
            Step::Behind { size, newest } => ("behind", *size, *newest, None),
            Step::BehindUnproven {
                size,
                newest,
                reason,
            } => ("went-back", *size, *newest, Some(reason)),
            Step::Unproven { from, to, reason } => ("unproven", *to, *from, Some(reason)),
            Step::Contradiction(_) => ("contradiction", 0, 0, None),
        };
        let mut own = Self::new(time, source, event);
        if !matches!(step, Step::Contradiction(_)) {
            own.size = Some(size);
            own.newest = Some(newest);
        }
        own.reason = reason.cloned();
        own.finding = matches!(
            step,
            Step::BehindUnproven { .. } | Step::Unproven { .. } | Step::Contradiction(_)
        );
        own
    }

    pub(super) fn because(mut self, reason: impl ToString) -> Self {
        self.reason = Some(reason.to_string());
        self
    }

    pub(super) fn finding(mut self) -> Self {
        self.finding = true;
        self
    }

    pub(super) fn print(&self, terminal: &Terminal) -> Result<(), CliError> {
        terminal.answer(self, || self.text(terminal))
    }

    fn text(&self, terminal: &Terminal) -> String {
        let tone = match (self.event, self.finding) {
            (_, true) => Tone::Bad,
            ("grown" | "first" | "same" | "entries", _) => Tone::Good,
            _ => Tone::Careful,
        };
        let word = terminal.paint(tone, self.event);
        let mut text = format!("{}  {}: {word}", self.time, plain(&self.source));
        if let Some(size) = self.size {
            text.push_str(&format!(" {size}"));
        }
        match self.newest {
            Some(newest) if self.size != Some(newest) => {
                text.push_str(&format!(", newest {newest}"));
            }
            _ => {}
        }
        if let Some(at) = &self.cosigned_at {
            let lag = self.lag_s.unwrap_or_default();
            text.push_str(&format!(", cosigned {at} ({lag} s ago)"));
        }
        if let Some(reason) = &self.reason {
            text.push_str(&format!(": {}", plain(reason)));
        }
        if let Some(evidence) = &self.evidence {
            text.push_str(&format!(
                "; both heads are kept in `{}`",
                evidence.display()
            ));
        }
        text
    }
}
