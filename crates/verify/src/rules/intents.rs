//! Turns: registered, delegated, ended; and the decisions that rest on them.

use std::collections::HashMap;

use countersign_core::document::{Author, Facts};
use countersign_core::entry::{
    Decision, Delegation, Intent, Mode, Revocation, RevocationEffect, RevocationScope,
};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::DELEGATION_DEPTH;
use countersign_core::names::{ActionName, ActorName};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;

use super::decisions::Decisions;
use super::may_mandate;
use crate::documents::{Documents, agree};
use crate::report::{At, Check};

/// Every turn and delegation of the log.
#[derive(Default)]
pub(crate) struct Intents {
    turns: HashMap<IntentRef, Turn>,
    newest: HashMap<Pseudonym, IntentRef>,
    // How often each session was closed; a turn ends with its session.
    closed: HashMap<Pseudonym, u64>,
    delegations: HashMap<EntryId, Given>,
}

struct Turn {
    entry: EntryId,
    author: Author,
    registrar: CredentialId,
    principal: Pseudonym,
    session: Pseudonym,
    actors: Vec<ActorName>,
    parent: Option<IntentRef>,
    mandate: Option<IntentRef>,
    expires_at: Timestamp,
    is_revoked: bool,
    /// How often its session had been closed before it.
    after_closed: u64,
}

struct Given {
    intent_ref: IntentRef,
    /// Through whom it came: first the actor that the turn names, last the giver.
    givers: Vec<ActorName>,
    to: ActorName,
    actions: Vec<ActionName>,
    expires_at: Timestamp,
}

impl Intents {
    pub(crate) fn register(
        &mut self,
        at: &mut At<'_>,
        body: &Intent,
        documents: &mut Documents<'_>,
    ) {
        at.require(
            !body.actors.is_empty(),
            Check::Members,
            "no actors",
            "at least one",
        );
        let is_signed = body.signature.is_some() == body.key_id.is_some();
        let expected = "`signature` and `key_id`, or neither";
        at.require(is_signed, Check::Members, "one of them", expected);
        if let Some(parent) = &body.parent {
            let fits = self
                .turns
                .get(parent)
                .is_some_and(|turn| turn.session == body.session && !self.ended_with_session(turn));
            let expected = "an earlier turn of the same session, since it was last opened";
            at.require(
                fits,
                Check::IntentHistory,
                format_args!("parent {parent}"),
                expected,
            );
        }
        if let Some(mandate) = &body.mandate {
            let fits = self.turns.get(mandate).is_some_and(|turn| {
                may_mandate(turn.author)
                    && turn.is_live(at.entry.timestamp)
                    && !self.ended_with_session(turn)
                    && turn.principal == body.principal
                    && body.actors.iter().all(|actor| turn.actors.contains(actor))
            });
            let expected = "a live turn of the same person, for the same actors";
            at.require(
                fits,
                Check::IntentHistory,
                format_args!("mandate {mandate}"),
                expected,
            );
        }
        documents.intent(at, body);
        let turn = Turn {
            entry: at.entry.entry_id,
            author: body.author,
            registrar: body.credential,
            principal: body.principal,
            session: body.session,
            actors: body.actors.clone(),
            parent: body.parent,
            mandate: body.mandate,
            expires_at: body.expires_at,
            is_revoked: false,
            after_closed: self.closed.get(&body.session).copied().unwrap_or(0),
        };
        let is_new = !self.turns.contains_key(&body.intent_ref);
        let expected = "a turn that was not registered before";
        at.require(is_new, Check::IntentHistory, body.intent_ref, expected);
        self.turns.entry(body.intent_ref).or_insert(turn);
        self.newest.insert(body.session, body.intent_ref);
    }

    /// Who registered a turn.
    pub(crate) fn registrar(&self, turn: &IntentRef) -> Option<CredentialId> {
        Some(self.turns.get(turn)?.registrar)
    }

    /// The turns of a session end with it.
    pub(crate) fn end_session(&mut self, session: Pseudonym) {
        let closed = self.closed.entry(session).or_default();
        *closed = closed.saturating_add(1);
        self.newest.remove(&session);
    }

    fn ended_with_session(&self, turn: &Turn) -> bool {
        let closed = self.closed.get(&turn.session).copied().unwrap_or(0);
        turn.after_closed != closed
    }

