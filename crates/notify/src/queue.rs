//! What a sink is told next: a pure step over its state.

use countersign_core::entry::Severity;
use countersign_core::time::Timestamp;

use crate::config::Sink;
use crate::limits::{DEAD, ERROR_CHARS, FLOOD, GATHERED, READ};
use crate::message::{Source, SourceError};
use crate::retry::millis;
use crate::send::Outcome;
use crate::state::{Dead, Head, Item, SinkState};
use crate::text::cut;

impl SinkState {
    /// A sink that was not there before.
    pub(crate) fn begin(sink: &Sink, size: u64) -> Self {
        Self {
            cursor: if sink.from_start { 0 } else { size },
            fingerprint: sink.fingerprint(),
            ..Self::default()
        }
    }

    /// Sets right what cannot be: a place beyond the end of the log, which was restored to an earlier
    /// one, and a wait since a time that is yet to come, or that is longer than any: the clock was put
    /// back. Whether anything was.
    pub(crate) fn mend(&mut self, sink: &Sink, size: u64, now: Timestamp) -> bool {
        let is_beyond = self.cursor > size;
        self.cursor = self.cursor.min(size);
        let longest = now.plus_millis(millis(sink.retry.longest()));
        let waits = self.head.as_mut();
        let waits = waits.filter(|head| head.next > longest || head.first > now);
        let is_ahead = waits.is_some();
        if let Some(head) = waits {
            head.next = now;
            head.first = head.first.min(now);
        }
        is_beyond || is_ahead
    }

    /// Sends the dead letters of this id, or all of them, again. A sink that was given up is tried again.
    pub(crate) fn retry(&mut self, id: Option<&str>) {
        self.disabled = None;
        let (again, dead): (Vec<Dead>, Vec<Dead>) = std::mem::take(&mut self.dead)
            .into_iter()
            .partition(|dead| id.is_none_or(|id| dead.id == id));
        self.dead = dead;
        self.again.extend(again.into_iter().map(|dead| dead.item));
    }

    /// Makes what is due now the head; whether anything changed. What comes is tried in the order of
    /// the log, except that what is critical does not wait for the end of quiet hours, nor for what
    /// came in a flood: that is told in digests, so that nobody can bury one flag under thousands.
    pub(crate) fn advance(
        &mut self,
        sink: &Sink,
        source: &dyn Source,
        now: Timestamp,
    ) -> Result<bool, SourceError> {
        let is_quiet = sink.quiet.is_some_and(|quiet| quiet.is_quiet(now));
        let mut has_changed = is_quiet && self.put_back();
        if self.head.is_some() || self.disabled.is_some() {
            return Ok(has_changed);
        }
        if let Some(item) = self.again.pop_front() {
            self.head = Some(Head::new(item, true, now));
            return Ok(true);
        }
        if !is_quiet && !self.gathered.is_empty() {
            let gathered = std::mem::take(&mut self.gathered);
            let more = std::mem::take(&mut self.gathered_more);
            self.head = Some(Head::new(Item::Digest(gathered, more), false, now));
            return Ok(true);
        }
        if self.cursor >= source.size() {
            return Ok(has_changed);
        }
        let page = source.from(self.cursor, READ)?;
        let is_flood = page.messages.len() >= FLOOD;
        for message in &page.messages {
            self.cursor = message.place.index.saturating_add(1);
            has_changed = true;
            if message.severity < sink.min_severity {
                continue;
            }
            let urgency = message.urgency();
            let waits = is_flood && urgency < Severity::Critical;
            if waits || sink.quiet.is_some_and(|quiet| quiet.holds(urgency, now)) {
                self.gather(message.place);
                continue;
            }
            let could_wait = sink.quiet.is_some_and(|quiet| quiet.could_hold(urgency));
            self.head = Some(Head::new(Item::One(message.place), !could_wait, now));
            return Ok(true);
        }
        // Entries of other kinds are passed over without a write: they are cheap to look at again.
        self.cursor = self.cursor.max(page.until);
        Ok(has_changed)
    }

    /// What came of an attempt.
    pub(crate) fn settle(&mut self, sink: &Sink, outcome: Outcome, now: Timestamp) {
        let Some(mut head) = self.head.take() else {
            return;
        };
        head.attempts = head.attempts.saturating_add(1);
        match outcome {
            Outcome::Delivered => {
                self.delivered = self.delivered.saturating_add(1);
                self.delivered_at = Some(now);
            }
            Outcome::Gone(why) => {
                let why = cut(&why, ERROR_CHARS);
                self.disabled = Some(why.clone());
                self.bury(head, why, now);
            }
            Outcome::Refused(why) => self.bury(head, why, now),
            Outcome::Failed { why, after } => {
                match sink.retry.next(head.attempts, head.first, now, after) {
                    None => self.bury(head, why, now),
                    Some(next) => {
                        head.next = next;
                        head.error = Some(cut(&why, ERROR_CHARS));
                        self.head = Some(head);
                    }
                }
            }
        }
    }

    /// What is not urgent and could not be told before the quiet hours began waits for their end.
    fn put_back(&mut self) -> bool {
        let Some(head) = self.head.take_if(|head| !head.urgent) else {
            return false;
        };
        let (places, more) = match head.item {
            Item::One(place) => (vec![place], 0),
            Item::Digest(places, more) => (places, more),
        };
        let later = std::mem::replace(&mut self.gathered, places);
        self.gathered_more = self.gathered_more.saturating_add(more);
        for place in later {
            self.gather(place);
        }
        true
    }

    fn gather(&mut self, place: crate::Place) {
        match self.gathered.len() < GATHERED {
            true => self.gathered.push(place),
            false => self.gathered_more = self.gathered_more.saturating_add(1),
        }
    }

    fn bury(&mut self, head: Head, why: String, now: Timestamp) {
        if self.dead.len() >= DEAD {
            self.dead.remove(0);
            self.dead_dropped = self.dead_dropped.saturating_add(1);
        }
        self.dead.push(Dead {
            id: head.item.id(),
            item: head.item,
            attempts: head.attempts,
            first: head.first,
            given_up: now,
            error: cut(&why, ERROR_CHARS),
        });
    }
}

impl Head {
    fn new(item: Item, urgent: bool, now: Timestamp) -> Self {
        Self {
            item,
            urgent,
            attempts: 0,
            first: now,
            next: now,
            error: None,
        }
    }
}
