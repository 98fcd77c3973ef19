//! One message, taken apart as far as relaying needs it.

use std::ops::Range;

use countersign_core::json::{self, StrictError};
use serde_json::Value;

use super::id::Id;
use super::overlong::Scanner;
use super::raw::{RawObject, place};
use crate::limits::{MESSAGE_BYTES, METHOD_BYTES};

/// A message: the very text that came, and where its parts stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    text: String,
    kind: Kind,
    id: Range<usize>,
    /// Of `params`, `result` or `error`; empty if there is none.
    content: Range<usize>,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It asks, and is answered.
    Request {
        /// Its id.
        id: Id,
        /// What it asks for.
        method: String,
    },
    /// It tells something and is not answered.
    Notification {
        /// What it tells.
        method: String,
    },
    /// It answers a request.
    Response {
        /// The request's id; `None` where an error names no request.
        id: Option<Id>,
        /// Whether it is an error.
        is_error: bool,
    },
}

/// A text that is no message, with what of it could be read all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// What is wrong.
    pub reason: String,
    /// The code of the error that says so.
    pub code: i64,
    /// The id that it would have to be answered under.
    pub id: Option<Id>,
    /// Whether the word of a method stands in it that is judged: then the refusal is recorded.
    pub names_judged: bool,
}

impl Message {
    /// Reads one message. Batches are refused (MCP has none since 2025-06-18), as are members
    /// that JSON-RPC does not know, in whatever spelling: some readers take `Method` for `method`.
    pub fn read(bytes: Vec<u8>) -> Result<Self, Unreadable> {
        if bytes.len() > MESSAGE_BYTES {
            let reason = format!(
                "the message has {} bytes; allowed are {MESSAGE_BYTES}",
                bytes.len()
            );
            return Err(Unreadable::of(&bytes, reason, super::code::INVALID_REQUEST));
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let reason = "the message is no utf-8".to_owned();
                return Err(Unreadable::of(error.as_bytes(), reason, super::code::PARSE));
            }
        };
        let begin = text.trim_start_matches([' ', '\t', '\r', '\n']);
        if begin.starts_with('[') {
            let reason = "the message is a batch; send its requests one by one".to_owned();
            return Err(Unreadable::of(b"", reason, super::code::INVALID_REQUEST));
        }
        let object = RawObject::read(&text).map_err(|error| {
            let reason = format!("the message is no json object with one meaning: {error}");
            Unreadable::of(text.as_bytes(), reason, super::code::PARSE)
        })?;
        let (kind, id, content) = take_apart(&text, &object)?;
        Ok(Self {
            text,
            kind,
            id,
            content,
        })
    }

    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Its method, unless it is a response.
    pub fn method(&self) -> Option<&str> {
        match &self.kind {
            Kind::Request { method, .. } | Kind::Notification { method } => Some(method),
            Kind::Response { .. } => None,
        }
    }

    /// Its id, unless it has none.
    pub fn id(&self) -> Option<&Id> {
        match &self.kind {
            Kind::Request { id, .. } => Some(id),
            Kind::Response { id, .. } => id.as_ref(),
            Kind::Notification { .. } => None,
        }
    }

    /// The very text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The very bytes.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The very bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// The text of `params`, `result` or `error`; empty if there is none.
    pub fn content(&self) -> &str {
        self.text.get(self.content.clone()).unwrap_or_default()
    }

    /// `params`, `result` or `error`, read strictly: `None` if there is none.
    pub fn strict(&self) -> Result<Option<Value>, StrictError> {
        match self.content() {
            "" => Ok(None),
            content => json::parse(content.as_bytes(), MESSAGE_BYTES).map(Some),
        }
    }

    /// The same message under another id.
    pub fn under(&self, id: &Id) -> Vec<u8> {
        let written = serde_json::to_string(id).unwrap_or_default();
        let mut text = self.text.clone();
        text.replace_range(self.id.clone(), &written);
        text.into_bytes()
    }

    /// The same message with another content: the parts around it stay as they are.
    pub fn with_content(&self, content: &str) -> Vec<u8> {
        let mut text = self.text.clone();
        text.replace_range(self.content.clone(), content);
        text.into_bytes()
    }
}

impl Unreadable {
    fn of(bytes: &[u8], reason: String, code: i64) -> Self {
        let mut scanner = Scanner::default();
        scanner.feed(bytes);
        let seen = scanner.end();
        Self {
            reason,
            code,
            names_judged: seen.method.as_deref().is_none_or(is_judged),
            id: seen.id,
        }
    }
}

type Taken = (Kind, Range<usize>, Range<usize>);

fn take_apart(text: &str, object: &RawObject<'_>) -> Result<Taken, Unreadable> {
    let id_text = object.value("id");
    let id = id_text.and_then(Id::read);
    let names_judged = object.value("method").is_none_or(|method| {
        let method: Option<String> = serde_json::from_str(method).ok();
        method.is_none_or(|method| is_judged(&method))
    });
    let wrong = |reason: String| Unreadable {
        reason,
        code: super::code::INVALID_REQUEST,
        id: id.clone(),
        names_judged,
    };
    for (name, _) in object.members() {
        if !matches!(
            name,
            "jsonrpc" | "id" | "method" | "params" | "result" | "error"
        ) {
            let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
            return Err(wrong(format!(
                "`{shown}` is no member of a json-rpc message"
            )));
        }
    }
    let version: Option<String> = object
        .value("jsonrpc")
        .and_then(|it| serde_json::from_str(it).ok());
    if version.as_deref() != Some("2.0") {
        return Err(wrong("`jsonrpc` is not \"2.0\"".to_owned()));
    }
    let at = |part: Option<&str>| part.map_or(0..0, |part| place(text, part));
    let (kind, content) = match object.value("method") {
        Some(method) => asking(object, method, id.as_ref()).map_err(wrong)?,
        None => answering(object, id.as_ref()).map_err(wrong)?,
    };
    Ok((kind, at(id_text), at(content)))
}

