//! What became of sealed records.

use std::collections::BTreeMap;

use countersign_core::document::{Document, Statement};
use countersign_core::entry::{Body, ErasurePhase};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::refs::{Sha256, StatementRef};
use countersign_core::time::Timestamp;

use crate::choose::Chosen;

/// An entry that says that records were erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Erased {
    pub(crate) entry: EntryId,
    pub(crate) at: Timestamp,
    pub(crate) phase: ErasurePhase,
    pub(crate) credential: Option<CredentialId>,
    pub(crate) authority: StatementRef,
}

/// Whether a record can be read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State<'a> {
    /// It was opened for this folder.
    Open,
    /// It is sealed.
    Sealed,
    /// It was erased: every entry that says so, in order.
    Erased(&'a [Erased]),
}

/// The records of an incident.
pub(crate) struct Records<'a> {
    opened: &'a BTreeMap<Sha256, Vec<u8>>,
    erased: BTreeMap<Sha256, Vec<Erased>>,
}

impl<'a> Records<'a> {
    pub(crate) fn of(chosen: &Chosen, opened: &'a BTreeMap<Sha256, Vec<u8>>) -> Self {
        let mut erased: BTreeMap<Sha256, Vec<Erased>> = BTreeMap::new();
        for (index, at, body) in chosen.bodies() {
            let (Body::Erasure(body), Some(entry)) = (body, chosen.id_at(index)) else {
                continue;
            };
            for reference in &body.refs {
                erased.entry(*reference).or_default().push(Erased {
                    entry,
                    at,
                    phase: body.phase,
                    credential: body.credential,
                    authority: body.authority_ref,
                });
            }
        }
        Self { opened, erased }
    }

    pub(crate) fn state(&self, reference: &Sha256) -> State<'_> {
        if self.opened.contains_key(reference) {
            return State::Open;
        }
        match self.erased.get(reference) {
            Some(erased) => State::Erased(erased),
            None => State::Sealed,
        }
    }

    /// The document, if it was opened and is one of its kind.
    pub(crate) fn document<D: Document>(&self, reference: impl Into<Sha256>) -> Option<D> {
        let bytes = self.opened.get(&reference.into())?;
        D::from_canonical(bytes).ok()
    }

    /// What a person stated, if it was opened.
    pub(crate) fn statement(&self, reference: StatementRef) -> Option<String> {
        Some(self.document::<Statement>(reference)?.text)
    }

    /// How many were opened.
    pub(crate) fn opened(&self) -> usize {
        self.opened.len()
    }

    pub(crate) fn is_erased(&self, reference: &Sha256) -> bool {
        self.erased.contains_key(reference)
    }
}
