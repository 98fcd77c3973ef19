//! Commitments to documents: `sha256:` and 64 lower-case hex digits.

use crate::text::{hex, serde_as_text, unhex32};
use sha2::Digest as _;

/// A SHA-256 digest, written `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// Text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no ref: allowed is `sha256:` and 64 lower-case hex digits")]
pub struct RefError {
    found: String,
}

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", hex(&self.0))
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Sha256 {
    type Err = RefError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("sha256:")
            .and_then(unhex32)
            .map(Self)
            .ok_or_else(|| RefError {
                found: text.chars().take(80).flat_map(char::escape_debug).collect(),
            })
    }
}

serde_as_text!(Sha256);

macro_rules! document_ref {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Sha256);

        impl $name {
            /// The digest.
            pub fn digest(&self) -> &Sha256 {
                &self.0
            }
        }

        impl From<Sha256> for $name {
            fn from(digest: Sha256) -> Self {
                Self(digest)
            }
        }

        impl From<$name> for Sha256 {
            fn from(document: $name) -> Self {
                document.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = RefError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

document_ref! {
    /// Commits to an intent document.
    IntentRef
}
document_ref! {
    /// Commits to a policy bundle.
    PolicyRef
}
document_ref! {
    /// Commits to a call document.
    CallRef
}
document_ref! {
    /// Commits to a facts document.
    FactsRef
}
document_ref! {
    /// Commits to the reasoning that an agent gave.
    ReasoningRef
}
document_ref! {
    /// Commits to the result that a tool reported.
    ResultRef
}
document_ref! {
    /// Commits to a set of changes of the directory.
    ChangesetRef
}
document_ref! {
    /// Commits to a statement that a person made, such as the purpose of opening a record.
    StatementRef
}
document_ref! {
    /// Commits to the meaning of a pseudonym.
    PseudonymRef
}
