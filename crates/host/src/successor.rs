//! A new log in the place of one that has lost entries.
//!
//! A log that was rolled back must not go on: it would sign another history under a key that has
//! signed one already. So the new log has an origin and keys of its own, and its first entry names
//! the old one and the newest checkpoint of it that is still known.

use std::path::Path;
use std::sync::Arc;

use countersign_core::document::BundleContent;
use countersign_core::entry::Predecessor;
use countersign_core::ids::EntryId;
use countersign_core::names::{NameError, Origin, TenantId};
use countersign_core::random::Random;
use countersign_core::time::Clock;
use countersign_keys::{KeyRing, SystemRandom};
use countersign_ledger::{DirLock, HeadFile, LogReader, OpenError, Store};
use countersign_note::{Checkpoint, Note, SignedCheckpoint, VerifierKey};
use countersign_service::{SetupError, SystemClock, bundle_in_force};
use countersign_store_sqlite::SqliteStore;

use crate::keys::signers;
use crate::{DataDir, HostError};

/// Where origins lie that cannot be reached.
const UNREACHABLE: &str = "countersign.invalid/";
/// Most bytes of a kept checkpoint that are looked at.
const KEPT_BYTES: usize = 1 << 20;

/// What is still known of a log that is to be continued by another.
pub struct Remains {
    /// Its origin.
    pub origin: Origin,
    /// Its tenant, as the origin names it.
    pub tenant: TenantId,
    /// The newest checkpoint that is known of it, signed by its key.
    pub checkpoint: Option<Note>,
    /// The bundle that was in force, if it can be read.
    pub bundle: Option<BundleContent>,
    /// Why the log cannot be opened; `None` if nothing is wrong with it.
    pub trouble: Option<HostError>,
    // The old log is not served as long as the new one is begun.
    _lock: DirLock,
}

/// Why a log cannot be continued by another.
#[derive(Debug, thiserror::Error)]
pub enum SuccessorError {
    /// There is nothing that says which log it was.
    #[error("`{0}` holds neither keys nor a head file nor a database of a log")]
    Nothing(std::path::PathBuf),
    /// The old log's origin is not one that this program makes.
    #[error("the origin `{0}` does not end in a tenant and a number")]
    Origin(Origin),
    /// The new log would lie in the place of the old one.
    #[error("the new log needs a directory of its own")]
    SamePlace,
}

impl Remains {
    /// Looks at what a data directory still holds. Nobody may use it.
    pub fn of(old: &DataDir) -> Result<Self, HostError> {
        let nothing = || SuccessorError::Nothing(old.path().to_owned());
        if !old.path().is_dir() {
            return Err(nothing().into());
        }
        let trouble = match old.open() {
            Ok(host) => {
                drop(host);
                None
            }
            Err(error @ HostError::Lock(_)) => return Err(error),
            Err(error) => Some(error),
        };
        let lock = DirLock::acquire(old.path())?;
        let ring = KeyRing::load(&old.keys()).ok();
        let log = read(old);
        let head_file = HeadFile::open(&old.path().join("head")).ok().flatten();
        let recorded = head_file.as_ref().map(|file| file.newest());
        let noted = recorded.and_then(|newest| newest.signed.clone());
        let head_file = recorded.map(|newest| newest.checkpoint.clone());
        let origin = ring.as_ref().map(|ring| ring.origin().clone());
        let origin = origin.or_else(|| log.as_ref().map(|log| log.head().origin().clone()));
        let origin = match (origin, &head_file) {
            (Some(origin), _) => origin,
            (None, Some(head)) => head.origin().parse()?,
            (None, None) => return Err(nothing().into()),
        };
        let stored = log.as_ref().map(|log| log.checkpoint().to_string());
        let published = std::fs::read(old.published()).ok();
        let published = published.filter(|bytes| bytes.len() <= KEPT_BYTES);
        let published = published.and_then(|bytes| String::from_utf8(bytes).ok());
        let signed = [stored, published, noted].into_iter().flatten();
        let signed = signed.filter_map(|text| known(&text, &origin, ring.as_ref(), log.as_ref()));
        let mut signed: Vec<Note> = signed.collect();
        if is_other_history(trouble.as_ref()) {
            // What was released is the head file's; nobody saw what the database has become.
            signed.retain(|note| claim(note) == head_file);
        }
        // Of another history than the released one nobody knows who wrote its policies.
        let own = log.as_ref().filter(|_| !is_other_history(trouble.as_ref()));
        let keys = signers(&old.keys()).unwrap_or_default();
        Ok(Self {
            tenant: split(&origin)?.1,
            checkpoint: signed.into_iter().max_by_key(size_of),
            bundle: own.and_then(|log| bundle_in_force(log, &keys)),
            trouble,
            origin,
            _lock: lock,
        })
    }

