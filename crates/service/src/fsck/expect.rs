//! The rows that the entries give.

mod vault;

use std::collections::{BTreeMap, HashMap};

use countersign_core::entry::{
    Body, Credential, Decision, Delegation, Entry, Execution, GrantChange, Intent, Mode, Policy,
    PolicyPhase, Revocation, RevocationEffect, RevocationScope, Role, SessionOpen,
};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::ActorName;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, PolicyRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_ledger::StateKey;
use countersign_merkle::LeafIndex;
use serde::Serialize;
use serde_json::{Value, json};

use crate::history::HistoryFold;
use crate::sessions::Counted;
use crate::state::{
    ClosedBy, EscalationRow, ExecutionRow, GivenRow, GivenRows, HoldPlacedRow, HoldRow, InForceRow,
    InShadowRow, IntentRow, OpeningRow, PartRow, ReplayedRow, ResultRow, SessionCountRow,
    SessionRow, StopRow, StoredBundleRow, key,
};

/// A row as the entries give it.
pub(super) struct Expected {
    /// The entry that says so last.
    pub(super) at: LeafIndex,
    /// Its members; `None` for a row that was deleted.
    pub(super) row: Option<Value>,
}

/// What the entries say of everything that a row is about, as of the last entry that was seen.
#[derive(Default)]
pub(super) struct Folded {
    rows: BTreeMap<String, Expected>,
    intents: HashMap<IntentRef, (LeafIndex, IntentRow)>,
    sessions: HashMap<Pseudonym, (LeafIndex, SessionRow)>,
    counts: HashMap<Pseudonym, (LeafIndex, SessionCountRow)>,
    given: BTreeMap<StateKey, (LeafIndex, GivenRows)>,
    /// Through whom each delegation came.
    givers: HashMap<EntryId, Vec<ActorName>>,
    credentials: HashMap<CredentialId, (LeafIndex, Value)>,
    escalations: HashMap<EntryId, (LeafIndex, EscalationRow)>,
    executions: HashMap<EntryId, (LeafIndex, ExecutionRow)>,
    in_force: Option<PolicyRef>,
    /// The session of each result.
    results: HashMap<Sha256, Pseudonym>,
    /// Erasures that are not complete, by their first record.
    pending: HashMap<Sha256, EntryId>,
    holds: HashMap<Sha256, (LeafIndex, HoldRow)>,
    placed: HashMap<EntryId, (LeafIndex, HoldPlacedRow)>,
    openings: HashMap<EntryId, (LeafIndex, OpeningRow)>,
}

impl Folded {
    /// `history` has met the same entries.
    pub(super) fn fold(&mut self, index: LeafIndex, entry: &Entry, history: &HistoryFold) {
        let id = entry.entry_id;
        match &entry.body {
            Body::Part(part) => {
                let row = PartRow { index: index.get() };
                self.put_first(index, key::part(&part.bytes.digest()), &row);
            }
            Body::Policy(policy) => self.policy(index, entry, policy),
            Body::SessionOpen(open) => self.open(index, entry, open),
            Body::SessionClose(close) => self.close(index, &close.session),
            Body::Intent(intent) => self.intent(index, entry, intent),
            Body::Delegation(delegation) => self.delegation(index, entry, delegation),
            Body::Revocation(revocation) => self.revocation(index, id, revocation),
            Body::Directory(_) => self.put(index, key::directory(), &id),
            Body::Credential(credential) => self.credential(index, id, credential),
            Body::Decision(decision) => self.decision(index, entry, decision, history),
            Body::Review(review) => self.put(index, key::review_nonce(&review.nonce), &id),
            Body::Execution(execution) => self.execution(index, entry.timestamp, execution),
            Body::Expired(expired) => self.closed(index, id, expired.links.resolves, None),
            Body::Erasure(erasure) => self.erasure(index, entry, erasure),
            Body::Hold(hold) => self.hold(index, entry, hold),
            Body::VaultAccess(access) => self.access(index, entry, access, history),
            _ => {}
        }
    }

    /// Every row that can be told.
    pub(super) fn rows(mut self, history: HistoryFold) -> BTreeMap<String, Expected> {
        for (key, (at, row)) in history.rows() {
            let (at, row) = (LeafIndex::new(at), Some(row));
            self.rows.insert(key, Expected { at, row });
        }
        for (intent_ref, (at, row)) in std::mem::take(&mut self.intents) {
            self.put(at, key::intent(&intent_ref), &row);
        }
        for (session, (at, row)) in std::mem::take(&mut self.sessions) {
            self.put(at, key::session(&session), &row);
        }
        for (session, (at, row)) in std::mem::take(&mut self.counts) {
            self.put(at, key::session_count(&session), &row);
        }
        for (state_key, (at, row)) in std::mem::take(&mut self.given) {
            self.put(at, state_key, &row);
        }
        for (id, (at, row)) in std::mem::take(&mut self.credentials) {
            self.put(at, key::credential(id), &row);
        }
        for (decision, (at, row)) in std::mem::take(&mut self.escalations) {
            let open = key::open_escalation(row.deadline, decision);
            match row.closed_by {
                None => self.put(at, open, &decision),
                Some(_) => self.gone(at, open),
            }
            self.put(at, key::escalation(decision), &row);
        }
        for (decision, (at, row)) in std::mem::take(&mut self.executions) {
            self.put(at, key::execution(decision), &row);
        }
        for (reference, (at, row)) in std::mem::take(&mut self.holds) {
            match row.holds.is_empty() {
                true => self.gone(at, key::hold(&reference)),
                false => self.put(at, key::hold(&reference), &row),
            }
        }
        for (placed, (at, row)) in std::mem::take(&mut self.placed) {
            match row.refs.is_empty() {
                true => self.gone(at, key::hold_placed(placed)),
                false => self.put(at, key::hold_placed(placed), &row),
            }
        }
        for (request, (at, row)) in std::mem::take(&mut self.openings) {
            self.put(at, key::opening(request), &row);
        }
        self.rows
    }

