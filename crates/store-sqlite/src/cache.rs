//! State that was read or written, kept beside the database.
//!
//! Every commit is written through, so what is kept is what the database holds. A value that was
//! read while a commit went by may be older than that commit; it is told by the shard's sequence
//! number and not kept.

use countersign_ledger::{StateKey, Versioned};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shards, so that threads which read do not wait for each other.
const SHARDS: usize = 16;
/// Most bytes of keys and values that all shards keep.
const BYTES: usize = 64 * 1024 * 1024;
/// Longest value that is kept.
const VALUE_BYTES: usize = 256 * 1024;
/// What an entry of the map costs beside key and value.
const ENTRY_BYTES: usize = 128;

/// What the database says of a key; `None` if it never existed, which is kept too.
type Found = Option<Versioned>;

pub(crate) struct StateCache {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// What is used again moves from the old generation to the young one; when the young one is full it
/// becomes the old one, and what nobody has asked for meanwhile is forgotten.
#[derive(Default)]
struct Shard {
    /// How many commits have changed a key of the shard.
    sequence: u64,
    young: HashMap<StateKey, Found>,
    old: HashMap<StateKey, Found>,
    young_bytes: usize,
}

/// A key that is not kept; with it, what the database says may be kept.
pub(crate) struct Missing(u64);

impl StateCache {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: Default::default(),
        }
    }

    /// What the database says of the key, if that is known.
    pub(crate) fn find(&self, key: &StateKey) -> Result<Found, Missing> {
        let mut shard = self.shard(key);
        if let Some(found) = shard.young.get(key) {
            return Ok(found.clone());
        }
        match shard.old.remove(key) {
            Some(found) => {
                shard.put(key.clone(), found.clone());
                Ok(found)
            }
            None => Err(Missing(shard.sequence)),
        }
    }

    /// Keeps what the database said after the key was missing.
    pub(crate) fn keep(&self, missing: &Missing, key: &StateKey, found: &Found) {
        let mut shard = self.shard(key);
        if shard.sequence == missing.0 && fits(found) {
            shard.put(key.clone(), found.clone());
        }
    }

    /// Writes a commit through. It must be durable, and the next one must not have begun.
    pub(crate) fn write<'s>(&self, state: impl IntoIterator<Item = &'s (StateKey, Versioned)>) {
        for (key, value) in state {
            let mut shard = self.shard(key);
            shard.sequence = shard.sequence.saturating_add(1);
            shard.remove(key);
            let found = Some(value.clone());
            if fits(&found) {
                shard.put(key.clone(), found);
            }
        }
    }

    /// Keys that were taken out by a commit; the same holds as for what was written.
    pub(crate) fn purge(&self, keys: &[StateKey]) {
        for key in keys {
            let mut shard = self.shard(key);
            shard.sequence = shard.sequence.saturating_add(1);
            shard.remove(key);
        }
    }

    /// Forgets all: the database may have changed in a way that is not known.
    pub(crate) fn forget(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            *shard = Shard {
                sequence: shard.sequence.saturating_add(1),
                ..Shard::default()
            };
        }
    }

    fn shard(&self, key: &StateKey) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(key) as usize;
        let [first, ..] = &self.shards;
        lock(self.shards.get(hash % SHARDS).unwrap_or(first))
    }
}

impl Shard {
    fn put(&mut self, key: StateKey, found: Found) {
        self.young_bytes = self.young_bytes.saturating_add(cost(&key, &found));
        if let Some(before) = self.young.get(&key) {
            self.young_bytes = self.young_bytes.saturating_sub(cost(&key, before));
        }
        self.young.insert(key, found);
        // Both generations together stay within the bound.
        if self.young_bytes > BYTES / SHARDS / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }

    fn remove(&mut self, key: &StateKey) {
        self.old.remove(key);
        if let Some(before) = self.young.remove(key) {
            self.young_bytes = self.young_bytes.saturating_sub(cost(key, &before));
        }
    }
}

fn value_bytes(found: &Found) -> usize {
    let value = found.as_ref().and_then(|found| found.value.as_ref());
    value.map_or(0, Vec::len)
}

fn fits(found: &Found) -> bool {
    value_bytes(found) <= VALUE_BYTES
}

fn cost(key: &StateKey, found: &Found) -> usize {
    let bytes = key.as_str().len().saturating_add(value_bytes(found));
    bytes.saturating_add(ENTRY_BYTES)
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_merkle::LeafIndex;

    fn key(n: usize) -> StateKey {
        StateKey::new(format!("key/{n}"))
    }

    fn value(version: u64, length: usize) -> Versioned {
        Versioned {
            value: Some(vec![7; length]),
            version: LeafIndex::new(version),
        }
    }

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let cache = StateCache::new();
        let Err(missing) = cache.find(&key(1)) else {
            panic!("nothing was put")
        };
        // The reader has read "never existed"; then a commit writes the key.
        let written = value(3, 1);
        cache.write(&[(key(1), written.clone())]);
        cache.keep(&missing, &key(1), &None);
        assert_eq!(cache.find(&key(1)).ok(), Some(Some(written)));
        // The same where the cache has forgotten meanwhile.
        let Err(missing) = cache.find(&key(2)) else {
            panic!("nothing was put")
        };
        cache.forget();
        cache.keep(&missing, &key(2), &None);
        assert!(cache.find(&key(2)).is_err());
        assert!(cache.find(&key(1)).is_err());
    }

    #[test]
    fn keys_that_never_existed_are_kept_too() {
        let cache = StateCache::new();
        let Err(missing) = cache.find(&key(1)) else {
            panic!("nothing was put")
        };
        cache.keep(&missing, &key(1), &None);
        assert_eq!(cache.find(&key(1)).ok(), Some(None));
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let cache = StateCache::new();
        cache.write(&[(key(0), value(1, 10))]);
        let entries = 4 * BYTES / (VALUE_BYTES / 4);
        for n in 1..entries {
            cache.write(&[(key(n), value(1, VALUE_BYTES / 4))]);
            assert!(cache.find(&key(0)).is_ok(), "after {n}");
        }
        let kept: usize = cache
            .shards
            .iter()
            .map(|shard| {
                let shard = lock(shard);
                let all = shard.young.iter().chain(&shard.old);
                all.map(|(key, found)| cost(key, found)).sum::<usize>()
            })
            .sum();
        assert!(kept <= BYTES + SHARDS * VALUE_BYTES, "{kept}");
        cache.write(&[(key(0), value(2, VALUE_BYTES + 1))]);
        assert!(
            cache.find(&key(0)).is_err(),
            "too long, and the old one is gone"
        );
    }
}
