//! Messages of the server.

use std::time::Duration;

use super::client::shown;
use super::conversation::{Asked, InFlight};
use super::methods::{Capability, JudgedMethod, ServerMethod};
use super::observe;
use super::refusal::{Form, Refusal};
use super::tools;
use super::{Conversation, FromServer, Revision};
use crate::jsonrpc::{self, Id, Kind, Message, Overlong, RawObject, code};
use crate::limits::{IN_FLIGHT, LIST_PAGES};

impl Conversation {
    /// What to do with a message of the server. What a tool returned is recorded here, before the
    /// client has it.
    pub fn from_server(&self, bytes: Vec<u8>) -> FromServer {
        let message = match Message::read(bytes) {
            Ok(message) => message,
            Err(error) => {
                let text = format!("a message of the server was dropped: {error}");
                self.relay.notice(&text);
                return self.broken(error.id.as_ref(), "its answer is not readable in one way");
            }
        };
        match message.kind().clone() {
            Kind::Request { id, method } => self.server_asks(message, &id, &method),
            Kind::Notification { method } => self.server_tells(message, &method),
            Kind::Response {
                id: Some(id),
                is_error,
            } => self.server_answers(message, &id, is_error),
            Kind::Response { id: None, .. } => {
                self.relay
                    .notice("the server says that it could not read a message");
                FromServer::Drop
            }
        }
    }

    /// What to do about a message of the server that was too long to be kept.
    pub fn overlong_from_server(&self, head: &Overlong) -> FromServer {
        let text = format!(
            "a message of the server with {} bytes was dropped",
            head.bytes
        );
        self.relay.notice(&text);
        match head.method {
            Some(_) => FromServer::Drop,
            None => self.broken(
                head.id.as_ref(),
                &format!("its answer has {} bytes", head.bytes),
            ),
        }
    }

    /// One request will get no answer from the server, for this reason: what to answer to the client,
    /// if it still waits. What was judged has an execution of the phase `unknown`.
    pub fn failed(&self, id: &Id, reason: &str) -> Option<Vec<u8>> {
        let flight = self.state().in_flight.remove(id)?;
        self.lost(id, flight, reason)
    }

    /// The server is gone: the answers to everything that is in flight.
    pub fn server_gone(&self, reason: &str) -> Vec<Vec<u8>> {
        let in_flight: Vec<(Id, InFlight)> = {
            let mut state = self.state();
            state.is_server_gone = true;
            for (signal, _) in state.waiting.values() {
                signal.cancel_with("the server of tools has ended");
            }
            state.in_flight.drain().collect()
        };
        let unfinished = self.relay.with_tasks(super::tasks::Tasks::unfinished);
        for decision in unfinished {
            self.relay.report(observe::unknown(&decision));
        }
        in_flight
            .into_iter()
            .filter_map(|(id, flight)| self.lost(&id, flight, reason))
            .collect()
    }

    fn broken(&self, id: Option<&Id>, reason: &str) -> FromServer {
        match id.and_then(|id| self.failed(id, reason)) {
            Some(answer) => FromServer::Forward(answer),
            None => FromServer::Drop,
        }
    }

    /// What becomes of a request whose answer does not come.
    fn lost(&self, id: &Id, flight: InFlight, reason: &str) -> Option<Vec<u8>> {
        let to = flight.answer_to.as_ref().unwrap_or(id);
        let answer = match flight.asked {
            Asked::Judged { decision, form } => {
                self.relay.report(observe::unknown(&decision));
                Refusal::broken(reason).answer(to, form)
            }
            Asked::OwnList { done, .. } => {
                done.answer(None);
                return None;
            }
            Asked::Plain | Asked::ListTools | Asked::Task { .. } => {
                jsonrpc::error(Some(to), code::SERVER_GONE, reason, None)
            }
        };
        (!flight.is_cancelled).then_some(answer)
    }

