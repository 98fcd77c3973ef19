//! One attempt, on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;

use countersign_core::time::Timestamp;

use crate::address::Lookup;
use crate::config::Sink;
use crate::limits::{ATTEMPT, DIGEST_SHOWN};
use crate::message::{Change, Message, Opened, Source};
use crate::run::Event;
use crate::send::{Attempt, Outcome, send};
use crate::state::Item;
use crate::text::Told;

/// What is to be done.
pub(crate) struct Job {
    pub(crate) sink: Arc<Sink>,
    pub(crate) item: Item,
    pub(crate) link: Option<String>,
    pub(crate) opened: Option<Opened>,
    pub(crate) may_open: bool,
    pub(crate) now: Timestamp,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) lookup: Arc<dyn Lookup>,
}

impl Job {
    /// Does it; what came of it is reported by its end, whatever happens.
    pub(crate) fn start(self, events: Sender<Event>) -> std::io::Result<()> {
        let name = self.sink.name.to_string();
        let mut report = Report {
            event: Some((name.clone(), self.item.id())),
            events,
        };
        let thread = thread::Builder::new().name(format!("notify-{name}"));
        let started = thread.spawn(move || {
            let (outcome, opened) = self.run();
            report.send(outcome, opened);
        });
        started.map(drop)
    }

    fn run(self) -> (Outcome, Option<Opened>) {
        let id = self.item.id();
        let mut messages = Vec::new();
        for place in self.item.places().iter().take(DIGEST_SHOWN) {
            match self.source.at(place.id) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => {
                    return (
                        Outcome::Refused("the log holds no such entry".to_owned()),
                        None,
                    );
                }
                Err(error) => {
                    return (
                        Outcome::failed(format!("the log could not be read: {error}")),
                        None,
                    );
                }
            }
        }
        let opened = match (&self.item, messages.as_slice()) {
            (Item::One(_), [message]) => self.opened(message),
            _ => None,
        };
        let told = match (&self.item, messages.as_slice()) {
            (Item::One(_), [message]) => Told::One {
                message,
                opened: opened.as_ref(),
            },
            (Item::Digest(places, more), messages) => {
                let rest = places.len().saturating_sub(messages.len());
                let rest = u64::try_from(rest).unwrap_or(u64::MAX);
                Told::Digest {
                    messages,
                    more: more.saturating_add(rest),
                }
            }
            _ => {
                return (
                    Outcome::Refused("there is nothing to tell".to_owned()),
                    None,
                );
            }
        };
        let thread = match &told {
            Told::One { message, .. } => Some(message.flag.to_string()),
            _ => None,
        };
        let attempt = Attempt {
            id: &id,
            told,
            thread,
            link: self.link.as_deref(),
            now: self.now,
            within: ATTEMPT,
        };
        (send(&self.sink, &attempt, &*self.lookup), opened)
    }

    /// What is sealed of the onset, for a flag that is raised: opened once, and told for a while.
    fn opened(&self, message: &Message) -> Option<Opened> {
        let token = self.sink.opens.as_ref()?;
        if message.change != Change::Raised || !self.may_open {
            return None;
        }
        match &self.opened {
            Some(opened) if self.source.is_kept(message) => Some(opened.clone()),
            Some(_) => Some(Opened {
                note: Some("what was opened was erased since".to_owned()),
                ..Opened::default()
            }),
            None => Some(self.source.open(self.sink.name.as_str(), token, message)),
        }
    }
}

/// Reports an attempt's end, also if its thread did not come to it.
struct Report {
    event: Option<(String, String)>,
    events: Sender<Event>,
}

impl Report {
    fn send(&mut self, outcome: Outcome, opened: Option<Opened>) {
        if let Some((sink, id)) = self.event.take() {
            // The server is stopping.
            let _ = self.events.send(Event::Ended {
                sink,
                id,
                outcome,
                opened,
            });
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.send(Outcome::failed("the attempt broke off"), None);
    }
}