    /// How many entries the newest known checkpoint speaks of.
    pub fn size(&self) -> Option<u64> {
        let claim = claim(self.checkpoint.as_ref()?)?;
        Some(claim.size().get())
    }

    /// What the first entry of the new log says of the old one.
    pub(crate) fn predecessor(&self) -> Predecessor {
        let text = self.checkpoint.as_ref().map(ToString::to_string);
        Predecessor {
            origin: self.origin.clone(),
            checkpoint: text.and_then(|text| text.parse().ok()),
        }
    }

    /// The new log's origin: the same place with the next number, or, of a log that cannot be
    /// reached, a fresh one.
    pub(crate) fn next_origin(&self) -> Result<Origin, HostError> {
        let (prefix, tenant, epoch) = split(&self.origin)?;
        let next = epoch.saturating_add(1);
        let origin = match prefix.starts_with(UNREACHABLE) {
            false => format!("{prefix}/{tenant}/{next}"),
            true => {
                let random: &dyn Random = &SystemRandom;
                let unique = EntryId::fresh(SystemClock.now(), random);
                format!("{UNREACHABLE}{unique}/{tenant}/{next}")
            }
        };
        Ok(origin.parse()?)
    }
}

/// Whether two paths are one directory.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize().ok();
    canonical(one).is_some() && canonical(one) == canonical(other)
}

/// The log as its database still holds it.
fn read(old: &DataDir) -> Option<LogReader> {
    let store = SqliteStore::open_read_only(&old.database()).ok()?;
    let store: Arc<dyn Store> = Arc::new(store);
    LogReader::open(store).ok().flatten()
}

/// A signed checkpoint of the log, with the log's own signatures only: an entry has no room for many.
fn known(
    text: &str,
    origin: &Origin,
    ring: Option<&KeyRing>,
    log: Option<&LogReader>,
) -> Option<Note> {
    let note: Note = text.parse().ok()?;
    let mut keys: Vec<VerifierKey> = ring
        .map(|ring| ring.log_key().clone())
        .into_iter()
        .collect();
    let history = log.and_then(|log| countersign_service::KeyHistory::read(log, &keys).ok());
    keys.extend(history.iter().flat_map(|history| history.log_keys()));
    let signed = SignedCheckpoint::open(&note, &keys).ok()?;
    if signed.checkpoint().origin() != origin.as_str() {
        return None;
    }
    let is_logs = |name: &str| name == origin.as_str();
    let lines = note.signatures().iter();
    let lines = lines.filter(|line| is_logs(line.name().as_str()));
    Note::new(note.text().to_owned(), lines.cloned().collect()).ok()
}

fn claim(note: &Note) -> Option<Checkpoint> {
    Checkpoint::parse(note.text()).ok()
}

/// Whether the database holds another history than was released.
fn is_other_history(trouble: Option<&HostError>) -> bool {
    matches!(
        trouble,
        Some(HostError::Setup(SetupError::Open(OpenError::Forked { .. })))
    )
}

fn size_of(note: &Note) -> u64 {
    claim(note).map_or(0, |claim| claim.size().get())
}

/// An origin's prefix, tenant and number.
fn split(origin: &Origin) -> Result<(String, TenantId, u64), HostError> {
    let wrong = || SuccessorError::Origin(origin.clone());
    let mut parts = origin.as_str().rsplitn(3, '/');
    let (Some(epoch), Some(tenant), Some(prefix)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong().into());
    };
    let epoch = epoch.parse().map_err(|_| wrong())?;
    let tenant = tenant.parse().map_err(|_: NameError| wrong())?;
    Ok((prefix.to_owned(), tenant, epoch))
}
