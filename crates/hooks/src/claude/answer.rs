//! What is said to Claude Code: one line of JSON and exit code 0, or exit code 2 with the reason.

use serde_json::{Value, json};

use crate::error::HookError;
use crate::handler::{Ruling, Verdict};
use crate::text;

/// What a handler process writes, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// For stdout.
    pub stdout: String,
    /// For stderr.
    pub stderr: String,
    /// The exit code: 0, or 2, which blocks.
    pub code: u8,
}

impl Output {
    /// No opinion: for events that decide nothing.
    pub(super) fn no_opinion() -> Self {
        Self {
            stdout: String::new(),
            stderr: String::new(),
            code: 0,
        }
    }

    /// Blocks whatever it was; the last resort.
    pub fn block(reason: &str) -> Self {
        Self {
            stdout: String::new(),
            stderr: format!("{reason}\n"),
            code: 2,
        }
    }

    /// The decision of a call.
    pub(super) fn decided(ruling: &Ruling) -> Self {
        let decision = match ruling.verdict {
            Verdict::Allowed => "allow",
            Verdict::Ask => "ask",
            Verdict::Unanswered | Verdict::Refused => "deny",
        };
        Self::decision(decision, &ruling.text)
    }

    /// Something for the person to read, where nothing can be refused.
    pub(super) fn note(message: &str) -> Self {
        Self::json(&json!({ "systemMessage": text::visible(message) }))
    }

    /// Something for the person and the model to read, after a call has run.
    pub(super) fn after(event: &str, message: &str) -> Self {
        let message = text::visible(message);
        Self::json(&json!({
            "systemMessage": message,
            "hookSpecificOutput": {"hookEventName": event, "additionalContext": message},
        }))
    }

    /// What an event is answered that could not be read. `event`: its name, if it could be made out.
    pub(super) fn unread(event: Option<&str>, error: &HookError) -> Self {
        match event {
            Some("PreToolUse") => Self::failed(event, error),
            _ => Self::failed(None, error),
        }
    }

    /// What an event is answered that was not handled. `event`: one of ours, if it could be made out.
    pub(super) fn failed(event: Option<&str>, error: &HookError) -> Self {
        let hint = error.hint();
        let reason = text::failed(&error.to_string(), hint.as_deref());
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        match event {
            Some("PreToolUse") => Self::decision("deny", &reason),
            // It is noted as unregistered, so no call rests on an older turn. Where not even that
            // could be done, it is kept back.
            Some("UserPromptSubmit") if matches!(error, HookError::Server(_)) => {
                Self::note(&format!(
                    "countersign: this prompt is not registered, so calls that follow from it name no turn: {error}{hint}"
                ))
            }
            Some(after @ ("PostToolUse" | "PostToolUseFailure")) => Self::after(
                after,
                &format!("countersign: what this call did is not recorded: {error}{hint}"),
            ),
            Some("SessionStart" | "SessionEnd" | "SubagentStart") => {
                Self::note(&format!("countersign: {error}{hint}"))
            }
            _ => Self::block(&format!("countersign: {error}{hint}")),
        }
    }

    fn decision(decision: &str, reason: &str) -> Self {
        Self::json(&json!({
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": decision,
                "permissionDecisionReason": reason,
            }
        }))
    }

    fn json(value: &Value) -> Self {
        Self {
            stdout: format!("{value}\n"),
            stderr: String::new(),
            code: 0,
        }
    }
}
