//! Timestamped signatures over checkpoints (C2SP tlog-cosignature): `cosignature/v1` of witnesses
//! with Ed25519, and `subtree/v1` of logs and witnesses with ML-DSA-44.

use crate::checkpoint::Checkpoint;
use crate::key::SignatureType;
use crate::name::KeyName;
use crate::note::{NoteSignature, check_text};
use crate::sign::{MlDsaSigner, NoteSigner, SignNoteError, sign_with, signature_line};
use countersign_merkle::Hash;
use std::fmt;

/// What every `subtree/v1` message begins with.
const SUBTREE_LABEL: &[u8; 12] = b"subtree/v1\n\0";

/// A POSIX time in whole seconds, at most 2^63 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time so many seconds after 1970; `None` above 2^63 - 1.
    pub const fn from_seconds(seconds: u64) -> Option<Self> {
        if seconds > i64::MAX as u64 {
            return None;
        }
        Some(Self(seconds))
    }

    /// Seconds since 1970.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The bytes that a `cosignature/v1` signs: a header, the time, and the checkpoint's whole text.
pub fn cosignature_message(checkpoint: &str, time: Timestamp) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{checkpoint}").into_bytes()
}

/// Cosigns a checkpoint's text with a key of type `0x04`.
///
/// By signing, a witness states that this is the largest consistent tree of that log which it has
/// seen; whoever calls this has checked that.
pub fn cosign(
    checkpoint: &str,
    time: Timestamp,
    signer: &dyn NoteSigner,
) -> Result<NoteSignature, SignNoteError> {
    check_text(checkpoint)?;
    let message = cosignature_message(checkpoint, time);
    let signature = sign_with(signer, SignatureType::CosignatureV1, &message)?;
    let timestamped = [time.seconds().to_be_bytes().as_slice(), &signature].concat();
    signature_line(signer.verifier_key(), &timestamped)
}

/// The bytes that an ML-DSA-44 signature of type `0x06` signs for a checkpoint: the `cosigned_message`
/// of tlog-cosignature with a `start` of 0. Extension lines are not part of it.
pub fn checkpoint_message(name: &KeyName, time: Timestamp, checkpoint: &Checkpoint) -> Vec<u8> {
    let (start, end) = (0, checkpoint.size().get());
    let origin = checkpoint.origin();
    subtree_message(name, time, origin, start..end, &checkpoint.root())
}

/// Signs a checkpoint with a key of type `0x06`, as its log or as a witness of it.
///
/// By signing with a time that is not 0, the signer states that this is the largest consistent tree
/// of that log which it has seen.
pub fn cosign_ml_dsa(
    checkpoint: &Checkpoint,
    time: Timestamp,
    signer: &dyn MlDsaSigner,
) -> Result<NoteSignature, SignNoteError> {
    let key = signer.verifier_key();
    if key.signature_type() != SignatureType::MlDsa44 {
        return Err(SignNoteError::KeyType {
            name: key.name().to_string(),
            got: key.signature_type(),
            expected: SignatureType::MlDsa44,
        });
    }
    let message = checkpoint_message(key.name(), time, checkpoint);
    let signature = signer
        .sign(&message)
        .map_err(|error| SignNoteError::Signer {
            name: key.name().to_string(),
            error,
        })?;
    let timestamped = [time.seconds().to_be_bytes().as_slice(), &signature].concat();
    signature_line(key, &timestamped)
}

fn subtree_message(
    cosigner: &KeyName,
    time: Timestamp,
    origin: &str,
    leaves: std::ops::Range<u64>,
    hash: &Hash,
) -> Vec<u8> {
    let mut message = SUBTREE_LABEL.to_vec();
    put_short(&mut message, cosigner.as_str());
    message.extend(time.seconds().to_be_bytes());
    put_short(&mut message, origin);
    message.extend(leaves.start.to_be_bytes());
    message.extend(leaves.end.to_be_bytes());
    message.extend(hash.as_bytes());
    message
}

/// `opaque<1..2^8-1>`: names and origins have no more than 255 bytes.
fn put_short(message: &mut Vec<u8>, text: &str) {
    message.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    message.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_that_of_the_specification() {
        let checkpoint = "example.com/behind-the-sofa\n20852163\n\
                          CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let time = Timestamp::from_seconds(1_679_315_147).unwrap();
        let expected = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
                        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(cosignature_message(checkpoint, time), expected.as_bytes());
    }

    #[test]
    fn the_message_of_ml_dsa_is_that_of_the_specification() {
        let checkpoint = "example.com/log\n258\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(checkpoint).unwrap();
        let time = Timestamp::from_seconds(0x0102_0304).unwrap();
        let name = KeyName::parse("witness").unwrap();
        let root = checkpoint.root();
        let expected = [
            b"subtree/v1\n\0".as_slice(),
            b"\x07witness",
            &[0, 0, 0, 0, 1, 2, 3, 4],
            b"\x0fexample.com/log",
            &[0; 8],
            &[0, 0, 0, 0, 0, 0, 1, 2],
            root.as_bytes(),
        ];
        assert_eq!(
            checkpoint_message(&name, time, &checkpoint),
            expected.concat()
        );
        let name = KeyName::parse(&"n".repeat(255)).unwrap();
        let long = checkpoint_message(&name, time, &checkpoint);
        assert_eq!(long.get(12), Some(&255));
        assert_eq!(long.len(), 12 + 256 + 8 + 16 + 8 + 8 + 32);
    }

    #[test]
    fn times_end_at_the_specified_maximum() {
        assert!(Timestamp::from_seconds(i64::MAX as u64).is_some());
        assert!(Timestamp::from_seconds(1 << 63).is_none());
    }
}
