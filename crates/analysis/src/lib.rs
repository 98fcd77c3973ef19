//! What a policy bundle can decide for any request at all: whether a new bundle is stricter, looser
//! or neither, and whether any request reaches a state that must not be, each with a request that
//! shows it. The questions become formulas (`cedar-policy-symcc`) that a solver answers: cvc5
//! (1.3.1 or later) as a process.
//!
//! It is *not* the judge, and nothing here is ever in the path of a call. What a bundle decided
//! for calls that were made is for `countersign policy replay` to say; this crate speaks of all
//! that could be made, over the types of the schema and the [assumptions](ASSUMPTIONS) on facts.

mod ask;
mod compare;
mod error;
mod example;
mod reach;
mod solver;

pub use ask::ASSUMPTIONS;
pub use compare::{Comparison, Difference, Relation, compare};
pub use error::AnalysisError;
pub use example::Example;
pub use reach::{Reached, reach};
pub use solver::SolverCommand;
