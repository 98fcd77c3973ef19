//! What Claude Code says of an event. Members that nothing here depends on are not read; members
//! that stand twice are refused.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::EVENTS;
use crate::error::HookError;
use crate::handler::Words;

/// An event. Which members are there depends on which event it is.
#[derive(Debug, Deserialize)]
pub(super) struct Input<'a> {
    #[serde(borrow)]
    pub(super) session_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) hook_event_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) cwd: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) prompt_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) permission_mode: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) agent_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) agent_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) prompt: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) source: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) tool_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) tool_use_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) tool_input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) tool_response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) duration_ms: Option<&'a RawValue>,
}

impl<'a> Input<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, HookError> {
        serde_json::from_slice(bytes).map_err(|error| HookError::Event(error.to_string()))
    }

    /// A member that the event cannot be without.
    pub(super) fn needed<'b>(
        member: &'b Option<Cow<'a, str>>,
        name: &str,
    ) -> Result<&'b str, HookError> {
        match member.as_deref() {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(HookError::Event(format!("it has no `{name}`"))),
        }
    }

    /// Whose words the prompt is. A client that does not say gives the person's: it says of every
    /// other kind what it is.
    pub(super) fn words(&self) -> Words {
        match self.source.as_deref() {
            None | Some("user") => Words::Person,
            Some("sdk") => Words::Program,
            Some("loop_wakeup" | "schedule_wakeup") => Words::Schedule,
            // `system`, `poll_event`, and whatever else there will be.
            Some(_) => Words::System,
        }
    }

    /// The subagent that the event is of, by its id and type.
    pub(super) fn subagent(&self) -> Option<(&str, &str)> {
        let id = self.agent_id.as_deref()?;
        Some((id, self.agent_type.as_deref().unwrap_or_default()))
    }

    /// Whether a person sits there to be asked: in the other modes the client answers questions by
    /// itself.
    pub(super) fn can_ask(&self) -> bool {
        matches!(
            self.permission_mode.as_deref(),
            Some("default" | "acceptEdits" | "plan")
        )
    }
}

/// The name of an event that is otherwise unreadable, where it can be made out: then it is answered
/// in its own shape.
pub(super) fn event_name(bytes: &[u8]) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct Named {
        hook_event_name: String,
    }
    let named: Named = serde_json::from_slice(bytes).ok()?;
    EVENTS
        .iter()
        .find(|event| **event == named.hook_event_name)
        .copied()
}
