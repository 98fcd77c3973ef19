//! What was released: the part of the log that answers may rest on.

use crate::edge::Edge;
use crate::head::Head;
use std::sync::{Arc, PoisonError, RwLock};

/// A released head, with the edge of its tree.
#[derive(Debug)]
pub(crate) struct Released {
    pub(crate) head: Head,
    pub(crate) checkpoint: Arc<str>,
    pub(crate) edge: Edge,
}

impl Released {
    /// A head with the checkpoint that its store holds.
    pub(crate) fn new(head: Head, edge: Edge) -> Self {
        let checkpoint = head.checkpoint().into();
        Self::signed(head, checkpoint, edge)
    }

    /// A head with a checkpoint that bears more signatures, or others, than the store's.
    pub(crate) fn signed(head: Head, checkpoint: Arc<str>, edge: Edge) -> Self {
        Self {
            head,
            checkpoint,
            edge,
        }
    }
}

/// The newest released head, shared by the sequencer and all readers.
#[derive(Debug, Clone)]
pub(crate) struct Newest(Arc<RwLock<Arc<Released>>>);

impl Newest {
    pub(crate) fn new(released: Released) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(released))))
    }

    /// What is newest now, and stays it.
    pub(crate) fn fixed(&self) -> Self {
        Self(Arc::new(RwLock::new(self.read())))
    }

    pub(crate) fn read(&self) -> Arc<Released> {
        let guard = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&guard)
    }

    pub(crate) fn replace(&self, released: Released) {
        let released = Arc::new(released);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = released;
    }
}
