//! Following one log from head to head: what each new head is to those that were seen before.
//!
//! A pure state machine: whoever uses it fetches heads, from the log and from its witnesses, keeps
//! [`Follower::kept`] durably, and tells people.

mod entries;

pub use entries::{EntriesSeen, MAX_NEW_ENTRIES};

use std::collections::BTreeMap;

use countersign_merkle::TreeSize;
use countersign_note::{Checkpoint, Note, SignedCheckpoint, VerifierKey};

use crate::consistency::{self, Shown};
use crate::contradiction::Contradiction;
use crate::source::LogSource;

/// Most heads that are kept. More of them can only show a fork of the past sooner.
pub const MAX_KEPT: usize = 1000;

/// What is known of one log.
#[derive(Debug, Clone)]
pub struct Follower {
    keys: Vec<VerifierKey>,
    origin: Option<String>,
    /// Heads that were seen, by size. All of them are consistent with the newest.
    seen: BTreeMap<u64, Head>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    checkpoint: Checkpoint,
    text: String,
}

/// What a head is to those that were seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The first one: taken as it is, since there is nothing to hold it against.
    First {
        /// Its size.
        size: u64,
    },
    /// It says what was seen already.
    Same {
        /// Its size.
        size: u64,
    },
    /// It extends the newest one, and is now the newest.
    Grown {
        /// The size until now.
        from: u64,
        /// The new size.
        to: u64,
    },
    /// It is of fewer entries than the newest, which begins with it.
    Behind {
        /// Its size.
        size: u64,
        /// The size of the newest.
        newest: u64,
    },
    /// It is of fewer entries than the newest, and nothing shows whether that begins with it.
    BehindUnproven {
        /// Its size.
        size: u64,
        /// The size of the newest.
        newest: u64,
        /// What was missing.
        reason: String,
    },
    /// It is larger, and nothing shows that it extends the newest. It is not taken.
    Unproven {
        /// The size of the newest.
        from: u64,
        /// Its size.
        to: u64,
        /// What does not hold.
        reason: String,
    },
    /// It contradicts one that was seen before.
    Contradiction(Box<Contradiction>),
}

/// Why a head says nothing of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// It is no checkpoint that a key of the log has signed.
    #[error("{0}")]
    Unsigned(String),
    /// It is of another log.
    #[error("the checkpoint is of `{found}`, the log is `{expected}`")]
    Origin {
        /// The origin that came.
        found: String,
        /// The log's.
        expected: String,
    },
    /// The tiles could not be read.
    #[error("{0}")]
    Source(String),
}

impl Follower {
    /// Follows the log whose checkpoints these keys sign. Nothing was seen yet.
    pub fn new(keys: Vec<VerifierKey>) -> Self {
        Self {
            keys,
            origin: None,
            seen: BTreeMap::new(),
        }
    }

    /// Takes a head that was kept from an earlier time: its signature is checked, and that it does
    /// not contradict another one of the same size.
    pub fn resume(&mut self, note: &[u8]) -> Result<Option<Contradiction>, FollowError> {
        let head = self.read(note)?;
        let size = head.checkpoint.size().get();
        if let Some(known) = self.seen.get(&size)
            && known.checkpoint.root() != head.checkpoint.root()
        {
            return Ok(Some(contradiction(&head, known, None)));
        }
        self.keep(head);
        Ok(None)
    }

    /// The newest head: its size and its note.
    pub fn newest(&self) -> Option<(u64, &str)> {
        let (size, head) = self.seen.last_key_value()?;
        Some((*size, &head.text))
    }

    /// The heads to keep, the smallest first.
    pub fn kept(&self) -> impl Iterator<Item = (u64, &str)> {
        self.seen
            .iter()
            .map(|(size, head)| (*size, head.text.as_str()))
    }

    /// The origin, once a head was seen.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Looks at a head of the log, wherever it comes from. `source` is asked for the few tiles that
    /// show whether one head extends the other.
    ///
    /// # Errors
    /// The head says nothing of this log, or the tiles could not be read; nothing has changed then.
    pub fn observe(&mut self, note: &[u8], source: &dyn LogSource) -> Result<Step, FollowError> {
        let head = self.read(note)?;
        let size = head.checkpoint.size().get();
        let Some((newest, known)) = self.seen.last_key_value() else {
            return self.first(head, source);
        };
        let newest = *newest;
        if let Some(same) = self.seen.get(&size) {
            return Ok(match same.checkpoint.root() == head.checkpoint.root() {
                false => Step::Contradiction(Box::new(contradiction(&head, same, None))),
                true if size == newest => Step::Same { size },
                true => Step::Behind { size, newest },
            });
        }
        if size < newest {
            return self.behind(head, known, source);
        }
        let shown = compare(source, known, &head)?;
        Ok(match shown {
            Shown::Consistent => {
                self.keep(head);
                let (from, to) = (newest, size);
                Step::Grown { from, to }
            }
            Shown::Contradicts(prefix) => {
                Step::Contradiction(Box::new(contradiction(&head, known, Some(prefix))))
            }
            Shown::Nothing(reason) => Step::Unproven {
                from: newest,
                to: size,
                reason,
            },
        })
    }

