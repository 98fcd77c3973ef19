//! Messages of the client.

use serde_json::Value;

use super::conversation::{Asked, Capabilities, InFlight};
use super::methods::ClientMethod;
use super::{Conversation, FromClient, Revision};
use crate::jsonrpc::{self, Id, Kind, Message, Overlong, RawObject, code, is_judged};
use crate::limits::{IN_FLIGHT, MESSAGE_BYTES};

impl Conversation {
    /// Reads a message of the client. What cannot be read is answered by the bytes of
    /// [`FromClient::Refuse`]; where it was meant as a call, the ledger has the rejection.
    pub fn read(&self, bytes: Vec<u8>) -> Result<Message, FromClient> {
        Message::read(bytes).map_err(|error| self.unreadable(&error))
    }

    /// What to do with a message of the client. A call is judged here: this takes as long as the
    /// Countersign server takes, and ends in a refusal if it does not answer.
    pub fn from_client(&self, message: Message) -> FromClient {
        match message.kind().clone() {
            Kind::Request { id, method } => self.client_asks(message, &id, &method),
            Kind::Notification { method } => self.client_tells(message, &method),
            Kind::Response { id, .. } => self.client_answers(message, id.as_ref()),
        }
    }

    /// What to answer to a message of the client that was too long to be kept.
    pub fn overlong_from_client(&self, head: &Overlong) -> FromClient {
        let reason = format!(
            "the message has {} bytes; allowed are {MESSAGE_BYTES}",
            head.bytes
        );
        match head.method.as_deref() {
            Some(method) if !is_judged(method) => {
                let text = format!("countersign refused this message: {reason}");
                FromClient::Refuse(jsonrpc::error(
                    head.id.as_ref(),
                    code::INVALID_REQUEST,
                    &text,
                    None,
                ))
            }
            _ => self.malformed(head.id.as_ref(), code::INVALID_REQUEST, &reason),
        }
    }

    /// The client is gone: nobody waits for answers any more, and what the server returns is still
    /// recorded.
    pub fn client_gone(&self) {
        let mut state = self.state();
        state.is_client_gone = true;
        state.is_client_ended = true;
        for (signal, _) in state.waiting.values() {
            signal.cancel();
        }
    }

    /// The client sends nothing any more, and may still read: what waits for a person is refused,
    /// everything else is answered.
    pub fn client_ended(&self) {
        let mut state = self.state();
        state.is_client_ended = true;
        for (signal, is_for_person) in state.waiting.values() {
            if *is_for_person {
                signal.cancel_with("the client closed its side before a person had answered");
            }
        }
    }

    fn client_asks(&self, message: Message, id: &Id, method: &str) -> FromClient {
        let what = ClientMethod::of(method);
        if what == ClientMethod::Refuse {
            let text = format!("countersign does not relay the method `{}`", shown(method));
            return FromClient::Refuse(jsonrpc::error(
                Some(id),
                code::METHOD_NOT_FOUND,
                &text,
                None,
            ));
        }
        let params = match message.strict() {
            Ok(params) => params,
            Err(error) => {
                let reason = format!("`params` is not readable in one way: {error}");
                return self.unfit(id, method, code::INVALID_PARAMS, &reason);
            }
        };
        let taken = self.admit(id, params.as_ref());
        let (revision, capabilities) = match taken {
            Ok(of_request) => of_request,
            Err(reason) => return self.unfit(id, method, code::INVALID_REQUEST, reason),
        };
        let of_request = (revision, capabilities);
        let asked = match what {
            ClientMethod::Judge(method) => {
                let params = params.unwrap_or(Value::Null);
                return self.judge(&message, id, method, &params, of_request);
            }
            ClientMethod::Task => match self.task_of(params.as_ref()) {
                Ok(task) => Asked::Task { task },
                Err(reason) => return self.unfit(id, method, code::INVALID_PARAMS, reason),
            },
            ClientMethod::ListTools => Asked::ListTools,
            ClientMethod::Initialize => {
                let params = params.unwrap_or(Value::Null);
                self.state().initialized_with(&params);
                Asked::Plain
            }
            ClientMethod::Pass | ClientMethod::Refuse => Asked::Plain,
        };
        let flight = InFlight::new(asked, revision);
        self.state().in_flight.insert(id.clone(), flight);
        FromClient::Forward(message.into_bytes())
    }

