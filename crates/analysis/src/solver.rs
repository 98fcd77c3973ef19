//! The solver, as a process.

use std::path::PathBuf;

use cedar_policy_symcc::CedarSymCompiler;
use cedar_policy_symcc::solver::LocalSolver;

use crate::error::AnalysisError;

/// How the solver is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolverCommand {
    /// The program: cvc5, or what answers like it.
    pub program: PathBuf,
    /// Most time for one question, in milliseconds.
    pub limit_ms: u32,
}

impl SolverCommand {
    /// The named program, or what the variable `CVC5` names, or `cvc5` on the path.
    pub fn of(named: Option<PathBuf>) -> Self {
        let variable = || std::env::var_os("CVC5").map(PathBuf::from);
        Self {
            program: named.or_else(variable).unwrap_or_else(|| "cvc5".into()),
            limit_ms: 60_000,
        }
    }

    /// A solver that runs until it is dropped.
    pub(crate) fn start(&self) -> Result<CedarSymCompiler<LocalSolver>, AnalysisError> {
        let missing = |error: &dyn std::fmt::Display| {
            AnalysisError::NoSolver(format!("{}: {error}", self.program.display()))
        };
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(["--lang", "smt"])
            .arg(format!("--tlimit-per={}", self.limit_ms))
            .kill_on_drop(true);
        let solver = LocalSolver::from_command(&mut command).map_err(|error| missing(&error))?;
        CedarSymCompiler::new(solver).map_err(|error| missing(&error))
    }
}
