//! Escalated calls that the relay remembers, so that the same call, made again, is the same
//! question; and questions that were put to the client (`input_required`).

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use countersign_core::refs::Sha256;
use ulid::Ulid;

use super::decide::Call;
use crate::limits::{APPROVALS_GIVEN, OPEN_CALL_BYTES, OPEN_ESCALATIONS, OPEN_QUESTIONS};

/// How long either is remembered: as long as an escalation can be open.
const KEPT: Duration = Duration::from_secs(86_400);
/// How the relay's own states begin; a server's state goes to the server.
const OWN: &str = "dev.countersign.";

/// What is remembered.
#[derive(Default)]
pub(super) struct OpenCalls {
    escalated: HashMap<Sha256, Escalated>,
    questions: HashMap<String, Question>,
    /// Escalations whose approval was used, the newest last.
    given: VecDeque<String>,
}

/// An escalated call.
#[derive(Clone)]
pub(super) struct Escalated {
    pub(super) decision: String,
    /// The call as it was judged: its bytes are what an approval is for.
    pub(super) call: Call,
    since: Instant,
}

/// A question that was put to the client. The state that names it is random, good once, and
/// stands for what is kept here: nothing that a client sends back is believed.
pub(super) struct Question {
    pub(super) decision: String,
    pub(super) call: Call,
    pub(super) shown: String,
    since: Instant,
}

impl OpenCalls {
    pub(super) fn remember(&mut self, decision: &str, call: &Call) {
        self.escalated
            .retain(|_, known| known.since.elapsed() < KEPT);
        if self.escalated.len() >= OPEN_ESCALATIONS || call.bytes.len() > OPEN_CALL_BYTES {
            return;
        }
        let known = Escalated {
            decision: decision.to_owned(),
            call: call.clone(),
            since: Instant::now(),
        };
        self.escalated.insert(call.digest, known);
    }

    pub(super) fn same(&self, call: &Call) -> Option<Escalated> {
        self.escalated.get(&call.digest).cloned()
    }

    /// Forgets an escalation that is closed.
    pub(super) fn forget(&mut self, digest: &Sha256, decision: &str) {
        let known = self.escalated.get(digest);
        if known.is_some_and(|known| known.decision == decision) {
            self.escalated.remove(digest);
        }
    }

    /// Gives the approval of an escalation away; true the first time. Each took a person, so those
    /// that are remembered are all that matter.
    pub(super) fn give(&mut self, decision: &str) -> bool {
        if self.given.iter().any(|given| given == decision) {
            return false;
        }
        if self.given.len() >= APPROVALS_GIVEN {
            self.given.pop_front();
        }
        self.given.push_back(decision.to_owned());
        true
    }

    /// Keeps a question; the state that the client gives back with its answer.
    pub(super) fn ask(&mut self, decision: &str, call: &Call, shown: String) -> Option<String> {
        self.questions
            .retain(|_, known| known.since.elapsed() < KEPT);
        if self.questions.len() >= OPEN_QUESTIONS || call.bytes.len() > OPEN_CALL_BYTES {
            return None;
        }
        let state = format!("{OWN}{}{}", Ulid::generate(), Ulid::generate());
        let question = Question {
            decision: decision.to_owned(),
            call: call.clone(),
            shown,
            since: Instant::now(),
        };
        self.questions.insert(state.clone(), question);
        Some(state)
    }

    /// The question of a state. It is not there a second time.
    pub(super) fn answered(&mut self, state: &str) -> Option<Question> {
        let question = self.questions.remove(state)?;
        (question.since.elapsed() < KEPT).then_some(question)
    }
}

/// Whether a state claims to be the relay's own.
pub(super) fn is_own(state: &str) -> bool {
    state.starts_with(OWN)
}
