//! Delegations: an agent gives part of its mandate to another agent, and can only narrow it.
//!
//! What was given stands in one row for each turn and receiver, so that a call of the receiver need
//! not look for it. It ends with its time, with the turn and its session, and when a newer turn
//! names one of those through whom it came: who was given something has no more than its giver.

use countersign_core::entry::{Decision, Delegation, Links, Role};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::limits::{DELEGATION_DEPTH, LEAF_LIST};
use countersign_core::names::{ActionName, ActorName, SessionId};
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;
use countersign_ledger::{ReadSet, Step, StepError};
use countersign_wire::{DelegationAnswer, DelegationRequest};

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::intents::Mandate;
use crate::state::{self, GivenRow, GivenRows, key};
use crate::turns::{TURN_TTL_MAX_S, name};

/// Most delegations under one turn that an actor may hold at one time.
pub const DELEGATIONS_HELD: usize = 16;
/// How often a delegation is tried again when what it rests on has changed.
const DELEGATION_TRIES: usize = 4;

/// A request whose names are known to be well-formed.
struct NewDelegation {
    intent_ref: Option<IntentRef>,
    session: Option<SessionId>,
    from: ActorName,
    to: ActorName,
    actions: Vec<ActionName>,
    ttl_ms: Option<i64>,
}

/// What a delegation comes to.
struct Settled {
    given: GivenRow,
    is_new: bool,
}

impl Service {
    /// Gives part of the mandate of one actor to another.
    ///
    /// Role `agent`, by a credential that covers both; the giver must be able to act on the turn.
    pub fn delegate(
        &self,
        caller: &Caller,
        request: &DelegationRequest,
    ) -> Result<DelegationAnswer, ServiceError> {
        caller.require(Role::Agent)?;
        let request = NewDelegation::read(request)?;
        for actor in [&request.from, &request.to] {
            if !caller.covers(actor) {
                let detail = format!("the credential may not speak for the actor `{actor}`");
                return Err(ServiceError::new(ErrorCode::OutOfBounds, detail));
            }
        }
        for _ in 0..DELEGATION_TRIES {
            match self.try_delegate(caller, &request) {
                Err(error) if error.code == ErrorCode::Contended => {}
                other => return other,
            }
        }
        let detail = "what the delegation rests on kept changing";
        Err(ServiceError::new(ErrorCode::Contended, detail))
    }

    fn try_delegate(
        &self,
        caller: &Caller,
        request: &NewDelegation,
    ) -> Result<DelegationAnswer, ServiceError> {
        let now = self.clock.now();
        let mut reads = caller.reads();
        for actor in [&request.from, &request.to] {
            if self.is_stopped(actor, &mut reads)? {
                return Err(refused(format!("the actor `{actor}` is stopped")));
            }
        }
        let claimed = match &request.session {
            Some(session) => self.turn_of_session(session, &request.from, &mut reads)?,
            None => request.intent_ref,
        };
        let session = request.session.as_ref();
        let mandate = self.mandate(claimed, &request.from, session, now)?;
        let new = request.narrowed(&mandate, now)?;
        reads.versions.extend(mandate.reads.versions);
        if let Some(until) = mandate.reads.valid_until {
            reads.limit(until);
        }
        let entry_id = self.entry_id();
        let (intent_ref, to, credential) = (new.intent_ref, request.to.clone(), caller.id());
        let committed = self.ledger.commit(reads, move |step| {
            new.settle(step, &to, entry_id, credential)
        })?;
        let Settled { given, is_new } = &committed.value;
        Ok(DelegationAnswer {
            entry_id: given.entry.to_string(),
            intent_ref: intent_ref.to_string(),
            actions: given.actions.iter().map(ToString::to_string).collect(),
            expires_at: given.expires_at.to_string(),
            is_new: *is_new,
            entry: match is_new {
                true => self.only_entry(&committed)?,
                false => self.entry_json(given.entry)?,
            },
        })
    }

