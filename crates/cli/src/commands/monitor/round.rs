//! One look at a log and at its witnesses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_note::{Note, SignedCheckpoint, VerifierKey};
use countersign_verify::{EntriesSeen, FollowError, Step};

use super::Witness;
use super::event::Event;
use super::state::State;
use crate::commands::verify::{LogUrl, keep, longest};
use crate::error::CliError;
use crate::render::plain;
use crate::terminal::Terminal;

/// How the log itself is called.
const LOG: &str = "log";

/// Everything that is looked at, again and again.
pub(super) struct Rounds {
    pub(super) log: LogUrl,
    pub(super) keys: Vec<VerifierKey>,
    pub(super) state: State,
    pub(super) witnesses: Vec<Witness>,
    /// Heads that the caller holds, until they were compared.
    pub(super) held: Vec<String>,
    pub(super) is_reading_entries: bool,
    pub(super) patience: Duration,
    /// Whether what has not changed is not said, in text.
    pub(super) is_quiet: bool,
    pub(super) terminal: Terminal,
}

/// What came of one look, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Round {
    Fine,
    /// The log or a witness could not be read.
    Unread,
    /// Something does not hold, or is late.
    Findings,
    /// Two signed heads contradict each other.
    Contradiction,
}

impl Rounds {
    /// Looks at everything once.
    pub(super) fn look(&mut self) -> Result<Round, CliError> {
        let mut worst = self.look_at_log()?;
        for note in std::mem::take(&mut self.held) {
            if worst == Round::Contradiction {
                return Ok(worst);
            }
            // Without the log's tiles nothing can be said of it: it is compared the next time.
            let round = self.look_at_held(&note)?;
            if round == Round::Unread {
                self.held.push(note);
            }
            worst = worst.max(round);
        }
        for position in 0..self.witnesses.len() {
            if worst == Round::Contradiction {
                return Ok(worst);
            }
            worst = worst.max(self.look_at_witness(position)?);
        }
        if self.is_reading_entries && worst != Round::Contradiction {
            worst = worst.max(self.look_at_entries()?);
        }
        self.state.save()?;
        Ok(worst)
    }

    fn look_at_log(&mut self) -> Result<Round, CliError> {
        let note = match self.log.newest() {
            Ok(Some(note)) => note,
            Ok(None) => {
                let reason = format!("`{}` has no checkpoint", self.log.address());
                return self.say(&event(LOG, "unread").because(reason), Round::Unread);
            }
            Err(error) => {
                return self.say(&event(LOG, "unread").because(error), Round::Unread);
            }
        };
        let step = match self.state.follower.observe(&note, &self.log) {
            Ok(step) => step,
            Err(error) => return self.refused(LOG, &error),
        };
        if let Step::Contradiction(_) = &step {
            return self.contradicted(LOG, &step);
        }
        self.state.save()?;
        let mut own = Event::of_step(now(), LOG, &step);
        // A head of a while ago may come from a cache; for long it may not.
        let is_behind = matches!(step, Step::Behind { .. });
        if self.is_late(LOG, is_behind) {
            own = own
                .finding()
                .because("the log shows an older head than before");
        }
        if self.is_quiet && !self.terminal.is_json() && matches!(step, Step::Same { .. }) {
            return Ok(Round::Fine);
        }
        let round = of(&own);
        self.say(&own, round)
    }

    fn look_at_held(&mut self, note: &str) -> Result<Round, CliError> {
        match self.state.follower.observe(note.as_bytes(), &self.log) {
            Ok(step @ Step::Contradiction(_)) => self.contradicted("held", &step),
            Ok(step) => {
                self.state.save()?;
                let own = Event::of_step(now(), "held", &step);
                let round = of(&own);
                self.say(&own, round)
            }
            Err(error) => self.refused("held", &error),
        }
    }

    fn look_at_witness(&mut self, position: usize) -> Result<Round, CliError> {
        let Some(witness) = self.witnesses.get(position) else {
            return Ok(Round::Fine);
        };
        let source = format!("witness {}", witness.name);
        let name = match (self.state.follower.origin(), self.keys.first()) {
            (Some(origin), _) => file_of(origin),
            (None, Some(key)) => file_of(key.name().as_str()),
            (None, None) => return Ok(Round::Fine),
        };
        let note = match witness.client.file(&name, longest::CHECKPOINT) {
            Ok(Some(note)) => note,
            Ok(None) => {
                let reason = "it has cosigned no checkpoint of this log";
                return self.say(&event(&source, "unknown").because(reason), Round::Fine);
            }
            Err(error) => {
                return self.say(&event(&source, "unread").because(error), Round::Unread);
            }
        };
        let cosigned_at = cosigned(&note, &self.keys, &witness.key);
        // Whatever the log's key signed is one more head of it, also without a good cosignature.
        let step = self.state.follower.observe(&note, &self.log);
        if let Ok(step @ Step::Contradiction(_)) = &step {
            return self.contradicted(&source, step);
        }
        self.state.save()?;
        let cosigned_at = match cosigned_at {
            Ok(time) => time,
            Err(reason) => {
                // Without a key of the log that is known, nothing is said of the witness.
                let is_unsigned =
                    matches!(&step, Err(error) if !matches!(error, FollowError::Source(_)));
                if is_unsigned {
                    let own = event(&source, "unsigned").because(reason).finding();
                    return self.unsigned(&own);
                }
                let own = event(&source, "not-cosigned").because(reason).finding();
                return self.say(&own, Round::Findings);
            }
        };
        let step = match step {
            Ok(step) => step,
            Err(error) => return self.refused(&source, &error),
        };
        let own = self.of_witness(&source, &step, cosigned_at);
        if self.is_quiet && !self.terminal.is_json() && matches!(step, Step::Same { .. }) {
            return Ok(Round::Fine);
        }
        let round = of(&own);
        self.say(&own, round)
    }

