//! What the entries say of each other, followed from the first leaf to the last.

mod alerts;
mod bundles;
mod credentials;
mod decisions;
mod directory;
mod erasures;
mod executions;
mod genesis;
mod history;
mod holds;
mod intents;
mod links;
mod marks;
mod openings;
mod permits;
mod publishing;
mod reviews;
mod sessions;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use countersign_core::document::{Author, Statement};
use countersign_core::entry::{
    AnyEntry, Body, Entry, ErasurePhase, Mode, PolicyPhase, VaultAccess,
};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::Origin;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_note::VerifierKey;

use crate::audit::Audit;
use crate::documents::{Documents, agree};
use crate::head::Head;
use crate::report::{At, Check, Counts, Findings};

/// Everything that later entries are held against.
pub(crate) struct Rules<'a> {
    pub(crate) documents: Documents<'a>,
    pub(crate) bundles: bundles::Bundles,
    pub(crate) decisions: decisions::Decisions,
    pub(crate) directory: directory::Directory,
    history: history::History,
    /// Refs that an erasure names.
    pub(crate) erased: BTreeSet<Sha256>,
    audit: &'a Audit,
    genesis: genesis::Keys,
    credentials: credentials::Credentials,
    intents: intents::Intents,
    executions: executions::Executions,
    reviews: reviews::Reviews,
    holds: holds::Holds,
    erasures: erasures::Erasures,
    openings: openings::Openings,
    permits: permits::Permits,
    alerts: alerts::Alerts,
    marks: marks::Marks,
    sessions: sessions::Sessions,
    entries: HashMap<EntryId, Place>,
    last: Timestamp,
    kinds: BTreeMap<String, u64>,
    unknown: u64,
}

