//! Holding a database against its own leaves: what is there twice must say the same.
//!
//! The leaves and the signed checkpoint are what a log is; leaf hashes, nodes and the index derive
//! from them and can be written again. A leaf, a head, a checkpoint or a row of state never is:
//! what is wrong with those is only said. What rows of state mean is known to
//! `countersign-service`, which is told of every entry.

mod report;
mod tiles;
mod tree;

pub use report::{FINDINGS, Findings, Flaw, Found, Part};
pub use tiles::check_tiles;

use crate::head_file::{HeadFile, HeadFileError};
use crate::index::{Term, row_of};
use crate::state::{StateKey, Versioned};
use crate::store::StoreReadError;
use countersign_core::entry::AnyEntry;
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_merkle::{HASH_LEN, Hash, LeafIndex, TreeSize};
use countersign_note::{Note, SignedCheckpoint, VerifierKey};
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tree::Trees;

/// Leaves that are read at once; whole tiles.
const CHUNK: u64 = 2_048;

/// A database as it lies on the disk, sound or not.
pub trait Inspect {
    /// What the database itself finds wrong, and what in it this version did not make.
    fn flaws(&self) -> Result<Vec<Flaw>, StoreReadError>;

    /// The row of the head; `None` if there is none.
    fn head(&self) -> Result<Option<StoredHead>, StoreReadError>;

    /// The leaves at these indexes that are there, in order.
    fn leaves(&self, range: Range<u64>) -> Result<Vec<StoredLeaf>, StoreReadError>;

    /// The hashes at a tile level that are there, in order, each with its index; level 0 are leaf
    /// hashes.
    fn hashes(&self, level: u8, range: Range<u64>) -> Result<Vec<(u64, Vec<u8>)>, StoreReadError>;

    /// What is there that a log of this size has no place for.
    fn beyond(&self, size: TreeSize) -> Result<Vec<Flaw>, StoreReadError>;

    /// Those of an entry's terms that it is not found by.
    fn lacking(
        &self,
        index: LeafIndex,
        terms: &BTreeSet<Term>,
    ) -> Result<Vec<Term>, StoreReadError>;

    /// How many terms entries are found by in all.
    fn term_count(&self) -> Result<u64, StoreReadError>;

    /// What entries are found by that they do not have, as far as [`FINDINGS`] go; `terms_of` tells
    /// what they have.
    fn stray_terms(
        &self,
        terms_of: &mut dyn FnMut(LeafIndex) -> Result<BTreeSet<Term>, StoreReadError>,
    ) -> Result<Vec<Flaw>, StoreReadError>;

    /// Where the index says that the entry with this id stands.
    fn index_of(&self, entry_id: EntryId) -> Result<Option<LeafIndex>, StoreReadError>;

    /// The value of a key, deleted ones included.
    fn state(&self, key: &StateKey) -> Result<Option<Versioned>, StoreReadError>;

    /// The keys after `after`, deleted ones included, in order.
    fn states(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, StoreReadError>;

    /// Whether there is a sealed record of this ref.
    fn has_sealed(&self, reference: &Sha256) -> Result<bool, StoreReadError>;

    /// Begins to change: nothing stays unless it is ended with `keep`.
    fn begin_repair(&self) -> Result<(), StoreReadError>;

    /// Puts right what derives.
    fn repair(&self, fix: Fix) -> Result<(), StoreReadError>;

    /// Ends what was begun.
    fn end_repair(&self, keep: bool) -> Result<(), StoreReadError>;
}

/// The row of the head as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHead {
    /// The origin.
    pub origin: String,
    /// The size.
    pub size: u64,
    /// The frontier's hashes, one after the other.
    pub hashes: Vec<u8>,
    /// The root.
    pub root: Vec<u8>,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The time, in milliseconds.
    pub time: i64,
}

/// A leaf with the columns that derive from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLeaf {
    /// Where it stands.
    pub index: u64,
    /// The id that it is found by.
    pub entry_id: String,
    /// The time that it is found by, in milliseconds, if there is one.
    pub time: Option<i64>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Something to put right.
