//! A small bounded cache for what is dear to open or compile again.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Holds values up to a total weight; what was used longest ago goes first.
pub(crate) struct Cache<K, V> {
    inner: Mutex<Inner<K, V>>,
    capacity: usize,
    weigh: fn(&V) -> usize,
}

struct Inner<K, V> {
    values: HashMap<K, Held<V>>,
    by_use: BTreeMap<u64, K>,
    uses: u64,
    weight: usize,
}

struct Held<V> {
    value: Arc<V>,
    used: u64,
    weight: usize,
}

impl<K: Copy + Eq + Hash, V> Cache<K, V> {
    /// A cache of so many values.
    pub(crate) fn of_count(capacity: usize) -> Self {
        Self::of_weight(capacity, |_| 1)
    }

    /// A cache of values that together weigh no more than `capacity`.
    pub(crate) fn of_weight(capacity: usize, weigh: fn(&V) -> usize) -> Self {
        let inner = Inner {
            values: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            weight: 0,
        };
        Self {
            inner: Mutex::new(inner),
            capacity,
            weigh,
        }
    }

    /// The value under `key`, made by `make` if it is not there. `make` runs without the lock.
    pub(crate) fn fetch<E>(
        &self,
        key: K,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        if let Some(found) = self.lock().touch(key) {
            return Ok(found);
        }
        let made = Arc::new(make()?);
        self.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// The value under `key`, if it is there.
    pub(crate) fn get(&self, key: K) -> Option<Arc<V>> {
        self.lock().touch(key)
    }

    /// Puts a value that was made elsewhere.
    pub(crate) fn insert(&self, key: K, value: Arc<V>) {
        let weight = (self.weigh)(&value);
        self.lock().put(key, value, weight, self.capacity);
    }

    /// Drops what is kept under these keys.
    pub(crate) fn forget(&self, is_gone: impl Fn(&K) -> bool) {
        let mut inner = self.lock();
        let gone: Vec<K> = inner.values.keys().copied().filter(&is_gone).collect();
        for key in gone {
            inner.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, V> Inner<K, V> {
    fn touch(&mut self, key: K) -> Option<Arc<V>> {
        self.uses = self.uses.wrapping_add(1);
        let held = self.values.get_mut(&key)?;
        self.by_use.remove(&held.used);
        held.used = self.uses;
        self.by_use.insert(held.used, key);
        Some(Arc::clone(&held.value))
    }

    fn put(&mut self, key: K, value: Arc<V>, weight: usize, capacity: usize) {
        self.remove(key);
        // It would push out everything, and then itself.
        if weight > capacity {
            return;
        }
        self.uses = self.uses.wrapping_add(1);
        let used = self.uses;
        let held = Held {
            value,
            used,
            weight,
        };
        self.values.insert(key, held);
        self.by_use.insert(used, key);
        self.weight = self.weight.saturating_add(weight);
        while self.weight > capacity
            && let Some((_, oldest)) = self.by_use.first_key_value()
        {
            self.remove(*oldest);
        }
    }

    fn remove(&mut self, key: K) {
        if let Some(held) = self.values.remove(&key) {
            self.by_use.remove(&held.used);
            self.weight = self.weight.saturating_sub(held.weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let cache: Cache<u8, u8> = Cache::of_count(2);
        for key in [1, 2] {
            cache.fetch(key, || Ok::<_, ()>(key)).unwrap();
        }
        cache.fetch(1, || Err(())).unwrap();
        cache.fetch(3, || Ok::<_, ()>(3)).unwrap();
        assert_eq!(*cache.fetch(1, || Err(())).unwrap(), 1);
        assert!(cache.fetch(2, || Err(())).is_err());
    }

    #[test]
    fn what_is_too_heavy_is_not_kept() {
        let cache: Cache<u8, Vec<u8>> = Cache::of_weight(10, Vec::len);
        for (key, weight) in [(1, 4), (2, 5), (3, 6), (4, 11)] {
            cache.fetch(key, || Ok::<_, ()>(vec![0; weight])).unwrap();
        }
        for key in [1, 2, 4] {
            assert!(cache.fetch(key, || Err(())).is_err(), "{key}");
        }
        let other = cache.get(3);
        assert!(other.is_some(), "it does not push out others, either");
        cache.fetch(5, || Ok::<_, ()>(vec![0; 10])).unwrap();
        assert!(cache.fetch(5, || Err(())).is_ok());
    }
}
