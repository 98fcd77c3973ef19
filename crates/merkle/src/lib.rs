//! RFC 6962 Merkle trees: hashing, the append-only frontier, tiles, proofs and their verification.
//!
//! This crate knows hashes, sizes and positions, and nothing else. It does no I/O: nodes are read
//! through [`NodeSource`], which a store, a directory of tiles or a test implements.
//! It is *not* a log: ordering and durability are `countersign-ledger`'s; what a checkpoint says and
//! who signed it is `countersign-note`'s.
//!
//! The tree is that of RFC 6962 section 2.1 (the same as RFC 9162 section 2.1) with SHA-256; the
//! tile layout is C2SP tlog-tiles with tiles of height 8.

pub mod compact;
pub mod hash;
pub mod position;
pub mod reader;
pub mod source;
pub mod tile;
pub mod verify;

pub use compact::{CompactRange, CompactRangeError, perfect_root};
pub use hash::{EMPTY_ROOT, HASH_LEN, Hash, HashLengthError, leaf_hash, node_hash};
pub use position::{LeafIndex, MAX_TREE_SIZE, TreeSize, TreeTooLarge};
pub use reader::{ProofError, TreeReader, consistency_proof, inclusion_proof, root_at};
pub use source::{NodeSource, TileReadError, TileReader, TileSource, tile_content};
pub use tile::{AnyTile, EntriesTile, TilePath};
pub use verify::{MAX_PATH_LEN, VerifyError, verify_consistency, verify_inclusion};