    /// A witness may be behind: it is the log that may not. One that is ahead knows of entries that
    /// the log does not show.
    fn of_witness(&mut self, source: &str, step: &Step, cosigned_at: Option<u64>) -> Event {
        let mut own = Event::of_step(now(), source, step);
        own.finding = false;
        let is_ahead = matches!(step, Step::Unproven { .. });
        if is_ahead {
            own.event = "ahead";
        }
        if self.is_late(source, is_ahead) {
            own.finding = true;
        }
        if let (Some(size), Some(newest)) = (own.size, own.newest) {
            own.lag_entries = Some(newest.saturating_sub(size));
        }
        if let Step::BehindUnproven { .. } = step {
            own.event = "behind-unproven";
        }
        if let Some(seconds) = cosigned_at.filter(|seconds| *seconds > 0) {
            let millis = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
            own.cosigned_at = Some(Timestamp::from_millis(millis).to_string());
            own.lag_s = Some(seconds_now().saturating_sub(seconds));
        }
        own
    }

    fn look_at_entries(&mut self) -> Result<Round, CliError> {
        let Some((newest, _)) = self.state.follower.newest() else {
            return Ok(Round::Fine);
        };
        let from = self.state.entries_read();
        if newest <= from {
            return Ok(Round::Fine);
        }
        match self.state.follower.entries(from, newest, &self.log) {
            Err(error) => self.say(&event("entries", "unread").because(error), Round::Unread),
            Ok(EntriesSeen::Nothing) => Ok(Round::Fine),
            Ok(EntriesSeen::Broken { reason }) => {
                let own = event("entries", "broken").because(reason).finding();
                self.say(&own, Round::Findings)
            }
            Ok(EntriesSeen::Whole { count, malformed }) => {
                self.state.read_entries(newest);
                let mut own = event("entries", "entries");
                own.size = Some(newest);
                own.newest = Some(newest);
                own.finding = malformed > 0;
                own.reason = Some(match malformed {
                    0 => format!("{count} new, they hash to the head"),
                    _ => format!("{count} new, {malformed} of them are no entries"),
                });
                let round = of(&own);
                self.say(&own, round)
            }
        }
    }

    fn refused(&self, source: &str, error: &FollowError) -> Result<Round, CliError> {
        match error {
            FollowError::Source(_) => {
                self.say(&event(source, "unread").because(error), Round::Unread)
            }
            _ => {
                let own = event(source, "unsigned").because(error).finding();
                self.unsigned(&own)
            }
        }
    }

    fn unsigned(&self, event: &Event) -> Result<Round, CliError> {
        let round = self.say(event, Round::Findings)?;
        if !self.terminal.is_json() {
            self.terminal.hint(
                "if the log's key was rotated, give the new one beside the old one: --key OLD --key NEW",
            );
        }
        Ok(round)
    }

    fn contradicted(&self, source: &str, step: &Step) -> Result<Round, CliError> {
        let mut own = Event::of_step(now(), source, step);
        if let Step::Contradiction(found) = step {
            let sizes = found.prove(&self.keys).map(|proven| proven.sizes);
            own.reason = Some(match sizes {
                Ok((fewer, more)) if fewer == more => {
                    format!("two trees of {more} entries are signed")
                }
                Ok((fewer, more)) => {
                    format!("the tree of {more} entries does not begin with that of {fewer}")
                }
                Err(error) => error.to_string(),
            });
            match keep(found, self.state.dir()) {
                Ok(path) => own.evidence = Some(path),
                // What was found stands also where it cannot be kept.
                Err(error) => self.terminal.warn(format!(
                    "both heads could not be kept: {error}\n{}\n{}",
                    plain(&found.ours),
                    plain(&found.theirs)
                )),
            }
        }
        self.say(&own, Round::Contradiction)
    }

    /// Whether this has been so for longer than allowed.
    fn is_late(&mut self, source: &str, is_so: bool) -> bool {
        let since = self.state.since(source, is_so.then(seconds_now));
        since.is_some_and(|since| {
            let lasting = seconds_now().saturating_sub(since);
            lasting >= self.patience.as_secs()
        })
    }

    fn say(&self, event: &Event, round: Round) -> Result<Round, CliError> {
        event.print(&self.terminal)?;
        Ok(round)
    }
}

fn of(event: &Event) -> Round {
    match event.finding {
        true => Round::Findings,
        false => Round::Fine,
    }
}

/// Where a witness shows what it has cosigned (C2SP tlog-witness, "Monitoring").
fn file_of(origin: &str) -> String {
    let hash = Sha256::of(origin.as_bytes()).to_string();
    format!(
        "{}/checkpoint",
        hash.strip_prefix("sha256:").unwrap_or(&hash)
    )
}

/// When the witness cosigned, in seconds; why it did not, if so.
fn cosigned(
    note: &[u8],
    keys: &[VerifierKey],
    witness: &VerifierKey,
) -> Result<Option<u64>, String> {
    let note = Note::parse(note).map_err(|error| error.to_string())?;
    let signed = SignedCheckpoint::open_with(&note, keys, std::slice::from_ref(witness))
        .map_err(|error| error.to_string())?;
    let mut signatures = signed.signatures().iter();
    let own = signatures.find(|signature| signature.key() == witness);
    let own = own.ok_or_else(|| "the witness's own signature is not there".to_owned())?;
    Ok(own.timestamp().map(|time| time.seconds()))
}

fn event(source: &str, event: &'static str) -> Event {
    Event::new(now(), source, event)
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).to_string()
}

fn seconds_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
