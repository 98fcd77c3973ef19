//! One witness, from the log's side: submitting to it, and what follows from its answers.

use crate::contradiction::Conflict;
use crate::limits::ATTEMPTS;
use crate::parts::{LogKeys, Parts};
use crate::transport::{RawAnswer, Transport, TransportError};
use countersign_ledger::ReadError;
use countersign_merkle::TreeSize;
use countersign_note::{Note, NoteSignature, VerifierKey};
use countersign_witness::{AddCheckpoint, Answer, LogName};
use std::sync::Arc;

/// Why a witness did not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It did not answer in time.
    #[error("no answer in time: {0}")]
    Timeout(String),
    /// It could not be reached.
    #[error("{0}")]
    Unreachable(String),
    /// It was not told of this log.
    #[error("it knows no log of this name: hand it the log's key (`countersign key show`)")]
    UnknownLog,
    /// It trusts another key than the log's.
    #[error("it does not trust the key of this log")]
    Untrusted,
    /// What it answered is no answer of a witness.
    #[error("its answer cannot be read: {0}")]
    Malformed(String),
    /// It refused for another reason.
    #[error("it answered with status {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// What it sent as its cosignature is not made by its key.
    #[error("what it sent is not a cosignature of its key")]
    BadSignature,
    /// It names another size each time.
    #[error("it names another size each time it is asked")]
    Restless,
    /// It has cosigned more than this submission covers, as another one in flight may.
    #[error("it has cosigned {0} entries already, more than were submitted")]
    Ahead(TreeSize),
    /// It claims to hold what would contradict the log, and shows no checkpoint with the log's
    /// signature. One witness that lies must not be able to stop a log.
    #[error("it claims to hold another history, and does not show it: {0}")]
    Unproven(String),
    /// The log could not be read.
    #[error("the log could not be read: {0}")]
    Log(String),
}

/// What came of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Submitted {
    Cosigned(Vec<NoteSignature>),
    /// It has cosigned a newer checkpoint of this log already, which others have sent to it.
    Overtaken(Box<Newer>),
    Failed(Failure),
    Contradicted(Box<Conflict>),
}

/// A checkpoint of this log that a witness holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Newer {
    /// With the signatures of the log alone.
    pub(crate) note: Note,
    pub(crate) size: TreeSize,
    /// The witness's cosignature.
    pub(crate) lines: Vec<NoteSignature>,
}

/// A witness, and what it is known to hold.
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) key: VerifierKey,
    pub(crate) transport: Arc<dyn Transport>,
    /// The size that it cosigned last.
    pub(crate) known: TreeSize,
}

impl Failure {
    /// A word for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::UnknownLog => "unknown-log",
            Self::Untrusted => "untrusted",
            Self::Malformed(_) => "malformed",
            Self::Refused { .. } => "refused",
            Self::BadSignature => "bad-signature",
            Self::Restless | Self::Ahead(_) => "conflict",
            Self::Unproven(_) => "unproven",
            Self::Log(_) => "log",
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        match error.is_timeout {
            true => Self::Timeout(error.reason),
            false => Self::Unreachable(error.reason),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Log(error.to_string())
    }
}

impl Link {
    /// Asks for a cosignature of `note`, whose tree has `size` entries. A conflict names where the
    /// witness is, and the proof begins there then.
    pub(crate) fn submit(&mut self, parts: &Parts, note: &Note, size: TreeSize) -> Submitted {
        match self.try_submit(parts, note, size) {
            Ok(submitted) => submitted,
            Err(failure) => Submitted::Failed(failure),
        }
    }

    fn try_submit(
        &mut self,
        parts: &Parts,
        note: &Note,
        size: TreeSize,
    ) -> Result<Submitted, Failure> {
        for _ in 0..ATTEMPTS {
            let old = self.known;
            if old > size {
                return match old > parts.log.size() {
                    true => self.investigate(parts, &format!("{old} entries")),
                    false => self.overtaken(parts, size).ok_or(Failure::Ahead(old)),
                };
            }
            let proof = match old {
                TreeSize::ZERO => Vec::new(),
                old => parts.log.consistency(old, size)?,
            };
            let request = AddCheckpoint::new(old, proof, note.clone())
                .map_err(|error| Failure::Log(error.to_string()))?;
            let answer = self.transport.add_checkpoint(&request.to_string())?;
            match read(&answer) {
                Answer::Cosigned(lines) => return self.checked(note, lines, size),
                Answer::Conflict(held) if held == old => {
                    // Earlier versions of the specification answer so for another root.
                    return self.investigate(parts, &format!("another root at size {held}"));
                }
                Answer::Conflict(held) => self.known = held,
                Answer::Inconsistent => {
                    return self.investigate(parts, &format!("another tree of {old} entries"));
                }
                Answer::UnknownLog => return Err(Failure::UnknownLog),
                Answer::Untrusted => return Err(Failure::Untrusted),
                Answer::Refused { status, detail } => {
                    return Err(Failure::Refused { status, detail });
                }
                Answer::Malformed { reason } => return Err(Failure::Malformed(reason)),
            }
        }
        self.known = TreeSize::ZERO;
        Err(Failure::Restless)
    }

