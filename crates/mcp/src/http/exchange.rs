//! One request on its way: what the relay says of it, to the upstream, and what comes back.
//!
//! An exchange runs apart from its connection, so that what a tool returned is recorded although
//! its client has gone.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderMap;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::app::App;
use super::body::{Gone, Outlet};
use super::bridge;
use super::guard::{Owner, Turned};
use super::limits::{EVENTS_PER_ANSWER, KEEP_ALIVE, RESUME_WINDOW, SOON};
use super::own::Voice;
use super::sessions::{Running, Session};
use super::side::{Local, Side};
use super::sse::{self, Event, Reader};
use super::upstream::{Form, Reply, Trouble};
use crate::jsonrpc::{Id, Kind, Message, code};
use crate::relay::{Conversation, FromClient, FromServer, Waiting};

/// A request of a client.
pub(crate) struct Exchange {
    pub(crate) app: Arc<App>,
    pub(crate) conversation: Conversation,
    pub(crate) side: Arc<Side>,
    /// The client's session; `None` where its revision has none.
    pub(crate) session: Option<(Arc<Session>, Running)>,
    pub(crate) owner: Owner,
    /// The client's headers.
    pub(crate) headers: HeaderMap,
    /// The id that the client knows.
    pub(crate) id: Id,
    pub(crate) method: String,
}

/// How an answer of the upstream ended.
enum End {
    /// The client has its answer.
    Answered,
    /// The stream ended early and can be resumed.
    Resumable,
}

/// Why an exchange ends without the upstream's answer.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("the client has gone")]
    Gone,
    #[error("the client has cancelled it")]
    Cancelled,
    #[error("the relay stops")]
    Stopping,
    #[error(transparent)]
    Trouble(Trouble),
}

impl Exchange {
    /// Does what the relay says, until the client has its answer.
    pub(crate) async fn run(self, said: FromClient, mut outlet: Outlet, mut gone: Gone) {
        let mut said = said;
        loop {
            said = match said {
                FromClient::Forward(bytes) => return self.forward(bytes, outlet, gone).await,
                FromClient::Answer(bytes) => return outlet.answer(StatusCode::OK, bytes).await,
                FromClient::Refuse(bytes) => {
                    return outlet.answer(StatusCode::BAD_REQUEST, bytes).await;
                }
                FromClient::Drop => return end(outlet),
                FromClient::Wait(waiting) => {
                    match self.wait(waiting, &mut outlet, &mut gone).await {
                        Some(said) => said,
                        None => return end(outlet),
                    }
                }
            }
        }
    }

    /// Waits for what has to happen first. While a person is asked, the client sees a stream that
    /// is alive.
    async fn wait(
        &self,
        waiting: Waiting,
        outlet: &mut Outlet,
        gone: &mut Gone,
    ) -> Option<FromClient> {
        match waiting.ask_server() {
            Some(ask) => self.voice().say(ask.to_vec()),
            None => outlet.begin(),
        }
        if let Some(ask) = waiting.ask() {
            let _ = outlet.event(sse::message(ask.to_vec())).await;
        }
        let place = Arc::clone(&self.app.waiting).acquire_owned().await;
        let waits = self.app.blocking(move || {
            let _place = place;
            waiting.wait()
        });
        let mut waits = std::pin::pin!(waits);
        let mut tick = ticks();
        let (mut is_gone, mut stops) = (false, false);
        loop {
            tokio::select! {
                said = &mut waits => {
                    let said = said.ok()?;
                    // Nobody is there to hear what an approved call returned: it is not made.
                    return match (is_gone || stops, said) {
                        (true, FromClient::Forward(bytes)) => {
                            self.fail(&self.server_id(&bytes), "the client has gone").await;
                            None
                        }
                        (_, said) => Some(said),
                    };
                }
                _ = tick.tick() => outlet.keep_alive(),
                () = gone.wait(), if !is_gone => {
                    is_gone = true;
                    self.nobody_waits(self.session.is_none());
                }
                () = self.app.stopped(), if !stops => {
                    stops = true;
                    self.nobody_waits(true);
                }
            }
        }
    }

