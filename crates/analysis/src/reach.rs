//! Whether any request reaches a state that must not be.

use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};
use cedar_policy_symcc::CompiledPolicySet;
use countersign_judge::CompiledBundle;
use serde::Serialize;

use crate::ask::{Asker, Question, assumptions, kinds, name, realistic};
use crate::error::AnalysisError;
use crate::example::Example;
use crate::solver::SolverCommand;

/// A request that is let through although it meets the condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reached {
    /// The action and the type of the target.
    pub kind: String,
    /// The request.
    pub example: Example,
}

/// Looks, for each kind of request, for one that meets `condition` (as after `when` in Cedar) and is
/// approved, or with `asking` at least put to a person. Kinds of requests that lack what the
/// condition speaks of cannot meet it; the number of those that were asked about comes back too.
pub fn reach(
    bundle: &CompiledBundle,
    condition: &str,
    asking: bool,
    solver: &SolverCommand,
    seen: &mut dyn FnMut(&str, usize),
) -> Result<(Vec<Reached>, usize), AnalysisError> {
    let schema = bundle.cedar_schema();
    let text = format!("permit (principal, action, resource) when {{ {condition} }};");
    let id = PolicyId::new("countersign.condition");
    let policy = Policy::parse(Some(id), text)
        .map_err(|error| AnalysisError::Condition(error.to_string()))?;
    let wanted = PolicySet::from_policies([policy])
        .map_err(|error| AnalysisError::Condition(error.to_string()))?;
    let all = kinds(schema);
    let fitting: Vec<_> = all
        .iter()
        .filter(|env| CompiledPolicySet::compile(&wanted, env, schema).is_ok())
        .collect();
    if fitting.is_empty() {
        let result = Validator::new(schema.clone()).validate(&wanted, ValidationMode::Strict);
        let first = result.validation_errors().next();
        return Err(AnalysisError::Condition(first.map_or_else(
            || "no kind of request has what it speaks of".to_owned(),
            ToString::to_string,
        )));
    }
    let policies = bundle.policy_set(!asking);
    let mut asker = Asker::new(solver, schema)?;
    let mut reached = Vec::new();
    for env in &fitting {
        seen(&name(env), fitting.len());
        let set = realistic(&policies, &assumptions(env, schema));
        if let Some(found) = asker.ask(env, Question::ByBoth, &set, &wanted)? {
            reached.push(Reached {
                kind: name(env),
                example: Example::of(&found, &[bundle]),
            });
        }
    }
    Ok((reached, fitting.len()))
}
