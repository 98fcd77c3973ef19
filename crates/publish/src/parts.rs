//! What publishing is made of.

use crate::limits::WITNESSES;
use crate::transport::Transport;
use countersign_ledger::LogReader;
use countersign_note::policy::PolicyWitness;
use countersign_note::{Checkpoint, Note, SignedCheckpoint, TlogPolicy, VerifierKey};
use std::path::PathBuf;
use std::sync::Arc;

/// What publishing is made of.
#[derive(Clone)]
pub struct Parts {
    /// The log.
    pub log: LogReader,
    /// The keys that sign its checkpoints, and those that did earlier.
    pub log_keys: LogKeys,
    /// The witnesses and their quorum; without them a directory is published and nobody is asked.
    pub policy: Option<TlogPolicy>,
    /// How to reach each of the policy's witnesses, in its order; `None` for one without a URL.
    pub transports: Vec<Option<Arc<dyn Transport>>>,
    /// Whether nothing is published without a quorum.
    pub is_required: bool,
    /// The file that holds the newest published checkpoint.
    pub kept: PathBuf,
    /// The directory where contradictions are kept.
    pub evidence: PathBuf,
    /// The directory of the static publication, if there is one.
    pub directory: Option<PathBuf>,
    /// Stops the log for good.
    pub halt: Arc<dyn Fn(&str) + Send + Sync>,
}

/// The keys of a log.
#[derive(Debug, Clone)]
pub struct LogKeys {
    live: Vec<VerifierKey>,
    all: Vec<VerifierKey>,
}

/// Why witnesses cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// There are too many.
    #[error("a log asks at most {WITNESSES} witnesses, the policy names {got}")]
    TooManyWitnesses {
        /// How many the policy names.
        got: usize,
    },
    /// Nobody could ever cosign.
    #[error("the policy asks for no witness: its quorum is `none`, or met by nobody")]
    NoQuorum,
    /// Even if all witnesses that can be asked cosign, the quorum is not met.
    #[error(
        "the quorum of the policy cannot be met by those of its witnesses that have an address and a key of a type that is known here"
    )]
    OutOfReach,
    /// There is not one way for each witness.
    #[error("the policy names {witnesses} witnesses, but {transports} ways to them are given")]
    Transports {
        /// How many witnesses there are.
        witnesses: usize,
        /// How many ways were given.
        transports: usize,
    },
}

impl LogKeys {
    /// The keys that sign now, and those that did before them. All bear the log's origin.
    pub fn new(live: Vec<VerifierKey>, earlier: Vec<VerifierKey>) -> Self {
        let all = [live.clone(), earlier].concat();
        Self { live, all }
    }

    /// The keys that sign now: whoever stole an earlier one must not be able to stop the log.
    pub fn live(&self) -> &[VerifierKey] {
        &self.live
    }

    /// All of them: what was published before a rotation was signed by an earlier one.
    pub fn all(&self) -> &[VerifierKey] {
        &self.all
    }

    /// The checkpoint in this text, if one of these keys of the log has signed it.
    pub(crate) fn open(keys: &[VerifierKey], text: &[u8]) -> Option<(Note, Checkpoint)> {
        let note = Note::parse(text).ok()?;
        let signed = SignedCheckpoint::open(&note, keys).ok()?;
        let checkpoint = signed.checkpoint().clone();
        Some((note, checkpoint))
    }
}

impl Parts {
    /// The witnesses, in the policy's order.
    pub(crate) fn witnesses(&self) -> &[PolicyWitness] {
        self.policy.as_ref().map_or(&[], TlogPolicy::witnesses)
    }

    /// Refuses what could never work.
    pub fn check(&self) -> Result<(), SetupError> {
        let Some(policy) = &self.policy else {
            return Ok(());
        };
        let witnesses = policy.witnesses();
        if witnesses.len() > WITNESSES {
            let got = witnesses.len();
            return Err(SetupError::TooManyWitnesses { got });
        }
        if witnesses.len() != self.transports.len() {
            return Err(SetupError::Transports {
                witnesses: witnesses.len(),
                transports: self.transports.len(),
            });
        }
        if policy.is_quorum_met(&[]) {
            return Err(SetupError::NoQuorum);
        }
        let can_sign = |(witness, way): (&PolicyWitness, &Option<Arc<dyn Transport>>)| {
            way.is_some() && witness.key().signature_type().is_supported()
        };
        let able: Vec<bool> = witnesses
            .iter()
            .zip(&self.transports)
            .map(can_sign)
            .collect();
        match policy.is_quorum_met(&able) {
            true => Ok(()),
            false => Err(SetupError::OutOfReach),
        }
    }
}