    /// Lets whoever waits for a person wait no longer, where the conversation is of one request.
    fn nobody_waits(&self, ends: bool) {
        if ends {
            let conversation = self.conversation.clone();
            tokio::task::spawn_blocking(move || conversation.client_gone());
        }
    }

    /// Whether the answer is a stream that its client keeps open.
    fn is_open(&self) -> bool {
        self.method == "subscriptions/listen"
    }

    fn voice(&self) -> Voice {
        Voice {
            app: Arc::clone(&self.app),
            conversation: self.conversation.clone(),
            side: Arc::clone(&self.side),
            authorization: self.app.forwarded(&self.headers),
        }
    }

    async fn forward(mut self, bytes: Vec<u8>, mut outlet: Outlet, mut gone: Gone) {
        let server_id = self.server_id(&bytes);
        let mut ended = self
            .attempt(bytes.clone(), &server_id, &mut outlet, &mut gone)
            .await;
        // A session that the upstream no longer knew has done nothing.
        if matches!(ended, Err(Stop::Trouble(Trouble::SessionEnded))) && self.session.is_none() {
            let authorization = self.app.forwarded(&self.headers);
            ended = match self.app.remote(self.owner, authorization.as_ref()).await {
                Ok(side) => {
                    self.side = side;
                    self.attempt(bytes, &server_id, &mut outlet, &mut gone)
                        .await
                }
                Err(trouble) => Err(Stop::Trouble(trouble)),
            };
        }
        if let Some((session, _)) = &self.session {
            session.settled(&self.id);
        }
        match ended {
            Ok(End::Answered) => {}
            Ok(End::Resumable) => self.left_open(server_id, outlet).await,
            Err(stop) => match self.fail(&server_id, &stop.to_string()).await {
                Some(bytes) => outlet.answer(StatusCode::OK, self.said(bytes)).await,
                None => end(outlet),
            },
        }
    }

    async fn attempt(
        &self,
        bytes: Vec<u8>,
        server_id: &Id,
        outlet: &mut Outlet,
        gone: &mut Gone,
    ) -> Result<End, Stop> {
        let cancel = self
            .session
            .as_ref()
            .map(|(session, _)| session.cancelling(&self.id));
        let ends_with_client = self.session.is_none();
        tokio::select! {
            biased;
            // Who has gone already has nothing sent in its name.
            () = gone.wait(), if ends_with_client => Err(Stop::Gone),
            () = notified(cancel) => Err(Stop::Cancelled),
            () = self.app.stopped() => Err(Stop::Stopping),
            ended = self.pump(bytes, server_id, outlet) => ended.map_err(Stop::Trouble),
        }
    }

    /// Sends the request and brings what comes back.
    async fn pump(
        &self,
        bytes: Vec<u8>,
        server_id: &Id,
        outlet: &mut Outlet,
    ) -> Result<End, Trouble> {
        let message = Message::read(bytes.clone()).map_err(|_| Trouble::Broken)?;
        if let Some(Local::Answer(answer)) = self.side.local(&message) {
            return self.answered(answer, StatusCode::OK, outlet).await;
        }
        let authorization = self.app.forwarded(&self.headers);
        let headers = self
            .side
            .headers(&message, &self.headers, &self.app.tools, authorization);
        let upstream = &self.app.upstream;
        let mut reply = match self.is_open() {
            true => upstream.post_open(headers, bytes).await?,
            false => upstream.post(headers, bytes).await?,
        };
        match (reply.status, reply.form()) {
            (status, Form::Stream) if status.is_success() => self.stream(&mut reply, outlet).await,
            (status, Form::Json) => {
                let body = reply.whole().await?;
                if !status.is_success() && !answers(&body, server_id) {
                    return self.refused(&reply, outlet).await;
                }
                self.answered(body, status, outlet).await
            }
            (status, _) if status.is_success() => Err(Trouble::NoResponse),
            _ => self.refused(&reply, outlet).await,
        }
    }

