//! What all requests share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hyper::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use tokio::sync::{Mutex as Turn, Semaphore, watch};
use tokio::time::Instant;

use super::body::{Out, empty};
use super::guard::{Guard, Owner};
use super::limits::{BODY_MEMORY_BYTES, EXCHANGES, JUDGED_AT_ONCE, WAITING};
use super::options::UpstreamRevision;
use super::params::Tools;
use super::sessions::{Session, Sessions};
use super::side::Side;
use super::upstream::{Trouble, Upstream, authorization};
use crate::relay::{Notices, Relay};

/// The relay over HTTP.
pub(crate) struct App {
    pub(crate) relay: Relay,
    pub(crate) guard: Guard,
    pub(crate) upstream: Upstream,
    pub(crate) path: String,
    pub(crate) forwards: bool,
    pub(crate) revision: UpstreamRevision,
    pub(crate) notices: Notices,
    pub(crate) sessions: Sessions,
    pub(crate) tools: Tools,
    /// For clients without sessions, before an upstream with sessions: one each.
    pub(crate) remotes: Mutex<HashMap<Owner, Place>>,
    /// Until when it is believed that the upstream does not speak 2026-07-28, or what it says of
    /// itself in that revision.
    pub(crate) era: Turn<Era>,
    /// Places for bodies, a KiB each.
    pub(crate) memory: Arc<Semaphore>,
    pub(crate) judged: Semaphore,
    pub(crate) waiting: Arc<Semaphore>,
    pub(crate) exchanges: Arc<Semaphore>,
    /// Places for calls whose streams broke and may be resumed.
    pub(crate) left_open: Arc<Semaphore>,
    /// Turns true when the relay stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Where the session for a client without sessions stands; whoever makes it holds the lock.
pub(crate) type Place = Arc<Turn<Option<Arc<Side>>>>;

/// What is known of the upstream's revisions.
#[derive(Default)]
pub(crate) enum Era {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It speaks 2026-07-28 and says this of itself.
    Stateless(Arc<serde_json::Value>),
    /// It did not, when it was asked last.
    Sessions(Instant),
}

/// The work failed in a way that nothing was prepared for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed;

impl App {
    pub(crate) fn new(
        relay: Relay,
        guard: Guard,
        upstream: Upstream,
        settings: Settings,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            relay,
            guard,
            upstream,
            path: settings.path,
            forwards: settings.forwards,
            revision: settings.revision,
            notices: settings.notices,
            sessions: Sessions::default(),
            tools: Tools::default(),
            remotes: Mutex::default(),
            era: Turn::default(),
            memory: Arc::new(Semaphore::new(BODY_MEMORY_BYTES / 1024)),
            judged: Semaphore::new(JUDGED_AT_ONCE),
            waiting: Arc::new(Semaphore::new(WAITING)),
            exchanges: Arc::new(Semaphore::new(EXCHANGES)),
            left_open: Arc::new(Semaphore::new(EXCHANGES)),
            stopping,
        }
    }

    /// Runs what blocks on a thread that may.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failed> {
        let joined = tokio::task::spawn_blocking(work).await;
        joined.map_err(|_| {
            (self.notices)("a thread of the relay failed; the message it was at was refused");
            Failed
        })
    }

    /// The client's `Authorization`, if it goes on.
    pub(crate) fn forwarded(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        authorization(headers).filter(|_| self.forwards)
    }

    /// What a client is told whose authorization goes on and was not enough.
    pub(crate) fn unauthorized(&self, trouble: &Trouble) -> Option<Response<Out>> {
        let Trouble::Unauthorized(challenge) = trouble else {
            return None;
        };
        let mut response = empty(StatusCode::UNAUTHORIZED);
        if let Some(challenge) = challenge {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, challenge.clone());
        }
        self.forwards.then_some(response)
    }

    /// Lets go of sessions that ended, on a thread that may block.
    pub(crate) fn let_go(&self, sessions: Vec<Arc<Session>>) {
        if sessions.is_empty() {
            return;
        }
        tokio::task::spawn_blocking(move || {
            for session in sessions {
                session.conversation.client_gone();
            }
        });
    }

    /// Waits until the relay stops.
    pub(crate) async fn stopped(&self) {
        // An error means that the server is gone, which is a reason to stop as well.
        let _ = self.stopping.clone().wait_for(|stops| *stops).await;
    }
}

/// What of the options is needed at every request.
pub(crate) struct Settings {
    pub(crate) path: String,
    pub(crate) forwards: bool,
    pub(crate) revision: UpstreamRevision,
    pub(crate) notices: Notices,
}