    /// What an actor was given of a turn that goes on, as far as none of its givers is stopped.
    pub(crate) fn given(
        &self,
        intent_ref: &IntentRef,
        to: &ActorName,
        now: Timestamp,
        reads: &mut ReadSet,
    ) -> Result<Vec<GivenRow>, ServiceError> {
        let state_key = key::given(intent_ref, to);
        let rows = state::read_into::<GivenRows>(&self.ledger, state_key, reads)?;
        let mut rows = rows.unwrap_or_default();
        rows.forget(now);
        let mut given = Vec::new();
        for row in rows.given {
            let mut is_stopped = false;
            for giver in &row.givers {
                is_stopped |= self.is_stopped(giver, reads)?;
            }
            if !is_stopped {
                given.push(row);
            }
        }
        Ok(given)
    }
}

/// Through whom the mandate of a decision came to its actor.
pub(crate) fn givers_of(step: &Step<'_>, decision: &Decision) -> Result<Vec<ActorName>, StepError> {
    let (Some(delegation), Some(intent_ref)) = (decision.links.delegation, &decision.intent_ref)
    else {
        return Ok(Vec::new());
    };
    let state_key = key::given(intent_ref, &decision.actor);
    let rows = state::read_in::<GivenRows>(step, &state_key)?.unwrap_or_default();
    let mut given = rows.given.into_iter();
    let found = given.find(|given| given.entry == delegation);
    Ok(found.map(|given| given.givers).unwrap_or_default())
}

/// A delegation as it will stand, but for its id.
struct Narrowed {
    intent_ref: IntentRef,
    from: ActorName,
    actions: Vec<ActionName>,
    expires_at: Timestamp,
    /// The delegation that it narrows.
    of: Option<EntryId>,
    givers: Vec<ActorName>,
}

impl Narrowed {
    /// Settles it in the plan, unless as much was given before. May run more than once.
    fn settle(
        &self,
        step: &mut Step<'_>,
        to: &ActorName,
        entry_id: EntryId,
        credential: CredentialId,
    ) -> Result<Settled, StepError> {
        let state_key = key::given(&self.intent_ref, to);
        let mut rows = state::read_in::<GivenRows>(step, &state_key)?.unwrap_or_default();
        rows.forget(step.now());
        if let Some(given) = rows.given.iter().find(|given| self.is_in(given)) {
            return Ok(Settled {
                given: given.clone(),
                is_new: false,
            });
        }
        if rows.given.len() >= DELEGATIONS_HELD {
            let detail = format!(
                "`{to}` holds {DELEGATIONS_HELD} delegations under this turn; wait for one to end"
            );
            return Err(StepError::refused(refused(detail)));
        }
        let body = Delegation {
            intent_ref: self.intent_ref,
            from: self.from.clone(),
            to: to.clone(),
            actions: self.actions.clone(),
            expires_at: self.expires_at,
            links: Links {
                delegation: self.of,
                ..Links::default()
            },
            credential,
        };
        step.push(entry_id, body)?;
        let given = self.row(entry_id);
        rows.given.push(given.clone());
        state::put(step, state_key, &rows)?;
        Ok(Settled {
            given,
            is_new: true,
        })
    }

    fn row(&self, entry: EntryId) -> GivenRow {
        GivenRow {
            entry,
            from: self.from.clone(),
            actions: self.actions.clone(),
            expires_at: self.expires_at,
            givers: self.givers.clone(),
        }
    }

    /// Whether as much was given before, on the same way.
    fn is_in(&self, given: &GivenRow) -> bool {
        given.givers == self.givers
            && given.actions == self.actions
            && given.expires_at >= self.expires_at
    }
}

impl NewDelegation {
    fn read(request: &DelegationRequest) -> Result<Self, ServiceError> {
        if request.intent_ref.is_some() == request.session.is_some() {
            return Err(ServiceError::malformed(
                "a delegation names its turn by `intent_ref` or by `session`: by one of them",
            ));
        }
        if request.actions.len() > LEAF_LIST {
            return Err(ServiceError::malformed(format!(
                "`actions` names {} actions; allowed are {LEAF_LIST}",
                request.actions.len()
            )));
        }
        if let Some(ttl_s) = request.expires_in_s
            && !(1..=TURN_TTL_MAX_S).contains(&ttl_s)
        {
            return Err(ServiceError::malformed(format!(
                "`expires_in_s` is {ttl_s}; allowed is 1 to {TURN_TTL_MAX_S}"
            )));
        }
        let (from, to): (ActorName, ActorName) = (name(&request.from)?, name(&request.to)?);
        if from == to {
            return Err(ServiceError::malformed(
                "`from` and `to` are the same actor",
            ));
        }
        let actions = request.actions.iter().map(|action| name(action));
        let mut actions = actions.collect::<Result<Vec<ActionName>, _>>()?;
        actions.sort();
        actions.dedup();
        let ttl_ms = request.expires_in_s.map(|ttl_s| {
            let ttl_s = i64::try_from(ttl_s).unwrap_or(i64::MAX);
            ttl_s.saturating_mul(1_000)
        });
        Ok(Self {
            intent_ref: request.intent_ref.as_deref().map(name).transpose()?,
            session: request.session.as_deref().map(name).transpose()?,
            from,
            to,
            actions,
            ttl_ms,
        })
    }

