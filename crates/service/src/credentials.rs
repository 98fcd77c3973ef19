//! Credentials: granted and revoked by entries, for good.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::document::{Assurance, Author};
use countersign_core::entry::{self, ActorPattern, GrantChange, Role, Surface};
use countersign_core::ids::CredentialId;
use countersign_core::limits::LEAF_LIST;
use countersign_core::names::{ChannelName, KeyText, PrincipalName, SessionId};
use countersign_core::pseudonym::PseudonymKind;
use countersign_keys::ApiToken;
use countersign_ledger::{Step, StepError};
use countersign_note::{KeyName, VerifierKey};
use countersign_wire::{CredentialCreated, CredentialList, CredentialView, NewCredential, Revoked};
use secrecy::ExposeSecret as _;

use crate::Service;
use crate::caller::Caller;
use crate::error::{ErrorCode, ServiceError};
use crate::mint::Mint;
use crate::pseudonyms::PlannedPseudonym;
use crate::setup::FirstCredential;
use crate::state::{self, CredentialRow, key};
use crate::turns::{name, word};

/// Most credentials that are listed.
const LISTED: usize = 10_000;
/// Longest name that people give to a credential, in bytes.
const NAME_BYTES: usize = 128;
/// Roles that no `agent` credential may have beside: each would let the agent speak for somebody else.
const NEVER_AN_AGENTS: [Role; 6] = [
    Role::Ingress,
    Role::Reviewer,
    Role::Author,
    Role::Admin,
    Role::Tool,
    Role::VaultReader,
];

impl Service {
    /// Grants a credential; its token is in the answer and nowhere else.
    pub fn add_credential(
        &self,
        caller: &Caller,
        request: &NewCredential,
    ) -> Result<CredentialCreated, ServiceError> {
        caller.require(Role::Admin)?;
        let grant = self.grant(request, Some(caller.id()))?;
        let unit = grant.unit.clone();
        let committed = self
            .ledger
            .commit_urgent(caller.reads(), move |step| unit.run(step))?;
        Ok(CredentialCreated {
            credential: grant.unit.row.id.to_string(),
            token: grant.token.reveal().expose_secret().to_owned(),
            entry: self.only_entry(&committed)?,
        })
    }

    /// A grant that is ready to be committed.
    pub(crate) fn grant(
        &self,
        request: &NewCredential,
        by: Option<CredentialId>,
    ) -> Result<Grant, ServiceError> {
        let mut grant = Grant::new(&self.mint(), request, by)?;
        if let Some(session) = &request.session {
            let session: SessionId = name(session)?;
            let planned = self.plan_pseudonym(PseudonymKind::Session, session.as_str())?;
            grant.unit.session = Some(planned);
        }
        if let Some(principal) = &request.principal {
            let principal: PrincipalName = name(principal)?;
            let planned = self.plan_pseudonym(PseudonymKind::Principal, principal.as_str())?;
            grant.unit.principal = Some(planned);
        }
        Ok(grant)
    }

    /// Revokes a credential; effective with the entry.
    pub fn revoke_credential(
        &self,
        caller: &Caller,
        id: CredentialId,
    ) -> Result<Revoked, ServiceError> {
        caller.require(Role::Admin)?;
        let entry_id = self.entry_id();
        let by = caller.id();
        let committed = self.ledger.commit_urgent(caller.reads(), move |step| {
            let state_key = key::credential(id);
            let Some(mut row) = state::read_in::<CredentialRow>(step, &state_key)? else {
                return Err(StepError::refused(ServiceError::not_found(format!(
                    "credential `{id}`"
                ))));
            };
            if row.revoked {
                return Err(StepError::refused(ServiceError::new(
                    ErrorCode::Conflict,
                    "the credential was already revoked",
                )));
            }
            row.revoked = true;
            step.push(entry_id, row.entry_body(GrantChange::Revoked, Some(by)))?;
            state::put(step, state_key, &row)
        })?;
        Ok(Revoked {
            entry: self.only_entry(&committed)?,
        })
    }

    /// The credentials, without their tokens.
    pub fn credentials(&self, caller: &Caller) -> Result<CredentialList, ServiceError> {
        caller.require_any(&[Role::Admin, Role::Auditor])?;
        let rows: Vec<CredentialRow> = state::scan(&self.ledger, key::CREDENTIALS, LISTED)?;
        let credentials = rows
            .into_iter()
            .map(|row| CredentialView {
                credential: row.id.to_string(),
                name: row.name,
                roles: row
                    .roles
                    .iter()
                    .map(|role| role.name().to_owned())
                    .collect(),
                actors: row
                    .actors
                    .iter()
                    .map(|actor| actor.as_str().to_owned())
                    .collect(),
                revoked: row.revoked,
            })
            .collect();
        Ok(CredentialList { credentials })
    }
}

