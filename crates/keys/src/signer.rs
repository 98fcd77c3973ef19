//! Ed25519 signers over aws-lc-rs.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use countersign_core::json::CanonicalError;
use countersign_core::names::NameError;
use countersign_core::refs::Sha256;
use countersign_note::{KeyName, NoteSigner, SignError, VerifierKey};

use crate::file::{KeyFile, KeyFileError, Purpose};

/// Signs notes with one key. Clones share the key.
#[derive(Clone)]
pub struct Ed25519NoteSigner {
    pair: Arc<Ed25519KeyPair>,
    verifier_key: VerifierKey,
}

/// Why a statement was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The statement has no canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The signature does not fit its type. Cannot happen with Ed25519.
    #[error(transparent)]
    Text(#[from] NameError),
}

impl Ed25519NoteSigner {
    pub(crate) fn new(file: &KeyFile, purpose: Purpose, name: &str) -> Result<Self, KeyFileError> {
        let named = |reason: String| KeyFileError::Name {
            origin: file.origin.clone(),
            reason,
        };
        let name = KeyName::parse(name).map_err(|error| named(error.to_string()))?;
        let pair = Ed25519KeyPair::from_seed_unchecked(file.secret.as_slice())
            .map_err(|_| KeyFileError::Setup(purpose))?;
        let public_key: [u8; 32] = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| KeyFileError::Setup(purpose))?;
        // A witness's key says of itself that it signs cosignatures, and no notes.
        let verifier_key = match purpose {
            Purpose::Witness => VerifierKey::cosignature_v1(name, &public_key),
            _ => VerifierKey::ed25519(name, &public_key),
        };
        let verifier_key = verifier_key.map_err(|_| KeyFileError::Setup(purpose))?;
        Ok(Self {
            pair: Arc::new(pair),
            verifier_key,
        })
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl NoteSigner for Ed25519NoteSigner {
    fn name(&self) -> &str {
        self.verifier_key.name().as_str()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let refused = || SignError::new("the cryptographic library refused to sign");
        let signature = self.pair.try_sign(message).map_err(|_| refused())?;
        signature.as_ref().try_into().map_err(|_| refused())
    }
}

/// What people compare over the telephone: SHA-256 of the vkey, hex in groups of four.
pub fn fingerprint(key: &VerifierKey) -> String {
    let digest = Sha256::of(key.to_string().as_bytes());
    let pairs = digest.as_bytes().chunks(2);
    let groups: Vec<String> = pairs
        .map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    groups.join(" ")
}
