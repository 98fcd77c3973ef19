//! Registering turns, revoking them, and stopping actors or everything.

use countersign_core::document::{Author, Document, Intent, PartBy, Salt, TurnPart};
use countersign_core::entry::{self, RevocationEffect, RevocationScope, Role};
use countersign_core::ids::{EntryId, IntentId};
use countersign_core::json;
use countersign_core::limits::{LEAF_LIST, TURN_PARTS, TURN_TEXT_BYTES};
use countersign_core::names::{ActorName, ChannelName, PrincipalName, SessionId};
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;
use countersign_judge::TurnMentions;
use countersign_ledger::{ReadSet, StepError};
use countersign_wire::{Revoked, StopRequest, TurnAnswer, TurnPartRequest, TurnRequest};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::intents::OpenIntent;
use crate::render;
use crate::sessions::{self, Counted};
use crate::state::{self, IntentRow, SessionRow, StopRow, key};
use crate::vault::subjects::{SUBJECTS_PER_RECORD, Spoken};

/// Most bytes of a request that registers a turn.
pub const TURN_BODY_BYTES: usize = 8 * 1024 * 1024;
/// How long a turn counts unless its registration says otherwise, in seconds.
pub const TURN_TTL_S: u64 = 3_600;
/// How long a turn may count at most, in seconds: thirty days.
pub const TURN_TTL_MAX_S: u64 = 2_592_000;
/// How often a registration is tried again when another turn of the session got in between.
const TURN_TRIES: usize = 8;

/// A request whose names are known to be well-formed.
struct NewTurn {
    principal: PrincipalName,
    author: Author,
    channel: ChannelName,
    session: SessionId,
    actors: Vec<ActorName>,
    parts: Vec<TurnPart>,
    ttl_ms: i64,
    mandate: Option<IntentRef>,
}

impl Service {
    /// Registers a turn.
    ///
    /// In: the request's body, at most [`TURN_BODY_BYTES`], and a caller with the role `ingress`.
    /// Out: the intent document, its ref, and the entry with its proof.
    pub fn register_turn(&self, caller: &Caller, body: &[u8]) -> Result<TurnAnswer, ServiceError> {
        caller.require(Role::Ingress)?;
        let turn = NewTurn::read(json::parse_as(body, TURN_BODY_BYTES)?)?;
        turn.check_bounds(caller)?;
        for _ in 0..TURN_TRIES {
            match self.try_register(caller, &turn) {
                Err(error) if error.code == ErrorCode::Contended => {}
                other => return other,
            }
        }
        Err(ServiceError::new(
            ErrorCode::Contended,
            "other turns of this session kept getting in between",
        ))
    }

    /// Ends a turn: from this entry on nothing can be done in its name.
    pub fn revoke_turn(
        &self,
        caller: &Caller,
        intent_ref: IntentRef,
    ) -> Result<Revoked, ServiceError> {
        caller.require_any(&[Role::Ingress, Role::Admin, Role::Reviewer])?;
        let entry_id = self.entry_id();
        let credential = caller.id();
        let any = caller.has(Role::Admin) || caller.has(Role::Reviewer);
        let committed = self.ledger.commit_urgent(caller.reads(), move |step| {
            let state_key = key::intent(&intent_ref);
            let Some(mut row) = state::read_in::<IntentRow>(step, &state_key)? else {
                return Err(StepError::refused(ServiceError::not_found(format!(
                    "turn `{intent_ref}`"
                ))));
            };
            if !any && row.registered_by != credential {
                let detail = "an ingress may revoke only the turns that it registered";
                return Err(StepError::refused(ServiceError::new(
                    ErrorCode::OutOfBounds,
                    detail,
                )));
            }
            if row.revoked {
                let detail = "the turn was already revoked";
                return Err(StepError::refused(ServiceError::new(
                    ErrorCode::Conflict,
                    detail,
                )));
            }
            row.revoked = true;
            step.push(
                entry_id,
                entry::Revocation {
                    scope: RevocationScope::Turn,
                    effect: RevocationEffect::Stop,
                    intent_ref: Some(intent_ref),
                    actor: None,
                    credential,
                },
            )?;
            state::put(step, state_key, &row)
        })?;
        Ok(Revoked {
            entry: self.only_entry(&committed)?,
        })
    }

