//! Calls that wait: for a person, or for the server's list of tools.

use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_client::{Client, ClientError};
use countersign_core::json::CanonicalJson;
use countersign_wire::{ConsumeRequest, DecisionAnswer, ResolutionView, ReviewRequest};
use serde::Deserialize;
use serde_json::{Value, json};
use ulid::Ulid;

use super::conversation::{Asked, InFlight};
use super::decide::{Call, Resumed};
use super::observe;
use super::open::Escalated;
use super::question;
use super::refusal::Refusal;
use super::signal::{Event, Signal};
use super::tools::Definitions;
use super::{Conversation, FromClient, Revision, TurnSource};
use crate::jsonrpc::{self, Id, code};
use crate::limits::{ASKED_ARGS_BYTES, LIST_WAIT, REVIEW_POLL, WAITING};

/// The name of the one question in `inputRequests`.
const QUESTION: &str = "approve";
/// How far the clocks of relay and server may be apart.
const LEEWAY: Duration = Duration::from_secs(5);

/// A call that waits. While it does, other messages go on.
pub struct Waiting(Box<Held>);

struct Held {
    conversation: Conversation,
    /// The call that an approval is for.
    judged: Call,
    /// The call that waits: the same, or the same made again.
    call: Call,
    signal: Signal,
    until: Instant,
    what: What,
}

enum What {
    Review {
        answer: Box<DecisionAnswer>,
        question: Option<Question>,
    },
    List {
        ask: Vec<u8>,
    },
}

struct Question {
    id: Id,
    ask: Vec<u8>,
    shown: String,
}

impl Waiting {
    /// A question to send to the client first (`elicitation/create`, of the revision with
    /// sessions); its answer comes back through [`Conversation::from_client`].
    pub fn ask(&self) -> Option<&[u8]> {
        match &self.0.what {
            What::Review { question, .. } => {
                question.as_ref().map(|question| question.ask.as_slice())
            }
            What::List { .. } => None,
        }
    }

    /// A request of the relay's own to send to the server first (`tools/list`: what the tool is
    /// now is part of what is judged); its answer comes back through [`Conversation::from_server`].
    pub fn ask_server(&self) -> Option<&[u8]> {
        match &self.0.what {
            What::Review { .. } => None,
            What::List { ask } => Some(ask),
        }
    }

    /// Waits, at most as long as the relay was told: then the call is forwarded, or answered with
    /// a refusal, or waits for the next thing. Blocks.
    pub fn wait(self) -> FromClient {
        let held = self.0;
        let told = match &held.what {
            What::List { .. } => held.wait_for_list(),
            What::Review { answer, question } => {
                let shown = question.as_ref().map(|question| question.shown.as_str());
                held.wait_for_person(answer, shown)
            }
        };
        match told {
            Told::Decide => {
                let (conversation, call) = (held.conversation.clone(), held.call.clone());
                drop(held);
                conversation.decide(call)
            }
            Told::Done(done) => *done,
        }
    }
}

impl Held {
    fn wait_for_list(&self) -> Told {
        match self.signal.wait(LIST_WAIT) {
            Event::Answered(_) => Told::Decide,
            Event::Cancelled(why) => self.cancelled(why),
            Event::Nothing => {
                let relay = &self.conversation.relay;
                relay.notice("the server does not answer `tools/list`; calls go on without it");
                relay.with_definitions(Definitions::asked);
                Told::Decide
            }
        }
    }

