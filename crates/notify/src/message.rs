//! What there is to tell, and where it comes from.

use countersign_core::entry::{Detector, Severity};
use countersign_core::ids::EntryId;
use countersign_core::names::ActorName;
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An entry and its place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The leaf index.
    pub index: u64,
    /// The entry's id, which is the message's, too.
    pub id: EntryId,
}

/// What happened to a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was raised.
    Raised,
    /// Its incident grew.
    Grown,
    /// Somebody took note of it.
    Acknowledged,
    /// Its incident is over.
    Closed,
}

/// One entry about a flag, with what of the flag it does not say itself. Nothing in it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The entry.
    pub place: Place,
    /// When it was committed.
    pub at: Timestamp,
    /// What happened.
    pub change: Change,
    /// The flag.
    pub flag: EntryId,
    /// What was looked for.
    pub detector: Detector,
    /// How grave it is as of this entry.
    pub severity: Severity,
    /// The actor that it concerns.
    pub actor: Option<ActorName>,
    /// Where it began.
    pub onset: EntryId,
    /// When it began.
    pub onset_at: Option<Timestamp>,
    /// The turn that was the newest of its session at the onset.
    pub turn: Option<IntentRef>,
    /// The execution whose result was the last to come in before the onset.
    pub after: Option<EntryId>,
    /// How many entries there are by now.
    pub count: u32,
    /// How many of them are calls that were stopped.
    pub stopped: Option<u32>,
    /// How many of them are calls that were approved.
    pub passed: Option<u32>,
    /// The entries that this one adds, in the order of the log.
    pub entries: Vec<EntryId>,
    /// The log.
    pub origin: String,
}

/// A stretch of the log that was looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What is in it, in the order of the log.
    pub messages: Vec<Message>,
    /// The first leaf index that was not looked at.
    pub until: u64,
}

/// What was sealed of an onset, opened under the sink's own credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// The turn's parts.
    pub turn: Vec<OpenedPart>,
    /// The call's tool and arguments, as JSON.
    pub call: Option<String>,
    /// Why something is not shown.
    pub note: Option<String>,
}

/// A part of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPart {
    /// Whose words these are.
    pub by: &'static str,
    /// The words, cut to what a message shows.
    pub text: String,
}

/// Why the log could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// Reads messages from a log.
pub trait Source: Send + Sync {
    /// How many entries the log holds. Cheap.
    fn size(&self) -> u64;

    /// The messages from this leaf index on, at most `limit`.
    fn from(&self, index: u64, limit: usize) -> Result<Page, SourceError>;

    /// The message that this entry is.
    fn at(&self, id: EntryId) -> Result<Option<Message>, SourceError>;

    /// Opens the turn and the call of a message's onset under this credential. The log says so
    /// before this returns. What cannot be opened is a note, not an error.
    fn open(&self, sink: &str, token: &str, message: &Message) -> Opened;

    /// Whether what was opened is all still there: what was erased meanwhile is told no more.
    fn is_kept(&self, message: &Message) -> bool;
}

impl Change {
    /// The event's type, as webhooks name it.
    pub fn event(self) -> &'static str {
        match self {
            Self::Raised => "countersign.flag.raised",
            Self::Grown => "countersign.flag.grown",
            Self::Acknowledged => "countersign.flag.acknowledged",
            Self::Closed => "countersign.flag.closed",
        }
    }

    /// The same as a word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Grown => "grown",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

impl Message {
    /// Whether the policy stopped all of the calls; `None` if the flag does not say how many passed.
    pub fn policy_held(&self) -> Option<bool> {
        self.passed.map(|passed| passed == 0)
    }

    /// How urgent the news is: that somebody took note, or that it is over, wakes nobody.
    pub fn urgency(&self) -> Severity {
        match self.change {
            Change::Raised | Change::Grown => self.severity,
            Change::Acknowledged | Change::Closed => Severity::Notice,
        }
    }
}

impl Opened {
    /// Whether there is anything to show.
    pub fn is_empty(&self) -> bool {
        self.turn.is_empty() && self.call.is_none() && self.note.is_none()
    }
}
