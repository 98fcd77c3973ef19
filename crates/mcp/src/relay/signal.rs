//! What wakes a call that waits.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// What wakes a call that waits.
#[derive(Clone, Default)]
pub(super) struct Signal(Arc<(Mutex<Events>, Condvar)>);

#[derive(Default)]
struct Events {
    answers: VecDeque<Option<Value>>,
    cancelled: Option<Option<&'static str>>,
}

pub(super) enum Event {
    Answered(Option<Value>),
    /// By the client, or for a reason that it is told.
    Cancelled(Option<&'static str>),
    Nothing,
}

impl Signal {
    pub(super) fn answer(&self, answer: Option<Value>) {
        self.change(|events| events.answers.push_back(answer));
    }

    pub(super) fn cancel(&self) {
        self.change(|events| events.cancelled = Some(None));
    }

    pub(super) fn cancel_with(&self, reason: &'static str) {
        self.change(|events| {
            events.cancelled.get_or_insert(Some(reason));
        });
    }

    fn change(&self, change: impl FnOnce(&mut Events)) {
        let (events, woken) = &*self.0;
        change(&mut events.lock().unwrap_or_else(PoisonError::into_inner));
        woken.notify_all();
    }

    pub(super) fn wait(&self, at_most: Duration) -> Event {
        let (events, woken) = &*self.0;
        let events = events.lock().unwrap_or_else(PoisonError::into_inner);
        let is_quiet =
            |events: &mut Events| events.answers.is_empty() && events.cancelled.is_none();
        let waited = woken.wait_timeout_while(events, at_most, is_quiet);
        let (mut events, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = events.cancelled {
            return Event::Cancelled(why);
        }
        match events.answers.pop_front() {
            Some(answer) => Event::Answered(answer),
            None => Event::Nothing,
        }
    }
}
