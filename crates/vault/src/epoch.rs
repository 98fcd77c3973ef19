//! Epochs of keys: which key wraps the keys of records, and since when.

use std::sync::Arc;

use countersign_core::random::Random;
use zeroize::Zeroizing;

use crate::wrap::{
    KEY_BYTES, KeyEncryptionKey, KeyWrapper, RecordKey, TenantKey, WrapError, unwrap, wrap,
};

/// One epoch: the key under which the keys of records are wrapped.
///
/// That key is the tenant's, which a key-encryption key wraps. In epochs that were begun before
/// there were tenant keys, it is the key-encryption key itself.
#[derive(Clone)]
pub struct Epoch {
    number: u32,
    id: String,
    key: Arc<Zeroizing<[u8; KEY_BYTES]>>,
}

impl Epoch {
    /// Begins an epoch with a fresh tenant key; gives that key as it is to be stored, wrapped.
    pub fn begin(
        number: u32,
        kek: &dyn KeyWrapper,
        random: &dyn Random,
    ) -> Result<(Self, Vec<u8>), WrapError> {
        let tenant_key = TenantKey::fresh(random);
        let wrapped = kek.wrap(&tenant_key)?;
        Ok((Self::of(number, kek, &tenant_key), wrapped))
    }

    /// Opens an epoch by its tenant key as it was stored.
    pub fn open(number: u32, kek: &dyn KeyWrapper, wrapped: &[u8]) -> Result<Self, WrapError> {
        Ok(Self::of(number, kek, &kek.unwrap(wrapped)?))
    }

    /// An epoch without a tenant key: the key-encryption key wraps the keys of records itself.
    pub fn direct(number: u32, kek: KeyEncryptionKey) -> Self {
        let (id, key) = kek.into_parts();
        Self {
            number,
            id,
            key: Arc::new(key),
        }
    }

    fn of(number: u32, kek: &dyn KeyWrapper, tenant_key: &TenantKey) -> Self {
        Self {
            number,
            id: kek.id().to_owned(),
            key: Arc::new(tenant_key.as_bytes().clone()),
        }
    }

    /// Its number; epochs are counted from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How records name it: `key_id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn wrap(&self, key: &RecordKey) -> Result<Vec<u8>, WrapError> {
        wrap(&self.key, key.as_bytes()).ok_or_else(|| WrapError::new(&self.id, "wrapping failed"))
    }

    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Result<RecordKey, WrapError> {
        let key = unwrap(&self.key, wrapped).map(RecordKey::from_bytes);
        key.ok_or_else(|| WrapError::new(&self.id, "it did not wrap this record's key"))
    }
}

/// An epoch that is there, as whoever keeps the keys says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochMark {
    /// Its number.
    pub number: u32,
    /// How many entries the log had when it was begun: what was erased by one of them has never
    /// been under this epoch's keys.
    pub began: u64,
}

/// Why the keys of an epoch could not be made, found or destroyed.
#[derive(Debug, thiserror::Error)]
#[error("the vault's keys: {0}")]
pub struct EpochError(Box<dyn std::error::Error + Send + Sync>);

impl EpochError {
    /// An error for this reason.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// Where the keys of epochs are kept: files here, or a key service.
pub trait KeyEpochs: Send + Sync {
    /// The epochs whose keys are there, the oldest first; never none. Those that
    /// [`KeyEpochs::destroy_before`] was told to destroy do not count, whatever is left of them.
    fn present(&self) -> Result<Vec<EpochMark>, EpochError>;

    /// Makes the keys of the next epoch; they are durable on return. `began` is the log's size.
    fn begin(&self, began: u64) -> Result<Epoch, EpochError>;

    /// Destroys the keys of all epochs before this one, for good. After an interruption it is called
    /// again, and then destroys what is left of them.
    fn destroy_before(&self, number: u32) -> Result<(), EpochError>;
}