    /// Stops an actor or everything, or lifts such a stop; effective with this entry.
    pub fn stop(&self, caller: &Caller, request: &StopRequest) -> Result<Revoked, ServiceError> {
        caller.require_any(&[Role::Admin, Role::Reviewer])?;
        let effect = match request.effect.as_deref() {
            None => RevocationEffect::Stop,
            Some(text) => word(text, "effect", "stop and resume")?,
        };
        // Stopping is for whoever sees the fire; going on again is a decision.
        if effect == RevocationEffect::Resume {
            caller.require(Role::Admin)?;
        }
        let (scope, actor) = match (request.scope.as_str(), &request.actor) {
            ("everything", None) => (RevocationScope::Everything, None),
            ("actor", Some(actor)) => (RevocationScope::Actor, Some(name::<ActorName>(actor)?)),
            _ => {
                return Err(ServiceError::malformed(
                    "`scope` is `everything`, or `actor` with an `actor`",
                ));
            }
        };
        let entry_id = self.entry_id();
        let credential = caller.id();
        let state_key = actor.as_ref().map_or_else(key::stop_everything, |actor| {
            key::stop_actor(actor.as_str())
        });
        let committed = self.ledger.commit_urgent(caller.reads(), move |step| {
            let body = entry::Revocation {
                scope,
                effect,
                intent_ref: None,
                actor: actor.clone(),
                credential,
            };
            // An entry must not lift what is not there: the verifier would find it.
            if effect == RevocationEffect::Resume
                && state::read_in::<StopRow>(step, &state_key)?.is_none()
            {
                let error = ServiceError::new(ErrorCode::Conflict, "no such stop is in force");
                return Err(StepError::refused(error));
            }
            step.push(entry_id, body)?;
            match effect {
                RevocationEffect::Stop => {
                    state::put(step, state_key.clone(), &StopRow { entry: entry_id })
                }
                RevocationEffect::Resume => step.delete(state_key.clone()),
            }
        })?;
        Ok(Revoked {
            entry: self.only_entry(&committed)?,
        })
    }

    fn try_register(&self, caller: &Caller, turn: &NewTurn) -> Result<TurnAnswer, ServiceError> {
        let now = self.clock.now();
        let principal = self.plan_pseudonym(PseudonymKind::Principal, turn.principal.as_str())?;
        let session = self.plan_pseudonym(PseudonymKind::Session, turn.session.as_str())?;
        caller.check_bound(session.known())?;
        let mut reads = caller.reads();
        let newest: Option<SessionRow> = match session.known() {
            Some(session) => state::read_into(&self.ledger, key::session(&session), &mut reads)?,
            None => None,
        };
        caller.check_own_session(newest.as_ref())?;
        self.check_mandate(caller, turn, principal.known(), now, &mut reads)?;
        let intent = Intent {
            tenant: self.tenant.clone(),
            intent_id: IntentId::fresh(now, &*self.random),
            principal: turn.principal.clone(),
            author: turn.author,
            channel: turn.channel.clone(),
            session: turn.session.clone(),
            actors: turn.actors.clone(),
            parts: turn.parts.clone(),
            parent: newest.as_ref().and_then(|row| row.newest),
            mandate: turn.mandate,
            registered_by: caller.id(),
            assurance: caller.assurance(),
            issued_at: now,
            expires_at: now.plus_millis(turn.ttl_ms),
            salt: Salt::fresh(&*self.random),
        };
        let (intent_ref, record) = self.vault.seal(&intent, &*self.random)?;
        let canonical = intent.canonical()?;
        let (entry_id, opening_id) = (self.entry_id(), self.entry_id());
        let newest = newest.unwrap_or(SessionRow {
            newest: None,
            is_awaiting: false,
            turns: 0,
            opened: opening_id,
            opened_by: caller.id(),
        });
        let (document, known_session) = (intent.clone(), session.known());
        let tags = self.tags(&spoken_of(&intent), SUBJECTS_PER_RECORD);
        let committed = self.ledger.commit(reads, move |step| {
            let principal = principal.settle(step)?;
            let session = session.settle(step)?;
            // Another first turn of this session got in between: its parent must be this one's.
            if known_session.is_none() && step.state(&key::session(&session))?.is_some() {
                return Err(StepError::Stale {
                    keys: vec![key::session(&session)],
                });
            }
            let mut row = SessionRow {
                newest: Some(intent_ref),
                is_awaiting: false,
                turns: newest.turns.saturating_add(1),
                ..newest.clone()
            };
            if !newest.is_open() {
                (row.opened, row.opened_by) = (opening_id, document.registered_by);
                sessions::open(step, opening_id, session, document.registered_by)?;
            }
            state::put(step, key::session(&session), &row)?;
            let ids = (intent_ref, entry_id, row.opened);
            let (body, row) = intent_entry(&document, ids, principal, session);
            step.push(entry_id, body)?;
            state::put(step, key::intent(&intent_ref), &row)?;
            sessions::count(step, &session, Counted::Turn(row.expires_at))?;
            tags.put(step, intent_ref.digest(), entry_id)?;
            step.seal(record.clone())
        })?;
        let mentions = TurnMentions::of(&intent);
        self.intents.insert(
            intent_ref,
            Arc::new(OpenIntent {
                document: intent,
                mentions,
            }),
        );
        Ok(TurnAnswer {
            intent_ref: intent_ref.to_string(),
            intent: serde_json::from_slice(canonical.as_bytes())?,
            entry: self.only_entry(&committed)?,
        })
    }

