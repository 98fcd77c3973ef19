//! The bundles that came with a new head.

use std::ops::ControlFlow;

use countersign_merkle::tile::TILE_WIDTH;
use countersign_merkle::{CompactRange, EntriesTile, Hash, TreeReader, TreeSize};
use countersign_note::Checkpoint;

use crate::audit::VerifyError;
use crate::consistency::{NotRead, not_read, tiles};
use crate::read::{Broken, Compared, ordered, read_chunk};
use crate::report::Finding;
use crate::source::LogSource;

/// How many threads fetch bundles: they wait for a server most of the time.
const THREADS: usize = 4;

/// Most entries that are read for one new head; a log that grows by more is not followed so.
pub const MAX_NEW_ENTRIES: u64 = 1 << 32;

/// What came of the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntriesSeen {
    /// There was nothing to read.
    Nothing,
    /// They hash to both roots.
    Whole {
        /// How many are new.
        count: u64,
        /// How many of those are no entries in the canonical form.
        malformed: u64,
    },
    /// They do not, or are not all there.
    Broken {
        /// What was found.
        reason: String,
    },
}

/// Reads the leaves from `from` on. They have to hash to `root`, if it is given, and to the root of
/// `to`.
pub(super) fn read(
    source: &dyn LogSource,
    from: TreeSize,
    root: Option<Hash>,
    to: &Checkpoint,
) -> Result<EntriesSeen, String> {
    let count = to.size().get().saturating_sub(from.get());
    if count > MAX_NEW_ENTRIES {
        let reason = format!("{count} new entries are over the limit of {MAX_NEW_ENTRIES}");
        return Ok(EntriesSeen::Broken { reason });
    }
    let width = u64::from(TILE_WIDTH);
    let (first, size) = (from.get() / width, to.size());
    // What stands before the first bundle is taken from the tiles; that they are right comes out
    // when both roots are met.
    let tiles = tiles(source, size);
    let begun = TreeSize::new(first.saturating_mul(width));
    let frontier = TreeReader::new(&tiles, begun).map_err(|error| error.to_string())?;
    let mut range = match { frontier }.frontier().map_err(not_read) {
        Ok(range) => range,
        Err(NotRead::Shows(reason)) => return Ok(EntriesSeen::Broken { reason }),
        Err(NotRead::Io(reason)) => return Err(reason),
    };
    let bundles = size.get().div_ceil(width).saturating_sub(first);
    let mut reading = New {
        from,
        root,
        range: &mut range,
        malformed: 0,
        broken: None,
    };
    let work = |index: u64| {
        let tile = EntriesTile::in_tree(first.saturating_add(index), size)?;
        Some((tile, read_chunk(source, tile, true)))
    };
    ordered(THREADS, bundles, work, |read| {
        let Some((tile, read)) = read else {
            return Ok(ControlFlow::Break(()));
        };
        let flow = match read {
            Ok(chunk) => {
                reading.malformed(&chunk.entries, &tile);
                reading.append(&chunk.leaves, chunk.hash_tile)?
            }
            Err(Broken::Io(reason)) => return Err(format!("`{tile}`: {reason}")),
            Err(Broken::Missing) => reading.breaks(format!("`{tile}`: there is no such file")),
            Err(Broken::Form(error)) => reading.breaks(format!("`{tile}`: {error}")),
        };
        Ok(flow)
    })?;
    let (malformed, broken) = (reading.malformed, reading.broken);
    Ok(match broken {
        Some(reason) => EntriesSeen::Broken { reason },
        None if range.root() == to.root() => EntriesSeen::Whole { count, malformed },
        None => EntriesSeen::Broken {
            reason: format!("the entries hash to {}", range.root()),
        },
    })
}

struct New<'r> {
    from: TreeSize,
    root: Option<Hash>,
    range: &'r mut CompactRange,
    malformed: u64,
    broken: Option<String>,
}

impl New<'_> {
    fn append(&mut self, leaves: &[Hash], hash_tile: Compared) -> Result<ControlFlow<()>, String> {
        for leaf in leaves {
            self.check_old();
            let appended = self.range.append(*leaf, &mut |_, _, _| {});
            appended.map_err(|error| error.to_string())?;
        }
        self.check_old();
        match hash_tile.first_finding() {
            Ok(None) => {}
            Ok(Some(Finding { found, .. })) => return Ok(self.breaks(found)),
            Err(VerifyError::Source(reason)) => return Err(reason),
            Err(error) => return Err(error.to_string()),
        }
        Ok(match self.broken {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        })
    }

    /// At the size of the head before, the root has to be that head's.
    fn check_old(&mut self) {
        if self.range.size() == self.from
            && let Some(root) = self.root
            && self.range.root() != root
        {
            let found = self.range.root();
            self.broken = Some(format!(
                "the entries hash to {found} at {} entries, the head before says {root}",
                self.from
            ));
        }
    }

    fn malformed(
        &mut self,
        entries: &[Result<countersign_core::entry::AnyEntry, countersign_core::entry::LeafError>],
        tile: &EntriesTile,
    ) {
        let new = tile.leaves().zip(entries);
        let new = new.filter(|(index, _)| *index >= self.from.get());
        let count = new.filter(|(_, entry)| entry.is_err()).count();
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.malformed = self.malformed.saturating_add(count);
    }

    fn breaks(&mut self, reason: String) -> ControlFlow<()> {
        self.broken = Some(reason);
        ControlFlow::Break(())
    }
}