    fn wait_for_person(&self, answer: &DecisionAnswer, shown: Option<&str>) -> Told {
        let agent = &self.conversation.relay.options().clients.agent;
        let mut decision = answer.entry_id.clone();
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            match self.signal.wait(left.min(REVIEW_POLL)) {
                Event::Cancelled(why) => return self.cancelled(why),
                Event::Answered(said) => {
                    if let (Some(answer), Some(shown)) =
                        (said.as_ref().and_then(question::said_yes), shown)
                    {
                        self.conversation.post_review(&decision, answer, shown);
                    }
                }
                Event::Nothing => {}
            }
            // What cannot be asked for now may be answered at the next look.
            let resolution = agent
                .decision(&decision, None)
                .ok()
                .and_then(|now| now.resolution);
            match resolution
                .map(|closed| self.conversation.closed(&self.judged, &decision, &closed))
            {
                Some(Closed::Approved(by)) => {
                    let forward = self.conversation.forward(&self.judged, &self.call, &by);
                    return Told::Done(Box::new(forward));
                }
                Some(Closed::Refused(refusal)) => return self.refuse(&refusal),
                Some(Closed::Again(next)) => decision = next,
                None => {}
            }
            if left.is_zero() {
                let unanswered = DecisionAnswer {
                    entry_id: decision,
                    ..answer.clone()
                };
                return self.refuse(&Refusal::unanswered(&unanswered));
            }
        }
    }

    fn cancelled(&self, why: Option<&'static str>) -> Told {
        match why {
            // Who cancels a request gets no answer to it.
            None => Told::Done(Box::new(FromClient::Drop)),
            Some(reason) => self.refuse(&Refusal::unfit(reason)),
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Told {
        Told::Done(Box::new(self.conversation.refuse(&self.call, refusal)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.conversation.state();
        state.waiting.remove(&self.call.id);
        if let What::Review {
            question: Some(question),
            ..
        } = &self.what
        {
            state.questions.remove(&question.id);
        }
    }
}

enum Told {
    Decide,
    Done(Box<FromClient>),
}

/// What closed an escalation.
enum Closed {
    /// It was judged again and approved; by this decision.
    Approved(String),
    Refused(Refusal),
    /// It was judged again and escalated again, as this decision.
    Again(String),
}

/// Escalations.
impl Conversation {
    /// A call was escalated: a person is asked through the client, if that is one who may answer,
    /// or waited for.
    pub(super) fn escalated(&self, call: Call, answer: DecisionAnswer) -> FromClient {
        self.relay
            .with_open(|open| open.remember(&answer.entry_id, &call));
        let shown = self.may_ask(&call, &answer).then(|| {
            question::text(
                &call.tool(&self.relay),
                &call.args,
                &self.relay.options().actor,
                &answer,
            )
        });
        if call.revision == Revision::Stateless
            && let Some(shown) = &shown
        {
            let state = self
                .relay
                .with_open(|open| open.ask(&answer.entry_id, &call, shown.clone()));
            if let Some(state) = state {
                let asked = json!({ "method": "elicitation/create", "params": question::form(shown, true) });
                let result = json!({
                    "resultType": "input_required",
                    "inputRequests": { QUESTION: asked },
                    "requestState": state,
                });
                return FromClient::Answer(jsonrpc::result(&call.id, &result));
            }
        }
        let shown = shown.filter(|_| call.revision == Revision::Sessions);
        self.hold(call.clone(), call, answer, shown)
    }

    /// A call that was answered with a question comes again, with the answer.
    pub(super) fn resume(&self, call: &Call, resumed: &Resumed) -> FromClient {
        let question = self.relay.with_open(|open| open.answered(&resumed.state));
        let Some(question) = question else {
            let reason = "`requestState` names no question that is open";
            return self.malformed(Some(&call.id), code::INVALID_PARAMS, reason);
        };
        if question.call.digest != call.digest || question.call.is_task != call.is_task {
            let reason = "the call is another one than the question was about";
            return self.malformed(Some(&call.id), code::INVALID_PARAMS, reason);
        }
        let agent = &self.relay.options().clients.agent;
        let said = resumed
            .answers
            .as_ref()
            .and_then(|answers| answers.get(QUESTION));
        if let Some(answer) = said.and_then(question::said_yes) {
            self.post_review(&question.decision, answer, &question.shown);
        }
        match agent.decision(&question.decision, None) {
            Err(error) => self.refuse(call, &Refusal::undecided(&error)),
            Ok(now) => match &now.resolution {
                None => self.hold(question.call, call.clone(), now, None),
                Some(resolution) => {
                    match self.closed(&question.call, &question.decision, resolution) {
                        Closed::Approved(by) => self.forward(&question.call, call, &by),
                        Closed::Refused(refusal) => self.refuse(call, &refusal),
                        Closed::Again(next) => {
                            let next = DecisionAnswer {
                                entry_id: next,
                                ..now.clone()
                            };
                            self.refuse(call, &Refusal::unanswered(&next))
                        }
                    }
                }
            },
        }
    }

    /// The same call was escalated before: it waits for the same answer, or uses it.
    pub(super) fn take_up(&self, call: &Call, known: &Escalated) -> Option<FromClient> {
        let agent = &self.relay.options().clients.agent;
        let now = agent.decision(&known.decision, None).ok()?;
        match &now.resolution {
            None => Some(self.hold(known.call.clone(), call.clone(), now, None)),
            Some(resolution) => match self.closed(&known.call, &known.decision, resolution) {
                Closed::Approved(by) => Some(self.forward(&known.call, call, &by)),
                // What was refused then is judged anew, as any call is.
                Closed::Refused(_) | Closed::Again(_) => None,
            },
        }
    }

    fn hold(
        &self,
        judged: Call,
        call: Call,
        answer: DecisionAnswer,
        shown: Option<String>,
    ) -> FromClient {
        let signal = Signal::default();
        let question = shown.map(|shown| {
            let id = Id::Text(format!("countersign-{}", Ulid::generate()));
            let ask = jsonrpc::request(&id, "elicitation/create", &question::form(&shown, false));
            Question { id, ask, shown }
        });
        let wait = self.relay.options().review_wait;
        {
            let mut state = self.state();
            if wait.is_zero() || state.waiting.len() >= WAITING || state.is_client_ended {
                drop(state);
                return self.refuse(&call, &Refusal::unanswered(&answer));
            }
            state
                .waiting
                .insert(call.id.clone(), (signal.clone(), true));
            if let Some(question) = &question {
                state.questions.insert(question.id.clone(), signal.clone());
            }
        }
        FromClient::Wait(Waiting(Box::new(Held {
            conversation: self.clone(),
            judged,
            call,
            signal,
            until: Instant::now() + wait,
            what: What::Review {
                answer: Box::new(answer),
                question,
            },
        })))
    }

    /// What came of an escalation that is closed. An approval is given to one caller.
    fn closed(&self, judged: &Call, decision: &str, resolution: &ResolutionView) -> Closed {
        self.relay
            .with_open(|open| open.forget(&judged.digest, decision));
        if resolution.kind != "decision" {
            return Closed::Refused(Refusal::expired(decision));
        }
        let agent = &self.relay.options().clients.agent;
        let answer = match agent.decision(&resolution.entry_id, None) {
            Ok(answer) => answer,
            Err(error) => return Closed::Refused(Refusal::undecided(&error)),
        };
        match answer.outcome.as_str() {
            "approved" if !is_fresh(answer.permit.as_deref()) => Closed::Refused(Refusal::unfit(
                "it was approved too long ago; make the call again, and it is judged anew",
            )),
            "approved" if !self.relay.with_open(|open| open.give(decision)) => {
                Closed::Refused(Refusal::unfit(
                    "its approval was used by the same call made before; each approval is for one call",
                ))
            }
            "approved" => match self.use_up(judged, &answer) {
                Ok(()) => Closed::Approved(answer.entry_id),
                Err(refusal) => Closed::Refused(refusal),
            },
            "escalated" => {
                self.relay
                    .with_open(|open| open.remember(&answer.entry_id, judged));
                Closed::Again(answer.entry_id)
            }
            _ => Closed::Refused(Refusal::rejected(&answer)),
        }
    }

    /// Uses the permit of an approval up, so that the call leaves once, and not if it was stopped or
    /// its turn has ended since a person approved it.
    fn use_up(&self, judged: &Call, answer: &DecisionAnswer) -> Result<(), Refusal> {
        let tool = judged.tool(&self.relay);
        let args = CanonicalJson::of(&judged.args);
        let args = args.map_err(|error| Refusal::unfit(&error.to_string()))?;
        let request = ConsumeRequest {
            permit: answer.permit.clone().unwrap_or_default(),
            audience: format!("tool:{tool}"),
            tool,
            args_sha256: args.digest().to_string(),
            wire: Some(judged.wire(&self.relay)),
        };
        let clients = &self.relay.options().clients;
        clients
            .tool
            .consume_permit(&request)
            .map(drop)
            .map_err(|error| {
                if error.problem().is_none() {
                    // Perhaps it was used up, and the answer was lost.
                    self.relay.report(observe::unknown(&answer.entry_id));
                }
                Refusal::not_any_more(&error)
            })
    }

    /// Whether the person whose turn it is may be asked through the client.
    fn may_ask(&self, call: &Call, answer: &DecisionAnswer) -> bool {
        let options = self.relay.options();
        let Some(ingress) = &options.clients.ingress else {
            return false;
        };
        // Of a longer text a person would not see all.
        let is_short = call.args.to_string().len() <= ASKED_ARGS_BYTES;
        let is_allowed = answer.requester_may_answer == Some(true);
        if !call.capabilities.forms || !is_allowed || !is_short {
            return false;
        }
        let is_own = matches!(options.turn, TurnSource::Text { .. }) && !call.names_turn();
        is_own || is_listed(ingress, &answer.entry_id)
    }

    /// Gives the answer of the person whose turn it is. What comes of it is looked up.
    fn post_review(&self, decision: &str, is_yes: bool, shown: &str) {
        let Some(ingress) = &self.relay.options().clients.ingress else {
            return;
        };
        let review = ReviewRequest {
            decision: decision.to_owned(),
            answer: if is_yes { "approve" } else { "reject" }.to_owned(),
            shown: Some(shown.to_owned()),
            ..ReviewRequest::default()
        };
        if let Err(error) = ingress.review(&review) {
            self.relay.notice(&format!(
                "the answer to `{decision}` was not taken: {error}"
            ));
        }
    }
}

/// The server's list of tools, where the client has not asked for it.
impl Conversation {
    pub(super) fn listed_first(&self, call: Call) -> FromClient {
        let signal = Signal::default();
        {
            let mut state = self.state();
            if state.waiting.len() >= WAITING {
                drop(state);
                return self.refuse(&call, &Refusal::unfit("too many calls wait"));
            }
            state
                .waiting
                .insert(call.id.clone(), (signal.clone(), false));
        }
        let params = match call.revision {
            Revision::Sessions => json!({}),
            Revision::Stateless => json!({ "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            }}),
        };
        let ask = self.ask_for_list(&params, signal.clone(), 1);
        FromClient::Wait(Waiting(Box::new(Held {
            conversation: self.clone(),
            judged: call.clone(),
            call,
            signal,
            until: Instant::now() + LIST_WAIT,
            what: What::List { ask },
        })))
    }

    /// A request for a page of the list, and what is done with its answer.
    pub(super) fn ask_for_list(&self, params: &Value, done: Signal, pages: usize) -> Vec<u8> {
        let id = Id::Text(format!("countersign-{}", Ulid::generate()));
        let ask = jsonrpc::request(&id, "tools/list", params);
        let flight = InFlight::new(Asked::OwnList { done, pages }, Revision::Sessions);
        self.state().in_flight.insert(id, flight);
        ask
    }
}

/// Whether an ingress may answer for a turn that it registered.
fn is_listed(ingress: &Client, decision: &str) -> bool {
    let listed: Result<_, ClientError> = ingress.reviews();
    listed.is_ok_and(|list| list.reviews.iter().any(|open| open.decision == decision))
}

/// Whether a permit still holds: an approval that nobody fetched in time must not outlive a stop.
/// The relay only reads when it ends; what it says is the server's word, fetched just now.
fn is_fresh(permit: Option<&str>) -> bool {
    #[derive(Deserialize)]
    struct Claims {
        exp: u64,
    }
    let claims = permit
        .and_then(|permit| permit.split('.').nth(1))
        .and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok())
        .and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    claims.is_some_and(|claims| claims.exp.saturating_add(LEEWAY.as_secs()) > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_that_has_ended_is_none() {
        let permit = |exp: u64| {
            format!(
                "e30.{}.c2ln",
                URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp}}}"))
            )
        };
        assert!(is_fresh(Some(&permit(32_503_680_000))));
        assert!(!is_fresh(Some(&permit(1_000))));
        assert!(!is_fresh(Some("a.b")) && !is_fresh(None));
    }
}