#[derive(Debug, Clone, Copy)]
pub enum Fix {
    /// A node at a tile level from 1 up.
    Node(u8, u64, Hash),
    /// Leaf hashes, and ids, times and terms that entries are found by, all anew from the leaves of
    /// a log of this size.
    Index(TreeSize),
    /// Nodes that a log of this size has no place for.
    Beyond(TreeSize),
    /// Indexes, triggers and views: those of this version, and no others.
    Schema,
}

/// What is checked.
pub struct Subject<'a> {
    /// The database.
    pub store: &'a dyn Inspect,
    /// The keys that may have signed the checkpoint.
    pub log_keys: &'a [VerifierKey],
    /// The head file.
    pub head_file: &'a Path,
    /// Whether what derives is to be put right.
    pub repair: bool,
}

/// How far the check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries read.
    pub done: u64,
    /// Entries in all.
    pub total: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsckError {
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreReadError),
    /// The head file could not be read.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// A file could not be read or written.
    #[error("`{}`: {error}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The database holds no log.
    #[error("the database holds no log yet")]
    NotInitialised,
    /// There is no checkpoint that says how large the log is.
    #[error("`{}` is no checkpoint: {reason}", .path.display())]
    NoCheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Is told of every entry, in order, as far as its leaf can be read.
pub type Observe<'a> =
    dyn FnMut(LeafIndex, &AnyEntry, &mut Findings) -> Result<(), StoreReadError> + 'a;

/// Checks the database, and puts right what derives if it is asked to.
///
/// Nothing is put right unless the leaves give the root that was signed: what derives from other
/// leaves would only hide that they are others.
pub fn check(
    subject: &Subject<'_>,
    observe: &mut Observe<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Findings, FsckError> {
    let mut findings = Findings::default();
    for flaw in subject.store.flaws()? {
        findings.add(flaw);
    }
    // Writing into a damaged file can only make it worse.
    let is_damaged = findings.counted(Part::Database) > 0;
    let subject = &Subject {
        repair: subject.repair && !is_damaged,
        ..*subject
    };
    match check_rows(subject, observe, progress, &mut findings) {
        Err(FsckError::Store(error)) if is_damaged => {
            findings.add(Flaw::new(Part::Database, error, "rows that can be read"));
        }
        checked => checked?,
    }
    Ok(findings)
}

fn check_rows(
    subject: &Subject<'_>,
    observe: &mut Observe<'_>,
    progress: &mut dyn FnMut(Progress),
    findings: &mut Findings,
) -> Result<(), FsckError> {
    let store = subject.store;
    let recorded = match HeadFile::open(subject.head_file) {
        Ok(file) => file,
        Err(error @ HeadFileError::Damaged { .. }) => {
            findings.add(Flaw::new(Part::HeadFile, error, "a slot that can be read"));
            None
        }
        Err(error) => return Err(error.into()),
    };
    let Some(head) = store.head()? else {
        return without_head(store, recorded.as_ref(), findings);
    };
    if !subject.repair {
        walk(
            subject,
            &head,
            recorded.as_ref(),
            observe,
            progress,
            findings,
        )?;
        return Ok(());
    }
    store.begin_repair()?;
    // Before anything is written: a trigger would write more, and where was looked already.
    let walked = store
        .repair(Fix::Schema)
        .map_err(Into::into)
        .and_then(|()| {
            walk(
                subject,
                &head,
                recorded.as_ref(),
                observe,
                progress,
                findings,
            )
        });
    let is_sound = matches!(walked, Ok(true));
    store.end_repair(is_sound)?;
    findings.set_repaired(is_sound);
    walked.map(drop)
}

fn without_head(
    store: &dyn Inspect,
    recorded: Option<&HeadFile>,
    findings: &mut Findings,
) -> Result<(), FsckError> {
    let released = recorded.map_or(0, |file| file.newest().checkpoint.size().get());
    if released == 0 && store.leaves(0..1)?.is_empty() {
        return Err(FsckError::NotInitialised);
    }
    let found = "the database has no head";
    let expected = format!("a head of at least {released} entries");
    findings.add(Flaw::new(Part::Head, found, expected));
    Ok(())
}

/// Goes through the whole log; returns whether the leaves are those that were signed.
fn walk(
    subject: &Subject<'_>,
    head: &StoredHead,
    recorded: Option<&HeadFile>,
    observe: &mut Observe<'_>,
    progress: &mut dyn FnMut(Progress),
    findings: &mut Findings,
) -> Result<bool, FsckError> {
    let store = subject.store;
    let recorded_size = recorded.map_or(0, |file| file.newest().checkpoint.size().get());
    let mut walk = Walk {
        store,
        repair: subject.repair,
        trees: Trees::new(recorded_size),
        terms: 0,
        last: None,
    };
    let total = head.size;
    let mut from = 0;
    while from < total {
        let until = from.saturating_add(CHUNK).min(total);
        if !walk.chunk(from..until, observe, findings)? {
            // A head may speak of any number of entries.
            let found = format!("no entry from {from} on");
            let expected = format!("{total} entries, as the head says");
            findings.add(Flaw::new(Part::Leaf, found, expected));
            walk.trees.miss(total.saturating_sub(from));
            break;
        }
        from = until;
        progress(Progress { done: from, total });
    }
    let signed = signed_root(subject, head, findings);
    let is_sound = walk.trees.settle(head.size, signed, findings);
    check_head(head, &walk, findings);
    check_head_file(subject, head, recorded, &walk, findings);
    walk.finish(TreeSize::new(total), is_sound, findings)?;
    Ok(is_sound)
}

/// What is known while the leaves go by.
struct Walk<'a> {
    store: &'a dyn Inspect,
    repair: bool,
    trees: Trees,
    terms: u64,
    last: Option<i64>,
}

