//! What is known of publishing, for those who serve it, watch over it or wait for it.

use crate::limits::{KEPT, LAG_LIMIT, WAITING};
use crate::link::Failure;
use countersign_merkle::TreeSize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A checkpoint that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its size.
    pub size: TreeSize,
    /// The signed note, with the cosignatures that came.
    pub note: Arc<str>,
    /// Whether the quorum of witnesses has cosigned it.
    pub is_witnessed: bool,
}

/// What is called once a quorum has cosigned, with the checkpoint; or, with `None`, once the time
/// is up.
pub type WhenWitnessed = Box<dyn FnOnce(Option<Arc<Published>>) + Send>;

/// What is known of publishing. Shared by the publisher and those who ask.
pub struct Board {
    is_required: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    published: Option<Arc<Published>>,
    witnessed: Option<Arc<Published>>,
    // Oldest first; sizes never fall.
    kept: VecDeque<Arc<Published>>,
    released: TreeSize,
    // Since when entries that were released lack a quorum.
    behind_since: Option<Instant>,
    witnesses: Vec<WitnessStatus>,
    contradiction: Option<String>,
    directory_failure: Option<String>,
    waiting: Vec<Waiting>,
    is_closed: bool,
}

struct Waiting {
    size: TreeSize,
    until: Instant,
    done: WhenWitnessed,
}

/// How publishing fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether nothing is published without a quorum.
    pub is_required: bool,
    /// The size of the newest published checkpoint.
    pub published: Option<TreeSize>,
    /// The size of the newest checkpoint that the quorum has cosigned.
    pub witnessed: Option<TreeSize>,
    /// How many released entries lack a quorum.
    pub lag: u64,
    /// For how long there have been such entries.
    pub lag_time: Duration,
    /// The witnesses, in the policy's order.
    pub witnesses: Vec<WitnessStatus>,
    /// What a witness holds that contradicts the log, if one does.
    pub contradiction: Option<String>,
    /// Why the static publication is not up to date, if it is not.
    pub directory_failure: Option<String>,
    /// Whether nothing is published any more.
    pub is_stopped: bool,
}

/// How a witness fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessStatus {
    /// What the policy calls it.
    pub name: String,
    /// The size that it cosigned last, as far as it was heard.
    pub size: Option<TreeSize>,
    /// How long ago that was.
    pub since: Option<Duration>,
    /// How many submissions failed, by kind.
    pub failures: BTreeMap<&'static str, u64>,
    /// Why the last submission failed; `None` if it did not.
    pub failing: Option<String>,
    pub(crate) at: Option<Instant>,
}

impl Status {
    /// Whether what the operator asked for is not given any more: without a quorum for too long
    /// where one is required, or a contradiction.
    pub fn is_failing(&self) -> bool {
        self.contradiction.is_some() || (self.is_required && self.is_late())
    }

    /// Whether entries have lacked a quorum for too long, or nobody is asked any more.
    pub fn is_late(&self) -> bool {
        self.lag_time > LAG_LIMIT || self.is_stopped
    }
}

impl Board {
    pub(crate) fn new(names: Vec<String>, is_required: bool) -> Self {
        let witness = |name| WitnessStatus {
            name,
            size: None,
            since: None,
            failures: BTreeMap::new(),
            failing: None,
            at: None,
        };
        Self {
            is_required,
            inner: Mutex::new(Inner {
                published: None,
                witnessed: None,
                kept: VecDeque::new(),
                released: TreeSize::ZERO,
                behind_since: None,
                witnesses: names.into_iter().map(witness).collect(),
                contradiction: None,
                directory_failure: None,
                waiting: Vec::new(),
                is_closed: false,
            }),
        }
    }

    /// Whether nothing is published without a quorum.
    pub fn is_required(&self) -> bool {
        self.is_required
    }

    /// The newest published checkpoint.
    pub fn published(&self) -> Option<Arc<Published>> {
        self.lock().published.clone()
    }

    /// The newest checkpoint that the quorum has cosigned.
    pub fn witnessed(&self) -> Option<Arc<Published>> {
        self.lock().witnessed.clone()
    }

