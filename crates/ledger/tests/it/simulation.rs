//! What a disk may do to a ledger, drawn from seeds: commits that fail, stop in the middle or end
//! unknown, head files that are torn, writes that are lost although they were confirmed, bytes that
//! rot.

use crate::disk::Fate;
use crate::world::{World, passing};
use countersign_ledger::{OpenError, ReadError};
use countersign_merkle::{LeafIndex, leaf_hash};

/// Seeds of each test; `COUNTERSIGN_SIMULATION_SEEDS` runs more.
const SEEDS: u64 = 100;
const STEPS: usize = 12;

fn seeds() -> std::ops::Range<u64> {
    let named = std::env::var("COUNTERSIGN_SIMULATION_SEEDS").ok();
    0..named.map_or(SEEDS, |count| count.parse().unwrap())
}

/// Runs one test for every seed, and says which one it was that failed.
fn for_every_seed(test: impl Fn(&mut World)) {
    struct Failing(u64);
    impl Drop for Failing {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("the seed was {}", self.0);
            }
        }
    }
    for seed in seeds() {
        let failing = Failing(seed);
        test(&mut World::begin(seed));
        drop(failing);
    }
}

/// One batch with whatever fates that do not stop the machine.
fn step(world: &mut World) {
    let units = world.rng.usize(1..6);
    let fates: Vec<Fate> = (0..world.rng.usize(..4))
        .map(|_| passing(&mut world.rng))
        .collect();
    for committed in world.batch(units, &fates).into_iter().flatten() {
        world.remember(&committed);
    }
}

#[test]
fn nothing_acknowledged_is_lost_whatever_a_commit_meets() {
    for_every_seed(|world| {
        for _ in 0..STEPS {
            step(world);
            if world.rng.u8(..4) == 0 {
                world.restart().unwrap();
            }
        }
        world.check();
        world.restart().unwrap();
        world.check();
    });
}

#[test]
fn a_machine_that_stops_anywhere_starts_again_without_a_hand() {
    for_every_seed(|world| {
        for _ in 0..STEPS {
            step(world);
            let head_before = std::fs::read(world.head_file()).unwrap();
            let units = world.rng.usize(1..6);
            match world.rng.u8(..3) {
                // In the database, before its commit or after it: nobody is told anything.
                0 => {
                    let done = world.rng.bool();
                    let told = world.batch(units, &[Fate::Stops { done }]);
                    assert!(told.iter().all(Result::is_err));
                }
                // In the head file: the new head is written in part, and nobody was told of it.
                1 => {
                    drop(world.batch(units, &[]));
                    tear(world, &head_before);
                }
                // After the head file, before the answers.
                _ => drop(world.batch(units, &[])),
            }
            world.restart().unwrap();
            world.check();
            let head = world.ledger().checkpoint().to_string();
            world.see(&head);
        }
        step(world);
        world.check();
    });
}

/// Of the slot that was written last only a part is there. The slot before it is whole: it was
/// synced before.
fn tear(world: &mut World, before: &[u8]) {
    let now = std::fs::read(world.head_file()).unwrap();
    // The batch went with another one before it, each into a slot of its own: the second, which
    // nobody was told of, is the one with the higher sequence.
    let half = now.len() / 2;
    let sequence = |slot: &[u8]| -> u64 {
        let text = String::from_utf8_lossy(slot).into_owned();
        text.lines().nth(1).unwrap().parse().unwrap()
    };
    let newest = usize::from(sequence(&now[half..]) > sequence(&now[..half])) * half;
    let cut = newest + world.rng.usize(..half);
    let mut torn = now.clone();
    torn[cut..newest + half].copy_from_slice(&before[cut..newest + half]);
    std::fs::write(world.head_file(), torn).unwrap();
}

#[test]
fn confirmed_writes_that_are_gone_are_found_at_the_start() {
    for_every_seed(|world| {
        let mut images = Vec::new();
        for _ in 0..STEPS {
            images.push(world.disk.image().clone());
            step(world);
        }
        let lost = world.rng.usize(..images.len());
        let size = images[lost].leaves.len();
        *world.disk.image() = images.swap_remove(lost);
        let refused = world.restart();
        assert!(
            matches!(refused, Err(OpenError::RolledBack { .. })),
            "back to {size} entries: {refused:?}"
        );
        *world.disk.image() = Default::default();
        let refused = world.restart();
        assert!(matches!(refused, Err(OpenError::DatabaseLost { .. })));
    });
}

/// Nothing on the machine tells a restored directory from a new one; a checkpoint elsewhere does.
#[test]
fn a_directory_that_was_put_back_as_a_whole_contradicts_what_was_released() {
    for_every_seed(|world| {
        step(world);
        world.restart().unwrap();
        let image = world.disk.image().clone();
        let head_file = std::fs::read(world.head_file()).unwrap();
        step(world);
        let held = world.released.last().unwrap().clone();
        *world.disk.image() = image;
        std::fs::write(world.head_file(), head_file).unwrap();
        let known = world.acknowledged.clone();
        world.acknowledged.clear();
        world.restart().unwrap();
        while (world.disk.image().leaves.len() as u64) < held.size().get() {
            drop(world.batch(1, &[]));
            world.acknowledged.clear();
        }
        let size = usize::try_from(held.size().get()).unwrap();
        assert_ne!(world.roots()[size], held.root());
        assert!(world.ledger().check_known(&held).is_err());
        let last = known.keys().next_back().copied().unwrap();
        let now = world.ledger().leaf(LeafIndex::new(last)).unwrap().unwrap();
        assert_ne!(leaf_hash(&now.bytes), leaf_hash(&known[&last]));
    });
}

#[test]
fn bytes_that_rot_are_an_error_and_never_an_answer() {
    for_every_seed(|world| {
        for _ in 0..STEPS {
            step(world);
        }
        let at = world.rng.usize(..world.disk.image().leaves.len());
        {
            let mut image = world.disk.image();
            let bytes = &mut image.leaves[at].bytes;
            let place = at * 31 % bytes.len();
            bytes[place] ^= 1 << (at % 8);
        }
        // Only what is read is looked at: a start reads the last entry.
        if let Err(error) = world.restart() {
            assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
            return;
        }
        for (index, leaf) in &world.acknowledged {
            match world.ledger().leaf(LeafIndex::new(*index)) {
                Ok(found) => assert_eq!(&found.unwrap().bytes, leaf),
                Err(ReadError::Damaged { .. }) => assert_eq!(*index, at as u64),
                Err(other) => panic!("{other}"),
            }
        }
    });
}
