//! Keys that wrap keys: AES-256 key wrap (RFC 3394).

use aws_lc_rs::key_wrap::{self, AES_256, KeyWrap as _};
use countersign_core::random::{Random, bytes32};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of every key here: all are for AES-256.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of a wrapped key (RFC 3394 section 2.2.1: one block of eight bytes more).
const WRAPPED_BYTES: usize = KEY_BYTES + 8;

/// The key of one record. It never leaves memory unwrapped, and is overwritten when dropped.
pub(crate) struct RecordKey(Zeroizing<[u8; KEY_BYTES]>);

impl RecordKey {
    pub(crate) fn fresh(random: &dyn Random) -> Self {
        Self(Zeroizing::new(bytes32(random)))
    }

    pub(crate) fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// The key of a tenant in one epoch, which wraps the keys of its records. It is stored only wrapped
/// by a key-encryption key, and is overwritten when dropped.
pub struct TenantKey(Zeroizing<[u8; KEY_BYTES]>);

impl TenantKey {
    /// A new key.
    pub fn fresh(random: &dyn Random) -> Self {
        Self(Zeroizing::new(bytes32(random)))
    }

    /// Takes the bytes of a key.
    pub fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one who wraps them.
    pub fn as_bytes(&self) -> &Zeroizing<[u8; KEY_BYTES]> {
        &self.0
    }
}

/// Why a key could not be wrapped or unwrapped. Says nothing of the key.
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

/// Something that holds a key-encryption key: here in memory, or a key service or a security module
/// elsewhere. It is asked once when an epoch begins and once when a vault is opened, never for a
/// record.
pub trait KeyWrapper: Send + Sync {
    /// The id of the key, which stands beside every key that it wrapped.
    fn id(&self) -> &str;

    /// Wraps a tenant's key.
    fn wrap(&self, key: &TenantKey) -> Result<Vec<u8>, WrapError>;

    /// Unwraps what [`KeyWrapper::wrap`] gave. Must refuse bytes that were changed.
    fn unwrap(&self, wrapped: &[u8]) -> Result<TenantKey, WrapError>;
}

/// A key-encryption key in memory.
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

    pub(crate) fn into_parts(self) -> (String, Zeroizing<[u8; KEY_BYTES]>) {
        (self.id, self.bytes)
    }
}

impl KeyWrapper for KeyEncryptionKey {
    fn id(&self) -> &str {
        &self.id
    }

    fn wrap(&self, key: &TenantKey) -> Result<Vec<u8>, WrapError> {
        wrap(&self.bytes, &key.0).ok_or_else(|| WrapError::new(&self.id, "wrapping failed"))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<TenantKey, WrapError> {
        let key = unwrap(&self.bytes, wrapped).map(TenantKey);
        key.ok_or_else(|| WrapError::new(&self.id, "it did not wrap this key"))
    }
}

/// One key wrapped by another; `None` if the cipher fails.
pub(crate) fn wrap(by: &[u8; KEY_BYTES], key: &[u8; KEY_BYTES]) -> Option<Vec<u8>> {
    let cipher = key_wrap::KeyEncryptionKey::new(&AES_256, by).ok()?;
    let mut wrapped = [0u8; WRAPPED_BYTES];
    let wrapped = cipher.wrap(key, &mut wrapped).ok()?;
    Some(wrapped.to_vec())
}

/// What was wrapped; `None` if it was not wrapped by this key, or was changed since.
pub(crate) fn unwrap(by: &[u8; KEY_BYTES], wrapped: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if wrapped.len() != WRAPPED_BYTES {
        return None;
    }
    let cipher: key_wrap::AesKek = key_wrap::KeyEncryptionKey::new(&AES_256, by).ok()?;
    // The cipher wants room for one block more than the key.
    let mut room = [0u8; WRAPPED_BYTES];
    let unwrapped = cipher.unwrap(wrapped, &mut room).ok();
    let key = unwrapped.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(&*bytes).ok());
    let key = key.map(Zeroizing::new);
    room.zeroize();
    key
}
