//! The text of a key file.
//!
//! ```text
//! countersign-key/v1 log 3f9ac1d2e4b50617
//! origin log.acme.example/acme/1
//! secret 43 characters of unpadded base64url
//! ```
//!
//! The first line says what the key is for and its id. The id is the beginning of an HMAC under
//! the key over the purpose: so a damaged key is noticed, and a key whose header was rewritten to
//! another purpose is refused.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::names::Origin;
use countersign_core::random::Random;
use zeroize::Zeroizing;

use crate::secure_fs::{Private, read_private, write_private};

/// The first word of every key file.
const FORMAT: &str = "countersign-key/v1";
/// Most bytes of a key file; an ordinary one has about 150.
const MAX_FILE_BYTES: u64 = 1024;
/// Bytes of a key's id.
const ID_BYTES: usize = 8;

/// What a key is for. Every key has exactly one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Signs the other public keys.
    Root,
    /// Signs checkpoints.
    Log,
    /// Signs checkpoints a second time, with ML-DSA-44.
    LogMlDsa,
    /// Signs permits.
    Permit,
    /// Wraps the tenant's key of an epoch of the vault; the number is the epoch's.
    Vault(u32),
    /// Finds pseudonyms.
    BlindIndex,
    /// Hashes API tokens.
    Token,
    /// Cosigns checkpoints of other logs, as their witness.
    Witness,
    /// The same with ML-DSA-44.
    WitnessMlDsa,
    /// Signs a person's answers to escalations.
    Reviewer,
    /// Opens records of the vault that were sealed to its owner.
    Recipient,
}

impl Purpose {
    /// The name of the key's file.
    pub fn file_name(self) -> String {
        match self {
            Self::Vault(_) => format!("{self}.kek"),
            _ => format!("{self}.key"),
        }
    }

    /// The name of the file of a key that is to follow this one, until the log has granted it.
    pub(crate) fn next_name(self) -> String {
        format!("{self}.next")
    }
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Log => f.write_str("log"),
            Self::LogMlDsa => f.write_str("log-mldsa"),
            Self::Permit => f.write_str("permit"),
            Self::Vault(epoch) => write!(f, "vault-{epoch}"),
            Self::BlindIndex => f.write_str("blind-index"),
            Self::Token => f.write_str("token"),
            Self::Witness => f.write_str("witness"),
            Self::WitnessMlDsa => f.write_str("witness-mldsa"),
            Self::Reviewer => f.write_str("reviewer"),
            Self::Recipient => f.write_str("recipient"),
        }
    }
}

/// Why keys could not be made or loaded. Never says anything of a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system refused to read, write or rename.
    #[error("`{path}`: {error}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is no such key file.
    #[error("there is no key at `{path}`", path = path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The directory holds something already.
    #[error("`{path}` is not empty, and keys are never overwritten", path = path.display())]
    AlreadyThere {
        /// The directory.
        path: PathBuf,
    },
    /// Others than the owner may read or write it.
    #[error("`{path}` has the mode {mode:o}: only its owner may have access", path = path.display())]
    Permissions {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they must be.
        wanted: u32,
    },
    /// It is no key file.
    #[error("`{path}` is no key file: {reason}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key is for another purpose.
    #[error("`{path}` holds the key `{found}`, not `{expected}`", path = path.display())]
    Purpose {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        expected: Purpose,
        /// What its header says.
        found: String,
    },
    /// The secret does not fit the header.
    #[error("`{path}` is damaged: the secret does not belong to its header", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The key is another log's.
    #[error("`{path}` is a key of `{found}`, the others are of `{expected}`", path = path.display())]
    Origin {
        /// The file.
        path: PathBuf,
        /// The origin of the log key.
        expected: Origin,
        /// The origin that the file says.
        found: String,
    },
    /// A key cannot have this origin in its name.
    #[error("the origin `{origin}` cannot name keys: {reason}")]
    Name {
        /// The origin.
        origin: Origin,
        /// Why not.
        reason: String,
    },
    /// There are more epochs of vault keys than a vault takes.
    #[error("`{path}` holds more than {limit} vault keys", path = path.display())]
    TooManyEpochs {
        /// The directory.
        path: PathBuf,
        /// The limit.
        limit: u32,
    },
    /// The cryptographic library refused a key.
    #[error("the key `{0}` could not be set up")]
    Setup(Purpose),
}

impl KeyFileError {
    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Permissions { path, wanted, .. } => {
                Some(format!("chmod {wanted:o} '{}'", path.display()))
            }
            Self::Missing { path } if path.ends_with(Purpose::Root.file_name()) => Some(
                "the root key is needed to grant or revoke keys: bring it back for that, and take it away again"
                    .to_owned(),
            ),
            Self::Missing { .. } => {
                Some("bring the key back from its backup; a new one opens nothing that is there".to_owned())
            }
            Self::Damaged { .. } => Some("bring the key back from its backup".to_owned()),
            Self::AlreadyThere { .. } => Some("choose another directory".to_owned()),
            _ => None,
        }
    }

    pub(crate) fn reading(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io { path, error },
        }
    }

    pub(crate) fn writing(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            // POSIX lets a rename onto a directory that is not empty fail with either.
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                Self::AlreadyThere { path }
            }
            _ => Self::Io { path, error },
        }
    }
}

/// A secret that was made or read for one purpose.
pub(crate) struct KeyFile {
    purpose: Purpose,
    pub(crate) origin: Origin,
    pub(crate) id: String,
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

impl KeyFile {
    /// Makes a fresh key and writes it into `dir`.
    pub(crate) fn create(
        dir: &Path,
        purpose: Purpose,
        origin: &Origin,
        random: &dyn Random,
    ) -> Result<Self, KeyFileError> {
        Self::create_as(dir, &purpose.file_name(), purpose, origin, random)
    }

