//! Following a log from head to head, also one that lies.

use countersign_merkle::{AnyTile, TreeSize};
use countersign_note::{Checkpoint, NoteSigner as _, VerifierKey};
use countersign_verify::{
    EntriesSeen, FollowError, Follower, LogSource, MAX_KEPT, MemoryLog, Step,
};

use crate::large::leaves;
use crate::log::{Key, checkpoint, publish, signed_by, under};

fn keys() -> Vec<VerifierKey> {
    vec![Key::log().verifier_key().clone()]
}

/// A history that leaves the true one at `from`.
fn forked(n: usize, from: usize) -> Vec<Vec<u8>> {
    let mut other = leaves(n);
    for leaf in &mut other[from..] {
        leaf.push(b' ');
    }
    other
}

fn observe(follower: &mut Follower, leaves: &[Vec<u8>], source: &MemoryLog) -> Step {
    let note = checkpoint(leaves).to_string();
    follower.observe(note.as_bytes(), source).unwrap()
}

fn step(follower: &mut Follower, leaves: &[Vec<u8>]) -> Step {
    observe(follower, leaves, &publish(leaves))
}

fn following(n: usize) -> Follower {
    let mut follower = Follower::new(keys());
    let first = step(&mut follower, &leaves(n));
    assert_eq!(first, Step::First { size: n as u64 });
    follower
}

