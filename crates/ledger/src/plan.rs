//! The plan: a pure function of the head, the state and the units that wait.

use crate::error::{CommitError, PanicInWork, StepError};
use crate::fresh::FreshTree;
use crate::head::Head;
use crate::index::row_of;
use crate::ledger::LogSigner;
use crate::limits::{BATCH_BYTES, BATCH_ENTRIES, CLOCK_BEHIND_MS};
use crate::step::{Effects, Step, UnitEffects};
use crate::store::{NewLeaf, NewNode, StateReader, StoreReadError, Writes};
use crate::unit::Unit;
use countersign_core::time::Timestamp;
use countersign_merkle::tile::layout::nodes_at;
use countersign_merkle::{LeafIndex, TreeTooLarge, leaf_hash, tile::TILE_HEIGHT};
use countersign_note::{Checkpoint, CheckpointFormatError, SignNoteError};
use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// All that a plan is a function of, beside the units.
pub(crate) struct PlanInput<'a> {
    pub(crate) head: &'a Head,
    pub(crate) state: &'a dyn StateReader,
    pub(crate) clock: Timestamp,
    pub(crate) signer: &'a LogSigner,
    pub(crate) caps: Caps,
}

/// After how much a batch takes no further unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

impl Caps {
    pub(crate) const DEFAULT: Self = Self {
        entries: BATCH_ENTRIES,
        bytes: BATCH_BYTES,
    };
}

/// What is to be written, and what is to be answered once it is durable.
#[derive(Debug)]
pub(crate) struct Planned {
    /// One for each unit that was taken, in order; the units after them did not fit.
    pub(crate) outcomes: Vec<UnitOutcome>,
    /// Nothing if no unit has an entry.
    pub(crate) writes: Option<Arc<Writes>>,
    /// The tree with the new leaves.
    pub(crate) tree: FreshTree,
}

/// What became of a unit in the plan.
#[derive(Debug)]
pub(crate) enum UnitOutcome {
    /// It succeeded; its entries are these of the new leaves.
    Planned(Range<usize>),
    /// It failed and left nothing.
    Failed(CommitError),
}

/// Why there is no plan for the batch.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("the clock says {clock}, the head of the log {head}")]
    ClockBehind { head: Timestamp, clock: Timestamp },
    #[error(transparent)]
    Read(#[from] StoreReadError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFormatError),
    #[error(transparent)]
    Sign(#[from] SignNoteError),
    #[error(transparent)]
    TooLarge(#[from] TreeTooLarge),
}

/// Plans as many of the units as fit, in order, each seeing what the ones before it left.
pub(crate) fn plan(
    input: &PlanInput<'_>,
    units: &mut [Box<dyn Unit>],
) -> Result<Planned, PlanError> {
    let head = input.head.time();
    if head.millis_since(input.clock) > CLOCK_BEHIND_MS {
        let clock = input.clock;
        return Err(PlanError::ClockBehind { head, clock });
    }
    let now = input.clock.max(head);
    let size = input.head.size().get();
    let mut effects = Effects::default();
    let mut outcomes = Vec::with_capacity(units.len());
    for unit in units {
        if effects.entries.len() >= input.caps.entries || effects.bytes >= input.caps.bytes {
            break;
        }
        let start = effects.entries.len();
        let first = LeafIndex::new(size.saturating_add(start as u64));
        outcomes.push(
            match run(unit.as_mut(), input.state, &effects, now, first)? {
                Err(error) => UnitOutcome::Failed(error),
                Ok(unit) => {
                    let end = start.saturating_add(unit.entries());
                    effects.absorb(unit, first);
                    UnitOutcome::Planned(start..end)
                }
            },
        );
    }
    let mut tree = FreshTree::new(input.head.range().clone());
    let writes = write(input, effects, now, &mut tree)?;
    Ok(Planned {
        outcomes,
        writes,
        tree,
    })
}

/// Runs one unit. The outer error spoils the batch, the inner one only the unit.
fn run(
    unit: &mut dyn Unit,
    state: &dyn StateReader,
    before: &Effects,
    now: Timestamp,
    first: LeafIndex,
) -> Result<Result<UnitEffects, CommitError>, StoreReadError> {
    let mut step = Step::new(state, before, now, first);
    let ran = step.check(unit.reads()).and_then(|()| {
        // What a unit that panics leaves behind is dropped: the step with it, and its value.
        catch_unwind(AssertUnwindSafe(|| unit.run(&mut step)))
            .unwrap_or_else(|panic| Err(StepError::refused(panic_in_work(panic.as_ref()))))
    });
    let (effects, failed_read) = step.into_parts();
    if let Some(error) = failed_read {
        return Err(error);
    }
    Ok(match ran {
        Err(StepError::Read(error)) => return Err(error),
        Err(error) => Err(error.into()),
        Ok(()) if effects.is_unspoken() => Err(CommitError::WithoutEntry),
        Ok(()) => Ok(effects),
    })
}

fn panic_in_work(panic: &(dyn Any + Send)) -> PanicInWork {
    let message = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned());
    tracing::error!(%message, "a unit of work panicked");
    PanicInWork { message }
}

/// Appends the entries to the tree, signs the new head, and lists what is to be written.
fn write(
    input: &PlanInput<'_>,
    effects: Effects,
    now: Timestamp,
    tree: &mut FreshTree,
) -> Result<Option<Arc<Writes>>, PlanError> {
    if effects.entries.is_empty() {
        return Ok(None);
    }
    let mut leaves = Vec::with_capacity(effects.entries.len());
    for planned in effects.entries {
        let bytes = planned.leaf.into_bytes();
        let hash = leaf_hash(&bytes);
        leaves.push(NewLeaf {
            index: tree.append(hash)?,
            entry_id: planned.entry.entry_id(),
            row: row_of(&planned.entry),
            bytes,
            hash,
        });
    }
    let range = tree.range().clone();
    let origin = input.head.origin().clone();
    let checkpoint = Checkpoint::new(origin.as_str(), range.size(), range.root())?;
    let checkpoint = checkpoint.sign(&[input.signer])?.to_string();
    Ok(Some(Arc::new(Writes {
        nodes: new_nodes(input.head, tree),
        head: Head::next(origin, range, checkpoint, now),
        leaves,
        state: effects.state.into_iter().collect(),
        sealed: effects.sealed,
    })))
}

/// The nodes at tile levels from 1 up that the batch completed.
fn new_nodes(old: &Head, tree: &FreshTree) -> Vec<NewNode> {
    let tile_levels = 1..=(u64::BITS as u8 - 1) / TILE_HEIGHT;
    let nodes = tile_levels.flat_map(|level| {
        let start = nodes_at(level, old.size());
        let nodes = tree.nodes_from(level.saturating_mul(TILE_HEIGHT), start);
        nodes.map(move |(index, hash)| NewNode { level, index, hash })
    });
    nodes.collect()
}
