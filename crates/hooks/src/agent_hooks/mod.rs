//! The agent-hooks 0.1 contract: an agent host calls an interceptor at points of its loop, and does
//! what the verdict says.
//!
//! Sessions, turns, calls and results are ours; the points around a model's own words are let pass.
//! Whatever goes wrong is a `deny`.

mod context;
mod verdict;

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::Config;
use crate::error::HookError;
use crate::handler::{Call, Finished, Handler, Registered, Turn, Words};
use crate::limits::EVENT_BYTES;
use crate::names::{actor_of_subagent, digest, session_name};
use context::Context;

/// The name of the configuration file, and the channel.
pub const NAME: &str = "agent-hooks";
/// Who makes the calls; each agent of a host is one below it.
pub const ACTOR: &str = "agent:agent-hooks";
/// The version of the contract that is spoken.
pub const SPEC: &str = "agent-hooks/0.1";

/// Answers one context, as JSON text. `config`: the file that `countersign hook install` wrote.
///
/// It does not panic, and there is no context and no failure that it has no verdict on.
pub fn respond(context: impl Read, config: Option<&Path>) -> Value {
    // INVARIANT: a panic is a refusal; nothing of the state that it may have left is used.
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let bytes = crate::files::limited(context, EVENT_BYTES)?;
        let usual = crate::places::config_file(NAME);
        let path = config.or(usual.as_deref());
        let path = path.ok_or_else(|| HookError::Event("there is no home directory".to_owned()))?;
        let handler =
            Handler::new(Config::read(path)?).map_err(|error| HookError::file(path, error))?;
        Ok(verdict_on(&handler, &bytes))
    }));
    match answered {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => verdict::failed(&error),
        Err(_) => verdict::deny(
            "countersign.error",
            "the countersign hook has a defect, so nothing is allowed",
        ),
    }
}

/// Answers one context with a handler that is kept, as a listener does.
pub fn verdict_on(handler: &Handler, context: &[u8]) -> Value {
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let context = Context::parse(context)?;
        at_point(handler, &context)
    }));
    match answered {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => verdict::failed(&error),
        Err(_) => verdict::deny(
            "countersign.error",
            "the countersign hook has a defect, so nothing is allowed",
        ),
    }
}

fn at_point(handler: &Handler, context: &Context<'_>) -> Result<Value, HookError> {
    let session = session(handler, &context.session.id)?;
    let actor = actor_of_subagent(&handler.config().actor, &context.agent.id);
    let point = context.interception_point.as_ref();
    if matches!(point, "pre_model_call" | "post_model_call" | "output") {
        return Ok(verdict::allow());
    }
    handler.saw(context.point()?, &session)?;
    match point {
        "agent_startup" => {
            handler.open_session(&session, None)?;
            Ok(verdict::allow())
        }
        "input" => input(handler, context, &session, &actor),
        "pre_tool_call" => {
            let call = context.tool_call()?;
            let ruling = handler.call(&Call {
                session: &session,
                id: &call.id,
                tool: &call.name,
                args: call.args,
                prompt_id: None,
                subagent: None,
                actor: Some(&actor),
                cwd: None,
                can_ask: true,
            })?;
            Ok(verdict::decided(&ruling, handler.config().server.as_str()))
        }
        "post_tool_call" => {
            let (call, result) = (context.finished_call()?, context.tool_result()?);
            handler.finished(&Finished {
                session: &session,
                id: &call.id,
                tool: &call.name,
                args: call.args,
                result: result.value,
                is_error: result.is_error,
                duration_ms: None,
                ran: true,
            })?;
            Ok(verdict::allow())
        }
        // Nothing is left to prevent.
        _ => Ok(match handler.close_session(&session) {
            Ok(()) => verdict::allow(),
            Err(error) => verdict::warned(&error.to_string()),
        }),
    }
}

fn input(
    handler: &Handler,
    context: &Context<'_>,
    session: &str,
    actor: &str,
) -> Result<Value, HookError> {
    let input = context.input()?;
    let words = match input.role.as_ref() {
        "user" => Words::Person,
        "external" => Words::Correspondent,
        "system" => Words::System,
        other => {
            return Err(HookError::Event(format!(
                "`input.role` is `{}`; allowed is user, system and external",
                crate::names::shown(other)
            )));
        }
    };
    let registered = handler.turn(&Turn {
        session,
        cwd: None,
        prompt_id: None,
        actor: Some(actor),
        text: &content(input.content),
        words,
    })?;
    Ok(match registered {
        Registered::As(_) => verdict::allow(),
        Registered::WithoutMandate => verdict::warned(
            "this input carries no authority, and no instruction of the person is in force: calls that follow from it name no turn",
        ),
    })
}

/// The text of an input; of one that is an object, its JSON.
fn content(content: &RawValue) -> String {
    serde_json::from_str::<String>(content.get()).unwrap_or_else(|_| content.get().to_owned())
}

/// A host's session may have any id; one that cannot stand in a name is named by its digest.
fn session(handler: &Handler, id: &str) -> Result<String, HookError> {
    let channel = &handler.config().channel;
    match id.is_empty() {
        true => Err(HookError::Event("`session.id` is empty".to_owned())),
        false => session_name(channel, id)
            .or_else(|_| session_name(channel, &format!("sha256:{}", digest(&[id.as_bytes()])))),
    }
}
