//! The mutable state that verdicts rest on: a versioned key-value map.

use countersign_core::time::Timestamp;
use countersign_merkle::LeafIndex;
use std::fmt;

/// Names one value of the mutable state, such as `policy/current` or `intent/sha256:…`.
///
/// A key longer than [`crate::limits::STATE_KEY_BYTES`] is refused when it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey(String);

impl StateKey {
    /// The key of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for StateKey {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// A value with the moment of its last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The bytes; `None` when the key was deleted. Its version stays, so that a key which was
    /// deleted and written anew does not look unchanged.
    pub value: Option<Vec<u8>>,
    /// The index of the first entry of the unit of work that changed it last.
    pub version: LeafIndex,
}

/// The version of what [`crate::Step::state`] and [`crate::LogReader::state`] return, as a
/// [`ReadSet`] holds it: `None` for a key that never existed.
pub fn version_of(found: Option<&Versioned>) -> Option<LeafIndex> {
    found.map(|found| found.version)
}

/// The versions of everything that a verdict rested on, compared again under the lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet {
    /// Each key that was read, with the version that was found; `None` for a key that never existed.
    pub versions: Vec<(StateKey, Option<LeafIndex>)>,
    /// The last moment at which the verdict still holds, if time can end it.
    pub valid_until: Option<Timestamp>,
}

impl ReadSet {
    /// A read set of nothing: the unit looks at all that it needs within its [`crate::Step`].
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a key as it was found.
    pub fn read(&mut self, key: StateKey, found: Option<&Versioned>) {
        self.versions.push((key, version_of(found)));
    }

    /// Moves the end of the verdict's validity forward to `end`, if that is earlier.
    pub fn limit(&mut self, end: Timestamp) {
        self.valid_until = Some(self.valid_until.map_or(end, |until| until.min(end)));
    }
}