/// A grant that is ready to be committed, with the token that it is for.
pub(crate) struct Grant {
    pub(crate) unit: GrantUnit,
    pub(crate) token: ApiToken,
}

/// The unit of work that grants a credential.
#[derive(Clone)]
pub(crate) struct GrantUnit {
    pub(crate) row: CredentialRow,
    session: Option<PlannedPseudonym>,
    principal: Option<PlannedPseudonym>,
    by: Option<CredentialId>,
}

impl Grant {
    pub(crate) fn new(
        mint: &Mint<'_>,
        request: &NewCredential,
        by: Option<CredentialId>,
    ) -> Result<Self, ServiceError> {
        let id = CredentialId::fresh(mint.clock.now(), mint.random);
        let token = ApiToken::fresh(id, mint.random);
        let roles = read_roles(&request.roles)?;
        if request
            .name
            .as_ref()
            .is_some_and(|text| text.len() > NAME_BYTES || text.chars().any(char::is_control))
        {
            return Err(ServiceError::malformed(format!(
                "`name` is at most {NAME_BYTES} bytes without control characters"
            )));
        }
        let row = CredentialRow {
            id,
            token_hash: token.hash(mint.tokens),
            name: request.name.clone(),
            actors: read_list::<ActorPattern>("actors", &request.actors)?,
            authors: request
                .authors
                .iter()
                .map(|text| word::<Author>(text, "authors", "human, schedule and system"))
                .collect::<Result<_, _>>()?,
            channels: request
                .channels
                .iter()
                .map(|text| name::<ChannelName>(text))
                .collect::<Result<_, _>>()?,
            session: None,
            assurance: read_assurance(&roles, request.assurance.as_deref())?,
            public_key: read_public_key(&roles, request.public_key.as_deref())?,
            surface: read_surface(&roles, request.surface.as_deref())?,
            principal: None,
            own_sessions: request.own_sessions,
            entry: mint.entry_id(),
            revoked: false,
            roles,
        };
        check_members(&row, request)?;
        Ok(Self {
            unit: GrantUnit {
                row,
                session: None,
                principal: None,
                by,
            },
            token,
        })
    }

    /// What the first owner of the log is told.
    pub(crate) fn into_first(self) -> FirstCredential {
        let row = self.unit.row;
        FirstCredential {
            id: row.id,
            name: row.name,
            roles: row.roles,
            token: self.token.reveal(),
        }
    }
}

impl GrantUnit {
    pub(crate) fn run(&self, step: &mut Step<'_>) -> Result<(), StepError> {
        let mut row = self.row.clone();
        row.session = self
            .session
            .as_ref()
            .map(|session| session.settle(step))
            .transpose()?;
        row.principal = self
            .principal
            .as_ref()
            .map(|principal| principal.settle(step))
            .transpose()?;
        step.push(row.entry, row.entry_body(GrantChange::Granted, self.by))?;
        state::put(step, key::credential(row.id), &row)
    }
}

impl CredentialRow {
    fn entry_body(&self, change: GrantChange, by: Option<CredentialId>) -> entry::Credential {
        let granted = change == GrantChange::Granted;
        entry::Credential {
            subject: self.id,
            change,
            roles: if granted {
                self.roles.clone()
            } else {
                Vec::new()
            },
            actors: if granted {
                self.actors.clone()
            } else {
                Vec::new()
            },
            authors: if granted {
                self.authors.clone()
            } else {
                Vec::new()
            },
            channels: if granted {
                self.channels.clone()
            } else {
                Vec::new()
            },
            session: self.session.filter(|_| granted),
            assurance: self.assurance.filter(|_| granted),
            public_key: self.public_key.clone().filter(|_| granted),
            credential: by,
            surface: self.surface.filter(|_| granted),
            principal: self.principal.filter(|_| granted),
            own_sessions: (self.own_sessions && granted).then_some(true),
        }
    }
}

