//! Sessions: opened when an ingress says so, or else with their first turn, counted in the plan,
//! closed by an entry that says how much they held.
//!
//! What is counted is what the verifier counts: turns, and the decisions and executions whose entry
//! names the session, since it was closed last. A turn after the end opens the session anew; the
//! turns before it stay ended.

use std::sync::PoisonError;

use countersign_core::entry::{Role, SessionClose, SessionOpen};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::SessionId;
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::time::Timestamp;
use countersign_ledger::{ReadSet, StateKey, Step, StepError};
use countersign_wire::{CloseSession, OpenSession, SessionClosed, SessionOpened};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, SessionCountRow, SessionRow, key};
use crate::turns::name;

/// How long a session stays open after its last turn has ended and its last entry was written, in
/// milliseconds: an hour.
pub const SESSION_IDLE_MS: i64 = 60 * 60 * 1_000;
/// How many sessions are looked at in one round, in turn.
const ROUND: usize = 256;

/// What is counted of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted {
    /// A turn that counts until then.
    Turn(Timestamp),
    Decision,
    Execution,
}

/// What became of a session that was to be opened.
enum Opening {
    Fresh,
    /// It was open, since this entry.
    Before(EntryId),
}

impl Service {
    /// Opens a session before its first turn. One that the same credential opened before, and that
    /// is still open, stays as it is.
    ///
    /// Role `ingress`, within its bounds.
    pub fn open_session(
        &self,
        caller: &Caller,
        request: &OpenSession,
    ) -> Result<SessionOpened, ServiceError> {
        caller.require(Role::Ingress)?;
        let session: SessionId = name(&request.session)?;
        let planned = self.plan_pseudonym(PseudonymKind::Session, session.as_str())?;
        caller.check_bound(planned.known())?;
        let (entry_id, asking) = (self.entry_id(), caller.clone());
        let committed = self.ledger.commit(caller.reads(), move |step| {
            let session = planned.settle(step)?;
            let row = state::read_in::<SessionRow>(step, &key::session(&session))?;
            asking
                .check_own_session(row.as_ref())
                .map_err(StepError::refused)?;
            if let Some(row) = row.as_ref().filter(|row| row.is_open()) {
                if row.opened_by == asking.id() {
                    return Ok(Opening::Before(row.opened));
                }
                let detail = "another credential has opened this session";
                let error = ServiceError::new(ErrorCode::Conflict, detail);
                return Err(StepError::refused(error));
            }
            open(step, entry_id, session, asking.id())?;
            let row = SessionRow {
                newest: None,
                is_awaiting: true,
                turns: row.map_or(0, |row| row.turns),
                opened: entry_id,
                opened_by: asking.id(),
            };
            state::put(step, key::session(&session), &row)?;
            Ok(Opening::Fresh)
        })?;
        let entry = match committed.value {
            Opening::Fresh => self.only_entry(&committed)?,
            Opening::Before(opened) => self.entry_json(opened)?,
        };
        Ok(SessionOpened {
            is_new: matches!(committed.value, Opening::Fresh),
            entry,
        })
    }

    /// Closes a session: its turns end, and its entry says how much it held.
    ///
    /// Role `ingress` for a session that the credential opened, within its bounds, or `admin`.
    pub fn close_session(
        &self,
        caller: &Caller,
        request: &CloseSession,
    ) -> Result<SessionClosed, ServiceError> {
        caller.require_any(&[Role::Ingress, Role::Admin])?;
        let session: SessionId = name(&request.session)?;
        let not_found = || ServiceError::not_found("such session");
        let session = self
            .known_pseudonym(PseudonymKind::Session, session.as_str())?
            .ok_or_else(not_found)?;
        let entry_id = self.entry_id();
        let by = caller.id();
        let bound = caller.bound_session();
        let any = caller.has(Role::Admin);
        let committed = self.ledger.commit(caller.reads(), move |step| {
            let row = state::read_in::<SessionRow>(step, &key::session(&session))?;
            let row = row.ok_or_else(|| StepError::refused(not_found()))?;
            let is_own = row.opened_by == by && bound.is_none_or(|bound| bound == session);
            if !any && !is_own {
                let detail = "an ingress may close only the sessions that it opened";
                let error = ServiceError::new(ErrorCode::OutOfBounds, detail);
                return Err(StepError::refused(error));
            }
            close(step, entry_id, session, row, Some(by))?.ok_or_else(|| {
                let detail = "the session was already closed";
                StepError::refused(ServiceError::new(ErrorCode::Conflict, detail))
            })
        })?;
        let held = &committed.value;
        Ok(SessionClosed {
            turns: held.turns,
            decisions: held.decisions,
            executions: held.executions,
            entry: self.only_entry(&committed)?,
        })
    }

