//! The epochs of vault keys in a directory: how they are found, begun and destroyed.
//!
//! ```text
//! vault-3.kek      the key-encryption key of epoch 3
//! vault-3.tenant   the tenant's key of epoch 3, wrapped by it
//! vault.epochs     the first epoch that there is, what is older was destroyed; and the first with a
//!                  tenant's key: in older ones the key-encryption key wraps the keys of records itself
//! ```
//!
//! An epoch is there once its `.kek` file is. It is gone once `vault.epochs` says so: what is left of
//! its files then is not read any more, and destroyed when [`KeyEpochs::destroy_before`] is called
//! again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::names::Origin;
use countersign_core::random::Random;
use countersign_vault::{Epoch, EpochError, EpochMark, KeyEncryptionKey, KeyEpochs};

use crate::file::{KeyFile, KeyFileError, Purpose};
use crate::secure_fs::{Private, destroy, read_private, sync_dir, write_private};

/// Most epochs of vault keys in one directory at a time.
const MAX_EPOCHS: u32 = 1024;
/// Bytes of an epoch's id, whatever its number: so a database overwrites the key of a record in place
/// when it is wrapped anew.
const KEY_ID_BYTES: usize = 24;
/// The first word of every tenant key's file.
const FORMAT: &str = "countersign-tenant-key/v1";
/// The file that says which epochs there are.
const EPOCHS: &str = "vault.epochs";
/// The first line of that file.
const EPOCHS_FORMAT: &str = "countersign-vault-epochs/v1";
/// Most bytes of either; ordinary ones have about 200.
const MAX_FILE_BYTES: u64 = 1024;

/// The vault's epochs in a directory of keys that one process holds.
pub struct EpochFiles {
    dir: PathBuf,
    origin: Origin,
    random: Arc<dyn Random>,
}

impl EpochFiles {
    /// The epochs of the keys in `dir`, which are of this log.
    pub fn new(dir: &Path, origin: Origin, random: Arc<dyn Random>) -> Self {
        Self {
            dir: dir.to_owned(),
            origin,
            random,
        }
    }
}

impl KeyEpochs for EpochFiles {
    fn present(&self) -> Result<Vec<EpochMark>, EpochError> {
        let numbers = numbers(&self.dir).map_err(EpochError::new)?;
        let marks = numbers.map(|number| {
            let stored = TenantFile::load(&self.dir, number)?;
            Ok(EpochMark {
                number,
                began: stored.map_or(0, |stored| stored.began),
            })
        });
        let marks: Result<_, KeyFileError> = marks.collect();
        marks.map_err(EpochError::new)
    }

    fn begin(&self, began: u64) -> Result<Epoch, EpochError> {
        let begin = || {
            let numbers = numbers(&self.dir)?;
            let (first, last) = (*numbers.start(), *numbers.end());
            if last.saturating_sub(first) >= MAX_EPOCHS {
                return Err(too_many(&self.dir));
            }
            make(
                &self.dir,
                last.saturating_add(1),
                &self.origin,
                began,
                &*self.random,
            )
        };
        begin().map_err(EpochError::new)
    }

    fn destroy_before(&self, number: u32) -> Result<(), EpochError> {
        destroy_before(&self.dir, number, &self.origin).map_err(EpochError::new)
    }
}

/// The epochs of a directory, with their keys, the oldest first.
pub(crate) fn load(dir: &Path, origin: &Origin) -> Result<Vec<Epoch>, KeyFileError> {
    let epochs = numbers(dir)?.map(|number| load_epoch(dir, number, origin));
    epochs.collect()
}

/// Makes the keys of the first epoch, in a directory without any.
pub(crate) fn make_first(
    dir: &Path,
    origin: &Origin,
    random: &dyn Random,
) -> Result<Epoch, KeyFileError> {
    Range {
        first: 1,
        tenants: 1,
    }
    .write(dir)?;
    make(dir, 1, origin, 0, random)
}

/// Makes the keys of an epoch. It is there when its `.kek` file is, which is written last.
fn make(
    dir: &Path,
    number: u32,
    origin: &Origin,
    began: u64,
    random: &dyn Random,
) -> Result<Epoch, KeyFileError> {
    let purpose = Purpose::Vault(number);
    let file = KeyFile::fresh(purpose, origin, random);
    let (epoch, wrapped) = Epoch::begin(number, &kek(number, &file), random)
        .map_err(|_| KeyFileError::Setup(purpose))?;
    let stored = TenantFile {
        kek: file.id.clone(),
        origin: origin.to_string(),
        began,
        wrapped,
    };
    stored.write(dir, number)?;
    file.write(dir, &purpose.file_name())?;
    Ok(epoch)
}

