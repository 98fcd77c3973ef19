//! The threads: one looks after all sinks and keeps their state, and each attempt has one of its own,
//! so that a slow sink holds up nobody but itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use countersign_core::time::{Clock, Timestamp};

use crate::address::Lookup;
use crate::board::Board;
use crate::config::{Config, ConfigError, Sink};
use crate::files::NotifyDir;
use crate::job::Job;
use crate::limits::{LINGER, OPENED_KEPT, STEP};
use crate::message::{Opened, Source};
use crate::retry::millis;
use crate::send::Outcome;
use crate::state::{Head, SinkState, State, StateError};

/// What telling people needs.
pub struct Parts {
    /// Where its files are.
    pub dir: NotifyDir,
    /// The log.
    pub source: Arc<dyn Source>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who looks names up.
    pub lookup: Arc<dyn Lookup>,
}

/// Tells people until it is dropped.
pub struct Notifier {
    events: Sender<Event>,
    board: Board,
    thread: Option<JoinHandle<()>>,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// A thread.
    #[error("a thread did not start: {0}")]
    Thread(std::io::Error),
}

/// What the keeper is told.
pub(crate) enum Event {
    /// An attempt ended: whose, of what, and what was opened for it.
    Ended {
        sink: String,
        id: String,
        outcome: Outcome,
        opened: Option<Opened>,
    },
    /// Somebody waits until there is nothing to tell.
    Settle(Sender<()>),
    Stop,
}

struct Keeper {
    parts: Parts,
    config: Config,
    state: State,
    /// Sinks with an attempt in work.
    trying: BTreeSet<String>,
    /// What was opened for the message that a sink is tried with.
    opened: BTreeMap<String, (String, Opened)>,
    events: Sender<Event>,
    /// Whether the state is not written yet.
    is_changed: bool,
    /// What was last said of a trouble that lasts.
    said: String,
    /// Who waits until there is nothing to tell.
    waiting: Vec<Sender<()>>,
    board: Board,
}

impl Notifier {
    /// Reads settings and state, notes where new sinks begin, and starts.
    pub fn start(parts: Parts) -> Result<Self, StartError> {
        let stamp = parts.dir.config().stamp();
        let config = parts.dir.config().read()?;
        let state = State::read(&parts.dir.state())?.unwrap_or_default();
        let (events, inbox) = mpsc::channel();
        let mut keeper = Keeper {
            parts,
            config,
            state,
            trying: BTreeSet::new(),
            opened: BTreeMap::new(),
            events: events.clone(),
            is_changed: false,
            said: String::new(),
            waiting: Vec::new(),
            board: Board::default(),
        };
        let board = keeper.board.clone();
        keeper.follow_config();
        if keeper.is_changed {
            keeper.state.write(&keeper.parts.dir.state())?;
            keeper.is_changed = false;
        }
        keeper.board.show(&keeper.state);
        let thread = thread::Builder::new()
            .name("notify".to_owned())
            .spawn(move || keeper.run(stamp, &inbox))
            .map_err(StartError::Thread)?;
        Ok(Self {
            events,
            board,
            thread: Some(thread),
        })
    }

