//! What became of approved calls.

use std::collections::HashMap;

use countersign_core::document::{Facts, ToolResult};
use countersign_core::entry::{Decision, Execution, ExecutionPhase, Mode};
use countersign_core::ids::EntryId;
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::ResultRef;
use countersign_core::verdict::Outcome;

use super::decisions::Decisions;
use crate::documents::{Documents, agree};
use crate::report::{At, Check};

/// How far each execution is.
#[derive(Default)]
pub(crate) struct Executions {
    phases: HashMap<EntryId, ExecutionPhase>,
    /// Results, and the session that each belongs to.
    results: HashMap<ResultRef, Option<Pseudonym>>,
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
        if let Some(reference) = body.result_ref {
            self.results.insert(reference, body.session);
            let document = documents.open::<ToolResult>(at, reference.into());
            if let Some(result) = document {
                let holds = Some(result.decision) == body.links.decision
                    && Some(result.is_error) == body.is_error
                    && result.by_agent == by_agent;
                let expected = "the decision, `is_error` and reporter of the entry";
                at.require(holds, Check::DocumentContent, "another result", expected);
            }
        }
        let Some(id) = body.links.decision else {
            return; // The missing link is a finding of its own.
        };
        let Some(decision) = decisions.get(&id) else {
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
        self.advance(at, id, body.phase);
    }

    /// The results that facts were drawn from were reported before, in the same session.
    pub(crate) fn results(&self, at: &mut At<'_>, body: &Decision, facts: &Facts) {
        for result in &facts.inputs.results {
            let fits = self.results.get(result) == Some(&body.session);
            agree(at, "facts", "inputs.results", fits);
        }
    }

    /// `started` once, then `unknown`, then `finished` once: never back.
    fn advance(&mut self, at: &mut At<'_>, id: EntryId, phase: ExecutionPhase) {
        let rank = |phase| match phase {
            ExecutionPhase::Started => 0,
            ExecutionPhase::Unknown => 1,
            ExecutionPhase::Finished => 2,
        };
        let before = self.phases.insert(id, phase);
        let forward = before.is_none_or(|before| rank(before) < rank(phase));
        let found = before.map_or(String::new(), |before| {
            format!("`{phase}` after `{before}`")
        });
        at.require(forward, Check::UsedOnce, found, "each phase once, in order");
    }
}

fn check_members(at: &mut At<'_>, body: &Execution) {
    let is_bare = body.result_ref.is_none() && body.is_error.is_none();
    let fits = body.phase == ExecutionPhase::Finished || is_bare;
    let found = format_args!("a result at `{}`", body.phase);
    at.require(fits, Check::Members, found, "a result only at `finished`");
}
