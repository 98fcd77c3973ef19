//! Logs of more than one tile.

use countersign_core::entry::{Body, Entry};
use countersign_core::time::Timestamp;
use countersign_merkle::AnyTile;
use countersign_verify::{Check, Word};

use crate::log::{audit, checkpoint, publish, told, trust};
use crate::story::{entry_id, story};

pub(crate) fn leaves(n: usize) -> Vec<Vec<u8>> {
    let mut story = story();
    let position = story.position("throttled");
    let last = story.entries[position].1.clone();
    let Body::Throttled(body) = &last.body else {
        panic!("the last entry of the story");
    };
    for i in story.entries.len()..n {
        let entry = Entry {
            entry_id: entry_id(i),
            timestamp: Timestamp::from_millis(last.timestamp.as_millis() + i as i64),
            body: body.clone().into(),
        };
        story.entries.push(("more", entry));
    }
    story.entries.truncate(n);
    story.leaves()
}

#[test]
fn logs_of_every_shape_are_read_whole() {
    let all = leaves(700);
    for n in [1, 2, 8, 255, 256, 257, 511, 512, 513, 700] {
        let report = audit(&publish(&all[..n]), trust().holding(checkpoint(&all[..n])));
        // A log that is cut in the middle of its making lacks what was promised.
        let is_whole = n == 1 || n > 60;
        let expected = if is_whole { Word::Trusted } else { report.word };
        assert_eq!(report.word, expected, "{n}: {}", told(&report));
        assert!(
            !report.findings.iter().any(|f| f.check == Check::Root),
            "{n}"
        );
    }
}

#[test]
fn every_tile_is_needed_and_every_hash_in_it_is_compared() {
    let all = leaves(600);
    let log = publish(&all);
    for tile in log.tiles.keys() {
        let mut without = log.clone();
        without.tiles.remove(tile);
        let report = audit(&without, trust().holding(checkpoint(&all)));
        assert_eq!(report.word, Word::Failed, "without {tile}");
        assert_eq!(
            report.findings[0].check,
            Check::TileMissing,
            "without {tile}"
        );

        let mut longer = log.clone();
        longer.tiles.get_mut(tile).unwrap().push(0);
        let report = audit(&longer, trust());
        assert_eq!(
            report.findings[0].check,
            Check::TileForm,
            "{tile}: {}",
            told(&report)
        );
    }
    let hashes = log
        .tiles
        .iter()
        .filter(|(t, _)| matches!(t, AnyTile::Hashes(_)));
    for (tile, bytes) in hashes {
        for position in (0..bytes.len()).step_by(331) {
            let mut changed = log.clone();
            changed.tiles.get_mut(tile).unwrap()[position] ^= 1;
            let report = audit(&changed, trust().holding(checkpoint(&all)));
            assert_eq!(report.word, Word::Failed, "{tile} byte {position}");
            assert_eq!(
                report.findings[0].check,
                Check::HashTile,
                "{tile} byte {position}"
            );
        }
    }
}

#[test]
fn progress_is_told_of_every_bundle() {
    let all = leaves(300);
    let mut seen = Vec::new();
    let audit = countersign_verify::Audit::new(trust());
    audit
        .run(&publish(&all), &mut |p| seen.push((p.done, p.total)))
        .unwrap();
    assert_eq!(seen, [(256, 300), (300, 300)]);
}
