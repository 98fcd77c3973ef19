//! Who may say what: credentials from their grant to their revocation.

use std::collections::HashMap;

use countersign_core::document::{Assurance, Author};
use countersign_core::entry::{
    ActorPattern, Credential, GrantChange, Intent, Review, Role, SessionOpen, Surface,
};
use countersign_core::ids::CredentialId;
use countersign_core::names::{ActorName, ChannelName, KeyText};
use countersign_core::pseudonym::Pseudonym;

use super::reviews::Answering;
use crate::report::{At, Check};

/// Every credential of the log.
#[derive(Default)]
pub(crate) struct Credentials {
    grants: HashMap<CredentialId, Grant>,
    is_past_setup: bool,
}

struct Grant {
    is_live: bool,
    roles: Vec<Role>,
    actors: Vec<ActorPattern>,
    authors: Vec<Author>,
    channels: Vec<ChannelName>,
    session: Option<Pseudonym>,
    assurance: Option<Assurance>,
    public_key: Option<KeyText>,
    surface: Option<Surface>,
    principal: Option<Pseudonym>,
    own_sessions: bool,
}

/// Roles that one credential must not have together.
const APART: [(Role, Role); 2] = [(Role::Agent, Role::Ingress), (Role::Agent, Role::Reviewer)];

/// Kinds of entries that a log is made with, before anybody has asked for anything.
const SETUP: [&str; 6] = [
    "genesis",
    "key",
    "part",
    "policy",
    "credential",
    "directory",
];

impl Credentials {
    /// Whether the log is still being made, so that nobody needs to have asked for the entry.
    pub(crate) fn setup(&mut self, kind: &str) -> bool {
        self.is_past_setup |= !SETUP.contains(&kind);
        !self.is_past_setup
    }

    pub(crate) fn change(&mut self, at: &mut At<'_>, body: &Credential, is_setup: bool) {
        self.asked_by(at, body.credential, Role::Admin, is_setup);
        match body.change {
            GrantChange::Granted => self.grant(at, body),
            GrantChange::Revoked => {
                let grant = self.grants.get_mut(&body.subject);
                let was_live = grant.is_some_and(|grant| std::mem::take(&mut grant.is_live));
                let found = format_args!("a revocation of {}", body.subject);
                let expected = "a credential that was granted and not revoked";
                at.require(was_live, Check::CredentialHistory, found, expected);
            }
        }
    }

    pub(crate) fn author(&self, at: &mut At<'_>, id: Option<CredentialId>, is_setup: bool) {
        self.asked_by(at, id, Role::Author, is_setup);
    }

    pub(crate) fn tool(&self, at: &mut At<'_>, id: CredentialId) {
        self.with_role(at, id, Role::Tool);
    }

    /// The credential of the tool's side, or the one by which an agent asked, for what it reports of
    /// its own call; whether it is an agent's.
    pub(crate) fn reporter(
        &self,
        at: &mut At<'_>,
        id: CredentialId,
        asked_by: Option<CredentialId>,
    ) -> bool {
        let Some(grant) = self.live(at, id) else {
            return false;
        };
        if grant.roles.contains(&Role::Tool) {
            return false;
        }
        let own = grant.roles.contains(&Role::Agent) && asked_by == Some(id);
        let found = format_args!("{id}, with {:?}", grant.roles);
        let expected = "a credential of role `tool`, or the agent's that asked for the decision";
        at.require(own, Check::Credential, found, expected);
        own
    }

    pub(crate) fn vault_reader(&self, at: &mut At<'_>, id: CredentialId) {
        self.with_role(at, id, Role::VaultReader);
    }

    /// The credential of an admin.
    pub(crate) fn admin(&self, at: &mut At<'_>, id: CredentialId) {
        self.with_role(at, id, Role::Admin);
    }

    /// The person whose credential it is, if it says so.
    pub(crate) fn principal(&self, id: &CredentialId) -> Option<Pseudonym> {
        self.grants.get(id)?.principal
    }

    /// Who answers an escalation: a reviewer with a signature, an ingress without one.
    pub(crate) fn answering(
        &self,
        at: &mut At<'_>,
        body: &Review,
        registrar: Option<CredentialId>,
    ) -> Option<Answering> {
        let id = body.credential;
        if body.signature.is_none() {
            self.with_role(at, id, Role::Ingress)?;
            return Some(Answering::Ingress(registrar == Some(id)));
        }
        let grant = self.with_role(at, id, Role::Reviewer)?;
        Some(Answering::Reviewer(
            grant.public_key.clone(),
            grant.principal,
        ))
    }

    /// Who opened sealed records: whether it is a reviewer, and whether it may open any.
    pub(crate) fn opener_of_records(&self, at: &mut At<'_>, id: CredentialId) -> (bool, bool) {
        let has = |role| {
            let grant = self.grants.get(&id);
            grant.is_some_and(|grant| grant.roles.contains(&role))
        };
        let (reviews, opens_any) = (has(Role::Reviewer), has(Role::VaultReader));
        match reviews && !opens_any {
            true => self.any(at, id),
            false => self.vault_reader(at, id),
        }
        (reviews, opens_any)
    }

    /// The credential of an agent that may speak for the actor.
    pub(crate) fn agent(&self, at: &mut At<'_>, id: CredentialId, actor: &ActorName) {
        if let Some(grant) = self.with_role(at, id, Role::Agent) {
            check_actor(at, grant, id, actor);
        }
    }

    /// Where an agent's calls come in is what its credential says, if it says anything.
    pub(crate) fn surface(&self, at: &mut At<'_>, id: CredentialId, surface: Surface) {
        let stated = self.grants.get(&id).and_then(|grant| grant.surface);
        let found = format_args!("`{surface}`");
        let expected = "the surface of the credential";
        at.require(
            stated.is_none_or(|stated| stated == surface),
            Check::Credential,
            found,
            expected,
        );
    }

