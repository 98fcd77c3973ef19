//! The checkpoint of the log, and those that the caller holds.

use countersign_note::{
    Checkpoint, Note, PolicyOutcome, SignedCheckpoint, VerifiedSignature, VerifierKey,
};

use crate::audit::VerifyError;
use crate::consistency::{self, Shown};
use crate::contradiction::{Contradiction, Prefix};
use crate::report::{Anchor, Check, Findings};
use crate::source::LogSource;
use crate::trust::Trust;

/// The log's head as it was given.
pub(crate) struct Head {
    pub(crate) checkpoint: Checkpoint,
    /// The note's text with its signatures.
    pub(crate) text: String,
    /// The caller's log keys that have signed it; empty if none has.
    pub(crate) signers: Vec<VerifierKey>,
    /// Names of the witnesses that make the policy's quorum; empty if there is none.
    pub(crate) witnesses: Vec<String>,
}

/// A checkpoint that the caller holds, signed by a key that the caller gave.
pub(crate) struct Held {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) text: String,
}

impl Head {
    /// Reads the checkpoint. One that is not signed is kept, so that more can be said of the log.
    pub(crate) fn read(bytes: &[u8], trust: &Trust, findings: &mut Findings) -> Option<Self> {
        let note = match Note::parse(bytes) {
            Ok(note) => note,
            Err(error) => {
                findings.log(Check::CheckpointFormat, error, "a signed note");
                return None;
            }
        };
        let checkpoint = match Checkpoint::parse(note.text()) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                findings.log(Check::CheckpointFormat, error, "a checkpoint");
                return None;
            }
        };
        let keys = trust.all_log_keys();
        let signed = SignedCheckpoint::open(&note, &keys).map_err(|error| {
            let expected = "a signature of a log key that you gave";
            findings.log(Check::CheckpointSignature, error, expected);
        });
        let signers = signed.map_or(Vec::new(), |signed| log_signers(&signed));
        let witnesses = match signers.is_empty() {
            true => Vec::new(),
            false => quorum(&note, trust, findings),
        };
        Some(Self {
            checkpoint,
            text: note.to_string(),
            signers,
            witnesses,
        })
    }

    pub(crate) fn size(&self) -> u64 {
        self.checkpoint.size().get()
    }
}

impl Held {
    /// Opens what the caller holds. What is wrong with it is the caller's, not the log's.
    pub(crate) fn open_all(trust: &Trust, head: &Head) -> Result<Vec<Self>, VerifyError> {
        let keys = trust.all_log_keys();
        let mut held = Vec::with_capacity(trust.held.len());
        for note in &trust.held {
            let signed = SignedCheckpoint::open(note, &keys)
                .map_err(|error| VerifyError::Held(error.to_string()))?;
            let checkpoint = signed.checkpoint().clone();
            if checkpoint.origin() != head.checkpoint.origin() {
                return Err(VerifyError::HeldOrigin {
                    held: checkpoint.origin().to_owned(),
                    log: head.checkpoint.origin().to_owned(),
                });
            }
            let text = note.to_string();
            held.push(Self { checkpoint, text });
        }
        Ok(held)
    }

    pub(crate) fn size(&self) -> u64 {
        self.checkpoint.size().get()
    }

    /// Two checkpoints that the caller holds of the same size with other roots.
    pub(crate) fn between(all: &[Self], findings: &mut Findings) -> Option<Contradiction> {
        let (ours, theirs) = all.iter().enumerate().find_map(|(position, theirs)| {
            let mut before = all.iter().take(position);
            let other = before.find(|ours| {
                let (ours, theirs) = (&ours.checkpoint, &theirs.checkpoint);
                ours.size() == theirs.size() && ours.root() != theirs.root()
            });
            other.map(|ours| (ours, theirs))
        })?;
        let (size, root) = (ours.size(), ours.checkpoint.root());
        findings.log(
            Check::HeldCheckpoint,
            format!("root {} at size {size}", theirs.checkpoint.root()),
            format!("root {root}, as in the other checkpoint that you hold"),
        );
        Some(Contradiction {
            ours: ours.text.clone(),
            theirs: theirs.text.clone(),
            prefix: None,
        })
    }

    /// Holds this against the log, whose first `self.size()` entries hash to `root` (`None` if that
    /// many could not be read). `is_whole` says that the entries hash to the head's own root.
    pub(crate) fn compare(
        &self,
        head: &Head,
        root: Option<countersign_merkle::Hash>,
        is_whole: bool,
        source: &dyn LogSource,
        findings: &mut Findings,
    ) -> (Option<Anchor>, Option<Contradiction>) {
        let (size, ours) = (self.size(), head.size());
        let theirs = self.checkpoint.root();
        let contradiction = |prefix: Option<Prefix>| {
            (!head.signers.is_empty()).then(|| Contradiction {
                ours: head.text.clone(),
                theirs: self.text.clone(),
                prefix,
            })
        };
        if size > ours {
            findings.log(
                Check::Truncated,
                format!("{ours} entries"),
                format!("at least {size}, as in the checkpoint that you hold"),
            );
            return (None, None);
        }
        let expected = format!("root {theirs} at size {size}, as in the checkpoint that you hold");
        if size == ours && head.checkpoint.root() != theirs {
            let found = format!("root {}", head.checkpoint.root());
            findings.log(Check::HeldCheckpoint, found, expected);
            return (None, contradiction(None));
        }
        match root {
            Some(root) if root == theirs => (Some(Anchor::HeldCheckpoint { size }), None),
            Some(root) => {
                findings.log(Check::HeldCheckpoint, format!("root {root}"), expected);
                // If the leaves are not what the log signed, the heads may well agree.
                if !is_whole {
                    return (None, None);
                }
                // Where the hash tiles are not the leaves', there is no proof for a stranger.
                let prefix = match consistency::compare(source, &self.checkpoint, &head.checkpoint)
                {
                    Ok(Shown::Contradicts(prefix)) => Some(prefix),
                    Ok(Shown::Consistent | Shown::Nothing(_)) | Err(_) => None,
                };
                (None, contradiction(prefix))
            }
            None => (None, None),
        }
    }
}

fn log_signers(signed: &SignedCheckpoint) -> Vec<VerifierKey> {
    let origin = signed.checkpoint().origin();
    let keys = signed.signatures().iter().map(VerifiedSignature::key);
    keys.filter(|key| key.name().as_str() == origin)
        .cloned()
        .collect()
}

/// The witnesses whose cosignatures make the policy's quorum.
fn quorum(note: &Note, trust: &Trust, findings: &mut Findings) -> Vec<String> {
    let Some(policy) = &trust.policy else {
        return Vec::new();
    };
    match policy.evaluate_with_logs(note, &trust.log_keys) {
        Ok(PolicyOutcome::Satisfied(evidence)) => {
            let names = evidence.witnesses().iter();
            names.map(ToString::to_string).collect()
        }
        Ok(PolicyOutcome::QuorumNotMet(_)) => Vec::new(),
        Err(error) => {
            let expected = "cosignatures that fit the policy's keys";
            findings.log(Check::CheckpointSignature, error, expected);
            Vec::new()
        }
    }
}
