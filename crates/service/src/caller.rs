//! Who asks: a credential, its roles, and what it may speak for.
//!
//! All of it comes from the ledger's state, nothing from the request's body.

use std::sync::Arc;

use countersign_core::document::{Assurance, Author};
use countersign_core::entry::{ActorPattern, Role, Surface};
use countersign_core::ids::CredentialId;
use countersign_core::names::{ActorName, ChannelName, KeyText};
use countersign_core::pseudonym::Pseudonym;
use countersign_keys::ApiToken;
use countersign_ledger::ReadSet;
use countersign_merkle::LeafIndex;

use crate::Service;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{CredentialRow, SessionRow, key};

/// An authenticated credential.
#[derive(Debug, Clone)]
pub struct Caller {
    id: CredentialId,
    version: LeafIndex,
    row: Arc<CredentialRow>,
}

impl Service {
    /// Who a bearer token stands for. A token that is malformed, unknown or revoked is refused.
    pub fn authenticate(&self, bearer: &str) -> Result<Caller, ServiceError> {
        let refused = || {
            ServiceError::new(
                ErrorCode::Unauthenticated,
                "the bearer token is not one that is in force",
            )
        };
        let token = ApiToken::parse(bearer).map_err(|_| refused())?;
        let id = token.credential();
        let found = self
            .ledger
            .state(&key::credential(id))?
            .ok_or_else(refused)?;
        let version = found.version;
        let bytes = found.value.ok_or_else(refused)?;
        let row = self.credentials.fetch((id, version), || {
            serde_json::from_slice::<CredentialRow>(&bytes)
        })?;
        if token.hash(&self.tokens) != row.token_hash || row.revoked {
            return Err(refused());
        }
        Ok(Caller { id, version, row })
    }
}

impl Service {
    /// The credential of this id as it is now, for what is done again in its name; `None` if it is
    /// not in force.
    pub(crate) fn caller_of(&self, id: CredentialId) -> Result<Option<Caller>, ServiceError> {
        let Some(found) = self.ledger.state(&key::credential(id))? else {
            return Ok(None);
        };
        let version = found.version;
        let Some(bytes) = found.value else {
            return Ok(None);
        };
        let row = self.credentials.fetch((id, version), || {
            serde_json::from_slice::<CredentialRow>(&bytes)
        })?;
        Ok((!row.revoked).then_some(Caller { id, version, row }))
    }
}

impl Caller {
    /// The credential's id.
    pub fn id(&self) -> CredentialId {
        self.id
    }

    /// Whether the credential has a role.
    pub fn has(&self, role: Role) -> bool {
        self.row.roles.contains(&role)
    }

    /// Refuses a caller without the role.
    pub fn require(&self, role: Role) -> Result<(), ServiceError> {
        if self.has(role) {
            return Ok(());
        }
        let has: Vec<&str> = self.row.roles.iter().map(|role| role.name()).collect();
        Err(ServiceError::new(
            ErrorCode::WrongRole,
            format!(
                "this needs the role `{role}`; the credential has {}",
                has.join(", ")
            ),
        ))
    }

    /// Refuses a caller that has none of the roles.
    pub fn require_any(&self, roles: &[Role]) -> Result<(), ServiceError> {
        if roles.iter().any(|role| self.has(*role)) {
            return Ok(());
        }
        let wanted: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        Err(ServiceError::new(
            ErrorCode::WrongRole,
            format!("this needs one of the roles {}", wanted.join(", ")),
        ))
    }

    /// A read set that holds as long as the credential is as it is now.
    pub(crate) fn reads(&self) -> ReadSet {
        ReadSet {
            versions: vec![(key::credential(self.id), Some(self.version))],
            valid_until: None,
        }
    }

    /// Whether the credential may speak for `actor`.
    pub(crate) fn covers(&self, actor: &ActorName) -> bool {
        self.row.actors.iter().any(|pattern| pattern.covers(actor))
    }

    /// An actor to name in an entry when the request named none that may stand there.
    pub(crate) fn own_actor(&self) -> Result<ActorName, ServiceError> {
        let exact = self
            .row
            .actors
            .iter()
            .map(ActorPattern::as_str)
            .find(|text| !text.ends_with('/'));
        let name = match exact {
            Some(name) if self.row.actors.len() == 1 => name.to_owned(),
            _ => format!("credential:{}", self.id),
        };
        name.parse().map_err(ServiceError::internal)
    }

    pub(crate) fn may_author(&self, author: Author) -> bool {
        self.row.authors.is_empty() || self.row.authors.contains(&author)
    }

    pub(crate) fn may_use_channel(&self, channel: &ChannelName) -> bool {
        self.row.channels.is_empty() || self.row.channels.contains(channel)
    }

    /// Refuses a session that is not the only one that the credential may register turns in.
    pub(crate) fn check_bound(&self, session: Option<Pseudonym>) -> Result<(), ServiceError> {
        match self.bound_session() {
            Some(bound) if session != Some(bound) => Err(ServiceError::new(
                ErrorCode::OutOfBounds,
                "the credential may register turns only in its own session",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a session that another credential opened last, where this one may register turns
    /// only in those that it opened itself; also one that was closed since, for its results stay.
    pub(crate) fn check_own_session(&self, row: Option<&SessionRow>) -> Result<(), ServiceError> {
        match row {
            Some(row) if self.is_bound_to_own_sessions() && row.opened_by != self.id => {
                Err(ServiceError::new(
                    ErrorCode::OutOfBounds,
                    "the credential may register turns only in sessions that it opened itself",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The only session that the credential may register turns in, if it is so bound.
    pub(crate) fn bound_session(&self) -> Option<Pseudonym> {
        self.row.session
    }

    /// Whether an ingress may register turns only in sessions that it opened itself.
    pub(crate) fn is_bound_to_own_sessions(&self) -> bool {
        self.row.own_sessions
    }

    /// The person whose credential it is, for a reviewer.
    pub(crate) fn principal(&self) -> Option<Pseudonym> {
        self.row.principal
    }

    /// The key that a reviewer signs with.
    pub(crate) fn public_key(&self) -> Option<&KeyText> {
        self.row.public_key.as_ref()
    }

    /// Where its calls come in; a credential that says nothing is used where `found` says.
    pub(crate) fn surface(&self, found: Surface) -> Surface {
        self.row.surface.unwrap_or(found)
    }

    pub(crate) fn assurance(&self) -> Assurance {
        self.row.assurance.unwrap_or(Assurance::Separate)
    }
}
