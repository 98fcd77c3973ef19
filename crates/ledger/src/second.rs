//! The second signature under a checkpoint, made by a thread of its own while the commit runs.

use crate::head::Head;
use countersign_note::{
    Checkpoint, CheckpointFormatError, MlDsaSigner, Note, NoteError, NoteSignature, SignNoteError,
    Timestamp, cosign_ml_dsa,
};
use std::sync::{Arc, mpsc};
use std::thread;

/// What signs checkpoints a second time, with ML-DSA-44.
pub type SecondSigner = dyn MlDsaSigner + Send + Sync;

/// The thread that signs, and what it was given.
pub(crate) struct Second {
    jobs: mpsc::Sender<Job>,
    signed: mpsc::Receiver<Signed>,
}

struct Job {
    checkpoint: Checkpoint,
    time: Timestamp,
}

struct Signed {
    job: Job,
    result: Result<NoteSignature, SignNoteError>,
}

/// Why a checkpoint has no second signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecondError {
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFormatError),
    #[error(transparent)]
    Sign(#[from] SignNoteError),
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("the head's time is beyond that of any signature")]
    Time,
    #[error("the thread of the second signature has ended")]
    Ended,
}

impl Second {
    /// Starts the thread; it ends when this is dropped.
    pub(crate) fn start(signer: Arc<SecondSigner>) -> std::io::Result<Self> {
        let (jobs, taken) = mpsc::channel::<Job>();
        let (give, signed) = mpsc::channel();
        thread::Builder::new()
            .name("second-signer".to_owned())
            .spawn(move || {
                for job in taken {
                    let result = cosign_ml_dsa(&job.checkpoint, job.time, signer.as_ref());
                    if give.send(Signed { job, result }).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { jobs, signed })
    }

    /// Begins to sign a head that is about to be committed; does not wait.
    pub(crate) fn begin(&self, head: &Head) {
        // What was signed for commits that did not come about: on a full disk there is no end of them.
        while self.signed.try_recv().is_ok() {}
        // A head that cannot be signed, and a thread that has ended, are met in `finish`.
        if let Ok(job) = Job::of(head) {
            let _ = self.jobs.send(job);
        }
    }

    /// The head's checkpoint with the second signature. `is_begun` says that [`Second::begin`] was
    /// called with this head; what was begun before it is thrown away.
    pub(crate) fn finish(&self, head: &Head, is_begun: bool) -> Result<String, SecondError> {
        let wanted = Job::of(head)?;
        if !is_begun {
            self.begin(head);
        }
        loop {
            let signed = self.signed.recv().map_err(|_| SecondError::Ended)?;
            if signed.job.checkpoint == wanted.checkpoint && signed.job.time == wanted.time {
                return with_signature(head.checkpoint(), signed.result?);
            }
        }
    }
}

/// The head's checkpoint with a second signature, made at once.
pub(crate) fn sign_now(
    head: &Head,
    checkpoint: &str,
    signer: &SecondSigner,
) -> Result<String, SecondError> {
    let Job {
        checkpoint: claim,
        time,
    } = Job::of(head)?;
    with_signature(checkpoint, cosign_ml_dsa(&claim, time, signer)?)
}

impl Job {
    /// The time of the signature is that of the head's newest entries, in whole seconds.
    fn of(head: &Head) -> Result<Self, SecondError> {
        let seconds = head.time().as_millis().max(0).unsigned_abs() / 1000;
        Ok(Self {
            checkpoint: Checkpoint::new(head.origin().as_str(), head.size(), head.root())?,
            time: Timestamp::from_seconds(seconds).ok_or(SecondError::Time)?,
        })
    }
}

fn with_signature(checkpoint: &str, line: NoteSignature) -> Result<String, SecondError> {
    let mut note: Note = checkpoint.parse()?;
    note.add_signature(line)?;
    Ok(note.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_note::{SignError, VerifierKey};

    const ORIGIN: &str = "example.com/log";

    struct Telling(VerifierKey, mpsc::SyncSender<()>);

    impl MlDsaSigner for Telling {
        fn verifier_key(&self) -> &VerifierKey {
            &self.0
        }

        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
            self.1.send(()).unwrap();
            Ok(vec![0; 2420])
        }
    }

    #[test]
    fn signatures_for_commits_that_fail_do_not_pile_up() {
        let key = VerifierKey::ml_dsa_44(ORIGIN.parse().unwrap(), &[1; 1312]).unwrap();
        // The signature before is on its way when one is told of.
        let (told, tells) = mpsc::sync_channel(0);
        let second = Second::start(Arc::new(Telling(key, told))).unwrap();
        let head = Head::empty(ORIGIN.parse().unwrap());
        for _ in 0..100 {
            second.begin(&head);
            tells.recv().unwrap();
        }
        assert!(second.signed.try_iter().count() <= 2);
    }
}
