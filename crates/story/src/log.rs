//! Publishing leaves as a log in memory, with keys that everybody knows.

use countersign_merkle::tile::{encode_bundle, entry_tiles, hash_tiles};
use countersign_merkle::{
    AnyTile, CompactRange, Hash, NodeSource, TreeSize, leaf_hash, tile_content,
};
use countersign_note::{
    Checkpoint, KeyName, Note, NoteSigner, SignError, Timestamp, TlogPolicy, VerifierKey, cosign,
};
use countersign_verify::{Audit, MemoryLog, Report, Trust};
use ed25519_dalek::{Signer as _, SigningKey};

/// The origin of every log that is made here.
pub const ORIGIN: &str = "countersign.invalid/01HYA000000000000000000000/acme/1";

/// An Ed25519 key, for the tests mostly one whose seed is one byte, repeated.
pub struct Key {
    key: SigningKey,
    verifier: VerifierKey,
}

impl Key {
    /// A key of this name.
    pub fn new(name: &str, seed: u8) -> Self {
        Self::from_seed(name, &[seed; 32])
    }

    /// The key of this name with this seed.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let name = KeyName::parse(name).unwrap();
        let verifier = VerifierKey::ed25519(name, key.verifying_key().as_bytes()).unwrap();
        Self { key, verifier }
    }

    /// The key that signs checkpoints.
    pub fn log() -> Self {
        Self::new(ORIGIN, 2)
    }

    /// The root key of the story.
    pub fn root() -> Self {
        Self::new("countersign.invalid/root", 1)
    }

    /// The plain Ed25519 signature.
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// The raw public key.
    pub fn public(&self) -> [u8; 32] {
        *self.key.verifying_key().as_bytes()
    }
}

impl NoteSigner for Key {
    fn name(&self) -> &str {
        self.verifier.name().as_str()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.sign_bytes(message))
    }
}

/// A witness that cosigns whatever it is given.
pub struct Witness(Key);

impl Witness {
    /// The witness, and the policy that asks for it alone.
    pub fn new() -> (Self, TlogPolicy) {
        let name = KeyName::parse("witness.example/w").unwrap();
        let mut key = Key::new("witness.example/w", 4);
        key.verifier = VerifierKey::cosignature_v1(name, &key.public()).unwrap();
        let policy = format!("witness w {}\nquorum w\n", key.verifier);
        (Self(key), policy.parse().unwrap())
    }

    /// Adds its cosignature.
    pub fn cosign(&self, note: &mut Note) {
        let time = Timestamp::from_seconds(1_776_478_424).unwrap();
        note.add_signature(cosign(note.text(), time, &self.0).unwrap())
            .unwrap();
    }
}

/// Every perfect subtree's root, for cutting tiles.
#[derive(Default)]
struct Nodes(Vec<Vec<Hash>>);

impl NodeSource for Nodes {
    type Error = std::convert::Infallible;

    fn nodes(&self, level: u8, range: std::ops::Range<u64>) -> Result<Vec<Hash>, Self::Error> {
        let nodes = &self.0[usize::from(level)];
        Ok(nodes[range.start as usize..range.end as usize].to_vec())
    }
}

/// The checkpoint over the leaves, signed by the log key.
pub fn checkpoint(leaves: &[Vec<u8>]) -> Note {
    signed_by(&Key::log(), ORIGIN, leaves)
}

/// The checkpoint of a log of this origin over the leaves, signed by this key.
pub fn signed_by(key: &Key, origin: &str, leaves: &[Vec<u8>]) -> Note {
    let mut range = CompactRange::new();
    for leaf in leaves {
        range.append(leaf_hash(leaf), &mut |_, _, _| {}).unwrap();
    }
    let checkpoint = Checkpoint::new(origin, range.size(), range.root()).unwrap();
    checkpoint.sign(&[key]).unwrap()
}

/// All tiles of a log with these leaves, under a checkpoint that may be of other ones.
pub fn under(leaves: &[Vec<u8>], checkpoint: &Note) -> MemoryLog {
    let mut nodes = Nodes::default();
    let mut range = CompactRange::new();
    for leaf in leaves {
        range
            .append(leaf_hash(leaf), &mut |level, _, hash| {
                let level = usize::from(level);
                if level % 8 == 0 {
                    nodes
                        .0
                        .resize_with(nodes.0.len().max(level / 8 + 1), Vec::new);
                    nodes.0[level / 8].push(hash);
                }
            })
            .unwrap();
    }
    let size = TreeSize::new(leaves.len() as u64);
    let mut log = MemoryLog {
        checkpoint: checkpoint.to_string().into_bytes(),
        ..MemoryLog::default()
    };
    for tile in hash_tiles(size) {
        let Ok(content) = tile_content(&nodes, &tile);
        log.tiles.insert(AnyTile::Hashes(tile), content);
    }
    for tile in entry_tiles(size) {
        let range = tile.leaves();
        let bundle = encode_bundle(&leaves[range.start as usize..range.end as usize]).unwrap();
        log.tiles.insert(AnyTile::Entries(tile), bundle);
    }
    log
}

/// A log with its own, rightly signed checkpoint.
pub fn publish(leaves: &[Vec<u8>]) -> MemoryLog {
    under(leaves, &checkpoint(leaves))
}

/// Whoever knows the log key and the root key, and holds nothing.
pub fn trust() -> Trust {
    Trust {
        root_key: Some(Key::root().verifier),
        ..Trust::in_key(Key::log().verifier)
    }
}

/// What the verifier says.
pub fn audit(log: &MemoryLog, trust: Trust) -> Report {
    Audit::new(trust).run(log, &mut |_| {}).unwrap()
}

/// The findings, for messages of failed tests.
pub fn told(report: &Report) -> String {
    let findings = report.findings.iter();
    let lines: Vec<String> = findings
        .map(|f| format!("{:?} {}: {} / {}", f.index, f.check, f.found, f.expected))
        .collect();
    format!("{}\n{}", report.word, lines.join("\n"))
}
