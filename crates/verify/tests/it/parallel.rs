//! Reading on many threads, and only the tree.

use std::sync::{Condvar, Mutex};

use countersign_merkle::tile::{EntriesTile, TILE_WIDTH};
use countersign_merkle::{AnyTile, TilePath};
use countersign_verify::{
    Audit, Check, Depth, LogSource, MemoryLog, NotShownCode, Report, SourceError, VerifyError, Word,
};

use crate::large::leaves;
use crate::log::{checkpoint, publish, told, trust, under};

fn with_threads(threads: usize, depth: Depth, log: &dyn LogSource) -> Result<Report, VerifyError> {
    let audit = Audit {
        threads,
        depth,
        ..Audit::new(trust().holding(checkpoint(&leaves(300))))
    };
    audit.run(log, &mut |_| {})
}

/// The log with one thing wrong with it, in as many ways as there are tiles.
fn damaged(log: &MemoryLog) -> Vec<MemoryLog> {
    let mut all = vec![log.clone()];
    for tile in log.tiles.keys() {
        let change = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut other = log.clone();
            change(other.tiles.get_mut(tile).unwrap());
            other
        };
        all.push(change(&|bytes| *bytes.last_mut().unwrap() ^= 1));
        all.push(change(&|bytes| bytes[40] ^= 0x80));
        all.push(change(&|bytes| bytes.truncate(33)));
        let mut without = log.clone();
        without.tiles.remove(tile);
        all.push(without);
    }
    all
}

#[test]
fn the_report_is_the_same_with_any_number_of_threads() {
    let log = publish(&leaves(1300));
    for (case, log) in damaged(&log).iter().enumerate() {
        for depth in [Depth::Entries, Depth::Tree] {
            // The long one is read with all of it; the damaged ones differ in one tile each.
            let one = with_threads(1, depth, log).unwrap();
            for threads in [2, 5] {
                let many = with_threads(threads, depth, log).unwrap();
                assert_eq!(one, many, "case {case} with {threads} threads");
            }
            let expected = if case == 0 {
                Word::Unanchored
            } else {
                Word::Failed
            };
            // A leaf that is no entry is not for the tree to find, but then the tree is another.
            assert_eq!(one.word, expected, "case {case}: {}", told(&one));
        }
    }
}

/// Gives the first bundle only after another one was asked for.
struct LastFirst {
    log: MemoryLog,
    asked: Mutex<bool>,
    moved: Condvar,
}

impl LogSource for LastFirst {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.log.checkpoint()
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        if let AnyTile::Entries(bundle) = tile {
            let mut asked = self.asked.lock().unwrap();
            *asked |= bundle.index() > 0;
            self.moved.notify_all();
            while !*asked {
                asked = self.moved.wait(asked).unwrap();
            }
        }
        self.log.tile(tile)
    }
}

#[test]
fn entries_are_looked_at_in_order_whichever_bundle_comes_first() {
    let source = LastFirst {
        log: publish(&leaves(700)),
        asked: Mutex::new(false),
        moved: Condvar::new(),
    };
    let report = with_threads(2, Depth::Entries, &source).unwrap();
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
}

/// Cannot read one tile.
struct Unreadable(MemoryLog, AnyTile);

impl LogSource for Unreadable {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.0.checkpoint()
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        match *tile == self.1 {
            true => Err(SourceError::Io("the disk is tired".to_owned())),
            false => self.0.tile(tile),
        }
    }
}

#[test]
fn what_cannot_be_read_is_no_answer() {
    let log = publish(&leaves(700));
    for tile in log.tiles.keys() {
        for threads in [1, 3] {
            let source = Unreadable(log.clone(), *tile);
            let error = with_threads(threads, Depth::Entries, &source).unwrap_err();
            let expected = VerifyError::Source(format!("`{tile}`: the disk is tired"));
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn the_tree_alone_is_said_to_be_alone() {
    let mut all = leaves(600);
    let report = with_threads(2, Depth::Tree, &publish(&all)).unwrap();
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    assert_eq!(report.depth, Depth::Tree);
    assert_eq!(report.ranges.len(), 2, "{:?}", report.ranges);
    let codes: Vec<NotShownCode> = report.not_shown.iter().map(|n| n.code).collect();
    assert!(codes.contains(&NotShownCode::EntriesNotRead), "{codes:?}");
    assert!(report.counts.entries.is_empty());

    // Signed as it is, a leaf that is no entry at all passes, as was said.
    all[590] = b"anything".to_vec();
    let report = with_threads(2, Depth::Tree, &publish(&all)).unwrap();
    assert_eq!(report.word, Word::Unanchored, "{}", told(&report));
    let report = with_threads(2, Depth::Entries, &publish(&all)).unwrap();
    assert_eq!(report.word, Word::Failed);
    assert_eq!(report.findings[0].check, Check::Leaf);
    assert!(
        !report
            .not_shown
            .iter()
            .any(|n| n.code == NotShownCode::EntriesNotRead)
    );

    // Changed after it was signed, it does not.
    let signed = checkpoint(&leaves(600));
    let report = with_threads(2, Depth::Tree, &under(&all, &signed)).unwrap();
    assert_eq!(report.word, Word::Failed);
    assert_eq!(report.findings[0].check, Check::Root);
    // Nor below a checkpoint that is held.
    let mut below = leaves(600);
    below[10] = b"anything".to_vec();
    let report = with_threads(2, Depth::Tree, &publish(&below)).unwrap();
    assert_eq!(
        (report.word, report.exit_code()),
        (Word::Failed, 3),
        "{}",
        told(&report)
    );
}

#[test]
fn a_partial_tile_that_has_become_a_full_one_is_read_from_that() {
    let all = leaves(600);
    let (long, mut log) = (publish(&all), publish(&all[..300]));
    log.tiles.retain(|tile, _| match tile {
        AnyTile::Hashes(path) => path.is_full() || path.level() > 0,
        AnyTile::Entries(path) => path.is_full(),
    });
    let full: [AnyTile; 2] = [
        EntriesTile::new(1, TILE_WIDTH).unwrap().into(),
        TilePath::new(0, 1, TILE_WIDTH).unwrap().into(),
    ];
    for tile in full {
        log.tiles.insert(tile, long.tiles[&tile].clone());
    }
    let report = with_threads(2, Depth::Entries, &log).unwrap();
    assert_eq!(report.word, Word::Trusted, "{}", told(&report));
    // What stands after the width does not count, what stands before does.
    for (tile, at) in [(full[1], 32 * 43), (full[0], 3)] {
        let mut changed = log.clone();
        changed.tiles.get_mut(&tile).unwrap()[at] ^= 1;
        let report = with_threads(2, Depth::Entries, &changed).unwrap();
        assert_eq!(report.word, Word::Failed, "{tile}");
    }
}
