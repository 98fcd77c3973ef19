//! Legal holds: what is under one is not erased, and only what was placed is lifted.

use std::collections::{HashMap, HashSet};

use countersign_core::document::RetentionSettings;
use countersign_core::entry::{Erasure, ErasurePhase, Hold, HoldChange};
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;

use crate::report::{At, Check};

/// The holds that each record is under: the entries that placed them.
#[derive(Default)]
pub(crate) struct Holds {
    held: HashMap<Sha256, HashSet<EntryId>>,
}

impl Holds {
    pub(crate) fn change(&mut self, at: &mut At<'_>, body: &Hold) {
        match (body.change, body.links.hold) {
            (HoldChange::Placed, _) => {
                for reference in &body.refs {
                    let holds = self.held.entry(*reference).or_default();
                    holds.insert(at.entry.entry_id);
                }
            }
            (HoldChange::Lifted, Some(placed)) => {
                for reference in &body.refs {
                    let was_held = self.lift(reference, &placed);
                    let found = format_args!("{reference}, lifted from the hold {placed}");
                    let expected = "a record that it was placed on, and not lifted from since";
                    at.require(was_held, Check::Hold, found, expected);
                }
            }
            // A link that is missing is a finding of its own.
            (HoldChange::Lifted, None) => {}
        }
    }

    /// Whether the record was under that hold.
    fn lift(&mut self, reference: &Sha256, placed: &EntryId) -> bool {
        let Some(holds) = self.held.get_mut(reference) else {
            return false;
        };
        let was_held = holds.remove(placed);
        if holds.is_empty() {
            self.held.remove(reference);
        }
        was_held
    }

    /// What is erased was not held; and where nobody asked for it, the bundle in force did.
    pub(crate) fn erased(
        &self,
        at: &mut At<'_>,
        body: &Erasure,
        retention: Option<&RetentionSettings>,
    ) {
        if body.phase != ErasurePhase::Requested {
            return; // What had no key any more was destroyed with its epoch.
        }
        for reference in &body.refs {
            let is_held = self.held.contains_key(reference);
            let found = format_args!("{reference}, which is under hold");
            at.require(!is_held, Check::Hold, found, "records under no hold");
        }
        let is_stated = retention.is_none_or(|kept| *kept != RetentionSettings::default());
        let is_asked = body.credential.is_some() || is_stated;
        let expected = "a credential, or a bundle in force that says how long records are kept";
        at.require(is_asked, Check::Credential, "none", expected);
    }
}
