//! Sessions of clients that speak a revision with sessions: ours towards the client, each bound to
//! whom it was opened by and to one session of the upstream.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::HeaderValue;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::guard::Owner;
use super::limits::{SESSION_IDLE, SESSIONS, STREAMS_PER_SESSION};
use super::side::Side;
use crate::jsonrpc::Id;
use crate::relay::Conversation;

/// After which time of nothing a session may end for another one's sake.
const YIELDS_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

/// One session.
pub(crate) struct Session {
    /// Its id, which only its client knows.
    pub(crate) id: String,
    owner: Owner,
    /// What the relay follows.
    pub(crate) conversation: Conversation,
    /// The other end.
    pub(crate) side: Arc<Side>,
    /// Places for streams that the client opens.
    pub(crate) streams: Arc<Semaphore>,
    used: Mutex<Instant>,
    running: AtomicUsize,
    cancels: Mutex<HashMap<Id, Arc<Notify>>>,
}

/// A request of a session that is worked on.
pub(crate) struct Running(Arc<Session>);

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, Arc<Session>>>,
}

impl Session {
    /// A new session. Its id is 256 random bits; `None` if the system has no randomness.
    pub(crate) fn new(owner: Owner, conversation: Conversation, side: Arc<Side>) -> Option<Self> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        Some(Self {
            id: URL_SAFE_NO_PAD.encode(bytes),
            owner,
            conversation,
            side,
            streams: Arc::new(Semaphore::new(STREAMS_PER_SESSION)),
            used: Mutex::new(Instant::now()),
            running: AtomicUsize::new(0),
            cancels: Mutex::default(),
        })
    }

    /// The id as a header.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.id).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Notes that a request is worked on.
    pub(crate) fn run(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    /// How a request of the client is told that it is cancelled.
    pub(crate) fn cancelling(&self, id: &Id) -> Arc<Notify> {
        let mut cancels = held(&self.cancels);
        Arc::clone(cancels.entry(id.clone()).or_default())
    }

    /// Tells a request that it is cancelled.
    pub(crate) fn cancel(&self, id: &Id) {
        if let Some(cancel) = held(&self.cancels).remove(id) {
            cancel.notify_one();
        }
    }

    /// Forgets how a request is told.
    pub(crate) fn settled(&self, id: &Id) {
        held(&self.cancels).remove(id);
    }

    fn touch(&self) {
        *held(&self.used) = Instant::now();
    }

    fn idle(&self) -> Option<std::time::Duration> {
        let rests = self.running.load(Ordering::Relaxed) == 0;
        rests.then(|| held(&self.used).elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.touch();
    }
}

impl Sessions {
    /// Adds a session, and gives those that ended to make room; `Err` if none may end.
    pub(crate) fn open(&self, session: Arc<Session>) -> Result<Vec<Arc<Session>>, Arc<Session>> {
        let mut open = held(&self.open);
        let mut ended = Vec::new();
        open.retain(|_, session| {
            let expired = session.idle().is_some_and(|idle| idle > SESSION_IDLE);
            if expired {
                ended.push(Arc::clone(session));
            }
            !expired
        });
        if open.len() >= SESSIONS {
            let idle = open.values().filter_map(|it| Some((it.idle()?, it)));
            let longest = idle.max_by_key(|(idle, _)| *idle);
            let yields = longest.filter(|(idle, _)| *idle > YIELDS_AFTER);
            let Some(id) = yields.map(|(_, session)| session.id.clone()) else {
                return Err(session);
            };
            ended.extend(open.remove(&id));
        }
        open.insert(session.id.clone(), session);
        Ok(ended)
    }

    /// The session of this id, if it is this client's. Another client's is as unknown as none.
    pub(crate) fn find(&self, id: &str, owner: Owner) -> Option<Arc<Session>> {
        let open = held(&self.open);
        let session = open.get(id).filter(|session| session.owner == owner)?;
        session.touch();
        Some(Arc::clone(session))
    }

    /// Ends a session.
    pub(crate) fn close(&self, id: &str) {
        held(&self.open).remove(id);
    }

    /// Ends all.
    pub(crate) fn drain(&self) -> Vec<Arc<Session>> {
        held(&self.open)
            .drain()
            .map(|(_, session)| session)
            .collect()
    }
}

/// What a lock holds; a thread that panicked with it left nothing half done.
fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|held| held.into_inner())
}