    /// A turn without the principal's words must rest on a standing instruction of the same
    /// principal that is in force.
    fn check_mandate(
        &self,
        caller: &Caller,
        turn: &NewTurn,
        principal: Option<Pseudonym>,
        now: Timestamp,
        reads: &mut ReadSet,
    ) -> Result<(), ServiceError> {
        let Some(mandate) = turn.mandate else {
            return Ok(());
        };
        let row = state::read_into::<IntentRow>(&self.ledger, key::intent(&mandate), reads)?;
        let stands = |row: &IntentRow| {
            !row.revoked
                && now < row.expires_at
                && row.author == Author::Human
                && row.has_principal_part
                && Some(row.principal) == principal
                && turn.actors.iter().all(|actor| row.actors.contains(actor))
        };
        match row {
            // Who speaks in no session but its own draws on nobody's words in another one either.
            Some(row) if caller.is_bound_to_own_sessions() && row.registered_by != caller.id() => {
                Err(ServiceError::new(
                    ErrorCode::OutOfBounds,
                    "the credential may rest turns only on instructions that it registered itself",
                ))
            }
            Some(row) if stands(&row) && self.goes_on(&row, reads)? => {
                reads.limit(row.expires_at.plus_millis(-1));
                Ok(())
            }
            _ => Err(ServiceError::malformed(
                "`mandate` names no human instruction that is in force, of the same principal and for these actors",
            )),
        }
    }

    /// The one entry of a commit, with its proof.
    pub(crate) fn only_entry<T>(
        &self,
        committed: &countersign_ledger::Committed<T>,
    ) -> Result<countersign_wire::RawJson, ServiceError> {
        let entry = committed
            .entries
            .last()
            .ok_or_else(|| ServiceError::internal("a commit without an entry"))?;
        render::with_proof(&entry.leaf, &entry.proof)
    }

    /// A fresh entry id.
    pub(crate) fn entry_id(&self) -> EntryId {
        self.mint().entry_id()
    }
}

impl NewTurn {
    fn read(request: TurnRequest) -> Result<Self, ServiceError> {
        let ttl_s = request.expires_in_s.unwrap_or(TURN_TTL_S);
        if !(1..=TURN_TTL_MAX_S).contains(&ttl_s) {
            return Err(ServiceError::malformed(format!(
                "`expires_in_s` is {ttl_s}; allowed is 1 to {TURN_TTL_MAX_S}"
            )));
        }
        let author = match request.author.as_deref() {
            None => Author::Human,
            Some(text) => word(text, "author", "human, schedule and system")?,
        };
        if request.actors.is_empty() || request.actors.len() > LEAF_LIST {
            return Err(ServiceError::malformed(format!(
                "`actors` names {} actors; allowed is 1 to {LEAF_LIST}",
                request.actors.len()
            )));
        }
        let parts = read_parts(request.parts)?;
        let has_principal = parts.iter().any(|part| part.by == PartBy::Principal);
        let mandate = request
            .mandate
            .as_deref()
            .map(name::<IntentRef>)
            .transpose()?;
        if has_principal == mandate.is_some() {
            return Err(ServiceError::malformed(
                "a turn rests on its `principal` part or, without one, on a `mandate`: never on both",
            ));
        }
        Ok(Self {
            principal: name(&request.principal)?,
            author,
            channel: name(&request.channel)?,
            session: name(&request.session)?,
            actors: request
                .actors
                .iter()
                .map(|actor| name(actor))
                .collect::<Result<_, _>>()?,
            parts,
            ttl_ms: i64::try_from(ttl_s)
                .unwrap_or(i64::MAX)
                .saturating_mul(1_000),
            mandate,
        })
    }

