//! The same judgement again, from the sealed facts and the documents that they name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use countersign_core::document::{
    Call, Document, EntityUid, Facts, Intent, ReviewFact, ToolResult,
};
use countersign_core::json::{CanonicalError, parse_written, pointer};
use countersign_core::verdict::Verdict;
use serde_json::Value;

use crate::bundle::CompiledBundle;
use crate::extract::{ChainTurn, Directory, DirectoryError, ExtractInputs, extract_as};
use crate::judge::judge;
use crate::mention::TurnMentions;
use crate::result::SessionResults;
use crate::version::EXTRACTOR;

/// What a judgement is repeated from.
#[derive(Clone, Copy)]
pub struct RejudgeInputs<'a> {
    /// The bundle that the facts name.
    pub bundle: &'a CompiledBundle,
    /// The facts.
    pub facts: &'a Facts,
    /// The call that the facts name.
    pub call: &'a Call,
    /// The turns that the facts name, in that order.
    pub intents: &'a [Intent],
    /// The results that the facts name, in that order.
    pub results: &'a [ToolResult],
}

/// Why a judgement could not be repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejudgeError {
    /// The facts were drawn by an extractor that this build does not hold.
    #[error("the facts were drawn by extractor {found}; this build holds {supported}")]
    Extractor {
        /// The facts' extractor.
        found: u32,
        /// This build's.
        supported: u32,
    },
    /// A document is not the one that the facts name.
    #[error("the {what} is not the one that the facts name")]
    OtherDocument {
        /// Which document, such as `call` or `intent 0`.
        what: String,
    },
    /// Drawn again, the facts differ.
    #[error("drawn again, the facts differ at `{at}`")]
    Differs {
        /// The JSON Pointer of the first member that differs.
        at: String,
    },
    /// A document has no canonical form.
    #[error("a document has no canonical form: {0}")]
    Canonical(String),
}

impl From<CanonicalError> for RejudgeError {
    fn from(error: CanonicalError) -> Self {
        Self::Canonical(error.to_string())
    }
}

/// Draws the facts again, compares them, and judges them.
///
/// The directory is the slice that the facts hold: that it was the directory then is for whoever
/// checks the log to say, from the changesets before [`directory_revision`].
///
/// [`directory_revision`]: countersign_core::document::Inputs::directory_revision
pub fn rejudge(inputs: &RejudgeInputs<'_>) -> Result<Verdict, RejudgeError> {
    rejudge_with(inputs, &Recorded::of(inputs.facts))
}

/// The same over the directory as it was then, for those who know it: so facts that leave an entity
/// or an attribute out are found too.
pub fn rejudge_with(
    inputs: &RejudgeInputs<'_>,
    directory: &dyn Directory,
) -> Result<Verdict, RejudgeError> {
    let facts = inputs.facts;
    let unknown = RejudgeError::Extractor {
        found: facts.extractor,
        supported: EXTRACTOR,
    };
    let bundle = inputs
        .bundle
        .for_extractor(facts.extractor)
        .ok_or(unknown)?;
    let inputs = &RejudgeInputs { bundle, ..*inputs };
    compare_documents(inputs)?;
    let again = draw_again(inputs, directory, facts.extractor)?;
    if let Some(at) = first_difference(&canonical(facts)?, &canonical(&again)?, String::new()) {
        return Err(RejudgeError::Differs { at });
    }
    Ok(judge(bundle, &again))
}

/// Draws the facts of a recorded call under another bundle, from what the recorded facts were drawn
/// from: the same call, turns, results and time. They are drawn as this build draws facts, whatever
/// extractor drew the recorded ones.
///
/// `inputs.bundle` is the other bundle; the documents must be those that the facts name. Counters
/// and history are taken as they were recorded, and so is a person's answer: as if the other bundle
/// had asked about the same rules.
pub fn redraw(
    inputs: &RejudgeInputs<'_>,
    directory: &dyn Directory,
) -> Result<Facts, RejudgeError> {
    let mut facts = Cow::Borrowed(inputs.facts);
    let counted = |review: &ReviewFact| review.policy_ref == inputs.facts.inputs.bundle;
    if inputs.facts.inputs.review.as_ref().is_some_and(counted)
        && let Some(review) = &mut facts.to_mut().inputs.review
    {
        review.policy_ref = inputs.bundle.policy_ref();
    }
    let inputs = &RejudgeInputs {
        facts: &facts,
        ..*inputs
    };
    draw_again(inputs, directory, EXTRACTOR)
}

