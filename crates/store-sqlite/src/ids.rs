//! The newest entry ids, so that a fresh one is known to be free without asking the database.

use countersign_core::ids::EntryId;
use std::collections::BTreeSet;

/// Most ids that are kept.
const IDS: usize = 32_768;

/// All ids of the log from some id on. Ids begin with a time, so that fresh ones are mostly among them.
#[derive(Debug, Default)]
pub(crate) struct RecentIds {
    // The ids that are smaller are not known.
    from: u128,
    ids: BTreeSet<u128>,
}

impl RecentIds {
    /// Knows of no id after the largest in the log.
    pub(crate) fn after(last: Option<EntryId>) -> Self {
        Self {
            from: last.map_or(0, |last| bits(last).saturating_add(1)),
            ids: BTreeSet::new(),
        }
    }

    /// Whether the log has the id; `None` if that must be asked.
    pub(crate) fn contains(&self, id: EntryId) -> Option<bool> {
        let id = bits(id);
        (id >= self.from).then(|| self.ids.contains(&id))
    }

    /// The log has these ids now.
    pub(crate) fn add(&mut self, ids: impl IntoIterator<Item = EntryId>) {
        let ids = ids.into_iter().map(bits);
        self.ids.extend(ids.filter(|id| *id >= self.from));
        while self.ids.len() > IDS {
            // Half at a time, so that it is done rarely.
            self.from = self.ids.iter().nth(IDS / 2).copied().unwrap_or(u128::MAX);
            self.ids = self.ids.split_off(&self.from);
        }
    }
}

fn bits(id: EntryId) -> u128 {
    u128::from_be_bytes(id.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bits: u128) -> EntryId {
        EntryId::from_bytes(bits.to_be_bytes())
    }

    #[test]
    fn it_never_says_what_is_not_so() {
        let mut recent = RecentIds::after(None);
        let mut log = BTreeSet::new();
        let mut random = 1_u128;
        for n in 0..100_000_u128 {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(n);
            let time = if n % 1000 == 0 { n / 2 } else { n / 3 };
            let bits = (time << 80) | (random & 0xffff_ffff);
            assert!(
                recent
                    .contains(id(bits))
                    .is_none_or(|has| has == log.contains(&bits))
            );
            log.insert(bits);
            recent.add([id(bits)]);
            assert!(recent.contains(id(bits)).is_none_or(|has| has));
            assert!(recent.ids.len() <= IDS);
        }
        assert!(recent.contains(id(u128::MAX)) == Some(false));
        let mut same_time = RecentIds::after(Some(id(7)));
        assert_eq!(same_time.contains(id(7)), None);
        same_time.add((8..100_000).map(id));
        assert!(same_time.ids.len() <= IDS);
        assert_eq!(same_time.contains(id(8)), None);
        assert_eq!(same_time.contains(id(99_999)), Some(true));
    }
}