fn load_epoch(dir: &Path, number: u32, origin: &Origin) -> Result<Epoch, KeyFileError> {
    let path = dir.join(Purpose::Vault(number).file_name());
    let file = KeyFile::load(dir, Purpose::Vault(number))?;
    let of_log = |path: PathBuf, found: &str| match found == origin.as_str() {
        true => Ok(()),
        false => Err(KeyFileError::Origin {
            path,
            expected: origin.clone(),
            found: found.to_owned(),
        }),
    };
    of_log(path, file.origin.as_str())?;
    let kek = kek(number, &file);
    let path = dir.join(tenant_name(number));
    let stored = match TenantFile::load(dir, number)? {
        Some(stored) => stored,
        None if number < Range::load(dir)?.tenants => return Ok(Epoch::direct(number, kek)),
        None => return Err(KeyFileError::Missing { path }),
    };
    of_log(path.clone(), &stored.origin)?;
    if stored.kek != file.id {
        return Err(KeyFileError::Malformed {
            path,
            reason: "it is wrapped by another key than the one beside it",
        });
    }
    Epoch::open(number, &kek, &stored.wrapped).map_err(|_| KeyFileError::Damaged { path })
}

/// How records name the epoch, too.
fn kek(number: u32, file: &KeyFile) -> KeyEncryptionKey {
    let mut id = format!("{}-{}", Purpose::Vault(number), file.id);
    id.truncate(KEY_ID_BYTES);
    KeyEncryptionKey::new(id, file.secret.clone())
}

/// The numbers of the epochs in a directory, in order. A gap means that a key is missing.
fn numbers(dir: &Path) -> Result<std::ops::RangeInclusive<u32>, KeyFileError> {
    let first = Range::load(dir)?.first;
    let mut last = first;
    for (name, number) in files(dir)? {
        if name == Purpose::Vault(number).file_name() {
            last = last.max(number);
        }
    }
    match last.saturating_sub(first) >= MAX_EPOCHS {
        true => Err(too_many(dir)),
        false => Ok(first..=last),
    }
}

/// The files of epochs in a directory, also those that an interruption left, with the epoch's number.
fn files(dir: &Path) -> Result<Vec<(String, u32)>, KeyFileError> {
    let read = |error: io::Error| KeyFileError::reading(dir, error);
    let mut found = Vec::new();
    for file in fs::read_dir(dir).map_err(read)? {
        let name = file.map_err(read)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let number = name.strip_prefix('.').unwrap_or(name);
        let number = number.strip_prefix("vault-").and_then(|rest| {
            let (number, suffix) = rest.split_once('.')?;
            let is_ours = ["kek", "tenant", "kek.new", "tenant.new"].contains(&suffix);
            number.parse().ok().filter(|_| is_ours)
        });
        if let Some(number) = number {
            found.push((name.to_owned(), number));
        }
    }
    Ok(found)
}

/// What `vault.epochs` says.
#[derive(Clone, Copy)]
struct Range {
    /// The first epoch that there is.
    first: u32,
    /// The first epoch with a tenant's key.
    tenants: u32,
}

