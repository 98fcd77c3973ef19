//! What one unit of work sees and does within the plan.

use crate::error::{StepError, UnitTooLong};
use crate::limits::{STATE_KEY_BYTES, STATE_VALUE_BYTES, UNIT_BYTES, UNIT_ENTRIES};
use crate::rewrap::{Admit, NotAdmitted};
use crate::state::{ReadSet, StateKey, Versioned, version_of};
use crate::store::{StateReader, StoreReadError};
use countersign_core::document::SealedRecord;
use countersign_core::entry::{AnyEntry, Body, Entry};
use countersign_core::ids::EntryId;
use countersign_core::json::CanonicalJson;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_merkle::LeafIndex;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The plan as one unit of work sees it: the state under the lock with all that the units before it
/// in the batch left, and room for what it does itself.
///
/// Nothing that it does has an effect unless the unit succeeds and the batch is committed.
pub struct Step<'a> {
    base: &'a dyn StateReader,
    before: &'a Effects,
    now: Timestamp,
    first: LeafIndex,
    own: UnitEffects,
    // A read that failed spoils the batch, even if the work goes on as if it had not.
    failed_read: RefCell<Option<StoreReadError>>,
}

/// What the units before have left in the batch.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) entries: Vec<PlannedEntry>,
    pub(crate) ids: HashSet<EntryId>,
    pub(crate) state: BTreeMap<StateKey, Versioned>,
    pub(crate) sealed: Vec<SealedRecord>,
    pub(crate) erased: BTreeSet<Sha256>,
    pub(crate) purged: BTreeSet<StateKey>,
    pub(crate) bytes: usize,
}

/// An entry that has its leaf, but no place in the tree yet.
#[derive(Debug)]
pub(crate) struct PlannedEntry {
    pub(crate) entry: AnyEntry,
    pub(crate) leaf: CanonicalJson,
}

