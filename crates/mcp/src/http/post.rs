//! POST: one message of a client.

use std::sync::Arc;

use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::app::App;
use super::body::{Out, empty, json as answer, outlet, plain, presence};
use super::exchange::Exchange;
use super::guard::{Owner, Turned, accepts, json_body};
use super::intake::{self, Intake, Taken};
use super::mirror::{
    self, Body, HEADER_MISMATCH, LEGACY_ALL, MODERN, Mismatch, Required, SESSION, VERSION, single,
};
use super::options::UpstreamRevision;
use super::reach::{Initialized, UNSUPPORTED_VERSION};
use super::sessions::Session;
use super::side::{Bridged, Local, Side};
use super::upstream::Trouble;
use crate::jsonrpc::{self, Id, Kind, Message, code, is_judged};
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
        Ok(era) => era,
        Err(response) => return *response,
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
    match era {
        Era::Stateless => request.stateless().await,
        Era::Session(session) => request.of_session(session).await,
        Era::First => request.first().await,
    }
}

/// Which rules apply, by the headers alone.
fn era(app: &App, owner: Owner, headers: &HeaderMap) -> Result<Era, Box<Response<Out>>> {
    let refuse = |error: Mismatch| Box::new(mismatch(None, &error));
    let version = single(headers, &VERSION).map_err(refuse)?;
    match version.as_deref() {
        Some(MODERN) => return Ok(Era::Stateless),
        Some(known) if LEGACY_ALL.contains(&known) => {}
        Some(other) => return Err(Box::new(unsupported(other))),
        None => {}
    }
    let Some(id) = single(headers, &SESSION).map_err(refuse)? else {
        return Ok(Era::First);
    };
    let session = app.sessions.find(&id, owner);
    let session = session.ok_or_else(|| {
        Box::new(plain(Turned {
            status: StatusCode::NOT_FOUND,
            text: "no such session is open",
        }))
    })?;
    Ok(Era::Session(session))
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
    async fn stateless(self) -> Response<Out> {
        let authorization = self.app.forwarded(&self.headers);
        let side = match self.side(authorization.as_ref()).await {
            Ok(side) => side,
            Err(trouble) => return self.unreachable(&trouble),
        };
        let conversation = self.app.relay.conversation();
        let considered = self.consider(&conversation, Arc::clone(&side), true).await;
        self.go_on(considered, conversation, side, None).await
    }

    async fn of_session(self, session: Arc<Session>) -> Response<Out> {
        let conversation = session.conversation.clone();
        let side = Arc::clone(&session.side);
        let considered = self.consider(&conversation, Arc::clone(&side), false).await;
        self.go_on(considered, conversation, side, Some(session))
            .await
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
        &self,
        conversation: &Conversation,
        side: Arc<Side>,
        modern: bool,
    ) -> Result<Considered, Response<Out>> {
        let Ok(_place) = self.app.judged.acquire().await else {
            return Err(plain(BUSY));
        };
        let (app, headers) = (Arc::clone(&self.app), self.headers.clone());
        let (conversation, bytes) = (conversation.clone(), self.taken.bytes.clone());
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
            Err(_) => Err(empty(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    }

    async fn go_on(
        self,
        considered: Result<Considered, Response<Out>>,
        conversation: Conversation,
        side: Arc<Side>,
        session: Option<Arc<Session>>,
    ) -> Response<Out> {
        let considered = match considered {
            Ok(considered) => considered,
            Err(response) => return response,
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
        let (alive, gone) = presence();
        tokio::spawn(async move {
            // The place and the memory are held for as long as it takes.
            let _held = self;
            exchange.run(considered.said, outlet, gone).await;
        });
        match response.await {
            Ok(response) => response.map(|body| body.held(alive)),
            Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
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
    async fn first(self) -> Response<Out> {
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
            Err(response) => return response,
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

impl Considered {
    fn unread(said: FromClient) -> Self {
        Self {
            kind: None,
            client: Value::Null,
            said,
        }
    }
}

/// Compares a message with its headers, and says who the client is that initializes.
fn compared(
    app: &App,
    headers: &HeaderMap,
    message: &Message,
    side: &Side,
    modern: bool,
) -> Result<Value, Response<Out>> {
    let refuse =
        |status, code, text: &str| answer(status, jsonrpc::error(message.id(), code, text, None));
    let bad = StatusCode::BAD_REQUEST;
    let Some(method) = message.method() else {
        return match modern {
            true => Err(refuse(
                bad,
                code::INVALID_REQUEST,
                "clients of this revision send no responses",
            )),
            false => Ok(Value::Null),
        };
    };
    if modern && method == "initialize" {
        let text = "this revision has no `initialize`";
        return Err(refuse(StatusCode::NOT_FOUND, code::METHOD_NOT_FOUND, text));
    }
    let has_session = headers.contains_key(SESSION);
    if !modern && has_session && method == "initialize" {
        return Err(refuse(
            bad,
            code::INVALID_REQUEST,
            "this session has begun already",
        ));
    }
    let params = match message.strict() {
        Ok(params) => params,
        // It is refused, and the refusal recorded, by whoever judges it.
        Err(_) if is_judged(method) => return Ok(Value::Null),
        Err(error) => return Err(refuse(bad, code::INVALID_PARAMS, &error.to_string())),
    };
    let body = Body {
        method,
        params: params.as_ref(),
    };
    let is_told = matches!(message.kind(), Kind::Notification { .. });
    let required = match side {
        // What a notification must carry is not said (Streamable HTTP, "Sending Messages").
        _ if !modern || is_told => Required::Nothing,
        Side::Stateless => Required::All,
        Side::Sessions(_) | Side::Bridged(_) => Required::Standard,
    };
    let checked = match body.version() {
        Some(MODERN) if !modern => Err(Mismatch::Differs(VERSION)),
        _ => mirror::check(headers, &body, &app.tools, required),
    };
    if let Err(error) = checked {
        return Err(mismatch(message.id(), &error));
    }
    let client = params.as_ref().and_then(|params| params.get("clientInfo"));
    Ok(client.cloned().unwrap_or_default())
}

/// The message as an upstream of another revision takes it.
fn bridged(
    side: &Side,
    conversation: &Conversation,
    message: Message,
    modern: bool,
) -> Result<Message, Response<Out>> {
    let asks = matches!(message.kind(), Kind::Request { .. });
    let changed = match side {
        Side::Sessions(_) if modern => {
            conversation.settle(message.strict().ok().flatten().as_ref());
            super::bridge::without_meta(&message)
        }
        Side::Bridged(known) if asks && side.local(&message).is_none() => {
            conversation.settle(None);
            super::bridge::with_meta(&message, &known.client)
        }
        _ => return Ok(message),
    };
    let read = changed.and_then(|bytes| Message::read(bytes).ok());
    read.ok_or_else(|| {
        let text = "`_meta` is no object, or holds what only the relay may say";
        let error = jsonrpc::error(message.id(), code::INVALID_PARAMS, text, None);
        answer(StatusCode::BAD_REQUEST, error)
    })
}

fn says_stateless(message: &Message) -> bool {
    let params = message.strict().ok().flatten();
    let body = Body {
        method: message.method().unwrap_or_default(),
        params: params.as_ref(),
    };
    body.version() == Some(MODERN)
}

/// Which request a message cancels.
fn cancelled(message: &Message) -> Option<Id> {
    if message.method() != Some("notifications/cancelled") {
        return None;
    }
    let params = message.strict().ok().flatten()?;
    match params.get("requestId")? {
        Value::String(text) => Some(Id::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(Id::Number),
        _ => None,
    }
}

fn mismatch(id: Option<&Id>, error: &Mismatch) -> Response<Out> {
    let error = jsonrpc::error(id, HEADER_MISMATCH, &error.to_string(), None);
    answer(StatusCode::BAD_REQUEST, error)
}

fn unsupported(version: &str) -> Response<Out> {
    let mut supported = vec![MODERN];
    supported.extend(LEGACY_ALL.iter().rev());
    let data = json!({"supported": supported, "requested": version});
    let text = "this revision of the protocol is not relayed";
    let error = jsonrpc::error(None, UNSUPPORTED_VERSION, text, Some(&data));
    answer(StatusCode::BAD_REQUEST, error)
}
