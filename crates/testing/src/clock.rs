//! A clock that tests turn and stop.

use std::sync::{Condvar, Mutex};

use countersign_core::time::{Clock, Timestamp};
use countersign_service::SystemClock;

use crate::PATIENCE;

/// The machine's clock, which tests turn and stop.
#[derive(Default)]
pub struct TestClock {
    gate: Mutex<Gate>,
    changed: Condvar,
}

#[derive(Default)]
struct Gate {
    turned_ms: i64,
    closed: bool,
    waiting: usize,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let mut gate = self.gate.lock().unwrap();
        if gate.closed {
            gate.waiting += 1;
            self.changed.notify_all();
            gate = self.changed.wait_while(gate, |gate| gate.closed).unwrap();
            gate.waiting -= 1;
        }
        SystemClock.now().plus_millis(gate.turned_ms)
    }
}

impl TestClock {
    /// Turns it on by so much, or back if that is negative.
    pub fn turn(&self, millis: i64) {
        self.gate.lock().unwrap().turned_ms += millis;
    }

    /// From now on whoever asks for the time waits.
    pub fn close(&self) {
        self.gate.lock().unwrap().closed = true;
    }

    /// Whoever waits for the time is told it.
    pub fn open(&self) {
        self.gate.lock().unwrap().closed = false;
        self.changed.notify_all();
    }

    /// Waits until so many wait for the time.
    pub fn await_waiting(&self, count: usize) {
        let gate = self.gate.lock().unwrap();
        let (gate, _) = self
            .changed
            .wait_timeout_while(gate, PATIENCE, |gate| gate.waiting < count)
            .unwrap();
        assert!(gate.waiting >= count, "nobody asked for the time");
    }
}
