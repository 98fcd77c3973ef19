//! A verdict taken apart: of each target, which policies held, and of those that did not, the first
//! condition that failed, with the sources that it asks for and those that the values had.
//!
//! It is for people: tests of policies, reports, explanations. No verdict rests on it.

mod condition;
mod had;

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{AuthorizationError, Effect, Policy, PolicyId, PolicySet, Request};
use countersign_core::document::{CedarRequest, Facts, Source};
use countersign_core::names::ReasonId;
use countersign_core::verdict::Outcome;
use serde::Serialize;

use super::{Judgement, TargetVerdict, judgements};
use crate::bundle::CompiledBundle;

/// How one target of a call was judged, or the call itself where it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetTrace {
    /// What is done to it.
    pub action: String,
    /// The JSON Pointer of the target in the arguments.
    pub at: Option<String>,
    /// The target as the call holds it.
    pub value: Option<String>,
    /// The outcome for it.
    pub outcome: Outcome,
    /// Why.
    pub reasons: BTreeSet<ReasonId>,
    /// The policies that could apply to it.
    pub policies: BTreeMap<ReasonId, PolicyTrace>,
}

/// What became of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub struct PolicyTrace {
    /// Whether it permits.
    pub permits: bool,
    /// Whether it held.
    pub held: Held,
}

/// Whether a policy held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// All its conditions did.
    Yes,
    /// This one did not.
    No(Unmet),
    /// It could not be evaluated.
    Failed(String),
}

/// The first condition of a policy that did not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// The condition, as Cedar writes it; with `unless` before it, it held and should not have.
    /// Empty where it is the scope that excludes the request.
    pub condition: String,
    /// What it asks of sources.
    pub asks: Vec<SourceTest>,
}

/// What a condition asks of the sources of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceTest {
    /// Of which value: the target, an argument, or what stands in texts.
    pub of: SourcesOf,
    /// How they are compared.
    pub test: SourceComparison,
    /// With which sources.
    pub sources: Vec<Source>,
    /// The values with their sources. Of an argument with several, those that the test fails on.
    pub had: Vec<Had>,
}

impl SourceTest {
    /// What there was beside what would have been needed: a sentence for each value, or one where
    /// there was none. Values are the call's, and as long as they are there.
    pub fn sentences(&self) -> Vec<String> {
        let names = |sources: &[Source]| {
            let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
            names.join(", ")
        };
        let wanted = names(&self.sources);
        let needs = match (self.test, self.sources.len()) {
            (SourceComparison::AnyOf, 1) => format!("it would need {wanted}"),
            (SourceComparison::AnyOf, _) => format!("it would need one of {wanted}"),
            (SourceComparison::AllOf, _) => format!("it would need all of {wanted}"),
            (SourceComparison::OnlyFrom, _) => format!("allowed are only {wanted}"),
        };
        if self.had.is_empty() {
            let what = match &self.of {
                SourcesOf::Target => "the call has no such target".to_owned(),
                SourcesOf::Argument(name) => format!("no value of `{name}` has a source"),
                SourcesOf::Text => "nothing stands in the texts".to_owned(),
            };
            return vec![format!("{what}; {needs}")];
        }
        let of = |had: &Had| {
            let plural = if had.sources.len() == 1 { "" } else { "s" };
            let sources = names(&had.sources);
            let Had { at, value, .. } = had;
            format!("{at} `{value}` has the source{plural} {sources}; {needs}")
        };
        self.had.iter().map(of).collect()
    }
}

/// Whose sources a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourcesOf {
    /// The target's.
    Target,
    /// An argument's.
    Argument(String),
    /// Those of what stands in the text arguments.
    Text,
}

/// How sources are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceComparison {
    /// One of these.
    AnyOf,
    /// All of these.
    AllOf,
    /// Of each value, one of these and nothing else.
    OnlyFrom,
}

/// A value with its sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Had {
    /// The JSON Pointer of the value, or of the text that holds it.
    pub at: String,
    /// The value.
    pub value: String,
    /// Its sources.
    pub sources: Vec<Source>,
}

/// Takes the verdict apart, target by target. Empty if no policy was asked.
pub fn trace(bundle: &CompiledBundle, facts: &Facts) -> Vec<TargetTrace> {
    bundle.evaluating(|| trace_as(bundle, facts, true))
}