    fn check_bounds(&self, caller: &Caller) -> Result<(), ServiceError> {
        let out = |what: String| Err(ServiceError::new(ErrorCode::OutOfBounds, what));
        if let Some(actor) = self.actors.iter().find(|actor| !caller.covers(actor)) {
            return out(format!("the credential may not name the actor `{actor}`"));
        }
        if !caller.may_author(self.author) {
            return out(format!(
                "the credential may not register turns of the author `{}`",
                self.author.name()
            ));
        }
        if !caller.may_use_channel(&self.channel) {
            return out(format!(
                "the credential may not use the channel `{}`",
                self.channel
            ));
        }
        Ok(())
    }
}

fn read_parts(parts: Vec<TurnPartRequest>) -> Result<Vec<TurnPart>, ServiceError> {
    if parts.is_empty() || parts.len() > TURN_PARTS {
        return Err(ServiceError::malformed(format!(
            "`parts` holds {} parts; allowed is 1 to {TURN_PARTS}",
            parts.len()
        )));
    }
    let bytes: usize = parts.iter().map(|part| part.text.len()).sum();
    if bytes > TURN_TEXT_BYTES {
        return Err(ServiceError::new(
            ErrorCode::TooLarge,
            format!("the parts hold {bytes} bytes of text; allowed is {TURN_TEXT_BYTES}"),
        ));
    }
    parts
        .into_iter()
        .map(|part| {
            let media_type = part.media_type.unwrap_or_else(|| "text/plain".to_owned());
            if media_type.len() > 128
                || !media_type
                    .bytes()
                    .all(|b| b.is_ascii_graphic() || b == b' ')
            {
                return Err(ServiceError::malformed(
                    "a part's `media_type` is at most 128 visible ASCII characters",
                ));
            }
            Ok(TurnPart {
                by: word(&part.by, "by", "principal, correspondent, system and agent")?,
                media_type,
                text: part.text,
                raw_sha256: part.raw_sha256.as_deref().map(name).transpose()?,
            })
        })
        .collect()
}

fn intent_entry(
    intent: &Intent,
    (intent_ref, entry_id, opened): (IntentRef, EntryId, EntryId),
    principal: countersign_core::pseudonym::Pseudonym,
    session: countersign_core::pseudonym::Pseudonym,
) -> (entry::Intent, IntentRow) {
    let body = entry::Intent {
        intent_ref,
        author: intent.author,
        channel: intent.channel.clone(),
        principal,
        session,
        actors: intent.actors.clone(),
        parent: intent.parent,
        mandate: intent.mandate,
        expires_at: intent.expires_at,
        assurance: intent.assurance,
        credential: intent.registered_by,
        signature: None,
        key_id: None,
    };
    let row = IntentRow {
        entry: entry_id,
        author: intent.author,
        channel: intent.channel.clone(),
        principal,
        session,
        actors: intent.actors.clone(),
        parent: intent.parent,
        mandate: intent.mandate,
        expires_at: intent.expires_at,
        registered_by: intent.registered_by,
        has_principal_part: intent.parts.iter().any(|part| part.by == PartBy::Principal),
        revoked: false,
        opened,
    };
    (body, row)
}

/// Whom a turn speaks of. Its principal is found by its pseudonym, unless it is spelt in a way of
/// its own.
fn spoken_of(intent: &Intent) -> Spoken {
    let mut spoken = Spoken::default();
    let principal = intent.principal.as_str();
    let is_plain = principal.starts_with("user:") && !principal.contains('+');
    if !is_plain || principal.chars().any(char::is_uppercase) {
        spoken.text(principal);
    }
    spoken.text(intent.session.as_str());
    intent.parts.iter().for_each(|part| spoken.text(&part.text));
    spoken
}

/// A word of a closed set.
pub(crate) fn word<T: DeserializeOwned>(
    text: &str,
    member: &str,
    allowed: &str,
) -> Result<T, ServiceError> {
    serde_json::from_value(Value::from(text)).map_err(|_| {
        let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        ServiceError::malformed(format!("`{member}` is `{shown}`; allowed are {allowed}"))
    })
}

/// A name, ref or id with a strict syntax.
pub(crate) fn name<T: std::str::FromStr>(text: &str) -> Result<T, ServiceError>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: T::Err| ServiceError::malformed(error.to_string()))
}