/// What a role does not have is not stated, and what it needs is.
fn check_members(row: &CredentialRow, request: &NewCredential) -> Result<(), ServiceError> {
    if row.channels.len() > LEAF_LIST {
        return Err(ServiceError::malformed(format!(
            "`channels` holds more than {LEAF_LIST}"
        )));
    }
    let people: &[Role] = &[Role::Reviewer, Role::VaultReader];
    for (member, roles, is_given) in [
        ("principal", people, request.principal.is_some()),
        ("own_sessions", &[Role::Ingress], request.own_sessions),
    ] {
        if is_given && !roles.iter().any(|role| row.roles.contains(role)) {
            let roles: Vec<String> = roles.iter().map(|role| format!("`{role}`")).collect();
            let detail = format!("`{member}` is for the role {}", roles.join(" or "));
            return Err(ServiceError::malformed(detail));
        }
    }
    let speaks = row.roles.contains(&Role::Agent) || row.roles.contains(&Role::Ingress);
    if speaks && row.actors.is_empty() {
        return Err(ServiceError::malformed(
            "a credential with the role `agent` or `ingress` needs `actors`",
        ));
    }
    Ok(())
}

fn read_roles(texts: &[String]) -> Result<Vec<Role>, ServiceError> {
    const ALLOWED: &str = "ingress, agent, tool, reviewer, author, auditor, vault-reader and admin";
    let mut roles: Vec<Role> = texts
        .iter()
        .map(|text| word(text, "roles", ALLOWED))
        .collect::<Result<_, _>>()?;
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        return Err(ServiceError::malformed(format!(
            "`roles` is empty; allowed are {ALLOWED}"
        )));
    }
    if roles.contains(&Role::Agent)
        && let Some(other) = NEVER_AN_AGENTS.iter().find(|role| roles.contains(role))
    {
        return Err(ServiceError::malformed(format!(
            "one credential may not be both `agent` and `{other}`: a surface that needs both holds two credentials"
        )));
    }
    if roles.contains(&Role::Ingress) && roles.contains(&Role::Reviewer) {
        return Err(ServiceError::malformed(
            "one credential may not be both `ingress` and `reviewer`: it would name the person whose call it then reviews",
        ));
    }
    Ok(roles)
}

fn read_list<T>(member: &str, texts: &[String]) -> Result<Vec<T>, ServiceError>
where
    T: TryFrom<String>,
    T::Error: std::fmt::Display,
{
    if texts.len() > LEAF_LIST {
        return Err(ServiceError::malformed(format!(
            "`{member}` holds {} items; allowed are {LEAF_LIST}",
            texts.len()
        )));
    }
    texts
        .iter()
        .map(|text| {
            T::try_from(text.clone()).map_err(|error| ServiceError::malformed(error.to_string()))
        })
        .collect()
}

fn read_assurance(roles: &[Role], text: Option<&str>) -> Result<Option<Assurance>, ServiceError> {
    match (roles.contains(&Role::Ingress), text) {
        (true, None) => Ok(Some(Assurance::Separate)),
        (true, Some("signed")) => Err(ServiceError::malformed(
            "signed turns are not supported by this version",
        )),
        (true, Some(text)) => word(text, "assurance", "same-uid and separate").map(Some),
        (false, None) => Ok(None),
        (false, Some(_)) => Err(ServiceError::malformed(
            "`assurance` is for the role `ingress`",
        )),
    }
}

fn read_surface(roles: &[Role], text: Option<&str>) -> Result<Option<Surface>, ServiceError> {
    const ALLOWED: &str = "api, relay, gate, hook and in-process";
    match (roles.contains(&Role::Agent), text) {
        (_, None) => Ok(None),
        (true, Some(text)) => word(text, "surface", ALLOWED).map(Some),
        (false, Some(_)) => Err(ServiceError::malformed("`surface` is for the role `agent`")),
    }
}

fn read_public_key(roles: &[Role], text: Option<&str>) -> Result<Option<KeyText>, ServiceError> {
    match (roles.contains(&Role::Reviewer), text) {
        (_, None) => Ok(None),
        (true, Some(text)) => {
            let bytes = URL_SAFE_NO_PAD
                .decode(text)
                .ok()
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            // A key of low order would accept signatures that nobody made.
            let reader = KeyName::parse("reviewer").map_err(ServiceError::internal)?;
            let usable = bytes.is_some_and(|bytes| VerifierKey::ed25519(reader, &bytes).is_ok());
            if !usable {
                return Err(ServiceError::malformed(
                    "`public_key` is base64url, without padding, of a raw Ed25519 public key",
                ));
            }
            name(text).map(Some)
        }
        (false, Some(_)) => Err(ServiceError::malformed(
            "`public_key` is for the role `reviewer`",
        )),
    }
}
