//! Entries through the detectors, as the service's watcher shows them: drafts are committed and
//! shown to the watch in their turn.

use std::collections::VecDeque;

use countersign_core::document::WatchSettings;
use countersign_core::entry::{AnyEntry, Body, Entry, Flag};
use countersign_core::ids::EntryId;
use countersign_core::refs::PolicyRef;
use countersign_core::time::Timestamp;
use countersign_watch::{FlagDraft, Watch};

use super::dice::Dice;

/// How often the detectors are told the time where nothing is committed, in milliseconds. The service
/// does it every five seconds; delays are stated in minutes.
const TICK_MS: i64 = 60_000;

/// A log that is watched while it grows.
#[derive(Clone)]
pub(super) struct Watched {
    watch: Watch,
    ids: Dice,
    size: u64,
    now: Timestamp,
    pub(super) raised: Vec<Raised>,
    /// How often an incident was said to have grown, or to be over.
    pub(super) reports: u64,
}

/// A flag that was raised.
#[derive(Debug, Clone)]
pub(super) struct Raised {
    pub(super) flag: Flag,
    /// When it was committed.
    pub(super) at: Timestamp,
    /// Its place in the log.
    pub(super) index: u64,
    /// Its entry, and every entry that it or its updates name.
    pub(super) id: EntryId,
    pub(super) entries: Vec<EntryId>,
}

impl Watched {
    pub(super) fn new(seed: u64, begin: Timestamp) -> Self {
        Self {
            watch: Watch::new(),
            ids: Dice::new(seed),
            size: 0,
            now: begin,
            raised: Vec::new(),
            reports: 0,
        }
    }

    /// A bundle comes into force with the next entry.
    pub(super) fn set_policy(&mut self, policy_ref: PolicyRef, settings: WatchSettings) {
        self.watch.set_policy(policy_ref, settings);
    }

    /// Appends an entry, after all the flags that its time brings; gives its place in the log.
    pub(super) fn append(&mut self, entry: Entry) -> u64 {
        self.advance(entry.timestamp);
        let index = self.size;
        let drafts = self.show(entry);
        self.commit(drafts);
        index
    }

    /// Lets time go by.
    pub(super) fn advance(&mut self, until: Timestamp) {
        // Nothing is left to end after a day: a gap longer than that is not lived through.
        let gap = until.millis_since(self.now);
        if gap > 24 * 60 * TICK_MS {
            self.tick(self.now.plus_millis(24 * 60 * TICK_MS));
            self.tick(until);
        }
        while until.millis_since(self.now) > TICK_MS {
            self.tick(self.now.plus_millis(TICK_MS));
        }
        self.now = self.now.max(until);
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        let drafts = self.watch.tick(now);
        self.commit(drafts);
    }

    fn show(&mut self, entry: Entry) -> Vec<FlagDraft> {
        let drafts = self
            .watch
            .observe(self.size, &AnyEntry::Known(Box::new(entry)));
        self.size += 1;
        drafts
    }

    fn commit(&mut self, drafts: Vec<FlagDraft>) {
        let mut queue = VecDeque::from(drafts);
        while let Some(draft) = queue.pop_front() {
            let entry_id = self.ids.id(self.now);
            match &draft {
                FlagDraft::Raise(flag) => self.raised.push(Raised {
                    flag: flag.clone(),
                    at: self.now,
                    index: self.size,
                    id: entry_id,
                    entries: flag.entries.clone(),
                }),
                FlagDraft::Grow(update) => {
                    self.reports += 1;
                    let mut raised = self.raised.iter_mut().rev();
                    if let Some(raised) = raised.find(|of| update.links.flag == Some(of.id)) {
                        raised.entries.extend(&update.entries);
                    }
                }
                FlagDraft::Close(_) => self.reports += 1,
            }
            queue.extend(self.show(Entry {
                entry_id,
                timestamp: self.now,
                body: Body::from(draft),
            }));
        }
    }
}
