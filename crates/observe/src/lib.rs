//! Recorded calls judged as they would have been live, in memory: each call of a transcript with the
//! turns and results that came before it. Where no bundle is given, one is guessed from the tools;
//! and one can be guessed from what a server lists, before any tool was called.
//!
//! Everything here is a pure function of transcripts and a bundle: no server, no log, no clock. It is
//! *not* the judge (`countersign-judge`), what reads transcripts (`countersign-transcripts`), or what
//! shows the report (`countersign observe` in `countersign-cli`).

mod drive;
mod fixed;
mod needed;
mod places;
mod propose;
mod report;
mod shorten;
mod tally;

pub use drive::{Found, Judged, calls, judge_all};
pub use needed::stands_in;
pub use places::Argument;
pub use propose::{
    Guess, Hints, ListedGuess, ListedProposal, ListedTool, Proposal, ProposeError, guess_listed,
    propose, propose_listed,
};
pub use report::{BundleView, CallView, Choice, FileRead, PassedOver, ReasonShown, Report};
pub use shorten::{count as counted, text as shortened};
pub use tally::{Outcomes, RuleCount, Tally, ToolCount};

use countersign_core::document::{Bundle, BundleContent};
use countersign_judge::{BundleError, CompiledBundle};

/// Compiles a bundle under the name that observed calls have in place of a tenant.
pub fn compile(content: BundleContent) -> Result<CompiledBundle, BundleError> {
    CompiledBundle::compile(Bundle {
        tenant: fixed::tenant(),
        content,
    })
}
