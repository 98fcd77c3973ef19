//! The hashed documents. Each is committed to by the SHA-256 of its canonical JSON, holds `v`,
//! `kind` and `tenant`, and, unless it is public, a random salt: so none can pass for another
//! kind or another tenant's, and none can be guessed from its ref.

mod bundle;
mod call;
mod commands;
mod directory;
mod facts;
mod intent;
mod manifest;
mod sealed_meaning;
mod sealed_record;
mod vault_settings;
mod watch_settings;

pub use bundle::{
    Bundle, BundleContent, CounterDeclaration, CounterKey, CounterKind, ESCALATION_TTL_S,
    PolicyFile, PublishingSettings, Settings, UnknownTools,
};
pub use call::{Call, Reasoning, ToolResult, Wire, Workspace};
pub use commands::{
    CommandAction, CommandActions, CommandEntities, CommandOperands, CommandRule, CommandScript,
    CommandsDeclaration, OptionsBefore,
};
pub use directory::{Changeset, DirectoryChange, EntityUid};
pub use facts::{
    CarriedFact, CedarRequest, CounterFact, EntityFact, EntityKind, Evidence, Facts, HistoryFact,
    Inputs, IntentInput, Place, ReviewBy, ReviewFact, Source, TargetFact, TextEntity, ValueFact,
};
pub use intent::{Assurance, Author, Intent, PartBy, TurnPart};
pub use manifest::{
    ActionWords, ArgumentRole, Confidentiality, Effect, EffectDeclaration, FieldLabel, Integrity,
    ResultFormat, ResultManifest, TargetDeclaration, TargetType, ToolManifest,
};
pub use sealed_meaning::{PseudonymMeaning, Statement};
pub use sealed_record::SealedRecord;
pub use vault_settings::{
    ERASURE_WINDOW_H, OPENED_PER_HOUR, RetentionSettings, SECOND_READER_S, VaultSettings,
};
pub use watch_settings::{
    Baseline, LoosenedWatch, MissingExecutionWatch, Mute, NovelTargetWatch, OffHoursWatch,
    ReadingAroundWatch, RetryWatch, SpreadWatch, UnapprovedExecutionWatch, WatchSettings,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::json::{self, CanonicalError, CanonicalJson, StrictError};
use crate::random::{Random, bytes32};
use crate::refs::Sha256;
use crate::text::{base64url32, serde_as_text, to_base64url};

/// The version that every document states.
pub const VERSION: u64 = 1;

/// A document with the members that every one has.
#[derive(Serialize)]
struct WithKind<'a, D> {
    v: u64,
    kind: &'static str,
    #[serde(flatten)]
    document: &'a D,
}

/// A document of a kind of its own, committed to by a ref of a type of its own.
pub trait Document: Serialize + DeserializeOwned {
    /// What `kind` says.
    const KIND: &'static str;
    /// The most bytes of canonical JSON that a reader takes.
    const MAX_BYTES: usize;
    /// The type of its commitment.
    type Ref: From<Sha256> + Into<Sha256> + Copy + Eq;

    /// The document's canonical JSON: its members, `v` and `kind`.
    fn canonical(&self) -> Result<CanonicalJson, CanonicalError> {
        CanonicalJson::of_exact(&WithKind {
            v: VERSION,
            kind: Self::KIND,
            document: self,
        })
    }

    /// The document's commitment: the SHA-256 of its canonical JSON.
    fn reference(&self) -> Result<Self::Ref, CanonicalError> {
        Ok(self.canonical()?.digest().into())
    }

    /// Reads a document from its canonical JSON; any other spelling of it is refused.
    fn from_canonical(bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut value = json::parse_written(bytes, Self::MAX_BYTES)?;
        let Value::Object(members) = &mut value else {
            return Err(DocumentError::NotAnObject);
        };
        let kind = members.shift_remove("kind");
        if kind.as_ref().and_then(Value::as_str) != Some(Self::KIND) {
            return Err(DocumentError::Kind {
                expected: Self::KIND,
            });
        }
        if members.shift_remove("v").and_then(|v| v.as_u64()) != Some(VERSION) {
            return Err(DocumentError::Version);
        }
        let document: Self =
            serde_json::from_value(value).map_err(|e| DocumentError::Shape(e.to_string()))?;
        if document.canonical()?.as_bytes() != bytes {
            return Err(DocumentError::NotCanonical);
        }
        Ok(document)
    }
}

/// Why bytes are no document of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The bytes are not strict JSON.
    #[error(transparent)]
    Json(#[from] StrictError),
    /// The document has no canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The JSON is no object.
    #[error("a document is a json object")]
    NotAnObject,
    /// The document is of another kind.
    #[error("the document's kind is not `{expected}`")]
    Kind {
        /// The kind that was asked for.
        expected: &'static str,
    },
    /// The document states another version.
    #[error("the document's version is not 1")]
    Version,
    /// Members are missing, unknown, or of another type.
    #[error("{0}")]
    Shape(String),
    /// The bytes mean the document, but are not its canonical JSON.
    #[error("the bytes are not the document's canonical json")]
    NotCanonical,
}

/// 32 random bytes that keep a document's content from being guessed from its ref.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// A new salt.
    pub fn fresh(random: &dyn Random) -> Self {
        Self(bytes32(random))
    }
}

/// Text that is no salt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a salt: allowed are 43 characters of unpadded base64url")]
pub struct SaltError;

impl std::fmt::Display for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&to_base64url(&self.0))
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a salt")
    }
}

impl std::str::FromStr for Salt {
    type Err = SaltError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        base64url32(text).map(Self).ok_or(SaltError)
    }
}

serde_as_text!(Salt);

/// One mebibyte.
pub(crate) const MIB: usize = 1024 * 1024;