    /// Closes sessions whose turns have all ended and in which nothing happened for
    /// [`SESSION_IDLE_MS`]. Called from time to time; looks at some of the open ones each time.
    pub fn close_idle_sessions(&self) -> Result<usize, ServiceError> {
        let now = self.clock.now();
        let mut idle = Vec::new();
        for (state_key, row) in self.next_sessions()? {
            let session = state_key
                .as_str()
                .strip_prefix(key::SESSION_COUNTS)
                .and_then(|text| text.parse::<Pseudonym>().ok());
            if let Some(session) = session.filter(|_| row.is_idle(now)) {
                idle.push((self.entry_id(), session));
            }
        }
        if idle.is_empty() {
            return Ok(0);
        }
        let committed = self.ledger.commit(ReadSet::none(), move |step| {
            let mut closed = 0_usize;
            for (entry_id, session) in &idle {
                let count = state::read_in::<SessionCountRow>(step, &key::session_count(session))?;
                let row = state::read_in::<SessionRow>(step, &key::session(session))?;
                // Something may have happened in it meanwhile.
                if let (Some(count), Some(row)) = (count, row)
                    && count.is_idle(step.now())
                    && close(step, *entry_id, *session, row, None)?.is_some()
                {
                    closed = closed.saturating_add(1);
                }
            }
            Ok(closed)
        })?;
        Ok(committed.value)
    }

    /// The counts of some sessions, going round all of them.
    fn next_sessions(&self) -> Result<Vec<(StateKey, SessionCountRow)>, ServiceError> {
        let after = self.sessions_looked_at.lock();
        let mut after = after.unwrap_or_else(PoisonError::into_inner);
        let page = self
            .ledger
            .scan(key::SESSION_COUNTS, after.as_ref(), ROUND)?;
        *after = match page.len() {
            ROUND => page.last().map(|(state_key, _)| state_key.clone()),
            _ => None,
        };
        drop(after);
        let rows = page.into_iter().filter_map(|(state_key, found)| {
            let row = serde_json::from_slice(found.value.as_deref()?);
            Some(row.map(|row| (state_key, row)))
        });
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl SessionCountRow {
    fn is_idle(&self, now: Timestamp) -> bool {
        let since = self.until.max(self.last);
        self.open && now.millis_since(since) > SESSION_IDLE_MS
    }
}

/// Writes within the plan that a session was opened, and counts anew.
pub(crate) fn open(
    step: &mut Step<'_>,
    entry_id: EntryId,
    session: Pseudonym,
    credential: CredentialId,
) -> Result<(), StepError> {
    let body = SessionOpen {
        session,
        credential,
    };
    step.push(entry_id, body)?;
    let state_key = key::session_count(&session);
    // What was reported after the end counts towards the next one.
    let mut count = state::read_in::<SessionCountRow>(step, &state_key)?.unwrap_or_default();
    count.open_at(step.now());
    state::put(step, state_key, &count)
}

/// Counts an entry of a session within the plan.
pub(crate) fn count(
    step: &mut Step<'_>,
    session: &Pseudonym,
    what: Counted,
) -> Result<(), StepError> {
    let state_key = key::session_count(session);
    let mut row = state::read_in::<SessionCountRow>(step, &state_key)?.unwrap_or_default();
    row.add(what, step.now());
    state::put(step, state_key, &row)
}

impl SessionCountRow {
    /// That the session is open from now on. It is not idle yet, though it holds nothing.
    pub(crate) fn open_at(&mut self, now: Timestamp) {
        (self.open, self.last) = (true, now);
    }

    /// Counts an entry.
    pub(crate) fn add(&mut self, what: Counted, now: Timestamp) {
        self.last = now;
        let count = match what {
            Counted::Turn(until) => {
                self.until = self.until.max(until);
                &mut self.turns
            }
            Counted::Decision => &mut self.decisions,
            Counted::Execution => &mut self.executions,
        };
        *count = count.saturating_add(1);
    }
}

/// Closes a session within the plan; `None` if it is not open.
fn close(
    step: &mut Step<'_>,
    entry_id: EntryId,
    session: Pseudonym,
    row: SessionRow,
    credential: Option<CredentialId>,
) -> Result<Option<SessionCountRow>, StepError> {
    let state_key = key::session_count(&session);
    let count = state::read_in::<SessionCountRow>(step, &state_key)?;
    let Some(count) = count.filter(|count| count.open) else {
        return Ok(None);
    };
    let body = SessionClose {
        session,
        turns: count.turns,
        decisions: count.decisions,
        executions: count.executions,
        credential,
    };
    step.push(entry_id, body)?;
    // Calls that are being judged rest on this row: they are judged again, without the session.
    let closed = SessionRow {
        newest: None,
        is_awaiting: false,
        ..row
    };
    state::put(step, key::session(&session), &closed)?;
    step.delete(state_key)?;
    Ok(Some(count))
}
