//! Claude Code: its hook events (JSON by stdin), and its settings file.
//!
//! What was measured with the real client decides the shapes: a handler that prints nothing, or a
//! decision in another place, lets the call run, also with `onFailure: "block"`. So `PreToolUse` is
//! always answered with a decision in `hookSpecificOutput` or, where not even that can be done, with
//! exit code 2.

mod answer;
mod events;
mod input;
pub mod settings;

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub use answer::Output;
use countersign_client::ServerUrl;
use input::Input;

use crate::config::Config;
use crate::error::HookError;
use crate::handler::Handler;
use crate::limits::EVENT_BYTES;

/// The name of the configuration file, and the channel.
pub const NAME: &str = "claude-code";
/// Who makes the calls.
pub const ACTOR: &str = "agent:claude-code";

/// The events that are handled, in the order of a session. Only these are installed.
pub const EVENTS: &[&str] = &[
    "SessionStart",
    "UserPromptSubmit",
    "SubagentStart",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "ConfigChange",
    "SessionEnd",
];

/// Events that decide nothing here, so that having no opinion lets nothing through.
const HARMLESS: &[&str] = &[
    "CwdChanged",
    "ElicitationResult",
    "FileChanged",
    "InstructionsLoaded",
    "Notification",
    "PermissionDenied",
    "PostCompact",
    "PostToolBatch",
    "PreCompact",
    "Setup",
    "Stop",
    "StopFailure",
    "SubagentStop",
    "UserPromptExpansion",
];

/// Answers one event. `config`: the file that `countersign hook install` wrote.
///
/// It does not panic, and there is no event and no failure that it has no answer to.
pub fn respond(event: impl Read, config: Option<&Path>) -> Output {
    respond_by(event, || handler(config))
}

/// The same for a handler of the machine's managed settings, which serve every user: the file is
/// below the home directory of who runs this, and counts only if it is of the server that the
/// settings name, because its user can write it.
pub fn respond_managed(event: impl Read, server: &str) -> Output {
    respond_by(event, || managed(server))
}

fn respond_by(event: impl Read, handler: impl FnOnce() -> Result<Handler, HookError>) -> Output {
    // INVARIANT: a panic is a refusal; nothing of the state that it may have left is used.
    let answered = catch_unwind(AssertUnwindSafe(|| answer(event, handler)));
    answered.unwrap_or_else(|_| {
        Output::block("the countersign hook has a defect, so nothing is allowed")
    })
}

fn answer(event: impl Read, handler: impl FnOnce() -> Result<Handler, HookError>) -> Output {
    let bytes = match crate::files::limited(event, EVENT_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => return Output::unread(None, &error),
    };
    let input = match Input::parse(&bytes) {
        Ok(input) => input,
        Err(error) => return Output::unread(input::event_name(&bytes), &error),
    };
    let event = input.hook_event_name.as_ref();
    if HARMLESS.contains(&event) {
        return Output::no_opinion();
    }
    if event == "ConfigChange" {
        return settings_changed(&input);
    }
    let handled = handler().and_then(|handler| events::handle(&handler, &input));
    handled.unwrap_or_else(|error| {
        Output::failed(
            EVENTS.iter().find(|known| **known == event).copied(),
            &error,
        )
    })
}

/// Settings are read again in the middle of a session, and `disableAllHooks` in any of them, also in
/// the project's own, switches every hook off. So what is changed waits for the next session; the
/// client knows no finer answer, and no server is asked.
fn settings_changed(input: &Input<'_>) -> Output {
    match input.source.as_deref() {
        Some("skills") => Output::no_opinion(),
        _ => Output::block(
            "countersign: settings that are changed during a session take effect with the next one",
        ),
    }
}

fn handler(config: Option<&Path>) -> Result<Handler, HookError> {
    let usual = crate::places::config_file(NAME);
    let path = config.or(usual.as_deref());
    let path = path.ok_or_else(|| HookError::Event("there is no home directory".to_owned()))?;
    Handler::new(Config::read(path)?).map_err(|error| HookError::file(path, error))
}

fn managed(server: &str) -> Result<Handler, HookError> {
    let path = crate::places::config_below(&crate::places::own_home()?, NAME);
    let config = Config::read(&path)?;
    let named: Result<ServerUrl, _> = server.parse();
    if !named.is_ok_and(|named| named == config.server) {
        let reason = format!(
            "its server is {}, and the machine's managed settings name {}",
            config.server,
            crate::names::shown(server)
        );
        return Err(HookError::file(&path, reason));
    }
    Handler::new(config).map_err(|error| HookError::file(&path, error))
}
