//! The thread that publishes.

use crate::board::Board;
use crate::kept;
use crate::limits::{ROUND, STEP};
use crate::link::Link;
use crate::parts::Parts;
use crate::round::Rounds;
use crate::start::{self, StartError, Started};
use crate::worker::Worker;
use countersign_merkle::TreeSize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Publishes what a log has released, until it is dropped.
///
/// At most once a [`ROUND`] the newest released checkpoint is sent to the witnesses of the policy,
/// all at once; what they cosign is put together, kept, and published. A witness that shows a
/// checkpoint with the log's own signature which does not fit the log stops it for good: both heads
/// are kept as evidence.
pub struct Publisher {
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Asks all witnesses what they hold, and begins to publish.
    ///
    /// # Errors
    /// If a witness holds what the log has forgotten, or too few answer where a quorum is required.
    pub fn start(parts: Parts) -> Result<(Self, Started), StartError> {
        parts.check()?;
        let names = parts.witnesses().iter().map(|it| it.name().to_string());
        let board = Arc::new(Board::new(names.collect(), parts.is_required));
        if let Some(published) = kept::read(&parts)? {
            board.publish(published);
        }
        let mut links = links(&parts);
        let started = start::ask(&parts, &mut links)?;
        board.tick(parts.log.size());
        let parts = Arc::new(parts);
        let stop = Arc::new(AtomicBool::new(false));
        let (send, results) = channel();
        let mut workers = Vec::new();
        for (witness, link) in links.into_iter().enumerate() {
            let spawn = |link| Worker::spawn(witness, link, Arc::clone(&parts), send.clone());
            workers.push(link.map(spawn).transpose().map_err(StartError::Thread)?);
        }
        let rounds = Rounds {
            parts,
            board: Arc::clone(&board),
            stop: Arc::clone(&stop),
            busy: vec![false; workers.len()],
            workers,
            results,
            current: None,
            is_directory_known: false,
        };
        let thread = thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || {
                // Also if a round fails unexpectedly: nobody may wait for ever.
                let _closing = Closing(Arc::clone(&rounds.board));
                run(rounds);
            })
            .map_err(StartError::Thread)?;
        let publisher = Self {
            board,
            stop,
            thread: Some(thread),
        };
        Ok((publisher, started))
    }

    /// What is known of publishing.
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }
}

/// Lets those go who wait for witnesses, and ends the thread; what is in work is bounded in time.
impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.board.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut rounds: Rounds) {
    let mut next = Instant::now();
    while !rounds.stop.load(Ordering::Relaxed) {
        rounds.board.tick(rounds.parts.log.size());
        if Instant::now() >= next && rounds.is_due() {
            next = Instant::now() + ROUND;
            rounds.run();
            continue;
        }
        let left = next.saturating_duration_since(Instant::now());
        thread::sleep(left.clamp(Duration::from_millis(1), STEP));
    }
}

/// Closes the board when the thread that publishes ends, in whatever way.
struct Closing(Arc<Board>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn links(parts: &Parts) -> Vec<Option<Link>> {
    let witnesses = parts.witnesses().iter().zip(&parts.transports);
    witnesses
        .map(|(witness, transport)| {
            transport.as_ref().map(|transport| Link {
                name: witness.name().to_string(),
                key: witness.key().clone(),
                transport: Arc::clone(transport),
                known: TreeSize::ZERO,
            })
        })
        .collect()
}
