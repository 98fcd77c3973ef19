//! What of a message is looked at before it is judged: whether its headers repeat it, and how an
//! upstream of another revision takes it.

use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde_json::{Value, json};

use super::app::App;
use super::mirror::{
    self, Body, HEADER_MISMATCH, LEGACY_ALL, MODERN, Mismatch, Required, SESSION, VERSION,
};
use super::reach::UNSUPPORTED_VERSION;
use super::side::Side;
use crate::jsonrpc::{self, Id, Kind, Message, code, is_judged};
use crate::relay::Conversation;

/// A message that does not go on: the status and the JSON-RPC error that say so.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) bytes: Vec<u8>,
}

impl Refused {
    fn bad(bytes: Vec<u8>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            bytes,
        }
    }
}

/// Compares a message with its headers, and says who the client is that initializes.
pub(crate) fn compared(
    app: &App,
    headers: &HeaderMap,
    message: &Message,
    side: &Side,
    modern: bool,
) -> Result<Value, Refused> {
    let refuse = |status, code, text: &str| Refused {
        status,
        bytes: jsonrpc::error(message.id(), code, text, None),
    };
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
pub(crate) fn bridged(
    side: &Side,
    conversation: &Conversation,
    message: Message,
    modern: bool,
) -> Result<Message, Refused> {
    let asks = matches!(message.kind(), Kind::Request { .. });
    let Ok(params) = message.strict() else {
        // It is refused, and the refusal recorded, by whoever judges it.
        return Ok(message);
    };
    let changed = match side {
        Side::Sessions(_) if modern => {
            conversation.settle(params.as_ref());
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
        Refused::bad(jsonrpc::error(
            message.id(),
            code::INVALID_PARAMS,
            text,
            None,
        ))
    })
}

/// Whether a message says that it is of revision 2026-07-28.
pub(crate) fn says_stateless(message: &Message) -> bool {
    let params = message.strict().ok().flatten();
    let body = Body {
        method: message.method().unwrap_or_default(),
        params: params.as_ref(),
    };
    body.version() == Some(MODERN)
}

/// Which request a message cancels.
pub(crate) fn cancelled(message: &Message) -> Option<Id> {
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

/// What is answered where headers and body differ.
pub(crate) fn mismatch(id: Option<&Id>, error: &Mismatch) -> Refused {
    let text = error.to_string();
    Refused::bad(jsonrpc::error(id, HEADER_MISMATCH, &text, None))
}

/// What is answered to a revision that is not relayed.
pub(crate) fn unsupported(version: &str) -> Refused {
    let mut supported = vec![MODERN];
    supported.extend(LEGACY_ALL.iter().rev());
    let data = json!({"supported": supported, "requested": version});
    let text = "this revision of the protocol is not relayed";
    Refused::bad(jsonrpc::error(None, UNSUPPORTED_VERSION, text, Some(&data)))
}
