//! A small bounded cache for what is dear to open or compile again.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Holds at most a fixed number of values; the oldest goes first.
pub(crate) struct Cache<K, V> {
    inner: Mutex<Inner<K, V>>,
    capacity: usize,
}

struct Inner<K, V> {
    values: HashMap<K, Arc<V>>,
    order: VecDeque<K>,
}

impl<K: Copy + Eq + Hash, V> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                values: HashMap::new(),
                order: VecDeque::new(),
            }),
            capacity,
        }
    }

    /// The value under `key`, made by `make` if it is not there. `make` runs without the lock.
    pub(crate) fn fetch<E>(
        &self,
        key: K,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        if let Some(found) = self.lock().values.get(&key) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(make()?);
        self.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// Puts a value that was made elsewhere.
    pub(crate) fn insert(&self, key: K, value: Arc<V>) {
        let mut inner = self.lock();
        if inner.values.insert(key, value).is_none() {
            inner.order.push_back(key);
        }
        while inner.order.len() > self.capacity {
            if let Some(oldest) = inner.order.pop_front() {
                inner.values.remove(&oldest);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<K, V>> {
        // A panic elsewhere leaves the map whole: every change of it is one call.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn the_oldest_value_makes_room() {
        let cache: Cache<u8, u8> = Cache::new(2);
        for key in [1, 2, 3] {
            cache.fetch(key, || Ok::<_, ()>(key)).unwrap();
        }
        assert_eq!(*cache.fetch(3, || Err(())).unwrap(), 3);
        assert!(cache.fetch(1, || Err(())).is_err());
    }
}
