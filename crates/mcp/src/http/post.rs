//! POST: one message of a client.

use std::sync::Arc;

use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use serde_json::Value;

use super::app::App;
use super::body::{Gone, Out, empty, json as answer, outlet, plain, presence};
use super::checks::{Refused, bridged, cancelled, compared, mismatch, says_stateless, unsupported};
use super::exchange::Exchange;
use super::guard::{Owner, Turned, accepts, json_body};
use super::intake::{self, Intake, Taken};
use super::mirror::{LEGACY_ALL, MODERN, Mismatch, SESSION, VERSION, single};
use super::options::UpstreamRevision;
use super::reach::Initialized;
use super::sessions::Session;
use super::side::{Bridged, Local, Side};
use super::upstream::Trouble;
use crate::jsonrpc::{self, Id, Kind, Message, code};
use crate::relay::{Conversation, FromClient, FromServer};

const BUSY: Turned = Turned {
    status: StatusCode::SERVICE_UNAVAILABLE,
    text: "the relay works on all the requests that it bears",
};

/// By which rules a message came.
enum Era {
    Stateless,
    Session(Arc<Session>),
    /// Before a session: only `initialize` may come.
    First,
}

/// A message that was looked at, and what the relay says of it.
struct Considered {
    kind: Option<Kind>,
    client: Value,
    said: FromClient,
}

