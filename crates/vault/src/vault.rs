//! Sealing documents and opening records.

use std::sync::{Arc, PoisonError, RwLock};

use countersign_core::document::{Document, DocumentError, SealedRecord};
use countersign_core::json::CanonicalError;
use countersign_core::names::TenantId;
use countersign_core::random::Random;
use countersign_core::refs::Sha256;

use crate::epoch::Epoch;
use crate::sealing::{Context, Refused, decrypt, encrypt};
use crate::wrap::{RecordKey, WrapError};

/// Most epochs of keys of one vault at a time.
pub(crate) const MAX_EPOCHS: usize = 1024;

/// Seals and opens the records of one tenant.
///
/// A record is AES-256-GCM under a random key of its own, to which it commits: see `sealing`. What
/// is authenticated beside it are the record's ref, the tenant and the kind. What was opened is
/// hashed again and must give the record's ref, so nobody who holds the keys can put another text
/// under a ref.
///
/// Epochs come and go while records are sealed and opened.
pub struct Vault {
    tenant: TenantId,
    /// The oldest first, never empty.
    epochs: RwLock<Arc<[Epoch]>>,
}

/// Why a vault cannot be made of these keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// There is no key.
    #[error("a vault needs at least one epoch of keys")]
    NoKey,
    /// Two keys have one id.
    #[error("two epochs of keys have the id `{0}`")]
    SameId(String),
    /// An epoch does not come after those that are there.
    #[error("epoch {found} of the vault's keys does not come after epoch {newest}")]
    Order {
        /// The newest.
        newest: u32,
        /// The one that is to follow it.
        found: u32,
    },
    /// There are too many keys.
    #[error("{0} epochs of keys are over the limit of {MAX_EPOCHS}")]
    TooMany(usize),
}

/// Why a document could not be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The document has no canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The document is longer than a reader of its kind takes, so nobody could open it.
    #[error("a document of {found} bytes is over the limit of {limit} of the kind `{kind}`")]
    TooLong {
        /// The document's kind.
        kind: &'static str,
        /// Its length.
        found: usize,
        /// The limit of its kind.
        limit: usize,
    },
    /// The key of the record could not be wrapped.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// The cipher failed.
    #[error("the document could not be encrypted")]
    Encrypt,
}

/// Why a record was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The vault does not hold the epoch that the record names: it was destroyed, or is lost.
    #[error("the epoch of keys `{key_id}` is not here")]
    UnknownKey {
        /// The id that the record names.
        key_id: String,
    },
    /// The record's key could not be unwrapped: it was changed, or is another record key's.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// The record commits to another key, or to other data than stand with it.
    #[error(
        "the record does not commit to its key: it was changed, or its parts are not of one record"
    )]
    Commitment,
    /// The record was changed, or is another tenant's, or its parts are not of one record.
    #[error("the record does not decrypt: it was changed, or its parts are not of one record")]
    Decrypt,
    /// What decrypted is not what the record's ref commits to.
    #[error("the record opens to a document with the ref {found}, not {expected}")]
    WrongRef {
        /// The record's ref.
        expected: Sha256,
        /// The ref of what was in it.
        found: Sha256,
    },
    /// The record is of another kind than was asked for.
    #[error("the record is of the kind `{found}`, not `{expected}`")]
    WrongKind {
        /// What was asked for.
        expected: &'static str,
        /// What the record says.
        found: String,
    },
    /// The content is no document of its kind.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// Why the key of a record was not wrapped anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewrapError {
    /// No epoch that is here opens it: without its key it stays as it is, for ever.
    #[error(transparent)]
    Open(OpenError),
    /// The newest epoch could not wrap it.
    #[error(transparent)]
    Wrap(WrapError),
}

impl Vault {
    /// A vault over these epochs, the oldest first: the newest wraps, all unwrap.
    pub fn new(tenant: TenantId, epochs: Vec<Epoch>) -> Result<Self, VaultError> {
        check(&epochs)?;
        Ok(Self {
            tenant,
            epochs: RwLock::new(epochs.into()),
        })
    }

    /// The tenant whose records these are.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Number and id of the newest epoch, under which is sealed.
    pub fn newest(&self) -> Result<(u32, String), VaultError> {
        let epochs = self.epochs();
        let newest = epochs.last().ok_or(VaultError::NoKey)?;
        Ok((newest.number(), newest.id().to_owned()))
    }

    /// Seals under this epoch from now on. What was sealed before and is not stored yet is still
    /// under an older one: [`Vault::admit`].
    pub fn begin(&self, epoch: Epoch) -> Result<(), VaultError> {
        let mut held = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
        let mut epochs = held.to_vec();
        epochs.push(epoch);
        check(&epochs)?;
        *held = epochs.into();
        Ok(())
    }

    /// Forgets the epochs before this one; the newest stays, whatever its number.
    pub fn forget_before(&self, number: u32) {
        let mut held = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
        let newest = held.last().map(Epoch::number);
        let stays = |epoch: &&Epoch| epoch.number() >= number || Some(epoch.number()) == newest;
        *held = held.iter().filter(stays).cloned().collect();
    }

