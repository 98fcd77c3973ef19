//! A log in memory, a clock that tests turn, and a notifier over both.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign_core::entry::{Detector, Severity};
use countersign_core::ids::EntryId;
use countersign_core::time::{Clock, Timestamp};
use countersign_notify::address::{Lookup, SystemLookup};
use countersign_notify::{
    Change, Message, Notifier, NotifyDir, Opened, OpenedPart, Page, Parts, Place, RawSink,
    SinkState, Source, SourceError, State,
};
use tempfile::TempDir;

/// Nothing that a test waits for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// A secret, as the specification's examples have it.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The token of the log's vault-reader.
pub(crate) const TOKEN: &str = "cs_reader";
/// Noon.
const NOON: i64 = 1_772_366_400_000;

/// A log of messages.
#[derive(Default)]
pub(crate) struct Log {
    messages: Mutex<Vec<Message>>,
    pub(crate) openings: AtomicUsize,
    pub(crate) opened: Mutex<Opened>,
    pub(crate) is_erased: AtomicBool,
}

/// A clock that tests turn.
pub(crate) struct Turned(AtomicI64);

/// Looks up what a test says, each time the next.
pub(crate) struct Told {
    answers: Mutex<BTreeMap<usize, Vec<SocketAddr>>>,
    pub(crate) asked: AtomicUsize,
}

/// A notifier with all that it needs.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) log: Arc<Log>,
    pub(crate) clock: Arc<Turned>,
    pub(crate) lookup: Arc<dyn Lookup>,
    running: Option<Notifier>,
}

impl Log {
    /// Appends a flag.
    pub(crate) fn raise(&self, severity: Severity) -> EntryId {
        self.push(None, Change::Raised, severity)
    }

    /// Forgets all but the first entries.
    pub(crate) fn cut(&self, to: usize) {
        self.messages.lock().unwrap().truncate(to);
    }

    /// Appends news of a flag.
    pub(crate) fn follow(&self, flag: EntryId, change: Change, severity: Severity) -> EntryId {
        self.push(Some(flag), change, severity)
    }

    fn push(&self, flag: Option<EntryId>, change: Change, severity: Severity) -> EntryId {
        let mut messages = self.messages.lock().unwrap();
        // Other entries lie between those about flags.
        let index = messages.last().map_or(3, |last| last.place.index + 7);
        let id = id(u8::try_from(messages.len()).unwrap() + 100);
        messages.push(Message {
            place: Place { index, id },
            at: Timestamp::from_millis(NOON),
            change,
            flag: flag.unwrap_or(id),
            detector: Detector::Burst,
            severity,
            actor: Some("agent:support".parse().unwrap()),
            onset: self::id(1),
            onset_at: Some(Timestamp::from_millis(NOON - 60_000)),
            turn: None,
            after: Some(self::id(2)),
            count: 5,
            stopped: Some(5),
            passed: Some(0),
            entries: vec![self::id(1), self::id(3)],
            origin: "log.example/log/acme/1".to_owned(),
        });
        id
    }
}

/// An entry's id.
pub(crate) fn id(number: u8) -> EntryId {
    EntryId::from_bytes([number; 16].map(|byte| byte & 0x7f))
}

impl Source for Log {
    fn size(&self) -> u64 {
        let messages = self.messages.lock().unwrap();
        messages.last().map_or(2, |last| last.place.index + 2)
    }

    fn from(&self, index: u64, limit: usize) -> Result<Page, SourceError> {
        let until = self.size();
        let messages = self.messages.lock().unwrap();
        let found = messages.iter().filter(|it| it.place.index >= index);
        Ok(Page {
            messages: found.take(limit).cloned().collect(),
            until,
        })
    }

    fn at(&self, id: EntryId) -> Result<Option<Message>, SourceError> {
        let messages = self.messages.lock().unwrap();
        Ok(messages.iter().find(|it| it.place.id == id).cloned())
    }

