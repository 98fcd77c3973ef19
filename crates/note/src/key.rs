//! Verifier keys ("vkeys"): public keys with a name and a purpose.

use crate::checkpoint::Checkpoint;
use crate::cosignature::{Timestamp, checkpoint_message, cosignature_message};
use crate::encoding::{from_base64, to_base64};
use crate::ml_dsa;
use crate::name::{KeyId, KeyName, KeyNameError};
use ed25519_dalek::{Signature, VerifyingKey};
use std::fmt;
use std::str::FromStr;

/// The longest vkey that is read; an ML-DSA-44 one with the longest name has 2,017 bytes.
pub const MAX_VKEY_LEN: usize = 4096;

/// What kind of signature a key makes, by the type byte of signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureType {
    /// `0x01`: Ed25519 over the note's text.
    Ed25519,
    /// `0x04`: Ed25519 over a checkpoint and a time (tlog-cosignature).
    CosignatureV1,
    /// `0x06`: ML-DSA-44 over a checkpoint and a time (tlog-cosignature), for logs and witnesses
    /// alike. Checked if this crate was built with its feature `ml-dsa`.
    MlDsa44,
    /// Any other; such keys are kept and ignored.
    Other(u8),
}

impl SignatureType {
    /// The type of this byte.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0x01 => Self::Ed25519,
            0x04 => Self::CosignatureV1,
            0x06 => Self::MlDsa44,
            other => Self::Other(other),
        }
    }

    /// The byte of this type.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
            Self::MlDsa44 => 0x06,
            Self::Other(byte) => byte,
        }
    }

    /// Whether signatures of this type can be checked here.
    pub const fn is_supported(self) -> bool {
        match self {
            Self::Ed25519 | Self::CosignatureV1 => true,
            Self::MlDsa44 => cfg!(feature = "ml-dsa"),
            Self::Other(_) => false,
        }
    }
}

/// The byte and, if it has one, the name of the type.
impl fmt::Display for SignatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Ed25519 => " (ed25519)",
            Self::CosignatureV1 => " (cosignature/v1)",
            Self::MlDsa44 => " (ml-dsa-44)",
            Self::Other(_) => "",
        };
        write!(f, "{:#04x}{name}", self.byte())
    }
}

/// A public key that may have signed a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Ed25519(VerifyingKey),
    CosignatureV1(VerifyingKey),
    MlDsa44(Box<[u8; ml_dsa::PUBLIC_KEY_LEN]>),
    Other {
        signature_type: SignatureType,
        public_key: Vec<u8>,
    },
}

/// Why a text is not a verifier key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key is longer than any.
    #[error("a verifier key of {got} bytes is longer than the maximum of {MAX_VKEY_LEN}")]
    TooLong {
        /// How many bytes came.
        got: usize,
    },
    /// There are not three parts.
    #[error(
        "a verifier key is `name+id+key`, with an id of 8 hexadecimal digits and a key in base64"
    )]
    Shape,
    /// The name is refused.
    #[error(transparent)]
    Name(#[from] KeyNameError),
    /// The id is not that of the key.
    #[error("the key has the id {computed}, not {got}")]
    Id {
        /// The id that came.
        got: KeyId,
        /// The id of name, type and key.
        computed: KeyId,
    },
    /// The public key has the wrong length for its type.
    #[error("a public key of type {signature_type} has {expected} bytes, got {got}")]
    Length {
        /// The type of the key.
        signature_type: SignatureType,
        /// How many bytes it must have.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// The bytes are not a point of the curve in its one encoding.
    #[error("the public key is not a valid ed25519 key")]
    Point,
    /// Signatures of such a key can be made to fit many messages.
    #[error("the public key is one of low order, for which anyone can make signatures")]
    LowOrder,
}

impl VerifierKey {
    /// An Ed25519 key (type `0x01`) that signs notes.
    pub fn ed25519(name: KeyName, public_key: &[u8; 32]) -> Result<Self, KeyError> {
        Self::new(name, SignatureType::Ed25519, public_key)
    }

    /// An Ed25519 key (type `0x04`) that cosigns checkpoints.
    pub fn cosignature_v1(name: KeyName, public_key: &[u8; 32]) -> Result<Self, KeyError> {
        Self::new(name, SignatureType::CosignatureV1, public_key)
    }

    /// An ML-DSA-44 key (type `0x06`) that signs checkpoints: a log's or a witness's.
    pub fn ml_dsa_44(name: KeyName, public_key: &[u8; 1312]) -> Result<Self, KeyError> {
        Self::new(name, SignatureType::MlDsa44, public_key)
    }

    /// A key of any type, with the id that signed-note recommends.
    pub fn new(
        name: KeyName,
        signature_type: SignatureType,
        public_key: &[u8],
    ) -> Result<Self, KeyError> {
        let type_byte = signature_type.byte();
        let id = KeyId::compute(&name, type_byte, public_key);
        // `Other` may have been given the byte of a type that has a name.
        let material = Material::new(SignatureType::from_byte(type_byte), public_key)?;
        Ok(Self { name, id, material })
    }

    /// Reads a vkey: `name+id+base64(type ‖ public key)`.
    ///
    /// The id is checked for the types that are known here; others may compute it their own way.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.len() > MAX_VKEY_LEN {
            return Err(KeyError::TooLong { got: text.len() });
        }
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Shape);
        };
        let name = KeyName::parse(name)?;
        let id = KeyId::from_hex(id).ok_or(KeyError::Shape)?;
        let key = from_base64(key).ok_or(KeyError::Shape)?;
        let (type_byte, public_key) = key.split_first().ok_or(KeyError::Shape)?;
        let signature_type = SignatureType::from_byte(*type_byte);
        let material = Material::new(signature_type, public_key)?;
        let computed = KeyId::compute(&name, *type_byte, public_key);
        let is_free = matches!(signature_type, SignatureType::Other(_));
        if id != computed && !is_free {
            return Err(KeyError::Id { got: id, computed });
        }
        Ok(Self { name, id, material })
    }

    /// The name of the key.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What kind of signatures the key makes.
    pub const fn signature_type(&self) -> SignatureType {
        match &self.material {
            Material::Ed25519(_) => SignatureType::Ed25519,
            Material::CosignatureV1(_) => SignatureType::CosignatureV1,
            Material::MlDsa44(_) => SignatureType::MlDsa44,
            Material::Other { signature_type, .. } => *signature_type,
        }
    }

    /// The public key's bytes, without the type.
    pub fn public_key(&self) -> &[u8] {
        match &self.material {
            Material::Ed25519(key) | Material::CosignatureV1(key) => key.as_bytes(),
            Material::MlDsa44(public_key) => public_key.as_slice(),
            Material::Other { public_key, .. } => public_key,
        }
    }

    /// Checks one signature over a note's text.
    pub(crate) fn check(&self, text: &str, signature: &[u8]) -> Checked {
        match &self.material {
            Material::Other { .. } => Checked::Unsupported,
            Material::MlDsa44(_) if !SignatureType::MlDsa44.is_supported() => Checked::Unsupported,
            Material::MlDsa44(key) => match self.check_ml_dsa(key, text, signature) {
                Some(time) => Checked::Good(Some(time)),
                None => Checked::Bad,
            },
            Material::Ed25519(key) => match signature.try_into() {
                Ok(signature) if is_signed(key, text.as_bytes(), signature) => Checked::Good(None),
                _ => Checked::Bad,
            },
            Material::CosignatureV1(key) => match split_timestamp(signature) {
                Some((time, signature))
                    if is_signed(key, &cosignature_message(text, time), signature) =>
                {
                    Checked::Good(Some(time))
                }
                _ => Checked::Bad,
            },
        }
    }

    /// The time of a good signature over a checkpoint's first three lines. A text that is no
    /// checkpoint cannot have one.
    fn check_ml_dsa(
        &self,
        key: &[u8; ml_dsa::PUBLIC_KEY_LEN],
        text: &str,
        signature: &[u8],
    ) -> Option<Timestamp> {
        let (time, signature) = split_timestamp::<{ ml_dsa::SIGNATURE_LEN }>(signature)?;
        let checkpoint = Checkpoint::parse(text).ok()?;
        let message = checkpoint_message(&self.name, time, &checkpoint);
        ml_dsa::is_signed(key, &message, signature).then_some(time)
    }
}

