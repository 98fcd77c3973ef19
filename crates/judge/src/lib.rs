//! The judge: from tool manifests, turns, results and directory to facts, and from facts and a
//! policy bundle to a verdict; and the same again, years later, to check that it was so.
//!
//! Everything here is a pure function of its arguments: no clock, no network, no disk. What an
//! agent sent can make a call rejected; it cannot make this crate fail or panic.
//!
//! It is *not* the documents themselves (`countersign-core`), the offline verifier
//! (`countersign-verify`), or what finds a call's intent, results and directory
//! (`countersign-service`).

mod bundle;
pub mod cases;
mod extract;
mod finding;
mod gate;
mod judge;
pub mod limits;
mod mention;
mod rejudge;
mod result;
pub mod source;
mod stack;
mod value;
mod version;

pub use bundle::{BundleError, CompiledBundle, PolicyText, Tool, check};
pub use extract::{ChainTurn, Directory, DirectoryError, ExtractInputs, extract, recount};
pub use finding::{Finding, Severity};
pub use judge::{
    Had, Held, PolicyTrace, SourceComparison, SourceTest, SourcesOf, TargetTrace, Unmet, judge,
    trace,
};
pub use mention::{People, TurnMentions, people, whole_form};
pub use rejudge::{RejudgeError, RejudgeInputs, redraw, rejudge, rejudge_with};
pub use result::{SeenResult, SessionResults};
pub use value::{lookup_form, type_name};
pub use version::{EXTRACTOR, judge_version};
