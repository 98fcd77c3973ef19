//! Questions about each kind of request, one after the other.

use std::time::Duration;

use cedar_policy::{Policy, PolicyId, PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicySet, Env};

use crate::error::AnalysisError;
use crate::solver::SolverCommand;

/// What holds of the facts of every request, so that no answer rests on one that cannot be: as
/// conditions of requests that are left out.
pub const ASSUMPTIONS: [&str; 8] = [
    "context.target_count < 0 || context.target_count > 64",
    "context.has_targets != (context.target_count > 0)",
    // A call that does several things can have targets for one of them only.
    "!(resource is Call) && !context.has_targets",
    "!(resource is Call) && !(context has target)",
    "!context.intent.live && (context.intent.earlier_turns != 0 || context.intent has author)",
    "context.intent.earlier_turns < 0 || context.intent.earlier_turns > 19",
    "context has target && (!context.has_targets || !context.targets.contains(context.target.lookup))",
    "context has target && !context.target.sources.containsAny([\"user\", \"user_earlier\", \"confirmed\", \"approved\", \"system_field\", \"first_party_field\", \"record_linked\", \"named_document\", \"any_output\", \"directory\", \"none\"])",
];

/// What is asked of two sets of policies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    /// What the first allows and the second does not.
    OnlyByTheFirst,
    /// What both allow.
    ByBoth,
}

/// A solver with the loop that it runs in, and the schema that is asked about.
pub(crate) struct Asker<'a> {
    runtime: tokio::runtime::Runtime,
    solver: CedarSymCompiler<LocalSolver>,
    schema: &'a Schema,
    limit: Duration,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(command: &SolverCommand, schema: &'a Schema) -> Result<Self, AnalysisError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| AnalysisError::NoSolver(error.to_string()))?;
        let solver = runtime.block_on(async { command.start() })?;
        let limit = Duration::from_millis(u64::from(command.limit_ms).saturating_mul(2));
        Ok(Self {
            runtime,
            solver,
            schema,
            limit,
        })
    }

    /// A request of this kind that the question is about.
    pub(crate) fn ask(
        &mut self,
        env: &RequestEnv,
        question: Question,
        one: &PolicySet,
        other: &PolicySet,
    ) -> Result<Option<Env>, AnalysisError> {
        let (one, other) = (self.compiled(env, one)?, self.compiled(env, other)?);
        let failed = |reason: String| AnalysisError::Solver {
            on: name(env),
            reason,
        };
        let solver = &mut self.solver;
        let asked = async {
            match question {
                Question::OnlyByTheFirst => {
                    solver
                        .check_implies_with_counterexample_opt(&one, &other)
                        .await
                }
                Question::ByBoth => {
                    solver
                        .check_disjoint_with_counterexample_opt(&one, &other)
                        .await
                }
            }
        };
        let limit = self.limit;
        self.runtime
            .block_on(async { tokio::time::timeout(limit, asked).await })
            .map_err(|_| failed(format!("it took longer than {} s", limit.as_secs())))?
            .map_err(|error| failed(error.to_string()))
    }

    fn compiled(
        &self,
        env: &RequestEnv,
        set: &PolicySet,
    ) -> Result<CompiledPolicySet, AnalysisError> {
        CompiledPolicySet::compile(set, env, self.schema).map_err(|error| AnalysisError::Solver {
            on: name(env),
            reason: error.to_string(),
        })
    }
}

/// A kind of request, for people.
pub(crate) fn name(env: &RequestEnv) -> String {
    let action: &str = env.action().id().unescaped();
    format!("`{action}` on `{}`", env.resource())
}

/// The kinds of requests that calls can make.
pub(crate) fn kinds(schema: &Schema) -> Vec<RequestEnv> {
    let mut kinds: Vec<RequestEnv> = schema.request_envs().collect();
    kinds.sort_by_key(name);
    kinds
}

/// The set with what no facts can be forbidden, as far as the kind of request has it.
pub(crate) fn realistic(set: &PolicySet, assumptions: &[Policy]) -> PolicySet {
    let mut set = set.clone();
    for assumption in assumptions {
        // Their ids cannot be those of a bundle's policies.
        let _unique = set.add(assumption.clone());
    }
    set
}

/// The assumptions as forbids, those that this kind of request has members for.
pub(crate) fn assumptions(env: &RequestEnv, schema: &Schema) -> Vec<Policy> {
    let forbid = |(n, condition): (usize, &&str)| {
        let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
        let id = PolicyId::new(format!("countersign.assumption-{n}"));
        Policy::parse(Some(id), text).ok()
    };
    ASSUMPTIONS
        .iter()
        .enumerate()
        .filter_map(forbid)
        .filter(|policy| {
            let one = PolicySet::from_policies([policy.clone()]);
            one.is_ok_and(|one| CompiledPolicySet::compile(&one, env, schema).is_ok())
        })
        .collect()
}
