//! Finding the intent that a call claims, and the live chain of turns before it.

use std::sync::Arc;

use countersign_core::document::{Document, Intent};
use countersign_core::limits::TURN_CHAIN;
use countersign_core::names::{ActorName, SessionId};
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;
use countersign_judge::TurnMentions;
use countersign_ledger::ReadSet;

use crate::Service;
use crate::error::ServiceError;
use crate::state::{self, GivenRow, GivenRows, IntentRow, SessionRow, key};

/// How many turns of a session are looked at for live ones.
const TURNS_LOOKED_AT: usize = 4 * TURN_CHAIN;

/// An intent's document with what it mentions; made once per intent.
pub(crate) struct OpenIntent {
    pub(crate) document: Intent,
    pub(crate) mentions: TurnMentions,
}

impl OpenIntent {
    /// About how many bytes it takes; what is mentioned takes as much again as the text.
    pub(crate) fn weight(&self) -> usize {
        let text: usize = self.document.parts.iter().map(|part| part.text.len()).sum();
        text.saturating_mul(3).saturating_add(2_048)
    }
}

/// A live turn, as facts are drawn from it.
pub(crate) struct LiveTurn {
    pub(crate) intent_ref: IntentRef,
    pub(crate) row: IntentRow,
    pub(crate) open: Arc<OpenIntent>,
}

/// What a claimed intent comes to.
#[derive(Default)]
pub(crate) struct Mandate {
    /// The live chain, the named turn first; empty when the call is unmandated.
    pub(crate) chain: Vec<LiveTurn>,
    /// Where the turn does not name the actor: what it was given of it. All that a call does must be
    /// among one of them.
    pub(crate) given: Vec<GivenRow>,
    /// What was read to find that out; in time until the first turn of the chain ends.
    pub(crate) reads: ReadSet,
}

impl Mandate {
    /// The session of the named turn.
    pub(crate) fn session(&self) -> Option<Pseudonym> {
        self.chain.first().map(|turn| turn.row.session)
    }

    /// The named turn, if it is live.
    pub(crate) fn intent_ref(&self) -> Option<IntentRef> {
        self.chain.first().map(|turn| turn.intent_ref)
    }
}

impl Service {
    /// The live chain behind a claimed intent: registered here, not ended, not revoked, the newest
    /// of this session that names this actor, or one by which the turn came to it. Anything else is an empty chain, which is a fact and not an
    /// error.
    pub(crate) fn mandate(
        &self,
        claimed: Option<IntentRef>,
        actor: &ActorName,
        session: Option<&SessionId>,
        now: Timestamp,
    ) -> Result<Mandate, ServiceError> {
        // Apart: turns are looked at up to a number of reads.
        let mut apart = ReadSet::none();
        let mut mandate = self.reached(claimed, actor, session, now, &mut apart)?;
        mandate.reads.versions.extend(apart.versions);
        Ok(mandate)
    }

    fn reached(
        &self,
        claimed: Option<IntentRef>,
        actor: &ActorName,
        session: Option<&SessionId>,
        now: Timestamp,
        apart: &mut ReadSet,
    ) -> Result<Mandate, ServiceError> {
        let mut mandate = Mandate::default();
        let Some(claimed) = claimed else {
            return Ok(mandate);
        };
        let Some(named) = self.live_turn(claimed, now, &mut mandate)? else {
            return Ok(mandate);
        };
        if !self.is_session(&named, session)? {
            return Ok(mandate);
        }
        let Some(given) = self.reach(&named, (claimed, actor, now), &mut mandate, apart)? else {
            return Ok(mandate);
        };
        let asked = given.first().and_then(|given| given.givers.first());
        let asked = asked.unwrap_or(actor).clone();
        let standing = match named.mandate {
            Some(standing) => self
                .live_turn(standing, now, &mut mandate)?
                .filter(|row| row.principal == named.principal && row.actors.contains(&asked))
                .map(|row| (standing, row)),
            None => None,
        };
        let standing = match standing {
            Some((_, row)) if !self.goes_on(&row, &mut mandate.reads)? => None,
            standing => standing,
        };
        mandate.given = given;
        // Words of nobody who may ask ground nothing by themselves.
        if !named.has_principal_part && standing.is_none() {
            mandate.given.clear();
            return Ok(mandate);
        }
        let principal = named.principal;
        // A turn without the principal's words draws authority from its mandate alone.
        let mut parent = named.parent.filter(|_| named.has_principal_part);
        self.add_turn(claimed, named, &mut mandate)?;
        if let Some((standing, row)) = standing {
            self.add_turn(standing, row, &mut mandate)?;
        }
        while let Some(intent_ref) = parent
            && mandate.chain.len() < TURN_CHAIN
        {
            // A dead turn in between does not hide the ones before it.
            let Some(row) = self.intent_row(&intent_ref, &mut mandate)? else {
                break;
            };
            parent = row.parent;
            if row.principal == principal && is_live(&row, now) {
                self.add_turn(intent_ref, row, &mut mandate)?;
            }
            if mandate.reads.versions.len() >= TURNS_LOOKED_AT {
                break;
            }
        }
        Ok(mandate)
    }