impl Walk<'_> {
    /// False if there is nothing at all.
    fn chunk(
        &mut self,
        range: Range<u64>,
        observe: &mut Observe<'_>,
        findings: &mut Findings,
    ) -> Result<bool, StoreReadError> {
        let mut leaves = self.store.leaves(range.clone())?.into_iter().peekable();
        let mut stored = self.store.hashes(0, range.clone())?.into_iter().peekable();
        if leaves.peek().is_none() && stored.peek().is_none() {
            return Ok(false);
        }
        for index in range.clone() {
            let leaf = leaves.next_if(|leaf| leaf.index == index);
            let hash = stored.next_if(|(at, _)| *at == index).map(|(_, hash)| hash);
            self.trees.append(
                index,
                leaf.as_ref().map(|leaf| &*leaf.bytes),
                hash,
                findings,
            );
            if let Some(leaf) = leaf {
                self.leaf(&leaf, observe, findings)?;
            }
        }
        self.trees.check_nodes(self.store)?;
        for (level, index, hash) in self.trees.take_fixes() {
            if self.repair {
                self.store.repair(Fix::Node(level, index, hash))?;
            }
        }
        Ok(true)
    }

    fn leaf(
        &mut self,
        leaf: &StoredLeaf,
        observe: &mut Observe<'_>,
        findings: &mut Findings,
    ) -> Result<(), StoreReadError> {
        let index = LeafIndex::new(leaf.index);
        let entry = match AnyEntry::from_leaf(&leaf.bytes) {
            Ok(entry) => entry,
            Err(error) => {
                let expected = "the canonical json of an entry";
                findings.add(Flaw::new(Part::Leaf, error, expected).at(index));
                return Ok(());
            }
        };
        let row = row_of(&entry);
        let (id, time) = (row.entry_id.to_string(), row.time.as_millis());
        self.last = Some(time);
        if leaf.entry_id != id {
            findings.add(Flaw::new(Part::EntryId, &leaf.entry_id, &id).at(index));
        }
        if leaf.time != Some(time) {
            let found = leaf
                .time
                .map_or_else(|| "none".to_owned(), |time| time.to_string());
            findings.add(Flaw::new(Part::Time, found, time).at(index));
        }
        self.terms = self.terms.saturating_add(row.terms.len() as u64);
        for term in self.store.lacking(index, &row.terms)? {
            let expected = format!("`{}` (field {})", term.value, term.field.code());
            findings.add(Flaw::new(Part::Term, "not found by", expected).at(index));
        }
        observe(index, &entry, findings)
    }

    fn finish(
        &self,
        size: TreeSize,
        is_sound: bool,
        findings: &mut Findings,
    ) -> Result<(), StoreReadError> {
        for flaw in self.store.beyond(size)? {
            findings.add(flaw);
        }
        let there = self.terms.saturating_sub(findings.counted(Part::Term));
        if self.store.term_count()? != there {
            // Which ones they are takes a look at the leaf of each.
            let mut terms_of = |index: LeafIndex| {
                let at = index.get();
                let leaves = self.store.leaves(at..at.saturating_add(1))?;
                let entry = leaves.first().map(|leaf| AnyEntry::from_leaf(&leaf.bytes));
                let entry = entry.and_then(Result::ok).filter(|_| at < size.get());
                Ok(entry.map(|entry| row_of(&entry).terms).unwrap_or_default())
            };
            for flaw in self.store.stray_terms(&mut terms_of)? {
                findings.add(flaw);
            }
        }
        if !self.repair || !is_sound {
            return Ok(());
        }
        let index = [Part::LeafHash, Part::EntryId, Part::Time, Part::Term];
        if index.iter().any(|part| findings.counted(*part) > 0) {
            self.store.repair(Fix::Index(size))?;
        }
        self.store.repair(Fix::Beyond(size))
    }
}

