//! Judging the decisions of a folder again, from the records that were opened.

use std::collections::BTreeMap;

use countersign_core::document::{Bundle, Call, Document, Facts, Intent, ToolResult};
use countersign_core::entry::{Body, Decision};
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::refs::{PolicyRef, Sha256};
use countersign_judge::{CompiledBundle, RejudgeError, RejudgeInputs};
use serde::Serialize;

use crate::record::{Records, State};
use crate::standing::Mismatch;

/// What came of judging again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Again {
    /// Decisions whose facts and verdict came out the same.
    pub agreed: u64,
    /// Decisions that were not judged again, by reason.
    pub not_rejudged: BTreeMap<NotAgain, u64>,
}

/// Why a decision was not judged again, which is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotAgain {
    /// An input is sealed.
    Sealed,
    /// An input was erased.
    Erased,
    /// The call was too malformed to have facts.
    NoFacts,
    /// What decided is not for the judge to say.
    OutsideTheJudge,
    /// The bundle is not in the folder, or does not compile.
    NoBundle,
    /// The facts were drawn by an extractor that this build does not hold.
    OtherExtractor,
}

/// The bundles of a folder, compiled where they compile.
pub(crate) type Bundles = BTreeMap<PolicyRef, Option<CompiledBundle>>;

/// Compiles the bundles.
pub(crate) fn compiled(bundles: &BTreeMap<PolicyRef, Vec<u8>>) -> Bundles {
    let each = bundles.iter().map(|(reference, bytes)| {
        let bundle = Bundle::from_canonical(bytes).ok();
        let bundle = bundle.and_then(|bundle| CompiledBundle::stored(bundle).ok());
        (*reference, bundle)
    });
    each.collect()
}

/// Judges every decision again; what comes out otherwise is a mismatch of its entry's file.
pub(crate) fn all<'b>(
    bodies: impl Iterator<Item = (String, &'b Body)>,
    records: &Records<'_>,
    bundles: &Bundles,
    mismatches: &mut Vec<Mismatch>,
) -> Again {
    let mut again = Again::default();
    for (file, body) in bodies {
        let Body::Decision(decision) = body else {
            continue;
        };
        match one(decision, records, bundles) {
            Ok(None) => again.agreed += 1,
            Ok(Some((found, expected))) => mismatches.push(Mismatch::new(&file, found, expected)),
            Err(reason) => *again.not_rejudged.entry(reason).or_default() += 1,
        }
    }
    again
}

/// `None` if it comes out the same; else what was found and what was expected.
fn one(
    decision: &Decision,
    records: &Records<'_>,
    bundles: &Bundles,
) -> Result<Option<(String, String)>, NotAgain> {
    let (Some(facts_ref), Some(call_ref)) = (decision.facts_ref, decision.call_ref) else {
        return Err(NotAgain::NoFacts);
    };
    let is_beside = |reason: &ReasonId| {
        BuiltinReason::of(reason).is_some_and(BuiltinReason::is_beside_the_judge)
    };
    if decision.reasons.iter().any(is_beside) {
        return Err(NotAgain::OutsideTheJudge);
    }
    let facts: Facts = input(records, facts_ref)?;
    let call: Call = input(records, call_ref)?;
    let mut intents = Vec::with_capacity(facts.inputs.intents.len());
    for turn in &facts.inputs.intents {
        intents.push(input::<Intent>(records, turn.intent_ref)?);
    }
    let mut results = Vec::with_capacity(facts.inputs.results.len());
    for reference in &facts.inputs.results {
        results.push(input::<ToolResult>(records, *reference)?);
    }
    let bundle = bundles.get(&decision.policy_ref).and_then(Option::as_ref);
    let bundle = bundle.ok_or(NotAgain::NoBundle)?;
    if facts.actor != decision.actor
        || facts.action != decision.action
        || facts.inputs.call != call_ref
    {
        let found = "facts of another call".to_owned();
        return Ok(Some((found, "the call that the decision names".to_owned())));
    }
    if bundle.misses_history(&facts) {
        let found = "facts without history".to_owned();
        let expected = "what came before, since a policy of the action asks for it";
        return Ok(Some((found, expected.to_owned())));
    }
    let judged = countersign_judge::rejudge(&RejudgeInputs {
        bundle,
        facts: &facts,
        call: &call,
        intents: &intents,
        results: &results,
    });
    let verdict = match judged {
        Ok(verdict) => verdict,
        Err(RejudgeError::Extractor { .. }) => return Err(NotAgain::OtherExtractor),
        Err(error) => {
            let expected = "the facts that the decision names".to_owned();
            return Ok(Some((error.to_string(), expected)));
        }
    };
    let reasons: Vec<ReasonId> = verdict.reasons.into_iter().collect();
    if verdict.outcome == decision.outcome && reasons == decision.reasons {
        return Ok(None);
    }
    let found = format!("`{}` for {:?}", decision.outcome.name(), decision.reasons);
    let expected = format!("`{}` for {reasons:?}, judged again", verdict.outcome.name());
    Ok(Some((found, expected)))
}

fn input<D: Document>(records: &Records<'_>, reference: impl Into<Sha256>) -> Result<D, NotAgain> {
    let reference = reference.into();
    if let Some(document) = records.document::<D>(reference) {
        return Ok(document);
    }
    Err(match records.state(&reference) {
        State::Erased(_) => NotAgain::Erased,
        State::Open | State::Sealed => NotAgain::Sealed,
    })
}
