//! A relay, and one client's conversation with its server.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use countersign_client::ClientError;
use countersign_core::limits::TOOL_NAME_BYTES;
use countersign_wire::{TurnPartRequest, TurnRequest, VisibleRequest};
use serde_json::Value;
use ulid::Ulid;

use super::open::OpenCalls;
use super::refusal::Form;
use super::reports::{Reported, Reports};
use super::signal::Signal;
use super::tasks::Tasks;
use super::tools::{Definitions, Listed};
use super::{RelayError, RelayOptions, TurnSource};
use crate::jsonrpc::Id;

/// A relay before one server of tools. Cloning it shares everything.
#[derive(Clone)]
pub struct Relay {
    shared: Arc<Shared>,
    /// Whether results may be recorded while the client has them.
    is_behind: bool,
}

struct Shared {
    options: RelayOptions,
    /// The turn that the relay registered.
    own_turn: Option<String>,
    definitions: Mutex<Definitions>,
    reports: Reports,
    tasks: Mutex<Tasks>,
    open: Mutex<OpenCalls>,
}

/// One client's conversation. Cloning it shares everything.
#[derive(Clone)]
pub struct Conversation {
    pub(super) relay: Relay,
    state: Arc<Mutex<State>>,
}

/// A revision of the protocol, as far as the relay's own answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// 2025-11-25 and before: `initialize`, sessions, requests of the server.
    Sessions,
    /// 2026-07-28: stateless, `_meta`, `resultType`, `input_required`.
    Stateless,
}

/// What the relay knows of a conversation.
#[derive(Default)]
pub(super) struct State {
    pub(super) revision: Option<Revision>,
    pub(super) capabilities: Capabilities,
    /// Requests that wait for the server's answer, by the id that the server knows.
    pub(super) in_flight: HashMap<Id, InFlight>,
    /// Requests of the server that wait for the client's answer.
    pub(super) of_server: BTreeSet<Id>,
    /// Questions of the relay's own to the client, with the call that each is about.
    pub(super) questions: HashMap<Id, Signal>,
    /// Calls that wait here and not at the server, by the client's id; and whether for a person.
    pub(super) waiting: HashMap<Id, (Signal, bool)>,
    /// Whether the client has said that it is ready.
    pub(super) is_initialized: bool,
    /// Whether revision and capabilities are known apart from the messages.
    pub(super) is_settled: bool,
    /// Whether the client sends nothing any more.
    pub(super) is_client_ended: bool,
    pub(super) is_client_gone: bool,
    pub(super) is_server_gone: bool,
}

/// What the client says that it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Capabilities {
    /// To ask its person, in whatever mode.
    pub(super) elicitation: bool,
    /// To ask its person in a form.
    pub(super) forms: bool,
    pub(super) sampling: bool,
    pub(super) roots: bool,
}

/// A request that waits for the server's answer.
pub(super) struct InFlight {
    pub(super) asked: Asked,
    /// The id that the client knows, where it is another one.
    pub(super) answer_to: Option<Id>,
    /// Whether the client waits no longer.
    pub(super) is_cancelled: bool,
    pub(super) revision: Revision,
    /// When it was sent.
    pub(super) begun: Instant,
}

impl InFlight {
    pub(super) fn new(asked: Asked, revision: Revision) -> Self {
        Self {
            asked,
            answer_to: None,
            is_cancelled: false,
            revision,
            begun: Instant::now(),
        }
    }
}

/// What was asked.
pub(super) enum Asked {
    Plain,
    ListTools,
    /// A list of the relay's own; whoever waits for it is told.
    OwnList {
        done: Signal,
        pages: usize,
    },
    Judged {
        decision: String,
        form: Form,
    },
    Task {
        task: String,
    },
}

