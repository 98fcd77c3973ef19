//! Which known keys have signed a note.

use crate::cosignature::Timestamp;
use crate::key::{Checked, SignatureType, VerifierKey};
use crate::name::{KeyId, KeyName};
use crate::note::{Note, NoteSignature};

/// A note of which at least one signature was made by a known key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNote<'n> {
    note: &'n Note,
    signatures: Vec<VerifiedSignature>,
    unsupported: Vec<VerifierKey>,
}

/// A signature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    key: VerifierKey,
    timestamp: Option<Timestamp>,
}

/// Why a note must not be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteVerifyError {
    /// A signature names a known key, and that key did not make it.
    #[error("the signature of key `{name}+{id}` does not fit the note")]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: KeyId,
    },
    /// A signature names two of the known keys at once.
    #[error("two different known keys are both named `{name}+{id}`")]
    AmbiguousKey {
        /// The keys' name.
        name: KeyName,
        /// The keys' id.
        id: KeyId,
    },
    /// No signature names a known key.
    #[error("the note has no signature of a known key")]
    NoKnownKey,
    /// The only known keys that signed are of a type that cannot be checked here.
    #[error(
        "the signature of key `{name}+{id}` is of type {signature_type}, which is not supported"
    )]
    Unsupported {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: KeyId,
        /// The key's type.
        signature_type: SignatureType,
    },
}

impl Note {
    /// Checks every signature that names one of `keys`; ignores the others.
    ///
    /// # Errors
    /// One bad signature of a known key rejects the whole note, and so does the lack of any good
    /// one. Keys of unsupported types count as unknown, but are listed in the result.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<VerifiedNote<'_>, NoteVerifyError> {
        let mut verified = VerifiedNote {
            note: self,
            signatures: Vec::new(),
            unsupported: Vec::new(),
        };
        for signature in self.signatures() {
            let Some(key) = find_key(keys, signature)? else {
                continue;
            };
            match key.check(self.text(), signature.bytes()) {
                Checked::Good(timestamp) => verified.add(key, timestamp),
                Checked::Unsupported => verified.unsupported.push(key.clone()),
                Checked::Bad => {
                    return Err(NoteVerifyError::BadSignature {
                        name: signature.name().clone(),
                        id: signature.id(),
                    });
                }
            }
        }
        if !verified.signatures.is_empty() {
            return Ok(verified);
        }
        match verified.unsupported.first() {
            None => Err(NoteVerifyError::NoKnownKey),
            Some(key) => Err(NoteVerifyError::Unsupported {
                name: key.name().clone(),
                id: key.id(),
                signature_type: key.signature_type(),
            }),
        }
    }
}

impl<'n> VerifiedNote<'n> {
    /// The text, which at least one known key has signed.
    pub fn text(&self) -> &'n str {
        self.note.text()
    }

    /// One item per known key that signed, however often it did.
    pub fn signatures(&self) -> &[VerifiedSignature] {
        &self.signatures
    }

    /// Known keys whose signatures could not be checked, because of their type.
    pub fn unsupported(&self) -> &[VerifierKey] {
        &self.unsupported
    }

    pub(crate) fn into_parts(self) -> (Vec<VerifiedSignature>, Vec<VerifierKey>) {
        (self.signatures, self.unsupported)
    }

    /// Counts a key once; of several cosignatures the latest time stands.
    fn add(&mut self, key: &VerifierKey, timestamp: Option<Timestamp>) {
        let mut known = self.signatures.iter_mut();
        match known.find(|signature| signature.key == *key) {
            Some(signature) => signature.timestamp = signature.timestamp.max(timestamp),
            None => self.signatures.push(VerifiedSignature {
                key: key.clone(),
                timestamp,
            }),
        }
    }
}

impl VerifiedSignature {
    /// The key that signed.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// When a cosignature was made, by the cosigner's clock; `None` for other types.
    pub const fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }
}

/// The known key with the signature's name *and* id. A key that is listed twice is one key.
fn find_key<'k>(
    keys: &'k [VerifierKey],
    signature: &NoteSignature,
) -> Result<Option<&'k VerifierKey>, NoteVerifyError> {
    let mut named = keys
        .iter()
        .filter(|key| key.id() == signature.id() && key.name() == signature.name());
    let Some(key) = named.next() else {
        return Ok(None);
    };
    if named.any(|other| other != key) {
        return Err(NoteVerifyError::AmbiguousKey {
            name: signature.name().clone(),
            id: signature.id(),
        });
    }
    Ok(Some(key))
}
