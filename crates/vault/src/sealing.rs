//! How a record is encrypted under its key, and how that key is committed to.
//!
//! AES-GCM does not commit to its key: two keys and one ciphertext that opens under both are easily
//! made (Albertini, Duong, Gueron, Kölbl, Luykx, Schmieg, "How to Abuse and Fix Authenticated
//! Encryption Without Key Commitment", USENIX Security 2022; RFC 9771 for the
//! notion). Therefore the cipher gets a key that is derived, and what the same derivation gives
//! beside it, the commitment, stands with the record and is checked first: the construction UtC of
//! Bellare and Hoang ("Efficient Schemes for Committing Authenticated Encryption", EUROCRYPT 2022)
//! with HKDF (RFC 5869). As nonce and associated data go into the derivation, too, the commitment is
//! to the key and to all of the context.
//!
//! ```text
//! first form    nonce column = nonce (12)                            cipher key = record key
//! second form   nonce column = 0x02 | nonce (12) | commitment (32)   cipher key derived
//! ```

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hkdf};
use countersign_core::names::TenantId;
use countersign_core::random::Random;
use countersign_core::refs::Sha256;
use zeroize::Zeroizing;

use crate::framing::frame;
use crate::wrap::{KEY_BYTES, RecordKey};

/// The first byte of what a record of the second form has as its nonce.
const SECOND: u8 = 2;
/// Bytes of a commitment.
const COMMITMENT_BYTES: usize = 32;
const FIRST_LABEL: &str = "countersign/sealed-record/v1\n";
const SECOND_LABEL: &str = "countersign/sealed-record/v2\n";

/// What is authenticated beside the plaintext. The id of the wrapping key is left out, so that a
/// record can be wrapped anew without being encrypted anew.
pub(crate) struct Context<'a> {
    pub(crate) reference: &'a Sha256,
    pub(crate) tenant: &'a TenantId,
    pub(crate) kind: &'a str,
}

/// Why a record does not decrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Commitment,
    Cipher,
}

/// Encrypts in place; gives what the record has as its nonce.
pub(crate) fn encrypt(
    key: &RecordKey,
    context: &Context<'_>,
    bytes: &mut Vec<u8>,
    random: &dyn Random,
) -> Option<Vec<u8>> {
    let mut nonce = [0u8; NONCE_LEN];
    random.fill(&mut nonce);
    let aad = context.associated_data(SECOND_LABEL);
    let derived = Derived::of(key, &nonce, &aad)?;
    cipher(&derived.key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), bytes)
        .ok()?;
    let mut column = Vec::with_capacity(1 + NONCE_LEN + COMMITMENT_BYTES);
    column.push(SECOND);
    column.extend_from_slice(&nonce);
    column.extend_from_slice(&derived.commitment);
    Some(column)
}

/// Decrypts, after the commitment was checked.
pub(crate) fn decrypt(
    key: &RecordKey,
    context: &Context<'_>,
    column: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, Refused> {
    let Some((nonce, commitment)) = parse(column) else {
        return Err(Refused::Cipher);
    };
    let (key, aad) = match commitment {
        None => (
            Zeroizing::new(*key.as_bytes()),
            context.associated_data(FIRST_LABEL),
        ),
        Some(commitment) => {
            let aad = context.associated_data(SECOND_LABEL);
            let derived = Derived::of(key, &nonce, &aad).ok_or(Refused::Cipher)?;
            constant_time::verify_slices_are_equal(&derived.commitment, commitment)
                .map_err(|_| Refused::Commitment)?;
            (derived.key, aad)
        }
    };
    let mut bytes = ciphertext.to_vec();
    let length = cipher(&key)
        .ok_or(Refused::Cipher)?
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            &mut bytes,
        )
        .map_err(|_| Refused::Cipher)?
        .len();
    bytes.truncate(length);
    Ok(bytes)
}

/// Nonce and, in the second form, commitment.
fn parse(column: &[u8]) -> Option<([u8; NONCE_LEN], Option<&[u8; COMMITMENT_BYTES]>)> {
    if let Ok(nonce) = column.try_into() {
        return Some((nonce, None));
    }
    let (form, rest) = column.split_first()?;
    let (nonce, commitment) = rest.split_first_chunk()?;
    let commitment = commitment.try_into().ok()?;
    (*form == SECOND).then_some((*nonce, Some(commitment)))
}

/// What a record's key gives for one nonce and context.
struct Derived {
    commitment: [u8; COMMITMENT_BYTES],
    key: Zeroizing<[u8; KEY_BYTES]>,
}

/// Bytes that HKDF is to give: the commitment, then the key.
struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        COMMITMENT_BYTES + KEY_BYTES
    }
}

impl Derived {
    fn of(key: &RecordKey, nonce: &[u8; NONCE_LEN], aad: &[u8]) -> Option<Self> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, SECOND_LABEL.as_bytes());
        let extracted = salt.extract(key.as_bytes());
        let mut output = Zeroizing::new([0u8; COMMITMENT_BYTES + KEY_BYTES]);
        // The nonce has one length, so the two do not flow into each other.
        let info: [&[u8]; 2] = [nonce, aad];
        let expanded = extracted.expand(&info, Length).ok()?;
        expanded.fill(output.as_mut_slice()).ok()?;
        let (commitment, rest) = output.split_first_chunk()?;
        Some(Self {
            commitment: *commitment,
            key: Zeroizing::new(*rest.first_chunk()?),
        })
    }
}

impl Context<'_> {
    fn associated_data(&self, label: &str) -> Vec<u8> {
        let tenant = self.tenant.as_str();
        let fields: [&[u8]; 3] = [
            self.reference.as_bytes(),
            tenant.as_bytes(),
            self.kind.as_bytes(),
        ];
        frame(label, &fields)
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?))
}
