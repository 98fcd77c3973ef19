//! The leaf: every kind of entry that a ledger can hold, as one closed enum.
//!
//! A leaf's bytes are the canonical JSON of an entry; they hold every member, so every member is
//! covered by the leaf hash. Nothing that an agent wrote stands in a leaf: members are refs,
//! ULIDs, declared names and closed sets.

mod fast;
mod kind;
mod kinds;
mod parts;
mod sets;

pub use kind::{Kind, Member};
pub use kinds::*;
pub use parts::{Part, PartBytes, split};
pub use sets::*;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::document::VERSION;
use crate::ids::EntryId;
use crate::json::{self, CanonicalError, CanonicalJson, StrictError};
use crate::limits::{KIND_NAME_BYTES, LEAF_BYTES, LEAF_LIST};
use crate::time::Timestamp;

/// One entry: what every kind has, and what its kind has.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The entry's id, unique in its log.
    pub entry_id: EntryId,
    /// When it was committed; never earlier than the entry before it.
    pub timestamp: Timestamp,
    /// What it says.
    pub body: Body,
}

/// An entry as a reader meets it: of a kind that this version knows, or not.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyEntry {
    /// Of a known kind.
    Known(Box<Entry>),
    /// Of a kind that this version does not know: not an error.
    Unknown(UnknownEntry),
}

/// What can be said of an entry of an unknown kind.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownEntry {
    /// The entry's id.
    pub entry_id: EntryId,
    /// When it was committed.
    pub timestamp: Timestamp,
    /// The kind's name.
    pub kind: String,
    /// All its members.
    pub members: Map<String, Value>,
}

/// Members that every kind has.
pub const COMMON_MEMBERS: &[Member] = &[
    Member {
        name: "v",
        doc: "The format's version: 1.",
        holds: "u64",
        is_optional: false,
    },
    Member {
        name: "kind",
        doc: "The kind of entry.",
        holds: "kind",
        is_optional: false,
    },
    Member {
        name: "entry_id",
        doc: "ULID, unique in the log. Order is the leaf index, never this id.",
        holds: "EntryId",
        is_optional: false,
    },
    Member {
        name: "timestamp",
        doc: "When it was committed, RFC 3339 in UTC with milliseconds; never earlier than the entry before.",
        holds: "Timestamp",
        is_optional: false,
    },
];

macro_rules! body {
    ($($variant:ident),* $(,)?) => {
        /// What an entry says: the closed set of kinds.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "each variant is documented at the type that it holds")]
        #[expect(clippy::large_enum_variant, reason = "decisions are the large variant and nearly all entries")]
        pub enum Body {
            $($variant($variant),)*
        }

        impl Body {
            /// Every kind: its name, what it is, and its own members.
            pub const KINDS: &'static [(&'static str, &'static str, &'static [Member])] =
                &[$((<$variant as Kind>::KIND, <$variant as Kind>::DOC, <$variant as Kind>::MEMBERS),)*];

            /// The kind's name.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => <$variant as Kind>::KIND,)* }
            }

            /// The leaf in one go.
            fn to_leaf(&self, entry: &Entry) -> Result<CanonicalJson, CanonicalError> {
                match self { $(Self::$variant(body) => Written::of(entry, body),)* }
            }

            fn to_members(&self) -> Result<Map<String, Value>, serde_json::Error> {
                let value = match self { $(Self::$variant(body) => serde_json::to_value(body)?,)* };
                match value {
                    Value::Object(members) => Ok(members),
                    other => Ok(Map::from_iter([("value".to_owned(), other)])),
                }
            }

            fn read_fast(kind: &str, leaf: &[u8]) -> Option<Entry> {
                match kind {
                    $(<$variant as Kind>::KIND => fast::read::<$variant>(leaf),)*
                    _ => None,
                }
            }

            fn from_members(kind: &str, members: Map<String, Value>) -> Option<Result<Self, serde_json::Error>> {
                let value = Value::Object(members);
                match kind {
                    $(<$variant as Kind>::KIND => Some(serde_json::from_value(value).map(Self::$variant)),)*
                    _ => None,
                }
            }
        }

        $(impl From<$variant> for Body {
            fn from(body: $variant) -> Self {
                Self::$variant(body)
            }
        })*
    };
}

body!(
    Genesis,
    Decision,
    Intent,
    Revocation,
    Policy,
    Directory,
    Credential,
    Key,
    Execution,
    Review,
    Expired,
    PermitRefused,
    Delegation,
    VaultAccess,
    Erasure,
    Hold,
    Flag,
    FlagUpdate,
    FlagClose,
    SessionOpen,
    SessionClose,
    Throttled,
    Part,
);

