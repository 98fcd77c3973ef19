//! Bundles: checked, stored in the log with their whole text, and put in force.

use std::sync::{Arc, PoisonError};

use countersign_core::document::{Bundle, BundleContent, Document};
use countersign_core::entry::{self, AnyEntry, Body, PolicyPhase, Role};
use countersign_core::ids::EntryId;
use countersign_core::json;
use countersign_core::limits::BUNDLE_BYTES;
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_judge::{CompiledBundle, Finding, Severity};
use countersign_ledger::{ReadSet, Step, StepError};
use countersign_merkle::LeafIndex;
use countersign_wire::{BundleCurrent, BundleStored, FindingView, SetCurrentBundle};

use crate::Service;
use crate::caller::Caller;
use crate::directory::other_form;
use crate::error::{ErrorCode, ServiceError};
use crate::mint::Mint;
use crate::shadow;
use crate::state::{
    self, DirectoryFormRow, InForceRow, InShadowRow, PartRow, StoredBundleRow, key,
};
use crate::turns::name;

/// The bundle that judges at present.
#[derive(Clone)]
pub(crate) struct InForce {
    pub(crate) compiled: Arc<CompiledBundle>,
    pub(crate) version: LeafIndex,
}

/// A bundle that is ready to be written to the log.
pub(crate) struct CheckedBundle {
    compiled: Arc<CompiledBundle>,
    bytes: Vec<u8>,
    warnings: Vec<Finding>,
}

impl CheckedBundle {
    /// Compiles a bundle; one that does not pass its check is refused with what was found.
    pub(crate) fn compile(bundle: Bundle) -> Result<Self, ServiceError> {
        let invalid = |findings: Vec<Finding>| ServiceError {
            findings,
            ..ServiceError::new(
                ErrorCode::InvalidBundle,
                "the bundle does not pass its check",
            )
        };
        let warnings = countersign_judge::check(&bundle.content, &bundle.tenant);
        if warnings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
        {
            return Err(invalid(warnings));
        }
        let bytes = bundle.canonical()?.into_bytes();
        if bytes.len() > BUNDLE_BYTES {
            let detail = format!(
                "the bundle has {} bytes; allowed are {BUNDLE_BYTES}",
                bytes.len()
            );
            return Err(ServiceError::new(ErrorCode::TooLarge, detail));
        }
        let compiled = CompiledBundle::compile(bundle).map_err(|error| invalid(error.findings))?;
        Ok(Self {
            compiled: Arc::new(compiled),
            bytes,
            warnings,
        })
    }

    pub(crate) fn policy_ref(&self) -> PolicyRef {
        self.compiled.policy_ref()
    }

    pub(crate) fn compiled(&self) -> Arc<CompiledBundle> {
        Arc::clone(&self.compiled)
    }
}

impl Service {
    /// Checks a bundle and stores its text in the log; it does not come into force by that.
    pub fn store_bundle(&self, caller: &Caller, body: &[u8]) -> Result<BundleStored, ServiceError> {
        caller.require(Role::Author)?;
        let content: BundleContent = json::parse_as(body, BUNDLE_BYTES)?;
        let checked = CheckedBundle::compile(Bundle {
            tenant: self.tenant.clone(),
            content,
        })?;
        let policy_ref = checked.policy_ref();
        let known = self.stored_bundle(&policy_ref)?.is_some();
        self.bundles.insert(policy_ref, checked.compiled());
        if !known {
            let unit = StoreBundle::new(&self.mint(), &checked, Some(caller));
            self.ledger
                .commit(caller.reads(), move |step| unit.run(step))?;
        }
        Ok(BundleStored {
            policy_ref: policy_ref.to_string(),
            known,
            findings: checked.warnings.iter().map(finding_view).collect(),
        })
    }

