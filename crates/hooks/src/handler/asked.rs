//! The answer of the person whose turn it is, as the assistant brings it.

use countersign_wire::ReviewRequest;

use super::{Finished, Handler};
use crate::error::HookError;
use crate::state::CallNote;

impl Handler {
    /// Records that the person said yes; the decision that came of it.
    ///
    /// That they did is seen from the call having run: the assistant asks, and keeps a call back that
    /// its person does not want. Nothing else vouches for the answer.
    pub(super) fn answered(
        &self,
        note: &CallNote,
        shown: &str,
        finished: &Finished<'_>,
    ) -> Result<String, HookError> {
        if !finished.ran {
            return Err(HookError::Call(format!(
                "whether the call of escalation {} was let through by its person is not known; the escalation expires",
                note.decision
            )));
        }
        let request = ReviewRequest {
            decision: note.decision.clone(),
            answer: "approve".to_owned(),
            shown: Some(shown.to_owned()),
            ..ReviewRequest::default()
        };
        let answered = self.ingress().review(&request)?;
        match answered.decision.outcome.as_str() {
            "approved" => Ok(answered.decision.entry_id),
            other => Err(HookError::Call(format!(
                "the call has run with its person's yes, and the decision with it ({}) is {}",
                crate::names::shown(&answered.decision.entry_id),
                crate::names::shown(other)
            ))),
        }
    }
}