    pub(crate) fn revoke(&mut self, at: &mut At<'_>, body: &Revocation) {
        let (turn, actor) = (body.intent_ref.is_some(), body.actor.is_some());
        let fits = match body.scope {
            RevocationScope::Turn => turn && !actor && body.effect == RevocationEffect::Stop,
            RevocationScope::Actor => actor && !turn,
            RevocationScope::Everything => !actor && !turn,
        };
        let found = format_args!("`{}` of `{}`", body.effect, body.scope);
        let expected = "what the scope concerns, and nothing else";
        at.require(fits, Check::Members, found, expected);
        if let Some(intent) = &body.intent_ref {
            let turn = self.turns.get_mut(intent);
            let expected = "a turn that is registered";
            at.require(turn.is_some(), Check::Intent, intent, expected);
            if let Some(turn) = turn {
                turn.is_revoked = true;
            }
        }
    }

    pub(crate) fn delegate(&mut self, at: &mut At<'_>, body: &Delegation, decisions: &Decisions) {
        let of = body.links.delegation;
        let of = of.and_then(|id| self.delegations.get(&id));
        let mut givers = of.map_or_else(Vec::new, |given| given.givers.clone());
        givers.push(body.from.clone());
        if let Some(turn) = self.live_turn(at, &body.intent_ref) {
            let found = format_args!("until {}", body.expires_at);
            let holds = at.entry.timestamp < body.expires_at && body.expires_at <= turn.expires_at;
            let expected = format_args!("later, and no longer than the turn, {}", turn.expires_at);
            at.require(holds, Check::Delegation, found, expected);
            check_giver(at, body, turn, of);
            self.check_way(at, &body.intent_ref, turn, &givers, &body.to);
        }
        let is_new = body.to != body.from && !givers.contains(&body.to);
        let expected = "an actor that has nothing of this mandate yet";
        at.require(is_new, Check::Delegation, &body.to, expected);
        let found = format_args!("passed on {} times", givers.len());
        let expected = format_args!("at most {DELEGATION_DEPTH} times");
        let is_near = givers.len() <= DELEGATION_DEPTH;
        at.require(is_near, Check::Delegation, found, expected);
        check_stops(at, &givers, decisions);
        let given = Given {
            intent_ref: body.intent_ref,
            givers,
            to: body.to.clone(),
            actions: body.actions.clone(),
            expires_at: body.expires_at,
        };
        self.delegations.insert(at.entry.entry_id, given);
    }

    /// Through whom a delegated mandate came.
    pub(crate) fn givers(&self, delegation: &EntryId) -> &[ActorName] {
        let given = self.delegations.get(delegation);
        given.map_or(&[], |given| given.givers.as_slice())
    }

    /// What a decision says that it rests on.
    pub(crate) fn grounds(&self, at: &mut At<'_>, body: &Decision, decisions: &Decisions) {
        let Some(intent) = &body.intent_ref else {
            at.require(
                body.links.delegation.is_none(),
                Check::Members,
                "a delegation without an intent",
                "an intent",
            );
            return;
        };
        at.require(
            body.claimed_intent_ref.is_none(),
            Check::Members,
            "`claimed_intent_ref` beside `intent_ref`",
            "one of them",
        );
        let Some(turn) = self.live_turn(at, intent) else {
            return;
        };
        if let Some(mandate) = &turn.mandate {
            self.live_turn(at, mandate);
        }
        let is_theirs =
            body.session == Some(turn.session) && body.principal == Some(turn.principal);
        let expected = "the session and principal of its turn";
        at.require(
            is_theirs,
            Check::Intent,
            "another session or principal",
            expected,
        );
        match body.links.delegation {
            None => {
                let named = turn.actors.contains(&body.actor);
                let expected = "an actor that the turn names, or a delegation";
                at.require(named, Check::Intent, &body.actor, expected);
                let newest = self.newest_for(turn.session, &[&body.actor]);
                let expected = "the session's newest turn that names the actor";
                at.require(newest == Some(*intent), Check::Intent, intent, expected);
            }
            Some(id) => self.check_receiver(at, body, turn, (&id, decisions)),
        }
    }

    /// The turns that the facts were drawn from are live ones of the same session and principal, or
    /// the mandate of one of them.
    pub(crate) fn chain(&self, at: &mut At<'_>, body: &Decision, facts: &Facts) {
        let mut mandates = Vec::new();
        for input in &facts.inputs.intents {
            let Some(turn) = self.live_turn(at, &input.intent_ref) else {
                continue;
            };
            let is_of_session =
                body.session == Some(turn.session) && body.principal == Some(turn.principal);
            let fits = is_of_session || mandates.contains(&input.intent_ref);
            agree(
                at,
                "facts",
                "inputs.intents",
                fits && turn.entry == input.entry,
            );
            mandates.extend(turn.mandate);
        }
    }

