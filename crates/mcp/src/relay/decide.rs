//! Calls: what of them is judged, and the asking.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use countersign_client::ClientError;
use countersign_core::json::CanonicalJson;
use countersign_core::limits::TOOL_NAME_BYTES;
use countersign_core::refs::Sha256;
use countersign_wire::{DecisionAnswer, DecisionRequest, WireRequest};
use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::client::shown;
use super::conversation::{Asked, Capabilities, InFlight};
use super::methods::{JudgedMethod, is_reserved};
use super::open::is_own;
use super::refusal::{Form, Refusal};
use super::{Conversation, FromClient, Relay, Revision, TurnSource};
use crate::jsonrpc::{self, Id, Message, Unreadable, code};

/// The member of `_meta` by which a client names the turn that a call follows from.
pub(super) const INTENT_REF: &str = "dev.countersign/intent_ref";
/// How calls are framed, as decisions name it.
const PROFILE: &str = "mcp";

/// A call as it is judged, and as it is forwarded.
#[derive(Clone)]
pub(super) struct Call {
    /// The id that the client gave it.
    pub(super) id: Id,
    pub(super) method: JudgedMethod,
    /// Whether it asks for a task in place of a result.
    pub(super) is_task: bool,
    pub(super) revision: Revision,
    pub(super) capabilities: Capabilities,
    /// The very bytes.
    pub(super) bytes: Arc<[u8]>,
    /// The tool's name, as its server knows it.
    name: String,
    pub(super) args: Value,
    intent_ref: Option<String>,
    /// What makes two calls the same: tool, arguments, turn.
    pub(super) digest: Sha256,
}

/// What a client sends along with a call that was answered with a question.
pub(super) struct Resumed {
    pub(super) state: String,
    pub(super) answers: Option<Value>,
}

impl Call {
    /// Reads what is judged out of a request's parameters.
    fn read(
        message: &Message,
        id: Id,
        method: JudgedMethod,
        params: &Value,
        (revision, capabilities): (Revision, Capabilities),
    ) -> Result<Self, String> {
        let params = params.as_object().ok_or("`params` is missing")?;
        one_spelling(params, method)?;
        let name = match method {
            JudgedMethod::Call => tool_name(params)?,
            _ => method.tool().unwrap_or_default().to_owned(),
        };
        let args = match method {
            JudgedMethod::Call => params
                .get("arguments")
                .cloned()
                .unwrap_or_else(|| json!({})),
            _ => {
                let asked = method.members().iter();
                let asked = asked.filter_map(|member| {
                    Some(((*member).to_owned(), params.get(*member)?.clone()))
                });
                Value::Object(asked.collect())
            }
        };
        if !args.is_object() {
            return Err("`arguments` is no object".to_owned());
        }
        one_case(&args)?;
        let meta = params.get("_meta").and_then(|meta| meta.get(INTENT_REF));
        let intent_ref = match meta {
            None => None,
            Some(Value::String(text)) if text.len() <= 128 => Some(text.clone()),
            Some(_) => return Err(format!("`_meta[\"{INTENT_REF}\"]` is no intent ref")),
        };
        let same = json!({ "tool": name, "args": args, "intent": intent_ref });
        let canonical = CanonicalJson::of(&same).map_err(|error| error.to_string())?;
        Ok(Self {
            id,
            method,
            is_task: params.contains_key("task"),
            revision,
            capabilities,
            bytes: message.bytes().into(),
            name,
            args,
            intent_ref,
            digest: Sha256::of(canonical.as_bytes()),
        })
    }

    pub(super) fn form(&self, relay: &Relay) -> Form {
        let is_named_elsewhere = matches!(
            relay.options().turn,
            TurnSource::OfSession(_) | TurnSource::Noted(_)
        );
        Form {
            is_own_session: !is_named_elsewhere && !self.names_turn(),
            method: self.method,
            is_task: self.is_task,
            revision: self.revision,
        }
    }