impl Relay {
    /// A relay; registers the turn if it is given as a text. Blocks.
    pub fn new(options: RelayOptions) -> Result<Self, RelayError> {
        let own_turn = match &options.turn {
            TurnSource::Text {
                text,
                principal,
                channel,
            } => {
                let ingress = options.clients.ingress.as_ref();
                let ingress = ingress.ok_or(RelayError::NoIngress)?;
                let request = TurnRequest {
                    principal: principal.clone(),
                    author: None,
                    channel: channel.clone(),
                    session: format!("mcp:{}", Ulid::generate()),
                    actors: vec![options.actor.clone()],
                    parts: vec![TurnPartRequest {
                        by: "principal".to_owned(),
                        media_type: None,
                        text: text.clone(),
                        raw_sha256: None,
                    }],
                    expires_in_s: None,
                    mandate: None,
                };
                let turn = ingress.register_turn(&request).map_err(RelayError::Turn)?;
                Some(turn.intent_ref)
            }
            TurnSource::Unmandated | TurnSource::OfSession(_) | TurnSource::Noted(_) => None,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                options,
                own_turn,
                definitions: Mutex::default(),
                reports: Reports::default(),
                tasks: Mutex::default(),
                open: Mutex::default(),
            }),
            is_behind: false,
        })
    }

    /// A new conversation. Its revision and the client's capabilities are learned from its
    /// messages: from `initialize`, or from the `_meta` of each request.
    pub fn conversation(&self) -> Conversation {
        Conversation {
            relay: self.clone(),
            state: Arc::default(),
        }
    }

    /// Tries, for at most [`crate::limits::LAST_TRIES`], to record what could not be recorded yet.
    /// The decisions whose executions are lost are told to the notices and counted.
    pub fn close(&self) -> usize {
        let clients = &self.shared.options.clients;
        let late = |text: &str| self.notice(text);
        self.shared.reports.close(&clients.tool, &late)
    }

    /// What the relay was told.
    pub fn options(&self) -> &RelayOptions {
        &self.shared.options
    }

    /// The turn that the relay registered at its start.
    pub fn own_turn(&self) -> Option<&str> {
        self.shared.own_turn.as_deref()
    }

    pub(super) fn notice(&self, text: &str) {
        (self.shared.options.notices)(text);
    }

    /// Tells of a call, where somebody wants to know.
    pub(super) fn told(&self, text: impl FnOnce() -> String) {
        if let Some(calls) = &self.shared.options.calls {
            calls(&text());
        }
    }

    pub(super) fn with_definitions<T>(&self, work: impl FnOnce(&mut Definitions) -> T) -> T {
        work(&mut locked(&self.shared.definitions))
    }

    pub(super) fn with_tasks<T>(&self, work: impl FnOnce(&mut Tasks) -> T) -> T {
        work(&mut locked(&self.shared.tasks))
    }

    pub(super) fn with_open<T>(&self, work: impl FnOnce(&mut OpenCalls) -> T) -> T {
        work(&mut locked(&self.shared.open))
    }

    /// Records everything that is late, or says why no call may be judged.
    pub(super) fn catch_up(&self) -> Result<(), ClientError> {
        let tool = &self.shared.options.clients.tool;
        self.shared
            .reports
            .catch_up(tool, &|text| self.notice(text))
    }

    /// Lets the client have results while they are recorded, where nobody else can rest on them:
    /// calls of this relay are judged after that, and the session of a turn that the relay registered
    /// itself is its own. It spares the client the wait for a second durable entry.
    #[must_use]
    pub fn recording_behind(mut self) -> Self {
        self.is_behind = true;
        self
    }

    /// Records an execution whose result the client is about to have; false if it never will be.
    pub(super) fn report_result(
        &self,
        report: countersign_wire::ExecutionRequest,
        is_own_session: bool,
    ) -> bool {
        if !(self.is_behind && is_own_session && self.shared.reports.begin()) {
            return self.report(report);
        }
        let relay = self.clone();
        std::thread::spawn(move || {
            let decision = report.decision.clone();
            let tool = &relay.shared.options.clients.tool;
            if let Err(error) = relay.shared.reports.settle(tool, report) {
                relay.late(&decision, &error);
            }
        });
        true
    }

    /// Records an execution; false if it never will be.
    pub(super) fn report(&self, report: countersign_wire::ExecutionRequest) -> bool {
        let decision = report.decision.clone();
        let tool = &self.shared.options.clients.tool;
        match self.shared.reports.report(tool, report) {
            Reported::Recorded => true,
            Reported::Late(error) => {
                self.late(&decision, &error);
                true
            }
            Reported::Refused(error) => {
                self.notice(&format!(
                    "the execution of `{decision}` was not taken: {error}"
                ));
                false
            }
        }
    }

    fn late(&self, decision: &str, error: &ClientError) {
        self.notice(&format!(
            "the execution of `{decision}` is not recorded yet, and no call is let through until it is: {error}"
        ));
    }

    /// Which of these tools of the server any policy could permit to the actor.
    pub(super) fn visible(&self, listed: &[Listed]) -> Result<BTreeSet<String>, ClientError> {
        let options = &self.shared.options;
        let named = |name: &str| format!("{}{name}", options.prefix);
        let fits = |tool: &&Listed| named(&tool.name).len() <= TOOL_NAME_BYTES;
        let fitting = || listed.iter().filter(fits);
        let request = VisibleRequest {
            actor: options.actor.clone(),
            tools: fitting().map(|tool| named(&tool.name)).collect(),
            definitions: fitting()
                .map(|tool| (named(&tool.name), tool.digest.to_string()))
                .collect(),
        };
        if request.tools.is_empty() {
            return Ok(BTreeSet::new());
        }
        let answer = options.clients.agent.visible_tools(&request)?;
        for tool in &answer.changed {
            self.notice(&format!(
                "the server lists `{}` otherwise than it was confirmed; its calls are rejected until somebody confirms it again",
                super::client::shown(tool)
            ));
        }
        let names: Vec<&str> = listed.iter().map(|tool| tool.name.as_str()).collect();
        Ok(super::tools::among(
            &names,
            &options.prefix,
            &answer.visible,
        ))
    }
}

