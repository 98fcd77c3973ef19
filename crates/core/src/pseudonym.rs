//! Random refs that stand for a principal, a session or a target in the log.

use crate::random::{Random, bytes32};
use crate::refs::Sha256;
use crate::text::{base64url32, serde_as_text, to_base64url};

/// `ref:` and base64url of 32 random bytes. Says nothing of what it stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; 32]);

/// Text that is no pseudonym.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a pseudonym: allowed is `ref:` and 43 characters of unpadded base64url")]
pub struct PseudonymError;

impl Pseudonym {
    /// A new one, unlike every other.
    pub fn fresh(random: &dyn Random) -> Self {
        Self(bytes32(random))
    }

    /// Stands for what is in the same entry anyhow, such as an actor's name, where the key of a
    /// counter is asked for. It is made from it, so that a reader can tell what it stands for; there
    /// is no sealed record of it.
    pub fn of_public(kind: &str, value: &str) -> Self {
        let text = format!("countersign/public-ref/v1\n{kind}\n{value}");
        Self(*Sha256::of(text.as_bytes()).as_bytes())
    }
}

impl std::fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ref:{}", to_base64url(&self.0))
    }
}

impl std::fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Pseudonym {
    type Err = PseudonymError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("ref:")
            .and_then(base64url32)
            .map(Self)
            .ok_or(PseudonymError)
    }
}

serde_as_text!(Pseudonym);

/// What a pseudonym stands for; the same value under two kinds has two pseudonyms.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum PseudonymKind {
    /// The person or system whose words a turn is.
    Principal,
    /// A session of an ingress.
    Session,
    /// What a call acts on.
    Target,
    /// A value of an argument, which a declared counter tells apart from others.
    Value,
}

impl PseudonymKind {
    /// The kind's name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Session => "session",
            Self::Target => "target",
            Self::Value => "value",
        }
    }
}
