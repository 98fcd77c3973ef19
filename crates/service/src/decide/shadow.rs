//! What the bundle in shadow says of a call: an entry of its own beside the enforced decision, in
//! the same commit, and nothing else.
//!
//! Whatever goes wrong here is a rejection of the bundle in shadow; the enforced verdict, and what
//! the agent is told, do not know of it.

use countersign_core::document::SealedRecord;
use countersign_core::entry::{Decision, Links, Mode};
use countersign_core::ids::EntryId;
use countersign_core::names::{ActionName, BuiltinReason};
use countersign_core::refs::{FactsRef, PolicyRef};
use countersign_core::verdict::Verdict;
use countersign_ledger::{Step, StepError};

use super::prepare::{FactSources, rejected};
use crate::Service;
use crate::error::ServiceError;
use crate::history::Who;
use crate::pseudonyms::PlannedPseudonym;
use crate::shadow::InShadow;
use crate::vault::subjects::Tags;

/// A verdict in shadow but for its place in the log.
pub(super) struct ShadowVerdict {
    entry_id: EntryId,
    policy_ref: PolicyRef,
    verdict: Verdict,
    rest: Option<Rest>,
}

/// What the verdict rests on, where the call could be judged.
struct Rest {
    action: ActionName,
    actions: Vec<ActionName>,
    targets: Vec<PlannedPseudonym>,
    facts_ref: FactsRef,
    record: SealedRecord,
}

impl Service {
    /// Judges a call under the bundle in shadow, from what the enforced verdict was drawn from.
    pub(super) fn shadow_verdict(
        &self,
        shadow: &InShadow,
        from: &FactSources<'_>,
        who: Who,
    ) -> Box<ShadowVerdict> {
        let judged = self.judged_in_shadow(shadow, from, who);
        let (verdict, rest) = match judged {
            Ok((verdict, rest)) => (verdict, Some(rest)),
            Err(error) => {
                tracing::warn!(%error, internal = error.internal, "the bundle in shadow could not judge");
                (rejected(BuiltinReason::EvaluationError), None)
            }
        };
        Box::new(ShadowVerdict {
            entry_id: self.entry_id(),
            policy_ref: shadow.policy_ref,
            verdict,
            rest,
        })
    }

    fn judged_in_shadow(
        &self,
        shadow: &InShadow,
        from: &FactSources<'_>,
        who: Who,
    ) -> Result<(Verdict, Rest), ServiceError> {
        let missing = || ServiceError::internal("it no longer compiles");
        let in_force = shadow.as_in_force().ok_or_else(missing)?;
        let facts = self.facts(&from.under(&in_force))?;
        let targets = self.plan_targets(&facts)?;
        let (action, actions) = (facts.action.clone(), facts.actions.clone());
        // Counters as they are before the lock: only what is enforced is settled, and only that is
        // counted.
        let reckoned = self.reckon(&in_force.compiled, facts, from.args(), who, &targets)?;
        let rest = Rest {
            action,
            actions,
            targets,
            facts_ref: reckoned.judged.facts_ref,
            record: reckoned.judged.record,
        };
        Ok((reckoned.judged.verdict, rest))
    }
}

impl ShadowVerdict {
    /// Writes the verdict beside the enforced decision of this entry.
    pub(super) fn settle(
        &self,
        step: &mut Step<'_>,
        beside: EntryId,
        enforced: &Decision,
        tags: &Tags,
    ) -> Result<(), StepError> {
        let mut decision = Decision {
            policy_ref: self.policy_ref,
            outcome: self.verdict.outcome,
            reasons: self.verdict.reasons.iter().cloned().collect(),
            facts_ref: None,
            targets: Vec::new(),
            counts: Vec::new(),
            mode: Mode::Shadow,
            links: Links {
                shadows: Some(beside),
                delegation: enforced.links.delegation,
                ..Links::default()
            },
            actions: None,
            ..enforced.clone()
        };
        if let Some(rest) = &self.rest {
            decision.action = rest.action.clone();
            decision.actions = (!rest.actions.is_empty()).then(|| rest.actions.clone());
            decision.facts_ref = Some(rest.facts_ref);
            for target in &rest.targets {
                decision.targets.push(target.settle(step)?);
            }
            step.seal(rest.record.clone())?;
            // They are drawn from the same call, turn and directory.
            tags.put(step, rest.facts_ref.digest(), self.entry_id)?;
        }
        step.push(self.entry_id, decision)?;
        Ok(())
    }
}
