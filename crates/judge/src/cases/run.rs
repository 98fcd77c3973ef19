//! One case: judged, and held against what it expects.

use std::collections::BTreeSet;

use countersign_core::document::{Facts, Source};
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::verdict::{Outcome, Verdict};
use serde::Serialize;
use serde_json::Value;

use super::file::Written;
use super::{Expected, scene};
use crate::bundle::CompiledBundle;
use crate::finding::Finding;
use crate::judge::{Held, TargetTrace, judge, outline, trace};

/// What became of a case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseOutcome {
    /// Its file, relative to the bundle.
    pub file: String,
    /// The line where it begins.
    pub line: u32,
    /// Its name.
    pub name: String,
    /// The tool of the call.
    pub tool: String,
    /// The arguments of the call.
    pub args: Value,
    /// What was expected.
    pub expected: Expected,
    /// The outcome that was found.
    pub outcome: Outcome,
    /// The reasons that were found.
    pub reasons: BTreeSet<ReasonId>,
    /// Why no policy was asked: a built-in reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// The JSON Pointer of the argument that was in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle_at: Option<String>,
    /// How each target was judged. Conditions that did not hold are given if the case fell.
    pub targets: Vec<TargetTrace>,
    /// Where it was not as expected; empty if the case holds.
    pub mismatches: Vec<Mismatch>,
}

/// Something that was not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Mismatch {
    /// The outcome.
    Outcome,
    /// The outcome is the expected one, for other reasons.
    Reasons,
    /// The call was rejected before any policy was asked, and the case does not say that it means
    /// that.
    Unasked,
    /// The sources of an argument.
    Sources {
        /// The JSON Pointer of the argument.
        at: String,
        /// Those that were expected.
        expected: BTreeSet<Source>,
        /// Those that were found; nothing if no value stands there.
        found: Option<BTreeSet<Source>>,
    },
}

impl CaseOutcome {
    /// Whether all was as expected.
    pub fn holds(&self) -> bool {
        self.mismatches.is_empty()
    }

    /// Whether the policy held for a target.
    pub(super) fn held(&self, id: &ReasonId) -> bool {
        let traces = self
            .targets
            .iter()
            .filter_map(|target| target.policies.get(id));
        traces.into_iter().any(|trace| trace.held == Held::Yes)
    }

    /// Whether the policy could apply to a target and did not hold.
    pub(super) fn did_not_hold(&self, id: &ReasonId) -> bool {
        let traces = self
            .targets
            .iter()
            .filter_map(|target| target.policies.get(id));
        traces
            .into_iter()
            .any(|trace| matches!(trace.held, Held::No(_)))
    }
}

/// Judges a case.
pub(super) fn run(bundle: &CompiledBundle, case: &Written) -> Result<CaseOutcome, Finding> {
    let unfit = |message: String| super::placed(case, case.line, message);
    let (call, facts) = scene::play(bundle, &case.members).map_err(unfit)?;
    let members = &case.members;
    let expected = Expected {
        outcome: members.outcome.unwrap_or(Outcome::Rejected),
        reasons: members.reasons.clone(),
        sources: members.sources.clone(),
    };
    let verdict = judge(bundle, &facts);
    let mismatches = mismatches(&expected, &verdict, &facts);
    Ok(CaseOutcome {
        file: case.file.clone(),
        line: case.line,
        name: case.name.clone(),
        tool: call.tool,
        args: call.args,
        expected,
        outcome: verdict.outcome,
        reasons: verdict.reasons,
        targets: match mismatches.as_slice() {
            [] => outline(bundle, &facts),
            _ => trace(bundle, &facts),
        },
        mismatches,
        obstacle: facts.obstacle,
        obstacle_at: facts.obstacle_at,
    })
}

fn mismatches(expected: &Expected, verdict: &Verdict, facts: &Facts) -> Vec<Mismatch> {
    let mut out = Vec::new();
    let is_unasked = facts.obstacle.is_some() || is_failed(verdict);
    if verdict.outcome != expected.outcome {
        out.push(Mismatch::Outcome);
    } else if expected.reasons.is_none() && is_unasked {
        out.push(Mismatch::Unasked);
    }
    let other = |reasons: &BTreeSet<ReasonId>| *reasons != verdict.reasons;
    if out.is_empty() && expected.reasons.as_ref().is_some_and(other) {
        out.push(Mismatch::Reasons);
    }
    for (at, expected) in &expected.sources {
        let found = sources(facts, at);
        if found.as_ref() != Some(expected) {
            out.push(Mismatch::Sources {
                at: at.clone(),
                expected: expected.clone(),
                found,
            });
        }
    }
    out
}

fn is_failed(verdict: &Verdict) -> bool {
    let failed = ReasonId::builtin(BuiltinReason::EvaluationError);
    verdict.reasons.contains(&failed)
}

/// The sources of what stands at a JSON Pointer; of a text, those of all that stands in it.
fn sources(facts: &Facts, at: &str) -> Option<BTreeSet<Source>> {
    let targets = facts.targets.iter().map(|fact| (&fact.at, &fact.sources));
    let values = facts.values.iter().map(|fact| (&fact.at, &fact.sources));
    let mut found = None;
    for (_, sources) in targets.chain(values).filter(|(place, _)| *place == at) {
        found.get_or_insert_with(BTreeSet::new).extend(sources);
    }
    found
}