    /// The same in a file of this name, which is replaced if it is there.
    pub(crate) fn create_as(
        dir: &Path,
        name: &str,
        purpose: Purpose,
        origin: &Origin,
        random: &dyn Random,
    ) -> Result<Self, KeyFileError> {
        let key = Self::fresh(purpose, origin, random);
        key.write(dir, name)?;
        Ok(key)
    }

    /// A fresh key that is in no file yet.
    pub(crate) fn fresh(purpose: Purpose, origin: &Origin, random: &dyn Random) -> Self {
        let mut secret = Zeroizing::new([0u8; 32]);
        random.fill(secret.as_mut_slice());
        Self {
            purpose,
            origin: origin.clone(),
            id: key_id(purpose, &secret),
            secret,
        }
    }

    /// A fresh key of a person, who has it for several logs: `name` stands in place of a log.
    pub(crate) fn fresh_personal(
        purpose: Purpose,
        name: &str,
        random: &dyn Random,
    ) -> Result<Self, KeyFileError> {
        let name: Origin = name.parse().map_err(|_| KeyFileError::Setup(purpose))?;
        Ok(Self::fresh(purpose, &name, random))
    }

    /// Writes the key into a new file, wherever its owner wants it. A file that is there stays, and is
    /// an error.
    pub(crate) fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        if path.exists() {
            let path = path.to_owned();
            return Err(KeyFileError::AlreadyThere { path });
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| KeyFileError::Malformed {
            path: path.to_owned(),
            reason: "its name is no text",
        })?;
        self.write(dir.unwrap_or(Path::new(".")), name)
    }

    /// Writes the key into a file of this name, which is replaced if it is there.
    pub(crate) fn write(&self, dir: &Path, name: &str) -> Result<(), KeyFileError> {
        let (purpose, id, origin) = (self.purpose, &self.id, &self.origin);
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.secret.as_slice()));
        let text = Zeroizing::new(format!(
            "{FORMAT} {purpose} {id}\norigin {origin}\nsecret {}\n",
            encoded.as_str()
        ));
        write_private(dir, name, &text)
            .map_err(|error| KeyFileError::writing(&dir.join(name), error))
    }

    /// Reads the key for `purpose` from `dir`.
    pub(crate) fn load(dir: &Path, purpose: Purpose) -> Result<Self, KeyFileError> {
        Self::load_file(&dir.join(purpose.file_name()), purpose)
    }

    /// Reads the key for `purpose`, wherever it lies.
    pub(crate) fn load_file(path: &Path, purpose: Purpose) -> Result<Self, KeyFileError> {
        let path = path.to_owned();
        let read = read_private(&path, MAX_FILE_BYTES);
        match read.map_err(|error| KeyFileError::reading(&path, error))? {
            Private::Text(text) => parse(&path, &text, purpose),
            Private::Loose(mode) => Err(KeyFileError::Permissions {
                path,
                mode,
                wanted: 0o600,
            }),
            Private::NotText => Err(KeyFileError::Malformed {
                path,
                reason: "it is too long, or no text",
            }),
        }
    }
}

fn parse(path: &Path, text: &str, purpose: Purpose) -> Result<KeyFile, KeyFileError> {
    let malformed = |reason| KeyFileError::Malformed {
        path: path.to_owned(),
        reason,
    };
    let lines: Vec<&str> = text.split('\n').collect();
    let [header, origin, secret, ""] = lines.as_slice() else {
        return Err(malformed("it must have three lines"));
    };
    let words: Vec<&str> = header.split(' ').collect();
    let [FORMAT, found, id] = words.as_slice() else {
        return Err(malformed(
            "its first line must be `countersign-key/v1`, a purpose and an id",
        ));
    };
    if !is_purpose(found) {
        return Err(malformed("its first line names no purpose"));
    }
    if *found != purpose.to_string() {
        return Err(KeyFileError::Purpose {
            path: path.to_owned(),
            expected: purpose,
            found: (*found).to_owned(),
        });
    }
    let origin = origin
        .strip_prefix("origin ")
        .and_then(|text| text.parse().ok());
    let origin: Origin =
        origin.ok_or_else(|| malformed("its second line must be `origin` and an origin"))?;
    let secret = secret.strip_prefix("secret ").and_then(decode_secret);
    let secret = secret.ok_or_else(|| {
        malformed("its third line must be `secret` and 43 characters of unpadded base64url")
    })?;
    let computed = key_id(purpose, &secret);
    if constant_time::verify_slices_are_equal(computed.as_bytes(), id.as_bytes()).is_err() {
        return Err(KeyFileError::Damaged {
            path: path.to_owned(),
        });
    }
    Ok(KeyFile {
        purpose,
        origin,
        id: computed,
        secret,
    })
}

/// Whether a word may be shown as a purpose; a secret in the wrong place may not.
fn is_purpose(word: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    word.len() <= 16 && word.bytes().all(is_allowed)
}

fn decode_secret(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    let mut secret = Zeroizing::new([0u8; 32]);
    if bytes.len() != secret.len() {
        return None;
    }
    secret.copy_from_slice(&bytes);
    Some(secret)
}

fn key_id(purpose: Purpose, secret: &Zeroizing<[u8; 32]>) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_slice());
    let tag = hmac::sign(&key, format!("countersign/key-id/v1\n{purpose}").as_bytes());
    let shown = tag.as_ref().iter().take(ID_BYTES);
    shown.map(|byte| format!("{byte:02x}")).collect()
}