    /// The tool's name as policies know it.
    pub(super) fn tool(&self, relay: &Relay) -> String {
        format!("{}{}", relay.options().prefix, self.name)
    }

    /// The very bytes, as decisions and permits name them.
    pub(super) fn wire(&self, relay: &Relay) -> WireRequest {
        WireRequest {
            profile: PROFILE.to_owned(),
            destination: relay.options().server_name.clone(),
            sha256: Sha256::of(&self.bytes).to_string(),
        }
    }

    /// Whether the turn is one that the call itself names.
    pub(super) fn names_turn(&self) -> bool {
        self.intent_ref.is_some()
    }
}

impl Conversation {
    /// Judges a request, and says what becomes of it.
    pub(super) fn judge(
        &self,
        message: &Message,
        id: &Id,
        method: JudgedMethod,
        params: &Value,
        of_request: (Revision, Capabilities),
    ) -> FromClient {
        let call = match Call::read(message, id.clone(), method, params, of_request) {
            Ok(call) => call,
            Err(reason) => return self.malformed(Some(id), code::INVALID_PARAMS, &reason),
        };
        if let Some(resumed) = resumed(params) {
            return self.resume(&call, &resumed);
        }
        let needs_list =
            method == JudgedMethod::Call && !self.relay.with_definitions(|known| known.is_listed());
        let may_ask = call.revision == Revision::Stateless || self.state().is_initialized;
        if needs_list && may_ask {
            return self.listed_first(call);
        }
        self.decide(call)
    }

    /// Asks for the decision on a call.
    pub(super) fn decide(&self, call: Call) -> FromClient {
        if let Err(error) = self.relay.catch_up() {
            return self.refuse(&call, &Refusal::undecided(&error));
        }
        if let Some(known) = self.relay.with_open(|open| open.same(&call))
            && let Some(taken_up) = self.take_up(&call, &known)
        {
            return taken_up;
        }
        let begun = Instant::now();
        let asked = self.relay.ask(&call);
        self.relay.told(|| {
            let tool = shown(&call.tool(&self.relay));
            let took = begun.elapsed().as_secs_f64() * 1_000.0;
            match &asked {
                Ok(answer) => format!(
                    "{} `{tool}` in {took:.2} ms: {}",
                    answer.outcome, answer.entry_id
                ),
                Err(error) => format!("undecided `{tool}` in {took:.2} ms: {error}"),
            }
        });
        match asked {
            Err(error) => self.refuse(&call, &Refusal::undecided(&error)),
            Ok(answer) => match answer.outcome.as_str() {
                "approved" => self.forward(&call, &call, &answer.entry_id),
                "escalated" => self.escalated(call, answer),
                _ => self.refuse(&call, &Refusal::rejected(&answer)),
            },
        }
    }

    /// Lets a call through: the bytes that were judged go on, under the id that they hold, and the
    /// answer goes to the request that waits.
    pub(super) fn forward(&self, judged: &Call, waiting: &Call, decision: &str) -> FromClient {
        let mut state = self.state();
        // Between the decision and now, the server may have gone, or the id may have been used.
        let is_free = match judged.id == waiting.id {
            true => !state.is_asked(&judged.id),
            false => !state.is_used(&judged.id),
        };
        if state.is_server_gone || state.is_client_gone || !is_free {
            drop(state);
            self.relay.report(super::observe::unknown(decision));
            let reason = "the call could not be sent to the server any more";
            return self.refuse(waiting, &Refusal::unfit(reason));
        }
        let asked = Asked::Judged {
            decision: decision.to_owned(),
            form: waiting.form(&self.relay),
        };
        let mut flight = InFlight::new(asked, waiting.revision);
        flight.answer_to = (judged.id != waiting.id).then(|| waiting.id.clone());
        state.in_flight.insert(judged.id.clone(), flight);
        FromClient::Forward(judged.bytes.to_vec())
    }

