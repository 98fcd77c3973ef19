//! Which policies the cases put to the test.

use countersign_core::names::ReasonId;
use countersign_core::verdict::Outcome;
use serde::Serialize;

use super::CaseOutcome;
use crate::bundle::CompiledBundle;

/// What the cases say of each policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// By file and line.
    pub policies: Vec<PolicyCoverage>,
}

/// What the cases say of one policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PolicyCoverage {
    /// The file.
    pub file: String,
    /// The line where it begins.
    pub line: u32,
    /// Its id.
    pub id: ReasonId,
    /// Whether it permits.
    pub permits: bool,
    /// In how many cases the verdict rested on it: a permit was a reason of an approval, or let a
    /// call be escalated; a forbid was a reason of a rejection or an escalation.
    pub decided: usize,
    /// In how many cases it held for a target.
    pub held: usize,
    /// In how many cases it could apply to a target, and did not hold.
    pub not_held: usize,
}

impl Coverage {
    /// Counts over cases that were run.
    pub fn of(bundle: &CompiledBundle, outcomes: &[CaseOutcome]) -> Self {
        let mut policies: Vec<PolicyCoverage> = bundle
            .policy_ids()
            .filter_map(|id| Some((id, bundle.policy_text(id)?, bundle.permits(id)?)))
            .map(|(id, text, permits)| {
                let count = |is: &dyn Fn(&&CaseOutcome) -> bool| outcomes.iter().filter(is).count();
                PolicyCoverage {
                    file: text.file,
                    line: text.line,
                    permits,
                    decided: count(&|case| decided(case, id, permits)),
                    held: count(&|case| case.held(id)),
                    not_held: count(&|case| case.did_not_hold(id)),
                    id: id.clone(),
                }
            })
            .collect();
        policies.sort();
        Self { policies }
    }

    /// How many policies decided a case.
    pub fn decided(&self) -> usize {
        let policies = self.policies.iter();
        policies.filter(|policy| policy.decided > 0).count()
    }

    /// The share of policies that decided a case, in whole percent, rounded down; 100 if there are
    /// none.
    pub fn percent(&self) -> usize {
        match self.policies.len() {
            0 => 100,
            all => self.decided() * 100 / all,
        }
    }
}

fn decided(case: &CaseOutcome, id: &ReasonId, permits: bool) -> bool {
    let is_reason = || case.reasons.contains(id);
    match (permits, case.outcome) {
        // Reasons of an escalation are the forbids that ask; without a permit nobody is asked.
        (true, Outcome::Escalated) => case.held(id),
        (true, outcome) => outcome == Outcome::Approved && is_reason(),
        (false, outcome) => outcome != Outcome::Approved && is_reason() && case.held(id),
    }
}
