//! Legal holds: what is under one cannot be erased and does not expire.
//!
//! A record may be under several holds. Its row names the entries that placed them; lifting takes
//! one away. Erasing reads the row under the lock, so there is no moment between the two.

use countersign_core::refs::Sha256;
use countersign_ledger::{Step, StepError};

use crate::state::{self, HoldRow, key};

/// Which of these records are under hold, as the plan sees it.
pub(crate) fn held(step: &Step<'_>, refs: &[Sha256]) -> Result<Vec<Sha256>, StepError> {
    let mut held = Vec::new();
    for reference in refs {
        let row = state::read_in::<HoldRow>(step, &key::hold(reference))?;
        if row.is_some_and(|row| !row.holds.is_empty()) {
            held.push(*reference);
        }
    }
    Ok(held)
}
