//! The plan: a pure function of the head, the state and the units that wait.

use crate::error::{CommitError, PanicInWork, StepError};
use crate::fresh::FreshTree;
use crate::head::Head;
use crate::index::row_of;
use crate::ledger::LogSigner;
use crate::limits::{BATCH_BYTES, BATCH_ENTRIES, CLOCK_BEHIND_MS};
use crate::rewrap::{Admit, NotAdmitted};
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
    /// Looks at the records that are to be stored.
    pub(crate) admit: Option<&'a Admit>,
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
        outcomes.push(match run(unit.as_mut(), input, &effects, now, first)? {
            Err(error) => UnitOutcome::Failed(error),
            Ok(unit) => {
                let end = start.saturating_add(unit.entries());
                effects.absorb(unit, first);
                UnitOutcome::Planned(start..end)
            }
        });
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
    input: &PlanInput<'_>,
    before: &Effects,
    now: Timestamp,
    first: LeafIndex,
) -> Result<Result<UnitEffects, CommitError>, StoreReadError> {
    let mut step = Step::new(input.state, before, now, first);
    let ran = step.check(unit.reads()).and_then(|()| {
        // What a unit that panics leaves behind is dropped: the step with it, and its value.
        catch_unwind(AssertUnwindSafe(|| unit.run(&mut step)))
            .unwrap_or_else(|panic| Err(StepError::refused(panic_in_work(panic.as_ref()))))
    });
    let (mut effects, failed_read) = step.into_parts();
    if let Some(error) = failed_read {
        return Err(error);
    }
    Ok(match ran {
        Err(StepError::Read(error)) => return Err(error),
        Err(error) => Err(error.into()),
        Ok(()) if effects.is_unspoken() => Err(CommitError::WithoutEntry),
        Ok(()) => match input.admit.map(|admit| effects.admit(admit)) {
            None | Some(Ok(())) => Ok(effects),
            // What it was sealed with ended: whoever seals it again comes through.
            Some(Err(NotAdmitted)) => Err(CommitError::Stale { keys: Vec::new() }),
        },
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
        state: effects
            .state
            .into_iter()
            .filter(|(key, _)| !effects.purged.contains(key))
            .collect(),
        sealed: effects.sealed,
        erased: effects.erased.into_iter().collect(),
        purged: effects.purged.into_iter().collect(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{ReadSet, StateKey, Versioned};
    use crate::unit::{TypedUnit, Work};
    use countersign_core::entry::{Body, Throttled};
    use countersign_core::ids::EntryId;
    use countersign_note::{NoteSigner, SignError, VerifierKey};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const ORIGIN: &str = "example.com/log";

    struct Signer(VerifierKey);

    impl Signer {
        fn new() -> Self {
            // The public key of RFC 8032 section 7.1, test 1; nobody checks the signatures here.
            let key = 0xd75a980182b10ab7d54bfed3c964073a_u128.to_be_bytes();
            let rest = 0x0ee172f3daa62325af021a68f707511a_u128.to_be_bytes();
            let key = [key, rest].concat().try_into().unwrap();
            Self(VerifierKey::ed25519(ORIGIN.parse().unwrap(), &key).unwrap())
        }
    }

    impl NoteSigner for Signer {
        fn name(&self) -> &str {
            ORIGIN
        }

        fn verifier_key(&self) -> &VerifierKey {
            &self.0
        }

        fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignError> {
            Ok([1; 64])
        }
    }

    /// All that a store keeps which a plan can see.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Memory {
        head: Head,
        state: BTreeMap<StateKey, Versioned>,
        leaves: Vec<(EntryId, Vec<u8>)>,
        nodes: Vec<NewNode>,
    }

    impl Memory {
        fn new() -> Self {
            Self {
                head: Head::empty(ORIGIN.parse().unwrap()),
                state: BTreeMap::new(),
                leaves: Vec::new(),
                nodes: Vec::new(),
            }
        }

        fn apply(&mut self, writes: &Writes) {
            for leaf in &writes.leaves {
                assert_eq!(leaf.index.get(), self.leaves.len() as u64);
                assert_eq!(leaf.hash, leaf_hash(&leaf.bytes));
                self.leaves.push((leaf.entry_id, leaf.bytes.clone()));
            }
            self.nodes.extend(&writes.nodes);
            self.nodes.sort_by_key(|node| (node.level, node.index));
            self.state.extend(writes.state.iter().cloned());
            for key in &writes.purged {
                self.state.remove(key);
            }
            self.head = writes.head.clone();
        }

        fn plan(&self, units: &mut [Box<dyn Unit>], clock: i64, caps: Caps) -> Planned {
            let input = PlanInput {
                head: &self.head,
                state: self,
                clock: Timestamp::from_millis(clock),
                signer: &Signer::new(),
                caps,
                admit: None,
            };
            plan(&input, units).unwrap()
        }
    }

    impl StateReader for Memory {
        fn state(&self, key: &StateKey) -> Result<Option<Versioned>, StoreReadError> {
            Ok(self.state.get(key).cloned())
        }

        fn index_of(&self, entry_id: EntryId) -> Result<Option<LeafIndex>, StoreReadError> {
            let place = self.leaves.iter().position(|(id, _)| *id == entry_id);
            Ok(place.map(|index| LeafIndex::new(index as u64)))
        }
    }

    /// What a unit does, as a test draws it.
    #[derive(Debug, Clone)]
    struct Spec {
        entries: u64,
        // Small, so that some are used twice.
        id: u64,
        put: Option<(u8, bool)>,
        expected: Option<(u8, Option<u64>)>,
        refuses: bool,
    }

    fn spec() -> impl Strategy<Value = Spec> {
        let expected = (0_u8..3, proptest::option::of(0_u64..60));
        (
            0_u64..5,
            0_u64..400,
            proptest::option::of((0_u8..3, any::<bool>())),
            proptest::option::weighted(0.3, expected),
            proptest::bool::weighted(0.1),
        )
            .prop_map(|(entries, id, put, expected, refuses)| Spec {
                entries,
                id,
                put,
                expected,
                refuses,
            })
    }

    fn key(n: u8) -> StateKey {
        StateKey::new(format!("key/{n}"))
    }

    fn entry_id(n: u64) -> EntryId {
        format!("01HYB7K3M4FXQZ9V2N6P{n:06}").parse().unwrap()
    }

    fn body(requests: u64) -> Body {
        let time = Timestamp::from_millis(0);
        Body::from(Throttled {
            credential: "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap(),
            since: time,
            until: time,
            requests,
        })
    }

    fn unit(spec: &Spec) -> Box<dyn Unit> {
        let mut reads = ReadSet::none();
        if let Some((n, version)) = spec.expected {
            reads.versions.push((key(n), version.map(LeafIndex::new)));
        }
        let spec = spec.clone();
        let work: Work<()> = Box::new(move |step| {
            for n in 0..spec.entries {
                step.push(entry_id(spec.id * 5 + n), body(n))?;
            }
            match spec.put {
                Some((n, true)) => step.put(key(n), vec![n])?,
                Some((n, false)) => step.delete(key(n))?,
                None => {}
            }
            if spec.refuses {
                return Err(StepError::refused("drawn"));
            }
            Ok(())
        });
        Box::new(TypedUnit::new(reads, work, Box::new(|_| ())))
    }

    /// Plans the units in batches of these lengths, and says what became of each.
    fn run(specs: &[Spec], lengths: &[usize], caps: Caps) -> (Memory, Vec<String>) {
        let mut memory = Memory::new();
        let mut outcomes = Vec::new();
        let mut units: Vec<_> = specs.iter().map(unit).collect();
        let mut lengths = lengths.iter().copied().cycle();
        while !units.is_empty() {
            let length = lengths.next().unwrap_or(1).clamp(1, units.len());
            let planned = memory.plan(&mut units[..length], 1_000, caps);
            assert!(!planned.outcomes.is_empty(), "every batch takes a unit");
            units.drain(..planned.outcomes.len());
            for outcome in planned.outcomes {
                outcomes.push(match outcome {
                    UnitOutcome::Planned(range) => format!("{} entries", range.len()),
                    UnitOutcome::Failed(error) => error.to_string(),
                });
            }
            if let Some(writes) = &planned.writes {
                assert_eq!(planned.tree.range(), writes.head.range());
                memory.apply(writes);
            }
        }
        (memory, outcomes)
    }

    proptest! {
        #[test]
        fn how_units_fall_into_batches_changes_nothing(
            specs in proptest::collection::vec(spec(), 1..80),
            lengths in proptest::collection::vec(1_usize..40, 1..10),
            entries in 1_usize..30,
        ) {
            let one_by_one = run(&specs, &[1], Caps::DEFAULT);
            prop_assert_eq!(&one_by_one, &run(&specs, &[usize::MAX], Caps::DEFAULT));
            prop_assert_eq!(&one_by_one, &run(&specs, &lengths, Caps::DEFAULT));
            let caps = Caps { entries, bytes: 5_000 };
            prop_assert_eq!(&one_by_one, &run(&specs, &[usize::MAX], caps));
        }
    }

    #[test]
    fn the_index_of_a_leaf_can_be_rebuilt_from_its_bytes() {
        let memory = Memory::new();
        let spec = Spec {
            entries: 3,
            id: 1,
            put: None,
            expected: None,
            refuses: false,
        };
        let planned = memory.plan(&mut [unit(&spec)], 7, Caps::DEFAULT);
        for leaf in &planned.writes.unwrap().leaves {
            let read = countersign_core::entry::AnyEntry::from_leaf(&leaf.bytes).unwrap();
            assert_eq!(row_of(&read), leaf.row);
        }
    }

    #[test]
    fn a_full_batch_takes_no_further_unit() {
        let memory = Memory::new();
        let spec = |id| Spec {
            entries: 4,
            id,
            put: None,
            expected: None,
            refuses: false,
        };
        let mut units: Vec<_> = (0..10).map(|id| unit(&spec(id))).collect();
        let caps = |entries, bytes| Caps { entries, bytes };
        assert_eq!(
            memory.plan(&mut units, 0, caps(9, 1 << 20)).outcomes.len(),
            3
        );
        assert_eq!(memory.plan(&mut units, 0, caps(100, 1)).outcomes.len(), 1);
        assert_eq!(memory.plan(&mut units, 0, Caps::DEFAULT).outcomes.len(), 10);
    }

    #[test]
    fn a_clock_far_behind_the_head_gives_no_plan() {
        let mut memory = Memory::new();
        let spec = Spec {
            entries: 1,
            id: 1,
            put: None,
            expected: None,
            refuses: false,
        };
        let planned = memory.plan(&mut [unit(&spec)], 10_000, Caps::DEFAULT);
        memory.apply(&planned.writes.unwrap());
        assert_eq!(memory.head.time().as_millis(), 10_000);
        let signer = Signer::new();
        let input = |clock| PlanInput {
            head: &memory.head,
            state: &memory,
            clock: Timestamp::from_millis(clock),
            signer: &signer,
            caps: Caps::DEFAULT,
            admit: None,
        };
        assert!(plan(&input(8_000), &mut []).is_ok());
        let behind = plan(&input(7_999), &mut []);
        assert!(matches!(behind, Err(PlanError::ClockBehind { .. })));
    }
}
