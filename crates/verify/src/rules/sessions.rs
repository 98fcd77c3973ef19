//! Sessions, so that a missing entry is visible.
//!
//! An end counts what came since the end before it, or since the session's first entry: an
//! execution that is reported after an end counts towards the next one.

use std::collections::HashMap;

use countersign_core::entry::{SessionClose, SessionOpen};
use countersign_core::ids::CredentialId;
use countersign_core::pseudonym::Pseudonym;

use crate::report::{At, Check};

/// What each session held so far.
#[derive(Default)]
pub(crate) struct Sessions {
    held: HashMap<Pseudonym, Session>,
}

#[derive(Default)]
struct Session {
    phase: Phase,
    /// By whom it was opened last.
    opened_by: Option<CredentialId>,
    tally: Tally,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No entry says that it began.
    #[default]
    Unopened,
    Open,
    Closed,
}

#[derive(Default, PartialEq, Eq)]
struct Tally {
    turns: u32,
    decisions: u32,
    executions: u32,
}

impl Sessions {
    pub(crate) fn open(&mut self, at: &mut At<'_>, body: &SessionOpen) {
        let held = self.held.entry(body.session).or_default();
        let expected = "a session that is not open";
        let is_shut = held.phase != Phase::Open;
        at.require(is_shut, Check::SessionCounts, "an open session", expected);
        held.phase = Phase::Open;
        held.opened_by = Some(body.credential);
    }

    /// The credential that opened the session last, also if it was closed since.
    pub(crate) fn opened_by(&self, session: &Pseudonym) -> Option<CredentialId> {
        self.held.get(session)?.opened_by
    }

    pub(crate) fn turn(&mut self, at: &mut At<'_>, session: &Pseudonym) {
        let tally = self.going_on(at, session);
        tally.turns = tally.turns.saturating_add(1);
    }

    pub(crate) fn decision(&mut self, at: &mut At<'_>, session: Option<&Pseudonym>) {
        if let Some(session) = session {
            let tally = self.going_on(at, session);
            tally.decisions = tally.decisions.saturating_add(1);
        }
    }

    /// What was approved may be reported after the session's end.
    pub(crate) fn execution(&mut self, session: Option<&Pseudonym>) {
        if let Some(session) = session {
            let tally = &mut self.held.entry(*session).or_default().tally;
            tally.executions = tally.executions.saturating_add(1);
        }
    }

    pub(crate) fn close(&mut self, at: &mut At<'_>, body: &SessionClose) {
        let held = self.held.entry(body.session).or_default();
        let is_open = held.phase == Phase::Open;
        let expected = "a session that is open";
        at.require(
            is_open,
            Check::SessionCounts,
            "a session that is not open",
            expected,
        );
        let said = Tally {
            turns: body.turns,
            decisions: body.decisions,
            executions: body.executions,
        };
        let (found, expected) = (said.to_string(), held.tally.to_string());
        at.require(said == held.tally, Check::SessionCounts, found, expected);
        *held = Session {
            phase: Phase::Closed,
            opened_by: held.opened_by,
            tally: Tally::default(),
        };
    }

    /// How many were not closed.
    pub(crate) fn open_ones(&self) -> u64 {
        let open = self.held.values();
        open.filter(|session| session.phase != Phase::Closed)
            .count() as u64
    }

    fn going_on(&mut self, at: &mut At<'_>, session: &Pseudonym) -> &mut Tally {
        let held = self.held.entry(*session).or_default();
        at.require(
            held.phase != Phase::Closed,
            Check::SessionCounts,
            "a session that was closed",
            "a session that was opened anew",
        );
        &mut held.tally
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (turns, decisions, executions) = (self.turns, self.decisions, self.executions);
        write!(
            f,
            "{turns} turns, {decisions} decisions, {executions} executions"
        )
    }
}
