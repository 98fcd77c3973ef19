//! Signing permits.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use countersign_core::json::{CanonicalError, CanonicalJson};

use crate::claims::Claims;
use crate::jwks::Jwk;
use crate::jws::{ALGORITHM, Header, MAX_TOKEN_BYTES, TYPE, encode};

/// Holds the key that signs permits.
///
/// Header and claims are canonical JSON and Ed25519 draws no randomness, so the same claims always
/// give the same token: a retried decision gets the very permit that it got before.
pub struct PermitSigner {
    key: Ed25519KeyPair,
    jwk: Jwk,
    public_key: [u8; 32],
}

/// Why bytes are no key that can sign permits. Says nothing of the bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an ed25519 private key: allowed are a seed of 32 bytes, or pkcs#8")]
pub struct SignerKeyError;

/// Why claims were not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The claims have no canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// No checker would read the token.
    #[error("a permit of {0} bytes is over the limit of {MAX_TOKEN_BYTES}")]
    TooLong(usize),
}

impl PermitSigner {
    /// A signer over a key's 32-byte seed (RFC 8032 section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, SignerKeyError> {
        Self::new(Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SignerKeyError)?)
    }

    /// A signer over a PKCS#8 document (RFC 8410), with or without the public key in it.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, SignerKeyError> {
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document);
        Self::new(key.map_err(|_| SignerKeyError)?)
    }

    fn new(key: Ed25519KeyPair) -> Result<Self, SignerKeyError> {
        let public_key = key.public_key().as_ref();
        let public_key = public_key.try_into().map_err(|_| SignerKeyError)?;
        let jwk = Jwk::new(&public_key).map_err(|_| SignerKeyError)?;
        Ok(Self {
            key,
            jwk,
            public_key,
        })
    }

    /// The public key, for a key set.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The public key's bytes.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// The permit with these claims.
    pub fn sign(&self, claims: &Claims) -> Result<String, SignError> {
        let header = CanonicalJson::of(&Header {
            alg: ALGORITHM.to_owned(),
            kid: self.jwk.kid.clone(),
            typ: TYPE.to_owned(),
        })?;
        let claims = CanonicalJson::of(claims)?;
        let signed = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(claims.as_bytes())
        );
        let signature = self.key.sign(signed.as_bytes());
        let token = format!("{signed}.{}", encode(signature.as_ref()));
        match token.len() {
            length if length > MAX_TOKEN_BYTES => Err(SignError::TooLong(length)),
            _ => Ok(token),
        }
    }
}
