//! The fold.

use std::sync::Arc;

use countersign_core::document::WatchSettings;
use countersign_core::entry::{AnyEntry, Body, Decision, Execution, FlagChange, Intent};
use countersign_core::refs::PolicyRef;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use crate::cases::Cases;
use crate::detect::{self, Call, Policy};
use crate::draft::FlagDraft;
use crate::limits;
use crate::past::{Decided, Past, Profile};
use crate::seen::{Before, Place};

/// The detectors' state, folded from the entries so far.
#[derive(Debug, Clone)]
pub struct Watch {
    policy: Option<Policy>,
    /// Entries with a lower index were seen.
    next_index: u64,
    past: Past,
    cases: Cases,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// A watch that has seen nothing, and detects nothing before [`Watch::set_policy`].
    pub fn new() -> Self {
        Self {
            policy: None,
            next_index: 0,
            past: Past::new(),
            cases: Cases::new(),
        }
    }

    /// The settings that hold from the next entry on. To be called where the log says that a bundle
    /// came into force, in a replay too. Running incidents keep the window that they began with.
    pub fn set_policy(&mut self, policy_ref: PolicyRef, settings: WatchSettings) {
        let settings = Arc::new(settings);
        self.policy = Some(Policy {
            policy_ref,
            settings,
        });
    }

    /// Takes in the entry at `index` and gives what is to be written because of it. Every draft is
    /// given once. An entry that was seen before changes nothing.
    pub fn observe(&mut self, index: u64, entry: &AnyEntry) -> Vec<FlagDraft> {
        if index < self.next_index {
            return Vec::new();
        }
        self.next_index = index.saturating_add(1);
        let place = Place {
            index,
            at: entry.timestamp(),
            entry: entry.entry_id(),
        };
        self.expire(place.at);
        if let Some(body) = entry.body() {
            self.follow(place, body);
        }
        self.cases.take_drafts()
    }

    /// Says that it is `now`, so that incidents end though nothing more is committed.
    pub fn tick(&mut self, now: Timestamp) -> Vec<FlagDraft> {
        self.expire(now.plus_millis(-limits::TICK_SLACK_MS));
        self.cases.take_drafts()
    }

    /// Everything that was drafted and does not stand in the log. To be called after a replay, or
    /// once it is certain that drafts which were given out did not come to be committed.
    pub fn outstanding(&self) -> Vec<FlagDraft> {
        self.cases.outstanding()
    }

    /// What ends by time alone, in the order in which it does: so it makes no difference how often
    /// anybody says what time it is.
    fn expire(&mut self, now: Timestamp) {
        while let Some(awaited) = self.past.overdue(now) {
            self.cases.expire(awaited.until);
            detect::overdue(awaited, &mut self.past, &mut self.cases);
            self.cases.enforce_limits();
        }
        self.cases.expire(now);
    }

    fn follow(&mut self, place: Place, body: &Body) {
        match body {
            Body::Decision(decision) => self.decision(place, decision),
            Body::Intent(turn) => self.turn(turn),
            Body::Execution(execution) => self.execution(place, execution),
            Body::Policy(policy) => detect::came_into_force(place, policy, &mut self.past),
            Body::PermitRefused(refused) => {
                if let Some(policy) = &self.policy {
                    detect::refused(place, refused, policy, &self.past, &mut self.cases);
                }
            }
            Body::VaultAccess(access) => {
                if let Some(policy) = &self.policy {
                    detect::opened(place, access, policy, &mut self.past, &mut self.cases);
                }
            }
            Body::Flag(flag) => self.cases.flag_written(place, flag),
            Body::FlagUpdate(update) if update.change == FlagChange::Grown => {
                self.cases.update_written(update.links.flag, update.count);
            }
            Body::FlagClose(close) => self.cases.close_written(close.links.flag),
            _ => {}
        }
    }

    fn decision(&mut self, place: Place, decision: &Decision) {
        let (past, cases) = (&mut self.past, &mut self.cases);
        let Some(policy) = &self.policy else {
            return;
        };
        let Some(call) = Call::of(place, decision, policy, past) else {
            return;
        };
        let decided = Decided {
            actor: decision.actor.clone(),
            session: decision.session,
            action: decision.action.clone(),
            outcome: decision.outcome,
            is_told: false,
        };
        past.decisions.put(&place.entry, decided);
        // An earlier detector's incident can cover a later one's.
        detect::tool_changed(&call, cases);
        detect::unmandated(&call, cases);
        detect::burst(&call, past, cases);
        detect::retry(&call, past, cases);
        let unnamed = detect::unnamed(&call, past);
        detect::spread(&call, past, cases);
        detect::loosened(&call, past, cases);
        if call.is_attempt() {
            detect::remember(&call, past);
            detect::novel_target(&call, &unnamed, past, cases);
            detect::off_hours(&call, past, cases);
            detect::await_report(&call, past);
            let profile = past.actors.entry(&decision.actor, Profile::default);
            profile.learn(place.at, decision.outcome == Outcome::Rejected);
        }
    }

    fn turn(&mut self, turn: &Intent) {
        let before = self.past.sessions.entry(&turn.session, Before::default);
        before.turn = Some(turn.intent_ref);
    }

    fn execution(&mut self, place: Place, execution: &Execution) {
        if let Some(policy) = &self.policy {
            detect::ran(place, execution, policy, &mut self.past, &mut self.cases);
        }
        if let (Some(session), Some(_)) = (&execution.session, execution.result_ref) {
            let before = self.past.sessions.entry(session, Before::default);
            before.after = Some(place.entry);
        }
    }
}
