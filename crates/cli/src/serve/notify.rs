//! Telling people beside serving: what the log says of flags, as messages.

use std::sync::Arc;
use std::time::Duration;

use countersign_api::{SinkHealth, Telling};
use countersign_core::entry::{
    AnyEntry, Body, Flag, FlagChange, FlagClose, FlagUpdate, Kind as _, Severity,
};
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_core::time::{Clock as _, Timestamp};
use countersign_host::{DataDir, Host};
use countersign_ledger::store::StoredEntry;
use countersign_ledger::{Filter, Order, Page as LogPage, ReadError};
use countersign_merkle::LeafIndex;
use countersign_notify::address::SystemLookup;
use countersign_notify::limits::OPENED_CHARS;
use countersign_notify::{
    Board, Change, Message, Notifier, NotifyDir, Opened, OpenedPart, Page, Parts, Place,
    SinkStatus, Source, SourceError, StartError,
};
use countersign_service::{OpenAnswer, Service, SystemClock};
use countersign_wire::OpenRequest;
use serde_json::Value;

use crate::error::CliError;

/// Starts telling the sinks of the data directory. A new sink begins here, before anything is served.
pub(crate) fn start(host: &Host, data: &DataDir) -> Result<Notifier, CliError> {
    let source = LogSource {
        service: Arc::clone(host.service()),
    };
    Ok(Notifier::start(Parts {
        dir: NotifyDir::new(data.path()),
        source: Arc::new(source),
        clock: Arc::new(SystemClock),
        lookup: Arc::new(SystemLookup),
    })?)
}

/// How the sinks fare, as the server's `/healthz` and `/metrics` have it.
pub(super) fn telling(notifier: &Notifier) -> Arc<dyn Telling> {
    Arc::new(Shown(notifier.board()))
}

struct Shown(Board);

impl Telling for Shown {
    fn sinks(&self) -> Vec<SinkHealth> {
        let now = SystemClock.now();
        let ago = |at: Timestamp| {
            let millis = u64::try_from(now.millis_since(at)).unwrap_or_default();
            Duration::from_millis(millis)
        };
        let health = |sink: SinkStatus| SinkHealth {
            name: sink.name,
            told: sink.told,
            dead: sink.dead,
            given_up: sink.given_up.map(ago),
            failing: sink.failing.map(ago),
            is_off: sink.is_off,
        };
        self.0.sinks().into_iter().map(health).collect()
    }
}

/// The log of a service.
struct LogSource {
    service: Arc<Service>,
}

/// A flag, and what an entry about it says.
struct About {
    change: Change,
    flag: EntryId,
    entries: Vec<EntryId>,
    count: u32,
    severity: Option<Severity>,
    stopped: Option<u32>,
    passed: Option<u32>,
}

impl Source for LogSource {
    fn size(&self) -> u64 {
        self.service.ledger().size().get()
    }

    fn from(&self, index: u64, limit: usize) -> Result<Page, SourceError> {
        // What comes while the kinds are asked for one after the other is left for the next time.
        let mut until = self.size();
        let mut found = Vec::new();
        for kind in [Flag::KIND, FlagUpdate::KIND, FlagClose::KIND] {
            let filter = Filter {
                kind: Some(kind.to_owned()),
                ..Filter::default()
            };
            let page = LogPage {
                order: Order::OldestFirst,
                after: index.checked_sub(1).map(LeafIndex::new),
                limit,
            };
            let page = self
                .service
                .ledger()
                .query(&filter, &page)
                .map_err(unread)?;
            if let Some(last) = page.next {
                until = until.min(last.get().saturating_add(1));
            }
            found.extend(page.entries);
        }
        found.retain(|entry| entry.index.get() < until);
        found.sort_by_key(|entry| entry.index);
        if found.len() > limit {
            found.truncate(limit);
            let last = found.last().map(|entry| entry.index.get());
            until = last.map_or(until, |last| last.saturating_add(1));
        }
        let messages = found
            .iter()
            .filter_map(|entry| self.message(entry).transpose());
        Ok(Page {
            messages: messages.collect::<Result<_, _>>()?,
            until,
        })
    }