    /// An answer that is no JSON-RPC response to this request.
    async fn refused(&self, reply: &Reply, outlet: &mut Outlet) -> Result<End, Trouble> {
        let has_session = matches!(&*self.side, Side::Sessions(remote) if remote.session.is_some());
        if reply.status == StatusCode::NOT_FOUND && has_session {
            match &self.session {
                Some((session, _)) => {
                    self.app.sessions.close(&session.id);
                    self.take(outlet).turn(Turned {
                        status: StatusCode::NOT_FOUND,
                        text: "the upstream has ended this session",
                    });
                }
                None => self.app.forget(self.owner, &self.side).await,
            }
            return Err(Trouble::SessionEnded);
        }
        let trouble = reply.trouble();
        if let Some(response) = self.app.unauthorized(&trouble) {
            self.take(outlet).respond(response);
        }
        Err(trouble)
    }

    /// What is left of an outlet is only good for events.
    fn take(&self, outlet: &mut Outlet) -> Outlet {
        std::mem::replace(outlet, super::body::outlet().0)
    }

    async fn answered(
        &self,
        body: Vec<u8>,
        status: StatusCode,
        outlet: &mut Outlet,
    ) -> Result<End, Trouble> {
        match self.heard(body).await? {
            FromServer::Forward(bytes) if answers(&bytes, &self.id) => {
                let status = self.status(status, &bytes);
                self.take(outlet).answer(status, self.said(bytes)).await;
                Ok(End::Answered)
            }
            FromServer::Reply(bytes) => {
                self.voice().say(bytes);
                Err(Trouble::NoResponse)
            }
            FromServer::Forward(_) | FromServer::Drop => Err(Trouble::NoResponse),
        }
    }

    async fn stream(&self, reply: &mut Reply, outlet: &mut Outlet) -> Result<End, Trouble> {
        let is_passed = self.session.is_some() && matches!(&*self.side, Side::Sessions(_));
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        let (mut count, mut resumable) = (0, false);
        let mut tick = ticks();
        // If the answer is all that comes, and comes soon, it needs no stream.
        let mut soon = std::pin::pin!(sleep(SOON));
        loop {
            let chunk = {
                let mut next = std::pin::pin!(reply.chunk());
                loop {
                    tokio::select! {
                        biased;
                        chunk = &mut next => break chunk,
                        () = &mut soon, if !outlet.is_stream() => outlet.begin(),
                        _ = tick.tick() => outlet.keep_alive(),
                    }
                }
            };
            let chunk = match chunk {
                Ok(Some(chunk)) => chunk,
                Ok(None) | Err(_) if resumable => return Ok(End::Resumable),
                Ok(None) => return Err(Trouble::Broken),
                Err(trouble) => return Err(trouble),
            };
            reader
                .push(&chunk, &mut events)
                .map_err(|_| Trouble::TooLong)?;
            count += events.len();
            if count > EVENTS_PER_ANSWER && !self.is_open() {
                return Err(Trouble::TooMany);
            }
            for event in events.drain(..) {
                let Event::Message(mut event) = event else {
                    outlet.keep_alive();
                    continue;
                };
                if !is_passed {
                    (event.id, event.retry_ms) = (None, None);
                }
                resumable |= event.id.is_some();
                if self.event(event, outlet).await? {
                    return Ok(End::Answered);
                }
            }
        }
    }

    /// Brings one event; true if it was the answer.
    async fn event(&self, mut event: sse::Message, outlet: &mut Outlet) -> Result<bool, Trouble> {
        let data = event.data.take().filter(|data| !data.is_empty());
        let data = data.filter(|_| event.is_message());
        let Some(data) = data else {
            if event.is_message() && (event.id.is_some() || event.retry_ms.is_some()) {
                event.data = Some(Vec::new());
                let _ = outlet.event(sse::write(&Event::Message(event))).await;
            }
            return Ok(false);
        };
        match self.heard(data).await? {
            FromServer::Forward(bytes) => {
                let is_answer = answers(&bytes, &self.id);
                if is_answer && !outlet.is_stream() && event.id.is_none() {
                    let status = self.status(StatusCode::OK, &bytes);
                    self.take(outlet).answer(status, self.said(bytes)).await;
                    return Ok(true);
                }
                event.data = Some(self.said(bytes));
                let _ = outlet.event(sse::write(&Event::Message(event))).await;
                Ok(is_answer)
            }
            FromServer::Reply(bytes) => {
                self.voice().say(bytes);
                Ok(false)
            }
            FromServer::Drop => Ok(false),
        }
    }

