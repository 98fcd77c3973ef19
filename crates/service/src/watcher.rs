//! The watcher: reads the log as it grows, folds it through the detectors, and commits flags.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use countersign_core::entry::{AnyEntry, Body, Decision, Entry, PolicyPhase};
use countersign_ledger::limits::UNIT_ENTRIES;
use countersign_ledger::{CommittedEntry, ReadSet, StepError};
use countersign_watch::{FlagDraft, Watch};

use crate::Service;
use crate::error::{ErrorCode, ServiceError};
use crate::state::{self, WatchRow, key};

/// How often the watcher looks without being woken, for incidents that went quiet and for what
/// other replicas wrote.
const TICK: Duration = Duration::from_secs(5);
/// How long the watcher lets the log grow before it looks: under load it then folds many entries
/// at once.
const PAUSE: Duration = Duration::from_millis(20);
/// How many leaves are read at once.
const READ: u64 = 1_000;
/// How many decisions wait at most for being folded; others are read from the log.
const HANDED: usize = 8_192;
/// How many drafts are committed at once. More can be due together, when many incidents end in one
/// moment or a log is read that has waited, and one commit has to hold them.
const COMMITTED: usize = 512;
const _: () = assert!(COMMITTED <= UNIT_ENTRIES);

/// The watcher's place in the log, and its bell.
pub(crate) struct Watcher {
    folded: Mutex<Folded>,
    /// Decisions that were committed here, by leaf index: the log need not be read for them.
    handed: Mutex<BTreeMap<u64, AnyEntry>>,
    bell: Mutex<bool>,
    rung: Condvar,
    /// Whether it could not go on when it last tried.
    stuck: AtomicBool,
}

struct Folded {
    watch: Watch,
    /// How many leaves were folded.
    read: u64,
    /// Whether it is unknown which drafts have come into the log.
    unsure: bool,
}

impl Watcher {
    pub(crate) fn new() -> Self {
        Self {
            folded: Mutex::new(Folded {
                watch: Watch::new(),
                read: 0,
                unsure: true,
            }),
            handed: Mutex::default(),
            bell: Mutex::new(false),
            rung: Condvar::new(),
            stuck: AtomicBool::new(false),
        }
    }

    /// Whether it could not go on when it last tried.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Says that the log has grown.
    pub(crate) fn wake(&self) {
        let mut bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *bell, true) {
            self.rung.notify_all();
        }
    }

    /// Says that the log has grown by a decision, and hands it over.
    pub(crate) fn decided(&self, decision: Decision, committed: Option<CommittedEntry>) {
        if let Some(committed) = committed {
            let entry = AnyEntry::Known(Box::new(Entry {
                entry_id: committed.entry_id,
                timestamp: committed.timestamp,
                body: Body::from(decision),
            }));
            let mut handed = self.handed();
            if handed.len() < HANDED {
                handed.insert(committed.index.get(), entry);
            }
        }
        self.wake();
    }

    /// The entry at `next`, if it was handed over, and where the next one that was stands; what
    /// stands before is forgotten.
    fn take(&self, next: u64) -> (Option<AnyEntry>, Option<u64>) {
        let mut handed = self.handed();
        while handed.first_key_value().is_some_and(|(at, _)| *at < next) {
            handed.pop_first();
        }
        let taken = handed.remove(&next);
        (taken, handed.first_key_value().map(|(at, _)| *at))
    }

    fn handed(&self) -> MutexGuard<'_, BTreeMap<u64, AnyEntry>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the log has grown, or for a tick.
    fn wait(&self) {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut bell, _) = self
            .rung
            .wait_timeout_while(bell, TICK, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *bell = false;
    }
}

impl Service {
    /// Runs the background work (flags, escalations and records that expire, counts of refused requests) on
    /// a thread of its own until the service is dropped.
    pub fn spawn_background(self: &Arc<Self>) -> std::io::Result<std::thread::JoinHandle<()>> {
        let service = Arc::downgrade(self);
        std::thread::Builder::new()
            .name("countersign-watch".to_owned())
            .spawn(move || run(&service))
    }

    /// Folds all that the log holds by now, and commits the flags that come of it.
    pub fn settle_watch(&self) -> Result<(), ServiceError> {
        let folded = self.watcher.folded.lock();
        let mut folded = folded.unwrap_or_else(PoisonError::into_inner);
        let settled = self.settle(&mut folded);
        // Drafts that were given out and not committed are asked for again.
        folded.unsure |= settled.is_err();
        self.watcher
            .stuck
            .store(settled.is_err(), Ordering::Relaxed);
        settled
    }

