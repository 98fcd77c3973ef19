//! Publishing into a directory.

use crate::support::{Fixture, key};
use countersign_ledger::publish::{PublishError, publish, publish_at};
use countersign_ledger::{CommitError, ReadSet};
use countersign_merkle::tile::{BundleEntries, entry_tiles, hash_tiles};
use countersign_merkle::{
    CompactRange, TilePath, TileReader, TileSource, TreeSize, leaf_hash, root_at,
};
use countersign_note::{Note, SignedCheckpoint};
use std::fs;
use std::io;
use std::path::Path;

struct Dir<'d>(&'d Path);

impl TileSource for Dir<'_> {
    type Error = io::Error;

    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, io::Error> {
        fs::read(self.0.join(path.to_string()))
    }
}

/// What an auditor does who has the directory and the key only.
fn audit(dir: &Path, size: u64) {
    let note = Note::parse(&fs::read(dir.join("checkpoint")).unwrap()).unwrap();
    let signed = SignedCheckpoint::open(&note, &[key()]).unwrap();
    let checkpoint = signed.checkpoint();
    assert_eq!(checkpoint.size(), TreeSize::new(size));
    let mut range = CompactRange::new();
    for tile in entry_tiles(checkpoint.size()) {
        let bundle = fs::read(dir.join(tile.to_string())).unwrap();
        for entry in BundleEntries::new(&bundle) {
            range
                .append(leaf_hash(entry.unwrap()), &mut |_, _, _| ())
                .unwrap();
        }
    }
    assert_eq!(
        (range.size(), range.root()),
        (checkpoint.size(), checkpoint.root())
    );
    let tiles = TileReader::new(Dir(dir), checkpoint.size());
    assert_eq!(
        root_at(&tiles, checkpoint.size()).unwrap(),
        checkpoint.root()
    );
}

#[test]
fn a_publication_is_the_log_and_grows_with_it() {
    let fixture = Fixture::new();
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().join("deep").join("export");
    for size in [1, 5, 5, 256, 257, 600] {
        while fixture.ledger.size().get() < size {
            fixture.append(0);
        }
        let mut steps = Vec::new();
        let published = publish(&fixture.ledger, &dir, &mut |step| steps.push(step)).unwrap();
        assert_eq!(published.size, TreeSize::new(size));
        assert_eq!(published.checkpoint, *fixture.ledger.checkpoint());
        let last = steps.last().unwrap();
        assert_eq!(
            (last.done, last.total),
            (steps.len() as u64 - 1, last.total)
        );
        assert_eq!(last.done, last.total);
        audit(&dir, size);
    }
    let again = publish(&fixture.ledger, &dir, &mut |_| ()).unwrap();
    assert_eq!(again.written, 0);
    let expected = hash_tiles(TreeSize::new(600)).count() + entry_tiles(TreeSize::new(600)).count();
    assert_eq!(expected, 3 + 1 + 3);
}

#[test]
fn a_publication_of_another_log_is_not_overwritten() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    for n in 0..300 {
        fixture.append(n);
        other.append(n);
    }
    let out = tempfile::tempdir().unwrap();
    let dir = out.path();
    publish(&other.ledger, dir, &mut |_| ()).unwrap();
    let before = fs::read(dir.join("checkpoint")).unwrap();
    let refused = publish(&fixture.ledger, dir, &mut |_| ());
    assert!(
        matches!(refused, Err(PublishError::OtherLog { .. })),
        "{refused:?}"
    );
    // A log that has lost its newest entries.
    let shorter = Fixture::new();
    let refused = publish(&shorter.ledger, dir, &mut |_| ());
    assert!(
        matches!(refused, Err(PublishError::Contradiction { .. })),
        "{refused:?}"
    );
    assert_eq!(fs::read(dir.join("checkpoint")).unwrap(), before);
    fs::write(dir.join("checkpoint"), "rubbish").unwrap();
    let refused = publish(&other.ledger, dir, &mut |_| ());
    assert!(
        matches!(refused, Err(PublishError::OtherLog { .. })),
        "{refused:?}"
    );
    fs::write(dir.join("checkpoint"), before).unwrap();
    fs::write(dir.join("tile/0/000"), vec![0; 8192]).unwrap();
    let refused = publish(&other.ledger, dir, &mut |_| ());
    assert!(
        matches!(refused, Err(PublishError::Contradiction { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_published_size_can_be_earlier_and_never_goes_back() {
    let fixture = Fixture::new();
    let out = tempfile::tempdir().unwrap();
    let dir = out.path();
    let mut kept: Vec<String> = Vec::new();
    for size in [5, 256, 300, 520] {
        while fixture.ledger.size().get() < size {
            fixture.append(0);
        }
        kept.push(fixture.ledger.checkpoint().to_string());
    }
    // The log is ahead of what is published, each time.
    for (position, size) in [5, 256, 300].into_iter().enumerate() {
        let note = &kept[position];
        let published = publish_at(&fixture.ledger, dir, note, position > 0, &mut |_| ()).unwrap();
        assert_eq!((published.size.get(), &published.checkpoint), (size, note));
        audit(dir, size);
    }
    // Full tiles of an earlier publication are not looked at; the others are.
    let first = dir.join("tile/0/000");
    let full = fs::read(&first).unwrap();
    fs::write(&first, [0; 8192]).unwrap();
    let trusting = publish_at(&fixture.ledger, dir, &kept[3], true, &mut |_| ());
    assert_eq!(trusting.unwrap().size.get(), 520);
    let looking = publish_at(&fixture.ledger, dir, &kept[3], false, &mut |_| ());
    assert!(
        matches!(looking, Err(PublishError::Contradiction { .. })),
        "{looking:?}"
    );
    fs::write(&first, full).unwrap();
    let back = publish_at(&fixture.ledger, dir, &kept[2], false, &mut |_| ());
    assert!(
        matches!(back, Err(PublishError::Contradiction { .. })),
        "{back:?}"
    );
    audit(dir, 520);
    let other = Fixture::new().ledger.checkpoint().to_string();
    let foreign = publish_at(&fixture.ledger, dir, &other, false, &mut |_| ());
    assert!(matches!(foreign, Err(PublishError::Read(_))), "{foreign:?}");
}

#[test]
fn a_halted_ledger_answers_and_commits_nothing() {
    let fixture = Fixture::new();
    fixture.append(1);
    let size = fixture.ledger.size();
    fixture.ledger.halt("a witness says so");
    fixture.ledger.halt("and another");
    let refused = fixture.ledger.commit(ReadSet::none(), |_| Ok(()));
    assert!(matches!(refused, Err(CommitError::Halted { reason }) if reason.contains("a witness")));
    let health = fixture.ledger.health();
    assert_eq!(
        (health.halted.as_deref(), health.size),
        (Some("a witness says so"), size)
    );
}
