//! Cosignatures of witnesses: `cosignature/v1` of C2SP tlog-cosignature.

use crate::key::SignatureType;
use crate::note::{NoteSignature, check_text};
use crate::sign::{NoteSigner, SignNoteError, sign_with, signature_line};
use std::fmt;

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
    signature_line(signer, &timestamped)
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
    fn times_end_at_the_specified_maximum() {
        assert!(Timestamp::from_seconds(i64::MAX as u64).is_some());
        assert!(Timestamp::from_seconds(1 << 63).is_none());
    }
}
