//! Reading a leaf of a known kind in one pass, without a tree of values in between.
//!
//! This is no second opinion on what a leaf is: what is read here counts only if it is written back
//! as the very same bytes, and those are strict and canonical by the way they are written. Whatever
//! else there is to say of other bytes is for the strict reader.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};

use super::{Entry, Kind};
use crate::ids::EntryId;
use crate::time::Timestamp;

/// What stands before the kind's name in a leaf.
const KIND: &[u8] = b"\"kind\":\"";

/// The name that looks like the kind's. A member of another object may bear it, too.
pub(super) fn kind(leaf: &[u8]) -> Option<&str> {
    let at = leaf.windows(KIND.len()).position(|window| window == KIND)?;
    let rest = leaf.get(at.checked_add(KIND.len())?..)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    str::from_utf8(rest.get(..end)?).ok()
}

/// The leaf as an entry with this body, if it reads as one.
pub(super) fn read<B: Kind + Into<super::Body>>(leaf: &[u8]) -> Option<Entry> {
    let mut reader = serde_json::Deserializer::from_slice(leaf);
    let read = serde::Deserializer::deserialize_map(&mut reader, Leaf::<B>(Default::default()));
    reader.end().ok()?;
    read.ok()
}

struct Leaf<B>(std::marker::PhantomData<B>);

#[derive(Default)]
struct Common {
    entry_id: Option<EntryId>,
    timestamp: Option<Timestamp>,
}

impl<'de, B: Kind + Into<super::Body>> Visitor<'de> for Leaf<B> {
    type Value = Entry;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a leaf")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Entry, M::Error> {
        let mut common = Common::default();
        let own = Own {
            map,
            common: &mut common,
        };
        let body = B::deserialize(MapAccessDeserializer::new(own))?;
        let missing = |name| M::Error::missing_field(name);
        Ok(Entry {
            entry_id: common.entry_id.ok_or_else(|| missing("entry_id"))?,
            timestamp: common.timestamp.ok_or_else(|| missing("timestamp"))?,
            body: body.into(),
        })
    }
}

/// The members that are the kind's own; the others are put aside.
struct Own<'c, M> {
    map: M,
    common: &'c mut Common,
}

#[derive(Deserialize)]
struct Key<'k>(#[serde(borrow)] Cow<'k, str>);

impl<'de, M: MapAccess<'de>> MapAccess<'de> for Own<'_, M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, M::Error> {
        while let Some(Key(key)) = self.map.next_key()? {
            match key.as_ref() {
                "entry_id" => self.common.entry_id = Some(self.map.next_value()?),
                "timestamp" => self.common.timestamp = Some(self.map.next_value()?),
                // That they are right comes out when the leaf is written back.
                "kind" | "v" => drop(self.map.next_value::<serde::de::IgnoredAny>()?),
                _ => {
                    let key = match key {
                        Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
                        Cow::Owned(key) => seed.deserialize(StrDeserializer::new(&key)),
                    };
                    return key.map(Some);
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        self.map.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AnyEntry, Body};
    use super::kind;

    fn leaves() -> impl Iterator<Item = Vec<u8>> {
        let lines = include_str!("../../vectors/entries.jsonl").lines();
        lines.map(|line| {
            let vector: serde_json::Value = serde_json::from_str(line).unwrap();
            vector["leaf"].as_str().unwrap().as_bytes().to_vec()
        })
    }

    #[test]
    fn every_kind_is_read_in_one_pass() {
        let mut kinds = std::collections::BTreeSet::new();
        for leaf in leaves() {
            let kind = kind(&leaf).unwrap();
            let entry = Body::read_fast(kind, &leaf).unwrap();
            assert_eq!(entry.to_leaf().unwrap().as_bytes(), leaf, "{kind}");
            kinds.insert(entry.body.kind());
        }
        assert_eq!(kinds.len(), Body::KINDS.len());
    }

    #[test]
    fn bytes_mean_the_same_as_to_the_strict_reader() {
        let same = |leaf: &[u8]| {
            assert_eq!(
                AnyEntry::from_leaf(leaf),
                AnyEntry::from_leaf_strictly(leaf),
                "{}",
                String::from_utf8_lossy(leaf)
            );
        };
        for leaf in leaves() {
            same(&leaf);
            for at in 0..leaf.len() {
                for change in [1, 4, 0x20, 0x80] {
                    let mut changed = leaf.clone();
                    changed[at] ^= change;
                    same(&changed);
                }
                let mut without = leaf.clone();
                without.remove(at);
                same(&without);
                let mut twice = leaf.clone();
                twice.insert(at, leaf[at]);
                same(&twice);
            }
            let text = String::from_utf8(leaf).unwrap();
            // A member once more, at the front and with another value.
            for member in [
                "\"v\":1",
                "\"v\":2",
                "\"kind\":\"decision\"",
                "\"x\":{\"kind\":\"flag\"}",
            ] {
                same(text.replacen('{', &format!("{{{member},"), 1).as_bytes());
            }
        }
    }
}
