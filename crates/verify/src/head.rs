//! The checkpoint of the log, and those that the caller holds.

use countersign_note::{
    Checkpoint, CheckpointError, Note, NoteVerifyError, PolicyOutcome, SignedCheckpoint,
    VerifiedSignature, VerifierKey,
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
    /// The log keys that have signed it, of those that are believed; empty if none has.
    pub(crate) signers: Vec<VerifierKey>,
    /// Whether it is signed by none of the caller's log keys, and the caller's root key may vouch
    /// for another: that is known when the entries were read.
    pub(crate) is_waiting: bool,
    /// Names of the witnesses that make the policy's quorum; empty if there is none.
    pub(crate) witnesses: Vec<String>,
}

/// A checkpoint that the caller holds, signed by a key that the caller gave or whose root key vouches
/// for it.
pub(crate) struct Held {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) text: String,
    /// Why nobody who is believed has signed it; none of the caller's keys has, but the caller's root
    /// key may vouch for another: [`Held::settle`] says so.
    unsigned: Option<String>,
}

impl Head {
    /// Reads the checkpoint. One that is not signed is kept, so that more can be said of the log.
    pub(crate) fn read(
        bytes: &[u8],
        trust: &Trust,
        may_wait: bool,
        findings: &mut Findings,
    ) -> Option<Self> {
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
        let mut head = Self {
            checkpoint,
            text: note.to_string(),
            signers: Vec::new(),
            is_waiting: false,
            witnesses: Vec::new(),
        };
        match SignedCheckpoint::open(&note, &trust.all_log_keys()) {
            Ok(signed) => head.believe(&note, &signed, trust, findings),
            Err(error) if may_wait && is_of_others(&error) => head.is_waiting = true,
            Err(error) => {
                let expected = "a signature of a log key that you gave";
                findings.log(Check::CheckpointSignature, error, expected);
            }
        }
        Some(head)
    }

    /// Looks at the signatures again, now that it is known which keys the caller's root key vouches
    /// for.
    pub(crate) fn settle(
        &mut self,
        trust: &Trust,
        vouched: &[VerifierKey],
        findings: &mut Findings,
    ) {
        // One that is wrong already stays so.
        let is_open = self.is_waiting || !self.signers.is_empty();
        let Some(note) = self.text.parse::<Note>().ok().filter(|_| is_open) else {
            return;
        };
        let keys = [trust.all_log_keys(), vouched.to_vec()].concat();
        match SignedCheckpoint::open(&note, &keys) {
            Ok(signed) if self.is_waiting => self.believe(&note, &signed, trust, findings),
            Ok(signed) => self.signers = log_signers(&signed),
            Err(error) => {
                let expected =
                    "a signature of a log key that you gave, or that your root key has signed";
                findings.log(Check::CheckpointSignature, error, expected);
                self.signers.clear();
            }
        }
        self.is_waiting = false;
    }

    fn believe(
        &mut self,
        note: &Note,
        signed: &SignedCheckpoint,
        trust: &Trust,
        findings: &mut Findings,
    ) {
        self.signers = log_signers(signed);
        self.witnesses = quorum(note, trust, &self.signers, findings);
    }

    pub(crate) fn size(&self) -> u64 {
        self.checkpoint.size().get()
    }
}

impl Held {
    /// Opens what the caller holds. What is wrong with it is the caller's, not the log's.
    pub(crate) fn open_all(
        trust: &Trust,
        head: &Head,
        may_wait: bool,
    ) -> Result<Vec<Self>, VerifyError> {
        let keys = trust.all_log_keys();
        let mut held = Vec::with_capacity(trust.held.len());
        for note in &trust.held {
            let wrong = |reason: String| VerifyError::Held(reason);
            // One that not even names a key of the log is none that its root key could vouch for.
            let origin = head.checkpoint.origin();
            let mut signers = note.signatures().iter();
            let names_log = signers.any(|signature| signature.name().as_str() == origin);
            let may_wait = may_wait && names_log;
            let unsigned = match SignedCheckpoint::open(note, &keys) {
                Ok(_) => None,
                Err(error) if may_wait && is_of_others(&error) => Some(error.to_string()),
                Err(error) => return Err(wrong(error.to_string())),
            };
            let checkpoint = Checkpoint::parse(note.text());
            let checkpoint = checkpoint.map_err(|error| wrong(error.to_string()))?;
            if checkpoint.origin() != head.checkpoint.origin() {
                return Err(VerifyError::HeldOrigin {
                    held: checkpoint.origin().to_owned(),
                    log: head.checkpoint.origin().to_owned(),
                });
            }
            let text = note.to_string();
            held.push(Self {
                checkpoint,
                text,
                unsigned,
            });
        }
        Ok(held)
    }

