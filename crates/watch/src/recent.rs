//! A map that forgets what was not touched longest.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// At most so many values; which of them are kept depends on nothing but the order of calls.
#[derive(Debug, Clone)]
pub(crate) struct Recent<K, V> {
    most: usize,
    touched: u64,
    values: BTreeMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
}

impl<K: Ord + Clone, V> Recent<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            touched: 0,
            values: BTreeMap::new(),
            order: BTreeMap::new(),
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.values.get(key).map(|(_, value)| value)
    }

    /// The value, which counts as touched only by [`Recent::entry`].
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.values.get_mut(key).map(|(_, value)| value)
    }

    /// The value, touched, and made if there is none.
    pub(crate) fn entry(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V {
        self.touched = self.touched.saturating_add(1);
        let touched = self.touched;
        if let Some((before, _)) = self.values.get(key) {
            self.order.remove(before);
        } else if self.values.len() >= self.most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.values.remove(&oldest);
        }
        self.order.insert(touched, key.clone());
        let place = self.values.entry(key.clone());
        let (last, value) = place.or_insert_with(|| (touched, make()));
        *last = touched;
        value
    }

    /// Puts a value in place of what was there.
    pub(crate) fn put(&mut self, key: &K, value: V)
    where
        V: Clone,
    {
        let place = self.entry(key, || value.clone());
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn what_was_not_touched_longest_goes_first() {
        let mut recent: Recent<u8, u8> = Recent::new(2);
        recent.put(&1, 1);
        recent.put(&2, 2);
        recent.put(&1, 3);
        recent.put(&4, 4);
        assert_eq!((recent.get(&1), recent.get(&2)), (Some(&3), None));
        assert_eq!(recent.len(), 2);
        assert_eq!(recent.order.len(), 2);
    }
}