/// Where an entry stands, and what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) kind: &'static str,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(audit: &'a Audit, head: &Head) -> Self {
        let origin: Option<Origin> = head.checkpoint.origin().parse().ok();
        Self {
            documents: Documents::new(&audit.documents),
            bundles: bundles::Bundles::default(),
            #[cfg(feature = "rejudge")]
            decisions: decisions::Decisions::keeping(audit.rejudge),
            #[cfg(not(feature = "rejudge"))]
            decisions: decisions::Decisions::default(),
            directory: directory::Directory::default(),
            history: history::History::new(!audit.documents.is_empty()),
            erased: BTreeSet::new(),
            audit,
            genesis: genesis::Keys::new(origin),
            credentials: credentials::Credentials::default(),
            intents: intents::Intents::default(),
            executions: executions::Executions::default(),
            reviews: reviews::Reviews::default(),
            holds: holds::Holds::default(),
            erasures: erasures::Erasures::default(),
            openings: openings::Openings::default(),
            permits: permits::Permits::default(),
            alerts: alerts::Alerts::default(),
            marks: marks::Marks::default(),
            sessions: sessions::Sessions::default(),
            entries: HashMap::new(),
            last: Timestamp::default(),
            kinds: BTreeMap::new(),
            unknown: 0,
        }
    }

    /// Looks at the next entry.
    pub(crate) fn observe(&mut self, index: u64, entry: &AnyEntry, findings: &mut Findings) {
        let (id, time) = (entry.entry_id(), entry.timestamp());
        if time < self.last {
            let expected = format_args!("not before {}, the time of the entry before", self.last);
            findings.entry(index, Some(id), Check::Time, time, expected);
        }
        self.last = self.last.max(time);
        match entry {
            AnyEntry::Known(entry) => {
                let mut at = At {
                    index,
                    entry,
                    findings,
                };
                self.known(&mut at);
                *self.kinds.entry(entry.body.kind().to_owned()).or_default() += 1;
            }
            AnyEntry::Unknown(entry) => {
                self.unknown += 1;
                *self.kinds.entry(entry.kind.clone()).or_default() += 1;
            }
        }
        let kind = entry.body().map_or("unknown", Body::kind);
        if let Some(first) = self.entries.insert(id, Place { index, kind }) {
            let found = format_args!("the id of entry {}", first.index);
            findings.entry(index, Some(id), Check::EntryId, found, "an id of its own");
            // The first one keeps the name.
            self.entries.insert(id, first);
        }
    }

    /// What can only be said when all entries were seen.
    pub(crate) fn finish(&mut self, head: &Head, findings: &mut Findings) {
        self.genesis.finish(head, findings);
        self.bundles.finish(findings);
        self.reviews.finish(findings);
        self.documents.finish(findings);
        if self.audit.is_complete {
            self.documents.require_all(&self.erased, findings);
        }
    }

    /// Sessions of which nothing says how much they held.
    pub(crate) fn open_sessions(&self) -> u64 {
        self.sessions.open_ones()
    }

    /// Log keys that the caller's root key has signed.
    pub(crate) fn vouched(&self) -> &[VerifierKey] {
        self.genesis.vouched()
    }

    pub(crate) fn counts(&self) -> Counts {
        let (documents_named, documents_checked) = self.documents.counts();
        Counts {
            entries: self.kinds.clone(),
            decisions: self.decisions.by_outcome(),
            documents_named,
            documents_checked,
            open_escalations: self.decisions.open_escalations(),
        }
    }

    pub(crate) fn unknown_kinds(&self) -> u64 {
        self.unknown
    }

    fn known(&mut self, at: &mut At<'_>) {
        let entry: &Entry = at.entry;
        if let Some(tenant) = self.genesis.tenant() {
            self.documents.set_tenant(tenant);
        }
        let is_setup = self.credentials.setup(entry.body.kind());
        self.marks.observe(at.index, entry, &self.decisions);
        links::check(at, &self.entries, &self.decisions);
        match &entry.body {
            Body::Genesis(body) => self.genesis.genesis(at, body, &self.audit.trust),
            Body::Key(body) => self.genesis.key(at, body),
            Body::Part(body) => self.bundles.part(at, body),
            Body::Policy(body) => {
                match (body.phase, body.credential) {
                    (PolicyPhase::Replayed, Some(by)) => self.credentials.vault_reader(at, by),
                    (_, by) => self.credentials.author(at, by, is_setup),
                }
                self.bundles.policy(at, body, self.genesis.tenant());
            }
            Body::Directory(body) => {
                self.credentials.author(at, Some(body.credential), is_setup);
                self.directory.change(at, body, &mut self.documents);
            }
            Body::Credential(body) => self.credentials.change(at, body, is_setup),
            Body::Intent(body) => {
                self.credentials.ingress(at, body);
                self.own_session(at, body.credential, &body.session);
                self.own_mandate(at, body.credential, body.mandate.as_ref());
                self.intents.register(at, body, &mut self.documents);
                self.sessions.turn(at, &body.session);
            }
            Body::Revocation(body) => {
                self.credentials.any(at, body.credential);
                self.intents.revoke(at, body);
                self.decisions.stop(at, body);
            }
            Body::Decision(body) => self.decision(at, body),
            Body::Execution(body) => {
                let decision = body.links.decision.and_then(|id| self.decisions.get(&id));
                let asked_by = decision.map(|decision| decision.credential);
                let by_agent = self.credentials.reporter(at, body.credential, asked_by);
                self.permit_used(at, body, by_agent);
                self.executions
                    .report(at, body, by_agent, &self.decisions, &mut self.documents);
                self.sessions.execution(body.session.as_ref());
            }
            Body::PermitRefused(body) => {
                self.credentials.tool(at, body.credential);
                self.permit_refused(at, body);
            }
            Body::Review(body) => self.review(at, body),
            Body::Expired(body) => self.decisions.close(at, body.links.resolves),
            Body::Delegation(body) => {
                self.credentials.agent(at, body.credential, &body.from);
                self.credentials.agent(at, body.credential, &body.to);
                self.intents.delegate(at, body, &self.decisions);
            }
            Body::VaultAccess(_) | Body::Erasure(_) | Body::Hold(_) => self.records(at),
            Body::Flag(_) | Body::FlagUpdate(_) | Body::FlagClose(_) => self.alert(at),
            Body::SessionOpen(body) => {
                self.credentials.opener(at, body);
                self.own_session(at, body.credential, &body.session);
                self.sessions.open(at, body);
            }
            Body::SessionClose(body) => {
                if let Some(credential) = body.credential {
                    self.credentials.any(at, credential);
                }
                self.sessions.close(at, body);
                self.intents.end_session(body.session);
            }
            Body::Throttled(body) => {
                // What a credential asked too often may be counted after it was revoked.
                self.credentials.granted(at, body.credential);
                let holds = body.since <= body.until && body.until <= entry.timestamp;
                let found = format_args!("{} to {}", body.since, body.until);
                at.require(holds, Check::Members, found, "an earlier stretch of time");
            }
        }
    }

    /// An ingress that is bound to its own sessions opens and fills no session that another
    /// credential opened last.
    fn own_session(&self, at: &mut At<'_>, credential: CredentialId, session: &Pseudonym) {
        if !self.credentials.is_bound_to_own_sessions(credential) {
            return;
        }
        let opened_by = self.sessions.opened_by(session);
        let is_own = opened_by.is_none_or(|opened_by| opened_by == credential);
        let expected = "a session that the ingress opened itself";
        at.require(is_own, Check::Credential, "another's session", expected);
    }

    /// Nor does it rest a turn on what another one registered.
    fn own_mandate(&self, at: &mut At<'_>, credential: CredentialId, mandate: Option<&IntentRef>) {
        if !self.credentials.is_bound_to_own_sessions(credential) {
            return;
        }
        let registrar = mandate.and_then(|mandate| self.intents.registrar(mandate));
        let is_own = registrar.is_none_or(|registrar| registrar == credential);
        let expected = "an instruction that the ingress registered itself";
        at.require(is_own, Check::Credential, "another's mandate", expected);
    }

    fn review(&mut self, at: &mut At<'_>, body: &countersign_core::entry::Review) {
        let turn = body.intent_ref.as_ref();
        let registrar = turn.and_then(|turn| self.intents.registrar(turn));
        let who = self.credentials.answering(at, body, registrar);
        let ttl_s = self.bundles.escalation_ttl_s(&body.policy_ref);
        let escalations = (&self.decisions, ttl_s);
        self.reviews
            .answer(at, body, who, self.genesis.origin(), escalations);
        let shown = self.documents.open::<Statement>(at, body.shown_ref.into());
        if let Some(shown) = shown {
            self.reviews.statement(at, body, &shown);
        }
    }

    fn decision(&mut self, at: &mut At<'_>, body: &countersign_core::entry::Decision) {
        match decisions::is_unread(body) {
            true => self
                .credentials
                .refused_agent(at, body.credential, &body.actor),
            false => self.credentials.agent(at, body.credential, &body.actor),
        }
        self.credentials.surface(at, body.credential, body.surface);
        self.bundles.judged(at, body);
        self.intents.grounds(at, body, &self.decisions);
        if body.mode == Mode::Enforced {
            self.reviews.used(at, body, &self.decisions);
        }
        self.decisions.decide(at, body);
        let (facts, call) = self.documents.decision(at, body);
        let opened = (facts.as_ref(), call.as_ref());
        self.history.decide(at, body, &self.bundles, opened);
        if let Some(facts) = facts {
            self.intents.chain(at, body, &facts);
            self.reviews.facts(at, body, &facts);
            self.executions.results(at, body, &facts);
            let revision = facts.inputs.directory_revision;
            let holds = revision == self.directory.revision();
            agree(at, "facts", "inputs.directory_revision", holds);
        }
        // What was only tried out is no part of what a session held.
        if body.mode == Mode::Enforced {
            self.sessions.decision(at, body.session.as_ref());
        }
    }

    fn records(&mut self, at: &mut At<'_>) {
        let (credential, refs, statement) = match &at.entry.body {
            Body::VaultAccess(body) => {
                self.access(at, body);
                (None, &body.refs, body.purpose_ref)
            }
            Body::Erasure(body) => {
                let kept = self.bundles.vault_in_force();
                self.holds
                    .erased(at, body, kept.map(|vault| &vault.retention));
                self.erasures.erasure(at, body);
                if body.phase == ErasurePhase::Requested {
                    for reference in &body.refs {
                        let is_new = self.erased.insert(*reference);
                        let expected = "a record that was not erased before";
                        at.require(is_new, Check::Erasure, reference, expected);
                    }
                    self.documents.erased(&body.refs);
                    self.executions.erase(&body.refs);
                }
                (body.credential, &body.refs, body.authority_ref)
            }
            Body::Hold(body) => {
                self.holds.change(at, body);
                (Some(body.credential), &body.refs, body.authority_ref)
            }
            _ => return,
        };
        if let Some(credential) = credential {
            self.credentials.admin(at, credential);
        }
        at.require(!refs.is_empty(), Check::Members, "no refs", "at least one");
        let _statement = self.documents.open::<Statement>(at, statement.into());
    }

    fn access(&mut self, at: &mut At<'_>, body: &VaultAccess) {
        let mut is_shown = false;
        if body.phase.is_none() {
            for reference in body.refs.iter().filter(|it| self.erased.contains(it)) {
                let found = format_args!("{reference}, which was erased before");
                at.fail(
                    Check::Erasure,
                    found,
                    "an opening of records that are there",
                );
            }
            let opener = self.credentials.opener_of_records(at, body.credential);
            is_shown = self.reviews.opened(at, body, opener, &self.decisions);
        } else {
            self.credentials.vault_reader(at, body.credential);
        }
        let settings = self.bundles.vault_in_force();
        self.openings
            .access(at, body, settings, is_shown, &self.credentials);
    }

    fn alert(&mut self, at: &mut At<'_>) {
        let log = alerts::Log {
            decisions: &self.decisions,
            marks: &self.marks,
        };
        match &at.entry.body {
            Body::Flag(body) => {
                self.bundles.was_stored(at, &body.policy_ref);
                self.alerts.flag(at, body, log);
            }
            Body::FlagUpdate(body) => {
                if let Some(credential) = body.credential {
                    self.credentials.any(at, credential);
                }
                self.alerts.update(at, body, log);
            }
            Body::FlagClose(body) => {
                if let Some(credential) = body.credential {
                    self.credentials.any(at, credential);
                }
                self.alerts.close(at, body, log);
            }
            _ => {}
        }
    }
}

/// Whether a turn of this author may be the standing instruction of another.
pub(crate) fn may_mandate(author: Author) -> bool {
    author == Author::Human
}
