//! The queue before the sequencer: two bounded lanes, the urgent one served first.

use crate::error::CommitError;
use crate::limits::{BATCH_ENTRIES, QUEUE_UNITS, URGENT_UNITS};
use crate::unit::Unit;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Units that wait for the sequencer.
#[derive(Default)]
pub(crate) struct Queue {
    lanes: Mutex<Lanes>,
    changed: Condvar,
}

#[derive(Default)]
struct Lanes {
    urgent: VecDeque<Box<dyn Unit>>,
    normal: VecDeque<Box<dyn Unit>>,
    // Why no further unit is taken.
    closed: Option<String>,
    // Whether the sequencer's thread waits to be woken.
    is_asleep: bool,
}

/// By which lane a unit waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Normal,
    Urgent,
}

/// Units that are planned together.
#[derive(Default)]
pub(crate) struct Batch {
    /// In the order in which they are planned.
    pub(crate) units: Vec<Box<dyn Unit>>,
    /// How many of them, from the first, are urgent.
    pub(crate) urgent: usize,
}

impl Queue {
    /// Lets a unit wait, or gives it back with the reason why not. Whoever has pushed sees to it
    /// that it is served: by [`Queue::wake`], or itself.
    pub(crate) fn push(
        &self,
        lane: Lane,
        unit: Box<dyn Unit>,
    ) -> Result<(), (Box<dyn Unit>, CommitError)> {
        let mut lanes = self.lock();
        if let Some(reason) = &lanes.closed {
            let reason = reason.clone();
            return Err((unit, CommitError::Halted { reason }));
        }
        let (waiting, most) = match lane {
            Lane::Normal => (&mut lanes.normal, QUEUE_UNITS),
            Lane::Urgent => (&mut lanes.urgent, URGENT_UNITS),
        };
        if waiting.len() >= most {
            return Err((unit, CommitError::Busy));
        }
        waiting.push_back(unit);
        Ok(())
    }

    /// Wakes the sequencer's thread, if it sleeps.
    pub(crate) fn wake(&self) {
        let is_asleep = std::mem::take(&mut self.lock().is_asleep);
        if is_asleep {
            self.changed.notify_one();
        }
    }

    /// Waits until a unit waits; false once the queue is closed and empty.
    pub(crate) fn wait(&self) -> bool {
        let mut lanes = self.lock();
        while lanes.urgent.is_empty() && lanes.normal.is_empty() {
            if lanes.closed.is_some() {
                return false;
            }
            lanes.is_asleep = true;
            let woken = self.changed.wait(lanes);
            lanes = woken.unwrap_or_else(PoisonError::into_inner);
        }
        lanes.is_asleep = false;
        true
    }

    /// Takes all that waits, up to a batch; `None` if nothing does.
    pub(crate) fn take(&self) -> Option<Batch> {
        let mut lanes = self.lock();
        if lanes.urgent.is_empty() && lanes.normal.is_empty() {
            return None;
        }
        let urgent = lanes.urgent.len().min(BATCH_ENTRIES);
        let mut units: Vec<_> = lanes.urgent.drain(..urgent).collect();
        let normal = lanes.normal.len().min(BATCH_ENTRIES.saturating_sub(urgent));
        units.extend(lanes.normal.drain(..normal));
        Some(Batch { units, urgent })
    }

    /// Puts units that did not fit a batch back to where they came from.
    pub(crate) fn give_back(&self, batch: Batch) {
        let mut lanes = self.lock();
        for (position, unit) in batch.units.into_iter().enumerate().rev() {
            if position < batch.urgent {
                lanes.urgent.push_front(unit);
            } else {
                lanes.normal.push_front(unit);
            }
        }
    }

    /// Takes no further unit, and lets the sequencer finish those that wait.
    pub(crate) fn close(&self, reason: &str) {
        let mut lanes = self.lock();
        lanes.closed.get_or_insert_with(|| reason.to_owned());
        drop(lanes);
        self.changed.notify_all();
    }

    /// Takes no further unit, and returns those that wait.
    pub(crate) fn abandon(&self, reason: &str) -> Vec<Box<dyn Unit>> {
        let mut lanes = self.lock();
        lanes.closed = Some(reason.to_owned());
        let Lanes { urgent, normal, .. } = &mut *lanes;
        let units = urgent.drain(..).chain(normal.drain(..)).collect();
        drop(lanes);
        self.changed.notify_all();
        units
    }

    /// How many units wait.
    pub(crate) fn waiting(&self) -> usize {
        let lanes = self.lock();
        lanes.urgent.len().saturating_add(lanes.normal.len())
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    /// Splits off the units from the `taken`-th on.
    pub(crate) fn split_off(&mut self, taken: usize) -> Self {
        let taken = taken.min(self.units.len());
        let units = self.units.split_off(taken);
        let urgent = self.urgent.saturating_sub(taken);
        self.urgent = self.urgent.min(taken);
        Self { units, urgent }
    }
}
