//! Messages of the relay's own to the upstream: answers to what is not relayed, and its questions
//! for the list of tools.

use std::sync::Arc;

use hyper::header::HeaderValue;

use super::app::App;
use super::bridge;
use super::side::Side;
use super::upstream::{Form, Trouble};
use crate::jsonrpc::{Id, Message};
use crate::relay::{Conversation, FromServer};

/// Who speaks for the relay in a conversation.
#[derive(Clone)]
pub(crate) struct Voice {
    pub(crate) app: Arc<App>,
    pub(crate) conversation: Conversation,
    pub(crate) side: Arc<Side>,
    pub(crate) authorization: Option<HeaderValue>,
}

impl Voice {
    /// Says this, and goes on as long as what comes back asks for more. Nobody waits for it.
    pub(crate) fn say(self, bytes: Vec<u8>) {
        tokio::spawn(async move {
            let mut next = Some(bytes);
            while let Some(bytes) = next {
                next = self.once(bytes).await;
            }
        });
    }

    async fn once(&self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        let message = Message::read(bytes).ok()?;
        let message = match &*self.side {
            Side::Sessions(_) => bridge::without_meta(&message)
                .and_then(|bytes| Message::read(bytes).ok())
                .unwrap_or(message),
            // A client of 2026-07-28 sends no responses; a request says its revision.
            Side::Stateless | Side::Bridged(_) => {
                message.method()?;
                bridge::with_meta(&message, &serde_json::Value::Null)
                    .and_then(|bytes| Message::read(bytes).ok())
                    .unwrap_or(message)
            }
        };
        let asked = message.method().and_then(|_| message.id().cloned());
        match self.asked(message).await {
            Ok(more) => more,
            Err(trouble) => {
                (self.app.notices)(&format!("a message of the relay's own was lost: {trouble}"));
                self.give_up(asked?, trouble.to_string()).await;
                None
            }
        }
    }

    /// Sends a message and hears what comes back; what it asks for in turn.
    async fn asked(&self, message: Message) -> Result<Option<Vec<u8>>, Trouble> {
        let is_request = message.method().is_some() && message.id().is_some();
        let authorization = self.authorization.clone();
        let headers = self
            .side
            .own_headers(&message, &self.app.tools, authorization);
        let mut reply = self
            .app
            .upstream
            .post(headers, message.into_bytes())
            .await?;
        if !reply.status.is_success() {
            return Err(Trouble::Status(reply.status));
        }
        if !is_request {
            return Ok(None);
        }
        match reply.form() {
            Form::Json => Ok(self.heard(reply.whole().await?).await?.1),
            Form::Other => Err(Trouble::NoResponse),
            Form::Stream => {
                let mut messages = reply.messages();
                while let Some(data) = messages.next().await? {
                    if let (true, more) = self.heard(data).await? {
                        return Ok(more);
                    }
                }
                Err(Trouble::NoResponse)
            }
        }
    }

    /// Whether a message was a response, and what it asks for.
    async fn heard(&self, bytes: Vec<u8>) -> Result<(bool, Option<Vec<u8>>), Trouble> {
        let (conversation, app) = (self.conversation.clone(), Arc::clone(&self.app));
        let heard = self.app.blocking(move || {
            let message = Message::read(bytes.clone()).ok();
            let is_response = message.as_ref().is_some_and(|it| it.method().is_none());
            if let Some(result) = message.and_then(|message| message.strict().ok().flatten()) {
                app.tools.learn_list(&result);
            }
            (is_response, conversation.from_server(bytes))
        });
        match heard.await {
            Ok((is_response, FromServer::Reply(bytes))) => Ok((is_response, Some(bytes))),
            Ok((is_response, FromServer::Forward(_) | FromServer::Drop)) => Ok((is_response, None)),
            Err(_) => Err(Trouble::Broken),
        }
    }

    async fn give_up(&self, id: Id, reason: String) {
        let conversation = self.conversation.clone();
        let _ = self
            .app
            .blocking(move || conversation.failed(&id, &reason))
            .await;
    }
}