    fn policy(&mut self, index: LeafIndex, entry: &Entry, policy: &Policy) {
        let (id, policy_ref) = (entry.entry_id, policy.policy_ref);
        match policy.phase {
            PolicyPhase::Stored => {
                let parts = policy.parts.clone();
                let row = StoredBundleRow { parts, entry: id };
                self.put_first(index, key::policy(&policy_ref), &row);
            }
            PolicyPhase::InForce => {
                let row = InForceRow {
                    policy_ref,
                    entry: id,
                };
                self.put(index, key::policy_in_force(), &row);
                self.in_force = Some(policy_ref);
            }
            PolicyPhase::Shadow => {
                let row = InShadowRow {
                    policy_ref,
                    entry: id,
                };
                self.put(index, key::policy_in_shadow(), &row);
                if let Some(by) = policy.credential {
                    self.put_first(index, key::policy_shadowed(&policy_ref, by), &id);
                }
            }
            PolicyPhase::ShadowEnd => self.gone(index, key::policy_in_shadow()),
            PolicyPhase::Replayed => {
                if let Some(in_force) = policy.previous {
                    let row = ReplayedRow {
                        entry: id,
                        in_force,
                        at: entry.timestamp,
                    };
                    self.put(index, key::policy_replayed(&policy_ref), &row);
                }
            }
        }
    }

    fn open(&mut self, index: LeafIndex, entry: &Entry, open: &SessionOpen) {
        let turns = self.sessions.get(&open.session);
        let row = SessionRow {
            newest: None,
            is_awaiting: true,
            turns: turns.map_or(0, |(_, row)| row.turns),
            opened: entry.entry_id,
            opened_by: open.credential,
        };
        self.sessions.insert(open.session, (index, row));
        self.rows.remove(key::session_count(&open.session).as_str());
        let (at, count) = self.counts.entry(open.session).or_default();
        *at = index;
        count.open_at(entry.timestamp);
    }

    fn close(&mut self, index: LeafIndex, session: &Pseudonym) {
        if let Some((at, row)) = self.sessions.get_mut(session) {
            (*at, row.newest, row.is_awaiting) = (index, None, false);
        }
        self.counts.remove(session);
        self.gone(index, key::session_count(session));
    }

    fn count(&mut self, index: LeafIndex, session: Pseudonym, what: Counted, now: Timestamp) {
        let (at, count) = self.counts.entry(session).or_default();
        *at = index;
        count.add(what, now);
    }

    fn intent(&mut self, index: LeafIndex, entry: &Entry, intent: &Intent) {
        let until = Counted::Turn(intent.expires_at);
        self.count(index, intent.session, until, entry.timestamp);
        // A turn without an opened session is one of a log that holds no such entries.
        let Some((at, session)) = self.sessions.get_mut(&intent.session) else {
            return;
        };
        *at = index;
        (session.newest, session.is_awaiting) = (Some(intent.intent_ref), false);
        session.turns = session.turns.saturating_add(1);
        let row = IntentRow {
            entry: entry.entry_id,
            author: intent.author,
            channel: intent.channel.clone(),
            principal: intent.principal,
            session: intent.session,
            actors: intent.actors.clone(),
            parent: intent.parent,
            mandate: intent.mandate,
            expires_at: intent.expires_at,
            registered_by: intent.credential,
            // A turn rests on one of the two, and never on both.
            has_principal_part: intent.mandate.is_none(),
            revoked: false,
            opened: session.opened,
        };
        self.intents.insert(intent.intent_ref, (index, row));
    }

    fn delegation(&mut self, index: LeafIndex, entry: &Entry, body: &Delegation) {
        let of = body.links.delegation;
        let mut givers = of
            .and_then(|of| self.givers.get(&of).cloned())
            .unwrap_or_default();
        givers.push(body.from.clone());
        self.givers.insert(entry.entry_id, givers.clone());
        let state_key = key::given(&body.intent_ref, &body.to);
        let (at, rows) = self.given.entry(state_key).or_default();
        *at = index;
        rows.forget(entry.timestamp);
        rows.given.push(GivenRow {
            entry: entry.entry_id,
            from: body.from.clone(),
            actions: body.actions.clone(),
            expires_at: body.expires_at,
            givers,
        });
    }

