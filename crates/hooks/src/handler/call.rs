//! Calls: the decision, and waiting for a person.

use std::time::{Duration, Instant};

use countersign_wire::{DecisionAnswer, WorkspaceRequest};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Call, Handler, Ruling, Verdict};
use crate::error::HookError;
use crate::limits::{REVIEW_PAUSE, REVIEW_STEP_S};
use crate::names::{actor_of_subagent, args_digest, digest};
use crate::state::{CallNote, SessionNote};
use crate::text;
use crate::workspace::{command_paths, described, texts_in};

/// A request whose arguments go as they were written: what two readers could read differently is
/// for the server to refuse.
#[derive(Serialize)]
struct RawRequest<'a> {
    tool: &'a str,
    args: &'a RawValue,
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent_ref: Option<&'a str>,
    session: &'a str,
    external_call_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<WorkspaceRequest>,
}

impl Handler {
    /// Asks for a decision, and for a person's answer where the rules ask for one.
    pub fn call(&self, call: &Call<'_>) -> Result<Ruling, HookError> {
        // An approval is good for one run, whoever sends its event again.
        let known = self.state.call(call.session, call.id)?;
        if known.is_some_and(|known| known.reported) {
            return Err(HookError::Call(
                "a call of this id has run already".to_owned(),
            ));
        }
        let note = self.state.session(call.session)?.unwrap_or_default();
        let workspace = self.workspace(call)?;
        let actor = self.actor(call);
        let request = RawRequest {
            tool: call.tool,
            args: call.args,
            actor: &actor,
            intent_ref: turn_of(&note, call),
            session: call.session,
            external_call_id: call.id,
            workspace,
        };
        let body = serde_json::to_vec(&request)
            .map_err(|error| HookError::Call(format!("the call cannot be written: {error}")))?;
        // The same event again, as after a pause, is the same decision.
        let key = digest(&[call.session.as_bytes(), call.id.as_bytes()]);
        let agent = self.agent();
        let answer = agent.decide_bytes(body, Some(&key))?;
        let may_ask = call.can_ask && answer.requester_may_answer == Some(true);
        let answer = match answer.outcome.as_str() {
            "escalated" if may_ask && answer.resolution.is_none() => {
                return self.ask(call, answer);
            }
            "escalated" => self.reviewed(answer)?,
            _ => answer,
        };
        let verdict = match answer.outcome.as_str() {
            "approved" => Verdict::Allowed,
            "escalated" => Verdict::Unanswered,
            _ => Verdict::Refused,
        };
        if verdict == Verdict::Allowed {
            let note = note_of(call, &answer);
            self.state.put_call(call.session, call.id, &note)?;
        }
        let said = match verdict {
            Verdict::Allowed => text::allowed(&answer),
            Verdict::Unanswered => text::unanswered(&answer, self.config.review_wait_s),
            Verdict::Ask | Verdict::Refused => text::refused(&answer),
        };
        Ok(ruling(verdict, said, answer))
    }

    /// Waits for a reviewer; the decision that the answer led to, or the escalation as it stands.
    fn reviewed(&self, mut answer: DecisionAnswer) -> Result<DecisionAnswer, HookError> {
        let agent = self.agent();
        let wait = Duration::from_secs(self.config.review_wait_s);
        let begun = Instant::now();
        loop {
            if let Some(resolution) = &answer.resolution {
                return match resolution.kind.as_str() {
                    "decision" => Ok(agent.decision(&resolution.entry_id, None)?),
                    _ => Ok(answer),
                };
            }
            let left = wait.saturating_sub(begun.elapsed()).as_secs();
            if left == 0 {
                return Ok(answer);
            }
            let step = Duration::from_secs(left.min(REVIEW_STEP_S));
            let asked = Instant::now();
            answer = agent.decision(&answer.entry_id, Some(step))?;
            // One that does not wait although it was told to is not asked without a pause.
            if answer.resolution.is_none() && asked.elapsed() < step / 2 {
                std::thread::sleep(REVIEW_PAUSE);
            }
        }
    }

    fn ask(&self, call: &Call<'_>, answer: DecisionAnswer) -> Result<Ruling, HookError> {
        let said = text::question(&answer, call.tool, call.args.get());
        let note = CallNote {
            asked: Some(said.clone()),
            ..note_of(call, &answer)
        };
        self.state.put_call(call.session, call.id, &note)?;
        Ok(ruling(Verdict::Ask, said, answer))
    }

    fn actor(&self, call: &Call<'_>) -> String {
        match (call.actor, call.subagent) {
            (Some(actor), _) => actor.to_owned(),
            (None, Some((_, agent_type))) => actor_of_subagent(&self.config.actor, agent_type),
            (None, None) => self.config.actor.clone(),
        }
    }

    fn workspace(&self, call: &Call<'_>) -> Result<Option<WorkspaceRequest>, HookError> {
        let Some(cwd) = call.cwd else {
            return Ok(None);
        };
        let args: Value = serde_json::from_str(call.args.get())
            .map_err(|error| HookError::Event(format!("the call's arguments: {error}")))?;
        let root = self.root_of(call.session, cwd)?;
        let texts = texts_in(&args);
        let words = command_paths(&args)?;
        let all = texts
            .iter()
            .copied()
            .chain(words.iter().map(String::as_str));
        described(&root, cwd, all).map(Some)
    }
}

/// The turn that a call rests on. A subagent's is the one that was handed to it.
fn turn_of<'a>(note: &'a SessionNote, call: &Call<'_>) -> Option<&'a str> {
    match call.subagent {
        Some((agent_id, _)) => note.subagents.get(agent_id).map(String::as_str),
        None => note.turn(call.prompt_id),
    }
}

fn note_of(call: &Call<'_>, answer: &DecisionAnswer) -> CallNote {
    CallNote::new(&answer.entry_id, call.tool, args_digest(call.args.get()))
}

fn ruling(verdict: Verdict, text: String, answer: DecisionAnswer) -> Ruling {
    Ruling {
        verdict,
        text,
        entry_id: answer.entry_id,
        reason: answer.reasons.first().map(|reason| reason.id.clone()),
        entry: answer.entry,
    }
}