    /// The published checkpoint of this size, if it was one of the last [`KEPT`].
    pub fn at(&self, size: TreeSize) -> Option<Arc<Published>> {
        let inner = self.lock();
        let at = inner.kept.partition_point(|it| it.size < size);
        inner.kept.get(at).filter(|it| it.size == size).cloned()
    }

    /// Calls `done` once the quorum has cosigned a tree of at least `size` entries, or with `None`
    /// at `until`, or if too many wait. It may be called before this returns, and must not block.
    pub fn when_witnessed(&self, size: TreeSize, until: Instant, done: WhenWitnessed) {
        let mut inner = self.lock();
        let answer = match &inner.witnessed {
            Some(witnessed) if witnessed.size >= size => Some(Arc::clone(witnessed)),
            _ if inner.is_closed || inner.waiting.len() >= WAITING => None,
            _ => return inner.waiting.push(Waiting { size, until, done }),
        };
        drop(inner);
        done(answer);
    }

    /// How publishing fares.
    pub fn status(&self) -> Status {
        let inner = self.lock();
        let witnessed = inner.witnessed.as_ref().map(|it| it.size);
        let since = |witness: &WitnessStatus| WitnessStatus {
            since: witness.at.map(|at| at.elapsed()),
            ..witness.clone()
        };
        Status {
            is_required: self.is_required,
            published: inner.published.as_ref().map(|it| it.size),
            witnessed,
            lag: match inner.witnesses.is_empty() {
                true => 0,
                false => {
                    let witnessed = witnessed.map_or(0, TreeSize::get);
                    inner.released.get().saturating_sub(witnessed)
                }
            },
            lag_time: inner.behind_since.map_or(Duration::ZERO, |at| at.elapsed()),
            witnesses: inner.witnesses.iter().map(since).collect(),
            contradiction: inner.contradiction.clone(),
            directory_failure: inner.directory_failure.clone(),
            is_stopped: inner.is_closed,
        }
    }

    /// Notes how far the log has come, and lets those go whose time is up.
    pub(crate) fn tick(&self, released: TreeSize) {
        let now = Instant::now();
        let mut inner = self.lock();
        inner.released = released;
        // Without witnesses nothing lacks their quorum.
        let has_witnesses = !inner.witnesses.is_empty();
        let is_behind =
            has_witnesses && inner.witnessed.as_ref().is_none_or(|it| it.size < released);
        match (is_behind, inner.behind_since) {
            (true, None) => inner.behind_since = Some(now),
            (false, _) => inner.behind_since = None,
            (true, Some(_)) => {}
        }
        let late: Vec<Waiting> = inner.waiting.extract_if(.., |it| it.until <= now).collect();
        drop(inner);
        for waiting in late {
            (waiting.done)(None);
        }
    }

    /// Publishes. Whoever waited for it goes on.
    pub(crate) fn publish(&self, published: Published) {
        let published = Arc::new(published);
        let mut inner = self.lock();
        if inner
            .published
            .as_ref()
            .is_some_and(|it| it.size > published.size)
        {
            return;
        }
        inner.published = Some(Arc::clone(&published));
        // The newest of a size stands: it has more, or fresher, cosignatures.
        if inner
            .kept
            .back()
            .is_some_and(|it| it.size == published.size)
        {
            inner.kept.pop_back();
        }
        inner.kept.push_back(Arc::clone(&published));
        if inner.kept.len() > KEPT {
            inner.kept.pop_front();
        }
        if !published.is_witnessed {
            return;
        }
        // Entries that came meanwhile are behind from the next look on.
        inner.behind_since = None;
        inner.witnessed = Some(Arc::clone(&published));
        let size = published.size;
        let covered: Vec<Waiting> = inner.waiting.extract_if(.., |it| it.size <= size).collect();
        drop(inner);
        for waiting in covered {
            (waiting.done)(Some(Arc::clone(&published)));
        }
    }

    pub(crate) fn cosigned(&self, witness: usize, size: TreeSize) {
        self.with_witness(witness, |status| {
            status.size = Some(size);
            status.at = Some(Instant::now());
            if status.failing.take().is_some() {
                tracing::info!(
                    witness = status.name,
                    size = size.get(),
                    "a witness cosigns again"
                );
            }
        });
    }

