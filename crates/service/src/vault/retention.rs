//! Retention: records that are older than the bundle in force keeps them are erased, kind by kind.
//!
//! Each kind is followed in the order of the log, which is that of time. How far is known only here:
//! after a restart, and when a hold was lifted, the log is gone through again, and what is erased
//! already is passed over.
//!
//! A wrong clock must not erase everything: see [`Steady`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use countersign_core::document::{self, Document as _, RetentionSettings};
use countersign_core::entry::{self, AnyEntry, Body, Kind as _};
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_ledger::{Filter, Order, Page, ReadSet};
use countersign_merkle::LeafIndex;

use super::condemned::{Condemned, records_of};
use crate::Service;
use crate::error::ServiceError;
use crate::state::{self, ErasedRow, key};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long the clock must have gone on steadily before anything expires.
const SETTLE_MS: i64 = DAY_MS;
/// How far the clock may move between two looks at it.
const JUMP_MS: i64 = 60 * 60 * 1_000;
/// How far apart two entries may be before the clock counts as set in between.
const GAP_MS: i64 = DAY_MS;
/// Entries that are read at once.
const READ: usize = 500;
/// How often that is done for one walk in one round.
const READS: usize = 8;
/// Most turns that have not ended and are remembered until they have.
const TURNS: usize = 65_536;

/// How far the records of each kind were looked at.
pub(crate) struct Retention {
    walked: Mutex<Walked>,
    again: AtomicBool,
}

#[derive(Default)]
struct Walked {
    steady: Option<Steady>,
    /// The last entry that each walk has passed.
    cursors: [Option<LeafIndex>; WALKS.len()],
    /// Turns that were passed before they were over, with when they end.
    turns: Turns,
}

/// Turns by when they end.
type Turns = BTreeMap<(Timestamp, Sha256), Condemned>;

/// Since when the clock has gone on without a leap.
///
/// A clock that is set years ahead would let everything expire at once, and nothing brings it back.
/// So nothing expires until the clock has gone on steadily for a day, by the looks that are taken
/// at it and, at a start, by the times in the log. Too careful, this only delays.
#[derive(Clone, Copy)]
struct Steady {
    since: Timestamp,
    last: Timestamp,
}

/// Records of one kind, and the kind of entries that name them.
struct Walk {
    what: &'static str,
    record: &'static str,
    entry: &'static str,
    days: fn(&RetentionSettings) -> Option<u32>,
}

const WALKS: [Walk; 7] = [
    Walk {
        what: "turns",
        record: document::Intent::KIND,
        entry: entry::Intent::KIND,
        days: |kept| kept.intent_days,
    },
    Walk {
        what: "calls",
        record: document::Call::KIND,
        entry: entry::Decision::KIND,
        days: |kept| kept.call_days,
    },
    Walk {
        what: "facts",
        record: document::Facts::KIND,
        entry: entry::Decision::KIND,
        days: |kept| kept.facts_days,
    },
    Walk {
        what: "reasoning",
        record: document::Reasoning::KIND,
        entry: entry::Decision::KIND,
        days: |kept| kept.reasoning_days,
    },
    Walk {
        what: "results",
        record: document::ToolResult::KIND,
        entry: entry::Execution::KIND,
        days: |kept| kept.result_days,
    },
    Walk {
        what: "statements",
        record: document::Statement::KIND,
        entry: entry::Review::KIND,
        days: |kept| kept.statement_days,
    },
    Walk {
        what: "statements",
        record: document::Statement::KIND,
        entry: entry::VaultAccess::KIND,
        days: |kept| kept.statement_days,
    },
];

impl Retention {
    pub(crate) fn new() -> Self {
        Self {
            walked: Mutex::default(),
            again: AtomicBool::new(false),
        }
    }

    /// Says that what was passed over may expire now: a hold was lifted.
    pub(super) fn look_again(&self) {
        self.again.store(true, Ordering::Relaxed);
    }
}

impl Service {
    /// Erases some of the records whose time is over, and says how many. Called from time to time.
    pub fn expire_records(&self) -> Result<usize, ServiceError> {
        let walked = self.retention.walked.lock();
        let mut walked = walked.unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if !self.is_steady(&mut walked.steady, now)? {
            return Ok(0);
        }
        if self.retention.again.swap(false, Ordering::Relaxed) {
            walked.begin_again();
        }
        let expired = self.expire_all(&mut walked, now);
        if expired.is_err() {
            // What was passed and not erased is found again.
            walked.begin_again();
        }
        expired
    }

