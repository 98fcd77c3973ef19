//! Keys that are to follow others.
//!
//! The new key's file is durable under another name before the log is told of the key, and takes
//! its place when the log has granted it. After a crash in between, whoever holds the data directory
//! asks the log which of the two it is ([`Successor::public_key`]) and ends what was begun.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::names::Origin;
use countersign_core::random::Random;
use countersign_note::{MlDsaSigner as _, NoteSigner as _};
use countersign_permit::PermitSigner;

use crate::file::{KeyFile, KeyFileError, Purpose};
use crate::ml_dsa::MlDsaLogSigner;
use crate::secure_fs::{remove, replace};
use crate::signer::Ed25519NoteSigner;

/// The purposes whose keys the log grants, and which can follow each other.
pub const ROTATABLE: [Purpose; 3] = [Purpose::Log, Purpose::LogMlDsa, Purpose::Permit];

/// A key whose file lies beside that of the key which it is to follow.
pub struct Successor {
    dir: PathBuf,
    purpose: Purpose,
    origin: Origin,
    public_key: String,
}

impl Successor {
    /// Makes a key that is to follow the present one; durable on return. One that was made before
    /// and never took its place is replaced.
    pub fn create(
        dir: &Path,
        purpose: Purpose,
        origin: &Origin,
        random: &dyn Random,
    ) -> Result<Self, KeyFileError> {
        let file = KeyFile::create_as(dir, &purpose.next_name(), purpose, origin, random)?;
        Self::new(dir, purpose, &file)
    }

    /// The key that was made to follow the present one and has not taken its place, if there is one.
    pub fn pending(dir: &Path, purpose: Purpose) -> Result<Option<Self>, KeyFileError> {
        match KeyFile::load_file(&dir.join(purpose.next_name()), purpose) {
            Ok(file) => Self::new(dir, purpose, &file).map(Some),
            Err(KeyFileError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn new(dir: &Path, purpose: Purpose, file: &KeyFile) -> Result<Self, KeyFileError> {
        Ok(Self {
            dir: dir.to_owned(),
            purpose,
            origin: file.origin.clone(),
            public_key: public_key(purpose, file)?,
        })
    }

    /// What the key is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The log that it belongs to.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The public half as it stands in entries.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Signs checkpoints with the key before its file has taken the place of the other.
    pub fn log_signer(&self) -> Result<Ed25519NoteSigner, KeyFileError> {
        let path = self.dir.join(Purpose::Log.next_name());
        let file = KeyFile::load_file(&path, Purpose::Log)?;
        Ed25519NoteSigner::new(&file, Purpose::Log, file.origin.as_str())
    }

    /// The key's file takes the place of the present one, which is gone then; durable on return.
    pub fn promote(self) -> Result<(), KeyFileError> {
        let (from, to) = (self.purpose.next_name(), self.purpose.file_name());
        replace(&self.dir, &from, &to)
            .map_err(|error| KeyFileError::writing(&self.dir.join(to), error))
    }

    /// Removes the key's file: the log has never granted it.
    pub fn discard(self) -> Result<(), KeyFileError> {
        let name = self.purpose.next_name();
        remove(&self.dir, &name).map_err(|error| KeyFileError::writing(&self.dir.join(name), error))
    }
}

/// The public half of the key in its file, as it stands in entries; `None` if there is no such file.
pub fn public_key_of(dir: &Path, purpose: Purpose) -> Result<Option<String>, KeyFileError> {
    match KeyFile::load(dir, purpose) {
        Ok(file) => public_key(purpose, &file).map(Some),
        Err(KeyFileError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the file of a key that the log has revoked; durable on return.
pub fn remove_key(dir: &Path, purpose: Purpose) -> Result<(), KeyFileError> {
    let name = purpose.file_name();
    remove(dir, &name).map_err(|error| KeyFileError::writing(&dir.join(name), error))
}

/// The public half as it stands in entries: a vkey, or base64url of a permit key.
fn public_key(purpose: Purpose, file: &KeyFile) -> Result<String, KeyFileError> {
    let setup = || KeyFileError::Setup(purpose);
    match purpose {
        Purpose::Log => {
            let signer = Ed25519NoteSigner::new(file, purpose, file.origin.as_str())?;
            Ok(signer.verifier_key().to_string())
        }
        Purpose::LogMlDsa => Ok(MlDsaLogSigner::new(file)?.verifier_key().to_string()),
        Purpose::Permit => {
            let signer = PermitSigner::from_seed(&file.secret).map_err(|_| setup())?;
            Ok(URL_SAFE_NO_PAD.encode(signer.public_key()))
        }
        Purpose::Root
        | Purpose::Vault(_)
        | Purpose::BlindIndex
        | Purpose::Token
        | Purpose::Witness
        | Purpose::WitnessMlDsa
        | Purpose::Reviewer
        | Purpose::Recipient => Err(setup()),
    }
}
