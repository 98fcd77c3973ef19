//! Judging every decision again, from the facts and the documents that they name.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{Call, Changeset, Document, EntityUid, Facts, Intent, ToolResult};
use countersign_core::entry::Decision;
use countersign_core::ids::EntryId;
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_judge::{CompiledBundle, Directory, DirectoryError, RejudgeError, RejudgeInputs};
use serde_json::Value;

use crate::audit::Audit;
use crate::report::{Check, Findings, NotRejudged, Rejudged};
use crate::rules::Rules;

/// Judges every decision of the log again.
pub(crate) fn all(audit: &Audit, rules: &Rules<'_>, findings: &mut Findings) -> Rejudged {
    let mut court = Court {
        audit,
        rules,
        findings,
        bundle: None,
        broken: BTreeSet::new(),
        directory: Known::default(),
    };
    let mut rejudged = Rejudged::default();
    let mut changes = rules.directory.changes.iter().peekable();
    for (index, id, decision) in &rules.decisions.all {
        while let Some((_, change)) = changes.next_if(|(changed, _)| changed < index) {
            let given = change.and_then(|change| rules.documents.given::<Changeset>(change));
            court.directory.apply(given);
        }
        match court.again(*index, *id, decision) {
            Ok(true) => rejudged.agreed += 1,
            Ok(false) => {}
            Err(reason) => *rejudged.not_rejudged.entry(reason).or_default() += 1,
        }
    }
    rejudged
}

struct Court<'a, 'r> {
    audit: &'a Audit,
    rules: &'a Rules<'r>,
    findings: &'a mut Findings,
    /// The bundle of the last decision; no other is kept, for there may be many large ones. `None`
    /// for one that does not compile.
    bundle: Option<(PolicyRef, Option<CompiledBundle>)>,
    /// Bundles that do not compile.
    broken: BTreeSet<PolicyRef>,
    directory: Known,
}

/// The directory as it was at some entry, as far as its changes were given.
#[derive(Default)]
struct Known {
    entities: BTreeMap<EntityUid, BTreeMap<String, Value>>,
    is_partial: bool,
}

impl Known {
    fn apply(&mut self, changeset: Option<Changeset>) {
        let Some(changeset) = changeset else {
            self.is_partial = true;
            return;
        };
        for change in changeset.changes {
            match change.attributes {
                Some(attributes) => self.entities.insert(change.entity, attributes),
                None => self.entities.remove(&change.entity),
            };
        }
    }
}

impl Directory for Known {
    fn entity(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError> {
        Ok(self.entities.get(uid).cloned())
    }
}

impl Court<'_, '_> {
    /// Whether it came out the same; a finding says what did not.
    fn again(&mut self, index: u64, id: EntryId, decision: &Decision) -> Result<bool, NotRejudged> {
        let (Some(facts_ref), Some(call_ref)) = (decision.facts_ref, decision.call_ref) else {
            return Err(NotRejudged::NoFacts);
        };
        let is_beside = |reason: &ReasonId| {
            BuiltinReason::of(reason).is_some_and(BuiltinReason::is_beside_the_judge)
        };
        if decision.reasons.iter().any(is_beside) {
            return Err(NotRejudged::OutsideTheJudge);
        }
        let facts: Facts = self.input(index, id, facts_ref.into())?;
        let call: Call = self.input(index, id, call_ref.into())?;
        let mut intents = Vec::with_capacity(facts.inputs.intents.len());
        for input in &facts.inputs.intents {
            intents.push(self.input::<Intent>(index, id, input.intent_ref.into())?);
        }
        let mut results = Vec::with_capacity(facts.inputs.results.len());
        for reference in &facts.inputs.results {
            results.push(self.input::<ToolResult>(index, id, (*reference).into())?);
        }
        self.compile(index, id, decision.policy_ref);
        let bundle = self.bundle.as_ref().and_then(|(_, bundle)| bundle.as_ref());
        let Some(bundle) = bundle else {
            return Ok(false); // Said of the first decision under it.
        };
        if bundle.misses_history(&facts) {
            let expected = "what came before, since a policy of the action asks for it";
            let found = "facts without history";
            self.fail(index, id, Check::RejudgeFacts, found, expected);
            return Ok(false);
        }
        let inputs = RejudgeInputs {
            bundle,
            facts: &facts,
            call: &call,
            intents: &intents,
            results: &results,
        };
        // Where a change of the directory is sealed, the slice that the facts recorded has to do.
        let again = match self.directory.is_partial {
            true => countersign_judge::rejudge(&inputs),
            false => countersign_judge::rejudge_with(&inputs, &self.directory),
        };
        let verdict = match again {
            Ok(verdict) => verdict,
            Err(RejudgeError::Extractor { .. }) => return Err(NotRejudged::OtherExtractor),
            Err(error) => {
                let expected = "the facts that the decision names";
                self.fail(index, id, Check::RejudgeFacts, error, expected);
                return Ok(false);
            }
        };
        let reasons: Vec<ReasonId> = verdict.reasons.into_iter().collect();
        let agrees = verdict.outcome == decision.outcome && reasons == decision.reasons;
        if !agrees {
            let found = format!("`{}` for {:?}", decision.outcome.name(), decision.reasons);
            let expected = format!(
                "`{}` for {reasons:?}, as {} judges",
                verdict.outcome.name(),
                countersign_judge::judge_version()
            );
            self.fail(index, id, Check::RejudgeVerdict, found, expected);
        }
        Ok(agrees)
    }

    fn input<D: Document>(
        &mut self,
        index: u64,
        id: EntryId,
        reference: Sha256,
    ) -> Result<D, NotRejudged> {
        if let Some(document) = self.rules.documents.given::<D>(reference) {
            return Ok(document);
        }
        if self.rules.erased.contains(&reference) {
            return Err(NotRejudged::Erased);
        }
        // What an entry names was asked for already.
        if self.audit.is_complete && !self.rules.documents.is_named(&reference) {
            let found = format!("no document of kind `{}` under {reference}", D::KIND);
            let expected = "the document, or an entry of its erasure";
            self.fail(index, id, Check::DocumentMissing, found, expected);
        }
        Err(NotRejudged::Sealed)
    }

    fn compile(&mut self, index: u64, id: EntryId, policy: PolicyRef) {
        if self.bundle.as_ref().is_some_and(|(of, _)| *of == policy) {
            return;
        }
        let is_broken = self.broken.contains(&policy);
        let bundle = self.rules.bundles.bundle(&policy).filter(|_| !is_broken);
        let compiled = match bundle {
            None => None, // The log's own checks have said so, or the first decision under it.
            Some(bundle) => match CompiledBundle::stored(bundle) {
                Ok(compiled) => Some(compiled),
                Err(error) => {
                    self.broken.insert(policy);
                    let expected = "a bundle that compiles";
                    self.fail(index, id, Check::RejudgeFacts, error, expected);
                    None
                }
            },
        };
        self.bundle = Some((policy, compiled));
    }

    fn fail(
        &mut self,
        index: u64,
        id: EntryId,
        check: Check,
        found: impl ToString,
        expected: impl ToString,
    ) {
        self.findings.entry(index, Some(id), check, found, expected);
    }
}
