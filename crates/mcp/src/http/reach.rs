//! Reaching the upstream for what the relay itself wants to know: which revisions it speaks, and a
//! session for clients that have none.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::app::{App, Era};
use super::bridge;
use super::guard::Owner;
use super::limits::{ERA_BELIEVED, ID_BYTES, OWN_TIMEOUT, SESSIONS};
use super::mirror::{HEADER_MISMATCH, LEGACY, LEGACY_ALL, METHOD, MODERN, SESSION, VERSION};
use super::options::UpstreamRevision;
use super::side::{Remote, Side};
use super::upstream::{Form, Reply, Trouble};
use crate::jsonrpc::{Id, Kind, Message};

/// The error code of a revision that is not spoken.
pub(crate) const UNSUPPORTED_VERSION: i64 = -32022;
const MISSING_CAPABILITY: i64 = -32021;

/// What an older upstream makes of `initialize`.
pub(crate) enum Initialized {
    /// A session.
    Yes(Remote, Vec<u8>),
    /// An error of its own, with its status.
    No(StatusCode, Option<Vec<u8>>),
}

impl App {
    /// What the upstream says of itself in revision 2026-07-28; `None` if it does not speak it.
    pub(crate) async fn stateless(
        &self,
        authorization: Option<&HeaderValue>,
    ) -> Result<Option<Arc<Value>>, Trouble> {
        if self.revision == UpstreamRevision::Sessions {
            return Ok(None);
        }
        let mut era = self.era.lock().await;
        match &*era {
            Era::Stateless(discovered) => return Ok(Some(Arc::clone(discovered))),
            Era::Sessions(until) if Instant::now() < *until => return Ok(None),
            Era::Sessions(_) | Era::Unknown => {}
        }
        let discovered = in_time(self.discover(authorization)).await?.map(Arc::new);
        *era = match &discovered {
            Some(discovered) => Era::Stateless(Arc::clone(discovered)),
            None => Era::Sessions(Instant::now() + ERA_BELIEVED),
        };
        Ok(discovered)
    }

