//! The other end of a conversation: how the upstream is spoken to, by whatever revision it knows.

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::bridge;
use super::mirror::{self, Body, METHOD, NAME, SESSION, VERSION};
use super::params::Tools;
use crate::jsonrpc::{self, Kind, Message, code};

/// How the upstream is spoken to.
pub(crate) enum Side {
    /// By a revision with sessions, in one of them.
    Sessions(Remote),
    /// By 2026-07-28, for a client that speaks it as well.
    Stateless,
    /// By 2026-07-28, for a client that speaks an earlier revision.
    Bridged(Bridged),
}

/// A session at the upstream.
pub(crate) struct Remote {
    /// Its id, if the upstream gave one.
    pub(crate) session: Option<HeaderValue>,
    /// The revision that was agreed on.
    pub(crate) version: HeaderValue,
    /// What the upstream answered to `initialize`.
    pub(crate) initialized: Value,
}

/// What an older client said of itself once, and a newer upstream is told with each request.
pub(crate) struct Bridged {
    /// Who the client is.
    pub(crate) client: Value,
    /// What the upstream says of itself.
    pub(crate) discovered: Value,
}

/// What the other end answers without being asked over the network.
pub(crate) enum Local {
    /// This message.
    Answer(Vec<u8>),
    /// Nothing: it has no place for this.
    Nothing,
}

impl Side {
    /// The headers that a message of a client carries. `from` are the client's, compared with the
    /// body already.
    pub(crate) fn headers(
        &self,
        message: &Message,
        from: &HeaderMap,
        tools: &Tools,
        authorization: Option<HeaderValue>,
    ) -> HeaderMap {
        let Self::Stateless = self else {
            return self.own_headers(message, tools, authorization);
        };
        let mut headers = mirrored(from);
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value);
        }
        headers
    }

    /// The headers that a message carries which no client of this revision has sent.
    pub(crate) fn own_headers(
        &self,
        message: &Message,
        tools: &Tools,
        authorization: Option<HeaderValue>,
    ) -> HeaderMap {
        let mut headers = match self {
            Self::Sessions(remote) => remote.headers(),
            Self::Stateless | Self::Bridged(_) => {
                let params = message.strict().ok().flatten();
                let body = Body {
                    method: message.method().unwrap_or_default(),
                    params: params.as_ref(),
                };
                mirror::of(&body, tools).into_iter().collect()
            }
        };
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value);
        }
        headers
    }

    /// What is answered here instead of by the upstream.
    pub(crate) fn local(&self, message: &Message) -> Option<Local> {
        match self {
            Self::Sessions(remote) if message.method() == Some("server/discover") => {
                let id = message.id()?;
                let result = bridge::discover_result(&remote.initialized);
                Some(Local::Answer(jsonrpc::result(id, &result)))
            }
            Self::Bridged(bridged) => bridged.local(message),
            Self::Sessions(_) | Self::Stateless => None,
        }
    }
}

impl Remote {
    /// The headers of every request of the session.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(VERSION, self.version.clone());
        if let Some(session) = &self.session {
            headers.insert(SESSION, session.clone());
        }
        headers
    }
}

impl Bridged {
    fn local(&self, message: &Message) -> Option<Local> {
        let Kind::Request { id, method } = message.kind() else {
            return Some(Local::Nothing);
        };
        let answer = match method.as_str() {
            "initialize" => {
                let params = message.strict().ok().flatten();
                let asked = params.as_ref().and_then(|it| it.get("protocolVersion"));
                let asked = asked.and_then(Value::as_str);
                jsonrpc::result(id, &bridge::initialize_result(asked, &self.discovered))
            }
            "ping" => jsonrpc::result(id, &serde_json::json!({})),
            "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
                let text = "the server speaks a revision that has no such method";
                jsonrpc::error(Some(id), code::METHOD_NOT_FOUND, text, None)
            }
            _ => return None,
        };
        Some(Local::Answer(answer))
    }
}

/// The headers of the protocol that a client of 2026-07-28 sent.
fn mirrored(from: &HeaderMap) -> HeaderMap {
    let known = |name: &HeaderName| {
        *name == VERSION
            || *name == METHOD
            || *name == NAME
            || name.as_str().starts_with("mcp-param-")
    };
    let all = from.iter().filter(|(name, _)| known(name));
    all.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
