//! From facts to a verdict.
use std::collections::BTreeSet;

use countersign_core::document::Facts;
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::verdict::{Outcome, Verdict};

use crate::bundle::CompiledBundle;

/// Judges the facts under the bundle's policies. Pure: the same facts and bundle give the same
/// verdict.
pub fn judge(_bundle: &CompiledBundle, _facts: &Facts) -> Verdict {
    Verdict {
        outcome: Outcome::Rejected,
        reasons: BTreeSet::from([ReasonId::builtin(BuiltinReason::NoPermit)]),
    }
}
