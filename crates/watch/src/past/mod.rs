//! What earlier entries say of actors, sessions, targets and readers.

mod actor;
mod novelty;
mod reader;
mod turns;

pub(crate) use actor::Profile;
pub(crate) use reader::Reader;
pub(crate) use turns::{Attempt, Decided, InForce, Named, Rejection, RejectionKey};

use std::collections::VecDeque;

use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::ActorName;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;

use crate::limits;
use crate::recent::Recent;
use crate::seen::{Before, Seen, Terms};

/// The day that a time belongs to, counted from 1970 in UTC.
pub(crate) fn day(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(86_400_000)
}

/// Everything that detectors remember beside what they count.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) actors: Recent<ActorName, Profile>,
    pub(crate) sessions: Recent<Pseudonym, Before>,
    pub(crate) decisions: Recent<EntryId, Decided>,
    pub(crate) targets: Recent<Pseudonym, Named>,
    pub(crate) attempts: Recent<IntentRef, Vec<Attempt>>,
    pub(crate) rejected: Recent<RejectionKey, Rejection>,
    pub(crate) readers: Recent<CredentialId, Reader>,
    pub(crate) in_force: Option<InForce>,
    /// The day of the first decision.
    first_day: Option<i64>,
    /// Approved calls that wait for a report, in the order in which their time is over.
    pub(crate) awaited: VecDeque<Awaited>,
}

/// An approved call of which it is to be reported that it ran.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    pub(crate) until: Timestamp,
    pub(crate) seen: Seen,
    pub(crate) terms: Terms,
    pub(crate) past_calls: u32,
}

impl Past {
    pub(crate) fn new() -> Self {
        Self {
            actors: Recent::new(limits::ACTORS),
            sessions: Recent::new(limits::SESSIONS),
            decisions: Recent::new(limits::DECISIONS),
            targets: Recent::new(limits::TARGETS),
            attempts: Recent::new(limits::INTENTS),
            rejected: Recent::new(limits::REJECTED),
            readers: Recent::new(limits::READERS),
            in_force: None,
            first_day: None,
            awaited: VecDeque::new(),
        }
    }

    /// What stands in a session by now.
    pub(crate) fn before(&self, session: Option<&Pseudonym>) -> Before {
        let known = session.and_then(|session| self.sessions.get(session));
        known.copied().unwrap_or_default()
    }

    /// How many days lie between the first decision and one at this time.
    pub(crate) fn days(&mut self, at: Timestamp) -> i64 {
        let today = day(at);
        today.saturating_sub(*self.first_day.get_or_insert(today))
    }

    /// One more approved call to be reported of.
    pub(crate) fn await_report(&mut self, mut awaited: Awaited) {
        // In the order of the log, though a bundle may have shortened the time.
        let last = self.awaited.back().map_or(awaited.until, |last| last.until);
        awaited.until = awaited.until.max(last);
        self.awaited.push_back(awaited);
        if self.awaited.len() > limits::AWAITED {
            self.awaited.pop_front();
        }
    }

    /// The next call whose time was over before `now`.
    pub(crate) fn overdue(&mut self, now: Timestamp) -> Option<Awaited> {
        self.awaited.front().filter(|first| first.until < now)?;
        self.awaited.pop_front()
    }
}