    /// Puts a stored bundle in force, if the one that is in force is the one that the caller means.
    pub fn set_bundle(
        &self,
        caller: &Caller,
        request: &SetCurrentBundle,
        if_match: Option<&str>,
    ) -> Result<BundleCurrent, ServiceError> {
        caller.require(Role::Author)?;
        let policy_ref: PolicyRef = name(&request.policy_ref)?;
        let expected: PolicyRef = match if_match {
            Some(text) => name(text.trim().trim_matches('"'))?,
            None => {
                let detail = "send `If-Match` with the policy_ref that is in force";
                return Err(ServiceError::new(ErrorCode::PreconditionRequired, detail));
            }
        };
        let stored = self.known_bundle(&policy_ref)?;
        let demands = self.demands(&expected, &stored)?;
        let reads = self.reads_to_use(&policy_ref, caller)?;
        let (shadow_end_id, entry_id) = (self.entry_id(), self.entry_id());
        let credential = caller.id();
        let committed = self.ledger.commit(reads, move |step| {
            let current = state::read_in::<InForceRow>(step, &key::policy_in_force())?
                .map(|row| row.policy_ref);
            if current != Some(expected) {
                let detail = match current {
                    Some(current) => format!("the bundle in force is `{current}`"),
                    None => "no bundle is in force".to_owned(),
                };
                return Err(StepError::refused(ServiceError::new(
                    ErrorCode::PreconditionFailed,
                    detail,
                )));
            }
            demands.check(step, &policy_ref, &expected, credential)?;
            let shadow = state::read_in::<InShadowRow>(step, &key::policy_in_shadow())?;
            if shadow.is_some_and(|row| row.policy_ref == policy_ref) {
                shadow::end(step, shadow_end_id, policy_ref, credential)?;
            }
            put_in_force(step, entry_id, policy_ref, current, Some(credential))
        })?;
        self.watcher.wake();
        Ok(BundleCurrent {
            policy_ref: policy_ref.to_string(),
            entry: self.only_entry(&committed)?,
        })
    }

    /// Where the text of a bundle stands, if the log holds it.
    pub(crate) fn stored_bundle(
        &self,
        policy_ref: &PolicyRef,
    ) -> Result<Option<StoredBundleRow>, ServiceError> {
        state::read(&self.ledger, &key::policy(policy_ref))
    }

    /// The same of a bundle that the log must hold.
    pub(crate) fn known_bundle(
        &self,
        policy_ref: &PolicyRef,
    ) -> Result<StoredBundleRow, ServiceError> {
        let not_found = || ServiceError::not_found(format!("stored bundle `{policy_ref}`"));
        self.stored_bundle(policy_ref)?.ok_or_else(not_found)
    }

    /// What putting a bundle to use rests on: the directory as it stands must be one that the bundle
    /// can look things up in.
    pub(crate) fn reads_to_use(
        &self,
        policy_ref: &PolicyRef,
        caller: &Caller,
    ) -> Result<ReadSet, ServiceError> {
        let mut reads = caller.reads();
        let directory = self.ledger.state(&key::directory())?;
        reads.read(key::directory(), directory.as_ref());
        self.check_forms(&*self.compiled(policy_ref)?)?;
        Ok(reads)
    }

    /// The bundle in force, by its ref, with the entry that put it there.
    pub fn current_bundle(&self, caller: &Caller) -> Result<BundleCurrent, ServiceError> {
        caller.require_any(&[Role::Author, Role::Auditor, Role::Admin, Role::Reviewer])?;
        let row = state::read::<InForceRow>(&self.ledger, &key::policy_in_force())?
            .ok_or_else(|| ServiceError::not_found("bundle in force"))?;
        Ok(BundleCurrent {
            policy_ref: row.policy_ref.to_string(),
            entry: self.entry_json(row.entry)?,
        })
    }

    /// A stored bundle's canonical JSON, as it stands in the log.
    pub fn bundle(&self, caller: &Caller, policy_ref: PolicyRef) -> Result<Vec<u8>, ServiceError> {
        caller.require_any(&[Role::Author, Role::Auditor, Role::Admin, Role::Reviewer])?;
        self.bundle_bytes(&policy_ref)
    }

    /// What judges at present; compiled once for each version.
    pub(crate) fn in_force(&self) -> Result<InForce, ServiceError> {
        let missing = || ServiceError::internal("no bundle is in force");
        let found = self
            .ledger
            .state(&key::policy_in_force())?
            .ok_or_else(missing)?;
        let known = || self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known()
            && known.version == found.version
        {
            return Ok(known.clone());
        }
        let row: InForceRow = serde_json::from_slice(&found.value.ok_or_else(missing)?)?;
        let in_force = InForce {
            compiled: self.compiled(&row.policy_ref)?,
            version: found.version,
        };
        *known() = Some(in_force.clone());
        Ok(in_force)
    }

    /// A stored bundle, compiled once.
    pub(crate) fn compiled(
        &self,
        policy_ref: &PolicyRef,
    ) -> Result<Arc<CompiledBundle>, ServiceError> {
        self.bundles.fetch(*policy_ref, || {
            let bundle = Bundle::from_canonical(&self.bundle_bytes(policy_ref)?)?;
            CompiledBundle::stored(bundle).map_err(|error| {
                ServiceError::internal(format!(
                    "the stored bundle {policy_ref} no longer compiles: {error}"
                ))
            })
        })
    }

