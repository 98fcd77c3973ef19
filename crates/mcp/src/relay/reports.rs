//! Executions on their way into the ledger: recorded before the next call is judged, and never lost
//! silently.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_client::{Client, ClientError};
use countersign_wire::ExecutionRequest;

use super::observe::unknown;
use crate::limits::{LAST_TRIES, LATE_BYTES, RECORDING};

/// How long to wait between two tries at the end.
const PAUSE: Duration = Duration::from_millis(250);

/// Executions that are not in the ledger yet.
#[derive(Default)]
pub(super) struct Reports {
    open: Mutex<Open>,
    /// Told whenever a report that was under way is not any more.
    settled: Condvar,
    /// Held while late ones are tried again.
    catching_up: Mutex<()>,
}

#[derive(Default)]
struct Open {
    /// How many are under way while the client has their results already.
    under_way: usize,
    /// Those that could not be recorded yet, oldest first.
    late: VecDeque<ExecutionRequest>,
    /// How long their results are, about.
    late_bytes: usize,
}

/// What became of a report.
pub(super) enum Reported {
    /// It is in the ledger.
    Recorded,
    /// It will be tried again, before the next call is judged.
    Late(ClientError),
    /// The server does not take it, or too much is late already.
    Refused(ClientError),
}

impl Reports {
    /// Reports an execution whose result nobody has yet.
    pub(super) fn report(&self, tool: &Client, report: ExecutionRequest) -> Reported {
        match post(tool, &report) {
            Ok(()) => Reported::Recorded,
            Err(error) if is_final(&error) => Reported::Refused(error),
            Err(error) => {
                let mut open = self.open();
                let all = open.late_bytes.saturating_add(size(&report));
                if all > LATE_BYTES {
                    return Reported::Refused(error);
                }
                open.late_bytes = all;
                open.late.push_back(report);
                Reported::Late(error)
            }
        }
    }

    /// Whether one more execution may be recorded while the client has its result already. If so,
    /// [`Self::settle`] has to follow.
    pub(super) fn begin(&self) -> bool {
        let mut open = self.open();
        let may = open.under_way < RECORDING && open.late.is_empty();
        open.under_way += usize::from(may);
        may
    }

    /// Reports an execution whose result the client has. It is late until the server takes it.
    pub(super) fn settle(
        &self,
        tool: &Client,
        report: ExecutionRequest,
    ) -> Result<(), ClientError> {
        let posted = post(tool, &report);
        let mut open = self.open();
        if posted.is_err() {
            open.late_bytes = open.late_bytes.saturating_add(size(&report));
            open.late.push_back(report);
        }
        open.under_way = open.under_way.saturating_sub(1);
        drop(open);
        self.settled.notify_all();
        posted
    }

    /// Waits for what is under way and tries again what is late. While anything is, no call may be
    /// judged: what it would rest on is not in the ledger.
    pub(super) fn catch_up(&self, tool: &Client, notice: &dyn Fn(&str)) -> Result<(), ClientError> {
        // Each report that is under way ends in the time that a request may take.
        let is_busy = |open: &mut Open| open.under_way > 0;
        let settled = self.settled.wait_while(self.open(), is_busy);
        drop(settled.unwrap_or_else(PoisonError::into_inner));
        let _one = self
            .catching_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(report) = self.open().late.front().cloned() else {
                return Ok(());
            };
            match post(tool, &report) {
                Ok(()) => {}
                // The ledger says at least that nobody knows. Without that, nothing goes on.
                Err(error) if is_final(&error) => {
                    post(tool, &unknown(&report.decision))?;
                    notice(&format!(
                        "the execution of `{}` is recorded as unknown: {error}",
                        report.decision
                    ));
                }
                Err(error) => return Err(error),
            }
            let mut open = self.open();
            open.late_bytes = open.late_bytes.saturating_sub(size(&report));
            open.late.pop_front();
        }
    }

    /// The last tries; how many are lost.
    pub(super) fn close(&self, tool: &Client, notice: &dyn Fn(&str)) -> usize {
        let begun = Instant::now();
        while let Err(error) = self.catch_up(tool, notice) {
            if begun.elapsed() >= LAST_TRIES {
                let open = self.open();
                for report in &open.late {
                    notice(&format!(
                        "the execution of `{}` is not recorded: {error}",
                        report.decision
                    ));
                }
                return open.late.len();
            }
            std::thread::sleep(PAUSE);
        }
        0
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn post(tool: &Client, report: &ExecutionRequest) -> Result<(), ClientError> {
    match tool.report_execution(report) {
        // It was reported before, by a try whose answer was lost.
        Err(error) if error.code() == Some("conflict") => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// Whether trying again would not help.
fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::Problem { problem, .. } => problem.status < 500 && !error.is_retryable(),
        ClientError::Request(_) => true,
        _ => false,
    }
}

fn size(report: &ExecutionRequest) -> usize {
    let result = report.result.as_ref();
    result.map_or(0, |result| result.to_string().len())
}