    fn at(&self, id: EntryId) -> Result<Option<Message>, SourceError> {
        match self.service.ledger().entry(id).map_err(unread)? {
            Some(stored) => self.message(&stored),
            None => Ok(None),
        }
    }

    fn open(&self, sink: &str, token: &str, message: &Message) -> Opened {
        match self.try_open(sink, token, message) {
            Ok(opened) => opened,
            Err(why) => Opened {
                note: Some(format!("what is sealed was not opened: {why}")),
                ..Opened::default()
            },
        }
    }

    fn is_kept(&self, message: &Message) -> bool {
        let Ok((turn, call)) = self.sealed(message) else {
            return false;
        };
        let is_there = |reference: &Sha256| {
            let found = self.service.ledger().sealed(reference);
            found.is_ok_and(|found| found.is_some())
        };
        turn.iter().chain(&call).all(is_there)
    }
}

impl LogSource {
    fn message(&self, stored: &StoredEntry) -> Result<Option<Message>, SourceError> {
        let AnyEntry::Known(entry) = read(stored)? else {
            return Ok(None);
        };
        let Some(about) = About::of(entry.entry_id, &entry.body) else {
            return Ok(None);
        };
        let flag = self.service.ledger().entry(about.flag).map_err(unread)?;
        let Some(flag_entry) = flag else {
            return Ok(None);
        };
        let AnyEntry::Known(raised) = read(&flag_entry)? else {
            return Ok(None);
        };
        let Body::Flag(flag) = &raised.body else {
            return Ok(None);
        };
        let severity = match about.severity {
            Some(severity) => severity,
            None => self.severity(about.flag, flag.severity, &flag_entry, stored.index)?,
        };
        let onset = self.service.ledger().entry(flag.onset).map_err(unread)?;
        let onset = onset.as_ref().map(read).transpose()?;
        Ok(Some(Message {
            place: Place {
                index: stored.index.get(),
                id: entry.entry_id,
            },
            at: entry.timestamp,
            change: about.change,
            flag: about.flag,
            detector: flag.detector,
            severity,
            actor: flag.actor.clone(),
            onset: flag.onset,
            onset_at: onset.map(|onset| onset.timestamp()),
            turn: flag.turn,
            after: flag.after,
            count: about.count,
            stopped: about.stopped.or(flag.stopped),
            passed: about.passed.or(flag.passed),
            entries: about.entries,
            origin: self.service.origin().to_string(),
        }))
    }

    /// How grave a flag was by the entry at `until`: updates say so only when it changed.
    fn severity(
        &self,
        flag: EntryId,
        raised: Severity,
        from: &StoredEntry,
        until: LeafIndex,
    ) -> Result<Severity, SourceError> {
        let filter = Filter {
            kind: Some(FlagUpdate::KIND.to_owned()),
            ..Filter::default()
        };
        let mut severity = raised;
        let mut after = Some(from.index);
        loop {
            let page = LogPage {
                order: Order::OldestFirst,
                after,
                limit: countersign_ledger::limits::PAGE,
            };
            let page = self
                .service
                .ledger()
                .query(&filter, &page)
                .map_err(unread)?;
            for stored in page.entries.iter().filter(|stored| stored.index <= until) {
                if let AnyEntry::Known(entry) = read(stored)?
                    && let Body::FlagUpdate(update) = &entry.body
                    && update.links.flag == Some(flag)
                {
                    severity = update.severity.unwrap_or(severity);
                }
            }
            match page.next.filter(|next| *next < until) {
                Some(next) => after = Some(next),
                None => return Ok(severity),
            }
        }
    }

    /// What a message's onset rests on: the turn and the call. An onset that is no decision has
    /// neither: a flag about openings must not lead to more of them.
    fn sealed(&self, message: &Message) -> Result<(Option<Sha256>, Option<Sha256>), SourceError> {
        let onset = self.service.ledger().entry(message.onset).map_err(unread)?;
        let onset = onset.as_ref().map(read).transpose()?;
        let Some(Body::Decision(decision)) = onset.as_ref().and_then(AnyEntry::body) else {
            return Ok((None, None));
        };
        let turn = message.turn.or(decision.intent_ref);
        let call = decision.call_ref.map(|call| *call.digest());
        Ok((turn.map(|turn| *turn.digest()), call))
    }