    /// The newest turn of a session that names the actor, or of which it was given something, and
    /// that was not withdrawn: for surfaces that know their session and not its turns.
    pub(crate) fn turn_of_session(
        &self,
        session: &SessionId,
        actor: &ActorName,
        reads: &mut ReadSet,
    ) -> Result<Option<IntentRef>, ServiceError> {
        let Some(session) = self.known_pseudonym(PseudonymKind::Session, session.as_str())? else {
            return Ok(None);
        };
        let state_key = key::session(&session);
        let row = state::read_into::<SessionRow>(&self.ledger, state_key, reads)?;
        let mut mandate = Mandate::default();
        let mut newest = row.and_then(|row| row.newest);
        let mut found = None;
        while let Some(intent_ref) = newest
            && mandate.reads.versions.len() < TURNS_LOOKED_AT
        {
            let Some(row) = self.intent_row(&intent_ref, &mut mandate)? else {
                break;
            };
            let is_reached = row.actors.contains(actor) || {
                let state_key = key::given(&intent_ref, actor);
                let rows =
                    state::read_into::<GivenRows>(&self.ledger, state_key, &mut mandate.reads)?;
                rows.is_some_and(|rows| !rows.given.is_empty())
            };
            if is_reached && !row.revoked {
                found = Some(intent_ref);
                break;
            }
            newest = row.parent;
        }
        reads.versions.extend(mandate.reads.versions);
        Ok(found)
    }

    /// The document of an intent, opened once.
    pub(crate) fn open_intent(
        &self,
        intent_ref: IntentRef,
    ) -> Result<Arc<OpenIntent>, ServiceError> {
        self.intents.fetch(intent_ref, || {
            let document: Intent = self.open_internally(*intent_ref.digest())?;
            let mentions = TurnMentions::of(&document);
            Ok(OpenIntent { document, mentions })
        })
    }

    /// Opens a record for the judge's own use, which is no access by a reader.
    pub(crate) fn open_internally<D: Document>(
        &self,
        reference: countersign_core::refs::Sha256,
    ) -> Result<D, ServiceError> {
        let Some(record) = self.ledger.sealed(&reference)? else {
            return Err(self.erasure_of(&reference)?.unwrap_or_else(|| {
                ServiceError::internal(format!("the vault holds no record {reference}"))
            }));
        };
        self.unseal(&record, |record| self.vault.open(record))
    }

