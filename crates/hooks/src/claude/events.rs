//! Each event, and what is done for it.

use std::path::Path;

use serde_json::value::{RawValue, to_raw_value};

use super::answer::Output;
use super::input::Input;
use crate::error::HookError;
use crate::handler::{Call, Finished, Handler, Registered, Turn};
use crate::names::session_name;

pub(super) fn handle(handler: &Handler, input: &Input<'_>) -> Result<Output, HookError> {
    let event = input.hook_event_name.as_ref();
    let session = session_name(&handler.config().channel, &input.session_id)?;
    match event {
        "PreToolUse" => {
            handler.saw(event, &session)?;
            call(handler, input, &session)
        }
        "UserPromptSubmit" => prompt(handler, input, &session),
        "PostToolUse" => {
            handler.saw(event, &session)?;
            finished(handler, input, &session)
        }
        "PostToolUseFailure" => {
            handler.saw(event, &session)?;
            failed(handler, input, &session)
        }
        "SessionStart" => {
            handler.saw(event, &session)?;
            handler.open_session(&session, cwd(input))?;
            Ok(Output::no_opinion())
        }
        "SubagentStart" => {
            handler.saw(event, &session)?;
            subagent(handler, input, &session)
        }
        "SessionEnd" => {
            handler.saw(event, &session)?;
            handler.close_session(&session)?;
            Ok(Output::no_opinion())
        }
        other => Err(HookError::Event(format!(
            "`{}` is no event that is known here",
            crate::names::shown(other)
        ))),
    }
}

fn call(handler: &Handler, input: &Input<'_>, session: &str) -> Result<Output, HookError> {
    let args = input
        .tool_input
        .ok_or_else(|| HookError::Event("it has no `tool_input`".to_owned()))?;
    let ruling = handler.call(&Call {
        session,
        id: Input::needed(&input.tool_use_id, "tool_use_id")?,
        tool: Input::needed(&input.tool_name, "tool_name")?,
        args,
        prompt_id: input.prompt_id.as_deref(),
        subagent: input.subagent(),
        actor: None,
        cwd: Some(Path::new(Input::needed(&input.cwd, "cwd")?)),
        can_ask: input.can_ask(),
    })?;
    Ok(Output::decided(&ruling))
}

fn prompt(handler: &Handler, input: &Input<'_>, session: &str) -> Result<Output, HookError> {
    let text = input.prompt.as_deref();
    let turn = Turn {
        session,
        cwd: cwd(input),
        prompt_id: input.prompt_id.as_deref(),
        actor: None,
        text: text.ok_or_else(|| HookError::Event("it has no `prompt`".to_owned()))?,
        words: input.words(),
    };
    handler.saw("UserPromptSubmit", session)?;
    match handler.turn(&turn)? {
        Registered::As(_) | Registered::WithoutMandate => Ok(Output::no_opinion()),
    }
}

fn finished(handler: &Handler, input: &Input<'_>, session: &str) -> Result<Output, HookError> {
    ended(handler, input, session, input.tool_response, false)
}

fn failed(handler: &Handler, input: &Input<'_>, session: &str) -> Result<Output, HookError> {
    ended(handler, input, session, input.error, true)
}

fn ended(
    handler: &Handler,
    input: &Input<'_>,
    session: &str,
    result: Option<&RawValue>,
    is_error: bool,
) -> Result<Output, HookError> {
    let nothing = to_raw_value(&()).map_err(|error| HookError::Event(error.to_string()))?;
    handler.finished(&Finished {
        session,
        id: Input::needed(&input.tool_use_id, "tool_use_id")?,
        tool: Input::needed(&input.tool_name, "tool_name")?,
        args: input.tool_input.unwrap_or(&nothing),
        result: result.unwrap_or(&nothing),
        is_error,
        duration_ms: duration_ms(input),
        // A call that its person kept back failed and has no time that it ran.
        ran: !is_error || input.duration_ms.is_some(),
    })?;
    Ok(Output::no_opinion())
}

/// How long the call ran, if the client says it as a whole number.
fn duration_ms(input: &Input<'_>) -> Option<u64> {
    input.duration_ms.and_then(|text| text.get().parse().ok())
}

fn subagent(handler: &Handler, input: &Input<'_>, session: &str) -> Result<Output, HookError> {
    handler.delegate(
        session,
        Input::needed(&input.agent_id, "agent_id")?,
        Input::needed(&input.agent_type, "agent_type")?,
        input.prompt_id.as_deref(),
    )?;
    Ok(Output::no_opinion())
}

fn cwd<'a>(input: &'a Input<'_>) -> Option<&'a Path> {
    input.cwd.as_deref().map(Path::new)
}
