//! The tool's side: permits that are used up, and the ends of calls.

use std::time::{Duration, Instant};

use countersign_wire::{ConsumeRequest, Consumed, ExecutionRequest};
use serde_json::Value;

use crate::error::ClientError;
use crate::transport::Client;

/// The rests between tries to report the end of a call.
const RESTS: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

impl Client {
    /// Uses a permit up. Role `tool`. Only after this answer may the call be made. A permit that is not
    /// good is a problem with the code `permit-refused`. An error that leaves open whether the permit
    /// was used up ([`ClientError::Timeout`], [`ClientError::Broken`]) is a refusal like any other.
    pub fn consume_permit(&self, request: &ConsumeRequest) -> Result<Consumed, ClientError> {
        self.post("/v1/permits/consume", request)
    }

    /// The same, and holds on to the call until its end is reported. Role `tool`.
    ///
    /// ```no_run
    /// # use countersign_client::{Client, ClientError};
    /// # use countersign_wire::ConsumeRequest;
    /// # fn send_mail() -> Result<String, String> { Ok(String::new()) }
    /// # fn call(client: &Client, permit: String, args_sha256: String) -> Result<String, ClientError> {
    /// let execution = client.start_execution(&ConsumeRequest {
    ///     permit,
    ///     audience: "tool:email.send".to_owned(),
    ///     tool: "email.send".to_owned(),
    ///     args_sha256,
    ///     wire: None,
    /// })?;
    /// // From here on the call is in the ledger; an early return or a panic reports `unknown`.
    /// let sent = send_mail();
    /// let (text, is_error) = match sent {
    ///     Ok(text) => (text, false),
    ///     Err(text) => (text, true),
    /// };
    /// // Before the agent gets to see it.
    /// execution.finish(Some(text.clone().into()), is_error)?;
    /// # Ok(text)
    /// # }
    /// ```
    pub fn start_execution(&self, request: &ConsumeRequest) -> Result<Execution, ClientError> {
        let consumed = self.consume_permit(request)?;
        Ok(Execution {
            client: self.clone(),
            consumed,
            since: Instant::now(),
            is_over: false,
        })
    }
}

/// An approved call that may be made now, once. Dropped without a report, it is reported as
/// `unknown`, on the thread that drops it.
#[must_use = "a call that is dropped is reported as `unknown`"]
pub struct Execution {
    client: Client,
    consumed: Consumed,
    since: Instant,
    is_over: bool,
}

impl Execution {
    /// What the server said.
    pub fn consumed(&self) -> &Consumed {
        &self.consumed
    }

    /// Reports what the tool returned, before anybody else gets it: later calls are judged by it.
    /// Tried again for some seconds if the server cannot be reached.
    pub fn finish(mut self, result: Option<Value>, is_error: bool) -> Result<(), ClientError> {
        self.is_over = true;
        self.report("finished", result, Some(is_error))
    }

    /// Reports that nobody knows what became of the call.
    pub fn unknown(mut self) -> Result<(), ClientError> {
        self.is_over = true;
        self.report("unknown", None, None)
    }

    fn report(
        &self,
        phase: &str,
        result: Option<Value>,
        is_error: Option<bool>,
    ) -> Result<(), ClientError> {
        let request = ExecutionRequest {
            decision: self.consumed.decision.clone(),
            phase: phase.to_owned(),
            result,
            is_error,
            duration_ms: is_error.map(|_| millis(self.since.elapsed())),
        };
        let mut rests = RESTS.iter();
        let mut may_be_there = false;
        loop {
            let Err(error) = self.client.report_execution(&request) else {
                return Ok(());
            };
            // Reported by an earlier try whose answer was lost.
            if may_be_there && error.code() == Some("conflict") {
                return Ok(());
            }
            may_be_there |= matches!(
                error,
                ClientError::Timeout { .. } | ClientError::Broken { .. }
            );
            match rests.next() {
                Some(rest) if is_passing(&error) => std::thread::sleep(*rest),
                _ => return Err(error),
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Execution {
    fn drop(&mut self) {
        if !self.is_over {
            // Whoever reads the ledger finds a start without an end then.
            let _ = self.report("unknown", None, None);
        }
    }
}

/// Whether the same report may be taken a moment later.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Timeout { .. } | ClientError::Broken { .. } => true,
        ClientError::Problem { problem, .. } => problem.status == 503 || error.is_retryable(),
        error => error.is_retryable(),
    }
}