    /// The same where the call was refused unread: the credential may have been revoked while that
    /// was on its way to the log.
    pub(crate) fn refused_agent(&self, at: &mut At<'_>, id: CredentialId, actor: &ActorName) {
        let grant = self.grants.get(&id);
        match grant.filter(|grant| grant.roles.contains(&Role::Agent)) {
            Some(grant) => check_actor(at, grant, id, actor),
            None => {
                let expected = "a credential of role `agent` that was granted before";
                at.fail(Check::Credential, id, expected);
            }
        }
    }

    /// The credential of an ingress that may register such a turn.
    pub(crate) fn ingress(&self, at: &mut At<'_>, body: &Intent) {
        let Some(grant) = self.with_role(at, body.credential, Role::Ingress) else {
            return;
        };
        let covers = |actor| grant.actors.iter().any(|pattern| pattern.covers(actor));
        let actors = grant.actors.is_empty() || body.actors.iter().all(covers);
        let author = grant.authors.is_empty() || grant.authors.contains(&body.author);
        let channel = grant.channels.is_empty() || grant.channels.contains(&body.channel);
        let session = grant.session.is_none_or(|session| session == body.session);
        let assurance = body.signature.is_some()
            || grant
                .assurance
                .is_none_or(|assurance| assurance == body.assurance);
        for (member, holds) in [
            ("actors", actors),
            ("author", author),
            ("channel", channel),
            ("session", session),
            ("assurance", assurance),
        ] {
            let expected = "what the credential of the ingress allows";
            at.require(
                holds,
                Check::Credential,
                format_args!("`{member}`"),
                expected,
            );
        }
    }

    /// The credential of an ingress that may open such a session.
    pub(crate) fn opener(&self, at: &mut At<'_>, body: &SessionOpen) {
        let Some(grant) = self.with_role(at, body.credential, Role::Ingress) else {
            return;
        };
        let holds = grant.session.is_none_or(|session| session == body.session);
        let expected = "what the credential of the ingress allows";
        at.require(holds, Check::Credential, "`session`", expected);
    }

    /// Whether an ingress may register turns only in sessions that it opened itself.
    pub(crate) fn is_bound_to_own_sessions(&self, id: CredentialId) -> bool {
        self.grants.get(&id).is_some_and(|grant| grant.own_sessions)
    }

    /// A credential that is alive, whatever its role.
    pub(crate) fn any(&self, at: &mut At<'_>, id: CredentialId) {
        self.live(at, id);
    }

    /// A credential that was granted before, whether or not it was revoked since.
    pub(crate) fn granted(&self, at: &mut At<'_>, id: CredentialId) {
        let expected = "a credential that was granted before";
        let known = self.grants.contains_key(&id);
        at.require(known, Check::Credential, id, expected);
    }

    fn grant(&mut self, at: &mut At<'_>, body: &Credential) {
        for (one, other) in APART {
            let both = body.roles.contains(&one) && body.roles.contains(&other);
            let expected = "one of them only";
            at.require(
                !both,
                Check::CredentialHistory,
                format_args!("{one} and {other}"),
                expected,
            );
        }
        let at_least_one = !body.roles.is_empty();
        at.require(
            at_least_one,
            Check::CredentialHistory,
            "no roles",
            "at least one",
        );
        let grant = Grant {
            is_live: true,
            roles: body.roles.clone(),
            actors: body.actors.clone(),
            authors: body.authors.clone(),
            channels: body.channels.clone(),
            session: body.session,
            assurance: body.assurance,
            public_key: body.public_key.clone(),
            surface: body.surface,
            principal: body.principal,
            own_sessions: body.own_sessions == Some(true),
        };
        let is_new = self.grants.insert(body.subject, grant).is_none();
        let found = format_args!("another grant of {}", body.subject);
        at.require(is_new, Check::CredentialHistory, found, "one grant");
    }

    fn asked_by(&self, at: &mut At<'_>, id: Option<CredentialId>, role: Role, is_setup: bool) {
        match id {
            Some(id) => {
                self.with_role(at, id, role);
            }
            None => {
                let expected =
                    format_args!("a credential of role `{role}`, once the log is in use");
                at.require(is_setup, Check::Credential, "none", expected);
            }
        }
    }

    fn with_role(&self, at: &mut At<'_>, id: CredentialId, role: Role) -> Option<&Grant> {
        let grant = self.live(at, id)?;
        let found = format_args!("{id}, with {:?}", grant.roles);
        let expected = format_args!("a credential of role `{role}`");
        at.require(
            grant.roles.contains(&role),
            Check::Credential,
            found,
            expected,
        );
        Some(grant)
    }

    /// Whether a credential was granted and not revoked.
    pub(crate) fn is_live(&self, id: &CredentialId) -> bool {
        self.grants.get(id).is_some_and(|grant| grant.is_live)
    }

    fn live(&self, at: &mut At<'_>, id: CredentialId) -> Option<&Grant> {
        let grant = self.grants.get(&id).filter(|grant| grant.is_live);
        let expected = "a credential that was granted before and not revoked";
        at.require(grant.is_some(), Check::Credential, id, expected);
        grant
    }
}

/// The credential covers the actor, or is itself the actor: of what could not be read.
fn check_actor(at: &mut At<'_>, grant: &Grant, id: CredentialId, actor: &ActorName) {
    let own = actor.as_str().strip_prefix("credential:");
    let covers = own == Some(id.to_string().as_str())
        || grant.actors.iter().any(|pattern| pattern.covers(actor));
    let expected = "an actor that the credential may speak for";
    at.require(covers, Check::Credential, actor, expected);
}
