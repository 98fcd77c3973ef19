//! What is checked before a log is appended to. What does not fit is an error, never a repair.

use crate::edge::Edge;
use crate::head::Head;
use crate::head_file::{HeadFile, HeadFileError};
use crate::ledger::LedgerParts;
use crate::reader::Nodes;
use crate::second::{SecondSigner, sign_now};
use crate::store::{Store, StoreReadError};
use countersign_merkle::{Hash, TreeSize, leaf_hash, root_at};
use countersign_note::{
    Checkpoint, CheckpointError, Note, NoteError, NoteVerifyError, SignNoteError, SignedCheckpoint,
};
use std::path::PathBuf;
use std::sync::Arc;

/// Why a ledger was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database holds no log.
    #[error("the database holds no log yet")]
    NotInitialised,
    /// There is a log already.
    #[error("the database holds the log `{origin}` of {size} entries already")]
    AlreadyInitialised {
        /// Its origin.
        origin: String,
        /// Its size.
        size: TreeSize,
    },
    /// The database is empty, but answers were given.
    #[error(
        "the database is empty, but the head file says that {size} entries of `{origin}` were \
         released: the database is lost, or another one"
    )]
    DatabaseLost {
        /// The released log.
        origin: String,
        /// How many entries were released.
        size: TreeSize,
    },
    /// There is a log, but no head file.
    #[error(
        "the head file `{}` is missing: without it nobody can tell whether the database is the \
         newest one or a restored one", .path.display()
    )]
    HeadFileMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The head file belongs to another log.
    #[error("the head file is of `{recorded}`, the database of `{database}`")]
    OtherLog {
        /// The origin in the head file.
        recorded: String,
        /// The origin in the database.
        database: String,
    },
    /// The database has forgotten entries that were released.
    #[error(
        "the database was rolled back: it holds {database} entries (root `{database_root}`), but \
         {recorded} were released (root `{recorded_root}`)"
    )]
    RolledBack {
        /// The size of the database's log.
        database: TreeSize,
        /// Its root.
        database_root: Hash,
        /// The size in the head file.
        recorded: TreeSize,
        /// The root in the head file.
        recorded_root: Hash,
    },
    /// The database holds another history than was released.
    #[error(
        "the database holds another history: the root of its first {recorded} entries is \
         `{database_root}`, but `{recorded_root}` was released"
    )]
    Forked {
        /// The size in the head file.
        recorded: TreeSize,
        /// The root of the database's tree at that size.
        database_root: Hash,
        /// The root in the head file.
        recorded_root: Hash,
    },
    /// The head's checkpoint was not signed by the key that is to sign the next one, nor by the one
    /// that it follows.
    #[error("the checkpoint in the database: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The head's checkpoint could not be signed again.
    #[error("the checkpoint cannot be signed: {reason}")]
    Sign {
        /// Why not.
        reason: String,
    },
    /// The head's checkpoint is no note.
    #[error("the checkpoint in the database: {0}")]
    Note(#[from] NoteError),
    /// The parts of the database contradict each other.
    #[error("the database is damaged: {detail}")]
    Damaged {
        /// What contradicts what.
        detail: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreReadError),
    /// The head file failed.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// The thread of the sequencer could not be started.
    #[error("could not start the sequencer: {0}")]
    Thread(std::io::Error),
}

impl OpenError {
    /// What the operator can do, where that is not obvious.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::RolledBack { .. } | Self::Forked { .. } | Self::DatabaseLost { .. } => Some(
                "put the newest database back; a log that has lost released entries must not be \
                 continued under the same key: if it is lost for good, begin another with \
                 `countersign init --data NEW --successor-of DIR --i-have-lost-data`",
            ),
            Self::HeadFileMissing { .. } => Some(
                "put the head file back from where the data directory was copied; it belongs to \
                 the database as the keys do",
            ),
            Self::Checkpoint(CheckpointError::Note(NoteVerifyError::NoKnownKey)) => Some(
                "the key in `keys` has not signed it: keys and database may be of two backups, or the \
                 database of before a rotation; `countersign fsck --data DIR` says more",
            ),
            Self::Damaged { .. } | Self::Store(_) => {
                Some("`countersign fsck --data DIR` says what is damaged")
            }
            Self::OtherLog { .. } => Some("put the head file and the database of one log together"),
            Self::HeadFile(HeadFileError::Damaged { .. }) => Some(
                "put the head file back from where the data directory was copied; `countersign fsck` \
                 does not make one (docs/recovery.md)",
            ),
            _ => None,
        }
    }
}

/// A log that is as it was released.
pub(crate) struct Checked {
    pub(crate) head: Head,
    /// The head's checkpoint with the signatures of the present keys.
    pub(crate) checkpoint: Arc<str>,
    pub(crate) edge: Edge,
    pub(crate) head_file: HeadFile,
}