    /// Seals a document under a fresh key; gives its ref and the record to be stored.
    pub fn seal<D: Document>(
        &self,
        document: &D,
        random: &dyn Random,
    ) -> Result<(D::Ref, SealedRecord), SealError> {
        let canonical = document.canonical()?;
        let reference = canonical.digest();
        let mut bytes = canonical.into_bytes();
        if bytes.len() > D::MAX_BYTES {
            return Err(SealError::TooLong {
                kind: D::KIND,
                found: bytes.len(),
                limit: D::MAX_BYTES,
            });
        }
        let key = RecordKey::fresh(random);
        let (key_id, wrapped_key) = self.wrap(&key)?;
        let context = Context {
            reference: &reference,
            tenant: &self.tenant,
            kind: D::KIND,
        };
        let nonce = encrypt(&key, &context, &mut bytes, random).ok_or(SealError::Encrypt)?;
        let record = SealedRecord {
            reference,
            kind: D::KIND.to_owned(),
            key_id,
            wrapped_key,
            nonce,
            ciphertext: bytes,
        };
        Ok((reference.into(), record))
    }

    /// Opens a record as a document of kind `D`.
    pub fn open<D: Document>(&self, record: &SealedRecord) -> Result<D, OpenError> {
        if record.kind != D::KIND {
            return Err(OpenError::WrongKind {
                expected: D::KIND,
                found: record.kind.clone(),
            });
        }
        Ok(D::from_canonical(&self.open_bytes(record)?)?)
    }

    /// Opens a record of any kind: the document's canonical JSON, which hashes to the record's ref.
    pub fn open_bytes(&self, record: &SealedRecord) -> Result<Vec<u8>, OpenError> {
        let key = self.unwrap(&record.key_id, &record.wrapped_key)?;
        let context = Context {
            reference: &record.reference,
            tenant: &self.tenant,
            kind: &record.kind,
        };
        let bytes = decrypt(&key, &context, &record.nonce, &record.ciphertext);
        let bytes = bytes.map_err(|refused| match refused {
            Refused::Commitment => OpenError::Commitment,
            Refused::Cipher => OpenError::Decrypt,
        })?;
        let found = Sha256::of(&bytes);
        if found != record.reference {
            return Err(OpenError::WrongRef {
                expected: record.reference,
                found,
            });
        }
        Ok(bytes)
    }

    /// Wraps the key of a record anew under the newest epoch: its id, and the key as it is wrapped
    /// then. Nothing else of the record changes.
    pub fn rewrap(
        &self,
        key_id: &str,
        wrapped_key: &[u8],
    ) -> Result<(String, Vec<u8>), RewrapError> {
        let key = self
            .unwrap(key_id, wrapped_key)
            .map_err(RewrapError::Open)?;
        self.wrap(&key).map_err(RewrapError::Wrap)
    }

    /// Lets a record that was sealed before the newest epoch began be under it. To be called where
    /// records are stored, in the order in which they are.
    pub fn admit(&self, record: &mut SealedRecord) -> Result<(), RewrapError> {
        let is_newest = |epoch: &Epoch| epoch.id() == record.key_id;
        if !self.epochs().last().is_some_and(is_newest) {
            (record.key_id, record.wrapped_key) =
                self.rewrap(&record.key_id, &record.wrapped_key)?;
        }
        Ok(())
    }

    fn wrap(&self, key: &RecordKey) -> Result<(String, Vec<u8>), WrapError> {
        let epochs = self.epochs();
        let newest = epochs.last();
        let newest = newest.ok_or_else(|| WrapError::new("newest", "there is none"))?;
        Ok((newest.id().to_owned(), newest.wrap(key)?))
    }

    fn unwrap(&self, key_id: &str, wrapped_key: &[u8]) -> Result<RecordKey, OpenError> {
        let epochs = self.epochs();
        let epoch = epochs.iter().rev().find(|epoch| epoch.id() == key_id);
        let epoch = epoch.ok_or_else(|| OpenError::UnknownKey {
            key_id: key_id.to_owned(),
        })?;
        Ok(epoch.unwrap(wrapped_key)?)
    }

    fn epochs(&self) -> Arc<[Epoch]> {
        let held = self.epochs.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }
}

/// Whether there are epochs, not too many, and each after the one before it.
fn check(epochs: &[Epoch]) -> Result<(), VaultError> {
    if epochs.is_empty() {
        return Err(VaultError::NoKey);
    }
    if epochs.len() > MAX_EPOCHS {
        return Err(VaultError::TooMany(epochs.len()));
    }
    for (at, epoch) in epochs.iter().enumerate() {
        let before = epochs.iter().take(at);
        for earlier in before {
            if earlier.id() == epoch.id() {
                return Err(VaultError::SameId(epoch.id().to_owned()));
            }
            if earlier.number() >= epoch.number() {
                return Err(VaultError::Order {
                    newest: earlier.number(),
                    found: epoch.number(),
                });
            }
        }
    }
    Ok(())
}
