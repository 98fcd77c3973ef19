//! The story as a server would answer of it, and folders that are made of it.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::Document as _;
use countersign_core::entry::{AnyEntry, Body, Entry};
use countersign_core::ids::EntryId;
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_evidence::{Files, Material, Pool, Question, Standing, Want, build, choose, wants};
use countersign_merkle::{
    AnyTile, LeafIndex, TilePath, TileReader, TileSource, TreeReader, TreeSize,
};
use countersign_story::log;
use countersign_story::story::{Story, bundle};
use countersign_verify::{LogSource as _, MemoryLog, SourceError, Trust};
use serde_json::Value;

struct Tiles<'a>(&'a MemoryLog);

impl TileSource for Tiles<'_> {
    type Error = SourceError;

    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, SourceError> {
        self.0.tile(&AnyTile::Hashes(*path))
    }
}

/// Whether a look-up for `want` finds the entry, as the index of a server does.
fn finds(want: &Want, entry: &Entry, leaf: &Value) -> bool {
    let named = |member: &str, value: &str| leaf[member].as_str() == Some(value);
    let at = entry.timestamp;
    match want {
        Want::Entry(id) => entry.entry_id == *id,
        Want::Turn(intent) => {
            entry.body.kind() == "intent" && named("intent_ref", &intent.to_string())
        }
        Want::Intent(intent) => {
            let intent = intent.to_string();
            named("intent_ref", &intent) || named("claimed_intent_ref", &intent)
        }
        Want::Session(session, from, to) => {
            named("session", &session.to_string()) && *from <= at && at < *to
        }
        Want::Kind(kind, since) => {
            entry.body.kind() == *kind && since.is_none_or(|since| since <= at)
        }
        Want::Between(from, to) => *from <= at && at < *to,
    }
}

/// What is looked up for a question.
pub(crate) fn gathered(story: &Story, question: &Question) -> Pool {
    let leaves = story.leaves();
    let mut pool = Pool::default();
    let mut done = BTreeSet::new();
    let mut asked: BTreeSet<Want> = match question {
        Question::Entry(id) => [Want::Entry(*id)].into(),
        _ => BTreeSet::new(),
    };
    loop {
        asked.extend(wants(question, &pool));
        asked.retain(|want| !done.contains(want));
        if asked.is_empty() {
            return pool;
        }
        for want in std::mem::take(&mut asked) {
            for (index, (_, entry)) in story.entries.iter().enumerate() {
                let leaf: Value = serde_json::from_slice(&leaves[index]).unwrap();
                if finds(&want, entry, &leaf) {
                    pool.add(index as u64, &leaves[index]).unwrap();
                }
            }
            done.insert(want);
        }
    }
}

/// The names of the story's entries that are chosen.
pub(crate) fn chosen_names(story: &Story, question: &Question) -> Vec<&'static str> {
    let pool = gathered(story, question);
    let chosen = choose(question, &pool, &BTreeSet::new());
    let indices = chosen.indices();
    indices
        .map(|index| story.entries[index as usize].0)
        .collect()
}

/// What a folder is made of, with the records that `open` lets through.
pub(crate) fn folder_with(
    story: &Story,
    question: &Question,
    trust: Trust,
    open: impl Fn(&Sha256) -> bool,
) -> (Files, Standing) {
    let bundles = ["first", "second"].map(|name| bundle(name).canonical().unwrap().into_bytes());
    folder_under(story, question, trust, open, &bundles)
}

/// The same with these bundles in the log.
pub(crate) fn folder_under(
    story: &Story,
    question: &Question,
    trust: Trust,
    open: impl Fn(&Sha256) -> bool,
    bundles: &[Vec<u8>],
) -> (Files, Standing) {
    let leaves = story.leaves();
    let log = log::publish(&leaves);
    let pool = gathered(story, question);
    let documents: BTreeMap<Sha256, Vec<u8>> = story
        .documents
        .iter()
        .filter(|(reference, _)| open(reference))
        .map(|(reference, bytes)| (*reference, bytes.clone()))
        .collect();
    let opened = documents.keys().copied().collect();
    let chosen = choose(question, &pool, &opened);
    let size = TreeSize::new(leaves.len() as u64);
    let reader = TileReader::new(Tiles(&log), size);
    let mut tree = TreeReader::new(&reader, size).unwrap();
    let paths = chosen.indices().map(|index| {
        let path = tree.inclusion_proof(LeafIndex::new(index)).unwrap();
        (index, path)
    });
    let bundles = bundles
        .iter()
        .map(|bytes| (PolicyRef::from(Sha256::of(bytes)), bytes.clone()));
    let named = chosen.bundles();
    let material = Material {
        paths: paths.collect(),
        checkpoint: log.checkpoint.clone(),
        bundles: bundles
            .filter(|(policy, _)| named.contains(policy))
            .collect(),
        purpose: (!documents.is_empty()).then(|| "incident 17".to_owned()),
        documents,
        trust,
        ..Material::default()
    };
    build(question, &chosen, &material).unwrap()
}

/// A folder with everything sealed, made by somebody who holds only keys.
pub(crate) fn folder(story: &Story, question: &Question) -> (Files, Standing) {
    folder_with(story, question, log::trust(), |_| false)
}

/// A file of a folder, as text.
pub(crate) fn text(files: &Files, name: &str) -> String {
    String::from_utf8(files[name].clone()).unwrap()
}

/// Puts an entry at the end of the story.
pub(crate) fn push(story: &mut Story, name: &'static str, body: impl Into<Body>) -> EntryId {
    let n = story.entries.len();
    let last = story.entries.last().unwrap().1.timestamp;
    let entry = Entry {
        entry_id: countersign_story::story::entry_id(n),
        timestamp: last.plus_millis(10),
        body: body.into(),
    };
    let id = entry.entry_id;
    assert!(matches!(
        AnyEntry::from_leaf(entry.to_leaf().unwrap().as_bytes()),
        Ok(AnyEntry::Known(_))
    ));
    story.entries.push((name, entry));
    id
}