    fn settle(&self, folded: &mut Folded) -> Result<(), ServiceError> {
        loop {
            let mut drafts = Vec::new();
            while folded.read < self.ledger.size().get() {
                self.fold_some(folded, &mut drafts)?;
            }
            drafts.extend(folded.watch.tick(self.clock.now()));
            // What was drafted in a replay has mostly been acted upon long ago.
            if folded.unsure {
                drafts = folded.watch.outstanding();
                folded.unsure = false;
            }
            if drafts.is_empty() {
                return Ok(());
            }
            // What is left over is asked for again, once what was committed is folded.
            folded.unsure = drafts.len() > COMMITTED;
            drafts.truncate(COMMITTED);
            if let Err(error) = self.commit_drafts(drafts, folded.read) {
                folded.unsure = true;
                // Another replica was quicker: what it wrote is folded in the next round.
                if error.code != ErrorCode::Contended {
                    return Err(error);
                }
            }
        }
    }

    fn fold_some(
        &self,
        folded: &mut Folded,
        drafts: &mut Vec<FlagDraft>,
    ) -> Result<(), ServiceError> {
        let (handed, next) = self.watcher.take(folded.read);
        if let Some(entry) = handed {
            return self.fold(folded, &entry, drafts);
        }
        let until = folded.read.saturating_add(READ);
        let until = next.map_or(until, |next| until.min(next));
        for stored in self.ledger.leaves(folded.read..until)? {
            self.fold(folded, &AnyEntry::from_leaf(&stored.bytes)?, drafts)?;
        }
        Ok(())
    }

    fn fold(
        &self,
        folded: &mut Folded,
        entry: &AnyEntry,
        drafts: &mut Vec<FlagDraft>,
    ) -> Result<(), ServiceError> {
        self.follow_policy(entry, &mut folded.watch)?;
        drafts.extend(folded.watch.observe(folded.read, entry));
        // A person closed a flag of which something was to be said: what is left is asked for anew.
        folded.unsure |= matches!(entry.body(), Some(Body::FlagClose(_)));
        folded.read = folded.read.saturating_add(1);
        Ok(())
    }

    /// The detectors follow the settings of the bundle that was in force at each entry.
    fn follow_policy(&self, entry: &AnyEntry, watch: &mut Watch) -> Result<(), ServiceError> {
        if let Some(Body::Policy(policy)) = entry.body()
            && policy.phase == PolicyPhase::InForce
        {
            let bundle = self.compiled(&policy.policy_ref)?;
            watch.set_policy(policy.policy_ref, bundle.settings().watch.clone());
        }
        Ok(())
    }

    /// Commits drafts together. They are not committed if anything else has raised a flag since
    /// the log was folded.
    fn commit_drafts(&self, drafts: Vec<FlagDraft>, read: u64) -> Result<(), ServiceError> {
        let drafts: Vec<_> = drafts
            .into_iter()
            .map(|draft| (self.entry_id(), Body::from(draft)))
            .collect();
        self.ledger.commit(ReadSet::none(), move |step| {
            let raised = step.state(&key::watch())?;
            if raised.is_some_and(|raised| raised.version.get() >= read) {
                return Err(StepError::Stale {
                    keys: vec![key::watch()],
                });
            }
            for (entry_id, body) in &drafts {
                step.push(*entry_id, body.clone())?;
            }
            state::put(step, key::watch(), &WatchRow { read })
        })?;
        Ok(())
    }
}

fn run(service: &Weak<Service>) {
    let mut escalations_due = Instant::now();
    loop {
        let Some(strong) = service.upgrade() else {
            return;
        };
        if strong.is_closing() {
            return;
        }
        if let Err(error) = strong.settle_watch() {
            tracing::warn!(%error, internal = error.internal, "the watcher could not go on");
        }
        let is_due = Instant::now() >= escalations_due;
        report(
            "erasures could not be completed",
            strong.continue_completion(is_due),
        );
        if is_due {
            escalations_due = Instant::now() + TICK;
            report(
                "escalations could not be closed",
                strong.expire_escalations(),
            );
            report(
                "idle sessions could not be closed",
                strong.close_idle_sessions(),
            );
            report(
                "throttled requests could not be recorded",
                strong.flush_throttled(),
            );
            report(
                "records whose time is over could not be erased",
                strong.expire_records(),
            );
        }
        let watcher = Arc::clone(&strong.watcher);
        drop(strong);
        watcher.wait();
        std::thread::sleep(PAUSE);
    }
}

fn report(what: &str, result: Result<usize, ServiceError>) {
    if let Err(error) = result {
        tracing::warn!(%error, internal = error.internal, "{what}");
    }
}
