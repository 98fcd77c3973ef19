//! A data directory, and the service that it holds: the one place that knows which file is where.
//!
//! ```text
//! DIR/lock        held by the one process that uses the directory
//! DIR/head        the newest released head, outside the database and its backups
//! DIR/reserve     room for stops, revocations and keys on a full disk
//! DIR/ledger.db   the database (and its -wal and -shm)
//! DIR/published   the newest published checkpoint, if witnesses are asked or a directory is published
//! DIR/evidence/   heads that contradict the log, if a witness showed one
//! DIR/notify.toml whom the server tells of flags; `notify-state.json` and `notify-retry/` beside it
//! DIR/keys/       one file per key; `root.key` is meant to be taken offline
//! ```
//!
//! It is *not* the service (`countersign-service`) or the database (`countersign-store-sqlite`).

mod backup;
mod fsck;
mod keys;
mod place;
mod restore;
mod successor;

pub use backup::{Backup, BackupError, BackupFile, BackupProgress};
pub use keys::{KeyChanged, KeyUseError};
pub use restore::{Erasures, KnownHead, KnownHeadOf, Restored, Restoring, Standing};
pub use successor::{Remains, SuccessorError};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_core::document::BundleContent;
use countersign_core::entry::Predecessor;
use countersign_core::names::{NameError, Origin, TenantId};
use countersign_core::random::Random;
use countersign_core::time::Clock;
use countersign_keys::{EpochFiles, KeyFileError, KeyRing, SystemRandom};
use countersign_ledger::{DirLock, FileReserve, HeadFile, LockError, OpenError, Reserve, Store};
use countersign_service::{
    FirstCredential, KeyHistoryError, NewLog, Parts, Service, SetupError, SystemClock,
};
use countersign_store_sqlite::{OpenError as StoreOpenError, SqliteStore};
use countersign_wire::NewCredential;

/// How much room is kept for stops, revocations and keys on a full disk: 8 MiB.
pub const RESERVE_BYTES: u64 = 8 * 1024 * 1024;

/// A data directory.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

/// What a new data directory begins with.
pub struct Beginning {
    /// The tenant's id; it stands in the origin, and witnesses see it.
    pub tenant: TenantId,
    /// The public name of the server, without scheme and path; without one the origin is one that
    /// cannot be reached.
    pub public_name: Option<String>,
    /// The bundle that is in force from the start.
    pub bundle: BundleContent,
    /// The first credentials.
    pub credentials: Vec<NewCredential>,
}

/// A service with the files that it works on. Dropping it lets the directory go.
pub struct Host {
    service: Arc<Service>,
    // Dropped after the service: until then nobody else may use the directory.
    _lock: DirLock,
}