/// What one unit has done so far.
#[derive(Debug, Default)]
pub(crate) struct UnitEffects {
    entries: Vec<PlannedEntry>,
    // Few enough to be looked through.
    ids: Vec<EntryId>,
    state: BTreeMap<StateKey, Option<Vec<u8>>>,
    sealed: Vec<SealedRecord>,
    erased: BTreeSet<Sha256>,
    purged: BTreeSet<StateKey>,
    bytes: usize,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        base: &'a dyn StateReader,
        before: &'a Effects,
        now: Timestamp,
        first: LeafIndex,
    ) -> Self {
        Self {
            base,
            before,
            now,
            first,
            own: UnitEffects::default(),
            failed_read: RefCell::new(None),
        }
    }

    /// The batch's time, which its entries bear: the clock's, or the head's if that is later.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Where the next entry that is pushed will stand.
    pub fn next_index(&self) -> LeafIndex {
        LeafIndex::new(
            self.first
                .get()
                .saturating_add(self.own.entries.len() as u64),
        )
    }

    /// The value of a key, deleted ones included; `None` if it never existed.
    pub fn state(&self, key: &StateKey) -> Result<Option<Versioned>, StepError> {
        if let Some(value) = self.own.state.get(key) {
            let value = value.clone();
            let version = self.first;
            return Ok(Some(Versioned { value, version }));
        }
        if let Some(found) = self.before.state.get(key) {
            return Ok(Some(found.clone()));
        }
        self.kept(self.base.state(key))
    }

    /// Whether the log, or the batch so far, has an entry with this id.
    pub fn has_entry(&self, entry_id: EntryId) -> Result<bool, StepError> {
        if self.own.ids.contains(&entry_id) || self.before.ids.contains(&entry_id) {
            return Ok(true);
        }
        Ok(self.kept(self.base.index_of(entry_id))?.is_some())
    }

    /// Adds an entry, whose id the caller made. Its time is [`Step::now`].
    ///
    /// # Errors
    /// The id is taken, the entry has no leaf, or the unit grows too large: nothing was added then.
    pub fn push(
        &mut self,
        entry_id: EntryId,
        body: impl Into<Body>,
    ) -> Result<LeafIndex, StepError> {
        if self.has_entry(entry_id)? {
            return Err(StepError::Duplicate { entry_id });
        }
        if self.own.entries.len() >= UNIT_ENTRIES {
            return Err(UnitTooLong::Entries.into());
        }
        let entry = Entry {
            entry_id,
            timestamp: self.now,
            body: body.into(),
        };
        let leaf = entry.to_leaf()?;
        self.grow(leaf.as_bytes().len())?;
        let index = self.next_index();
        let entry = AnyEntry::Known(Box::new(entry));
        self.own.entries.push(PlannedEntry { entry, leaf });
        self.own.ids.push(entry_id);
        Ok(index)
    }

    /// Gives a key a value. The unit must push an entry too.
    pub fn put(&mut self, key: StateKey, value: Vec<u8>) -> Result<(), StepError> {
        let found = value.len();
        if found > STATE_VALUE_BYTES {
            return Err(UnitTooLong::Value { key, found }.into());
        }
        self.set(key, Some(value))
    }

    /// Deletes a key. The unit must push an entry too.
    pub fn delete(&mut self, key: StateKey) -> Result<(), StepError> {
        self.set(key, None)
    }

    /// Takes out a key with its version, as if it had never been: for keys that tell by themselves
    /// whom they concern. A unit that has found the key missing before it was made does not notice.
    /// The unit must push an entry too.
    pub fn purge(&mut self, key: StateKey) -> Result<(), StepError> {
        self.set(key.clone(), None)?;
        self.own.purged.insert(key);
        Ok(())
    }

    /// Destroys a sealed record, if it is there. The unit must push an entry too.
    pub fn erase(&mut self, reference: Sha256) -> Result<(), StepError> {
        self.grow(reference.as_bytes().len())?;
        self.own.erased.insert(reference);
        Ok(())
    }

    /// Stores a sealed record. One whose ref is stored already stays as it is. The unit must push
    /// an entry too.
    pub fn seal(&mut self, record: SealedRecord) -> Result<(), StepError> {
        self.grow(
            record
                .ciphertext
                .len()
                .saturating_add(record.wrapped_key.len()),
        )?;
        self.own.sealed.push(record);
        Ok(())
    }

    /// Which of the read set is another now; empty if all is as it was and still in time.
    ///
    /// The plan has done this already with the read set that the unit was submitted with.
    pub fn check(&self, reads: &ReadSet) -> Result<(), StepError> {
        let mut keys = Vec::new();
        for (key, version) in &reads.versions {
            if version_of(self.state(key)?.as_ref()) != *version {
                keys.push(key.clone());
            }
        }
        let in_time = reads.valid_until.is_none_or(|until| self.now <= until);
        if keys.is_empty() && in_time {
            return Ok(());
        }
        Err(StepError::Stale { keys })
    }

    fn set(&mut self, key: StateKey, value: Option<Vec<u8>>) -> Result<(), StepError> {
        let found = key.as_str().len();
        if found > STATE_KEY_BYTES {
            return Err(UnitTooLong::Key { found }.into());
        }
        self.grow(found.saturating_add(value.as_ref().map_or(0, Vec::len)))?;
        self.own.purged.remove(&key);
        self.own.state.insert(key, value);
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> Result<(), UnitTooLong> {
        let grown = self.own.bytes.saturating_add(bytes);
        if grown > UNIT_BYTES {
            return Err(UnitTooLong::Bytes);
        }
        self.own.bytes = grown;
        Ok(())
    }

    fn kept<T>(&self, read: Result<T, StoreReadError>) -> Result<T, StepError> {
        if let Err(error) = &read {
            self.failed_read.replace(Some(error.clone()));
        }
        read.map_err(StepError::Read)
    }

    /// What the unit did, and the read that failed meanwhile.
    pub(crate) fn into_parts(self) -> (UnitEffects, Option<StoreReadError>) {
        (self.own, self.failed_read.into_inner())
    }
}

impl UnitEffects {
    /// Has every record looked at that is to be stored.
    pub(crate) fn admit(&mut self, admit: &Admit) -> Result<(), NotAdmitted> {
        self.sealed.iter_mut().try_for_each(admit)
    }

    pub(crate) fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Whether it changes anything without an entry that says so.
    pub(crate) fn is_unspoken(&self) -> bool {
        let is_still = self.state.is_empty() && self.sealed.is_empty() && self.erased.is_empty();
        self.entries.is_empty() && !is_still
    }
}

impl Effects {
    /// Takes over what a unit did whose first entry is at `first`.
    pub(crate) fn absorb(&mut self, unit: UnitEffects, first: LeafIndex) {
        self.entries.extend(unit.entries);
        self.ids.extend(unit.ids);
        let version = first;
        self.purged.retain(|key| !unit.state.contains_key(key));
        self.purged.extend(unit.purged);
        let changes = unit.state.into_iter();
        self.state
            .extend(changes.map(|(key, value)| (key, Versioned { value, version })));
        self.sealed.extend(unit.sealed);
        self.erased.extend(unit.erased);
        self.bytes = self.bytes.saturating_add(unit.bytes);
    }
}
