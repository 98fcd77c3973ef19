//! What is counted of one subject before there is an incident, and where it began.

use std::collections::VecDeque;

use countersign_core::time::Timestamp;

use crate::limits;
use crate::seen::{Seen, Terms, WHOLE};

/// How much evidence it takes, beside the threshold, that an actor with a past is out of its
/// pattern, in thousandths of a bit: by chance it comes up about once in 2^13 of its calls.
const EVIDENCE: i64 = 13_000;
/// How much it takes where they do not come together within the window.
const SLOW_EVIDENCE: i64 = 16_000;

/// What an entry of an actor with a past says, in thousandths of a bit: the logarithm of how much
/// likelier it is if the actor has changed than if it goes on as ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// One that counts speaks for a change by as much.
    pub(crate) up: i64,
    /// One that does not speaks against it by as much.
    pub(crate) down: i64,
}

/// By the share of its calls that counted in the past, as 64ths: the pattern up to that share. The
/// change that is looked for is to one half, and where that is little, to three quarters and more.
const PATTERNS: [(u64, Pattern); 7] = [
    (
        1,
        Pattern {
            up: 5_000,
            down: 977,
        },
    ),
    (
        2,
        Pattern {
            up: 4_000,
            down: 954,
        },
    ),
    (
        4,
        Pattern {
            up: 3_000,
            down: 907,
        },
    ),
    (
        8,
        Pattern {
            up: 2_000,
            down: 807,
        },
    ),
    (
        16,
        Pattern {
            up: 1_585,
            down: 1_585,
        },
    ),
    (
        32,
        Pattern {
            up: 807,
            down: 2_000,
        },
    ),
    (
        64,
        Pattern {
            up: 370,
            down: 3_000,
        },
    ),
];

impl Pattern {
    /// The pattern of an actor of whose `all` calls `counted` counted.
    pub(crate) fn of(counted: u64, all: u64) -> Self {
        let fits = |most: u64| counted.saturating_mul(64) <= most.saturating_mul(all);
        let found = PATTERNS.iter().find(|(most, _)| fits(*most));
        let last = Self {
            up: 370,
            down: 3_000,
        };
        found.map_or(last, |(_, pattern)| *pattern)
    }
}

/// Entries of one subject, since the statistic last was zero.
///
/// Two sums run (CUSUM), neither ever below zero. One rises with every entry and falls with time,
/// by half the rate that reaches the threshold; when it is at zero, entries that are out of the
/// window are forgotten. The other one, for an actor with a past, is the evidence that it has
/// changed; when it falls to zero, all are. What came before is not what begins here: the oldest
/// entry that is left is the onset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gather {
    chain: VecDeque<Seen>,
    slope: u64,
    bits: i64,
    is_slow: bool,
}

impl Gather {
    /// One more that counts.
    pub(crate) fn add(&mut self, seen: &Seen, terms: &Terms, pattern: Option<Pattern>) {
        let since = self.chain.back().map_or(seen.at, |last| last.at);
        let passed = u64::try_from(seen.at.millis_since(since)).unwrap_or(0);
        let fall = passed.saturating_mul(terms.weight());
        self.slope = self.slope.saturating_sub(fall);
        if self.slope == 0 && !self.is_slow {
            let is_past = |first: &Seen| terms.deadline(first.at) < seen.at;
            while self.chain.front().is_some_and(is_past) {
                self.chain.pop_front();
            }
        }
        let rise = terms.window_ms().saturating_mul(2).max(1);
        let weight = u64::from(seen.weight);
        self.slope = self.slope.saturating_add(rise.saturating_mul(weight));
        let up = pattern.map_or(0, |pattern| pattern.up);
        let up = up.saturating_mul(i64::from(seen.weight)) / i64::from(WHOLE);
        self.bits = self.bits.saturating_add(up).min(2 * EVIDENCE);
        self.push(seen, terms);
    }

    /// One that belongs to it and counts for nothing.
    pub(crate) fn push(&mut self, seen: &Seen, terms: &Terms) {
        let threshold = usize::try_from(terms.threshold.min(limits::THRESHOLD));
        let most = threshold.unwrap_or(limits::CHAIN).max(limits::CHAIN);
        self.chain.push_back(seen.clone());
        while self.chain.len() > most || self.chain.front().is_some_and(|first| !first.can_begin) {
            self.chain.pop_front();
        }
    }

    /// One that speaks against a change. Says whether anything is left.
    pub(crate) fn relieve(&mut self, pattern: Pattern) -> bool {
        self.bits = self.bits.saturating_sub(pattern.down).max(0);
        if self.bits == 0 {
            self.forget();
        }
        !self.chain.is_empty()
    }

    /// Whether the threshold is reached within the window that ends now, and an actor with a past is
    /// out of its pattern; or, where entries are held beyond the window, far out of it.
    pub(crate) fn is_reached(
        &self,
        terms: &Terms,
        now: Timestamp,
        pattern: Option<Pattern>,
    ) -> bool {
        let weight = |seen: &Seen| u64::from(seen.weight);
        let recent = self.chain.iter().rev();
        let recent = recent.take_while(|seen| terms.deadline(seen.at) >= now);
        let sum = recent.map(weight).fold(0u64, u64::saturating_add);
        if sum >= terms.weight() {
            return pattern.is_none() || self.bits >= EVIDENCE;
        }
        let all = self
            .chain
            .iter()
            .map(weight)
            .fold(0u64, u64::saturating_add);
        self.is_slow && all >= terms.weight() && self.bits >= SLOW_EVIDENCE
    }

    /// Whether what it holds did not come together within the window.
    pub(crate) fn is_beyond(&self, terms: &Terms, now: Timestamp) -> bool {
        let first = self.chain.front();
        self.is_slow && first.is_some_and(|first| terms.deadline(first.at) < now)
    }

    /// Holds entries beyond the window from now on, as long as the evidence does not fall to zero.
    pub(crate) fn hold(&mut self) {
        self.is_slow = true;
    }

    /// The entries, oldest first.
    pub(crate) fn into_chain(self) -> Vec<Seen> {
        self.chain.into()
    }

    fn forget(&mut self) {
        self.chain.clear();
        self.slope = 0;
        self.bits = 0;
    }
}
