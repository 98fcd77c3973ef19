//! A round: the newest released checkpoint goes to the witnesses, and what comes back is published.

use crate::board::{Board, Published};
use crate::contradiction::Conflict;
use crate::kept;
use crate::limits::{GRACE, REFRESH, ROUND_WAIT, STEP};
use crate::link::{Failure, Newer, Submitted};
use crate::parts::Parts;
use crate::worker::{Done, Job, Worker};
use countersign_ledger::publish::publish_at;
use countersign_merkle::TreeSize;
use countersign_note::{Checkpoint, Note, NoteSignature};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

/// The rounds of one log.
pub(crate) struct Rounds {
    pub(crate) parts: Arc<Parts>,
    pub(crate) board: Arc<Board>,
    pub(crate) stop: Arc<AtomicBool>,
    // One per witness; `None` for one that cannot be asked.
    pub(crate) workers: Vec<Option<Worker>>,
    pub(crate) results: Receiver<Done>,
    pub(crate) busy: Vec<bool>,
    pub(crate) current: Option<Current>,
    /// Whether the directory was looked through by this process.
    pub(crate) is_directory_known: bool,
}

/// The checkpoint that is being cosigned, and what came of it.
pub(crate) struct Current {
    note: Arc<Note>,
    size: TreeSize,
    lines: Vec<Option<Vec<NoteSignature>>>,
    refreshed: Instant,
    /// Whether there is something that was not published.
    is_new: bool,
    /// Whether a witness has shown it, and the others were not asked yet.
    is_shown: bool,
}

impl Rounds {
    /// Whether a round would do anything: the log has grown, a witness is missing, or it is time
    /// for fresh cosignatures.
    pub(crate) fn is_due(&self) -> bool {
        let Some(current) = &self.current else {
            return true;
        };
        let is_missing = |(worker, lines): (&Option<Worker>, &Option<Vec<NoteSignature>>)| {
            worker.is_some() && lines.is_none()
        };
        current.size < self.parts.log.size()
            || current.is_new
            || current.refreshed.elapsed() >= REFRESH
            || self.workers.iter().zip(&current.lines).any(is_missing)
    }

    /// One round. Takes at most [`ROUND_WAIT`], and the time that publishing takes.
    pub(crate) fn run(&mut self) {
        self.take_newest();
        self.ask();
        self.collect();
        self.publish();
    }

    fn take_newest(&mut self) {
        let has_quorum = self.has_quorum();
        if let Some(current) = &mut self.current
            && std::mem::take(&mut current.is_shown)
            && !has_quorum
        {
            // The others are asked for what one has cosigned before it is given up.
            return;
        }
        let text = self.parts.log.checkpoint();
        let Ok(note) = Note::parse(text.as_bytes()) else {
            return;
        };
        let Ok(checkpoint) = Checkpoint::parse(note.text()) else {
            return;
        };
        let is_grown = self
            .current
            .as_ref()
            .is_none_or(|it| it.size < checkpoint.size());
        let is_stale = self
            .current
            .as_ref()
            .is_some_and(|it| it.refreshed.elapsed() >= REFRESH);
        if is_grown || is_stale {
            self.current = Some(Current {
                note: Arc::new(note),
                size: checkpoint.size(),
                lines: vec![None; self.workers.len()],
                refreshed: Instant::now(),
                is_new: true,
                is_shown: false,
            });
        }
    }

    /// Goes on with a newer checkpoint that a witness has cosigned already, unless the others have made
    /// a quorum without it.
    fn take_shown(&mut self, witness: usize, newer: Newer) {
        let is_older = |it: &Current| it.size > newer.size;
        if self.current.as_ref().is_some_and(is_older) || self.has_quorum() {
            return;
        }
        let is_larger = self.current.as_ref().is_none_or(|it| it.size < newer.size);
        if is_larger {
            self.current = Some(Current {
                note: Arc::new(newer.note),
                size: newer.size,
                lines: vec![None; self.workers.len()],
                refreshed: Instant::now(),
                is_new: true,
                is_shown: true,
            });
        }
        self.take_lines(witness, newer.size, newer.lines);
    }

    fn take_lines(&mut self, witness: usize, size: TreeSize, lines: Vec<NoteSignature>) {
        self.board.cosigned(witness, size);
        let current = self.current.as_mut().filter(|it| it.size == size);
        if let Some(current) = current
            && let Some(place) = current.lines.get_mut(witness)
        {
            *place = Some(lines);
            current.is_new = true;
        }
    }

