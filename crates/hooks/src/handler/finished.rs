//! Results: what a call returned becomes an execution.

use countersign_wire::ExecutionRequest;
use serde_json::{Value, json};

use super::{Finished, Handler};
use crate::error::HookError;
use crate::limits::{RESULT_BYTES, RESULT_HEAD_BYTES};
use crate::names::{args_digest, cut, sha256};
use crate::state::CallNote;

impl Handler {
    /// Records what a call returned. Where the person was asked, the answer is recorded before it.
    pub fn finished(&self, finished: &Finished<'_>) -> Result<(), HookError> {
        let (session, id) = (finished.session, finished.id);
        let Some(note) = self.state.call(session, id)? else {
            return Err(HookError::Call(format!(
                "a call of `{}` has ended that was not approved here",
                crate::names::shown(finished.tool)
            )));
        };
        if note.reported {
            return Ok(());
        }
        // Another hook may have changed the call after it was approved.
        if note.tool != finished.tool || note.args != args_digest(finished.args.get()) {
            return self.ran_otherwise(note, finished);
        }
        let decision = match &note.asked {
            None => note.decision.clone(),
            Some(shown) => self.answered(&note, shown, finished)?,
        };
        let request = ExecutionRequest {
            decision,
            phase: "finished".to_owned(),
            result: Some(bounded(finished.result.get())),
            is_error: Some(finished.is_error),
            duration_ms: finished.duration_ms,
        };
        let tool = self.tool();
        match tool.report_execution(&request) {
            // JSON that not all readers read alike, as numbers without end, is kept as text.
            Err(error) if matches!(error.code(), Some("malformed-json" | "malformed-request")) => {
                let text = Value::String(cut(finished.result.get(), RESULT_BYTES).to_owned());
                let request = ExecutionRequest {
                    result: Some(text),
                    ..request
                };
                tool.report_execution(&request)?;
            }
            // Another process of the same event was first.
            Err(error) if error.code() == Some("conflict") => {}
            reported => {
                reported?;
            }
        }
        self.done(note, finished)
    }

    /// What ran is not what was approved: its result is not the approved call's, and no answer of a
    /// person was about it.
    fn ran_otherwise(&self, note: CallNote, finished: &Finished<'_>) -> Result<(), HookError> {
        if note.asked.is_none() {
            let request = ExecutionRequest {
                decision: note.decision.clone(),
                phase: "unknown".to_owned(),
                ..ExecutionRequest::default()
            };
            self.tool().report_execution(&request)?;
        }
        let text = format!(
            "a call of `{}` ran with other arguments than were approved (entry {}): somebody changed it afterwards, as another hook can; its result counts for nothing",
            crate::names::shown(finished.tool),
            note.decision
        );
        self.done(note, finished)?;
        Err(HookError::Call(text))
    }

    fn done(&self, note: CallNote, finished: &Finished<'_>) -> Result<(), HookError> {
        let reported = CallNote {
            reported: true,
            ..note
        };
        self.state
            .put_call(finished.session, finished.id, &reported)
    }
}

/// A result as it goes to the server: as it is or, if it is long, its beginning with its digest.
fn bounded(result: &str) -> Value {
    if result.len() <= RESULT_BYTES
        && let Ok(value) = serde_json::from_str(result)
    {
        return value;
    }
    json!({
        "shortened": true,
        "bytes": result.len(),
        "sha256": sha256(result.as_bytes()),
        "head": cut(result, RESULT_HEAD_BYTES),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_result_goes_by_its_digest_and_beginning() {
        assert_eq!(bounded("{\"a\":1}"), json!({"a": 1}));
        let long = format!("\"{}\"", "ä".repeat(RESULT_BYTES));
        let short = bounded(&long);
        assert_eq!(short["bytes"], long.len());
        assert!(short["head"].as_str().unwrap().len() <= RESULT_HEAD_BYTES);
        assert!(short["sha256"].as_str().unwrap().starts_with("sha256:"));
        // A lone surrogate is no text.
        assert_eq!(bounded("\"\\ud800\"")["shortened"], true);
    }
}
