//! The key of a witness, which cosigns checkpoints of other logs and nothing else.

use std::path::Path;

use countersign_core::names::Origin;
use countersign_core::random::Random;
use countersign_note::{MlDsaSigner, NoteSigner, SignError, VerifierKey};

use crate::file::{KeyFile, KeyFileError, Purpose};
use crate::ml_dsa::MlDsaLogSigner;
use crate::signer::Ed25519NoteSigner;

/// Signs as a witness: Ed25519, `cosignature/v1` (C2SP tlog-cosignature).
pub struct WitnessKey(Ed25519NoteSigner);

/// Signs as a witness a second time: ML-DSA-44, `subtree/v1` (C2SP tlog-cosignature).
pub struct WitnessMlDsaKey(MlDsaLogSigner);

impl WitnessKey {
    /// Makes `witness.key` in a directory that holds none. The name is the witness's, such as
    /// `witness.example/w1`: whoever trusts the witness writes it down with the key.
    pub fn create(dir: &Path, name: &Origin, random: &dyn Random) -> Result<Self, KeyFileError> {
        let path = dir.join(Purpose::Witness.file_name());
        if path.exists() {
            return Err(KeyFileError::AlreadyThere { path });
        }
        Self::new(&KeyFile::create(dir, Purpose::Witness, name, random)?)
    }

    /// Reads `witness.key`.
    pub fn load(dir: &Path) -> Result<Self, KeyFileError> {
        Self::new(&KeyFile::load(dir, Purpose::Witness)?)
    }

    fn new(file: &KeyFile) -> Result<Self, KeyFileError> {
        let signer = Ed25519NoteSigner::new(file, Purpose::Witness, file.origin.as_str())?;
        Ok(Self(signer))
    }
}

impl WitnessMlDsaKey {
    /// Makes `witness-mldsa.key` in a directory that holds none, under the witness's name.
    pub fn create(dir: &Path, name: &Origin, random: &dyn Random) -> Result<Self, KeyFileError> {
        let path = dir.join(Purpose::WitnessMlDsa.file_name());
        if path.exists() {
            return Err(KeyFileError::AlreadyThere { path });
        }
        let file = KeyFile::create(dir, Purpose::WitnessMlDsa, name, random)?;
        Ok(Self(MlDsaLogSigner::new(&file)?))
    }

    /// Reads `witness-mldsa.key`; `None` if there is none.
    pub fn load(dir: &Path) -> Result<Option<Self>, KeyFileError> {
        match KeyFile::load(dir, Purpose::WitnessMlDsa) {
            Ok(file) => Ok(Some(Self(MlDsaLogSigner::new(&file)?))),
            Err(KeyFileError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl MlDsaSigner for WitnessMlDsaKey {
    fn verifier_key(&self) -> &VerifierKey {
        self.0.verifier_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.0.sign(message)
    }
}

impl NoteSigner for WitnessKey {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn verifier_key(&self) -> &VerifierKey {
        self.0.verifier_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.0.sign(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;
    use countersign_note::{Checkpoint, Note, SignatureType, Timestamp, cosign, cosign_ml_dsa};

    const CHECKPOINT: &str = "example.com/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn a_witness_signs_with_the_key_that_its_file_holds() {
        let dir = tempfile::tempdir().unwrap();
        let name: Origin = "witness.example/w1".parse().unwrap();
        let made = WitnessKey::create(dir.path(), &name, &SystemRandom).unwrap();
        let again = WitnessKey::create(dir.path(), &name, &SystemRandom);
        assert!(matches!(again, Err(KeyFileError::AlreadyThere { .. })));
        let key = WitnessKey::load(dir.path()).unwrap();
        assert_eq!(key.verifier_key(), made.verifier_key());
        assert_eq!(
            key.verifier_key().signature_type(),
            SignatureType::CosignatureV1
        );
        let time = Timestamp::from_seconds(1_700_000_000).unwrap();
        let line = cosign(CHECKPOINT, time, &key).unwrap();
        let note = Note::new(CHECKPOINT.to_owned(), vec![line]).unwrap();
        let keys = [key.verifier_key().clone()];
        assert_eq!(
            note.verify(&keys).unwrap().signatures()[0].timestamp(),
            Some(time)
        );
    }

    #[test]
    fn a_second_key_signs_with_ml_dsa() {
        let dir = tempfile::tempdir().unwrap();
        let name: Origin = "witness.example/w1".parse().unwrap();
        assert!(WitnessMlDsaKey::load(dir.path()).unwrap().is_none());
        let made = WitnessMlDsaKey::create(dir.path(), &name, &SystemRandom).unwrap();
        let key = WitnessMlDsaKey::load(dir.path()).unwrap().unwrap();
        assert_eq!(key.verifier_key(), made.verifier_key());
        let time = Timestamp::from_seconds(1_700_000_000).unwrap();
        let checkpoint = Checkpoint::parse(CHECKPOINT).unwrap();
        let line = cosign_ml_dsa(&checkpoint, time, &key).unwrap();
        let note = Note::new(CHECKPOINT.to_owned(), vec![line]).unwrap();
        let keys = [key.verifier_key().clone()];
        assert_eq!(
            note.verify(&keys).unwrap().signatures()[0].timestamp(),
            Some(time)
        );
    }

    #[test]
    fn a_log_key_does_not_serve_as_a_witness_key() {
        let dir = tempfile::tempdir().unwrap();
        let origin: Origin = "log.example/acme/1".parse().unwrap();
        KeyFile::create(dir.path(), Purpose::Log, &origin, &SystemRandom).unwrap();
        std::fs::rename(dir.path().join("log.key"), dir.path().join("witness.key")).unwrap();
        let refused = WitnessKey::load(dir.path());
        assert!(matches!(refused, Err(KeyFileError::Purpose { .. })));
    }
}