    pub(super) fn refuse(&self, call: &Call, refusal: &Refusal) -> FromClient {
        FromClient::Answer(refusal.answer(&call.id, call.form(&self.relay)))
    }

    /// Refuses what is no call that can be relayed, and has the ledger say so.
    pub(super) fn malformed(&self, id: Option<&Id>, code: i64, reason: &str) -> FromClient {
        let recorded = self.relay.record_malformed();
        let (text, data) = match &recorded {
            Some(entry) => (
                format!("countersign refused this message: {reason} (ledger entry {entry})"),
                Some(
                    json!({ "dev.countersign/refusal": { "outcome": "rejected", "entry_id": entry } }),
                ),
            ),
            None => (format!("countersign refused this message: {reason}"), None),
        };
        FromClient::Refuse(jsonrpc::error(id, code, &text, data.as_ref()))
    }

    /// The same for a message that could not be read.
    pub(super) fn unreadable(&self, error: &Unreadable) -> FromClient {
        if error.names_judged {
            return self.malformed(error.id.as_ref(), error.code, &error.reason);
        }
        let text = format!("countersign refused this message: {}", error.reason);
        FromClient::Refuse(jsonrpc::error(error.id.as_ref(), error.code, &text, None))
    }
}

impl Relay {
    fn ask(&self, call: &Call) -> Result<DecisionAnswer, ClientError> {
        let options = self.options();
        let mut request = DecisionRequest {
            tool: self.tool_of(call),
            args: call.args.clone(),
            actor: options.actor.clone(),
            external_call_id: Some(call.id.to_string()),
            wire: Some(call.wire(self)),
            definition: self.definition_of(call).map(|digest| digest.to_string()),
            ..DecisionRequest::default()
        };
        request.session = options.turn.session();
        match &call.intent_ref {
            Some(intent_ref) => request.intent_ref = Some(intent_ref.clone()),
            None if request.session.is_some() => request.session_turn = true,
            None => request.intent_ref = self.own_turn().map(str::to_owned),
        }
        // What may have been decided already, without the answer having come, is asked for again
        // under the same key: it is decided once.
        let key = Ulid::generate().to_string();
        match options.clients.agent.decide(&request, Some(&key)) {
            Err(ClientError::Broken { .. } | ClientError::Unreachable { .. }) => {
                options.clients.agent.decide(&request, Some(&key))
            }
            decided => decided,
        }
    }

    fn tool_of(&self, call: &Call) -> String {
        call.tool(self)
    }

    /// The digest of the tool's definition. A tool that its server does not list has that of no
    /// definition at all, so that nobody evades the comparison by not listing it.
    fn definition_of(&self, call: &Call) -> Option<Sha256> {
        if call.method != JudgedMethod::Call {
            return None;
        }
        let known = self.with_definitions(|known| known.of(&call.name));
        Some(known.unwrap_or_else(|| Sha256::of(b"")))
    }

    /// Has the ledger say that something was sent that is no call; the entry, if it does.
    fn record_malformed(&self) -> Option<String> {
        let answer = self
            .options()
            .clients
            .agent
            .decide_bytes(b"null".to_vec(), None);
        let error = answer.err()?;
        let entry = error.problem().and_then(|problem| problem.entry_id.clone());
        if entry.is_none() {
            self.notice(&format!("a refused message is not recorded: {error}"));
        }
        entry
    }
}

fn tool_name(params: &Map<String, Value>) -> Result<String, String> {
    let name = params
        .get("name")
        .and_then(Value::as_str)
        .ok_or("`name` is no text")?;
    if name.is_empty() || name.len() > TOOL_NAME_BYTES {
        return Err(format!(
            "the tool's name has {} bytes; allowed are 1 to {TOOL_NAME_BYTES}",
            name.len()
        ));
    }
    match is_reserved(name) {
        true => Err("the tool's name is one that resources and prompts are judged by".to_owned()),
        false => Ok(name.to_owned()),
    }
}

