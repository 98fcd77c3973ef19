//! Bearer tokens.

use secrecy::{ExposeSecret as _, SecretString};

/// A bearer token. It has no `Debug` and is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// A token, as it was printed once. Space around it is dropped; whether it is in force is the
    /// server's to say.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.trim()))
    }

    /// The text of the token.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// The value of the `Authorization` header (RFC 6750 section 2.1), unless the token holds
    /// something that cannot stand in a header.
    pub(crate) fn authorization(&self) -> Option<SecretString> {
        let text = self.reveal();
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| SecretString::from(format!("Bearer {text}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_would_end_the_header_is_none() {
        for text in ["", "cs_a\r\nx-evil: 1", "cs a", "cs_ä"] {
            assert!(Token::new(text).authorization().is_none(), "{text:?}");
        }
        let header = Token::new(" cs_a_b\n").authorization().unwrap();
        assert_eq!(header.expose_secret(), "Bearer cs_a_b");
    }
}
