//! How the sinks fare, for those who watch over the server.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::time::Timestamp;

use crate::state::State;

/// How the sinks fare, for whoever watches over the server.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<Vec<SinkStatus>>>);

/// How one sink fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// How many messages arrived.
    pub told: u64,
    /// How many dead letters there are.
    pub dead: u64,
    /// When the last one was given up.
    pub given_up: Option<Timestamp>,
    /// Since when the present message has failed.
    pub failing: Option<Timestamp>,
    /// Whether nothing is sent any more.
    pub is_off: bool,
}

impl Board {
    /// How each sink fares.
    pub fn sinks(&self) -> Vec<SinkStatus> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn show(&self, state: &State) {
        let sinks = state.sinks.iter().map(|(name, sink)| SinkStatus {
            name: name.clone(),
            told: sink.delivered,
            dead: u64::try_from(sink.dead.len()).unwrap_or(u64::MAX),
            given_up: sink.dead.last().map(|dead| dead.given_up),
            failing: sink
                .head
                .as_ref()
                .filter(|head| head.attempts > 0)
                .map(|head| head.first),
            is_off: sink.disabled.is_some(),
        });
        let sinks = sinks.collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sinks;
    }
}