fn resumed(params: &Value) -> Option<Resumed> {
    let state = params
        .get("requestState")?
        .as_str()
        .filter(|state| is_own(state))?;
    Some(Resumed {
        state: state.to_owned(),
        answers: params.get("inputResponses").cloned(),
    })
}

/// Refuses a member that is another one in other letters: some readers take `Name` for `name`.
fn one_spelling(params: &Map<String, Value>, method: JudgedMethod) -> Result<(), String> {
    let usual = ["_meta", "task", "inputResponses", "requestState"];
    let known = || method.members().iter().chain(&usual);
    for name in params.keys() {
        let is_other = |known: &&&str| **known != name.as_str() && folded(known) == folded(name);
        if let Some(known) = known().find(is_other) {
            let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
            return Err(format!(
                "`{shown}` is `{known}` to some readers and not to others"
            ));
        }
    }
    Ok(())
}

/// Refuses arguments of which two members differ in case alone.
fn one_case(value: &Value) -> Result<(), String> {
    match value {
        Value::Object(members) => {
            let mut seen = BTreeSet::new();
            for (name, value) in members {
                if !seen.insert(folded(name)) {
                    let shown: String =
                        name.chars().take(80).flat_map(char::escape_debug).collect();
                    return Err(format!(
                        "`{shown}` stands twice to readers that ignore case"
                    ));
                }
                one_case(value)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(one_case),
        _ => Ok(()),
    }
}

/// A name as readers see it that ignore case: by simple folding, as Go's `encoding/json` does.
pub(super) fn folded(name: &str) -> String {
    name.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &Value) -> Result<Call, String> {
        let text = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let message = Message::read(text.to_string().into_bytes()).unwrap();
        let plain = (Revision::Sessions, Capabilities::default());
        Call::read(&message, Id::Number(1), JudgedMethod::Call, params, plain)
    }

    #[test]
    fn a_member_in_other_letters_is_refused() {
        assert!(read(&json!({"name": "a", "arguments": {}, "extra": 1})).is_ok());
        for params in [
            json!({"name": "a", "Name": "b"}),
            json!({"name": "a", "argument\u{17f}": {}}),
            json!({"name": "a", "arguments": {}, "ARGUMENTS": {}}),
            json!({"name": "a", "_Meta": {}}),
            json!({"name": "a", "arguments": {"path": "x", "Path": "y"}}),
            json!({"name": "a", "arguments": {"list": [{"\u{212a}ey": 1, "key": 2}]}}),
        ] {
            assert!(read(&params).is_err(), "{params}");
        }
        assert!(read(&json!({"name": "a", "arguments": {"Path": "y"}})).is_ok());
    }

    #[test]
    fn what_is_no_call_is_refused() {
        for params in [
            json!({}),
            json!({"name": ""}),
            json!({"name": 1}),
            json!({"name": "x".repeat(TOOL_NAME_BYTES + 1)}),
            json!({"name": "a", "arguments": [1]}),
            json!({"name": "a", "arguments": "{}"}),
            json!({"name": "mcp.resources.read", "arguments": {"uri": "file:///etc/passwd"}}),
            json!({"name": "a", "_meta": {"dev.countersign/intent_ref": 7}}),
        ] {
            assert!(read(&params).is_err(), "{params}");
        }
    }

    #[test]
    fn two_calls_are_the_same_whatever_their_ids_and_spaces() {
        let one = read(&json!({"name": "a", "arguments": {"x": 1, "y": 2}})).unwrap();
        let same = read(
            &json!({"arguments": {"y": 2, "x": 1.0}, "name": "a", "_meta": {"progressToken": 1}}),
        );
        assert_eq!(one.digest, same.unwrap().digest);
        let other = read(&json!({"name": "a", "arguments": {"x": 1, "y": 3}})).unwrap();
        assert_ne!(one.digest, other.digest);
    }
}
