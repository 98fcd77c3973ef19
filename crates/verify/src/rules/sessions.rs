//! Sessions, so that a missing entry is visible.

use std::collections::HashMap;

use countersign_core::entry::SessionClose;
use countersign_core::pseudonym::Pseudonym;

use crate::report::{At, Check};

/// What each session held so far.
#[derive(Default)]
pub(crate) struct Sessions {
    held: HashMap<Pseudonym, Tally>,
}

#[derive(Default, PartialEq, Eq)]
struct Tally {
    turns: u32,
    decisions: u32,
    executions: u32,
}

impl Sessions {
    pub(crate) fn open(&mut self, session: &Pseudonym) {
        self.held.insert(*session, Tally::default());
    }

    pub(crate) fn turn(&mut self, session: &Pseudonym) {
        let tally = self.held.entry(*session).or_default();
        tally.turns = tally.turns.saturating_add(1);
    }

    pub(crate) fn decision(&mut self, session: Option<&Pseudonym>) {
        if let Some(session) = session {
            let tally = self.held.entry(*session).or_default();
            tally.decisions = tally.decisions.saturating_add(1);
        }
    }

    pub(crate) fn execution(&mut self, session: Option<&Pseudonym>) {
        if let Some(session) = session {
            let tally = self.held.entry(*session).or_default();
            tally.executions = tally.executions.saturating_add(1);
        }
    }

    pub(crate) fn close(&mut self, at: &mut At<'_>, body: &SessionClose) {
        let held = self.held.remove(&body.session).unwrap_or_default();
        let said = Tally {
            turns: body.turns,
            decisions: body.decisions,
            executions: body.executions,
        };
        let (found, expected) = (said.to_string(), held.to_string());
        at.require(said == held, Check::SessionCounts, found, expected);
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
