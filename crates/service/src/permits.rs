//! Permits at the tool's side: used up once, and refused with an entry.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_core::document::Wire;
use countersign_core::entry::{
    Decision, Entry, Execution, ExecutionPhase, Links, PermitRefusal, PermitRefused, Role,
};
use countersign_core::ids::{CredentialId, EntryId, PermitId};
use countersign_core::json;
use countersign_core::names::ActorName;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_ledger::{Step, StepError};
use countersign_permit::{Claims, PermitError};
use countersign_wire::{ConsumeRequest, Consumed};

use crate::Service;
use crate::caller::Caller;
use crate::decide::{enforced, wire};
use crate::delegations;
use crate::error::{ErrorCode, ServiceError};
use crate::sessions::{self, Counted};
use crate::state::{
    self, CredentialRow, ExecutionRow, InForceRow, IntentRow, SessionRow, StopRow, key,
};
use crate::turns::name;

/// Most bytes of a request that uses a permit up.
pub const CONSUME_BODY_BYTES: usize = 64 * 1024;
/// How long refusals are counted together, in milliseconds.
const WINDOW_MS: i64 = 60_000;
/// How many tokens that are none of ours become an entry each, of one credential and in one window.
/// Whoever reaches the tool's side can send as many as they like.
const UNKNOWN_RECORDED: u32 = 20;
/// The same of permits that are ours.
const KNOWN_RECORDED: u32 = 120;
/// The same of one permit: it can be shown again for ever.
const SAME_RECORDED: u32 = 4;
/// Most credentials whose refusals are counted at once.
const COUNTED: usize = 10_000;

impl Service {
    /// Uses a permit up: an execution `started`, committed before the call leaves.
    ///
    /// The permit must be one that was issued here, for this tool's side, tool and arguments and, if
    /// they are given, these bytes. In the plan, under the ledger's lock, it is looked whether it was
    /// used, has ended, or rests on something that has: the turn, the bundle in force, the credential
    /// that asked for it, a stop. So of two that come at once exactly one passes.
    ///
    /// A refusal is an error of the code `permit-refused` that names its entry. Past so many in a
    /// minute, refusals are counted in a `throttled` entry: nobody fills the ledger with them.
    pub fn consume_permit(&self, caller: &Caller, body: &[u8]) -> Result<Consumed, ServiceError> {
        caller.require(Role::Tool)?;
        let request: ConsumeRequest = json::parse_as(body, CONSUME_BODY_BYTES)?;
        let shown = Shown::read(request)?;
        let permit = match self.issued(&shown.permit)? {
            Ok(permit) => permit,
            Err(why) => {
                let refused = PermitRefused {
                    permit: None,
                    reason: PermitRefusal::Signature,
                    links: Links::default(),
                    credential: caller.id(),
                };
                return Err(self.refuse(caller, refused, Some(&why)));
            }
        };
        let mismatch = shown.mismatch(&permit.claims);
        let (entry_id, refusal_id) = (self.entry_id(), self.entry_id());
        let is_recorded = self.may_record(caller.id(), Some(permit.claims.jti));
        let planned = permit.clone();
        let credential = caller.id();
        let committed = self.ledger.commit(caller.reads(), move |step| {
            let reason = match mismatch {
                Some(reason) => Some(reason),
                None => planned.obstacle(step)?,
            };
            match reason {
                None => planned.start(step, entry_id, credential)?,
                Some(reason) if is_recorded => {
                    step.push(refusal_id, planned.refused(reason, credential))?;
                }
                Some(reason) => return Err(StepError::refused(refusal(reason, None))),
            }
            Ok(reason)
        });
        let committed = committed.map_err(|error| {
            let error = ServiceError::from(error);
            if error.code == ErrorCode::PermitRefused {
                self.note_throttled(credential);
            }
            error
        })?;
        match committed.value {
            Some(reason) => {
                self.note_recorded(credential, Some(permit.claims.jti));
                Err(refusal(reason, None).recorded(refusal_id))
            }
            None => Ok(Consumed {
                decision: permit.claims.entry_id.to_string(),
                action: permit.decision.action.to_string(),
                actor: permit.decision.actor.to_string(),
                entry_id: entry_id.to_string(),
                entry: self.only_entry(&committed)?,
            }),
        }
    }