    async fn discover(
        &self,
        authorization: Option<&HeaderValue>,
    ) -> Result<Option<Value>, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(VERSION, HeaderValue::from_static(MODERN));
        headers.insert(METHOD, HeaderValue::from_static("server/discover"));
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        let mut reply = self.upstream.post(headers, bridge::discover()).await?;
        refused(&reply)?;
        let Some(answer) = collect(&mut reply, &bridge::own_id("discover")).await? else {
            return Ok(None);
        };
        let content = answer.strict().ok().flatten().unwrap_or_default();
        if matches!(answer.kind(), Kind::Response { is_error: true, .. }) {
            let code = content.get("code").and_then(Value::as_i64);
            let modern = code.is_some_and(|code| {
                (UNSUPPORTED_VERSION..=HEADER_MISMATCH).contains(&code)
                    && code != MISSING_CAPABILITY
            });
            let data = content.get("data").and_then(|data| data.get("supported"));
            return Ok(speaks(data).then(|| content.clone()).filter(|_| modern));
        }
        Ok(speaks(content.get("supportedVersions")).then_some(content))
    }

    /// Sends an `initialize` and waits for its answer. The caller says what its id is.
    pub(crate) async fn initialize(
        &self,
        bytes: Vec<u8>,
        id: &Id,
        authorization: Option<&HeaderValue>,
    ) -> Result<Initialized, Trouble> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        let mut reply = self.upstream.post(headers, bytes).await?;
        let status = reply.status;
        if status == StatusCode::UNAUTHORIZED {
            return Err(reply.trouble());
        }
        let answer = collect(&mut reply, id).await?;
        let result = answer.as_ref().filter(|answer| {
            status.is_success()
                && matches!(
                    answer.kind(),
                    Kind::Response {
                        is_error: false,
                        ..
                    }
                )
        });
        let content = result.and_then(|result| result.strict().ok().flatten());
        let Some((initialized, answer)) = content.zip(answer.clone()) else {
            return Ok(Initialized::No(status, answer.map(Message::into_bytes)));
        };
        let version = initialized.get("protocolVersion").and_then(Value::as_str);
        let known = version.filter(|version| LEGACY_ALL.contains(version));
        let version = HeaderValue::from_str(known.unwrap_or(LEGACY));
        let session = reply.headers.get(SESSION).map(|session| {
            let mut session = session.clone();
            session.set_sensitive(true);
            session
        });
        let sound = session.as_ref().is_none_or(|session| {
            session.len() <= ID_BYTES && session.as_bytes().iter().all(u8::is_ascii_graphic)
        });
        let (Ok(version), true) = (version, sound) else {
            return Err(Trouble::Broken);
        };
        let remote = Remote {
            session,
            version,
            initialized,
        };
        Ok(Initialized::Yes(remote, answer.into_bytes()))
    }

    /// The upstream's session for a client that has none.
    pub(crate) async fn remote(
        &self,
        owner: Owner,
        authorization: Option<&HeaderValue>,
    ) -> Result<Arc<Side>, Trouble> {
        let place = {
            let mut remotes = self.remotes.lock().unwrap_or_else(|held| held.into_inner());
            if remotes.len() >= SESSIONS && !remotes.contains_key(&owner) {
                remotes.clear();
            }
            Arc::clone(remotes.entry(owner).or_default())
        };
        let mut place = place.lock().await;
        if let Some(side) = &*place {
            return Ok(Arc::clone(side));
        }
        let request = bridge::initialize();
        let id = bridge::own_id("initialize");
        let remote = match in_time(self.initialize(request, &id, authorization)).await? {
            Initialized::Yes(remote, _) => remote,
            Initialized::No(status, _) => return Err(Trouble::Status(status)),
        };
        let mut headers = remote.headers();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        self.upstream.post(headers, bridge::initialized()).await?;
        let side = Arc::new(Side::Sessions(remote));
        *place = Some(Arc::clone(&side));
        Ok(side)
    }

    /// Forgets a session that the upstream has ended.
    pub(crate) async fn forget(&self, owner: Owner, side: &Arc<Side>) {
        let place = {
            let remotes = self.remotes.lock().unwrap_or_else(|held| held.into_inner());
            remotes.get(&owner).cloned()
        };
        if let Some(place) = place {
            let mut place = place.lock().await;
            if place.as_ref().is_some_and(|it| Arc::ptr_eq(it, side)) {
                *place = None;
            }
        }
    }
}

/// Others wait meanwhile, so it may not take as long as an answer to a client.
async fn in_time<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let done = timeout(OWN_TIMEOUT, work).await;
    done.unwrap_or(Err(Trouble::Slow(OWN_TIMEOUT)))
}

/// An answer that says nothing of revisions: the upstream is broken, or wants to know who asks.
fn refused(reply: &Reply) -> Result<(), Trouble> {
    let status = reply.status;
    let silent = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    match silent || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        true => Err(reply.trouble()),
        false => Ok(()),
    }
}

fn speaks(versions: Option<&Value>) -> bool {
    let versions = versions.and_then(Value::as_array);
    versions.is_some_and(|all| all.iter().any(|version| version.as_str() == Some(MODERN)))
}

/// The response to a request of this id, whatever form the answer has; `None` if it is none.
async fn collect(reply: &mut Reply, id: &Id) -> Result<Option<Message>, Trouble> {
    let answers = |bytes: Vec<u8>| {
        let message = Message::read(bytes).ok();
        message.filter(|message| match message.kind() {
            Kind::Response { id: Some(of), .. } => of == id,
            Kind::Response { id: None, is_error } => *is_error,
            _ => false,
        })
    };
    match reply.form() {
        Form::Json => Ok(answers(reply.whole().await?)),
        Form::Other => Ok(None),
        Form::Stream => {
            let mut messages = reply.messages();
            while let Some(data) = messages.next().await? {
                if let Some(found) = answers(data) {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
    }
}