    fn revocation(&mut self, index: LeafIndex, id: EntryId, revocation: &Revocation) {
        let state_key = match (revocation.scope, &revocation.actor, &revocation.intent_ref) {
            (RevocationScope::Turn, _, Some(intent_ref)) => {
                if let Some((at, row)) = self.intents.get_mut(intent_ref) {
                    (*at, row.revoked) = (index, true);
                }
                return;
            }
            (RevocationScope::Actor, Some(actor), _) => key::stop_actor(actor.as_str()),
            (RevocationScope::Everything, ..) => key::stop_everything(),
            _ => return,
        };
        match revocation.effect {
            RevocationEffect::Stop => self.put(index, state_key, &StopRow { entry: id }),
            RevocationEffect::Resume => self.gone(index, state_key),
        }
    }

    /// The row but for what does not stand in the entry.
    fn credential(&mut self, index: LeafIndex, id: EntryId, body: &Credential) {
        if body.change == GrantChange::Revoked {
            if let Some((at, row)) = self.credentials.get_mut(&body.subject)
                && let Some(revoked) = row.get_mut("revoked")
            {
                *at = index;
                *revoked = Value::from(true);
            }
            return;
        }
        let mut row = json!({
            "id": body.subject,
            "roles": body.roles,
            "actors": body.actors,
            "authors": body.authors,
            "channels": body.channels,
            "session": body.session,
            "assurance": body.assurance,
            "public_key": body.public_key,
            "entry": id,
            "revoked": false,
        });
        if let Some(row) = row.as_object_mut() {
            if let Some(surface) = &body.surface {
                row.insert("surface".to_owned(), json!(surface));
            }
            if let Some(principal) = &body.principal {
                row.insert("principal".to_owned(), json!(principal));
            }
            if body.own_sessions == Some(true) {
                row.insert("own_sessions".to_owned(), json!(true));
            }
        }
        self.credentials.insert(body.subject, (index, row));
    }

    fn decision(
        &mut self,
        index: LeafIndex,
        entry: &Entry,
        body: &Decision,
        history: &HistoryFold,
    ) {
        let (id, time) = (entry.entry_id, entry.timestamp);
        if body.mode == Mode::Shadow {
            return; // Nothing comes of it.
        }
        if let Some(session) = body.session {
            self.count(index, session, Counted::Decision, time);
        }
        self.closed(index, id, body.links.resolves, Some(body.outcome));
        if body.outcome == Outcome::Escalated {
            let ttl_s = i64::from(history.escalation_ttl_s(&body.policy_ref));
            let row = EscalationRow {
                decision: id,
                deadline: time.plus_millis(ttl_s.saturating_mul(1_000)),
                closed_by: None,
            };
            self.escalations.insert(id, (index, row));
        }
    }

    fn execution(&mut self, index: LeafIndex, time: Timestamp, execution: &Execution) {
        if let Some(session) = execution.session {
            self.count(index, session, Counted::Execution, time);
        }
        if let (Some(session), Some(result_ref)) = (execution.session, execution.result_ref) {
            let row = ResultRow { result_ref };
            self.put(index, key::newest_result(&session), &row);
            self.results.insert(result_ref.into(), session);
        }
        if let Some(decision) = execution.links.decision {
            let is_tool = self.has_role(execution.credential, Role::Tool);
            let (at, row) = self
                .executions
                .entry(decision)
                .or_insert((index, ExecutionRow::default()));
            *at = index;
            match is_tool {
                true => row.phases.push(execution.phase),
                false => row.by_agent.push(execution.phase),
            }
        }
    }

    fn has_role(&self, credential: CredentialId, role: Role) -> bool {
        let row = self.credentials.get(&credential).map(|(_, row)| row);
        let roles = row.and_then(|row| row.get("roles")?.as_array());
        roles.is_some_and(|roles| roles.iter().any(|has| has == role.name()))
    }

    /// What closed an escalation: the decision that came of an answer, or nobody's answer.
    fn closed(
        &mut self,
        index: LeafIndex,
        id: EntryId,
        resolves: Option<EntryId>,
        outcome: Option<Outcome>,
    ) {
        let escalation = resolves.and_then(|decision| self.escalations.get_mut(&decision));
        if let Some((at, row)) = escalation {
            *at = index;
            row.closed_by = Some(ClosedBy { entry: id, outcome });
        }
    }

    fn put(&mut self, at: LeafIndex, key: StateKey, row: &impl Serialize) {
        // A row that has no JSON could not have been written either.
        let row = serde_json::to_value(row).ok();
        self.rows
            .insert(key.as_str().to_owned(), Expected { at, row });
    }

    fn put_first(&mut self, at: LeafIndex, key: StateKey, row: &impl Serialize) {
        if !self.rows.contains_key(key.as_str()) {
            self.put(at, key, row);
        }
    }

    fn gone(&mut self, at: LeafIndex, key: StateKey) {
        let row = None;
        self.rows
            .insert(key.as_str().to_owned(), Expected { at, row });
    }
}