    /// Hands the checkpoint to every witness that has not cosigned it.
    fn ask(&mut self) {
        while let Ok(done) = self.results.try_recv() {
            self.take(done);
        }
        let Some(current) = &self.current else { return };
        let job = Job {
            note: Arc::clone(&current.note),
            size: current.size,
        };
        let witnesses = self.workers.iter().zip(&current.lines).zip(&mut self.busy);
        for (witness, ((worker, lines), busy)) in witnesses.enumerate() {
            let (Some(worker), None) = (worker, lines) else {
                continue;
            };
            if worker.is_gone() {
                *busy = false;
                let gone = Failure::Unreachable("the thread that asks it has ended".to_owned());
                self.board.failed(witness, &gone);
            } else if !*busy {
                *busy = worker.ask(job.clone());
            }
        }
    }

    /// Waits for answers: for all, or for the quorum and a moment more.
    fn collect(&mut self) {
        let begun = Instant::now();
        let mut met: Option<Instant> = None;
        while self.busy.contains(&true) && !self.stop.load(Ordering::Relaxed) {
            let is_over =
                begun.elapsed() >= ROUND_WAIT || met.is_some_and(|met| met.elapsed() >= GRACE);
            if is_over {
                return;
            }
            match self.results.recv_timeout(STEP) {
                Ok(done) => self.take(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.board.tick(self.parts.log.size());
            if met.is_none() && self.has_quorum() {
                met = Some(Instant::now());
            }
        }
    }

    fn has_quorum(&self) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        let cosigned: Vec<bool> = current.lines.iter().map(Option::is_some).collect();
        let policy = self.parts.policy.as_ref();
        policy.is_some_and(|policy| policy.is_quorum_met(&cosigned))
    }

    /// Takes what a witness answered, perhaps to an earlier round.
    fn take(&mut self, done: Done) {
        if let Some(busy) = self.busy.get_mut(done.witness) {
            *busy = false;
        }
        match done.submitted {
            Submitted::Failed(failure) => self.board.failed(done.witness, &failure),
            Submitted::Contradicted(conflict) => stop(&self.parts, &self.board, &conflict),
            Submitted::Cosigned(lines) => self.take_lines(done.witness, done.size, lines),
            Submitted::Overtaken(newer) => self.take_shown(done.witness, *newer),
        }
    }

    fn publish(&mut self) {
        let Some(current) = self.current.as_mut().filter(|it| it.is_new) else {
            return;
        };
        if self.board.status().contradiction.is_some() {
            return;
        }
        let mut note = (*current.note).clone();
        for line in current.lines.iter().flatten().flatten() {
            if let Err(error) = note.add_signature(line.clone()) {
                tracing::warn!(%error, "a cosignature does not fit the checkpoint any more");
            }
        }
        let is_witnessed = kept::is_witnessed(&self.parts, &note);
        let is_worse = self.board.published().is_some_and(|it| {
            it.size > current.size || (it.size == current.size && it.is_witnessed && !is_witnessed)
        });
        if is_worse || (self.parts.is_required && !is_witnessed) {
            return;
        }
        let text: Arc<str> = note.to_string().into();
        // Before anybody sees it: what was published must not go back with a restart.
        if let Err(error) = kept::write(&self.parts.kept, &text) {
            let path = self.parts.kept.display();
            tracing::error!(%error, "`{path}` could not be written; nothing is published");
            self.board.directory(Some(format!(
                "the newest published checkpoint could not be kept: {error}"
            )));
            return;
        }
        current.is_new = false;
        let size = current.size;
        self.publish_directory(&text);
        self.board.publish(Published {
            size,
            note: text,
            is_witnessed,
        });
    }

    fn publish_directory(&mut self, note: &str) {
        let Some(dir) = &self.parts.directory else {
            self.board.directory(None);
            return;
        };
        let is_known = self.is_directory_known;
        match publish_at(&self.parts.log, dir, note, is_known, &mut |_| ()) {
            Ok(_) => {
                self.is_directory_known = true;
                self.board.directory(None);
            }
            Err(error) => {
                tracing::error!(%error, "the static publication is not up to date");
                self.is_directory_known = false;
                self.board.directory(Some(error.to_string()));
            }
        }
    }
}

/// Keeps what contradicts the log, says it, and stops the log: going on would sign more of one of
/// two histories.
pub(crate) fn stop(parts: &Parts, board: &Board, conflict: &Conflict) {
    let summary = conflict.summary();
    let kept = match conflict.keep(parts) {
        Ok(path) => {
            let kept = format!("both heads are kept in `{}`", path.display());
            tracing::error!("{summary}; {kept}");
            kept
        }
        // The file would hold them: thousands of characters with an ML-DSA-44 signature.
        Err(error) => {
            let kept = format!("both heads could not be kept: {error}");
            let (ours, theirs) = (&conflict.ours, &conflict.theirs);
            tracing::error!(ours, theirs, "{summary}; {kept}");
            kept
        }
    };
    board.contradicted(&summary);
    (parts.halt)(&format!("{summary}; {kept}"));
}
