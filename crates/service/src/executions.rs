//! Executions: the one way by which tool results enter, and what later facts draw on.

use std::sync::Arc;

use countersign_core::document::{Call, Salt, ToolResult};
use countersign_core::entry::{Decision, Execution, ExecutionPhase, Links, Role};
use countersign_core::ids::EntryId;
use countersign_core::json::{self, CanonicalJson};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{ResultRef, Sha256};
use countersign_core::verdict::Outcome;
use countersign_judge::limits::RESULTS_SEEN;
use countersign_judge::{CompiledBundle, SeenResult, SessionResults};
use countersign_ledger::{Step, StepError};
use countersign_merkle::LeafIndex;
use countersign_wire::{ExecutionAnswer, ExecutionRequest};
use serde_json::Value;

use crate::Service;
use crate::caller::Caller;
use crate::decide::enforced;
use crate::error::{ErrorCode, ServiceError};
use crate::render::as_hashed;
use crate::sessions::{self, Counted};
use crate::state::{self, ExecutionRow, ResultRow, key};
use crate::turns::{name, word};
use crate::vault::access::check_kept;
use crate::vault::subjects::{SUBJECTS_PER_RECORD, Spoken};

/// Most bytes of a request that reports an execution.
pub const EXECUTION_BODY_BYTES: usize = 8 * 1024 * 1024;
/// Most bytes of a report by an agent: it may ask for many cheap calls, and all that it tells of them
/// is kept at hand.
pub const AGENT_EXECUTION_BODY_BYTES: usize = 256 * 1024;
/// Most bytes of a call's arguments that are kept with its result, so that a turn can name it by
/// them.
const RESULT_ARGS_BYTES: usize = 64 * 1024;
/// How many of a session's newest results are looked at before all of them.
const NEWEST: usize = 8;

/// The results of a session as of its newest one, read as one bundle says.
pub(crate) struct KnownResults {
    newest: LeafIndex,
    /// When some of the session's were erased last.
    erased: Option<LeafIndex>,
    results: SessionResults,
}

impl KnownResults {
    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        self.results.weight().saturating_add(1_024)
    }
}

