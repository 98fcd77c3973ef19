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
use countersign_judge::judge;
use countersign_ledger::{Step, StepError};

use super::prepare::{FactSources, rejected};
use crate::Service;
use crate::error::ServiceError;
use crate::pseudonyms::PlannedPseudonym;
use crate::shadow::InShadow;

/// A verdict in shadow but for its place in the log.
pub(super) struct ShadowVerdict {
    entry_id: EntryId,
    policy_ref: PolicyRef,
    verdict: Verdict,
    judged: Option<Judged>,
}

/// What the verdict rests on, where the call could be judged.
struct Judged {
    action: ActionName,
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
    ) -> Box<ShadowVerdict> {
        let judged = self.judged_in_shadow(shadow, from);
        let (verdict, judged) = match judged {
            Ok((verdict, judged)) => (verdict, Some(judged)),
            Err(error) => {
                tracing::warn!(%error, internal = error.internal, "the bundle in shadow could not judge");
                (rejected(BuiltinReason::EvaluationError), None)
            }
        };
        Box::new(ShadowVerdict {
            entry_id: self.entry_id(),
            policy_ref: shadow.policy_ref,
            verdict,
            judged,
        })
    }

    fn judged_in_shadow(
        &self,
        shadow: &InShadow,
        from: &FactSources<'_>,
    ) -> Result<(Verdict, Judged), ServiceError> {
        let missing = || ServiceError::internal("it no longer compiles");
        let in_force = shadow.as_in_force().ok_or_else(missing)?;
        let facts = self.facts(&from.under(&in_force))?;
        let verdict = judge(&in_force.compiled, &facts);
        let targets = self.plan_targets(&facts)?;
        let (facts_ref, record) = self.vault.seal(&facts, &*self.random)?;
        let judged = Judged {
            action: facts.action,
            targets,
            facts_ref,
            record,
        };
        Ok((verdict, judged))
    }
}

impl ShadowVerdict {
    /// Writes the verdict beside the enforced decision of this entry.
    pub(super) fn settle(
        &self,
        step: &mut Step<'_>,
        beside: EntryId,
        enforced: &Decision,
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
        if let Some(judged) = &self.judged {
            decision.action = judged.action.clone();
            decision.facts_ref = Some(judged.facts_ref);
            for target in &judged.targets {
                decision.targets.push(target.settle(step)?);
            }
            step.seal(judged.record.clone())?;
        }
        step.push(self.entry_id, decision)?;
        Ok(())
    }
}