    /// How an actor reaches a turn: nothing, if the turn names it; what it was given of it
    /// otherwise; `None` if it does not. What counts is the newest turn that names the actor, or one
    /// by whom the mandate came to it.
    fn reach(
        &self,
        named: &IntentRow,
        (claimed, actor, now): (IntentRef, &ActorName, Timestamp),
        mandate: &mut Mandate,
        apart: &mut ReadSet,
    ) -> Result<Option<Vec<GivenRow>>, ServiceError> {
        if named.actors.contains(actor) {
            let newest = self.newest_turn(named, std::slice::from_ref(actor), mandate)?;
            return Ok((newest == Some(claimed)).then(Vec::new));
        }
        let mut reach = Vec::new();
        let mut is_newest: Option<(Vec<ActorName>, bool)> = None;
        for given in self.given(&claimed, actor, now, apart)? {
            // Most came the same way.
            let known = is_newest.as_ref().filter(|(way, _)| *way == given.givers);
            let holds = match known {
                Some((_, holds)) => *holds,
                None => {
                    let mut through = given.givers.clone();
                    through.push(actor.clone());
                    self.newest_turn(named, &through, mandate)? == Some(claimed)
                }
            };
            is_newest = Some((given.givers.clone(), holds));
            if holds {
                reach.push(given);
            }
        }
        Ok((!reach.is_empty()).then_some(reach))
    }

    /// The session's newest turn that names one of the actors and was not withdrawn. What a person
    /// said last is what counts: an older turn no longer does, even if the newest has ended.
    fn newest_turn(
        &self,
        named: &IntentRow,
        actors: &[ActorName],
        mandate: &mut Mandate,
    ) -> Result<Option<IntentRef>, ServiceError> {
        let session = state::read_into::<SessionRow>(
            &self.ledger,
            key::session(&named.session),
            &mut mandate.reads,
        )?;
        // A session that was closed, or opened anew since, ended its turns.
        let session = session.filter(|session| session.holds(named));
        let mut newest = session.and_then(|row| row.newest);
        while let Some(intent_ref) = newest
            && mandate.reads.versions.len() < TURNS_LOOKED_AT
        {
            let Some(row) = self.intent_row(&intent_ref, mandate)? else {
                return Ok(None);
            };
            let is_of_them = actors.iter().any(|actor| row.actors.contains(actor));
            if is_of_them && !row.revoked {
                return Ok(Some(intent_ref));
            }
            newest = row.parent;
        }
        Ok(None)
    }

    /// Whether the session that a turn was registered in was not closed since.
    pub(crate) fn goes_on(
        &self,
        turn: &IntentRow,
        reads: &mut ReadSet,
    ) -> Result<bool, ServiceError> {
        let state_key = key::session(&turn.session);
        let session = state::read_into::<SessionRow>(&self.ledger, state_key, reads)?;
        Ok(session.is_some_and(|session| session.holds(turn)))
    }

    fn live_turn(
        &self,
        intent_ref: IntentRef,
        now: Timestamp,
        mandate: &mut Mandate,
    ) -> Result<Option<IntentRow>, ServiceError> {
        Ok(self
            .intent_row(&intent_ref, mandate)?
            .filter(|row| is_live(row, now)))
    }

    fn intent_row(
        &self,
        intent_ref: &IntentRef,
        mandate: &mut Mandate,
    ) -> Result<Option<IntentRow>, ServiceError> {
        let state_key = key::intent(intent_ref);
        let found = self.ledger.state(&state_key)?;
        mandate.reads.read(state_key, found.as_ref());
        let Some(found) = found else {
            return Ok(None);
        };
        let Some(bytes) = found.value else {
            return Ok(None);
        };
        let row = self.intent_rows.fetch((*intent_ref, found.version), || {
            serde_json::from_slice::<IntentRow>(&bytes)
        })?;
        Ok(Some(IntentRow::clone(&row)))
    }

    fn is_session(
        &self,
        row: &IntentRow,
        session: Option<&SessionId>,
    ) -> Result<bool, ServiceError> {
        let Some(session) = session else {
            return Ok(true);
        };
        Ok(self.known_pseudonym(PseudonymKind::Session, session.as_str())? == Some(row.session))
    }

    fn add_turn(
        &self,
        intent_ref: IntentRef,
        row: IntentRow,
        mandate: &mut Mandate,
    ) -> Result<(), ServiceError> {
        let open = self.open_intent(intent_ref)?;
        // A turn counts before its end, not at it.
        mandate.reads.limit(row.expires_at.plus_millis(-1));
        mandate.chain.push(LiveTurn {
            intent_ref,
            row,
            open,
        });
        Ok(())
    }
}

fn is_live(row: &IntentRow, now: Timestamp) -> bool {
    !row.revoked && now < row.expires_at
}
