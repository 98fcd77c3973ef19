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

    /// Whether entries have lacked a quorum for too long.
    pub fn is_late(&self) -> bool {
        self.lag_time > LAG_LIMIT
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