/// Why an entry has no leaf, or bytes are no leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// The bytes are not strict JSON.
    #[error(transparent)]
    Json(#[from] StrictError),
    /// The entry has no canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The JSON is no object.
    #[error("a leaf is a json object")]
    NotAnObject,
    /// A member that every kind has is missing or of another type.
    #[error("the leaf's `{0}` is missing or malformed")]
    Common(&'static str),
    /// A member of the kind is missing, unknown or of another type.
    #[error("{kind}: {reason}")]
    Shape {
        /// The kind.
        kind: String,
        /// What is wrong.
        reason: String,
    },
    /// The bytes mean an entry, but are not its canonical JSON.
    #[error("the bytes are not the entry's canonical json")]
    NotCanonical,
    /// The leaf would be longer than tlog-tiles leaves room for.
    #[error("a leaf of {0} bytes is over the limit of {LEAF_BYTES}")]
    TooLong(usize),
    /// A list holds more items than a leaf may.
    #[error("`{member}` holds {found} items, over the limit of {LEAF_LIST}")]
    LongList {
        /// The list.
        member: String,
        /// How many items it holds.
        found: usize,
    },
}

impl Entry {
    /// The leaf's bytes.
    pub fn to_leaf(&self) -> Result<CanonicalJson, LeafError> {
        let leaf = self.body.to_leaf(self)?;
        let commas = leaf.as_bytes().iter().filter(|byte| **byte == b',');
        if commas.count() > LEAF_LIST {
            // Only such a leaf can hold a long list.
            check_lists(&self.members()?)?;
        }
        match leaf.as_bytes().len() {
            length if length > LEAF_BYTES => Err(LeafError::TooLong(length)),
            _ => Ok(leaf),
        }
    }

    fn members(&self) -> Result<Map<String, Value>, LeafError> {
        self.body.to_members().map_err(|e| LeafError::Shape {
            kind: self.body.kind().to_owned(),
            reason: e.to_string(),
        })
    }
}

/// An entry as it is written: what every kind has beside what its own kind has.
#[derive(Serialize)]
struct Written<'e, B> {
    v: u64,
    kind: &'static str,
    entry_id: EntryId,
    timestamp: Timestamp,
    #[serde(flatten)]
    body: &'e B,
}

impl<'e, B: Kind> Written<'e, B> {
    fn of(entry: &Entry, body: &'e B) -> Result<CanonicalJson, CanonicalError> {
        CanonicalJson::of_exact(&Self {
            v: VERSION,
            kind: B::KIND,
            entry_id: entry.entry_id,
            timestamp: entry.timestamp,
            body,
        })
    }
}

impl AnyEntry {
    /// Reads a leaf. Bytes that are not the one canonical form of the entry are refused.
    pub fn from_leaf(bytes: &[u8]) -> Result<Self, LeafError> {
        let fast = fast::kind(bytes).and_then(|kind| Body::read_fast(kind, bytes));
        if let Some(entry) = fast
            && entry.to_leaf().is_ok_and(|leaf| leaf.as_bytes() == bytes)
        {
            return Ok(Self::Known(Box::new(entry)));
        }
        Self::from_leaf_strictly(bytes)
    }

    /// The same, reading all of it as a strict reader does: what is wrong is said exactly.
    fn from_leaf_strictly(bytes: &[u8]) -> Result<Self, LeafError> {
        let value = json::parse(bytes, LEAF_BYTES)?;
        let Value::Object(mut members) = value else {
            return Err(LeafError::NotAnObject);
        };
        check_lists(&members)?;
        let is_known = |kind: &str| Body::KINDS.iter().any(|(known, _, _)| *known == kind);
        let unread = match members.get("kind").and_then(Value::as_str) {
            Some(kind) if is_known(kind) => None,
            _ => Some(CanonicalJson::of(&members)?),
        };
        if members.shift_remove("v").and_then(|v| v.as_u64()) != Some(VERSION) {
            return Err(LeafError::Common("v"));
        }
        let kind = text(&mut members, "kind")?;
        if !is_kind_name(&kind) {
            return Err(LeafError::Common("kind"));
        }
        let entry_id = text(&mut members, "entry_id")?
            .parse()
            .map_err(|_| LeafError::Common("entry_id"))?;
        let timestamp = text(&mut members, "timestamp")?
            .parse()
            .map_err(|_| LeafError::Common("timestamp"))?;
        if let Some(canonical) = unread {
            if canonical.as_bytes() != bytes {
                return Err(LeafError::NotCanonical);
            }
            return Ok(Self::Unknown(UnknownEntry {
                entry_id,
                timestamp,
                kind,
                members,
            }));
        }
        let shape = |reason| LeafError::Shape {
            kind: kind.clone(),
            reason,
        };
        let body = Body::from_members(&kind, members)
            .ok_or_else(|| shape("not a known kind".to_owned()))?
            .map_err(|error| shape(error.to_string()))?;
        let entry = Entry {
            entry_id,
            timestamp,
            body,
        };
        // This is what makes the bytes the one leaf of the entry: another order, white space, or
        // `null` for a member that is left out is written back otherwise.
        if entry.to_leaf()?.as_bytes() != bytes {
            return Err(LeafError::NotCanonical);
        }
        Ok(Self::Known(Box::new(entry)))
    }

    /// The entry's id.
    pub fn entry_id(&self) -> EntryId {
        match self {
            Self::Known(entry) => entry.entry_id,
            Self::Unknown(entry) => entry.entry_id,
        }
    }

    /// When it was committed.
    pub fn timestamp(&self) -> Timestamp {
        match self {
            Self::Known(entry) => entry.timestamp,
            Self::Unknown(entry) => entry.timestamp,
        }
    }

    /// The kind's name.
    pub fn kind(&self) -> &str {
        match self {
            Self::Known(entry) => entry.body.kind(),
            Self::Unknown(entry) => &entry.kind,
        }
    }

    /// What it says, if the kind is known.
    pub fn body(&self) -> Option<&Body> {
        match self {
            Self::Known(entry) => Some(&entry.body),
            Self::Unknown(_) => None,
        }
    }
}

fn text(members: &mut Map<String, Value>, name: &'static str) -> Result<String, LeafError> {
    match members.shift_remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(LeafError::Common(name)),
    }
}

/// Also the name of a kind that is not known may not carry a message.
fn is_kind_name(kind: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=KIND_NAME_BYTES).contains(&kind.len()) && kind.bytes().all(is_allowed)
}

fn check_lists(members: &Map<String, Value>) -> Result<(), LeafError> {
    for (member, value) in members {
        if let Value::Array(items) = value
            && items.len() > LEAF_LIST
        {
            return Err(LeafError::LongList {
                member: member.clone(),
                found: items.len(),
            });
        }
    }
    Ok(())
}