/// A response, with its result or its error; why it is none otherwise.
fn answering<'a>(
    object: &RawObject<'a>,
    id: Option<&Id>,
) -> Result<(Kind, Option<&'a str>), String> {
    let (result, error) = (object.value("result"), object.value("error"));
    let is_null = object.value("id") == Some("null") && error.is_some();
    if (id.is_none() && !is_null) || object.value("params").is_some() {
        return Err("it is neither a request nor a response with an id".to_owned());
    }
    let (content, is_error) = match (result, error) {
        (Some(result), None) => (result, false),
        (None, Some(error)) => (error, true),
        _ => return Err("a response has either `result` or `error`".to_owned()),
    };
    let kind = Kind::Response {
        id: id.cloned(),
        is_error,
    };
    Ok((kind, Some(content)))
}

/// A request or a notification, with its parameters; why it is none otherwise.
fn asking<'a>(
    object: &RawObject<'a>,
    method: &str,
    id: Option<&Id>,
) -> Result<(Kind, Option<&'a str>), String> {
    let method: Option<String> = serde_json::from_str(method).ok();
    let Some(method) = method.filter(|method| (1..=METHOD_BYTES).contains(&method.len())) else {
        return Err(format!("`method` is no text of 1 to {METHOD_BYTES} bytes"));
    };
    if object.value("result").is_some() || object.value("error").is_some() {
        return Err("a request has neither `result` nor `error`".to_owned());
    }
    let params = object.value("params");
    if params.is_some_and(|params| !params.starts_with('{')) {
        return Err("`params` is no object".to_owned());
    }
    let kind = match (object.value("id"), id) {
        (None, _) => Kind::Notification { method },
        (Some(_), Some(id)) => Kind::Request {
            id: id.clone(),
            method,
        },
        (Some(_), None) => {
            let what = "`id` is neither a text of at most 256 bytes nor a whole number";
            return Err(what.to_owned());
        }
    };
    Ok((kind, params))
}

/// Whether a method asks for what is judged.
pub(crate) fn is_judged(method: &str) -> bool {
    matches!(
        method,
        "tools/call" | "resources/read" | "prompts/get" | "completion/complete"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Message, Unreadable> {
        Message::read(text.as_bytes().to_vec())
    }

    #[test]
    fn requests_notifications_and_responses_are_told_apart() {
        let text = r#" {"jsonrpc":"2.0", "id":"a","method":"tools/call","params":{"x":1.0}}"#;
        let request = read(text).unwrap();
        let method = "tools/call".to_owned();
        assert_eq!(
            request.kind(),
            &Kind::Request {
                id: Id::Text("a".into()),
                method
            }
        );
        assert_eq!(request.content(), r#"{"x":1.0}"#);
        assert_eq!(request.bytes(), text.as_bytes());
        assert_eq!(
            request.under(&Id::Number(9)),
            text.replace("\"a\"", "9").into_bytes()
        );
        let told = read(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).unwrap();
        assert_eq!((told.id(), told.content()), (None, ""));
        let answer = read(r#"{"result":{"a":[]},"jsonrpc":"2.0","id":3}"#).unwrap();
        assert_eq!(
            answer.kind(),
            &Kind::Response {
                id: Some(Id::Number(3)),
                is_error: false
            }
        );
        assert_eq!(
            answer.with_content("{}"),
            br#"{"result":{},"jsonrpc":"2.0","id":3}"#
        );
        let error = read(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#);
        assert_eq!(
            error.unwrap().kind(),
            &Kind::Response {
                id: None,
                is_error: true
            }
        );
    }

    #[test]
    fn what_two_readers_could_take_differently_is_no_message() {
        for text in [
            r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call"}]"#,
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{},"params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"Id":2,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1.0,"method":"tools/call"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":""}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#,
            "",
            "nonsense",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_whether_it_may_have_been_a_call() {
        let of = |text: &str| read(text).unwrap_err();
        let call = of(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","extra":1}"#);
        assert_eq!((call.id, call.names_judged), (Some(Id::Number(7)), true));
        let ping = of(r#"{"jsonrpc":"2.0","id":7,"method":"ping","extra":1}"#);
        assert!(!ping.names_judged);
        assert!(of("[]").names_judged);
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_what_another_reader_reads(text in r#"\{("(jsonrpc|id|method|params|result|error|x)" ?: ?("2.0"|"ping"|7|-1|null|\{\}|\[1\]|1\.5),?){0,5}\}"#) {
            if let Ok(message) = read(&text) {
                let other: serde_json::Value = serde_json::from_str(&text).unwrap();
                proptest::prop_assert_eq!(&other["jsonrpc"], "2.0");
                proptest::prop_assert_eq!(message.method(), other["method"].as_str());
                let id = message.id().map(|id| serde_json::to_value(id).unwrap());
                proptest::prop_assert_eq!(id.unwrap_or_default(), other["id"].clone());
                proptest::prop_assert_eq!(message.into_bytes(), text.into_bytes());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = Message::read(bytes);
        }
    }
}
