//! A reviewer's own key, which signs answers to escalations and nothing else.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::entry::Review;
use countersign_core::names::{KeyText, Origin};
use countersign_core::random::Random;
use countersign_core::signed;
use countersign_note::NoteSigner as _;

use crate::file::{KeyFile, KeyFileError, Purpose};
use crate::signer::{Ed25519NoteSigner, StatementError};

/// What stands in place of a log in a reviewer's key file: the key is a person's, who may review for
/// several logs. Each signature names the log that it is for.
const NAME: &str = "countersign.invalid/reviewer";

/// Signs `review` entries. It is the person's: no server holds it.
pub struct ReviewerKey {
    file: KeyFile,
    signer: Ed25519NoteSigner,
}

impl ReviewerKey {
    /// A new key, which is not in a file yet.
    pub fn fresh(random: &dyn Random) -> Result<Self, KeyFileError> {
        Self::new(KeyFile::fresh_personal(Purpose::Reviewer, NAME, random)?)
    }

    /// Reads a key from its file.
    pub fn load_file(path: &Path) -> Result<Self, KeyFileError> {
        Self::new(KeyFile::load_file(path, Purpose::Reviewer)?)
    }

    /// Writes the key into a new file of mode 0600. A file that is there stays, and is an error.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        self.file.write_new(path)
    }

    /// Its public half as credentials and entries state it: base64url of the raw key.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.signer.verifier_key().public_key())
    }

    /// The signature over an answer for a log ([`signed::entry_message`]), base64url. What stands in
    /// `signature` does not matter.
    pub fn sign(&self, origin: &Origin, review: &Review) -> Result<KeyText, StatementError> {
        let message = signed::entry_message(origin, review)?;
        Ok(URL_SAFE_NO_PAD
            .encode(self.signer.sign_bytes(&message))
            .parse()?)
    }

    fn new(file: KeyFile) -> Result<Self, KeyFileError> {
        let signer = Ed25519NoteSigner::new(&file, Purpose::Reviewer, file.origin.as_str())?;
        Ok(Self { file, signer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_reviewers_key_is_its_owners_alone_and_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reviewer.key");
        let made = ReviewerKey::fresh(&SystemRandom).unwrap();
        made.write_new(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let read = ReviewerKey::load_file(&path).unwrap();
        assert_eq!(read.public_key(), made.public_key());
        let other = ReviewerKey::fresh(&SystemRandom).unwrap();
        assert!(matches!(
            other.write_new(&path),
            Err(KeyFileError::AlreadyThere { .. })
        ));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let loose = ReviewerKey::load_file(&path).err().unwrap();
        assert!(matches!(loose, KeyFileError::Permissions { .. }), "{loose}");
    }
}
