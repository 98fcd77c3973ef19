//! Mentions by key, with a limit on all that an author of text can make grow.

use std::collections::HashMap;

use super::scan::Found;
use crate::limits::{MENTIONS, PLACES};
use crate::value::Key;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The part of a turn, or the field of a result.
    pub(crate) field: u32,
    /// In bytes from the start of the field.
    pub(crate) offset: u64,
    /// The words.
    pub(crate) written: String,
}

/// Mentions by key. Never iterated: what is drawn from it does not depend on the order of hashes.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_key: HashMap<Key, Vec<Spot>>,
    /// Numbers, dates, phone numbers and the like, with limits of their own.
    by_measure: HashMap<Key, Vec<Spot>>,
    by_skeleton: HashMap<String, Vec<Spot>>,
}

impl Index {
    pub(super) fn add(&mut self, field: u32, found: Found<'_>) {
        let spot = Spot {
            field,
            offset: u64::try_from(found.offset).unwrap_or(u64::MAX),
            written: found.written.to_owned(),
        };
        if let Some(skeleton) = found.skeleton {
            push(&mut self.by_skeleton, skeleton, spot.clone());
        }
        let map = if found.key.kind.is_measure() {
            &mut self.by_measure
        } else {
            &mut self.by_key
        };
        push(map, found.key, spot);
    }

    /// Where the value itself stands.
    pub(crate) fn find<'a>(&'a self, keys: &[Key]) -> Vec<&'a Spot> {
        let mut spots: Vec<&Spot> = keys
            .iter()
            .filter_map(|key| self.of_kind(key).get(key))
            .flatten()
            .collect();
        spots.sort_by_key(|spot| (spot.field, spot.offset, spot.written.len()));
        spots.dedup();
        spots
    }

    /// Whether the value itself stands anywhere.
    pub(crate) fn holds(&self, keys: &[Key]) -> bool {
        keys.iter().any(|key| self.of_kind(key).contains_key(key))
    }

    fn of_kind(&self, key: &Key) -> &HashMap<Key, Vec<Spot>> {
        match key.kind.is_measure() {
            true => &self.by_measure,
            false => &self.by_key,
        }
    }

    /// Where something stands that looks like the value.
    pub(crate) fn find_look_alikes(&self, skeleton: &str) -> &[Spot] {
        self.by_skeleton.get(skeleton).map_or(&[], Vec::as_slice)
    }
}

fn push<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<Spot>>, key: K, spot: Spot) {
    if let Some(spots) = map.get_mut(&key) {
        if spots.len() < PLACES {
            spots.push(spot);
        }
    } else if map.len() < MENTIONS {
        map.insert(key, vec![spot]);
    }
}
