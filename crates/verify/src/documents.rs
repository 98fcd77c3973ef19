//! Opened documents, held against the refs and the entries that name them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{self, Call, Document, Facts, Reasoning, Statement};
use countersign_core::entry::{Decision, Intent};
use countersign_core::json::CanonicalJson;
use countersign_core::names::TenantId;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;

use crate::report::{At, Check, Findings};

/// How far a clock may have stepped back between a document and the entry that names it: as far as
/// a log goes on at all (2 seconds).
const CLOCK_STEP_MS: i64 = 2000;

/// What was given, and what became of it.
pub(crate) struct Documents<'a> {
    given: &'a BTreeMap<Sha256, Vec<u8>>,
    tenant: Option<TenantId>,
    /// Refs that entries name.
    named: BTreeSet<Sha256>,
    /// Those of them that were given.
    checked: BTreeSet<Sha256>,
    /// Those that were not, with their kind and the first entry that names them.
    missing: BTreeMap<Sha256, (u64, &'static str)>,
    /// Refs of what was erased, and that no entry had named before.
    early: BTreeSet<Sha256>,
}

impl<'a> Documents<'a> {
    pub(crate) fn new(given: &'a BTreeMap<Sha256, Vec<u8>>) -> Self {
        Self {
            given,
            tenant: None,
            named: BTreeSet::new(),
            checked: BTreeSet::new(),
            missing: BTreeMap::new(),
            early: BTreeSet::new(),
        }
    }

    pub(crate) fn set_tenant(&mut self, tenant: &TenantId) {
        if self.tenant.is_none() {
            self.tenant = Some(tenant.clone());
        }
    }

