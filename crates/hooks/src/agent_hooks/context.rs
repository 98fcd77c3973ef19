//! What a host says at a point. Members that nothing here depends on are not read; members that stand
//! twice are refused.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::SPEC;
use crate::error::HookError;

/// The points that are known, and what their events are noted as.
const POINTS: &[&str] = &[
    "agent_startup",
    "input",
    "pre_tool_call",
    "post_tool_call",
    "agent_shutdown",
];

/// A context (§4). Which members are there depends on the point.
#[derive(Debug, Deserialize)]
pub(super) struct Context<'a> {
    #[serde(borrow)]
    spec: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) interception_point: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) agent: Id<'a>,
    #[serde(borrow)]
    pub(super) session: Id<'a>,
    #[serde(borrow, default)]
    target: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input: Option<Input<'a>>,
    #[serde(borrow, default)]
    tool_call: Option<ToolCall<'a>>,
    #[serde(borrow, default)]
    tool_result: Option<ToolResult<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Id<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Input<'a> {
    #[serde(borrow)]
    pub(super) content: &'a RawValue,
    #[serde(borrow)]
    pub(super) role: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolCall<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) args: &'a RawValue,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolResult<'a> {
    #[serde(borrow)]
    pub(super) value: &'a RawValue,
    pub(super) is_error: bool,
}

impl<'a> Context<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, HookError> {
        let context: Self =
            serde_json::from_slice(bytes).map_err(|error| HookError::Event(error.to_string()))?;
        match context.spec.as_ref() == SPEC {
            true => Ok(context),
            false => Err(HookError::Event(format!(
                "`spec` is `{}`; what is spoken here is `{SPEC}`",
                crate::names::shown(&context.spec)
            ))),
        }
    }

    /// The point's name, if it is one of those that are handled.
    pub(super) fn point(&self) -> Result<&'static str, HookError> {
        let known = POINTS
            .iter()
            .find(|point| **point == self.interception_point);
        known.copied().ok_or_else(|| {
            HookError::Event(format!(
                "`interception_point` is `{}`, which is none of {SPEC}",
                crate::names::shown(&self.interception_point)
            ))
        })
    }

    pub(super) fn input(&self) -> Result<&Input<'a>, HookError> {
        self.input.as_ref().ok_or_else(|| missing("input"))
    }

    /// The call that is to be made. What the host will run and what it shows as the target must be
    /// the same value.
    pub(super) fn tool_call(&self) -> Result<&ToolCall<'a>, HookError> {
        let call = self.finished_call()?;
        let target = self.target.ok_or_else(|| missing("target"))?;
        let value = |raw: &RawValue| serde_json::from_str::<Value>(raw.get());
        match (value(call.args), value(target)) {
            (Ok(args), Ok(target)) if args == target => Ok(call),
            _ => Err(HookError::Event(
                "`target` is not the same value as `tool_call.args`".to_owned(),
            )),
        }
    }

    /// The call that was made.
    pub(super) fn finished_call(&self) -> Result<&ToolCall<'a>, HookError> {
        let call = self
            .tool_call
            .as_ref()
            .ok_or_else(|| missing("tool_call"))?;
        match call.id.is_empty() || call.name.is_empty() {
            false => Ok(call),
            true => Err(HookError::Event(
                "`tool_call.id` or `tool_call.name` is empty".to_owned(),
            )),
        }
    }

    pub(super) fn tool_result(&self) -> Result<&ToolResult<'a>, HookError> {
        self.tool_result
            .as_ref()
            .ok_or_else(|| missing("tool_result"))
    }
}

fn missing(member: &str) -> HookError {
    HookError::Event(format!("it has no `{member}`"))
}