    /// Takes of the lines one that the witness's key made: more of them would take the room that a
    /// note has for those of others.
    fn checked(
        &mut self,
        note: &Note,
        lines: Vec<NoteSignature>,
        size: TreeSize,
    ) -> Result<Submitted, Failure> {
        let own = self.own(note, lines).ok_or(Failure::BadSignature)?;
        self.known = size;
        Ok(Submitted::Cosigned(own))
    }

    /// Of the lines one that the witness's key made over the note.
    fn own(&self, note: &Note, lines: Vec<NoteSignature>) -> Option<Vec<NoteSignature>> {
        let is_own = |line: &NoteSignature| is_by(&self.key, line);
        let own: Vec<_> = lines.into_iter().filter(is_own).take(1).collect();
        let alone = Note::new(note.text().to_owned(), own.clone()).ok()?;
        alone.verify(std::slice::from_ref(&self.key)).ok()?;
        Some(own)
    }

    /// What the witness has cosigned beyond `size`, if it shows that. Checkpoints stand in every
    /// receipt and a witness asks nobody who he is: whoever sends each newer one to it at once would
    /// otherwise keep it ahead of every round.
    fn overtaken(&mut self, parts: &Parts, size: TreeSize) -> Option<Submitted> {
        let origin = parts.log.head().origin().to_string();
        let answer = self.transport.checkpoint(&LogName::of(&origin)).ok()?;
        let live = parts.log_keys.live();
        let (note, checkpoint) = LogKeys::open(live, &answer.body)?;
        parts.log.check_known(&checkpoint).ok()?;
        // A witness that was told of one key only does not keep what the others have signed.
        let of_log: Option<Vec<_>> = live
            .iter()
            .map(|key| note.signatures().iter().find(|line| is_by(key, line)))
            .map(Option::<&NoteSignature>::cloned)
            .collect();
        let lines = self.own(&note, note.signatures().to_vec())?;
        let newer = Newer {
            note: Note::new(note.text().to_owned(), of_log?).ok()?,
            size: checkpoint.size(),
            lines,
        };
        self.known = newer.size;
        (newer.size > size).then(|| Submitted::Overtaken(Box::new(newer)))
    }

    /// Looks at what the witness holds. Only a checkpoint that this log's key has signed counts.
    fn investigate(&mut self, parts: &Parts, claim: &str) -> Result<Submitted, Failure> {
        let unproven = || Failure::Unproven(claim.to_owned());
        match self.held(parts) {
            Ok(Some(Held::Conflict(conflict))) => Ok(Submitted::Contradicted(conflict)),
            Ok(Some(Held::Fits(size))) => {
                // What it shows fits, so the next round begins there.
                self.known = size;
                Err(unproven())
            }
            Ok(None) | Err(_) => {
                self.known = TreeSize::ZERO;
                Err(unproven())
            }
        }
    }

    /// What the witness shows of this log; `None` if it shows nothing that the log has signed.
    pub(crate) fn held(&self, parts: &Parts) -> Result<Option<Held>, Failure> {
        let origin = parts.log.head().origin().to_string();
        let answer = self.transport.checkpoint(&LogName::of(&origin))?;
        if answer.status != 200 {
            return Ok(None);
        }
        let Some((note, theirs)) = LogKeys::open(parts.log_keys.live(), &answer.body) else {
            return Ok(None);
        };
        // Read after the answer came: what the witness knew then was released before.
        let (ours, our_size) = (parts.log.checkpoint(), parts.log.size());
        match parts.log.check_known(&theirs) {
            Ok(()) => Ok(Some(Held::Fits(theirs.size()))),
            Err(ReadError::Beyond { .. } | ReadError::ForeignCheckpoint { .. })
                if theirs.origin() == origin =>
            {
                Ok(Some(Held::Conflict(Box::new(Conflict {
                    witness: self.name.clone(),
                    ours: ours.to_string(),
                    theirs: note.to_string(),
                    their_size: theirs.size(),
                    our_size,
                }))))
            }
            Err(ReadError::ForeignCheckpoint { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_by(key: &VerifierKey, line: &NoteSignature) -> bool {
    line.id() == key.id() && line.name() == key.name()
}

/// What a witness shows of this log.
pub(crate) enum Held {
    Fits(TreeSize),
    Conflict(Box<Conflict>),
}

pub(crate) fn read(answer: &RawAnswer) -> Answer {
    Answer::read(answer.status, answer.media_type.as_deref(), &answer.body)
}