    /// The approval that a token is the permit of, if it is exactly the one that was issued; else
    /// what is wrong with the token.
    ///
    /// A good signature is not enough: whoever holds the key could sign what nobody approved.
    fn issued(&self, token: &str) -> Result<Result<Permit, String>, ServiceError> {
        let claims = match self.permits.authentic(token) {
            Ok(claims) => claims,
            Err(PermitError::Malformed(why)) => return Ok(Err(why)),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let unknown = || "it is not as it was issued".to_owned();
        let Some(entry) = self.approval(claims.entry_id)? else {
            return Ok(Err(unknown()));
        };
        let Some(decision) = enforced(&entry.body).cloned() else {
            return Ok(Err(unknown()));
        };
        let most = self.compiled(&decision.policy_ref)?.settings().permit_ttl_s;
        let expected = self.issued_claims(&entry, &decision, most)?;
        Ok(match claims == expected {
            true => Ok(Permit { claims, decision }),
            false => Err(unknown()),
        })
    }

    fn approval(&self, entry_id: EntryId) -> Result<Option<Entry>, ServiceError> {
        let Some((_, countersign_core::entry::AnyEntry::Known(entry))) =
            self.known_entry(entry_id)?
        else {
            return Ok(None);
        };
        let decision = enforced(&entry.body);
        let is_approval = decision.is_some_and(|it| it.outcome == Outcome::Approved);
        Ok(is_approval.then_some(*entry))
    }

    /// Records a refusal that rests on nothing but the token.
    fn refuse(&self, caller: &Caller, refused: PermitRefused, why: Option<&str>) -> ServiceError {
        let error = refusal(refused.reason, why);
        if !self.may_record(caller.id(), None) {
            self.note_throttled(caller.id());
            return error;
        }
        let entry_id = self.entry_id();
        let committed = self.ledger.commit(caller.reads(), move |step| {
            step.push(entry_id, refused.clone()).map(drop)
        });
        match committed {
            Ok(_) => {
                self.note_recorded(caller.id(), None);
                error.recorded(entry_id)
            }
            Err(failed) => failed.into(),
        }
    }

    fn may_record(&self, credential: CredentialId, permit: Option<PermitId>) -> bool {
        let now = self.clock.now();
        let mut windows = self.refusals.lock();
        if windows.len() >= COUNTED {
            windows.retain(|_, window| window.holds(now));
        }
        if windows.len() >= COUNTED && !windows.contains_key(&credential) {
            return false;
        }
        let window = windows
            .entry(credential)
            .or_insert_with(|| Window::from(now));
        if !window.holds(now) {
            *window = Window::from(now);
        }
        window.has_room(permit)
    }

    fn note_recorded(&self, credential: CredentialId, permit: Option<PermitId>) {
        if let Some(window) = self.refusals.lock().get_mut(&credential) {
            window.note(permit);
        }
    }
}

/// What a tool's side shows, read.
struct Shown {
    permit: String,
    audience: String,
    tool: String,
    args_sha256: Sha256,
    wire: Option<Wire>,
}

impl Shown {
    fn read(request: ConsumeRequest) -> Result<Self, ServiceError> {
        Ok(Self {
            args_sha256: name(&request.args_sha256)?,
            wire: request.wire.map(wire).transpose()?,
            permit: request.permit,
            audience: request.audience,
            tool: request.tool,
        })
    }

    /// Why the permit is for another call, if it is.
    fn mismatch(&self, claims: &Claims) -> Option<PermitRefusal> {
        if self.audience != claims.aud || self.tool != claims.tool {
            return Some(PermitRefusal::Audience);
        }
        let other_bytes = self.wire.is_some() && self.wire != claims.wire;
        let is_other = self.args_sha256 != claims.args_sha256 || other_bytes;
        is_other.then_some(PermitRefusal::Arguments)
    }
}

/// A permit that was issued here, and its approval.
#[derive(Clone)]
struct Permit {
    claims: Claims,
    decision: Decision,
}

impl Permit {
    /// What stands in the way of the call, as the plan sees it.
    fn obstacle(&self, step: &Step<'_>) -> Result<Option<PermitRefusal>, StepError> {
        let row = state::read_in::<ExecutionRow>(step, &key::execution(self.claims.entry_id))?;
        if row.is_some_and(|row| !row.phases.is_empty()) {
            return Ok(Some(PermitRefusal::Used));
        }
        if step.now() >= self.claims.expires_at() {
            return Ok(Some(PermitRefusal::Expired));
        }
        if self.is_stopped(step)? {
            return Ok(Some(PermitRefusal::Stopped));
        }
        if let Some(intent_ref) = &self.decision.intent_ref
            && !is_live(step, intent_ref)?
        {
            return Ok(Some(PermitRefusal::Intent));
        }
        let in_force = state::read_in::<InForceRow>(step, &key::policy_in_force())?;
        let holds = in_force.is_some_and(|row| row.policy_ref == self.decision.policy_ref);
        Ok((!holds).then_some(PermitRefusal::Policy))
    }

