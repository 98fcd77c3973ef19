//! One thread per witness, so that a slow one holds up nobody but itself.

use crate::link::{Link, Submitted};
use crate::parts::Parts;
use countersign_merkle::TreeSize;
use countersign_note::Note;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// A checkpoint to be cosigned.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) note: Arc<Note>,
    pub(crate) size: TreeSize,
}

/// What came of a job.
pub(crate) struct Done {
    pub(crate) witness: usize,
    pub(crate) size: TreeSize,
    pub(crate) submitted: Submitted,
}

/// The thread of one witness. It ends with what hands it jobs.
pub(crate) struct Worker {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn spawn(
        witness: usize,
        mut link: Link,
        parts: Arc<Parts>,
        results: Sender<Done>,
    ) -> io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(1);
        let thread = thread::Builder::new()
            .name(format!("witness-{witness}"))
            .spawn(move || {
                for Job { note, size } in queue {
                    let submitted = link.submit(&parts, &note, size);
                    let done = Done {
                        witness,
                        size,
                        submitted,
                    };
                    if results.send(done).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Whether the thread has ended, so that what it was asked is never answered.
    pub(crate) fn is_gone(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Hands over a job; false if the thread is gone, or still has one before it.
    pub(crate) fn ask(&self, job: Job) -> bool {
        let Some(jobs) = &self.jobs else {
            return false;
        };
        match jobs.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

/// Waits for the request in work, which is bounded in time.
impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
