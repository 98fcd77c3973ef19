//! The ML-DSA-44 signer over aws-lc-rs.

use std::sync::Arc;

use aws_lc_rs::signature::{KeyPair as _, ML_DSA_44_SIGNING, PqdsaKeyPair};
use countersign_note::{KeyName, MlDsaSigner, SignError, VerifierKey};

use crate::file::{KeyFile, KeyFileError, Purpose};

/// Signs checkpoints with ML-DSA-44. Clones share the key.
#[derive(Clone)]
pub struct MlDsaLogSigner {
    pair: Arc<PqdsaKeyPair>,
    verifier_key: VerifierKey,
}

impl MlDsaLogSigner {
    /// The secret of the file is the seed of FIPS 204 (section 6.1); the name is the origin.
    pub(crate) fn new(file: &KeyFile) -> Result<Self, KeyFileError> {
        let name = KeyName::parse(file.origin.as_str()).map_err(|error| KeyFileError::Name {
            origin: file.origin.clone(),
            reason: error.to_string(),
        })?;
        let setup = || KeyFileError::Setup(Purpose::LogMlDsa);
        let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, file.secret.as_slice())
            .map_err(|_| setup())?;
        let public_key = pair.public_key().as_ref().try_into();
        let public_key = public_key.map_err(|_| setup())?;
        let verifier_key = VerifierKey::ml_dsa_44(name, public_key).map_err(|_| setup())?;
        Ok(Self {
            pair: Arc::new(pair),
            verifier_key,
        })
    }
}

impl MlDsaSigner for MlDsaLogSigner {
    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut signature = vec![0; ML_DSA_44_SIGNING.signature_len()];
        let signed = self.pair.sign(message, &mut signature);
        signed.map_err(|_| SignError::new("the cryptographic library refused to sign"))?;
        Ok(signature)
    }
}