    async fn heard(&self, bytes: Vec<u8>) -> Result<FromServer, Trouble> {
        let conversation = self.conversation.clone();
        let app = Arc::clone(&self.app);
        let lists = self.method == "tools/list";
        let heard = self.app.blocking(move || {
            if lists && let Ok(message) = Message::read(bytes.clone()) {
                let result = message.strict().ok().flatten();
                app.tools.learn_list(&result.unwrap_or_default());
            }
            conversation.from_server(bytes)
        });
        heard.await.map_err(|_| Trouble::Broken)
    }

    async fn fail(&self, server_id: &Id, reason: &str) -> Option<Vec<u8>> {
        let conversation = self.conversation.clone();
        let (id, reason) = (server_id.clone(), reason.to_owned());
        let failed = self.app.blocking(move || conversation.failed(&id, &reason));
        failed.await.ok().flatten()
    }

    /// What the client is told, in its own revision.
    fn said(&self, bytes: Vec<u8>) -> Vec<u8> {
        match &*self.side {
            Side::Sessions(_) if self.session.is_none() => {
                bridge::with_result_type(bytes, &self.method)
            }
            Side::Bridged(_) if bridge::asks_for_input(&bytes) => {
                let text = "the server asks for what a client of this revision cannot be asked for";
                crate::jsonrpc::error(Some(&self.id), code::INTERNAL, text, None)
            }
            _ => bytes,
        }
    }

    /// The status of a JSON answer. In revision 2026-07-28 an unknown method is 404.
    fn status(&self, status: StatusCode, bytes: &[u8]) -> StatusCode {
        let unknown = || {
            let message = Message::read(bytes.to_vec()).ok();
            let error = message.and_then(|message| message.strict().ok().flatten());
            let code = error.and_then(|error| error.get("code")?.as_i64());
            code == Some(code::METHOD_NOT_FOUND)
        };
        match self.session.is_none() && status.is_success() && unknown() {
            true => StatusCode::NOT_FOUND,
            false => status,
        }
    }

    /// Leaves a call open until its stream is resumed, or is not.
    async fn left_open(self, server_id: Id, outlet: Outlet) {
        drop(outlet);
        let Ok(place) = Arc::clone(&self.app.left_open).try_acquire_owned() else {
            self.fail(&server_id, "too many streams wait to be resumed")
                .await;
            return;
        };
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                () = sleep(RESUME_WINDOW) => {}
                () = self.app.stopped() => {}
            }
            self.fail(&server_id, "its stream broke and was not resumed")
                .await;
        });
    }

    fn server_id(&self, bytes: &[u8]) -> Id {
        let message = Message::read(bytes.to_vec()).ok();
        let id = message.and_then(|message| message.id().cloned());
        id.unwrap_or_else(|| self.id.clone())
    }
}

/// Ends an answer that has nothing to say: its request was cancelled.
fn end(mut outlet: Outlet) {
    outlet.begin();
}

/// Whether a message is the response to a request of this id.
fn answers(bytes: &[u8], id: &Id) -> bool {
    let message = Message::read(bytes.to_vec()).ok();
    message.is_some_and(|message| match message.kind() {
        Kind::Response { id: of, .. } => of.as_ref() == Some(id),
        _ => false,
    })
}

async fn notified(cancel: Option<Arc<Notify>>) {
    match cancel {
        Some(cancel) => cancel.notified().await,
        None => std::future::pending().await,
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(Duration::max(KEEP_ALIVE, Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}
