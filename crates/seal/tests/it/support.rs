//! A file with records of the story, and who reads it.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_core::random::Random;
use countersign_core::refs::Sha256;
use countersign_merkle::{Hash, LeafIndex, NodeSource, TreeSize, inclusion_proof, leaf_hash};
use countersign_note::{Note, NoteSigner as _, TlogProof};
use countersign_seal::{
    Draft, ExportFile, Proven, RecipientSecret, RecordName, UnsealFailure, Unsealed, named, unseal,
};
use countersign_story::log::{Key, ORIGIN, checkpoint};
use countersign_story::story::{Story, story};
use countersign_verify::Trust;

/// Randomness that is the same in every run and never the same twice in one.
#[derive(Default)]
pub(crate) struct Counted(AtomicU64);

impl Random for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            let drawn = Sha256::of(&number.to_be_bytes());
            chunk.copy_from_slice(&drawn.as_bytes()[..chunk.len()]);
        }
    }
}

/// The nodes of a log of one tile.
struct Leaves(Vec<Hash>);

impl NodeSource for Leaves {
    type Error = Infallible;

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Infallible> {
        assert_eq!(level, 0, "the story is one tile");
        Ok(self.0[range.start as usize..range.end as usize].to_vec())
    }
}

/// The story as a published log.
pub(crate) struct World {
    pub(crate) story: Story,
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) head: Note,
    nodes: Leaves,
}

impl World {
    pub(crate) fn new() -> Self {
        let story = story();
        let leaves = story.leaves();
        Self {
            head: checkpoint(&leaves),
            nodes: Leaves(leaves.iter().map(|leaf| leaf_hash(leaf)).collect()),
            story,
            leaves,
        }
    }

    /// The entry at this place with its proof under a checkpoint of the whole log.
    pub(crate) fn proven(&self, index: usize, head: &Note) -> Proven {
        let size = TreeSize::new(self.leaves.len() as u64);
        let index_in_log = LeafIndex::new(index as u64);
        let Ok(path) =
            inclusion_proof(&self.nodes, index_in_log, size).map_err(|error| panic!("{error}"));
        let proof = TlogProof::new(index_in_log, path, head.clone()).unwrap();
        Proven {
            leaf: String::from_utf8(self.leaves[index].clone()).unwrap(),
            proof: proof.to_string(),
        }
    }

    /// Every document that an entry names, and these entries.
    pub(crate) fn draft(&self, head: &Note) -> Draft {
        let mut draft = Draft {
            origin: ORIGIN.to_owned(),
            made_at: "2026-04-20T08:00:00.000Z".to_owned(),
            purpose: "case 4711 – \"quarter\"\t\u{7f}é".to_owned(),
            ..Draft::default()
        };
        let mut seen = std::collections::BTreeSet::new();
        for (index, leaf) in self.leaves.iter().enumerate() {
            let mut names = false;
            for (reference, kind) in named(leaf) {
                let Some(document) = self.story.documents.get(&reference) else {
                    continue;
                };
                names = true;
                if seen.insert(reference) {
                    let kind = kind.to_owned();
                    let name = RecordName { kind, reference };
                    draft.documents.push((name, document.clone()));
                }
            }
            if names {
                draft.entries.push(self.proven(index, head));
            }
            if leaf
                .windows(20)
                .any(|part| part == b"\"kind\":\"vault-access")
            {
                draft.openings.push(self.proven(index, head));
            }
        }
        assert!(draft.documents.len() > 5 && !draft.openings.is_empty());
        draft
    }

    /// A file for this recipient.
    pub(crate) fn file(&self, recipient: &RecipientSecret) -> ExportFile {
        let draft = self.draft(&self.head);
        draft
            .seal(&recipient.public(), &Counted::default())
            .unwrap()
    }
}

pub(crate) fn secret(byte: u8) -> RecipientSecret {
    RecipientSecret::from_bytes(&[byte; 32].into()).unwrap()
}

pub(crate) fn in_key() -> Trust {
    Trust::in_key(Key::log().verifier_key().clone())
}

/// What the recipient says of a file that came as bytes.
pub(crate) fn read(file: &ExportFile, trust: &Trust) -> Result<Unsealed, UnsealFailure> {
    let again = ExportFile::parse(&file.to_bytes()).unwrap();
    assert_eq!(&again, file);
    unseal(&again, &secret(1), trust)
}
