//! GET: a stream that the upstream may speak on at any time, or one that is resumed. DELETE: the
//! end of a session. Both belong to revisions with sessions.

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{MissedTickBehavior, interval};

use super::app::App;
use super::body::{Gone, Out, Outlet, empty, outlet, plain, presence};
use super::guard::{Owner, Turned, accepts, only};
use super::limits::{ID_BYTES, KEEP_ALIVE};
use super::mirror::{LEGACY_ALL, SESSION, VERSION};
use super::own::Voice;
use super::sessions::Session;
use super::side::{Remote, Side};
use super::sse::{self, Event, Reader};
use super::upstream::{Form, LAST_EVENT_ID, Reply};
use crate::relay::FromServer;

/// Answers a GET.
pub(crate) async fn get(app: &Arc<App>, owner: Owner, head: &Parts) -> Response<Out> {
    match open(app, owner, head).await {
        Ok(response) => response,
        Err(turned) => plain(turned),
    }
}

/// Answers a DELETE.
pub(crate) async fn delete(app: &Arc<App>, owner: Owner, head: &Parts) -> Response<Out> {
    let session = match session(app, owner, &head.headers) {
        Ok(session) => session,
        Err(turned) => return plain(turned),
    };
    app.sessions.close(&session.id);
    if let Side::Sessions(remote) = &*session.side {
        let headers = headers(app, remote, &head.headers);
        // Whatever the upstream makes of it, the session has ended here.
        let _ = app.upstream.delete(headers).await;
    }
    app.let_go(vec![session]);
    empty(StatusCode::NO_CONTENT)
}

async fn open(app: &Arc<App>, owner: Owner, head: &Parts) -> Result<Response<Out>, Turned> {
    accepts(&head.headers, &["text/event-stream"])?;
    let session = session(app, owner, &head.headers)?;
    let Side::Sessions(remote) = &*session.side else {
        return Err(no_stream());
    };
    let place = Arc::clone(&session.streams).try_acquire_owned();
    let place = place.map_err(|_| Turned {
        status: StatusCode::TOO_MANY_REQUESTS,
        text: "the session has all the streams that it may have",
    })?;
    let mut headers = headers(app, remote, &head.headers);
    if let Some(last) = only(&head.headers, &LAST_EVENT_ID)? {
        let fits = last.len() <= ID_BYTES && !last.is_empty();
        let last = HeaderValue::from_str(&last).ok().filter(|_| fits);
        headers.insert(
            LAST_EVENT_ID,
            last.ok_or(Turned::bad("no event has such an id"))?,
        );
    }
    let reply = app.upstream.listen(headers).await.map_err(|_| Turned {
        status: StatusCode::BAD_GATEWAY,
        text: "the upstream opened no stream",
    })?;
    match (reply.status, reply.form()) {
        (status, Form::Stream) if status.is_success() => {}
        (StatusCode::NOT_FOUND, _) => {
            app.sessions.close(&session.id);
            return Err(Turned {
                status: StatusCode::NOT_FOUND,
                text: "the upstream has ended this session",
            });
        }
        (StatusCode::METHOD_NOT_ALLOWED, _) => return Err(no_stream()),
        (status, _) if status.is_client_error() => {
            return Err(Turned {
                status,
                text: "the upstream opened no stream",
            });
        }
        _ => {
            return Err(Turned {
                status: StatusCode::BAD_GATEWAY,
                text: "the upstream opened no stream",
            });
        }
    }
    let (mut outlet, response) = outlet();
    let (alive, gone) = presence();
    outlet.begin();
    let stream = Stream {
        app: Arc::clone(app),
        session,
        headers: head.headers.clone(),
        _place: place,
    };
    tokio::spawn(stream.run(reply, outlet, gone));
    let response = response.await.map_err(|_| no_stream())?;
    Ok(response.map(|body| body.held(alive)))
}

struct Stream {
    app: Arc<App>,
    session: Arc<Session>,
    headers: HeaderMap,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    async fn run(self, reply: Reply, outlet: Outlet, mut gone: Gone) {
        let _running = self.session.run();
        tokio::select! {
            () = self.pump(reply, outlet) => {}
            () = gone.wait() => {}
            () = self.app.stopped() => {}
        }
    }

    async fn pump(&self, mut reply: Reply, mut outlet: Outlet) {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        let mut tick = interval(KEEP_ALIVE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let chunk = {
                let mut next = std::pin::pin!(reply.chunk());
                loop {
                    tokio::select! {
                        chunk = &mut next => break chunk,
                        _ = tick.tick() => outlet.keep_alive(),
                    }
                }
            };
            let Ok(Some(chunk)) = chunk else { return };
            if reader.push(&chunk, &mut events).is_err() {
                (self.app.notices)("the upstream's stream was cut: an event of it is too long");
                return;
            }
            for event in events.drain(..) {
                if self.event(event, &mut outlet).await.is_none() {
                    return;
                }
            }
        }
    }

    /// Brings one event; `None` if the stream has no one to go to.
    async fn event(&self, event: Event, outlet: &mut Outlet) -> Option<()> {
        let Event::Message(mut event) = event else {
            outlet.keep_alive();
            return Some(());
        };
        if !event.is_message() {
            return Some(());
        }
        let Some(data) = event.data.take().filter(|data| !data.is_empty()) else {
            event.data = Some(Vec::new());
            return outlet.event(sse::write(&Event::Message(event))).await.ok();
        };
        let conversation = self.session.conversation.clone();
        let heard = self
            .app
            .blocking(move || conversation.from_server(data))
            .await;
        match heard.ok()? {
            FromServer::Forward(bytes) => {
                event.data = Some(bytes);
                outlet.event(sse::write(&Event::Message(event))).await.ok()
            }
            FromServer::Reply(bytes) => {
                let voice = Voice {
                    app: Arc::clone(&self.app),
                    conversation: self.session.conversation.clone(),
                    side: Arc::clone(&self.session.side),
                    authorization: self.app.forwarded(&self.headers),
                };
                voice.say(bytes);
                Some(())
            }
            FromServer::Drop => Some(()),
        }
    }
}

fn session(app: &App, owner: Owner, headers: &HeaderMap) -> Result<Arc<Session>, Turned> {
    match only(headers, &VERSION)?.as_deref() {
        None => {}
        Some(known) if LEGACY_ALL.contains(&known) => {}
        Some(_) => return Err(no_stream()),
    }
    let Some(id) = only(headers, &SESSION)? else {
        return Err(no_stream());
    };
    app.sessions.find(&id, owner).ok_or(Turned {
        status: StatusCode::NOT_FOUND,
        text: "no such session is open",
    })
}

fn headers(app: &App, remote: &Remote, from: &HeaderMap) -> HeaderMap {
    let mut headers = remote.headers();
    if let Some(value) = app.forwarded(from) {
        headers.insert(hyper::header::AUTHORIZATION, value);
    }
    headers
}

fn no_stream() -> Turned {
    Turned {
        status: StatusCode::METHOD_NOT_ALLOWED,
        text: "only a session of a revision that has them has streams of its own and an end",
    }
}