    pub(crate) fn failed(&self, witness: usize, failure: &Failure) {
        self.with_witness(witness, |status| {
            let count = status.failures.entry(failure.kind()).or_default();
            *count = count.saturating_add(1);
            let text = failure.to_string();
            // Once, not every second.
            if status.failing.as_ref() != Some(&text) {
                tracing::warn!(
                    witness = status.name,
                    kind = failure.kind(),
                    reason = text,
                    "a witness did not cosign"
                );
                status.failing = Some(text);
            }
        });
    }

    pub(crate) fn contradicted(&self, text: &str) {
        self.lock()
            .contradiction
            .get_or_insert_with(|| text.to_owned());
    }

    pub(crate) fn directory(&self, failure: Option<String>) {
        self.lock().directory_failure = failure;
    }

    /// Lets everybody go who waits: nothing more will be cosigned.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        for waiting in waiting {
            (waiting.done)(None);
        }
    }

    fn with_witness(&self, witness: usize, change: impl FnOnce(&mut WitnessStatus)) {
        if let Some(status) = self.lock().witnesses.get_mut(witness) {
            change(status);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    fn published(size: u64, is_witnessed: bool) -> Published {
        Published {
            size: TreeSize::new(size),
            note: format!("{size}").into(),
            is_witnessed,
        }
    }

    fn board() -> Board {
        Board::new(vec!["w".to_owned()], true)
    }

    fn wait(board: &Board, size: u64, patience: Duration) -> Receiver<Option<u64>> {
        let (send, receive) = channel();
        let done = Box::new(move |found: Option<Arc<Published>>| {
            send.send(found.map(|it| it.size.get())).unwrap();
        });
        board.when_witnessed(TreeSize::new(size), Instant::now() + patience, done);
        receive
    }

    #[test]
    fn what_is_published_never_goes_back() {
        let board = board();
        for size in [3, 5, 4, 5, 9, 1] {
            board.publish(published(size, size == 5));
        }
        assert_eq!(board.published().unwrap().size.get(), 9);
        assert_eq!(board.witnessed().unwrap().size.get(), 5);
        let at = |size| board.at(TreeSize::new(size)).map(|it| it.size.get());
        assert_eq!(
            [at(3), at(4), at(5), at(9), at(10)],
            [Some(3), None, Some(5), Some(9), None]
        );
        for size in 10..10 + KEPT as u64 {
            board.publish(published(size, false));
        }
        assert_eq!((at(9), at(10)), (None, Some(10)));
    }

    #[test]
    fn who_waits_goes_on_with_the_quorum_at_the_deadline_or_at_the_end() {
        let board = board();
        let long = Duration::from_secs(3_600);
        let (covered, other) = (wait(&board, 5, long), wait(&board, 6, long));
        let late = wait(&board, 5, Duration::ZERO);
        board.tick(TreeSize::new(6));
        assert_eq!(late.try_recv(), Ok(None));
        board.publish(published(7, false));
        assert!(covered.try_recv().is_err());
        board.publish(published(7, true));
        assert_eq!(covered.try_recv(), Ok(Some(7)));
        assert_eq!(other.try_recv(), Ok(Some(7)));
        assert_eq!(wait(&board, 7, long).try_recv(), Ok(Some(7)));
        let more = wait(&board, 8, long);
        board.close();
        assert_eq!(more.try_recv(), Ok(None));
        assert_eq!(wait(&board, 8, long).try_recv(), Ok(None));
        assert!(board.status().is_failing());
    }

    #[test]
    fn only_so_many_wait() {
        let board = board();
        let long = Duration::from_secs(3_600);
        let waiting: Vec<_> = (0..WAITING).map(|_| wait(&board, 1, long)).collect();
        assert_eq!(wait(&board, 1, long).try_recv(), Ok(None));
        board.publish(published(1, true));
        assert!(waiting.iter().all(|it| it.try_recv() == Ok(Some(1))));
    }

    #[test]
    fn a_lag_is_counted_from_when_the_quorum_was_missing() {
        let board = board();
        board.tick(TreeSize::new(4));
        assert_eq!(board.status().lag, 4);
        board.publish(published(4, true));
        board.tick(TreeSize::new(4));
        let status = board.status();
        assert_eq!((status.lag, status.lag_time), (0, Duration::ZERO));
        assert!(!status.is_failing());
    }
}
