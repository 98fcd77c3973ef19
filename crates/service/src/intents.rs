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
use crate::state::{self, IntentRow, SessionRow, key};

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
    /// of this session that names this actor. Anything else is an empty chain, which is a fact and not an
    /// error.
    pub(crate) fn mandate(
        &self,
        claimed: Option<IntentRef>,
        actor: &ActorName,
        session: Option<&SessionId>,
        now: Timestamp,
    ) -> Result<Mandate, ServiceError> {
        let mut mandate = Mandate::default();
        let Some(claimed) = claimed else {
            return Ok(mandate);
        };
        let Some(named) = self.live_turn(claimed, now, &mut mandate)? else {
            return Ok(mandate);
        };
        if !named.actors.contains(actor) || !self.is_session(&named, session)? {
            return Ok(mandate);
        }
        if self.newest_turn(&named, actor, &mut mandate)? != Some(claimed) {
            return Ok(mandate);
        }
        let standing = match named.mandate {
            Some(standing) => self
                .live_turn(standing, now, &mut mandate)?
                .filter(|row| row.principal == named.principal && row.actors.contains(actor))
                .map(|row| (standing, row)),
            None => None,
        };
        let standing = match standing {
            Some((_, row)) if !self.goes_on(&row, &mut mandate.reads)? => None,
            standing => standing,
        };
        // Words of nobody who may ask ground nothing by themselves.
        if !named.has_principal_part && standing.is_none() {
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

    /// The newest turn of a session that names the actor and was not withdrawn, for surfaces that
    /// know their session and not its turns.
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
        let newest = self.newest_from(row.and_then(|row| row.newest), actor, &mut mandate)?;
        reads.versions.extend(mandate.reads.versions);
        Ok(newest)
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
        let record = self.ledger.sealed(&reference)?.ok_or_else(|| {
            ServiceError::internal(format!("the vault holds no record {reference}"))
        })?;
        self.vault.open(&record).map_err(ServiceError::internal)
    }

    /// The session's newest turn that names the actor and was not withdrawn. What a person said
    /// last is what counts: an older turn no longer does, even if the newest has ended.
    fn newest_turn(
        &self,
        named: &IntentRow,
        actor: &ActorName,
        mandate: &mut Mandate,
    ) -> Result<Option<IntentRef>, ServiceError> {
        let session = state::read_into::<SessionRow>(
            &self.ledger,
            key::session(&named.session),
            &mut mandate.reads,
        )?;
        // A session that was closed, or opened anew since, ended its turns.
        let session = session.filter(|session| session.holds(named));
        self.newest_from(session.and_then(|row| row.newest), actor, mandate)
    }

    /// The first turn, from this one back, that names the actor and was not withdrawn.
    fn newest_from(
        &self,
        mut newest: Option<IntentRef>,
        actor: &ActorName,
        mandate: &mut Mandate,
    ) -> Result<Option<IntentRef>, ServiceError> {
        while let Some(intent_ref) = newest
            && mandate.reads.versions.len() < TURNS_LOOKED_AT
        {
            let Some(row) = self.intent_row(&intent_ref, mandate)? else {
                return Ok(None);
            };
            if row.actors.contains(actor) && !row.revoked {
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