    fn try_open(&self, sink: &str, token: &str, message: &Message) -> Result<Opened, String> {
        let caller = self.service.authenticate(token);
        let caller = caller.map_err(|error| error.to_string())?;
        let (turn, call) = self.sealed(message).map_err(|error| error.to_string())?;
        let mut opened = Opened::default();
        let mut notes = Vec::new();
        let mut open = |what: &str, reference: Sha256| {
            let request = OpenRequest {
                purpose: Some(format!("told to sink {sink}")),
                // Nobody sits here who could come back with the second person's yes.
                alone: true,
                ..OpenRequest::default()
            };
            let answer = self.service.open_record(&caller, reference, &request);
            match answer {
                Ok(OpenAnswer::Opened(answer)) => Some(answer.document),
                Ok(OpenAnswer::Requested(_)) => {
                    notes.push(format!("the {what} is opened by two people, and was not"));
                    None
                }
                Err(error) => {
                    notes.push(format!("the {what} was not opened: {error}"));
                    None
                }
            }
        };
        if let Some(turn) = turn {
            opened.turn = open("turn", turn).map_or_else(Vec::new, |it| parts(&it));
        }
        if let Some(call) = call {
            opened.call = open("call", call).map(|document| said(&document));
        }
        opened.note = (!notes.is_empty()).then(|| notes.join("; "));
        Ok(opened)
    }
}

impl About {
    fn of(id: EntryId, body: &Body) -> Option<Self> {
        Some(match body {
            Body::Flag(flag) => Self {
                change: Change::Raised,
                flag: id,
                entries: flag.entries.clone(),
                count: flag.count,
                severity: Some(flag.severity),
                stopped: flag.stopped,
                passed: flag.passed,
            },
            Body::FlagUpdate(update) => Self {
                change: match update.change {
                    FlagChange::Grown => Change::Grown,
                    FlagChange::Acknowledged => Change::Acknowledged,
                },
                flag: update.links.flag?,
                entries: update.entries.clone(),
                count: update.count,
                severity: update.severity,
                stopped: update.stopped,
                passed: update.passed,
            },
            Body::FlagClose(FlagClose {
                links,
                count,
                stopped,
                passed,
                ..
            }) => Self {
                change: Change::Closed,
                flag: links.flag?,
                entries: Vec::new(),
                count: *count,
                severity: None,
                stopped: *stopped,
                passed: *passed,
            },
            _ => return None,
        })
    }
}

/// The parts of a turn's document.
fn parts(document: &Value) -> Vec<OpenedPart> {
    let parts = document.get("parts").and_then(Value::as_array);
    let text = |part: &Value, name| {
        let text = part.get(name).and_then(Value::as_str).unwrap_or_default();
        text.to_owned()
    };
    parts
        .into_iter()
        .flatten()
        .map(|part| OpenedPart {
            by: match text(part, "by").as_str() {
                "principal" => "principal",
                "correspondent" => "correspondent",
                "agent" => "agent",
                _ => "system",
            },
            text: shortened(&text(part, "text")),
        })
        .collect()
}

/// The tool and the arguments of a call's document.
fn said(document: &Value) -> String {
    let tool = document.get("tool").and_then(Value::as_str);
    let args = document.get("args").map(Value::to_string);
    shortened(&format!(
        "{} {}",
        tool.unwrap_or_default(),
        args.unwrap_or_default()
    ))
}

fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let mut out: String = chars.by_ref().take(OPENED_CHARS).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

fn read(stored: &StoredEntry) -> Result<AnyEntry, SourceError> {
    AnyEntry::from_leaf(&stored.bytes).map_err(|error| SourceError(error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn unread(error: ReadError) -> SourceError {
    SourceError(error.to_string())
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => error.into(),
            StartError::State(error) => error.into(),
            other => Self::usage(other.to_string()),
        }
    }
}
