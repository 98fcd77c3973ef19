//! Sealing documents and opening records.

use std::collections::BTreeSet;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use countersign_core::document::{Document, DocumentError, SealedRecord};
use countersign_core::json::CanonicalError;
use countersign_core::names::TenantId;
use countersign_core::random::{Random, bytes32};
use countersign_core::refs::Sha256;

use crate::framing::frame;
use crate::wrap::{KeyWrapper, RecordKey, WrapError};

/// Most key-encryption keys of one vault: each rotation adds one.
pub(crate) const MAX_WRAPPERS: usize = 1024;

/// Seals and opens the records of one tenant.
///
/// A record is AES-256-GCM under a random key of its own, with a random nonce. Its associated data
/// are the record's ref, the tenant and the kind, each after its length. The id of the wrapping
/// key is left out, so that a record can be wrapped anew without being encrypted anew.
///
/// AES-GCM does not commit to its key: a ciphertext can be made that opens to two plaintexts under
/// two keys. Therefore what was opened is hashed again and must give the record's ref.
pub struct Vault {
    tenant: TenantId,
    newest: Box<dyn KeyWrapper>,
    older: Vec<Box<dyn KeyWrapper>>,
}

/// Why a vault cannot be made of these keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// There is no key.
    #[error("a vault needs at least one key-encryption key")]
    NoKey,
    /// Two keys have one id.
    #[error("two key-encryption keys have the id `{0}`")]
    SameId(String),
    /// There are too many keys.
    #[error("{0} key-encryption keys are over the limit of {MAX_WRAPPERS}")]
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
    /// The vault does not hold the key-encryption key that the record names.
    #[error("the key-encryption key `{key_id}` is not here")]
    UnknownKey {
        /// The id that the record names.
        key_id: String,
    },
    /// The record's key could not be unwrapped: it was changed, or is another record key's.
    #[error(transparent)]
    Wrap(#[from] WrapError),
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

impl Vault {
    /// A vault over these keys, the newest last: it wraps, all unwrap.
    pub fn new(
        tenant: TenantId,
        mut wrappers: Vec<Box<dyn KeyWrapper>>,
    ) -> Result<Self, VaultError> {
        if wrappers.len() > MAX_WRAPPERS {
            return Err(VaultError::TooMany(wrappers.len()));
        }
        let mut ids = BTreeSet::new();
        for wrapper in &wrappers {
            if !ids.insert(wrapper.id()) {
                return Err(VaultError::SameId(wrapper.id().to_owned()));
            }
        }
        let newest = wrappers.pop().ok_or(VaultError::NoKey)?;
        Ok(Self {
            tenant,
            newest,
            older: wrappers,
        })
    }

    /// The tenant whose records these are.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
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
        let key = RecordKey::from_bytes(bytes32(random));
        let wrapped_key = self.newest.wrap(&key)?;
        let mut nonce = [0u8; NONCE_LEN];
        random.fill(&mut nonce);
        let aad = associated_data(&reference, &self.tenant, D::KIND);
        cipher(&key)
            .ok_or(SealError::Encrypt)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut bytes,
            )
            .map_err(|_| SealError::Encrypt)?;
        let record = SealedRecord {
            reference,
            kind: D::KIND.to_owned(),
            key_id: self.newest.id().to_owned(),
            wrapped_key,
            nonce: nonce.to_vec(),
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
        let key = self.wrapper(&record.key_id)?.unwrap(&record.wrapped_key)?;
        let nonce = Nonce::try_assume_unique_for_key(&record.nonce);
        let nonce = nonce.map_err(|_| OpenError::Decrypt)?;
        let aad = associated_data(&record.reference, &self.tenant, &record.kind);
        let mut bytes = record.ciphertext.clone();
        let length = cipher(&key)
            .ok_or(OpenError::Decrypt)?
            .open_in_place(nonce, Aad::from(aad), &mut bytes)
            .map_err(|_| OpenError::Decrypt)?
            .len();
        bytes.truncate(length);
        let found = Sha256::of(&bytes);
        if found != record.reference {
            return Err(OpenError::WrongRef {
                expected: record.reference,
                found,
            });
        }
        Ok(bytes)
    }

    fn wrapper(&self, key_id: &str) -> Result<&dyn KeyWrapper, OpenError> {
        std::iter::once(&self.newest)
            .chain(&self.older)
            .find(|wrapper| wrapper.id() == key_id)
            .map(AsRef::as_ref)
            .ok_or_else(|| OpenError::UnknownKey {
                key_id: key_id.to_owned(),
            })
    }
}

fn cipher(key: &RecordKey) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key.as_bytes()).ok()?;
    Some(LessSafeKey::new(key))
}

fn associated_data(reference: &Sha256, tenant: &TenantId, kind: &str) -> Vec<u8> {
    frame(
        "countersign/sealed-record/v1\n",
        &[
            reference.as_bytes(),
            tenant.as_str().as_bytes(),
            kind.as_bytes(),
        ],
    )
}
