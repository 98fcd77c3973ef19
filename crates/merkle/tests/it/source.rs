//! Reading through tiles, and sources that do not keep their word.

use crate::support::{MemoryTree, leaf};
use countersign_merkle::{
    CompactRange, Hash, LeafIndex, NodeSource, ProofError, TilePath, TileReadError, TileReader,
    TileSource, TreeReader, TreeSize, inclusion_proof, root_at, tile_content,
};
use std::cell::Cell;
use std::ops::Range;

/// Tiles as a server would hand them out, made from nodes; with a way to spoil them.
struct Tiles<'t> {
    tree: &'t MemoryTree,
    spoil: fn(&mut Vec<u8>),
}

#[derive(Debug, PartialEq)]
struct Missing(TilePath);

impl TileSource for Tiles<'_> {
    type Error = Missing;

    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, Missing> {
        if path.level() > 2 {
            return Err(Missing(*path));
        }
        let mut bytes = tile_content(self.tree, path).unwrap();
        assert_eq!(bytes.len(), usize::from(path.width()) * 32);
        (self.spoil)(&mut bytes);
        Ok(bytes)
    }
}

#[test]
fn the_frontier_of_any_size_is_read_from_tiles() {
    let tree = MemoryTree::with_leaves(700);
    let mut range = CompactRange::new();
    for size in 0..=700 {
        let size = TreeSize::new(size);
        let read = TreeReader::new(&tree, size).unwrap().frontier().unwrap();
        assert_eq!(read, range, "{size}");
        range.append(leaf(size.get()), &mut |_, _, _| ()).unwrap();
    }
}

#[test]
fn proofs_from_tiles_are_those_from_nodes() {
    let tree = MemoryTree::with_leaves(1000);
    for size in [1, 2, 255, 256, 257, 511, 512, 513, 999, 1000] {
        let size = TreeSize::new(size);
        let tiles = TileReader::new(
            Tiles {
                tree: &tree,
                spoil: |_| (),
            },
            size,
        );
        assert_eq!(root_at(&tiles, size).unwrap(), tree.root(size.get()));
        for index in (0..size.get()).step_by(37) {
            let index = LeafIndex::new(index);
            let path = inclusion_proof(&tiles, index, size).unwrap();
            assert_eq!(path, inclusion_proof(&tree, index, size).unwrap());
        }
        // Within a tile, any part of it can be read.
        let last = size.get() - 1;
        assert_eq!(
            tiles.nodes(0, last..last + 1),
            Ok(tree.nodes(0, last..last + 1).unwrap())
        );
    }
}

#[test]
fn a_tile_of_the_wrong_length_is_refused() {
    let tree = MemoryTree::with_leaves(300);
    let size = tree.size();
    let spoilers: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.truncate(bytes.len() - 1),
        |bytes| bytes.truncate(bytes.len() - 32),
        |bytes| bytes.push(0),
        Vec::clear,
    ];
    for spoil in spoilers {
        let tiles = TileReader::new(Tiles { tree: &tree, spoil }, size);
        let refused = root_at(&tiles, size);
        assert!(
            matches!(
                refused,
                Err(ProofError::Source(TileReadError::Length { .. }))
            ),
            "{refused:?}"
        );
    }
}

#[test]
fn a_reader_keeps_to_the_tiles_of_its_tree() {
    let tree = MemoryTree::with_leaves(300);
    let tiles = TileReader::new(
        Tiles {
            tree: &tree,
            spoil: |_| (),
        },
        tree.size(),
    );
    for (level, range) in [
        (0, 5..5),
        (0, 299..301),
        (0, 255..257),
        (0, 512..513),
        (1, 1..2),
        (2, 0..1),
        (63, 0..1),
        (255, 0..1),
        (0, u64::MAX - 1..u64::MAX),
    ] {
        let (start, end) = (range.start, range.end);
        let refused = tiles.nodes(level, range);
        assert_eq!(
            refused,
            Err(TileReadError::OutOfRange { level, start, end })
        );
    }
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is tried")]
    let reversed = tiles.nodes(0, 7..3);
    assert!(reversed.is_err());
}

#[test]
fn errors_of_the_source_come_through() {
    let tree = MemoryTree::with_leaves(3);
    let size = TreeSize::new(1 << 40);
    let tiles = TileReader::new(
        Tiles {
            tree: &tree,
            spoil: |_| (),
        },
        size,
    );
    let refused = root_at(&tiles, size);
    assert!(matches!(
        refused,
        Err(ProofError::Source(TileReadError::Source(Missing(_))))
    ));
}

/// Answers with one hash too many or too few.
struct Liar(i8);

impl NodeSource for Liar {
    type Error = ();

    fn nodes(&self, _: u8, range: Range<u64>) -> Result<Vec<Hash>, ()> {
        let count = (range.end - range.start) as usize;
        let count = count.checked_add_signed(self.0.into()).unwrap();
        Ok(vec![Hash::from_bytes([7; 32]); count])
    }
}

#[test]
fn a_source_that_miscounts_is_noticed() {
    for lie in [-1, 1] {
        let refused = root_at(&Liar(lie), TreeSize::new(77));
        assert!(matches!(
            refused,
            Err(ProofError::NodeCount { expected: 77, .. })
        ));
    }
}

/// Counts what is read.
struct Counting<'t>(&'t MemoryTree, Cell<usize>);

impl NodeSource for Counting<'_> {
    type Error = std::convert::Infallible;

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Self::Error> {
        self.1.set(self.1.get() + 1);
        self.0.nodes(level, range)
    }
}

#[test]
fn many_proofs_of_one_tree_read_each_tile_once() {
    let tree = MemoryTree::with_leaves(1000);
    let source = Counting(&tree, Cell::new(0));
    let mut reader = TreeReader::new(&source, tree.size()).unwrap();
    for index in 0..1000 {
        reader.inclusion_proof(LeafIndex::new(index)).unwrap();
    }
    // Four tiles of leaves and the one above them.
    assert_eq!(source.1.get(), 5);
}