    fn is_stopped(&self, step: &Step<'_>) -> Result<bool, StepError> {
        if state::read_in::<StopRow>(step, &key::stop_everything())?.is_some() {
            return Ok(true);
        }
        let givers = delegations::givers_of(step, &self.decision)?;
        let actors = givers.iter().chain([&self.decision.actor]);
        for pattern in actors.flat_map(ActorName::patterns) {
            if state::read_in::<StopRow>(step, &key::stop_actor(pattern))?.is_some() {
                return Ok(true);
            }
        }
        let asked_by = key::credential(self.decision.credential);
        let asked_by = state::read_in::<CredentialRow>(step, &asked_by)?;
        Ok(asked_by.is_none_or(|row| row.revoked))
    }

    fn start(
        &self,
        step: &mut Step<'_>,
        entry_id: EntryId,
        credential: CredentialId,
    ) -> Result<(), StepError> {
        let decision = self.claims.entry_id;
        let state_key = key::execution(decision);
        let mut row = state::read_in::<ExecutionRow>(step, &state_key)?.unwrap_or_default();
        row.phases.push(ExecutionPhase::Started);
        step.push(
            entry_id,
            Execution {
                phase: ExecutionPhase::Started,
                links: Links {
                    decision: Some(decision),
                    ..Links::default()
                },
                intent_ref: self.decision.intent_ref,
                session: self.decision.session,
                result_ref: None,
                is_error: None,
                credential,
                permit: Some(self.claims.jti),
            },
        )?;
        if let Some(session) = &self.decision.session {
            sessions::count(step, session, Counted::Execution)?;
        }
        state::put(step, state_key, &row)
    }

    fn refused(&self, reason: PermitRefusal, credential: CredentialId) -> PermitRefused {
        PermitRefused {
            permit: Some(self.claims.jti),
            reason,
            links: Links {
                decision: Some(self.claims.entry_id),
                ..Links::default()
            },
            credential,
        }
    }
}

/// Whether a turn, and the standing one that it rests on, go on. A newer turn does not end an older
/// one's permits: what was approved before it was said may leave.
fn is_live(step: &Step<'_>, intent_ref: &IntentRef) -> Result<bool, StepError> {
    let live = |intent_ref: &IntentRef| -> Result<Option<IntentRow>, StepError> {
        let row = state::read_in::<IntentRow>(step, &key::intent(intent_ref))?;
        let Some(row) = row.filter(|row| !row.revoked && step.now() < row.expires_at) else {
            return Ok(None);
        };
        let session = state::read_in::<SessionRow>(step, &key::session(&row.session))?;
        Ok(session
            .is_some_and(|session| session.holds(&row))
            .then_some(row))
    };
    let Some(turn) = live(intent_ref)? else {
        return Ok(false);
    };
    match &turn.mandate {
        Some(mandate) => Ok(live(mandate)?.is_some()),
        None => Ok(true),
    }
}

fn refusal(reason: PermitRefusal, why: Option<&str>) -> ServiceError {
    let text = match reason {
        PermitRefusal::Used => "it was used before",
        PermitRefusal::Expired => "it has ended",
        PermitRefusal::Audience => "it is for another tool, or another tool's side",
        PermitRefusal::Arguments => "it is for other arguments, or other bytes",
        PermitRefusal::Signature => "it is none of this server's",
        PermitRefusal::Intent => "the turn that it rests on has ended",
        PermitRefusal::Policy => "the bundle that permitted the call is no longer in force",
        PermitRefusal::Stopped => {
            "its actor was stopped, or the credential that asked for it revoked"
        }
    };
    let why = why.map_or(String::new(), |why| format!(" ({why})"));
    let detail = format!("the permit is refused as `{reason}`: {text}{why}");
    ServiceError::new(ErrorCode::PermitRefused, detail)
}

/// Refusals that became entries.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<CredentialId, Window>>);

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, HashMap<CredentialId, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of one credential in one window. It holds no more permits than it has entries.
struct Window {
    since: Timestamp,
    unknown: u32,
    known: u32,
    of_permit: HashMap<PermitId, u32>,
}

impl Window {
    fn from(since: Timestamp) -> Self {
        Self {
            since,
            unknown: 0,
            known: 0,
            of_permit: HashMap::new(),
        }
    }

    /// A clock that was put back ends it, too.
    fn holds(&self, now: Timestamp) -> bool {
        (0..WINDOW_MS).contains(&now.millis_since(self.since))
    }

    fn has_room(&self, permit: Option<PermitId>) -> bool {
        match permit {
            None => self.unknown < UNKNOWN_RECORDED,
            Some(permit) => {
                let same = self.of_permit.get(&permit).copied().unwrap_or(0);
                self.known < KNOWN_RECORDED && same < SAME_RECORDED
            }
        }
    }

    fn note(&mut self, permit: Option<PermitId>) {
        match permit {
            None => self.unknown = self.unknown.saturating_add(1),
            Some(permit) => {
                self.known = self.known.saturating_add(1);
                let same = self.of_permit.entry(permit).or_default();
                *same = same.saturating_add(1);
            }
        }
    }
}