impl Range {
    /// A directory without the file is from before there were tenant keys.
    fn load(dir: &Path) -> Result<Self, KeyFileError> {
        let path = dir.join(EPOCHS);
        let Some(text) = read(&path)? else {
            return Ok(Self {
                first: 1,
                tenants: u32::MAX,
            });
        };
        Self::parse(&text).ok_or(KeyFileError::Malformed {
            path,
            reason: "it must have the lines `countersign-vault-epochs/v1`, `first` and `tenants` with numbers",
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [EPOCHS_FORMAT, first, tenants, ""] = lines.as_slice() else {
            return None;
        };
        let number = |line: &str, name: &str| {
            let number = line.strip_prefix(name)?.parse::<u32>().ok()?;
            (number > 0).then_some(number)
        };
        Some(Self {
            first: number(first, "first ")?,
            tenants: number(tenants, "tenants ")?,
        })
    }

    fn write(self, dir: &Path) -> Result<(), KeyFileError> {
        let Self { first, tenants } = self;
        let text = format!("{EPOCHS_FORMAT}\nfirst {first}\ntenants {tenants}\n");
        write_private(dir, EPOCHS, &text)
            .map_err(|error| KeyFileError::writing(&dir.join(EPOCHS), error))
    }
}

/// First it is made durable that they are gone, then they go: so an interruption leaves no epoch of
/// which only a part is there.
fn destroy_before(dir: &Path, number: u32, origin: &Origin) -> Result<(), KeyFileError> {
    let present = numbers(dir)?;
    // The newest epoch stays, whatever is asked for.
    let number = number.min(*present.end());
    // What stays must be there, or what goes may be all that opens anything.
    for stays in number..=*present.end() {
        load_epoch(dir, stays, origin)?;
    }
    let writing = |path: &Path, error| KeyFileError::writing(path, error);
    if number > *present.start() {
        let first = number;
        Range {
            first,
            ..Range::load(dir)?
        }
        .write(dir)?;
    }
    let old = files(dir)?.into_iter().filter(|(_, of)| *of < number);
    let mut is_gone = false;
    for (name, _) in old {
        let path = dir.join(name);
        destroy(&path).map_err(|error| writing(&path, error))?;
        is_gone = true;
    }
    match is_gone {
        true => sync_dir(dir).map_err(|error| writing(dir, error)),
        false => Ok(()),
    }
}

/// What stands in the file of a tenant's key.
struct TenantFile {
    /// The id of the key that wraps it.
    kek: String,
    origin: String,
    began: u64,
    wrapped: Vec<u8>,
}

impl TenantFile {
    fn load(dir: &Path, number: u32) -> Result<Option<Self>, KeyFileError> {
        let path = dir.join(tenant_name(number));
        let Some(text) = read(&path)? else {
            return Ok(None);
        };
        let parsed = Self::parse(&text, number);
        let malformed = KeyFileError::Malformed {
            path,
            reason: "it must have the lines `countersign-tenant-key/v1` with a key and its id, `origin`, `began` and `wrapped`",
        };
        parsed.ok_or(malformed).map(Some)
    }

    fn parse(text: &str, number: u32) -> Option<Self> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [header, origin, began, wrapped, ""] = lines.as_slice() else {
            return None;
        };
        let header = header.strip_prefix(FORMAT)?;
        let kek = header.strip_prefix(&format!(" {} ", Purpose::Vault(number)))?;
        Some(Self {
            kek: kek.to_owned(),
            origin: origin.strip_prefix("origin ")?.to_owned(),
            began: began.strip_prefix("began ")?.parse().ok()?,
            wrapped: URL_SAFE_NO_PAD
                .decode(wrapped.strip_prefix("wrapped ")?)
                .ok()?,
        })
    }

    fn write(&self, dir: &Path, number: u32) -> Result<(), KeyFileError> {
        let Self {
            kek, origin, began, ..
        } = self;
        let (purpose, wrapped) = (
            Purpose::Vault(number),
            URL_SAFE_NO_PAD.encode(&self.wrapped),
        );
        let text = format!(
            "{FORMAT} {purpose} {kek}\norigin {origin}\nbegan {began}\nwrapped {wrapped}\n"
        );
        let name = tenant_name(number);
        write_private(dir, &name, &text)
            .map_err(|error| KeyFileError::writing(&dir.join(name), error))
    }
}

fn tenant_name(number: u32) -> String {
    format!("{}.tenant", Purpose::Vault(number))
}

fn read(path: &Path) -> Result<Option<String>, KeyFileError> {
    match read_private(path, MAX_FILE_BYTES) {
        Ok(Private::Text(text)) => Ok(Some(text.as_str().to_owned())),
        Ok(Private::Loose(mode)) => Err(KeyFileError::Permissions {
            path: path.to_owned(),
            mode,
            wanted: 0o600,
        }),
        Ok(Private::NotText) => Err(KeyFileError::Malformed {
            path: path.to_owned(),
            reason: "it is too long, or no text",
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeyFileError::reading(path, error)),
    }
}

fn too_many(dir: &Path) -> KeyFileError {
    KeyFileError::TooManyEpochs {
        path: dir.to_owned(),
        limit: MAX_EPOCHS,
    }
}
