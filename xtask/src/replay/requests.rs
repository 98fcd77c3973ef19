//! What is asked of a server for a recorded run.

use countersign_wire::{ExecutionRequest, TurnPartRequest, TurnRequest};
use serde_json::Value;

use super::recording::{Run, Step};
use crate::server::ACTORS;

/// The channel by which replayed turns come in.
const CHANNEL: &str = "replay";
/// Whose turns they are.
const PRINCIPAL: &str = "user:replay@countersign.invalid";

/// The run's turn, registered for one actor.
pub(crate) fn turn(run: &Run, session: &str, actor: &str) -> TurnRequest {
    TurnRequest {
        principal: PRINCIPAL.to_owned(),
        author: None,
        channel: CHANNEL.to_owned(),
        session: session.to_owned(),
        actors: vec![actor.to_owned()],
        parts: vec![TurnPartRequest {
            by: "principal".to_owned(),
            media_type: None,
            text: run.user_turn.clone(),
            raw_sha256: None,
        }],
        expires_in_s: None,
        mandate: None,
    }
}

/// What the recorded call returned, for the decision that approved it.
pub(crate) fn execution(step: &Step, decision: String) -> ExecutionRequest {
    let mut execution = ExecutionRequest {
        decision,
        phase: "unknown".to_owned(),
        ..ExecutionRequest::default()
    };
    if step.executed {
        execution.phase = "finished".to_owned();
        execution.result = Some(Value::from(step.output.as_str()));
        execution.is_error = Some(step.error.is_some());
    }
    execution
}

/// The actor of this name, as far as an actor's name admits its characters.
pub(crate) fn actor(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = name
        .chars()
        .take(80)
        .map(|c| if fits(c) { c } else { '-' })
        .collect();
    format!("{ACTORS}{name}")
}

#[cfg(test)]
mod tests {
    use countersign_core::names::ActorName;

    use super::*;

    #[test]
    fn every_model_has_an_actor() {
        for name in [
            "gpt-4o-mini-2024-07-18",
            "meta/llama 3:70b",
            "ü",
            &"x".repeat(500),
        ] {
            let actor: ActorName = actor(name).parse().unwrap();
            assert!(actor.matches(ACTORS), "{actor}");
        }
    }
}