/// Why a data directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file or directory could not be made or read.
    #[error("`{path}`: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another process uses the directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A key is missing or unfit.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The database could not be opened.
    #[error(transparent)]
    Store(#[from] StoreOpenError),
    /// The database could not be checked.
    #[error(transparent)]
    Fsck(#[from] countersign_ledger::fsck::FsckError),
    /// The log could not be begun or opened.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// What the log says of its keys could not be read, or not be changed.
    #[error(transparent)]
    Keys(#[from] KeyHistoryError),
    /// A key cannot be changed so.
    #[error(transparent)]
    KeyUse(#[from] KeyUseError),
    /// The log cannot be continued by another.
    #[error(transparent)]
    Successor(#[from] SuccessorError),
    /// There is no backup, or it was not restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The public name does not make an origin.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Others may enter the directory, and with it put their own files in place of ours.
    #[error("`{path}` may be entered by others: its mode is {mode:03o}, allowed is 700")]
    Loose {
        /// Which directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is a log in the directory already.
    #[error("`{0}` holds a log already")]
    Exists(PathBuf),
    /// There is no log in the directory.
    #[error("`{0}` holds no log")]
    Missing(PathBuf),
}

impl HostError {
    /// What can be done about it, if that can be said in a line.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Key(error) => error.hint(),
            Self::Store(error) => error.hint().map(str::to_owned),
            Self::Keys(KeyHistoryError::OtherRoot { .. }) => Some(
                "give the file of this log's root key with --root-key; `countersign key show` prints its public half"
                    .to_owned(),
            ),
            Self::Backup(error) => error.hint().map(str::to_owned),
            Self::KeyUse(error) => error.hint().map(str::to_owned),
            Self::Setup(SetupError::OldKeys { .. }) => Some(
                "put the newest copy of `DIR/keys` back (docs/keys.md)".to_owned(),
            ),
            Self::Setup(SetupError::Open(error)) => error.hint().map(str::to_owned),
            Self::Exists(path) => Some(format!(
                "open it with `countersign serve --data {}`",
                path.display()
            )),
            Self::Missing(path) if path.join("head").exists() || path.join("keys").exists() => Some(
                "its keys or its head file are there, but not the database `ledger.db`: put the newest copy back (docs/recovery.md)"
                    .to_owned(),
            ),
            Self::Missing(path) => Some(format!(
                "begin one with `countersign init --data {}`",
                path.display()
            )),
            Self::Loose { path, .. } => Some(format!("chmod 700 {}", path.display())),
            Self::Lock(_) => Some("stop the other process, or use another directory".to_owned()),
            _ => None,
        }
    }
}

impl DataDir {
    /// The directory at `root`, whether or not it exists.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Whether a log was begun here.
    pub fn is_begun(&self) -> bool {
        self.database().exists()
    }

    /// Where the keys lie.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Where the database lies.
    pub fn database(&self) -> PathBuf {
        self.root.join("ledger.db")
    }

    /// Where the newest published checkpoint is kept.
    pub fn published(&self) -> PathBuf {
        self.root.join("published")
    }

    /// Where heads that contradict the log are kept.
    pub fn evidence(&self) -> PathBuf {
        self.root.join("evidence")
    }

    /// Begins a log: makes the directory, its keys and its database. What the credentials' tokens
    /// are is in the answer and nowhere else.
    pub fn begin(&self, beginning: Beginning) -> Result<(Host, Vec<FirstCredential>), HostError> {
        self.begin_with(beginning, Arc::new(SystemClock), Arc::new(SystemRandom))
    }

    /// The same with another clock and other randomness: the same log comes of the same ones. Its
    /// keys are as secret as the randomness is.
    pub fn begin_with(
        &self,
        beginning: Beginning,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<(Host, Vec<FirstCredential>), HostError> {
        let origin = origin(&beginning, &*clock, &*random)?;
        self.begin_as(beginning, &origin, None, (clock, random))
    }

    /// Begins the log that continues another, of which this remains: with an origin and keys of its
    /// own. The public name of `beginning` does not count.
    pub fn succeed(
        &self,
        beginning: Beginning,
        old: &Self,
        remains: &Remains,
    ) -> Result<(Host, Vec<FirstCredential>), HostError> {
        if successor::is_same(&self.root, &old.root) {
            return Err(SuccessorError::SamePlace.into());
        }
        let tools = (
            Arc::new(SystemClock) as Arc<dyn Clock>,
            Arc::new(SystemRandom) as Arc<dyn Random>,
        );
        let origin = remains.next_origin()?;
        self.begin_as(beginning, &origin, Some(remains.predecessor()), tools)
    }

    fn begin_as(
        &self,
        beginning: Beginning,
        origin: &Origin,
        predecessor: Option<Predecessor>,
        (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
    ) -> Result<(Host, Vec<FirstCredential>), HostError> {
        make_private(&self.root).map_err(|error| HostError::Io {
            path: self.root.clone(),
            error,
        })?;
        check_private(&self.root)?;
        let lock = DirLock::acquire(&self.root)?;
        if self.is_begun() {
            return Err(HostError::Exists(self.root.clone()));
        }
        self.check_not_lost()?;
        let (keys, root) = KeyRing::create(&self.keys(), origin, &*random)?;
        let store = Arc::new(SqliteStore::create(&self.database())?);
        let parts = self.parts(store, keys, random, clock)?;
        let (service, first) = Service::create(
            parts,
            NewLog {
                tenant: beginning.tenant,
                root: &root,
                bundle: beginning.bundle,
                credentials: beginning.credentials,
                predecessor,
            },
        )?;
        Ok((
            Host {
                service: Arc::new(service),
                _lock: lock,
            },
            first,
        ))
    }

    /// Opens the log of this directory.
    pub fn open(&self) -> Result<Host, HostError> {
        self.open_at(Arc::new(SystemClock))
    }

    /// The same with another clock, for tests that turn it.
    pub fn open_at(&self, clock: Arc<dyn Clock>) -> Result<Host, HostError> {
        if !self.is_begun() {
            return Err(HostError::Missing(self.root.clone()));
        }
        check_private(&self.root)?;
        let lock = DirLock::acquire(&self.root)?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&self.database())?);
        // What cannot be read is told when the service opens the log.
        match keys::read_history(&store, &self.keys()) {
            Ok(history) => keys::settle(&self.keys(), &history)?,
            Err(error @ HostError::KeyUse(_)) => return Err(error),
            Err(_) => {}
        }
        let ring = KeyRing::load(&self.keys())?;
        let parts = self.parts(store, ring, Arc::new(SystemRandom), clock)?;
        let service = Arc::new(Service::open(parts)?);
        keys::discard_pending(&self.keys())?;
        Ok(Host {
            service,
            _lock: lock,
        })
    }

    /// A head file that says of released entries, and no database: the database is lost.
    fn check_not_lost(&self) -> Result<(), HostError> {
        let file = HeadFile::open(&self.root.join("head")).map_err(OpenError::from);
        let file = file.map_err(SetupError::Open)?;
        match file.map(|file| file.newest().checkpoint.clone()) {
            Some(released) if released.size().get() > 0 => {
                Err(SetupError::Open(OpenError::DatabaseLost {
                    origin: released.origin().to_owned(),
                    size: released.size(),
                })
                .into())
            }
            _ => Ok(()),
        }
    }

    fn parts(
        &self,
        store: Arc<dyn Store>,
        keys: KeyRing,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
    ) -> Result<Parts, HostError> {
        let reserve_path = self.root.join("reserve");
        let reserve =
            FileReserve::new(&reserve_path, RESERVE_BYTES).map_err(|error| HostError::Io {
                path: reserve_path,
                error,
            })?;
        Ok(Parts {
            store,
            head_file: self.root.join("head"),
            epochs: Arc::new(EpochFiles::new(
                &self.keys(),
                keys.origin().clone(),
                Arc::clone(&random),
            )),
            keys,
            clock,
            random,
            reserve: Some(Box::new(reserve) as Box<dyn Reserve>),
        })
    }
}

impl Host {
    /// The service.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }
}

/// The log's origin: the prefix under which it is served, without its scheme.
fn origin(
    beginning: &Beginning,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Origin, NameError> {
    let tenant = &beginning.tenant;
    let epoch = 1;
    match &beginning.public_name {
        Some(name) => format!("{name}/log/{tenant}/{epoch}").parse(),
        None => {
            let unique = countersign_core::ids::EntryId::fresh(clock.now(), random);
            format!("countersign.invalid/{unique}/{tenant}/{epoch}").parse()
        }
    }
}

fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// A data directory is its owner's alone: file by file, others could still put theirs in place.
fn check_private(dir: &Path) -> Result<(), HostError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(dir).map_err(|error| HostError::Io {
        path: dir.to_owned(),
        error,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(HostError::Loose {
            path: dir.to_owned(),
            mode,
        }),
    }
}
