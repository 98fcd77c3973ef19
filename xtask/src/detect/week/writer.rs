//! Entries as the service would have written them.

use countersign_core::document::{Assurance, Author};
use countersign_core::entry::{
    Body, Decision, Entry, Execution, ExecutionPhase, Intent, Links, Mode, PermitRefusal,
    PermitRefused, Policy, PolicyPhase, Review, ReviewAnswer, SessionClose, SessionOpen, Surface,
    VaultAccess,
};
use countersign_core::ids::{CredentialId, EntryId, PermitId};
use countersign_core::names::{
    ActionName, ActorName, BuiltinReason, ChannelName, JudgeVersion, KeyText, ReasonId,
};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{CallRef, IntentRef, PolicyRef};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;

use super::agent::{Agent, Reader};
use super::clock::{HOUR_MS, MINUTE_MS};
use crate::detect::dice::Dice;
use crate::error::Error;

/// How long a turn lives.
const TURN_MS: i64 = 8 * HOUR_MS;
/// How long after its last entry a session is closed.
const IDLE_MS: i64 = 60 * MINUTE_MS;

/// What all entries have in common.
pub(super) struct Letterhead {
    channel: ChannelName,
    judge: JudgeVersion,
    key: KeyText,
    reviewer: CredentialId,
    ingress: CredentialId,
    admin: CredentialId,
    /// From when on which bundle is in force.
    policies: Vec<(i64, PolicyRef)>,
}

/// Writes entries, in any order.
pub(super) struct Writer<'w> {
    pub(super) dice: &'w Dice,
    pub(super) letterhead: &'w Letterhead,
    pub(super) entries: &'w mut Vec<Entry>,
}

/// A session that is being written.
pub(super) struct Session {
    pub(super) pseudonym: Pseudonym,
    principal: Pseudonym,
    turns: u32,
    decisions: u32,
    executions: u32,
    last: i64,
    newest: Option<IntentRef>,
}

/// A call, and what is decided of it.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) action: ActionName,
    pub(super) targets: Vec<Pseudonym>,
    /// Nothing under no turn.
    pub(super) intent: Option<IntentRef>,
    pub(super) outcome: Outcome,
    pub(super) reason: BuiltinReason,
}

/// What became of an approved call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// It was reported, with `started` before it or without.
    Reported { with_start: bool },
    /// It left, and nobody knows more.
    Unknown,
    /// Nothing was reported.
    Silent,
}

impl Letterhead {
    pub(super) fn new(dice: &Dice) -> Result<Self, Error> {
        let credential = || CredentialId::fresh(Timestamp::from_millis(0), dice);
        Ok(Self {
            channel: "app".parse().map_err(Error::server("the channel"))?,
            judge: "countersign 0.1.0"
                .parse()
                .map_err(Error::server("the judge"))?,
            key: "bm9uY2U".parse().map_err(Error::server("a key"))?,
            reviewer: credential(),
            ingress: credential(),
            admin: credential(),
            policies: Vec::new(),
        })
    }

    fn policy(&self, at: i64) -> PolicyRef {
        let found = self.policies.iter().rev().find(|(from, _)| *from <= at);
        found.map_or_else(
            || countersign_core::refs::Sha256::of(b"").into(),
            |(_, policy)| *policy,
        )
    }

    /// Another bundle comes into force. To be called before anything is written that is later.
    pub(super) fn change(&mut self, at: i64, dice: &Dice) -> Entry {
        let previous = self.policies.last().map(|(_, policy)| *policy);
        let policy_ref: PolicyRef = dice.digest().into();
        self.policies.push((at, policy_ref));
        let at = Timestamp::from_millis(at);
        Entry {
            entry_id: dice.id(at),
            timestamp: at,
            body: Body::from(Policy {
                policy_ref,
                phase: PolicyPhase::InForce,
                parts: Vec::new(),
                previous,
                credential: Some(self.admin),
            }),
        }
    }
}