fn compare_documents(inputs: &RejudgeInputs<'_>) -> Result<(), RejudgeError> {
    let named = &inputs.facts.inputs;
    let tenant = &inputs.facts.tenant;
    let other = |what: &str| {
        Err(RejudgeError::OtherDocument {
            what: what.to_owned(),
        })
    };
    if inputs.bundle.policy_ref() != named.bundle || inputs.bundle.bundle().tenant != *tenant {
        return other("bundle");
    }
    if inputs.call.reference()? != named.call || inputs.call.tenant != *tenant {
        return other("call");
    }
    if inputs.intents.len() != named.intents.len() {
        return other("number of intents");
    }
    for (n, (intent, named)) in inputs.intents.iter().zip(&named.intents).enumerate() {
        if intent.reference()? != named.intent_ref || intent.tenant != *tenant {
            return other(&format!("intent {n}"));
        }
    }
    if inputs.results.len() != named.results.len() {
        return other("number of results");
    }
    for (n, (result, named)) in inputs.results.iter().zip(&named.results).enumerate() {
        if result.reference()? != *named || result.tenant != *tenant {
            return other(&format!("result {n}"));
        }
    }
    Ok(())
}

fn draw_again(
    inputs: &RejudgeInputs<'_>,
    directory: &dyn Directory,
    extractor: u32,
) -> Result<Facts, RejudgeError> {
    let facts = inputs.facts;
    let mentions: Vec<TurnMentions> = inputs.intents.iter().map(TurnMentions::of).collect();
    let chain: Vec<ChainTurn<'_>> = inputs
        .intents
        .iter()
        .zip(&mentions)
        .zip(&facts.inputs.intents)
        .map(|((intent, mentions), named)| ChainTurn {
            intent_ref: named.intent_ref,
            entry: named.entry,
            intent,
            mentions,
        })
        .collect();
    let named = facts.inputs.results.iter().copied();
    let results = named.zip(inputs.results.iter().cloned());
    let results = SessionResults::of(results, inputs.bundle);
    let inputs = ExtractInputs {
        tenant: &facts.tenant,
        salt: facts.salt,
        now: facts.now,
        actor: &facts.actor,
        bundle: inputs.bundle,
        call: inputs.call,
        call_ref: facts.inputs.call,
        claimed_intent: facts.inputs.claimed_intent,
        chain: &chain,
        results: &results,
        directory,
        directory_revision: facts.inputs.directory_revision,
        credential: facts.inputs.credential,
        review: facts.inputs.review.as_ref(),
        counters: &facts.inputs.counters,
        history: facts.inputs.history.as_ref(),
    };
    extract_as(&inputs, extractor).map_err(|DirectoryError(text)| RejudgeError::Canonical(text))
}

/// The slice of the directory that the facts recorded.
struct Recorded<'a>(BTreeMap<&'a EntityUid, &'a BTreeMap<String, Value>>);

impl<'a> Recorded<'a> {
    fn of(facts: &'a Facts) -> Self {
        let entities = facts.entities.iter();
        Self(
            entities
                .map(|fact| (&fact.entity, &fact.attributes))
                .collect(),
        )
    }
}

impl Directory for Recorded<'_> {
    fn entity(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError> {
        Ok(self.0.get(uid).map(|attributes| (*attributes).clone()))
    }
}

fn canonical(facts: &Facts) -> Result<Value, RejudgeError> {
    let bytes = facts.canonical()?;
    parse_written(bytes.as_bytes(), Facts::MAX_BYTES)
        .map_err(|e| RejudgeError::Canonical(e.to_string()))
}

/// The JSON Pointer of the first place where two values differ, members in the order of the first.
fn first_difference(one: &Value, other: &Value, at: String) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let step = |name: &str| pointer::member(&at, name);
            for (name, value) in a {
                let found = match b.get(name) {
                    Some(same) => first_difference(value, same, step(name)),
                    None => Some(step(name)),
                };
                if found.is_some() {
                    return found;
                }
            }
            b.keys()
                .find(|name| !a.contains_key(*name))
                .map(|name| step(name))
        }
        (Value::Array(a), Value::Array(b)) => {
            let differing = a
                .iter()
                .zip(b)
                .enumerate()
                .find_map(|(n, (a, b))| first_difference(a, b, format!("{at}/{n}")));
            let length = || (a.len() != b.len()).then(|| format!("{at}/{}", a.len().min(b.len())));
            differing.or_else(length)
        }
        _ => (one != other).then_some(at),
    }
}
