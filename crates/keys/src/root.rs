//! The root key, which signs the other public keys and then goes offline.

use std::path::Path;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::entry::Kind;
use countersign_core::names::{KeyText, Origin};
use countersign_core::signed;
use countersign_note::{NoteSigner as _, SignatureType, VerifierKey};
use serde::Serialize;

use crate::file::{KeyFile, KeyFileError, Purpose};
use crate::signer::{Ed25519NoteSigner, StatementError};

/// Signs `genesis` and `key` entries. A server that is running does not hold it.
pub struct RootKey {
    origin: Origin,
    signer: Ed25519NoteSigner,
}

impl RootKey {
    /// Reads `root.key` from a directory of keys.
    pub fn load(dir: &Path) -> Result<Self, KeyFileError> {
        Self::new(&KeyFile::load(dir, Purpose::Root)?)
    }

    /// Reads a root key from its file, wherever it was taken to.
    pub fn load_file(path: &Path) -> Result<Self, KeyFileError> {
        Self::new(&KeyFile::load_file(path, Purpose::Root)?)
    }

    pub(crate) fn new(file: &KeyFile) -> Result<Self, KeyFileError> {
        let name = format!("{}/root", file.origin);
        Ok(Self {
            origin: file.origin.clone(),
            signer: Ed25519NoteSigner::new(file, Purpose::Root, &name)?,
        })
    }

    /// The log whose keys it signs.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Its public half; its name is the log's origin and `/root`, so that no checkpoint can be
    /// taken for one that it signed.
    pub fn verifier_key(&self) -> &VerifierKey {
        self.signer.verifier_key()
    }

    /// The signature over an entry's own members without `signature`
    /// ([`signed::entry_message`]), base64url. What stands in `signature` does not matter.
    pub fn sign_entry<K: Kind>(&self, body: &K) -> Result<KeyText, StatementError> {
        self.sign(&signed::entry_message(&self.origin, body)?)
    }

    /// The signature over a statement of a kind ([`signed::message`]), base64url.
    pub fn sign_statement(
        &self,
        kind: &str,
        statement: &impl Serialize,
    ) -> Result<KeyText, StatementError> {
        self.sign(&signed::message(kind, &self.origin, statement)?)
    }

    fn sign(&self, message: &[u8]) -> Result<KeyText, StatementError> {
        let signature = self.signer.sign_bytes(message);
        Ok(URL_SAFE_NO_PAD.encode(signature).parse()?)
    }
}

/// Whether the root key has signed an entry's own members without `signature`.
pub fn is_signed_by_root<K: Kind>(
    root: &VerifierKey,
    origin: &Origin,
    body: &K,
    signature: &KeyText,
) -> bool {
    let (Ok(message), Ok(signature)) = (
        signed::entry_message(origin, body),
        URL_SAFE_NO_PAD.decode(signature.as_str()),
    ) else {
        return false;
    };
    root.signature_type() == SignatureType::Ed25519
        && UnparsedPublicKey::new(&ED25519, root.public_key())
            .verify(&message, &signature)
            .is_ok()
}
