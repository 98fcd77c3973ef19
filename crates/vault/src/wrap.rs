//! Keys of records, and the keys that wrap them.

use aws_lc_rs::key_wrap::{self, AES_256, KeyWrap as _};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a record's key and of a key-encryption key: both are for AES-256.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of a wrapped record key (RFC 3394 section 2.2.1: one block of eight bytes more).
const WRAPPED_BYTES: usize = KEY_BYTES + 8;

/// The key of one record. It never leaves memory unwrapped, and is overwritten when dropped.
pub struct RecordKey(Zeroizing<[u8; KEY_BYTES]>);

impl RecordKey {
    /// Takes the bytes of a key.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one who wraps them.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// Why a record's key could not be wrapped or unwrapped. Says nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key `{key_id}`: {reason}")]
pub struct WrapError {
    key_id: String,
    reason: String,
}

impl WrapError {
    /// An error with a reason for people, without secrets in it.
    pub fn new(key_id: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            key_id: key_id.into(),
            reason: reason.into(),
        }
    }
}

/// Something that holds a key-encryption key: here in memory, or a key service elsewhere.
pub trait KeyWrapper: Send + Sync {
    /// The id of the key, which stands beside every key that it wrapped.
    fn id(&self) -> &str;

    /// Wraps a record's key.
    fn wrap(&self, key: &RecordKey) -> Result<Vec<u8>, WrapError>;

    /// Unwraps what [`KeyWrapper::wrap`] gave. Must refuse bytes that were changed.
    fn unwrap(&self, wrapped: &[u8]) -> Result<RecordKey, WrapError>;
}

/// A key-encryption key in memory: AES-256 key wrap (RFC 3394).
pub struct KeyEncryptionKey {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl KeyEncryptionKey {
    /// A key by its id and bytes.
    pub fn new(id: impl Into<String>, bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self {
            id: id.into(),
            bytes,
        }
    }

    fn cipher(&self) -> Result<key_wrap::AesKek, WrapError> {
        key_wrap::KeyEncryptionKey::new(&AES_256, self.bytes.as_slice())
            .map_err(|_| WrapError::new(&self.id, "the key could not be set up"))
    }
}

impl KeyWrapper for KeyEncryptionKey {
    fn id(&self) -> &str {
        &self.id
    }

    fn wrap(&self, key: &RecordKey) -> Result<Vec<u8>, WrapError> {
        let mut wrapped = [0u8; WRAPPED_BYTES];
        match self.cipher()?.wrap(key.as_bytes(), &mut wrapped) {
            Ok(wrapped) => Ok(wrapped.to_vec()),
            Err(_) => Err(WrapError::new(&self.id, "wrapping failed")),
        }
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<RecordKey, WrapError> {
        let refused = || WrapError::new(&self.id, "it did not wrap this record's key");
        if wrapped.len() != WRAPPED_BYTES {
            return Err(refused());
        }
        // The cipher wants room for one block more than the key.
        let mut room = [0u8; WRAPPED_BYTES];
        let unwrapped = self.cipher()?.unwrap(wrapped, &mut room);
        let key = unwrapped
            .ok()
            .and_then(|bytes| <[u8; KEY_BYTES]>::try_from(&*bytes).ok())
            .map(RecordKey::from_bytes);
        room.zeroize();
        key.ok_or_else(refused)
    }
}