impl Conversation {
    /// The revision that the client speaks, once that is known.
    pub fn revision(&self) -> Option<Revision> {
        self.state().revision
    }

    /// For a transport that stands between two revisions and writes `_meta` as the server needs it:
    /// from now on the client's revision and capabilities are those of these parameters, or those
    /// that are known, whatever later messages say.
    pub fn settle(&self, params: Option<&Value>) {
        let mut state = self.state();
        let (revision, capabilities) = state.of_request(params);
        state.revision = Some(revision);
        state.capabilities = capabilities;
        state.is_settled = true;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl State {
    /// How many requests wait for something.
    pub(super) fn load(&self) -> usize {
        self.in_flight.len() + self.waiting.len()
    }

    /// Whether the client uses this id for something that is not answered.
    pub(super) fn is_used(&self, id: &Id) -> bool {
        self.waiting.contains_key(id) || self.is_asked(id)
    }

    /// Whether something was sent to the server for this id.
    pub(super) fn is_asked(&self, id: &Id) -> bool {
        let is_answered_under =
            |flight: &InFlight| flight.answer_to.as_ref().is_some_and(|known| known == id);
        self.in_flight.contains_key(id) || self.in_flight.values().any(is_answered_under)
    }

    /// Learns from the parameters of `initialize`.
    pub(super) fn initialized_with(&mut self, params: &Value) {
        self.revision = Some(Revision::Sessions);
        self.capabilities = Capabilities::of(params.get("capabilities"));
    }

    /// Learns from the `_meta` of a request (2026-07-28); its revision and capabilities hold for
    /// that request alone.
    pub(super) fn of_request(&mut self, params: Option<&Value>) -> (Revision, Capabilities) {
        let meta = params.and_then(|params| params.get("_meta"));
        let version = meta
            .and_then(|meta| meta.get("io.modelcontextprotocol/protocolVersion"))
            .and_then(Value::as_str);
        // Versions are dates, so their order is that of their texts.
        if !self.is_settled && version.is_some_and(|version| version >= "2026-07-28") {
            let declared =
                meta.and_then(|meta| meta.get("io.modelcontextprotocol/clientCapabilities"));
            self.revision = Some(Revision::Stateless);
            return (Revision::Stateless, Capabilities::of(declared));
        }
        let revision = self.revision.unwrap_or(Revision::Sessions);
        (revision, self.capabilities)
    }
}

impl Capabilities {
    fn of(declared: Option<&Value>) -> Self {
        let has = |name: &str| {
            declared
                .and_then(|all| all.get(name))
                .filter(|it| it.is_object())
        };
        // `elicitation: {}` means forms; with members, they are named.
        let modes = has("elicitation").and_then(Value::as_object);
        Self {
            elicitation: modes.is_some(),
            forms: modes.is_some_and(|modes| modes.is_empty() || modes.contains_key("form")),
            sampling: has("sampling").is_some(),
            roots: has("roots").is_some(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_client_that_says_so_is_asked_in_forms() {
        let asked = |declared: Value| Capabilities::of(Some(&declared)).forms;
        assert!(asked(json!({"elicitation": {}})));
        assert!(asked(json!({"elicitation": {"form": {}, "url": {}}})));
        for declared in [
            json!({}),
            json!({"elicitation": {"url": {}}}),
            json!({"elicitation": true}),
            json!(null),
        ] {
            assert!(!asked(declared.clone()), "{declared}");
        }
    }
}
