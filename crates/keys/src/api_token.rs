//! API tokens: `cs_<credential>_<secret>_<checksum>`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::ids::CredentialId;
use countersign_core::random::Random;
use countersign_vault::{TokenHash, TokenHasher};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// What every token begins with, so that scanners find leaked ones.
const PREFIX: &str = "cs";
/// Characters of a credential's id, a secret in base64url, and a checksum in hex.
const LENGTHS: [usize; 3] = [26, 43, 8];

/// A bearer credential: who it is, and 32 random bytes. Neither shown by `Debug` nor stored.
pub struct ApiToken {
    credential: CredentialId,
    secret: Zeroizing<[u8; 32]>,
}

/// Why a text is no token. Says nothing of the text, which may be a secret in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiTokenError {
    /// It has another form.
    #[error("not an api token: allowed is `cs_`, a credential's id, a secret and a checksum")]
    Shape,
    /// It has the form, but was mistyped or cut.
    #[error("the api token's checksum is wrong: it was mistyped or cut")]
    Checksum,
}

impl ApiToken {
    /// A new token of a credential.
    pub fn fresh(credential: CredentialId, random: &dyn Random) -> Self {
        let mut secret = Zeroizing::new([0u8; 32]);
        random.fill(secret.as_mut_slice());
        Self { credential, secret }
    }

    /// Reads a token in its one spelling.
    pub fn parse(text: &str) -> Result<Self, ApiTokenError> {
        let [id, secret, checksum] = fields(text).ok_or(ApiTokenError::Shape)?;
        let credential = id.parse().map_err(|_| ApiTokenError::Shape)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(secret)
            .map_err(|_| ApiTokenError::Shape)?;
        let bytes = Zeroizing::new(bytes);
        let mut secret = Zeroizing::new([0u8; 32]);
        if bytes.len() != secret.len() {
            return Err(ApiTokenError::Shape);
        }
        secret.copy_from_slice(&bytes);
        let token = Self { credential, secret };
        match token.checksum() == checksum {
            true => Ok(token),
            false => Err(ApiTokenError::Checksum),
        }
    }

    /// Whose token it is.
    pub fn credential(&self) -> CredentialId {
        self.credential
    }

    /// The token's text, to be shown once.
    pub fn reveal(&self) -> SecretString {
        let body = self.body();
        SecretString::from(format!("{}_{}", body.as_str(), self.checksum()))
    }

    /// What is stored of it.
    pub fn hash(&self, hasher: &TokenHasher) -> TokenHash {
        hasher.hash(&self.credential.to_string(), self.secret.as_slice())
    }

    fn body(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.secret.as_slice()));
        Zeroizing::new(format!("{PREFIX}_{}_{}", self.credential, secret.as_str()))
    }

    fn checksum(&self) -> String {
        format!("{:08x}", crc32(self.body().as_bytes()))
    }
}

/// The three fields after the prefix. Base64url has `_` too, so the fields go by their lengths.
fn fields(text: &str) -> Option<[&str; 3]> {
    let mut rest = text.strip_prefix(PREFIX)?;
    let mut fields = [""; 3];
    for (field, length) in fields.iter_mut().zip(LENGTHS) {
        (*field, rest) = rest.strip_prefix('_')?.split_at_checked(length)?;
    }
    rest.is_empty().then_some(fields)
}

/// CRC-32 as in gzip (RFC 1952 section 8), bit by bit: tokens are short.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| match crc & 1 {
        1 => (crc >> 1) ^ 0xedb8_8320,
        _ => crc >> 1,
    };
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;
    use countersign_core::time::Timestamp;
    use secrecy::ExposeSecret as _;

    fn fresh() -> ApiToken {
        let id = CredentialId::fresh(Timestamp::from_millis(1), &SystemRandom);
        ApiToken::fresh(id, &SystemRandom)
    }

    #[test]
    fn the_checksum_is_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_token_is_read_back_and_hashes_the_same() {
        let hasher = TokenHasher::new(&Zeroizing::new([1; 32]));
        // Secrets with `_` and `-` in them come up among so many.
        for _ in 0..200 {
            let token = fresh();
            let text = token.reveal();
            let read = ApiToken::parse(text.expose_secret()).unwrap();
            assert_eq!(read.credential(), token.credential());
            assert!(read.hash(&hasher) == token.hash(&hasher));
            assert!(read.hash(&hasher) != fresh().hash(&hasher));
        }
    }

    #[test]
    fn any_other_text_is_refused() {
        let token = fresh().reveal();
        let text = token.expose_secret();
        assert_eq!(text.len(), 82);
        for at in 0..text.len() {
            for to in ["A", "b", "_", "-", "0", " ", "é"] {
                let mut changed = text.to_owned();
                changed.replace_range(at..=at, to);
                if changed != text {
                    assert!(ApiToken::parse(&changed).is_err(), "{changed}");
                }
            }
            assert!(ApiToken::parse(text.get(..at).unwrap()).is_err());
        }
        for changed in [format!("{text}0"), format!(" {text}"), format!("{text}\n")] {
            assert!(matches!(
                ApiToken::parse(&changed),
                Err(ApiTokenError::Shape)
            ));
        }
    }
}