    /// Looks whether one that no given key has signed is signed by one that the caller's root key
    /// vouches for.
    pub(crate) fn settle(&mut self, vouched: &[VerifierKey]) {
        if self.unsigned.is_none() {
            return;
        }
        let note = self.text.parse::<Note>().map_err(|error| error.to_string());
        let signed = note.and_then(|note| {
            SignedCheckpoint::open(&note, vouched).map_err(|error| error.to_string())
        });
        self.unsigned = signed.err();
    }

    pub(crate) fn size(&self) -> u64 {
        self.checkpoint.size().get()
    }

    /// Two checkpoints that the caller holds of the same size with other roots.
    pub(crate) fn between(all: &[Self], findings: &mut Findings) -> Option<Contradiction> {
        let signed = || all.iter().filter(|held| held.unsigned.is_none());
        let (ours, theirs) = signed().enumerate().find_map(|(position, theirs)| {
            let mut before = signed().take(position);
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
    ///
    /// One that no believed key has signed anchors nothing, and is the caller's mistake where it fits
    /// the log. Where it does not, the entry that grants its key may be what the log has left out.
    ///
    /// # Errors
    /// It fits, and nobody who is believed has signed it.
    pub(crate) fn compare(
        &self,
        head: &Head,
        root: Option<countersign_merkle::Hash>,
        is_whole: bool,
        source: &dyn LogSource,
        findings: &mut Findings,
    ) -> Result<(Option<Anchor>, Option<Contradiction>), VerifyError> {
        let found = self.held_against(head, root, is_whole, source, findings);
        match (&self.unsigned, found) {
            (None, found) => Ok(found),
            (Some(reason), (Some(_), _)) => Err(VerifyError::Held(reason.clone())),
            (Some(_), (None, _)) => Ok((None, None)),
        }
    }

    fn held_against(
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

/// Whether a note is not known to be wrong: other keys than the known ones may have signed it.
fn is_of_others(error: &CheckpointError) -> bool {
    matches!(
        error,
        CheckpointError::NoLogSignature { .. }
            | CheckpointError::Note(
                NoteVerifyError::NoKnownKey | NoteVerifyError::Unsupported { .. }
            )
    )
}

fn log_signers(signed: &SignedCheckpoint) -> Vec<VerifierKey> {
    let origin = signed.checkpoint().origin();
    let keys = signed.signatures().iter().map(VerifiedSignature::key);
    keys.filter(|key| key.name().as_str() == origin)
        .cloned()
        .collect()
}

/// The witnesses whose cosignatures make the policy's quorum.
fn quorum(
    note: &Note,
    trust: &Trust,
    logs: &[VerifierKey],
    findings: &mut Findings,
) -> Vec<String> {
    let Some(policy) = &trust.policy else {
        return Vec::new();
    };
    // With `quorum none`, what witnesses have said is not what the caller relies on.
    let asks_nobody = policy.is_quorum_met(&[]);
    match policy.evaluate_with_logs(note, logs) {
        Ok(PolicyOutcome::Satisfied(evidence)) if !asks_nobody => {
            let names = evidence.witnesses().iter();
            names.map(ToString::to_string).collect()
        }
        Ok(PolicyOutcome::Satisfied(_) | PolicyOutcome::QuorumNotMet(_)) => Vec::new(),
        Err(error) => {
            let expected = "cosignatures that fit the policy's keys";
            findings.log(Check::CheckpointSignature, error, expected);
            Vec::new()
        }
    }
}
