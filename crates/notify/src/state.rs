//! What is kept beside the log: how far each sink has come. Places in the log and counts, never a
//! text of a message.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::files::replace;
use crate::limits::STATE_BYTES;
use crate::message::Place;

/// The state of all sinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The form of this file.
    pub version: u32,
    /// By the sink's name.
    pub sinks: BTreeMap<String, SinkState>,
}

/// The state of one sink.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SinkState {
    /// The first leaf index that it was not told of.
    pub cursor: u64,
    /// Tells whether it is still the same address.
    pub fingerprint: String,
    /// What is being tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Dead letters that are to be sent again, before all else.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    pub again: VecDeque<Item>,
    /// What waits for the end of the quiet hours, in the order of the log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gathered: Vec<Place>,
    /// How much more waits for it.
    pub gathered_more: u64,
    /// What was given up, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<Dead>,
    /// How many dead letters gave way to newer ones.
    pub dead_dropped: u64,
    /// Why nothing is sent any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
    /// How many messages arrived.
    pub delivered: u64,
    /// When the last one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
}

/// What is told at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Item {
    /// One entry.
    One(Place),
    /// What the quiet hours gathered: the entries, and how many more there were.
    Digest(Vec<Place>, u64),
}

/// What is being tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// What it is.
    pub item: Item,
    /// Whether it does not wait for the end of the quiet hours.
    pub urgent: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried, or is to be.
    pub first: Timestamp,
    /// When it is tried next.
    pub next: Timestamp,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dead {
    /// The message's id.
    pub id: String,
    /// What it is.
    pub item: Item,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried.
    pub first: Timestamp,
    /// When it was given up.
    pub given_up: Timestamp,
    /// What went wrong last.
    pub error: String,
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system said no.
    #[error("`{path}`: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is not what a server wrote.
    #[error("`{path}` is no state of sinks: {error}")]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: String,
    },
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: 1,
            sinks: BTreeMap::new(),
        }
    }
}

impl State {
    /// Reads it; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, StateError> {
        let failed = |error| StateError::Io {
            path: path.to_owned(),
            error,
        };
        let form = |error: String| StateError::Form {
            path: path.to_owned(),
            error,
        };
        let file = match std::fs::File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(STATE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let state: Self =
            serde_json::from_slice(&bytes).map_err(|error| form(error.to_string()))?;
        match state.version {
            1 => Ok(Some(state)),
            other => Err(form(format!("its version is {other}; known is 1"))),
        }
    }

    /// Writes it; durable on return.
    pub fn write(&self, path: &Path) -> Result<(), StateError> {
        let failed = |error| StateError::Io {
            path: path.to_owned(),
            error,
        };
        let bytes = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        replace(path, &bytes).map_err(failed)
    }
}

impl Item {
    /// The message's id: the same at every attempt.
    pub fn id(&self) -> String {
        match self {
            Self::One(place) => place.id.to_string(),
            Self::Digest(places, _) => {
                let last = places.last().map(|place| place.id.to_string());
                format!("digest_{}", last.unwrap_or_default())
            }
        }
    }

    /// The entries in it.
    pub fn places(&self) -> &[Place] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Digest(places, _) => places,
        }
    }
}