/// The same without the conditions, of which there may be many: only which policies held.
pub(crate) fn outline(bundle: &CompiledBundle, facts: &Facts) -> Vec<TargetTrace> {
    bundle.evaluating(|| trace_as(bundle, facts, false))
}

fn trace_as(bundle: &CompiledBundle, facts: &Facts, conditions: bool) -> Vec<TargetTrace> {
    if facts.obstacle.is_some() {
        return Vec::new();
    }
    let judgements = judgements(bundle, facts);
    let judged = facts.requests.iter().filter_map(|request| {
        let judgement = judgements.get(request.action.as_str())?.as_ref()?;
        Some(target(judgement, request, conditions))
    });
    judged.collect()
}

fn target(judgement: &Judgement<'_>, request: &CedarRequest, conditions: bool) -> TargetTrace {
    let own = |member: &str| {
        let value = request.context.get("target")?.get(member)?;
        value.as_str().map(str::to_owned)
    };
    let TargetVerdict {
        outcome, reasons, ..
    } = judgement.target(request);
    TargetTrace {
        action: request.action.clone(),
        at: own("at"),
        value: own("value"),
        outcome,
        reasons,
        policies: policies(judgement, request, conditions).unwrap_or_default(),
    }
}

fn policies(
    judgement: &Judgement<'_>,
    stated: &CedarRequest,
    conditions: bool,
) -> Option<BTreeMap<ReasonId, PolicyTrace>> {
    let (kind, request) = judgement.prepared(stated)?;
    let escalations = kind.slice.escalations.as_ref();
    let all = kind.slice.base.policies();
    let all = all.chain(escalations.into_iter().flat_map(PolicySet::policies));
    let (permits, forbids): (Vec<&Policy>, Vec<&Policy>) =
        all.partition(|policy| policy.effect() == Effect::Permit);
    let mut out = BTreeMap::new();
    // Apart from each other, since a forbid that holds hides the permits that do.
    for (policies, permits) in [(permits, true), (forbids, false)] {
        let found = evaluated(judgement, &request, &policies)?;
        for policy in policies {
            let held = match found.get(policy.id()) {
                Some(Ok(())) => Held::Yes,
                Some(Err(error)) => Held::Failed(error.clone()),
                None => Held::No(match conditions {
                    true => unmet(judgement, &request, policy, stated),
                    false => Unmet::default(),
                }),
            };
            out.insert(super::reason(policy.id())?, PolicyTrace { permits, held });
        }
    }
    Some(out)
}

/// The policies of one effect that held, and those that failed.
fn evaluated(
    judgement: &Judgement<'_>,
    request: &Request,
    policies: &[&Policy],
) -> Option<BTreeMap<PolicyId, Result<(), String>>> {
    let policies = policies.iter().map(|policy| (*policy).clone());
    let set = PolicySet::from_policies(policies).ok()?;
    let entities = &judgement.entities;
    let response = judgement.authorizer.is_authorized(request, &set, entities);
    let diagnostics = response.diagnostics();
    let failed = diagnostics.errors().map(|error| match error {
        AuthorizationError::PolicyEvaluationError(error) => {
            (error.policy_id().clone(), Err(error.to_string()))
        }
    });
    let held = diagnostics.reason().map(|id| (id.clone(), Ok(())));
    Some(held.chain(failed).collect())
}

/// The first condition that did not hold.
fn unmet(
    judgement: &Judgement<'_>,
    request: &Request,
    policy: &Policy,
    stated: &CedarRequest,
) -> Unmet {
    let first = condition::of(policy).into_iter().find(|condition| {
        // A condition that cannot be evaluated alone is not the one that was false.
        alone(judgement, request, &condition.policy) == Ok(!condition.wanted)
    });
    match first {
        Some(condition) => Unmet {
            asks: had::tests(judgement.facts, stated, &condition),
            condition: condition.text,
        },
        None => Unmet::default(),
    }
}

/// Whether a policy holds by itself.
fn alone(judgement: &Judgement<'_>, request: &Request, policy: &Policy) -> Result<bool, String> {
    let set = PolicySet::from_policies([policy.clone()]).map_err(|error| error.to_string())?;
    let entities = &judgement.entities;
    let response = judgement.authorizer.is_authorized(request, &set, entities);
    match response.diagnostics().errors().next() {
        Some(error) => Err(error.to_string()),
        None => Ok(response.diagnostics().reason().next().is_some()),
    }
}
