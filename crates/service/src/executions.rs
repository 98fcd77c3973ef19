//! Executions: the one way by which tool results enter, and what later facts draw on.

use std::sync::Arc;

use countersign_core::document::{Document as _, Salt, ToolResult};
use countersign_core::entry::{Decision, Execution, ExecutionPhase, Links, Role};
use countersign_core::ids::EntryId;
use countersign_core::json;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::ResultRef;
use countersign_core::verdict::Outcome;
use countersign_judge::ResultIndex;
use countersign_ledger::{Step, StepError};
use countersign_wire::{ExecutionAnswer, ExecutionRequest};

use crate::Service;
use crate::caller::Caller;
use crate::decide::enforced;
use crate::error::{ErrorCode, ServiceError};
use crate::render::as_hashed;
use crate::sessions::{self, Counted};
use crate::state::{self, ExecutionRow, ResultRow, key};
use crate::turns::{name, word};

/// Most bytes of a request that reports an execution.
pub const EXECUTION_BODY_BYTES: usize = 8 * 1024 * 1024;
/// How many of a session's newest results facts are drawn from.
pub const RESULTS_SEEN: usize = 256;

/// A result's document with what stands in it; made once per result.
pub(crate) struct OpenResult {
    pub(crate) document: ToolResult,
    pub(crate) index: ResultIndex,
    bytes: usize,
}

impl OpenResult {
    fn new(document: ToolResult) -> Result<Self, ServiceError> {
        let bytes = document.canonical()?.as_bytes().len();
        let index = ResultIndex::of(&document);
        Ok(Self {
            document,
            index,
            bytes,
        })
    }

    /// About how many bytes it takes; its index takes as much again as the result.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.saturating_mul(3).saturating_add(1_024)
    }
}

impl Service {
    /// Records how far an approved call came and, once it has finished, what it returned.
    ///
    /// Each phase is taken once: `started` first if at all, then `finished` or `unknown`. A
    /// decision that was not approved has no executions.
    pub fn report_execution(
        &self,
        caller: &Caller,
        body: &[u8],
    ) -> Result<ExecutionAnswer, ServiceError> {
        caller.require(Role::Tool)?;
        let request: ExecutionRequest = json::parse_as(body, EXECUTION_BODY_BYTES)?;
        let phase: ExecutionPhase = word(&request.phase, "phase", "started, finished and unknown")?;
        let finished = phase == ExecutionPhase::Finished;
        if !finished && (request.result.is_some() || request.is_error.is_some()) {
            return Err(ServiceError::malformed(
                "`result` and `is_error` come with the phase `finished` only",
            ));
        }
        let decision_id: EntryId = name(&request.decision)?;
        let (decision, tool) = self.approved_decision(decision_id)?;
        let mut sealed = None;
        let mut result_ref = None;
        if let Some(result) = request.result {
            let document = ToolResult {
                tenant: self.tenant.clone(),
                decision: decision_id,
                tool,
                args: None,
                by_agent: false,
                is_error: request.is_error.unwrap_or(false),
                result: as_hashed(result)?.1,
                salt: Salt::fresh(&*self.random),
            };
            let (reference, record) = self.vault.seal(&document, &*self.random)?;
            self.results
                .insert(reference, Arc::new(OpenResult::new(document)?));
            result_ref = Some(reference);
            sealed = Some(record);
        }
        let entry_id = self.entry_id();
        let entry = Execution {
            phase,
            links: Links {
                decision: Some(decision_id),
                ..Links::default()
            },
            intent_ref: decision.intent_ref,
            session: decision.session,
            result_ref,
            is_error: finished.then(|| request.is_error.unwrap_or(false)),
            credential: caller.id(),
        };
        let committed = self.ledger.commit(caller.reads(), move |step| {
            take_phase(step, decision_id, phase)?;
            let index = step.push(entry_id, entry.clone())?;
            if let Some(session) = &entry.session {
                sessions::count(step, session, Counted::Execution)?;
            }
            if let (Some(session), Some(result_ref)) = (entry.session, result_ref) {
                let row = ResultRow { result_ref };
                state::put(step, key::result(&session, index.get()), &row)?;
                state::put(step, key::newest_result(&session), &row)?;
            }
            match &sealed {
                Some(record) => step.seal(record.clone()),
                None => Ok(()),
            }
        })?;
        Ok(ExecutionAnswer {
            entry_id: entry_id.to_string(),
            result_ref: result_ref.map(|reference| reference.to_string()),
            entry: self.only_entry(&committed)?,
        })
    }

    /// A session's newest results, in the order of the log.
    pub(crate) fn session_results(
        &self,
        session: &Pseudonym,
    ) -> Result<Vec<(ResultRef, Arc<OpenResult>)>, ServiceError> {
        let Some(newest) = self.ledger.state(&key::newest_result(session))? else {
            return Ok(Vec::new());
        };
        let refs = self.seen.fetch((*session, newest.version), || {
            let rows: Vec<ResultRow> =
                state::scan(&self.ledger, &key::results(session), RESULTS_SEEN)?;
            let refs = rows.into_iter().rev().map(|row| row.result_ref);
            Ok::<_, ServiceError>(refs.collect::<Vec<_>>())
        })?;
        refs.iter()
            .map(|result_ref| Ok((*result_ref, self.open_result(*result_ref)?)))
            .collect()
    }

    fn open_result(&self, result_ref: ResultRef) -> Result<Arc<OpenResult>, ServiceError> {
        self.results.fetch(result_ref, || {
            OpenResult::new(self.open_internally(*result_ref.digest())?)
        })
    }

    fn approved_decision(&self, entry_id: EntryId) -> Result<(Decision, String), ServiceError> {
        let not_found = || ServiceError::not_found(format!("decision `{entry_id}`"));
        let (_, entry) = self.known_entry(entry_id)?.ok_or_else(not_found)?;
        let Some(decision) = entry.body().and_then(enforced) else {
            return Err(not_found());
        };
        let Some(call_ref) = decision
            .call_ref
            .filter(|_| decision.outcome == Outcome::Approved)
        else {
            let detail = format!(
                "the decision `{entry_id}` was {}, so nothing may have run",
                decision.outcome.name()
            );
            return Err(ServiceError::new(ErrorCode::Conflict, detail));
        };
        let call: countersign_core::document::Call = self.open_internally(*call_ref.digest())?;
        Ok((decision.clone(), call.tool))
    }
}

/// Notes a phase, unless it or a later one was reported before.
fn take_phase(
    step: &mut Step<'_>,
    decision: EntryId,
    phase: ExecutionPhase,
) -> Result<(), StepError> {
    let state_key = key::execution(decision);
    let mut phases =
        state::read_in::<ExecutionRow>(step, &state_key)?.map_or_else(Vec::new, |row| row.phases);
    let ended = phases.iter().any(|seen| *seen != ExecutionPhase::Started);
    if ended || phases.contains(&phase) {
        let seen: Vec<&str> = phases.iter().map(|phase| phase.name()).collect();
        let detail = format!(
            "the execution of `{decision}` was already reported as {}",
            seen.join(" and ")
        );
        return Err(StepError::refused(ServiceError::new(
            ErrorCode::Conflict,
            detail,
        )));
    }
    phases.push(phase);
    state::put(step, state_key, &ExecutionRow { phases })
}