    fn expire_all(&self, walked: &mut Walked, now: Timestamp) -> Result<usize, ServiceError> {
        let in_force = self.in_force()?;
        let bundle = &in_force.compiled;
        let kept = &bundle.settings().vault.retention;
        // In the name of this bundle, and of no other.
        let mut reads = ReadSet::none();
        let key = (key::policy_in_force(), Some(in_force.version));
        reads.versions.push(key);
        let mut expired = 0usize;
        for (walk, cursor) in WALKS.iter().zip(&mut walked.cursors) {
            let Some(days) = (walk.days)(kept) else {
                continue;
            };
            let before = now.plus_millis(i64::from(days).saturating_mul(-DAY_MS));
            let due = self.due(walk, before, cursor, &mut walked.turns)?;
            if due.is_empty() {
                continue;
            }
            let authority = self.erasing_authority(&format!(
                "retention: the bundle `{}` keeps {} for {days} days",
                bundle.policy_ref(),
                walk.what
            ))?;
            let erased = self.erase_refs(&due, &authority, None, &reads, true)?;
            expired = expired.saturating_add(usize::try_from(erased.records()).unwrap_or(0));
        }
        if expired > 0 {
            // Where readers are in the way, it is tried again with the next erasure.
            self.ledger.truncate_log()?;
        }
        Ok(expired)
    }

    /// The records of the next entries that are over, and were not erased yet.
    fn due(
        &self,
        walk: &Walk,
        before: Timestamp,
        cursor: &mut Option<LeafIndex>,
        turns: &mut Turns,
    ) -> Result<Vec<Condemned>, ServiceError> {
        let is_of_turns = walk.entry == entry::Intent::KIND;
        let mut due = Vec::new();
        for _ in 0..READS {
            if is_of_turns && turns.len() >= TURNS {
                break;
            }
            let filter = Filter {
                kind: Some(walk.entry.to_owned()),
                until: Some(before),
                ..Filter::default()
            };
            let page = Page {
                order: Order::OldestFirst,
                after: *cursor,
                limit: READ,
            };
            let found = self.ledger.query(&filter, &page)?;
            for stored in &found.entries {
                *cursor = Some(stored.index);
                let AnyEntry::Known(entry) = AnyEntry::from_leaf(&stored.bytes)? else {
                    continue;
                };
                let records = records_of(stored.index, &entry).into_iter();
                for record in records.filter(|record| record.kind == walk.record) {
                    if state::read::<ErasedRow>(&self.ledger, &key::erased(&record.reference))?
                        .is_some()
                    {
                        continue;
                    }
                    match &entry.body {
                        Body::Intent(turn) => {
                            turns.insert((turn.expires_at, record.reference), record);
                        }
                        _ => due.push(record),
                    }
                }
            }
            if found.next.is_none() {
                break;
            }
        }
        if is_of_turns {
            let later = turns.split_off(&(before, Sha256::from_bytes([0; 32])));
            due.extend(std::mem::replace(turns, later).into_values());
        }
        Ok(due)
    }

    fn is_steady(&self, steady: &mut Option<Steady>, now: Timestamp) -> Result<bool, ServiceError> {
        let since = match *steady {
            None => self.steady_since(now)?,
            Some(before) if (0..=JUMP_MS).contains(&now.millis_since(before.last)) => before.since,
            Some(before) => {
                let last = before.last;
                tracing::warn!(%last, %now, "the clock has leapt: no record expires for a day");
                now
            }
        };
        *steady = Some(Steady { since, last: now });
        Ok(now.millis_since(since) >= SETTLE_MS)
    }

    /// Since when the log's times have gone on without a leap, up to now; at most [`SETTLE_MS`] ago.
    fn steady_since(&self, now: Timestamp) -> Result<Timestamp, ServiceError> {
        let settled = now.plus_millis(-SETTLE_MS);
        let filter = Filter {
            from: Some(settled),
            ..Filter::default()
        };
        let page = Page {
            order: Order::OldestFirst,
            after: None,
            limit: 1,
        };
        let found = self.ledger.query(&filter, &page)?.entries;
        // Nothing for so long, or the server was away: how the clock went is not known.
        let Some(first) = found.first() else {
            return Ok(now);
        };
        let time = AnyEntry::from_leaf(&first.bytes)?.timestamp();
        let before = first.index.get().checked_sub(1).map(LeafIndex::new);
        let Some(before) = before.map(|at| self.ledger.leaf(at)).transpose()?.flatten() else {
            return Ok(time);
        };
        let gap = time.millis_since(AnyEntry::from_leaf(&before.bytes)?.timestamp());
        Ok(if gap > GAP_MS { time } else { settled })
    }
}

impl Walked {
    fn begin_again(&mut self) {
        self.cursors = Default::default();
        self.turns.clear();
    }
}