    fn server_asks(&self, message: Message, id: &Id, method: &str) -> FromServer {
        let mut state = self.state();
        let can = state.capabilities;
        let passes = match ServerMethod::of(method) {
            ServerMethod::Pass => true,
            // A stateless server asks through `input_required`.
            ServerMethod::IfDeclared(_) if state.revision == Some(Revision::Stateless) => false,
            ServerMethod::IfDeclared(Capability::Sampling) => can.sampling,
            ServerMethod::IfDeclared(Capability::Elicitation) => can.elicitation,
            ServerMethod::IfDeclared(Capability::Roots) => can.roots,
            ServerMethod::Refuse => false,
        };
        let is_new = !state.of_server.contains(id) && !state.questions.contains_key(id);
        if passes && is_new && state.of_server.len() < IN_FLIGHT && !state.is_client_gone {
            state.of_server.insert(id.clone());
            return FromServer::Forward(message.into_bytes());
        }
        drop(state);
        let text = format!(
            "a request `{}` of the server was not relayed",
            shown(method)
        );
        self.relay.notice(&text);
        let text = "countersign does not relay this request";
        FromServer::Reply(jsonrpc::error(Some(id), code::METHOD_NOT_FOUND, text, None))
    }

    fn server_tells(&self, message: Message, method: &str) -> FromServer {
        if !ServerMethod::passes_told(method) {
            let text = format!(
                "a notification `{}` of the server was dropped",
                shown(method)
            );
            self.relay.notice(&text);
            return FromServer::Drop;
        }
        match method {
            "notifications/tools/list_changed" => {
                self.relay
                    .with_definitions(super::tools::Definitions::outdated);
            }
            "notifications/cancelled" => {
                let params = RawObject::read(message.content()).ok();
                let id = params.as_ref().and_then(|params| params.value("requestId"));
                let Some(id) = id.and_then(Id::read) else {
                    return FromServer::Drop;
                };
                if !self.state().of_server.remove(&id) {
                    return FromServer::Drop;
                }
            }
            // What a task returned is asked for, so that it is recorded first.
            "notifications/tasks" => {
                let params = RawObject::read(message.content());
                let holds = |name: &str| params.as_ref().is_ok_and(|it| it.value(name).is_some());
                if params.is_err() || holds("result") || holds("error") {
                    return FromServer::Drop;
                }
            }
            _ => {}
        }
        FromServer::Forward(message.into_bytes())
    }

    fn server_answers(&self, message: Message, id: &Id, is_error: bool) -> FromServer {
        let Some(flight) = self.state().in_flight.remove(id) else {
            self.relay
                .notice("an answer of the server to nothing that was asked was dropped");
            return FromServer::Drop;
        };
        let InFlight {
            asked,
            answer_to,
            is_cancelled,
            revision,
            begun,
        } = flight;
        if let Asked::Judged { decision, .. } = &asked {
            self.relay.told(|| {
                let took = begun.elapsed().as_secs_f64() * 1_000.0;
                let bytes = message.content().len();
                format!("{decision} returned {bytes} bytes after {took:.2} ms")
            });
        }
        let to = answer_to.as_ref().unwrap_or(id);
        let bytes = match asked {
            Asked::OwnList { done, pages } => {
                return self.own_list(&message, is_error, done, pages);
            }
            Asked::Plain => message.into_bytes(),
            Asked::ListTools if is_error => message.into_bytes(),
            Asked::ListTools => match tools::filtered(&self.relay, message.content(), revision) {
                Ok(content) => message.with_content(&content),
                Err(bad) => jsonrpc::error(Some(to), code::INTERNAL, &bad.0, None),
            },
            Asked::Judged { decision, form } => {
                self.returned(&message, (&decision, begun.elapsed()), form, to, is_error)
            }
            Asked::Task { task } => self.task_returned(&message, &task, to, is_error),
        };
        let is_over = is_cancelled || self.state().is_client_gone;
        match is_over {
            true => FromServer::Drop,
            false => FromServer::Forward(bytes),
        }
    }