/// The vkey.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let type_byte = [self.signature_type().byte()];
        let key = to_base64(&[&type_byte, self.public_key()].concat());
        write!(f, "{}+{}+{key}", self.name, self.id)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// What a key says about a signature that names it.
pub(crate) enum Checked {
    /// It is the key's, made at this time if the type has times.
    Good(Option<Timestamp>),
    /// It is not the key's.
    Bad,
    /// Signatures of this type cannot be checked here.
    Unsupported,
}

impl Material {
    fn new(signature_type: SignatureType, public_key: &[u8]) -> Result<Self, KeyError> {
        let check_len = |expected: usize| match public_key.len() == expected {
            true => Ok(()),
            false => Err(KeyError::Length {
                signature_type,
                expected,
                got: public_key.len(),
            }),
        };
        match signature_type {
            SignatureType::Ed25519 => {
                check_len(32)?;
                Ok(Self::Ed25519(ed25519_point(public_key)?))
            }
            SignatureType::CosignatureV1 => {
                check_len(32)?;
                Ok(Self::CosignatureV1(ed25519_point(public_key)?))
            }
            SignatureType::MlDsa44 => {
                check_len(ml_dsa::PUBLIC_KEY_LEN)?;
                // Any bytes of that length are a key (FIPS 204 section 7.2); the length is right.
                let key = public_key.try_into().map_err(|_| KeyError::Shape)?;
                Ok(Self::MlDsa44(Box::new(key)))
            }
            SignatureType::Other(_) => Ok(Self::Other {
                signature_type,
                public_key: public_key.to_vec(),
            }),
        }
    }
}

fn ed25519_point(bytes: &[u8]) -> Result<VerifyingKey, KeyError> {
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Point)?;
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Point)?;
    if key.is_weak() {
        return Err(KeyError::LowOrder);
    }
    // RFC 8032 section 5.1.3 refuses a y-coordinate that is not reduced; the library accepts it.
    if key.to_edwards().compress().as_bytes() != bytes {
        return Err(KeyError::Point);
    }
    Ok(key)
}

fn is_signed(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> bool {
    let signature = Signature::from_bytes(signature);
    key.verify_strict(message, &signature).is_ok()
}

/// Takes `timestamped_signature` apart: a 64-bit time and a signature of the type's length.
fn split_timestamp<const N: usize>(bytes: &[u8]) -> Option<(Timestamp, &[u8; N])> {
    let (time, signature) = bytes.split_first_chunk::<8>()?;
    let time = Timestamp::from_seconds(u64::from_be_bytes(*time))?;
    Some((time, signature.try_into().ok()?))
}