    /// Whether a turn, and the standing one that it rests on, go on.
    pub(crate) fn goes_on(&self, intent: &IntentRef, now: Timestamp) -> bool {
        let lives = |intent: &IntentRef| {
            let turn = self.turns.get(intent)?;
            let lives = turn.is_live(now) && !self.ended_with_session(turn);
            lives.then_some(turn)
        };
        let turn = lives(intent);
        turn.is_some_and(|turn| turn.mandate.as_ref().is_none_or(|it| lives(it).is_some()))
    }

    fn live_turn(&self, at: &mut At<'_>, intent: &IntentRef) -> Option<&Turn> {
        let turn = self.turns.get(intent);
        let Some(turn) = turn else {
            at.fail(Check::Intent, intent, "a turn that was registered before");
            return None;
        };
        at.require(
            !turn.is_revoked,
            Check::Intent,
            format_args!("{intent}, which was revoked"),
            "a turn that was not revoked",
        );
        at.require(
            !self.ended_with_session(turn),
            Check::Intent,
            format_args!("{intent}, whose session was closed"),
            "a turn whose session goes on",
        );
        let now = at.entry.timestamp;
        at.require(
            now <= turn.expires_at,
            Check::Intent,
            format_args!("{intent}, which ended at {}", turn.expires_at),
            "a turn that had not ended",
        );
        Some(turn)
    }

    /// The turn of a session that a call of one of the actors names: what was said last counts,
    /// unless it was withdrawn.
    fn newest_for(&self, session: Pseudonym, actors: &[&ActorName]) -> Option<IntentRef> {
        let mut newest = self.newest.get(&session).copied();
        // No chain is longer than all turns together, so a ring of parents ends too.
        for _ in 0..self.turns.len() {
            let turn = self.turns.get(&newest?)?;
            let names_one = actors.iter().any(|actor| turn.actors.contains(actor));
            if names_one && !turn.is_revoked {
                return newest;
            }
            newest = turn.parent;
        }
        None
    }

    /// What was said last counts for everybody by whom a mandate comes to an actor.
    fn check_way(
        &self,
        at: &mut At<'_>,
        intent: &IntentRef,
        turn: &Turn,
        givers: &[ActorName],
        to: &ActorName,
    ) {
        let through: Vec<&ActorName> = givers.iter().chain([to]).collect();
        let newest = self.newest_for(turn.session, &through);
        let expected = "the session's newest turn that names one by whom the mandate comes";
        at.require(newest == Some(*intent), Check::Delegation, intent, expected);
    }

    fn check_receiver(
        &self,
        at: &mut At<'_>,
        body: &Decision,
        turn: &Turn,
        (id, decisions): (&EntryId, &Decisions),
    ) {
        let Some(given) = self.delegations.get(id) else {
            return; // The link itself is a finding then.
        };
        let others = body.actions.iter().flatten();
        let mut done = others.chain([&body.action]);
        // A bundle in shadow may call what the call does by other names.
        let covers = body.mode == Mode::Shadow
            || given.actions.is_empty()
            || done.all(|action| given.actions.contains(action));
        let holds = Some(given.intent_ref) == body.intent_ref
            && given.to == body.actor
            && at.entry.timestamp <= given.expires_at
            && covers;
        let expected = "a live delegation of this action, under this turn, to this actor";
        let found = format_args!("delegation {id}");
        at.require(holds, Check::Delegation, found, expected);
        self.check_way(at, &given.intent_ref, turn, &given.givers, &given.to);
        check_stops(at, &given.givers, decisions);
    }
}

fn check_giver(at: &mut At<'_>, body: &Delegation, turn: &Turn, of: Option<&Given>) {
    let expected = "a giver that the turn names, or that was given as much";
    let holds = match of {
        None => turn.actors.contains(&body.from),
        Some(given) => {
            let within = |action| given.actions.contains(action);
            let narrows = given.actions.is_empty()
                || !body.actions.is_empty() && body.actions.iter().all(within);
            given.intent_ref == body.intent_ref
                && given.to == body.from
                && body.expires_at <= given.expires_at
                && narrows
        }
    };
    at.require(holds, Check::Delegation, &body.from, expected);
}

/// Who is stopped gives nothing, and what came through them ends.
fn check_stops(at: &mut At<'_>, givers: &[ActorName], decisions: &Decisions) {
    for giver in givers.iter().filter(|giver| decisions.is_stopped(giver)) {
        let expected = "nothing that comes through an actor that is stopped";
        at.fail(Check::Stopped, giver, expected);
    }
}

impl Turn {
    fn is_live(&self, now: Timestamp) -> bool {
        !self.is_revoked && now <= self.expires_at
    }
}