/// Looks whether the log is as it was released.
pub(crate) fn check(parts: &LedgerParts) -> Result<Checked, OpenError> {
    let (store, path) = (parts.store.as_ref(), &parts.head_file);
    let head_file = HeadFile::open(path)?;
    let Some(head) = store.head()? else {
        return Err(without_log(head_file.as_ref()));
    };
    let head_file = head_file.ok_or_else(|| OpenError::HeadFileMissing { path: path.into() })?;
    let checkpoint = check_signature(&head, parts)?;
    check_tree(store, &head)?;
    let head_file = compare(store, &head, head_file)?;
    let edge = Edge::read(store, head.size())?;
    let checkpoint = with_second(&head, checkpoint, parts.second_signer.as_deref())?;
    Ok(Checked {
        head,
        checkpoint: checkpoint.into(),
        edge,
        head_file,
    })
}

/// Why a store without a log cannot be opened.
pub(crate) fn without_log(head_file: Option<&HeadFile>) -> OpenError {
    match head_file.map(|file| &file.newest().checkpoint) {
        // A head file of size 0 is what an interrupted `create` leaves.
        Some(released) if released.size() > TreeSize::ZERO => OpenError::DatabaseLost {
            origin: released.origin().to_owned(),
            size: released.size(),
        },
        _ => OpenError::NotInitialised,
    }
}

/// The head's checkpoint as the present key signs it. The stored one may be by the key before it:
/// then it is signed again, without a new entry.
fn check_signature(head: &Head, parts: &LedgerParts) -> Result<String, OpenError> {
    let note: Note = head.checkpoint().parse()?;
    let own = parts.signer.verifier_key();
    let keys: Vec<_> = parts.earlier_signer.iter().chain([own]).cloned().collect();
    let signed = SignedCheckpoint::open(&note, &keys)?;
    let checkpoint = signed.checkpoint();
    let is_of_head = checkpoint.origin() == head.origin().as_str()
        && checkpoint.size() == head.size()
        && checkpoint.root() == head.root();
    if !is_of_head {
        let detail = "the stored checkpoint is not that of the stored tree head".to_owned();
        return Err(OpenError::Damaged { detail });
    }
    if signed.signatures().iter().any(|it| it.key() == own) {
        return Ok(head.checkpoint().to_owned());
    }
    let again = checkpoint.sign(&[parts.signer.as_ref()]);
    let again = again.map_err(|error: SignNoteError| OpenError::Sign {
        reason: error.to_string(),
    })?;
    Ok(again.to_string())
}

fn with_second(
    head: &Head,
    checkpoint: String,
    signer: Option<&SecondSigner>,
) -> Result<String, OpenError> {
    let Some(signer) = signer else {
        return Ok(checkpoint);
    };
    sign_now(head, &checkpoint, signer).map_err(|error| OpenError::Sign {
        reason: error.to_string(),
    })
}

/// Looks whether nodes and last leaf are those of the head.
fn check_tree(store: &dyn Store, head: &Head) -> Result<(), OpenError> {
    let root = root(store, head.size())?;
    if root != head.root() {
        let detail = format!(
            "the stored nodes have the root `{root}`, not `{}`",
            head.root()
        );
        return Err(OpenError::Damaged { detail });
    }
    let Some(last) = head.size().last_index() else {
        return Ok(());
    };
    let range = last.get()..last.get().saturating_add(1);
    let stored = store.nodes(0, range.clone())?;
    let entries = store.leaves(range)?;
    let found = entries.first().map(|entry| leaf_hash(&entry.bytes));
    if found.is_some() && stored.first().copied() == found {
        return Ok(());
    }
    let detail = format!("entry {last} is missing, or is not the one in the tree");
    Err(OpenError::Damaged { detail })
}

/// Holds the database against the head file. A database that is ahead has a commit that was durable
/// when the process ended, but not answered yet: it stands.
fn compare(store: &dyn Store, head: &Head, mut head_file: HeadFile) -> Result<HeadFile, OpenError> {
    let recorded = head_file.newest().checkpoint.clone();
    if recorded.origin() != head.origin().as_str() {
        return Err(OpenError::OtherLog {
            recorded: recorded.origin().to_owned(),
            database: head.origin().to_string(),
        });
    }
    if recorded.size() > head.size() {
        return Err(OpenError::RolledBack {
            database: head.size(),
            database_root: head.root(),
            recorded: recorded.size(),
            recorded_root: recorded.root(),
        });
    }
    let database_root = root(store, recorded.size())?;
    if database_root != recorded.root() {
        return Err(OpenError::Forked {
            recorded: recorded.size(),
            database_root,
            recorded_root: recorded.root(),
        });
    }
    if recorded.size() < head.size() {
        let next = Checkpoint::new(head.origin().as_str(), head.size(), head.root());
        let next = next.map_err(CheckpointError::from)?;
        // As it was committed: the present key may not be the log's yet.
        head_file.record(next, head.checkpoint())?;
    }
    Ok(head_file)
}

fn root(store: &dyn Store, size: TreeSize) -> Result<Hash, OpenError> {
    let edge = &Edge::default();
    root_at(&Nodes { store, edge }, size).map_err(|error| OpenError::Damaged {
        detail: error.to_string(),
    })
}
