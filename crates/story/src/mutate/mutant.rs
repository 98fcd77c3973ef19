//! One change of a log, and what is left of the log after it.

use countersign_core::refs::Sha256;
use countersign_merkle::AnyTile;

/// What was changed, as a row of the table names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The kind of entry, or what else was changed.
    pub part: String,
    /// The member, or `(entry)`.
    pub place: String,
    /// In which way.
    pub how: String,
}

impl Row {
    /// A row.
    pub fn new(part: &str, place: &str, how: &str) -> Self {
        Self {
            part: part.to_owned(),
            place: place.to_owned(),
            how: how.to_owned(),
        }
    }
}

/// One change.
pub struct Mutant {
    /// The row that it counts for.
    pub row: Row,
    /// What exactly, for people.
    pub what: String,
    /// How it is done.
    pub edit: Edit,
}

/// A change that can be applied.
pub enum Edit {
    /// These leaves hold something else.
    Replace(Vec<(usize, Vec<u8>)>),
    /// Two leaves change places.
    Swap(usize, usize),
    /// Only the first so many leaves are left.
    Truncate(usize),
    /// These leaves are gone, in ascending order.
    Remove(Vec<usize>),
    /// A leaf comes in before this index.
    Insert(usize, Vec<u8>),
    /// A file of the tree holds something else, or is gone.
    Tile(AnyTile, Option<Vec<u8>>),
    /// The checkpoint's bytes are others. Nobody signs it anew.
    Checkpoint(Vec<u8>),
    /// Documents hold something else, or are gone; and leaves follow them.
    Documents(Vec<(Sha256, Option<Vec<u8>>)>, Vec<(usize, Vec<u8>)>),
}

impl Edit {
    /// The first leaf index at which the log is another one; `None` if its leaves are the same.
    pub fn first(&self) -> Option<usize> {
        match self {
            Self::Replace(leaves) | Self::Documents(_, leaves) => {
                leaves.iter().map(|(index, _)| *index).min()
            }
            Self::Swap(one, other) => Some(*one.min(other)),
            Self::Truncate(size) => Some(*size),
            Self::Remove(indexes) => indexes.first().copied(),
            Self::Insert(index, _) => Some(*index),
            Self::Tile(..) | Self::Checkpoint(_) => None,
        }
    }

    /// The leaves after the change.
    pub fn leaves(&self, before: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut leaves = before.to_vec();
        match self {
            Self::Replace(replaced) | Self::Documents(_, replaced) => {
                for (index, leaf) in replaced {
                    if let Some(slot) = leaves.get_mut(*index) {
                        slot.clone_from(leaf);
                    }
                }
            }
            Self::Swap(one, other) => {
                if *one.max(other) < leaves.len() {
                    leaves.swap(*one, *other);
                }
            }
            Self::Truncate(size) => leaves.truncate(*size),
            Self::Remove(indexes) => {
                let mut index = 0;
                leaves.retain(|_| {
                    index += 1;
                    indexes.binary_search(&(index - 1)).is_err()
                });
            }
            Self::Insert(index, leaf) => leaves.insert((*index).min(before.len()), leaf.clone()),
            Self::Tile(..) | Self::Checkpoint(_) => {}
        }
        leaves
    }
}
