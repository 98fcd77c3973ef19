//! What became of approved calls.

use std::collections::{HashMap, HashSet, VecDeque};

use countersign_core::document::{Call, Facts, ToolResult};
use countersign_core::entry::{Decision, Execution, ExecutionPhase, Mode};
use countersign_core::ids::EntryId;
use countersign_core::limits::RESULTS_SEEN;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{CallRef, ResultRef, Sha256};
use countersign_core::verdict::Outcome;

use super::decisions::Decisions;
use crate::documents::{Documents, agree};
use crate::report::{At, Check};

/// Who reports: the tool's side, or the agent of its own call.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Tool,
    Agent,
}

/// How far each execution is.
#[derive(Default)]
pub(crate) struct Executions {
    phases: HashMap<(EntryId, Side), ExecutionPhase>,
    /// Results, and the session that each belongs to.
    results: HashMap<ResultRef, Option<Pseudonym>>,
    /// The newest results of each session, the newest last: those that facts are drawn from.
    newest: HashMap<Pseudonym, VecDeque<ResultRef>>,
    /// Sessions of whose results some were erased: what is drawn from them may reach further back.
    thinned: HashSet<Pseudonym>,
}

impl Executions {
    pub(crate) fn report(
        &mut self,
        at: &mut At<'_>,
        body: &Execution,
        by_agent: bool,
        decisions: &Decisions,
        documents: &mut Documents<'_>,
    ) {
        check_members(at, body);
        let decision = body.links.decision.and_then(|id| decisions.get(&id));
        if let Some(reference) = body.result_ref {
            self.results.insert(reference, body.session);
            if let Some(session) = body.session {
                let newest = self.newest.entry(session).or_default();
                newest.push_back(reference);
                if newest.len() > RESULTS_SEEN {
                    newest.pop_front();
                }
            }
            let document = documents.open::<ToolResult>(at, reference.into());
            if let Some(result) = document {
                let holds = Some(result.decision) == body.links.decision
                    && Some(result.is_error) == body.is_error
                    && result.by_agent == by_agent;
                let expected = "the decision, `is_error` and reporter of the entry";
                at.require(holds, Check::DocumentContent, "another result", expected);
                let call = decision.and_then(|decision| decision.call_ref);
                check_call(at, &result, call, documents);
            }
        }
        // Without a link, or with one to nothing, that is a finding of its own.
        let (Some(id), Some(decision)) = (body.links.decision, decision) else {
            return;
        };
        let may_run = decision.outcome == Outcome::Approved && decision.mode == Mode::Enforced;
        let found = format_args!("entry {}: `{}`", decision.index, decision.outcome.name());
        at.require(may_run, Check::Execution, found, "an approved decision");
        let is_theirs = body.intent_ref == decision.intent_ref && body.session == decision.session;
        let expected = "the intent and session of the decision";
        at.require(
            is_theirs,
            Check::Execution,
            "another intent or session",
            expected,
        );
        let side = if by_agent { Side::Agent } else { Side::Tool };
        self.advance(at, id, body.phase, side);
    }

    /// Whether the tool's side has reported anything of a decision's call.
    pub(crate) fn is_told(&self, decision: &EntryId) -> bool {
        self.phases.contains_key(&(*decision, Side::Tool))
    }

    /// From here on nothing is drawn from what was erased.
    pub(crate) fn erase(&mut self, refs: &[Sha256]) {
        for reference in refs {
            let reference = ResultRef::from(*reference);
            let Some(Some(session)) = self.results.remove(&reference) else {
                continue;
            };
            self.thinned.insert(session);
            if let Some(newest) = self.newest.get_mut(&session) {
                newest.retain(|result| *result != reference);
            }
        }
    }

    /// The results that facts were drawn from were reported before, in the same session, and not
    /// erased; and none of the newest is left out, which could hold what must not leave. Before
    /// extractor 2, one that came in while the call was judged could be.
    pub(crate) fn results(&self, at: &mut At<'_>, body: &Decision, facts: &Facts) {
        let stated = &facts.inputs.results;
        let are_known = stated
            .iter()
            .all(|result| self.results.get(result) == Some(&body.session));
        let newest = body.session.and_then(|session| self.newest.get(&session));
        let newest: Vec<ResultRef> = newest.into_iter().flatten().copied().collect();
        let is_thinned = body.session.is_some_and(|it| self.thinned.contains(&it));
        let are_all = match is_thinned {
            // Those that came before the ones that are remembered take the place of erased ones.
            true => stated.ends_with(&newest) && stated.len() <= RESULTS_SEEN,
            false => newest == *stated,
        };
        let are_all = facts.extractor < 2 || are_all;
        agree(at, "facts", "inputs.results", are_known && are_all);
    }

    /// `started` once, then `unknown`, then `finished` once: never back. Each side reports for
    /// itself; when the tool's has reported the end, the agent has nothing to add.
    fn advance(&mut self, at: &mut At<'_>, id: EntryId, phase: ExecutionPhase, side: Side) {
        let told = self.phases.get(&(id, Side::Tool));
        if side == Side::Agent
            && let Some(told) = told.filter(|told| **told != ExecutionPhase::Started)
        {
            let found = format_args!("`{phase}` by the agent after `{told}`");
            let expected = "nothing of an agent once the tool's side has reported the end";
            at.fail(Check::UsedOnce, found, expected);
        }
        let rank = |phase| match phase {
            ExecutionPhase::Started => 0,
            ExecutionPhase::Unknown => 1,
            ExecutionPhase::Finished => 2,
        };
        let before = self.phases.insert((id, side), phase);
        let forward = before.is_none_or(|before| rank(before) < rank(phase));
        let found = before.map_or(String::new(), |before| {
            format!("`{phase}` after `{before}`")
        });
        at.require(forward, Check::UsedOnce, found, "each phase once, in order");
    }
}

/// The manifest of the tool says who wrote what stands in a result, and by its arguments a turn can
/// name one: both are the call's.
fn check_call(
    at: &mut At<'_>,
    result: &ToolResult,
    call: Option<CallRef>,
    documents: &mut Documents<'_>,
) {
    let call = call.and_then(|reference| documents.open::<Call>(at, reference.into()));
    let Some(call) = call else {
        return;
    };
    let args = result.args.as_ref();
    let holds = result.tool == call.tool && args.is_none_or(|args| *args == call.args);
    let found = format_args!("a result of `{}`", result.tool);
    let expected = "the tool and arguments of the call that was approved";
    at.require(holds, Check::DocumentContent, found, expected);
}

fn check_members(at: &mut At<'_>, body: &Execution) {
    let is_bare = body.result_ref.is_none() && body.is_error.is_none();
    let fits = body.phase == ExecutionPhase::Finished || is_bare;
    let found = format_args!("a result at `{}`", body.phase);
    at.require(fits, Check::Members, found, "a result only at `finished`");
}