impl Writer<'_> {
    fn put(&mut self, at: i64, body: impl Into<Body>) -> EntryId {
        let timestamp = Timestamp::from_millis(at);
        let entry_id = self.dice.id(timestamp);
        self.entries.push(Entry {
            entry_id,
            timestamp,
            body: body.into(),
        });
        entry_id
    }

    pub(super) fn open(&mut self, at: i64, principal: Pseudonym) -> Session {
        let session = Session {
            pseudonym: self.dice.pseudonym(),
            principal,
            turns: 0,
            decisions: 0,
            executions: 0,
            last: at,
            newest: None,
        };
        self.put(
            at,
            SessionOpen {
                session: session.pseudonym,
                credential: self.letterhead.ingress,
            },
        );
        session
    }

    pub(super) fn turn(&mut self, at: i64, session: &mut Session, actor: &ActorName) -> IntentRef {
        let intent_ref: IntentRef = self.dice.digest().into();
        self.put(
            at,
            Intent {
                intent_ref,
                author: Author::Human,
                channel: self.letterhead.channel.clone(),
                principal: session.principal,
                session: session.pseudonym,
                actors: vec![actor.clone()],
                parent: session.newest,
                mandate: None,
                expires_at: Timestamp::from_millis(at + TURN_MS),
                assurance: Assurance::Separate,
                credential: self.letterhead.ingress,
                signature: None,
                key_id: None,
            },
        );
        session.newest = Some(intent_ref);
        session.turns += 1;
        session.last = session.last.max(at);
        intent_ref
    }

    pub(super) fn decision(
        &mut self,
        at: i64,
        session: &mut Session,
        agent: &Agent,
        call: &Call,
        links: Links,
    ) -> EntryId {
        let call_ref: CallRef = self.dice.digest().into();
        session.decisions += 1;
        session.last = session.last.max(at);
        let reasons = match call.outcome {
            Outcome::Rejected => vec![ReasonId::builtin(call.reason)],
            _ => Vec::new(),
        };
        self.put(
            at,
            Decision {
                action: call.action.clone(),
                actor: agent.name.clone(),
                intent_ref: call.intent,
                policy_ref: self.letterhead.policy(at),
                outcome: call.outcome,
                reasons,
                call_ref: Some(call_ref),
                facts_ref: Some(self.dice.digest().into()),
                reasoning_ref: None,
                principal: call.intent.map(|_| session.principal),
                session: Some(session.pseudonym),
                targets: call.targets.clone(),
                counts: Vec::new(),
                credential: agent.credential,
                surface: Surface::Api,
                mode: Mode::Enforced,
                links,
                judge: self.letterhead.judge.clone(),
                claimed_intent_ref: None,
                actions: None,
                effective_call_ref: None,
            },
        )
    }

    /// What is reported of a call; gives when the last of it was.
    pub(super) fn ran(
        &mut self,
        at: i64,
        session: &mut Session,
        call: &Call,
        agent: &Agent,
        decision: EntryId,
        ran: Ran,
    ) -> i64 {
        let took = self.dice.around(1_500.0, 0.8).clamp(50.0, 120_000.0) as i64;
        let phases: &[(i64, ExecutionPhase)] = match ran {
            Ran::Reported { with_start: true } => &[
                (100, ExecutionPhase::Started),
                (100 + took, ExecutionPhase::Finished),
            ],
            Ran::Reported { with_start: false } => &[(took, ExecutionPhase::Finished)],
            Ran::Unknown => &[(took, ExecutionPhase::Unknown)],
            Ran::Silent => &[],
        };
        for (after, phase) in phases {
            self.execution(at + after, session, call, agent, decision, *phase);
        }
        phases.last().map_or(at, |(after, _)| at + after)
    }

    pub(super) fn execution(
        &mut self,
        at: i64,
        session: &mut Session,
        call: &Call,
        agent: &Agent,
        decision: EntryId,
        phase: ExecutionPhase,
    ) -> EntryId {
        session.executions += 1;
        session.last = session.last.max(at);
        let finished = phase == ExecutionPhase::Finished;
        let result_ref = finished.then(|| self.dice.digest().into());
        self.put(
            at,
            Execution {
                phase,
                links: linking(decision),
                intent_ref: call.intent,
                session: Some(session.pseudonym),
                result_ref,
                is_error: finished.then_some(false),
                credential: agent.credential,
                permit: None,
            },
        )
    }

    pub(super) fn refused(
        &mut self,
        at: i64,
        agent: &Agent,
        decision: EntryId,
        reason: PermitRefusal,
    ) -> EntryId {
        let permit = PermitId::fresh(Timestamp::from_millis(at), self.dice);
        self.put(
            at,
            PermitRefused {
                permit: Some(permit),
                reason,
                links: linking(decision),
                credential: agent.credential,
            },
        )
    }

    /// A person's answer to an escalation.
    pub(super) fn review(
        &mut self,
        at: i64,
        call: &Call,
        escalated: EntryId,
        yes: bool,
    ) -> EntryId {
        let answer = if yes {
            ReviewAnswer::Approve
        } else {
            ReviewAnswer::Reject
        };
        let links = Links {
            review: Some(escalated),
            ..Links::default()
        };
        self.put(
            at,
            Review {
                links,
                call_ref: self.dice.digest().into(),
                policy_ref: self.letterhead.policy(at),
                intent_ref: call.intent,
                shown_ref: self.dice.digest().into(),
                answer,
                credential: self.letterhead.reviewer,
                expires_at: Timestamp::from_millis(at + HOUR_MS),
                nonce: self.letterhead.key.clone(),
                signature: None,
            },
        )
    }

    pub(super) fn opened(&mut self, at: i64, reader: &Reader, records: usize) -> EntryId {
        let refs = (0..records).map(|_| self.dice.digest()).collect();
        self.put(
            at,
            VaultAccess {
                refs,
                purpose_ref: self.dice.digest().into(),
                credential: reader.credential,
                phase: None,
                request: None,
            },
        )
    }

    /// Ends a session. Everything of it must have been written.
    pub(super) fn close(&mut self, session: &Session) {
        self.put(
            session.last + IDLE_MS,
            SessionClose {
                session: session.pseudonym,
                turns: session.turns,
                decisions: session.decisions,
                executions: session.executions,
                credential: None,
            },
        );
    }
}

fn linking(decision: EntryId) -> Links {
    Links {
        decision: Some(decision),
        ..Links::default()
    }
}