    pub(crate) fn check_forms(&self, bundle: &CompiledBundle) -> Result<(), ServiceError> {
        let rows: Vec<DirectoryFormRow> =
            state::scan(&self.ledger, key::DIRECTORY_FORMS, usize::MAX)?;
        for row in rows {
            if let Some(form) = bundle.directory_form(&row.entity_type)
                && form != row.form
            {
                return Err(other_form(&row, form));
            }
        }
        Ok(())
    }

    fn bundle_bytes(&self, policy_ref: &PolicyRef) -> Result<Vec<u8>, ServiceError> {
        let row = self.known_bundle(policy_ref)?;
        let mut bytes = Vec::new();
        for digest in &row.parts {
            bytes.extend_from_slice(&self.part(digest)?);
        }
        if Sha256::of(&bytes) != *policy_ref.digest() {
            return Err(ServiceError::internal(format!(
                "the text of {policy_ref} in the log is another one"
            )));
        }
        Ok(bytes)
    }

    fn part(&self, digest: &Sha256) -> Result<Vec<u8>, ServiceError> {
        let missing = || ServiceError::internal(format!("the log has no part {digest}"));
        let row = state::read::<PartRow>(&self.ledger, &key::part(digest))?.ok_or_else(missing)?;
        let leaf = self
            .ledger
            .leaf(LeafIndex::new(row.index))?
            .ok_or_else(missing)?;
        match AnyEntry::from_leaf(&leaf.bytes)?.body() {
            Some(Body::Part(part)) => Ok(part.bytes.as_bytes().to_vec()),
            _ => Err(missing()),
        }
    }
}

/// The unit of work that writes a bundle's text and the entry that names it.
pub(crate) struct StoreBundle {
    policy_ref: PolicyRef,
    parts: Vec<(EntryId, entry::Part)>,
    entry_id: EntryId,
    credential: Option<countersign_core::ids::CredentialId>,
}

impl StoreBundle {
    pub(crate) fn new(mint: &Mint<'_>, checked: &CheckedBundle, author: Option<&Caller>) -> Self {
        Self {
            policy_ref: checked.policy_ref(),
            parts: entry::split(&checked.bytes)
                .into_iter()
                .map(|part| (mint.entry_id(), part))
                .collect(),
            entry_id: mint.entry_id(),
            credential: author.map(Caller::id),
        }
    }

    pub(crate) fn run(&self, step: &mut Step<'_>) -> Result<(), StepError> {
        if step.state(&key::policy(&self.policy_ref))?.is_some() {
            return Ok(());
        }
        let mut digests = Vec::with_capacity(self.parts.len());
        for (entry_id, part) in &self.parts {
            let digest = part.bytes.digest();
            // A piece that the log already holds is not repeated.
            if step.state(&key::part(&digest))?.is_none() {
                let index = step.push(*entry_id, part.clone())?;
                state::put(step, key::part(&digest), &PartRow { index: index.get() })?;
            }
            digests.push(digest);
        }
        let stored = entry::Policy {
            policy_ref: self.policy_ref,
            phase: PolicyPhase::Stored,
            parts: digests.clone(),
            previous: None,
            credential: self.credential,
        };
        step.push(self.entry_id, stored)?;
        let row = StoredBundleRow {
            parts: digests,
            entry: self.entry_id,
        };
        state::put(step, key::policy(&self.policy_ref), &row)
    }
}

/// The step that puts a bundle in force.
pub(crate) fn put_in_force(
    step: &mut Step<'_>,
    entry_id: EntryId,
    policy_ref: PolicyRef,
    previous: Option<PolicyRef>,
    credential: Option<countersign_core::ids::CredentialId>,
) -> Result<(), StepError> {
    let entry = entry::Policy {
        policy_ref,
        phase: PolicyPhase::InForce,
        parts: Vec::new(),
        previous,
        credential,
    };
    step.push(entry_id, entry)?;
    state::put(
        step,
        key::policy_in_force(),
        &InForceRow {
            policy_ref,
            entry: entry_id,
        },
    )
}

/// A finding, as clients see it.
pub fn finding_view(finding: &Finding) -> FindingView {
    FindingView {
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
        .to_owned(),
        file: finding.file.clone(),
        line: finding.line,
        column: finding.column,
        message: finding.message.clone(),
        snippet: finding.snippet.clone(),
        hint: finding.hint.clone(),
    }
}
