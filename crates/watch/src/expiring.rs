//! A map whose entries end at a time of their own.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::time::Timestamp;

use crate::subject::Subject;

/// Values by subject, each until its deadline. The order in which values leave depends on nothing
/// but deadlines and subjects, so a replay gives the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expiring<T> {
    values: BTreeMap<Subject, (Timestamp, T)>,
    order: BTreeSet<(Timestamp, Subject)>,
}

impl<T> Expiring<T> {
    pub(crate) fn new() -> Self {
        Self {
            values: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn contains(&self, subject: &Subject) -> bool {
        self.values.contains_key(subject)
    }

    pub(crate) fn get(&self, subject: &Subject) -> Option<&T> {
        self.values.get(subject).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, subject: &Subject) -> Option<&mut T> {
        self.values.get_mut(subject).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Subject, &T)> {
        self.values
            .iter()
            .map(|(subject, (_, value))| (subject, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Subject, &mut T)> {
        self.values
            .iter_mut()
            .map(|(subject, (_, value))| (subject, value))
    }

    /// Puts a value, or puts it back, until `deadline`.
    pub(crate) fn insert(&mut self, subject: Subject, deadline: Timestamp, value: T) {
        self.remove(&subject);
        self.order.insert((deadline, subject.clone()));
        self.values.insert(subject, (deadline, value));
    }

    pub(crate) fn remove(&mut self, subject: &Subject) -> Option<T> {
        let (deadline, value) = self.values.remove(subject)?;
        self.order.remove(&(deadline, subject.clone()));
        Some(value)
    }

    /// Takes out the value with the earliest deadline, if that lies before `now`.
    pub(crate) fn pop_expired(&mut self, now: Timestamp) -> Option<(Subject, T)> {
        let (deadline, _) = self.order.first()?;
        if *deadline >= now {
            return None;
        }
        self.pop_first()
    }

    /// Takes out the value with the earliest deadline.
    pub(crate) fn pop_first(&mut self) -> Option<(Subject, T)> {
        let (_, subject) = self.order.pop_first()?;
        let (_, value) = self.values.remove(&subject)?;
        Some((subject, value))
    }
}
