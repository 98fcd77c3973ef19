//! What every witness is asked before a log goes on: a data directory that was restored as a whole
//! is consistent in itself, and only what others hold shows what it has forgotten.

use crate::contradiction::Conflict;
use crate::kept::KeptError;
use crate::link::{Failure, Held, Link, Submitted};
use crate::parts::{Parts, SetupError};
use countersign_merkle::TreeSize;
use countersign_note::{Checkpoint, Note};
use std::path::PathBuf;
use std::thread;

/// What a witness said at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It has cosigned the log as it is now.
    Cosigned(TreeSize),
    /// It said nothing of use, so nothing is known of what it holds.
    Silent(Failure),
    /// There is no way to it.
    NotAsked,
}

/// What all witnesses said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Each witness by what the policy calls it, in the policy's order.
    pub witnesses: Vec<(String, Found)>,
}

/// Why a log must not go on, or not yet.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings could never work.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// What was published last does not fit.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// A witness holds what the log has signed and does not hold.
    #[error("{}\nthe log's head:\n{}\nthe witness's:\n{}", .conflict.summary(), .conflict.ours, .conflict.theirs)]
    Contradiction {
        /// Both heads.
        conflict: Box<Conflict>,
        /// Where they are kept, if they could be.
        evidence: Option<PathBuf>,
    },
    /// A witness says that it holds what the log does not, without showing it.
    #[error(
        "the witness `{witness}` says that it has cosigned {claim} of this log, which has {size}; it shows no checkpoint of it\nthe log's head:\n{ours}"
    )]
    Claim {
        /// What the policy calls it.
        witness: String,
        /// What it says.
        claim: String,
        /// The log's size.
        size: TreeSize,
        /// The log's newest checkpoint.
        ours: String,
    },
    /// A quorum is required, and those that answered make none.
    #[error(
        "a quorum of witnesses is required, and too few have cosigned the log as it is: {silent}"
    )]
    Silent {
        /// Those that did not, and why.
        silent: String,
    },
    /// The log's newest checkpoint cannot be read.
    #[error("the log's newest checkpoint: {0}")]
    Head(String),
    /// A thread did not start.
    #[error("a thread did not start: {0}")]
    Thread(std::io::Error),
}

impl StartError {
    /// Whether going on could contradict what the log has signed.
    pub fn is_contradiction(&self) -> bool {
        matches!(
            self,
            Self::Contradiction { .. }
                | Self::Claim { .. }
                | Self::Kept(KeptError::Contradiction { .. })
        )
    }

    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Contradiction { evidence, .. } => {
                let kept = evidence.as_ref().map_or_else(String::new, |path| {
                    format!("; both heads are kept in `{}`", path.display())
                });
                Some(format!(
                    "put the newest data directory back, and stop any copy of it that runs; docs/recovery.md says what to do if it is lost{kept}"
                ))
            }
            Self::Kept(KeptError::Contradiction { .. }) => {
                Some("put the newest data directory back".to_owned())
            }
            Self::Kept(KeptError::Foreign { path }) => Some(format!(
                "nothing is lost with `{}` but what was published last: remove it to go on",
                path.display()
            )),
            Self::Claim { witness, .. } => Some(format!(
                "put the newest data directory back; if you know that `{witness}` is wrong, take it out of the policy"
            )),
            Self::Silent { .. } => Some(
                "start the witnesses, and hand the log's key to those that do not know it (`countersign key show --data DIR`)"
                    .to_owned(),
            ),
            Self::Setup(_) | Self::Kept(_) | Self::Head(_) | Self::Thread(_) => None,
        }
    }
}

/// Asks all witnesses at once. What they hold is noted in the links.
pub(crate) fn ask(parts: &Parts, links: &mut [Option<Link>]) -> Result<Started, StartError> {
    let text = parts.log.checkpoint();
    let note = Note::parse(text.as_bytes()).map_err(|error| StartError::Head(error.to_string()))?;
    let head =
        Checkpoint::parse(note.text()).map_err(|error| StartError::Head(error.to_string()))?;
    let size = head.size();
    let said: Vec<Submitted> = thread::scope(|scope| {
        let asked: Vec<_> = links
            .iter_mut()
            .map(|link| {
                let note = &note;
                link.as_mut()
                    .map(|link| scope.spawn(move || ask_one(parts, link, note, size)))
            })
            .collect();
        let not_asked = || Submitted::Failed(Failure::Unreachable("it has no url".to_owned()));
        let ended = |thread: thread::ScopedJoinHandle<'_, Submitted>| {
            thread.join().unwrap_or_else(|_| not_asked())
        };
        asked
            .into_iter()
            .map(|thread| thread.map_or_else(not_asked, ended))
            .collect()
    });
    let mut witnesses = Vec::new();
    for ((witness, link), said) in parts.witnesses().iter().zip(&*links).zip(said) {
        let name = witness.name().to_string();
        let found = match said {
            _ if link.is_none() => Found::NotAsked,
            Submitted::Cosigned(_) => Found::Cosigned(size),
            Submitted::Overtaken(newer) => Found::Cosigned(newer.size),
            Submitted::Contradicted(conflict) => {
                let evidence = conflict.keep(parts).ok();
                return Err(StartError::Contradiction { conflict, evidence });
            }
            Submitted::Failed(Failure::Unproven(claim)) => {
                return Err(StartError::Claim {
                    witness: name,
                    claim,
                    size,
                    ours: text.to_string(),
                });
            }
            Submitted::Failed(failure) => Found::Silent(failure),
        };
        witnesses.push((name, found));
    }
    let started = Started { witnesses };
    match parts.is_required && !is_enough(parts, &started) {
        true => Err(StartError::Silent {
            silent: started.silent(),
        }),
        false => Ok(started),
    }
}

/// First what it shows, then a submission: a witness may show less than it holds.
fn ask_one(parts: &Parts, link: &mut Link, note: &Note, size: TreeSize) -> Submitted {
    match link.held(parts) {
        Ok(Some(Held::Conflict(conflict))) => return Submitted::Contradicted(conflict),
        Ok(Some(Held::Fits(held))) => link.known = held,
        // Monitoring is optional.
        Ok(None) => {}
        Err(failure) => return Submitted::Failed(failure),
    }
    link.submit(parts, note, size)
}

fn is_enough(parts: &Parts, started: &Started) -> bool {
    let cosigned = |(_, found): &(String, Found)| matches!(found, Found::Cosigned(_));
    let cosigned: Vec<bool> = started.witnesses.iter().map(cosigned).collect();
    let policy = parts.policy.as_ref();
    policy.is_none_or(|policy| policy.is_quorum_met(&cosigned))
}

impl Started {
    /// Those that said nothing of use, and why, in one line.
    pub fn silent(&self) -> String {
        let silent = self
            .witnesses
            .iter()
            .filter_map(|(name, found)| match found {
                Found::Silent(failure) => Some(format!("`{name}`: {failure}")),
                Found::NotAsked => Some(format!("`{name}`: it has no url")),
                Found::Cosigned(_) => None,
            });
        silent.collect::<Vec<_>>().join("; ")
    }
}
