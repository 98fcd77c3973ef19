//! Reading every leaf, rebuilding the tree from them, and holding the hash tiles against it.
//!
//! Workers fetch, hash and parse one bundle each; one thread takes what they made in the order of
//! the log. So the answer does not depend on how many there are.

mod chunk;
mod compare;
mod ordered;
mod tree;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use countersign_core::entry::{AnyEntry, LeafError};
use countersign_merkle::tile::TILE_WIDTH;
use countersign_merkle::{AnyTile, EntriesTile, TreeSize};

use crate::audit::VerifyError;
use crate::report::{Check, Findings};
use crate::source::LogSource;
use chunk::Chunk;
pub(crate) use chunk::{Broken, read as read_chunk};
pub(crate) use compare::Compared;
pub(crate) use ordered::ordered;
pub(crate) use tree::Tree;

/// Most threads that read, whatever the caller asks for.
const MAX_THREADS: usize = 64;

/// What is read, and how.
pub(crate) struct Reading<'a> {
    pub(crate) source: &'a dyn LogSource,
    pub(crate) size: TreeSize,
    /// Sizes for which the root is wanted.
    pub(crate) wanted: BTreeSet<u64>,
    /// Whether leaves are read as entries.
    pub(crate) is_parsing: bool,
    /// How many threads; 0 for as many as the machine runs at once.
    pub(crate) threads: usize,
}

/// What the one thread does with the entries of a bundle, the first of which has this index.
pub(crate) type EachBundle<'e> =
    dyn FnMut(u64, u64, Vec<Result<AnyEntry, LeafError>>, &mut Findings) + 'e;

impl Reading<'_> {
    /// Reads the leaves in order. Stops at the first bundle that is missing or broken, so that the
    /// work is bounded by what the source really holds. `each` is told of the index of the bundle's
    /// first leaf and of the one after its last.
    pub(crate) fn run(
        &self,
        findings: &mut Findings,
        each: &mut EachBundle<'_>,
    ) -> Result<Tree, VerifyError> {
        let bundles = self.size.get().div_ceil(u64::from(TILE_WIDTH));
        let mut builder = tree::Builder::new(self.source, self.size, &self.wanted);
        let work = |index: u64| {
            // The tree has this bundle, so there is always one.
            let tile = EntriesTile::in_tree(index, self.size)?;
            let chunk = read_chunk(self.source, tile, self.is_parsing);
            Some((tile, chunk))
        };
        ordered(self.threads(), bundles, work, |read| {
            let Some((tile, chunk)) = read else {
                return Ok(ControlFlow::Break(()));
            };
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(broken) => {
                    broken.report(&tile, findings)?;
                    return Ok(ControlFlow::Break(()));
                }
            };
            let Chunk {
                leaves,
                root,
                entries,
                hash_tile,
            } = chunk;
            let place = tile.leaves();
            each(place.start, place.end, entries, findings);
            hash_tile.report(findings)?;
            builder.append(&leaves, root, findings)?;
            Ok(ControlFlow::Continue(()))
        })?;
        builder.finish(findings)
    }

    fn threads(&self) -> usize {
        let machine = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = match self.threads {
            0 => machine(),
            threads => threads,
        };
        threads.min(MAX_THREADS)
    }
}

impl Broken {
    /// Says why nothing can be read from here on.
    fn report(self, tile: &EntriesTile, findings: &mut Findings) -> Result<(), VerifyError> {
        match self {
            Self::Missing => findings.log(Check::TileMissing, "no such file", tile),
            Self::Form(error) => {
                let found = format!("{tile}: {error}");
                let expected = format!("{} leaves, each after its length", tile.width());
                findings.log(Check::TileForm, found, expected);
            }
            Self::Io(reason) => return Err(unreadable(&AnyTile::Entries(*tile), &reason)),
        }
        Ok(())
    }
}

fn unreadable(tile: &AnyTile, reason: &str) -> VerifyError {
    VerifyError::Source(format!("`{tile}`: {reason}"))
}