    /// Records what a call returned; the answer that the client gets.
    fn returned(
        &self,
        message: &Message,
        (decision, took): (&str, Duration),
        form: Form,
        to: &Id,
        is_error: bool,
    ) -> Vec<u8> {
        let content = message.content();
        let is_fit = is_error || content.starts_with('{');
        let report = match task_begun(content).filter(|_| !is_error) {
            Some(task) => match self.relay.with_tasks(|tasks| tasks.begin(&task, decision)) {
                true => Ok(observe::started(decision)),
                false => Err(
                    "it began a task under a name that is taken or too long, or one too many"
                        .to_owned(),
                ),
            },
            None if is_fit => observe::finished(decision, content, is_error, Some(took)),
            None => Err("what it returned is no object".to_owned()),
        };
        self.hand_on(message, decision, report, form, to)
    }

    /// Hands on what is recorded, and nothing else.
    fn hand_on(
        &self,
        message: &Message,
        decision: &str,
        report: Result<countersign_wire::ExecutionRequest, String>,
        form: Form,
        to: &Id,
    ) -> Vec<u8> {
        let withheld =
            match report.map(|report| self.relay.report_result(report, form.is_own_session)) {
                Ok(true) => return message.under(to),
                Ok(false) => "what it returned could not be recorded".to_owned(),
                Err(reason) => reason,
            };
        self.relay.notice(&format!(
            "the result of `{decision}` was withheld: {withheld}"
        ));
        self.relay.report(observe::unknown(decision));
        Refusal::broken(&withheld).answer(to, form)
    }

    /// What came of a task: its state, or at its end what the tool returned.
    fn task_returned(&self, message: &Message, task: &str, to: &Id, is_error: bool) -> Vec<u8> {
        let form = Form {
            method: JudgedMethod::Call,
            is_task: true,
            revision: Revision::Sessions,
            is_own_session: false,
        };
        let known = self.relay.with_tasks(|tasks| tasks.of(task));
        let Some(known) = known else {
            return message.under(to);
        };
        let content = message.content();
        let Ok(object) = RawObject::read(content) else {
            return Refusal::broken("its answer is not readable in one way").answer(to, form);
        };
        // A task that is looked at has a `status`; what it returned stands beside it, or alone.
        let returned = match object.value("status") {
            Some(_) => object.value("result").or_else(|| object.value("error")),
            None => Some(content),
        };
        let Some(returned) = returned.filter(|_| !is_error && !known.is_recorded) else {
            return message.under(to);
        };
        self.relay.with_tasks(|tasks| tasks.recorded(task));
        let is_failure = object.value("status").is_some() && object.value("error").is_some();
        let report = observe::finished(&known.decision, returned, is_failure, None);
        self.hand_on(message, &known.decision, report, form, to)
    }

    /// A page of a list that the relay asked for itself.
    fn own_list(
        &self,
        message: &Message,
        is_error: bool,
        done: super::signal::Signal,
        pages: usize,
    ) -> FromServer {
        if !is_error {
            match tools::learn(&self.relay, message.content()) {
                Ok(_) => {}
                Err(bad) => self.relay.notice(&bad.0),
            }
        }
        let cursor = RawObject::read(message.content()).ok();
        let cursor = cursor
            .as_ref()
            .and_then(|object| object.value("nextCursor"));
        let cursor: Option<String> = cursor.and_then(|cursor| serde_json::from_str(cursor).ok());
        match cursor.filter(|_| !is_error && pages < LIST_PAGES) {
            None => {
                self.relay.with_definitions(tools::Definitions::asked);
                done.answer(None);
                FromServer::Drop
            }
            Some(cursor) => {
                let params = serde_json::json!({ "cursor": cursor });
                FromServer::Reply(self.ask_for_list(&params, done, pages + 1))
            }
        }
    }
}

/// The task that an answer says has begun.
fn task_begun(content: &str) -> Option<String> {
    let object = RawObject::read(content).ok()?;
    let holds = |name: &str| object.value(name).is_some();
    let is_task = object.value("resultType") == Some("\"task\"");
    if holds("content") || holds("structuredContent") {
        return None;
    }
    let id = match object.value("task") {
        Some(task) => RawObject::read(task).ok()?.value("taskId"),
        None if is_task => object.value("taskId"),
        None => None,
    };
    serde_json::from_str(id?).ok()
}