    fn open(&self, sink: &str, token: &str, _: &Message) -> Opened {
        self.openings.fetch_add(1, Ordering::SeqCst);
        assert!(!sink.is_empty());
        assert_eq!(token, TOKEN);
        self.opened.lock().unwrap().clone()
    }

    fn is_kept(&self, _: &Message) -> bool {
        !self.is_erased.load(Ordering::SeqCst)
    }
}

/// A turn of somebody else's words.
pub(crate) fn words(text: &str) -> Opened {
    Opened {
        turn: vec![OpenedPart {
            by: "correspondent",
            text: text.to_owned(),
        }],
        call: Some(format!("email.send {{\"body\":\"{text}\"}}")),
        note: None,
    }
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Turned {
    pub(crate) fn turn(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    pub(crate) fn back(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.0.fetch_sub(by, Ordering::SeqCst);
    }

    /// To the real time.
    pub(crate) fn to_present(&self) {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let now = i64::try_from(now.as_millis()).unwrap();
        self.0.store(now, Ordering::SeqCst);
    }
}

impl Told {
    /// The answers in turn; the last one stays.
    pub(crate) fn new(answers: &[&[&str]]) -> Self {
        let addresses = |texts: &&[&str]| texts.iter().map(|it| it.parse().unwrap()).collect();
        Self {
            answers: Mutex::new(answers.iter().map(addresses).enumerate().collect()),
            asked: AtomicUsize::new(0),
        }
    }
}

impl Lookup for Told {
    fn lookup(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answers = self.answers.lock().unwrap();
        let (_, answer) = answers.range(..=asked).next_back().unwrap();
        Ok(answer.clone())
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            log: Arc::default(),
            clock: Arc::new(Turned(AtomicI64::new(NOON))),
            lookup: Arc::new(SystemLookup),
            running: None,
        }
    }

    /// With the clock as it is.
    pub(crate) fn at_present() -> Self {
        let world = Self::new();
        world.clock.to_present();
        world
    }

    pub(crate) fn dir(&self) -> NotifyDir {
        NotifyDir::new(self.dir.path())
    }

    pub(crate) fn add(&self, sink: &RawSink) {
        self.dir()
            .config()
            .add(sink)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    pub(crate) fn start(&mut self) {
        let parts = Parts {
            dir: self.dir(),
            source: Arc::clone(&self.log) as Arc<dyn Source>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            lookup: Arc::clone(&self.lookup),
        };
        self.running = Some(Notifier::start(parts).unwrap_or_else(|error| panic!("{error}")));
    }

    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// What is kept of a sink.
    pub(crate) fn state(&self, sink: &str) -> SinkState {
        let state = State::read(&self.dir().state()).unwrap().unwrap();
        state.sinks.get(sink).cloned().unwrap_or_default()
    }

    /// Waits until the sink's state is so.
    pub(crate) fn wait(&self, sink: &str, is_so: impl Fn(&SinkState) -> bool) -> SinkState {
        wait(|| Some(self.state(sink)).filter(|state| is_so(state)))
    }

    /// Turns the clock to the next attempt of a sink once it has failed this often.
    pub(crate) fn again(&self, sink: &str, attempts: u32) {
        let failed = |state: &SinkState| {
            state
                .head
                .as_ref()
                .is_some_and(|head| head.attempts == attempts)
        };
        let state = self.wait(sink, failed);
        let wait = state.head.unwrap().next.millis_since(self.clock.now());
        self.clock
            .turn(Duration::from_millis(u64::try_from(wait).unwrap_or(0)));
    }
}

/// Waits for something.
pub(crate) fn wait<T>(look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it took too long");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A webhook at this address in a private network.
pub(crate) fn webhook(name: &str, url: &str) -> RawSink {
    RawSink {
        name: name.to_owned(),
        kind: "webhook".to_owned(),
        url: Some(url.to_owned()),
        secrets: vec![SECRET.to_owned()],
        allow_private: true,
        ..RawSink::default()
    }
}
