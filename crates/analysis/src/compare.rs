//! Whether a new bundle is stricter, looser or neither.

use cedar_policy::{PolicySet, ValidationMode, Validator};
use countersign_judge::CompiledBundle;
use serde::Serialize;

use crate::ask::{Asker, Question, assumptions, kinds, name, realistic};
use crate::error::AnalysisError;
use crate::example::Example;
use crate::solver::SolverCommand;

/// How a new bundle relates to an old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// Both decide every request alike.
    Equal,
    /// The new one permits and asks about nothing more, and something less.
    Stricter,
    /// It permits or asks about something more, and nothing less.
    Looser,
    /// Something more, and something less.
    Neither,
}

/// A comparison of two bundles over everything that can be asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Over all kinds of requests.
    pub relation: Relation,
    /// The kinds of requests that were compared.
    pub kinds: usize,
    /// Where they differ, at most one request for each kind and direction.
    pub differences: Vec<Difference>,
}

/// A request that the two bundles decide differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The action and the type of the target.
    pub kind: String,
    /// Whether the new bundle lets more through: past without asking, or as far as a person.
    pub is_looser: bool,
    /// What this is about: `approved`, or `escalated` where only the asking differs.
    pub about: &'static str,
    /// The request.
    pub example: Example,
}

/// Compares what two bundles decide, under the manifests of the new one. `seen` hears of each kind
/// of request, with how many there are.
pub fn compare(
    old: &CompiledBundle,
    new: &CompiledBundle,
    solver: &SolverCommand,
    seen: &mut dyn FnMut(&str, usize),
) -> Result<Comparison, AnalysisError> {
    let schema = new.cedar_schema();
    let (old_all, new_all) = (old.policy_set(true), new.policy_set(true));
    fits(&old_all, new)?;
    let mut asker = Asker::new(solver, schema)?;
    let kinds = kinds(schema);
    let mut differences = Vec::new();
    for env in &kinds {
        seen(&name(env), kinds.len());
        let more = assumptions(env, schema);
        let set = |policies: &PolicySet| realistic(policies, &more);
        let approved = (set(&old_all), set(&new_all));
        let passed = (set(&old.policy_set(false)), set(&new.policy_set(false)));
        for (about, (old_set, new_set)) in [("approved", &approved), ("escalated", &passed)] {
            for is_looser in [true, false] {
                let already = differences.iter().any(|difference: &Difference| {
                    difference.kind == name(env) && difference.is_looser == is_looser
                });
                if already {
                    continue;
                }
                let (one, other) = if is_looser {
                    (new_set, old_set)
                } else {
                    (old_set, new_set)
                };
                if let Some(found) = asker.ask(env, Question::OnlyByTheFirst, one, other)? {
                    differences.push(Difference {
                        kind: name(env),
                        is_looser,
                        about,
                        example: Example::of(&found, &[old, new]),
                    });
                }
            }
        }
    }
    Ok(Comparison {
        relation: relation(&differences),
        kinds: kinds.len(),
        differences,
    })
}

fn relation(differences: &[Difference]) -> Relation {
    let looser = differences.iter().any(|difference| difference.is_looser);
    let stricter = differences.iter().any(|difference| !difference.is_looser);
    match (stricter, looser) {
        (false, false) => Relation::Equal,
        (true, false) => Relation::Stricter,
        (false, true) => Relation::Looser,
        (true, true) => Relation::Neither,
    }
}

/// Refuses policies that speak of what the new manifests do not have.
fn fits(policies: &PolicySet, new: &CompiledBundle) -> Result<(), AnalysisError> {
    let validator = Validator::new(new.cedar_schema().clone());
    let result = validator.validate(policies, ValidationMode::Strict);
    match result.validation_errors().next() {
        None => Ok(()),
        Some(error) => Err(AnalysisError::Incomparable(error.to_string())),
    }
}