    /// The delegation within what the giver has; refused where it would be more.
    fn narrowed(&self, mandate: &Mandate, now: Timestamp) -> Result<Narrowed, ServiceError> {
        let Some(turn) = mandate.chain.first() else {
            return Err(refused(format!(
                "`{}` may not act on this turn: it is unknown, has ended, is not the newest of its session, or does not name the actor",
                self.from
            )));
        };
        if turn.row.actors.contains(&self.to) {
            let detail = format!(
                "the turn names `{}` itself, so it needs no delegation",
                self.to
            );
            return Err(refused(detail));
        }
        let new = Narrowed {
            intent_ref: turn.intent_ref,
            from: self.from.clone(),
            actions: self.actions.clone(),
            expires_at: turn.row.expires_at,
            of: None,
            givers: vec![self.from.clone()],
        };
        let new = match mandate.given.is_empty() {
            true => new,
            false => self.of_given(new, &mandate.given)?,
        };
        let Some(ttl_ms) = self.ttl_ms else {
            return Ok(new);
        };
        let expires_at = now.plus_millis(ttl_ms);
        if expires_at > new.expires_at {
            let detail = format!(
                "a delegation until {expires_at} would outlive what `{}` has, until {}",
                self.from, new.expires_at
            );
            return Err(refused(detail));
        }
        Ok(Narrowed { expires_at, ..new })
    }

    /// The same where the giver was given its mandate itself.
    fn of_given(&self, new: Narrowed, given: &[GivenRow]) -> Result<Narrowed, ServiceError> {
        // Of several, what allows most: all actions before some, and then what lasts longest.
        let fitting = given.iter().filter(|row| row.covers(self.actions.iter()));
        let best = fitting.max_by_key(|row| (row.actions.is_empty(), row.expires_at));
        let Some(row) = best else {
            let detail = format!("`{}` was not given all of these actions", self.from);
            return Err(refused(detail));
        };
        if row.givers.len() >= DELEGATION_DEPTH {
            let detail = format!("a mandate is passed on at most {DELEGATION_DEPTH} times");
            return Err(refused(detail));
        }
        if row.givers.contains(&self.to) {
            let detail = format!("`{}` is one of those from whom the mandate comes", self.to);
            return Err(refused(detail));
        }
        Ok(Narrowed {
            actions: match self.actions.is_empty() {
                true => row.actions.clone(),
                false => new.actions,
            },
            expires_at: row.expires_at,
            of: Some(row.entry),
            givers: row
                .givers
                .iter()
                .cloned()
                .chain([new.from.clone()])
                .collect(),
            ..new
        })
    }
}

impl Mandate {
    /// Narrows a mandate that was delegated to what was given: all that the call does must be among
    /// it, or else the call is unmandated. The delegation that it rests on then.
    pub(crate) fn narrow(&mut self, done: &[ActionName]) -> Option<EntryId> {
        let given = std::mem::take(&mut self.given);
        let fitting = given.iter().filter(|row| row.covers(done.iter()));
        let Some(row) = fitting.max_by_key(|row| row.expires_at) else {
            self.chain.clear();
            return None;
        };
        self.reads.limit(row.expires_at.plus_millis(-1));
        Some(row.entry)
    }
}

impl GivenRows {
    /// Drops what has ended.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        self.given.retain(|given| now < given.expires_at);
    }
}

impl GivenRow {
    fn covers<'a>(&self, mut actions: impl Iterator<Item = &'a ActionName>) -> bool {
        self.actions.is_empty() || actions.all(|action| self.actions.contains(action))
    }
}

fn refused(detail: String) -> ServiceError {
    ServiceError::new(ErrorCode::Conflict, detail)
}