    /// Whether another request may be taken, and what it says of its client.
    fn admit(
        &self,
        id: &Id,
        params: Option<&Value>,
    ) -> Result<(Revision, Capabilities), &'static str> {
        let mut state = self.state();
        if state.is_server_gone {
            return Err("the server of tools has ended");
        }
        if state.is_used(id) {
            return Err("its id is that of a request that is not answered yet");
        }
        if state.load() >= IN_FLIGHT {
            return Err("too many requests wait for an answer");
        }
        Ok(state.of_request(params))
    }

    fn unfit(&self, id: &Id, method: &str, code: i64, reason: &str) -> FromClient {
        if is_judged(method) {
            return self.malformed(Some(id), code, reason);
        }
        let text = format!("countersign refused this message: {reason}");
        FromClient::Refuse(jsonrpc::error(Some(id), code, &text, None))
    }

    fn task_of(&self, params: Option<&Value>) -> Result<String, &'static str> {
        let task = params.and_then(|params| params.get("taskId"));
        let task = task.and_then(Value::as_str).ok_or("`taskId` is no text")?;
        let known = self.relay.with_tasks(|tasks| tasks.of(task));
        match known {
            Some(_) => Ok(task.to_owned()),
            None => Err("no call that was let through here has begun this task"),
        }
    }

    fn client_tells(&self, message: Message, method: &str) -> FromClient {
        if is_judged(method) {
            // Without an id it cannot be answered, and a lenient server would carry it out.
            let reason = "a call without an id";
            let _ = self.malformed(None, code::INVALID_REQUEST, reason);
            self.relay
                .notice("a call without an id was not let through");
            return FromClient::Drop;
        }
        if !ClientMethod::passes_told(method) || message.strict().is_err() {
            let text = format!(
                "a notification `{}` of the client was dropped",
                shown(method)
            );
            self.relay.notice(&text);
            return FromClient::Drop;
        }
        match method {
            "notifications/initialized" => self.state().is_initialized = true,
            "notifications/cancelled" => return self.client_cancels(message),
            _ => {}
        }
        FromClient::Forward(message.into_bytes())
    }

    fn client_cancels(&self, message: Message) -> FromClient {
        let params = RawObject::read(message.content()).ok();
        let id_text = params.as_ref().and_then(|params| params.value("requestId"));
        let Some(id) = id_text.and_then(Id::read) else {
            return FromClient::Drop;
        };
        let mut state = self.state();
        if let Some((signal, _)) = state.waiting.get(&id) {
            signal.cancel();
            return FromClient::Drop;
        }
        let is_it = |(upstream, flight): &(&Id, &mut InFlight)| {
            flight.answer_to.as_ref().unwrap_or(upstream) == &id
        };
        let Some((upstream, flight)) = state.in_flight.iter_mut().find(is_it) else {
            return FromClient::Drop;
        };
        flight.is_cancelled = true;
        if flight.answer_to.is_none() {
            return FromClient::Forward(message.into_bytes());
        }
        let params = serde_json::json!({ "requestId": upstream });
        FromClient::Forward(jsonrpc::notification("notifications/cancelled", &params))
    }

    fn client_answers(&self, message: Message, id: Option<&Id>) -> FromClient {
        let Some(id) = id else {
            return FromClient::Drop;
        };
        let mut state = self.state();
        if let Some(signal) = state.questions.remove(id) {
            drop(state);
            signal.answer(message.strict().ok().flatten());
            return FromClient::Drop;
        }
        if state.of_server.remove(id) {
            return FromClient::Forward(message.into_bytes());
        }
        drop(state);
        self.relay
            .notice("an answer of the client to nothing that was asked was dropped");
        FromClient::Drop
    }
}

/// A name that somebody else wrote, as it may stand in a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}