/// The contradiction that was found; it has to hold for a stranger.
fn contradicted(step: Step) -> (u64, u64) {
    match step {
        Step::Contradiction(found) => found.prove(&keys()).unwrap().sizes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_that_grows_is_followed() {
    let mut follower = Follower::new(keys());
    let mut before = 0;
    for n in [1, 2, 3, 255, 256, 257, 400, 700] {
        let (from, to) = (before as u64, n as u64);
        let expected = match before {
            0 => Step::First { size: to },
            _ => Step::Grown { from, to },
        };
        assert_eq!(step(&mut follower, &leaves(n)), expected);
        assert_eq!(step(&mut follower, &leaves(n)), Step::Same { size: to });
        let log = publish(&leaves(n));
        assert_eq!(
            follower.entries(from, to, &log),
            Ok(EntriesSeen::Whole {
                count: to - from,
                malformed: 0
            })
        );
        before = n;
    }
    // What was seen on the way is not forgotten, and neither is what was not.
    let whole = publish(&leaves(700));
    for n in [256, 300] {
        let expected = Step::Behind {
            size: n as u64,
            newest: 700,
        };
        assert_eq!(observe(&mut follower, &leaves(n), &whole), expected);
    }
    assert_eq!(follower.newest().unwrap().0, 700);
}

#[test]
fn another_history_is_proven_at_every_size() {
    for n in [300, 301, 511, 512, 600] {
        let other = forked(n, 120);
        let mut follower = following(300);
        let expected = (300, n as u64);
        assert_eq!(contradicted(step(&mut follower, &other)), expected);
        assert_eq!(follower.newest().unwrap().0, 300, "it is not taken");
    }
}

#[test]
fn a_log_that_goes_back_is_seen_and_a_fork_of_the_past_is_proven() {
    let mut follower = following(200);
    assert_eq!(
        step(&mut follower, &leaves(600)),
        Step::Grown { from: 200, to: 600 }
    );
    // Only what the smaller log serves is there.
    let back = step(&mut follower, &leaves(400));
    assert!(
        matches!(
            back,
            Step::BehindUnproven {
                size: 400,
                newest: 600,
                ..
            }
        ),
        "{back:?}"
    );
    // It left before what was seen first.
    let fork = forked(400, 150);
    assert_eq!(contradicted(step(&mut follower, &fork)), (200, 400));
    // It left later: nothing shows it yet, until it grows beyond what was seen.
    let late = step(&mut follower, &forked(400, 350));
    assert!(matches!(late, Step::BehindUnproven { .. }), "{late:?}");
    let grown = step(&mut follower, &forked(650, 350));
    assert_eq!(contradicted(grown), (600, 650));
    // Where the newest tree is still served, it shows it at once.
    let shown = observe(&mut follower, &forked(400, 350), &publish(&leaves(600)));
    assert_eq!(contradicted(shown), (400, 600));
}

#[test]
fn what_was_kept_is_resumed() {
    let mut follower = following(200);
    let _grown = step(&mut follower, &leaves(600));
    let kept: Vec<String> = follower.kept().map(|(_, text)| text.to_owned()).collect();
    let mut again = Follower::new(keys());
    for note in &kept {
        assert_eq!(again.resume(note.as_bytes()), Ok(None));
    }
    assert_eq!(again.newest(), follower.newest());
    assert_eq!(
        contradicted(step(&mut again, &forked(600, 599))),
        (600, 600)
    );
    let twin = checkpoint(&forked(200, 3)).to_string();
    let found = again.resume(twin.as_bytes()).unwrap().unwrap();
    assert_eq!(found.prove(&keys()).unwrap().sizes, (200, 200));
}

#[test]
fn tiles_that_do_not_hash_to_the_head_prove_nothing_either_way() {
    let mut follower = following(300);
    let note = checkpoint(&leaves(700));
    for tile in publish(&leaves(700)).tiles.keys() {
        let AnyTile::Hashes(_) = tile else { continue };
        for position in (0..).step_by(97) {
            let mut log = under(&leaves(700), &note);
            let bytes = log.tiles.get_mut(tile).unwrap();
            let Some(byte) = bytes.get_mut(position) else {
                break;
            };
            *byte ^= 1;
            match follower.observe(note.to_string().as_bytes(), &log).unwrap() {
                Step::Unproven { from: 300, .. } | Step::Same { .. } => {}
                Step::Grown { .. } => follower = following(300),
                other => panic!("{tile} byte {position}: {other:?}"),
            }
        }
    }
    // The tiles of another history under the true head.
    let mut follower = following(300);
    let lies = under(&forked(700, 10), &note);
    let step = follower
        .observe(note.to_string().as_bytes(), &lies)
        .unwrap();
    assert!(matches!(step, Step::Unproven { .. }), "{step:?}");
    let none = Follower::new(keys()).observe(note.to_string().as_bytes(), &lies);
    assert!(matches!(none, Ok(Step::Unproven { from: 0, .. })));
}

#[test]
fn entries_have_to_hash_to_both_heads() {
    let mut follower = following(300);
    let _grown = step(&mut follower, &leaves(700));
    let good = publish(&leaves(700));
    for tile in good.tiles.keys() {
        let AnyTile::Entries(bundle) = tile else {
            continue;
        };
        let mut log = good.clone();
        *log.tiles.get_mut(tile).unwrap().last_mut().unwrap() ^= 1;
        let read = follower.entries(300, 700, &log).unwrap();
        // The first bundle was seen before.
        let is_read = bundle.index() > 0;
        assert_eq!(
            matches!(read, EntriesSeen::Broken { .. }),
            is_read,
            "{tile}: {read:?}"
        );
        log.tiles.remove(tile);
        let read = follower.entries(300, 700, &log).unwrap();
        assert_eq!(matches!(read, EntriesSeen::Broken { .. }), is_read);
    }
    // What is signed and yet no entry is counted.
    let mut odd = leaves(300);
    odd.extend([b"no entry".to_vec(), b"{}".to_vec()]);
    let mut follower = following(300);
    let _grown = step(&mut follower, &odd);
    assert_eq!(
        follower.entries(300, 302, &publish(&odd)),
        Ok(EntriesSeen::Whole {
            count: 2,
            malformed: 2
        })
    );
}

#[test]
fn heads_that_say_nothing_are_refused_and_change_nothing() {
    let mut follower = following(300);
    let log = publish(&leaves(300));
    let stranger = Key::new(crate::log::ORIGIN, 9);
    let forged = signed_by(&stranger, crate::log::ORIGIN, &leaves(400)).to_string();
    let elsewhere = Key::new("elsewhere.example/log", 9);
    let foreign = signed_by(&elsewhere, "elsewhere.example/log", &leaves(400)).to_string();
    for note in ["", "x\n\n", &forged, &foreign] {
        let refused = follower.observe(note.as_bytes(), &log);
        assert!(matches!(refused, Err(FollowError::Unsigned(_))), "{note}");
    }
    let both = [keys(), vec![elsewhere.verifier_key().clone()]].concat();
    let mut follower = Follower::new(both);
    let _first = step(&mut follower, &leaves(300));
    let refused = follower.observe(foreign.as_bytes(), &log);
    assert!(matches!(refused, Err(FollowError::Origin { .. })));
    assert_eq!(follower.kept().count(), 1);
}

/// Never ends to serve something.
struct Endless;

impl LogSource for Endless {
    fn checkpoint(&self) -> Result<Vec<u8>, countersign_verify::SourceError> {
        Ok(Vec::new())
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, countersign_verify::SourceError> {
        Ok(match tile {
            AnyTile::Hashes(path) => vec![7; usize::from(path.width()) * 32],
            AnyTile::Entries(path) => vec![0; usize::from(path.width()) * 2],
        })
    }
}

#[test]
fn absurd_sizes_end_at_once() {
    let key = Key::log();
    let root = countersign_merkle::leaf_hash(b"x");
    for size in [1_u64 << 33, 1 << 62, (1 << 63) - 1, 1 << 63] {
        let head = Checkpoint::new(crate::log::ORIGIN, TreeSize::new(size), root).unwrap();
        let note = head.sign(&[&key]).unwrap().to_string();
        let mut follower = following(300);
        for source in [&Endless as &dyn LogSource, &MemoryLog::default()] {
            let step = follower.observe(note.as_bytes(), source).unwrap();
            assert!(matches!(step, Step::Unproven { .. }), "{size}: {step:?}");
        }
        // Even kept from somewhere, it leads to no endless reading.
        assert_eq!(follower.resume(note.as_bytes()), Ok(None));
        let read = follower.entries(300, size, &Endless).unwrap();
        assert!(matches!(read, EntriesSeen::Broken { .. }), "{size}");
    }
    let empty = checkpoint(&[]).to_string();
    let mut follower = Follower::new(keys());
    let first = follower.observe(empty.as_bytes(), &MemoryLog::default());
    assert_eq!(first, Ok(Step::First { size: 0 }));
    assert_eq!(
        step(&mut follower, &leaves(10)),
        Step::Grown { from: 0, to: 10 }
    );
}

#[test]
fn not_more_heads_are_kept_than_allowed() {
    let mut follower = Follower::new(keys());
    let key = Key::log();
    for size in 1..=(MAX_KEPT as u64 + 5) {
        let root = countersign_merkle::leaf_hash(&size.to_be_bytes());
        let head = Checkpoint::new(crate::log::ORIGIN, TreeSize::new(size), root).unwrap();
        let note = head.sign(&[&key]).unwrap().to_string();
        assert_eq!(follower.resume(note.as_bytes()), Ok(None));
    }
    assert_eq!(follower.kept().count(), MAX_KEPT);
    assert_eq!(follower.kept().next().unwrap().0, 6);
}
