//! What can go wrong.

/// Why an analysis gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// There is no solver to ask.
    #[error("no solver was found: {0}")]
    NoSolver(String),
    /// The solver failed, or took longer than it may.
    #[error("the solver gave no answer on {on}: {reason}")]
    Solver {
        /// Which kind of request was asked about.
        on: String,
        /// What it or its library said.
        reason: String,
    },
    /// A policy of one bundle does not fit the schema of the other.
    #[error("the bundles cannot be compared: {0}")]
    Incomparable(String),
    /// A state that is to be looked for is no condition over the bundle's schema.
    #[error("the condition cannot be read: {0}")]
    Condition(String),
}

impl AnalysisError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoSolver(_) => Some(
                "install cvc5 1.3.1 or later, or its Python package (tools/solver), and name it with --solver or CVC5",
            ),
            Self::Incomparable(_) => Some(
                "bundles are compared under the manifests of the new one; bring the old policies to them first",
            ),
            Self::Condition(_) => Some(
                "write it as after `when`: resource has status && resource.status == \"churned\"",
            ),
            Self::Solver { .. } => None,
        }
    }
}