/// Answers a POST.
pub(crate) async fn post(
    app: &Arc<App>,
    owner: Owner,
    head: Parts,
    body: Incoming,
) -> Response<Out> {
    let fit = json_body(&head.headers)
        .and_then(|()| accepts(&head.headers, &["application/json", "text/event-stream"]));
    if let Err(turned) = fit {
        return plain(turned);
    }
    let Ok(place) = Arc::clone(&app.exchanges).try_acquire_owned() else {
        return plain(BUSY);
    };
    let era = match era(app, owner, &head.headers) {
        Ok(Some(era)) => era,
        Ok(None) => {
            return plain(Turned {
                status: StatusCode::NOT_FOUND,
                text: "no such session is open",
            });
        }
        Err(refused) => return refused.response(),
    };
    let taken = match intake::read(body, &app.memory).await {
        Intake::Whole(taken) => taken,
        Intake::Turned(turned) => return plain(turned),
        Intake::TooLong(overlong) => {
            let conversation = era.conversation(app);
            let said = app
                .blocking(move || conversation.overlong_from_client(&overlong))
                .await;
            let bytes = match said {
                Ok(FromClient::Answer(bytes) | FromClient::Refuse(bytes)) => bytes,
                _ => Vec::new(),
            };
            return answer(StatusCode::PAYLOAD_TOO_LARGE, bytes);
        }
    };
    let request = Request {
        app: Arc::clone(app),
        owner,
        headers: head.headers,
        taken,
        _place: place,
    };
    // What was judged is seen to its end although its connection ends first.
    let (alive, gone) = presence();
    let work = tokio::spawn(async move {
        match era {
            Era::Stateless => request.stateless(gone).await,
            Era::Session(session) => request.of_session(session, gone).await,
            Era::First => request.first().await,
        }
    });
    match work.await {
        Ok(response) => response.map(|body| body.held(alive)),
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Which rules apply, by the headers alone; `None` if they name a session that is not open.
fn era(app: &App, owner: Owner, headers: &HeaderMap) -> Result<Option<Era>, Refused> {
    let refuse = |error: Mismatch| mismatch(None, &error);
    let version = single(headers, &VERSION).map_err(refuse)?;
    match version.as_deref() {
        Some(MODERN) => return Ok(Some(Era::Stateless)),
        Some(known) if LEGACY_ALL.contains(&known) => {}
        Some(other) => return Err(unsupported(other)),
        None => {}
    }
    match single(headers, &SESSION).map_err(refuse)? {
        None => Ok(Some(Era::First)),
        Some(id) => Ok(app.sessions.find(&id, owner).map(Era::Session)),
    }
}

impl Era {
    fn conversation(&self, app: &App) -> Conversation {
        match self {
            Self::Session(session) => session.conversation.clone(),
            Self::Stateless | Self::First => app.relay.conversation(),
        }
    }
}

/// A POST whose body is there.
struct Request {
    app: Arc<App>,
    owner: Owner,
    headers: HeaderMap,
    taken: Taken,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl Request {
    async fn stateless(mut self, gone: Gone) -> Response<Out> {
        let authorization = self.app.forwarded(&self.headers);
        let side = match self.side(authorization.as_ref()).await {
            Ok(side) => side,
            Err(trouble) => return self.unreachable(&trouble),
        };
        let conversation = self.app.relay.conversation();
        let considered = self.consider(&conversation, Arc::clone(&side), true).await;
        let from = (side, None);
        self.go_on(considered, conversation, from, gone).await
    }

    async fn of_session(mut self, session: Arc<Session>, gone: Gone) -> Response<Out> {
        let conversation = session.conversation.clone();
        let side = Arc::clone(&session.side);
        let considered = self.consider(&conversation, Arc::clone(&side), false).await;
        let from = (side, Some(session));
        self.go_on(considered, conversation, from, gone).await
    }

    async fn side(&self, authorization: Option<&HeaderValue>) -> Result<Arc<Side>, Trouble> {
        let known = self.app.revision == UpstreamRevision::Stateless;
        if known || self.app.stateless(authorization).await?.is_some() {
            return Ok(Arc::new(Side::Stateless));
        }
        self.app.remote(self.owner, authorization).await
    }

    /// Looks at the message, compares it with the headers and asks what to do with it.
    async fn consider(
        &mut self,
        conversation: &Conversation,
        side: Arc<Side>,
        modern: bool,
    ) -> Result<Considered, Refused> {
        // Nobody closes it.
        let _place = self.app.judged.acquire().await;
        let (app, headers) = (Arc::clone(&self.app), self.headers.clone());
        let (conversation, bytes) = (conversation.clone(), std::mem::take(&mut self.taken.bytes));
        let considered = self.app.blocking(move || {
            let message = match conversation.read(bytes) {
                Ok(message) => message,
                Err(said) => return Ok(Considered::unread(said)),
            };
            let client = compared(&app, &headers, &message, &side, modern)?;
            let kind = Some(message.kind().clone());
            let message = bridged(&side, &conversation, message, modern)?;
            let said = conversation.from_client(message);
            Ok(Considered { kind, client, said })
        });
        match considered.await {
            Ok(considered) => considered,
            Err(_) => Err(Refused {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                bytes: Vec::new(),
            }),
        }
    }

    async fn go_on(
        self,
        considered: Result<Considered, Refused>,
        conversation: Conversation,
        (side, session): (Arc<Side>, Option<Arc<Session>>),
        gone: Gone,
    ) -> Response<Out> {
        let considered = match considered {
            Ok(considered) => considered,
            Err(refused) => return refused.response(),
        };
        let Some(Kind::Request { id, method }) = considered.kind else {
            return self.told(considered, side, session).await;
        };
        let exchange = Exchange {
            app: Arc::clone(&self.app),
            conversation,
            side,
            session: session.map(|session| {
                let running = session.run();
                (session, running)
            }),
            owner: self.owner,
            headers: self.headers.clone(),
            id,
            method,
        };
        let (outlet, response) = outlet();
        tokio::spawn(async move {
            // The place and the memory are held for as long as it takes.
            let _held = self;
            exchange.run(considered.said, outlet, gone).await;
        });
        let response = response.await;
        response.unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// A message that is not answered by another: only by a status.
    async fn told(
        &self,
        considered: Considered,
        side: Arc<Side>,
        session: Option<Arc<Session>>,
    ) -> Response<Out> {
        let bytes = match considered.said {
            FromClient::Forward(bytes) => bytes,
            FromClient::Answer(bytes) => return answer(StatusCode::OK, bytes),
            FromClient::Refuse(bytes) => return answer(StatusCode::BAD_REQUEST, bytes),
            FromClient::Wait(_) | FromClient::Drop => return empty(StatusCode::ACCEPTED),
        };
        let Ok(message) = Message::read(bytes.clone()) else {
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        if let Some(Local::Nothing) = side.local(&message) {
            if let Some((session, id)) = session.zip(cancelled(&message)) {
                session.cancel(&id);
            }
            return empty(StatusCode::ACCEPTED);
        }
        let authorization = self.app.forwarded(&self.headers);
        let headers = side.headers(&message, &self.headers, &self.app.tools, authorization);
        match self.app.upstream.post(headers, bytes).await {
            Ok(reply) if reply.status.is_success() => empty(StatusCode::ACCEPTED),
            Ok(reply) => empty(reply.status),
            Err(_) => empty(StatusCode::BAD_GATEWAY),
        }
    }

    /// A message before a session: it has to be `initialize`.
    async fn first(mut self) -> Response<Out> {
        let conversation = self.app.relay.conversation();
        let asks = |message: &Message| message.method() == Some("initialize");
        let read = Message::read(self.taken.bytes.clone()).ok();
        if read
            .as_ref()
            .is_some_and(|message| !asks(message) && !says_stateless(message))
        {
            return plain(Turned::bad("the header `mcp-session-id` is required"));
        }
        let side = Arc::new(Side::Stateless);
        let considered = match self.consider(&conversation, side, false).await {
            Ok(considered) => considered,
            Err(refused) => return refused.response(),
        };
        let Some(Kind::Request { id, .. }) = considered.kind else {
            return self.told(considered, Arc::new(Side::Stateless), None).await;
        };
        match considered.said {
            FromClient::Forward(bytes) => {
                self.initialize(bytes, id, considered.client, conversation)
                    .await
            }
            FromClient::Answer(bytes) => answer(StatusCode::OK, bytes),
            FromClient::Refuse(bytes) => answer(StatusCode::BAD_REQUEST, bytes),
            FromClient::Wait(_) | FromClient::Drop => empty(StatusCode::ACCEPTED),
        }
    }

    async fn initialize(
        &self,
        bytes: Vec<u8>,
        id: Id,
        client: Value,
        conversation: Conversation,
    ) -> Response<Out> {
        let authorization = self.app.forwarded(&self.headers);
        let opened = self
            .opened(bytes, &id, client, authorization.as_ref())
            .await;
        let (side, status, bytes) = match opened {
            Ok((side, status, bytes)) => (side, status, bytes),
            Err(trouble) => {
                let reason = trouble.to_string();
                let failed = self
                    .app
                    .blocking(move || conversation.failed(&id, &reason))
                    .await;
                let failed = failed.ok().flatten().unwrap_or_default();
                let challenge = self.app.unauthorized(&trouble);
                return challenge.unwrap_or_else(|| answer(StatusCode::OK, failed));
            }
        };
        let heard = conversation.clone();
        let Ok(FromServer::Forward(bytes)) =
            self.app.blocking(move || heard.from_server(bytes)).await
        else {
            return empty(StatusCode::BAD_GATEWAY);
        };
        let Some(side) = side else {
            return answer(status, bytes);
        };
        let session = Session::new(self.owner, conversation, side).map(Arc::new);
        let Some((session, header)) = session.and_then(|it| it.header().map(|header| (it, header)))
        else {
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        match self.app.sessions.open(session) {
            Ok(ended) => self.app.let_go(ended),
            Err(_) => return plain(BUSY),
        }
        let mut response = answer(status, bytes);
        response.headers_mut().insert(SESSION, header);
        response
    }

    /// The other end of a new session and what it says; without a side, what it says is an error.
    async fn opened(
        &self,
        bytes: Vec<u8>,
        id: &Id,
        client: Value,
        authorization: Option<&HeaderValue>,
    ) -> Result<(Option<Arc<Side>>, StatusCode, Vec<u8>), Trouble> {
        let message = Message::read(bytes.clone()).map_err(|_| Trouble::Broken)?;
        let mut refusal = None;
        if self.app.revision != UpstreamRevision::Stateless {
            match self.app.initialize(bytes, id, authorization).await? {
                Initialized::Yes(remote, answer) => {
                    let side = Arc::new(Side::Sessions(remote));
                    return Ok((Some(side), StatusCode::OK, answer));
                }
                Initialized::No(status, answer) => refusal = Some((status, answer)),
            }
        }
        if let Some(discovered) = self.app.stateless(authorization).await? {
            let discovered = discovered.as_ref().clone();
            let side = Side::Bridged(Bridged { client, discovered });
            let Some(Local::Answer(answer)) = side.local(&message) else {
                return Err(Trouble::Broken);
            };
            return Ok((Some(Arc::new(side)), StatusCode::OK, answer));
        }
        match refusal {
            Some((status, Some(answer))) => Ok((None, status, answer)),
            Some((status, None)) => Err(Trouble::Status(status)),
            None => Err(Trouble::NoResponse),
        }
    }

    /// The upstream cannot be asked which revision it speaks: nothing was judged yet.
    fn unreachable(&self, trouble: &Trouble) -> Response<Out> {
        if let Some(response) = self.app.unauthorized(trouble) {
            return response;
        }
        let id = Message::read(self.taken.bytes.clone()).ok();
        let id = id.and_then(|message| message.id().cloned());
        let text = trouble.to_string();
        answer(
            StatusCode::OK,
            jsonrpc::error(id.as_ref(), code::SERVER_GONE, &text, None),
        )
    }
}

impl Refused {
    fn response(self) -> Response<Out> {
        answer(self.status, self.bytes)
    }
}

impl Considered {
    fn unread(said: FromClient) -> Self {
        Self {
            kind: None,
            client: Value::Null,
            said,
        }
    }
}