    /// How the sinks fare, also after this is gone.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Waits until every sink was told all that the log holds by now; false if that took longer. What
    /// waits for the end of quiet hours, and sinks that are given up, do not count.
    pub fn settle(&self, within: Duration) -> bool {
        let (settled, answer) = mpsc::channel();
        let asked = self.events.send(Event::Settle(settled));
        asked.is_ok() && answer.recv_timeout(within).is_ok()
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        // Nobody is there to be told if it ended by itself.
        let _ = self.events.send(Event::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Keeper {
    fn run(mut self, mut stamp: Option<crate::config::Stamp>, inbox: &Receiver<Event>) {
        loop {
            let found = self.parts.dir.config().stamp();
            if found != stamp {
                stamp = found;
                self.read_config();
            }
            self.take_requests();
            for sink in self.config.sinks.clone() {
                self.step(&sink);
            }
            self.save();
            if self.is_settled() {
                // Whoever waited may be gone.
                self.waiting.drain(..).for_each(|waiting| {
                    let _ = waiting.send(());
                });
            }
            match inbox.recv_timeout(STEP) {
                Ok(Event::Ended {
                    sink,
                    id,
                    outcome,
                    opened,
                }) => self.ended(&sink, &id, outcome, opened),
                Ok(Event::Settle(waiting)) => self.waiting.push(waiting),
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.linger(inbox);
    }

    /// What is in work may end; what does not is tried again after the next start.
    fn linger(&mut self, inbox: &Receiver<Event>) {
        let end = Instant::now() + LINGER;
        while !self.trying.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            match inbox.recv_timeout(left) {
                Ok(Event::Ended {
                    sink,
                    id,
                    outcome,
                    opened,
                }) => self.ended(&sink, &id, outcome, opened),
                Ok(Event::Settle(_) | Event::Stop) => {}
                Err(_) => break,
            }
        }
        self.save();
    }

    fn is_settled(&self) -> bool {
        let size = self.parts.source.size();
        let is_idle = |state: &SinkState| state.head.is_none() && state.cursor >= size;
        let mut sinks = self.state.sinks.values();
        sinks.all(|state| state.disabled.is_some() || is_idle(state))
    }

    fn read_config(&mut self) {
        match self.parts.dir.config().read() {
            Ok(config) => {
                self.config = config;
                self.follow_config();
                tracing::info!(
                    sinks = self.config.sinks.len(),
                    "the settings of sinks were read again"
                );
            }
            Err(error) => {
                tracing::error!(%error, "the settings of sinks cannot be used; the ones before stay in force");
            }
        }
    }

    /// New sinks begin, those that are gone end, and one that has another address is tried again.
    fn follow_config(&mut self) {
        let size = self.parts.source.size();
        let now = self.parts.clock.now();
        let names: BTreeSet<&str> = self
            .config
            .sinks
            .iter()
            .map(|sink| sink.name.as_str())
            .collect();
        let before = self.state.sinks.len();
        self.state
            .sinks
            .retain(|name, _| names.contains(name.as_str()));
        self.is_changed |= self.state.sinks.len() != before;
        for sink in &self.config.sinks {
            let fingerprint = sink.fingerprint();
            match self.state.sinks.get_mut(sink.name.as_str()) {
                None => {
                    let state = SinkState::begin(sink, size);
                    self.state.sinks.insert(sink.name.to_string(), state);
                    self.is_changed = true;
                }
                Some(state) => {
                    self.is_changed |= state.mend(sink, size, now);
                    if state.fingerprint != fingerprint {
                        state.fingerprint = fingerprint;
                        state.disabled = None;
                        self.is_changed = true;
                    }
                }
            }
        }
    }

    fn take_requests(&mut self) {
        let asked = self.parts.dir.asked();
        if asked.is_empty() {
            return;
        }
        for asked in &asked {
            if let Some(state) = self.state.sinks.get_mut(asked.sink.as_str()) {
                state.retry(asked.id.as_deref());
                self.is_changed = true;
            }
        }
        // A request is gone only once what it asked for is durable.
        if self.save() {
            asked.iter().for_each(|asked| self.parts.dir.done(asked));
        }
    }

    fn step(&mut self, sink: &Arc<Sink>) {
        let name = sink.name.as_str();
        if self.trying.contains(name) {
            return;
        }
        let now = self.parts.clock.now();
        let Some(state) = self.state.sinks.get_mut(name) else {
            return;
        };
        if state.mend(sink, self.parts.source.size(), now) {
            tracing::warn!(sink = name, "the clock or the log went back");
            self.is_changed = true;
        }
        match state.advance(sink, &*self.parts.source, now) {
            Ok(changed) => self.is_changed |= changed,
            Err(error) => {
                let said = format!("the log cannot be read for sinks: {error}");
                self.say(said);
                return;
            }
        }
        let due = state.head.as_ref().filter(|head| head.next <= now).cloned();
        if let Some(head) = due {
            self.attempt(sink, head, now);
        }
    }

    fn attempt(&mut self, sink: &Arc<Sink>, head: Head, now: Timestamp) {
        let name = sink.name.to_string();
        // What was sent must be known to be in work: a place is never skipped over a kill.
        if !self.save() {
            return;
        }
        let id = head.item.id();
        let kept = self.opened.remove(&name).filter(|(of, _)| *of == id);
        let is_early = now.millis_since(head.first) <= millis(OPENED_KEPT);
        let job = Job {
            sink: Arc::clone(sink),
            item: head.item,
            link: self.config.link.clone(),
            opened: kept.map(|(_, opened)| opened).filter(|_| is_early),
            may_open: is_early,
            now,
            source: Arc::clone(&self.parts.source),
            lookup: Arc::clone(&self.parts.lookup),
        };
        match job.start(self.events.clone()) {
            Ok(()) => {
                self.trying.insert(name);
            }
            Err(error) => self.say(format!("a thread for a sink did not start: {error}")),
        }
    }

    fn ended(&mut self, name: &str, id: &str, outcome: Outcome, opened: Option<Opened>) {
        self.trying.remove(name);
        let Ok(sink) = self.config.sink(name).map(Arc::clone) else {
            return;
        };
        let Some(state) = self.state.sinks.get_mut(name) else {
            return;
        };
        // A sink that was removed and made again meanwhile has another head.
        if state.head.as_ref().is_none_or(|head| head.item.id() != id) {
            return;
        }
        log(name, id, &outcome);
        state.settle(&sink, outcome, self.parts.clock.now());
        if let (Some(_), Some(opened)) = (&state.head, opened) {
            self.opened.insert(name.to_owned(), (id.to_owned(), opened));
        }
        self.is_changed = true;
        self.save();
    }

    /// Writes the state if it changed; whether it is written.
    fn save(&mut self) -> bool {
        if !self.is_changed {
            return true;
        }
        self.board.show(&self.state);
        match self.state.write(&self.parts.dir.state()) {
            Ok(()) => {
                self.is_changed = false;
                self.said.clear();
                true
            }
            Err(error) => {
                let said =
                    format!("the state of sinks cannot be written, so nothing is sent: {error}");
                self.say(said);
                false
            }
        }
    }

    /// Logs a trouble that lasts once.
    fn say(&mut self, what: String) {
        if self.said != what {
            tracing::error!("{what}");
            self.said = what;
        }
    }
}

fn log(sink: &str, id: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Delivered => tracing::info!(sink, id, "told"),
        Outcome::Failed { why, .. } => tracing::warn!(sink, id, why, "not told; it is tried again"),
        Outcome::Refused(why) => tracing::error!(sink, id, why, "not told, and given up"),
        Outcome::Gone(why) => tracing::error!(sink, id, why, "not told, and the sink is given up"),
    }
}