    /// How many refs the entries name, and how many of those were given.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let count = |set: &BTreeSet<Sha256>| u64::try_from(set.len()).unwrap_or(u64::MAX);
        (count(&self.named), count(&self.checked))
    }

    /// The document that an entry names, if it was given and is what its ref says.
    pub(crate) fn open<D: Document>(&mut self, at: &mut At<'_>, reference: Sha256) -> Option<D> {
        if self.named.insert(reference) && self.early.contains(&reference) {
            // Else a record could be kept from everybody by an erasure that is written beforehand.
            let found = format_args!("{reference}, which was erased before it was there");
            at.fail(Check::Erasure, found, "a record that was not erased before");
        }
        let Some(bytes) = self.given.get(&reference) else {
            let first = (at.index, D::KIND);
            self.missing.entry(reference).or_insert(first);
            return None;
        };
        self.checked.insert(reference);
        let digest = Sha256::of(bytes);
        if digest != reference {
            at.fail(Check::DocumentHash, digest, reference);
            return None;
        }
        let document = D::from_canonical(bytes).map_err(|error| {
            let expected = format_args!("canonical json of a document of kind `{}`", D::KIND);
            at.fail(Check::DocumentKind, error, expected);
        });
        let document = document.ok()?;
        let tenant = tenant_of(bytes);
        let holds = tenant.as_deref() == self.tenant.as_ref().map(TenantId::as_str);
        let expected = "the tenant of the genesis";
        at.require(
            holds,
            Check::DocumentKind,
            tenant.unwrap_or_default(),
            expected,
        );
        Some(document)
    }

    pub(crate) fn intent(&mut self, at: &mut At<'_>, body: &Intent) {
        let reference = body.intent_ref.into();
        let Some(document) = self.open::<document::Intent>(at, reference) else {
            return;
        };
        for (member, holds) in [
            ("author", document.author == body.author),
            ("channel", document.channel == body.channel),
            ("actors", document.actors == body.actors),
            ("parent", document.parent == body.parent),
            ("mandate", document.mandate == body.mandate),
            ("expires_at", document.expires_at == body.expires_at),
            ("assurance", document.assurance == body.assurance),
            ("registered_by", document.registered_by == body.credential),
            ("issued_at", is_not_after(document.issued_at, at)),
        ] {
            agree(at, "intent", member, holds);
        }
    }

    /// The documents of a decision; its facts and its call, if they were given.
    pub(crate) fn decision(
        &mut self,
        at: &mut At<'_>,
        body: &Decision,
    ) -> (Option<Facts>, Option<Call>) {
        let call = body.call_ref;
        let call = call.and_then(|reference| self.open::<Call>(at, reference.into()));
        if let Some(call) = &call {
            let digest = CanonicalJson::of(&call.args).map(|args| args.digest());
            let holds = digest.is_ok_and(|digest| digest == call.args_sha256);
            agree(at, "call", "args_sha256", holds);
        }
        if let Some(reference) = body.reasoning_ref {
            let _reasoning = self.open::<Reasoning>(at, reference.into());
        }
        let facts = body.facts_ref;
        let facts = facts.and_then(|reference| self.open::<Facts>(at, reference.into()));
        if let Some(facts) = &facts {
            facts_agree(at, body, facts);
        }
        (facts, call)
    }

    /// What an entry says was erased.
    pub(crate) fn erased(&mut self, refs: &[Sha256]) {
        let unnamed = refs.iter().filter(|it| !self.named.contains(it));
        self.early.extend(unnamed);
    }

    /// A document that was given under this ref and is of this kind; whether it hashes to its ref
    /// was said where an entry names it.
    #[cfg(feature = "rejudge")]
    pub(crate) fn given<D: Document>(&self, reference: Sha256) -> Option<D> {
        let bytes = self.given.get(&reference)?;
        D::from_canonical(bytes).ok()
    }

    /// Where every document was promised that was not erased, one that is missing is a failure.
    /// Statements of purpose are not exported, and are not asked for.
    pub(crate) fn require_all(&self, erased: &BTreeSet<Sha256>, findings: &mut Findings) {
        let missing = self.missing.iter().filter(|(r, _)| !erased.contains(r));
        for (reference, (index, kind)) in missing.filter(|(_, (_, kind))| *kind != Statement::KIND)
        {
            let found = format_args!("no document of kind `{kind}` under {reference}");
            let expected = "the document, or an entry of its erasure";
            findings.entry(*index, None, Check::DocumentMissing, found, expected);
        }
    }

    /// Whether an entry names the document.
    #[cfg(feature = "rejudge")]
    pub(crate) fn is_named(&self, reference: &Sha256) -> bool {
        self.named.contains(reference)
    }

    /// Documents that no entry names still have to be what their names say.
    pub(crate) fn finish(&self, findings: &mut Findings) {
        let unnamed = self.given.iter().filter(|(r, _)| !self.named.contains(r));
        for (reference, bytes) in unnamed {
            let digest = Sha256::of(bytes);
            if digest != *reference {
                findings.beside(Check::DocumentHash, digest, reference);
            }
        }
    }
}

fn facts_agree(at: &mut At<'_>, body: &Decision, facts: &Facts) {
    let newest = facts.inputs.intents.first().map(|input| input.intent_ref);
    for (member, holds) in [
        ("actor", facts.actor == body.actor),
        ("action", facts.action == body.action),
        ("now", is_not_after(facts.now, at)),
        ("inputs.call", Some(facts.inputs.call) == body.call_ref),
        ("inputs.bundle", facts.inputs.bundle == body.policy_ref),
        ("inputs.intents", newest == body.intent_ref),
        (
            "inputs.credential",
            facts.inputs.credential == body.credential,
        ),
    ] {
        agree(at, "facts", member, holds);
    }
}

/// Fails unless a member of a document says what the log says.
pub(crate) fn agree(at: &mut At<'_>, document: &str, member: &str, holds: bool) {
    let found = format_args!("`{member}` of the {document} document");
    at.require(holds, Check::DocumentContent, found, "what the entry says");
}

fn is_not_after(time: Timestamp, at: &At<'_>) -> bool {
    time.millis_since(at.entry.timestamp) <= CLOCK_STEP_MS
}

fn tenant_of(bytes: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    value.get("tenant")?.as_str().map(str::to_owned)
}