/// The root that the checkpoint of the head was signed for, if it is the head's.
fn signed_root(subject: &Subject<'_>, head: &StoredHead, findings: &mut Findings) -> Option<Hash> {
    let mut fail = |found: String, expected: &str| {
        findings.add(Flaw::new(Part::Checkpoint, found, expected));
        None
    };
    let note: Note = match head.checkpoint.parse() {
        Ok(note) => note,
        Err(error) => return fail(format!("{error}"), "a signed note"),
    };
    let signed = match SignedCheckpoint::open(&note, subject.log_keys) {
        Ok(signed) => signed,
        Err(error) => return fail(error.to_string(), "a signature of the log's key"),
    };
    let checkpoint = signed.checkpoint();
    if checkpoint.origin() != head.origin || checkpoint.size().get() != head.size {
        let found = format!("{} entries of `{}`", checkpoint.size(), checkpoint.origin());
        let expected = format!("the head's, {} entries of `{}`", head.size, head.origin);
        return fail(found, &expected);
    }
    Some(checkpoint.root())
}

fn check_head(head: &StoredHead, walk: &Walk<'_>, findings: &mut Findings) {
    let range = walk.trees.range();
    let root = Hash::from_slice(&head.root).ok();
    if root != Some(range.root()) {
        let found = root.map_or_else(|| "no hash".to_owned(), |root| root.to_string());
        findings.add(Flaw::new(
            Part::Head,
            format!("root {found}"),
            format!("root {}", range.root()),
        ));
    }
    let frontier: Vec<u8> = range
        .hashes()
        .iter()
        .flat_map(|hash| *hash.as_bytes())
        .collect();
    if head.hashes != frontier {
        let count = head.hashes.len() / HASH_LEN;
        let found = format!("a frontier of {count} hashes that is another");
        findings.add(Flaw::new(
            Part::Head,
            found,
            "the frontier that the leaves give",
        ));
    }
    if let Some(last) = walk.last.filter(|last| *last != head.time) {
        let expected = format!("{last}, the time of the last entry");
        findings.add(Flaw::new(
            Part::Head,
            format!("time {}", head.time),
            expected,
        ));
    }
}

fn check_head_file(
    subject: &Subject<'_>,
    head: &StoredHead,
    recorded: Option<&HeadFile>,
    walk: &Walk<'_>,
    findings: &mut Findings,
) {
    let Some(recorded) = recorded else {
        if findings.counted(Part::HeadFile) == 0 {
            let found = format!("`{}` is missing", subject.head_file.display());
            findings.add(Flaw::new(Part::HeadFile, found, "the newest released head"));
        }
        return;
    };
    let newest = &recorded.newest().checkpoint;
    let (size, root) = (newest.size(), newest.root());
    let found = format!(
        "{size} entries of `{}` were released, root {root}",
        newest.origin()
    );
    if newest.origin() != head.origin || size.get() > head.size {
        let expected = format!("no more than the {} of `{}`", head.size, head.origin);
        findings.add(Flaw::new(Part::HeadFile, found, expected));
    } else if let Some(ours) = walk.trees.recorded_root().filter(|ours| *ours != root) {
        let expected = format!("root {ours}, which the leaves give at that size");
        findings.add(Flaw::new(Part::HeadFile, found, expected));
    }
}
