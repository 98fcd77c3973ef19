//! The key of a recipient of vault records, which opens what was sealed to it and does nothing else.

use std::path::Path;

use countersign_core::random::Random;
use countersign_seal::{RecipientKey, RecipientSecret};

use crate::file::{KeyFile, KeyFileError, Purpose};

/// What stands in place of a log in a recipient's key file: the key is a person's, who may be handed
/// records of several logs.
const NAME: &str = "countersign.invalid/recipient";

/// A recipient's private key in a file. It is the recipient's: no server holds it.
pub struct RecipientKeyFile {
    file: KeyFile,
    secret: RecipientSecret,
}

impl RecipientKeyFile {
    /// A new key, which is not in a file yet.
    pub fn fresh(random: &dyn Random) -> Result<Self, KeyFileError> {
        Self::new(KeyFile::fresh_personal(Purpose::Recipient, NAME, random)?)
    }

    /// Reads a key from its file.
    pub fn load_file(path: &Path) -> Result<Self, KeyFileError> {
        Self::new(KeyFile::load_file(path, Purpose::Recipient)?)
    }

    /// Writes the key into a new file of mode 0600. A file that is there stays, and is an error.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        self.file.write_new(path)
    }

    /// The public half: to it, others seal.
    pub fn public(&self) -> RecipientKey {
        self.secret.public()
    }

    /// The secret, which opens.
    pub fn secret(&self) -> &RecipientSecret {
        &self.secret
    }

    fn new(file: KeyFile) -> Result<Self, KeyFileError> {
        let secret = RecipientSecret::from_bytes(&file.secret);
        let secret = secret.ok_or(KeyFileError::Setup(Purpose::Recipient))?;
        Ok(Self { file, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReviewerKey, SystemRandom};
    use countersign_seal::seal;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_sealed_to_a_key_its_file_opens_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recipient.key");
        let made = RecipientKeyFile::fresh(&SystemRandom).unwrap();
        made.write_new(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let sealed = seal(&made.public(), b"", b"", b"words", &SystemRandom).unwrap();
        let read = RecipientKeyFile::load_file(&path).unwrap();
        assert_eq!(read.public(), made.public());
        assert_eq!(read.secret().open(&sealed, b"", b"").unwrap(), b"words");
        let other = RecipientKeyFile::fresh(&SystemRandom).unwrap();
        assert!(other.secret().open(&sealed, b"", b"").is_err());
        assert!(matches!(
            other.write_new(&path),
            Err(KeyFileError::AlreadyThere { .. })
        ));
    }

    #[test]
    fn keys_of_other_kinds_do_not_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reviewer.key");
        let reviewer = ReviewerKey::fresh(&SystemRandom).unwrap();
        reviewer.write_new(&path).unwrap();
        let refused = RecipientKeyFile::load_file(&path).err().unwrap();
        assert!(matches!(refused, KeyFileError::Purpose { .. }), "{refused}");
    }
}