    fn first(&mut self, head: Head, source: &dyn LogSource) -> Result<Step, FollowError> {
        let size = head.checkpoint.size().get();
        let wrong = consistency::edge(source, &head.checkpoint).map_err(FollowError::Source)?;
        if let Some(reason) = wrong {
            let (from, to) = (0, size);
            return Ok(Step::Unproven { from, to, reason });
        }
        self.keep(head);
        Ok(Step::First { size })
    }

    /// A head of fewer entries. The tiles of the newest head show whether that begins with it; if
    /// they are gone, those of this one still show whether it extends what was seen before it.
    fn behind(
        &self,
        head: Head,
        newest: &Head,
        source: &dyn LogSource,
    ) -> Result<Step, FollowError> {
        let (size, of) = (head.checkpoint.size().get(), newest.checkpoint.size().get());
        let reason = match compare(source, &head, newest)? {
            Shown::Consistent => return Ok(Step::Behind { size, newest: of }),
            Shown::Contradicts(prefix) => {
                let found = contradiction(&head, newest, Some(prefix));
                return Ok(Step::Contradiction(Box::new(found)));
            }
            Shown::Nothing(reason) => reason,
        };
        if let Some((_, before)) = self.seen.range(..size).next_back()
            && let Shown::Contradicts(prefix) = compare(source, before, &head)?
        {
            let found = contradiction(&head, before, Some(prefix));
            return Ok(Step::Contradiction(Box::new(found)));
        }
        Ok(Step::BehindUnproven {
            size,
            newest: of,
            reason,
        })
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Head, FollowError> {
        let unsigned = |error: String| FollowError::Unsigned(error);
        let note = Note::parse(bytes).map_err(|error| unsigned(error.to_string()))?;
        let signed = SignedCheckpoint::open(&note, &self.keys)
            .map_err(|error| unsigned(error.to_string()))?;
        let checkpoint = signed.checkpoint().clone();
        match &self.origin {
            Some(expected) if expected != checkpoint.origin() => {
                return Err(FollowError::Origin {
                    found: checkpoint.origin().to_owned(),
                    expected: expected.clone(),
                });
            }
            _ => {}
        }
        let text = note.to_string();
        Ok(Head { checkpoint, text })
    }

    fn keep(&mut self, head: Head) {
        self.origin = Some(head.checkpoint.origin().to_owned());
        self.seen.insert(head.checkpoint.size().get(), head);
        while self.seen.len() > MAX_KEPT {
            self.seen.pop_first();
        }
    }

    /// The checkpoint of a head that was seen, by its size.
    fn at(&self, size: u64) -> Option<&Checkpoint> {
        self.seen.get(&size).map(|head| &head.checkpoint)
    }

    /// Reads the bundles with the entries `from..to`, both sizes that were seen, and holds them
    /// against the roots of both heads.
    ///
    /// # Errors
    /// Files could not be read.
    pub fn entries(
        &self,
        from: u64,
        to: u64,
        source: &dyn LogSource,
    ) -> Result<EntriesSeen, FollowError> {
        let empty = TreeSize::ZERO;
        let Some(to) = self.at(to) else {
            return Ok(EntriesSeen::Nothing);
        };
        let before = self.at(from).map_or(empty, Checkpoint::size);
        let root = self.at(from).map(Checkpoint::root);
        entries::read(source, before, root, to).map_err(FollowError::Source)
    }
}

fn compare(source: &dyn LogSource, fewer: &Head, more: &Head) -> Result<Shown, FollowError> {
    consistency::compare(source, &fewer.checkpoint, &more.checkpoint).map_err(FollowError::Source)
}

fn contradiction(
    ours: &Head,
    theirs: &Head,
    prefix: Option<crate::contradiction::Prefix>,
) -> Contradiction {
    Contradiction {
        ours: ours.text.clone(),
        theirs: theirs.text.clone(),
        prefix,
    }
}