impl Service {
    /// Records how far an approved call came and, once it has finished, what it returned.
    ///
    /// Each phase is taken once: `started` first if at all, then `finished` or `unknown`. A
    /// decision that was not approved has no executions.
    ///
    /// The tool's side reports. What an agent reports of its own call counts as a correspondent's
    /// words, whatever the manifest says of the tool. It stands beside the tool's report and never
    /// in its place: an agent cannot keep a result out by being the first to tell of one.
    pub fn report_execution(
        &self,
        caller: &Caller,
        body: &[u8],
    ) -> Result<ExecutionAnswer, ServiceError> {
        caller.require_any(&[Role::Tool, Role::Agent])?;
        let by_agent = !caller.has(Role::Tool);
        let (request, phase) = read(body, by_agent)?;
        let finished = phase == ExecutionPhase::Finished;
        let decision_id: EntryId = name(&request.decision)?;
        // Another agent's decision is not there for this one.
        let is_theirs = |decision: &Decision| !by_agent || decision.credential == caller.id();
        let (decision, call) = self.approved_decision(decision_id, is_theirs)?;
        let mut sealed = None;
        let mut result_ref = None;
        let mut spoken = Spoken::default();
        if let Some(result) = request.result {
            let document = ToolResult {
                tenant: self.tenant.clone(),
                decision: decision_id,
                tool: call.tool,
                args: short(call.args)?,
                by_agent,
                is_error: request.is_error.unwrap_or(false),
                duration_ms: request.duration_ms,
                result: as_hashed(result)?.1,
                salt: Salt::fresh(&*self.random),
            };
            let (reference, record) = self.vault.seal(&document, &*self.random)?;
            spoken.value(&document.result);
            if let Some(args) = &document.args {
                spoken.value(args);
            }
            let in_force = self.in_force()?.compiled;
            let seen = SeenResult::new(reference, Arc::new(document), &in_force).indexed();
            let read_as = (reference, in_force.policy_ref());
            self.results.insert(read_as, Arc::new(seen));
            result_ref = Some(reference);
            sealed = Some(record);
        }
        let tags = self.tags(&spoken, SUBJECTS_PER_RECORD);
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
            permit: None,
        };
        let calls: Vec<Sha256> = decision.call_ref.map(Sha256::from).into_iter().collect();
        let committed = self.ledger.commit(caller.reads(), move |step| {
            // A report that was under way when the call was erased is refused like a later one.
            check_kept(step, &calls)?;
            take_phase(step, decision_id, phase, by_agent)?;
            let index = step.push(entry_id, entry.clone())?;
            if let Some(session) = &entry.session {
                sessions::count(step, session, Counted::Execution)?;
            }
            if let (Some(session), Some(result_ref)) = (entry.session, result_ref) {
                let row = ResultRow { result_ref };
                state::put(step, key::result(&session, index.get()), &row)?;
                state::put(step, key::newest_result(&session), &row)?;
            }
            if let Some(result_ref) = result_ref {
                tags.put(step, result_ref.digest(), entry_id)?;
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

    /// A session's newest results, in the order of the log, read as the bundle says.
    pub(crate) fn session_results(
        &self,
        session: &Pseudonym,
        bundle: &CompiledBundle,
    ) -> Result<SessionResults, ServiceError> {
        let Some(newest) = self.ledger.state(&key::newest_result(session))? else {
            return Ok(SessionResults::empty());
        };
        let read_as = (*session, bundle.policy_ref());
        let erased = self.ledger.state(&key::erased_results(session))?;
        let erased = erased.map(|found| found.version);
        let known = self.seen.get(read_as);
        let known = known.filter(|known| known.erased == erased);
        if let Some(known) = &known
            && known.newest == newest.version
        {
            return Ok(known.results.clone());
        }
        let mut results = known.map_or_else(SessionResults::empty, |known| known.results.clone());
        let more = match self.results_after(session, &results, NEWEST)? {
            Some(more) => more,
            None => {
                results = SessionResults::empty();
                self.newest_results(session, RESULTS_SEEN)?
            }
        };
        for result_ref in more {
            results = results.extended(self.seen_result(result_ref, bundle)?);
        }
        let known = KnownResults {
            newest: newest.version,
            erased,
            results: results.clone(),
        };
        self.seen.insert(read_as, Arc::new(known));
        Ok(results)
    }

    /// The results after those that are known, if no more than `most` are.
    fn results_after(
        &self,
        session: &Pseudonym,
        known: &SessionResults,
        most: usize,
    ) -> Result<Option<Vec<ResultRef>>, ServiceError> {
        let Some(last) = known.refs().last() else {
            return Ok(None);
        };
        let newest = self.newest_results(session, most)?;
        let known = newest.iter().position(|one| *one == last);
        Ok(known.and_then(|at| newest.get(at + 1..).map(<[_]>::to_vec)))
    }

    /// The newest results of a session, in the order of the log.
    fn newest_results(
        &self,
        session: &Pseudonym,
        most: usize,
    ) -> Result<Vec<ResultRef>, ServiceError> {
        let rows: Vec<ResultRow> = state::scan(&self.ledger, &key::results(session), most)?;
        Ok(rows.into_iter().rev().map(|row| row.result_ref).collect())
    }

    fn seen_result(
        &self,
        result_ref: ResultRef,
        bundle: &CompiledBundle,
    ) -> Result<Arc<SeenResult>, ServiceError> {
        self.results.fetch((result_ref, bundle.policy_ref()), || {
            let document: ToolResult = self.open_internally(*result_ref.digest())?;
            Ok(SeenResult::new(result_ref, Arc::new(document), bundle).indexed())
        })
    }

    /// An approval of those that the caller may know of, and its call.
    fn approved_decision(
        &self,
        entry_id: EntryId,
        is_theirs: impl Fn(&Decision) -> bool,
    ) -> Result<(Decision, Call), ServiceError> {
        let not_found = || ServiceError::not_found(format!("decision `{entry_id}`"));
        let (_, entry) = self.known_entry(entry_id)?.ok_or_else(not_found)?;
        let decision = entry.body().and_then(enforced);
        let Some(decision) = decision.filter(|decision| is_theirs(decision)) else {
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
        let call = self.open_internally(*call_ref.digest())?;
        Ok((decision.clone(), call))
    }
}

/// The arguments, unless they are long.
fn short(args: Value) -> Result<Option<Value>, ServiceError> {
    let bytes = CanonicalJson::of_exact(&args)?.as_bytes().len();
    Ok((bytes <= RESULT_ARGS_BYTES).then_some(args))
}

/// What is reported, before anything is known of the call.
fn read(body: &[u8], by_agent: bool) -> Result<(ExecutionRequest, ExecutionPhase), ServiceError> {
    if by_agent && body.len() > AGENT_EXECUTION_BODY_BYTES {
        let detail = format!(
            "an agent's report has {} bytes; allowed are {AGENT_EXECUTION_BODY_BYTES}",
            body.len()
        );
        return Err(ServiceError::new(ErrorCode::TooLarge, detail));
    }
    let request: ExecutionRequest = json::parse_as(body, EXECUTION_BODY_BYTES)?;
    let phase: ExecutionPhase = word(&request.phase, "phase", "started, finished and unknown")?;
    let tells_end =
        request.result.is_some() || request.is_error.is_some() || request.duration_ms.is_some();
    if phase != ExecutionPhase::Finished && tells_end {
        return Err(ServiceError::malformed(
            "`result`, `is_error` and `duration_ms` come with the phase `finished` only",
        ));
    }
    Ok((request, phase))
}

/// Notes a phase, unless the same side reported it or a later one before, or the tool's side has
/// reported the end.
fn take_phase(
    step: &mut Step<'_>,
    decision: EntryId,
    phase: ExecutionPhase,
    by_agent: bool,
) -> Result<(), StepError> {
    let state_key = key::execution(decision);
    let mut row = state::read_in::<ExecutionRow>(step, &state_key)?.unwrap_or_default();
    let has_ended = |phases: &[ExecutionPhase]| {
        let mut phases = phases.iter();
        phases.any(|seen| *seen != ExecutionPhase::Started)
    };
    let is_told = has_ended(&row.phases);
    let phases = match by_agent {
        true => &mut row.by_agent,
        false => &mut row.phases,
    };
    if is_told || has_ended(phases) || phases.contains(&phase) {
        let seen = match by_agent && is_told {
            true => &row.phases,
            false => &*phases,
        };
        let seen: Vec<&str> = seen.iter().map(|phase| phase.name()).collect();
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
    state::put(step, state_key, &row)
}
