//! The directory's changes, in order.

use countersign_core::document::Changeset;

use countersign_core::entry;
#[cfg(feature = "rejudge")]
use countersign_core::refs::Sha256;

use crate::documents::Documents;
use crate::report::{At, Check};

/// What the log says of the directory.
#[derive(Default)]
pub(crate) struct Directory {
    last: Option<u64>,
    sealed: u64,
    /// Every change with its leaf index and the ref of its document; `None` where that was not given.
    /// The document itself is not kept: many entries can name the same large one.
    #[cfg(feature = "rejudge")]
    pub(crate) changes: Vec<(u64, Option<Sha256>)>,
}

impl Directory {
    pub(crate) fn change(
        &mut self,
        at: &mut At<'_>,
        body: &entry::Directory,
        documents: &mut Documents<'_>,
    ) {
        let document = documents.open::<Changeset>(at, body.changeset_ref.into());
        if document.is_none() {
            self.sealed += 1;
        }
        if let Some(document) = &document {
            let found = document.changes.len();
            let holds = u32::try_from(found) == Ok(body.changes);
            at.require(holds, Check::DocumentContent, found, body.changes);
        }
        self.last = Some(at.index);
        #[cfg(feature = "rejudge")]
        self.changes
            .push((at.index, document.map(|_| body.changeset_ref.into())));
    }

    /// How many changes were not given.
    pub(crate) fn sealed(&self) -> u64 {
        self.sealed
    }

    /// The leaf index of the last change so far.
    pub(crate) fn revision(&self) -> Option<u64> {
        self.last
    }
}
