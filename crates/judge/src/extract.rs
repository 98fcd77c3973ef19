//! From a call and what surrounds it to facts.

use std::collections::BTreeMap;

use countersign_core::document::{
    Call, EntityUid, Facts, Inputs, Intent, IntentInput, Salt, ToolResult,
};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::{ActionName, ActorName, TenantId};
use countersign_core::refs::{CallRef, IntentRef, ResultRef};
use countersign_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::bundle::CompiledBundle;
use crate::mention::{ResultIndex, TurnMentions};
use crate::version::EXTRACTOR;

/// One turn of the live chain.
#[derive(Clone, Copy)]
pub struct ChainTurn<'a> {
    /// The turn's commitment.
    pub intent_ref: IntentRef,
    /// The entry that registered it.
    pub entry: EntryId,
    /// The turn.
    pub intent: &'a Intent,
    /// What it mentions.
    pub mentions: &'a TurnMentions,
}

/// One result of an earlier call of the session.
#[derive(Clone, Copy)]
pub struct SeenResult<'a> {
    /// The result's commitment.
    pub result_ref: ResultRef,
    /// The result.
    pub result: &'a ToolResult,
    /// What it holds.
    pub index: &'a ResultIndex,
}

/// Where entities come from.
pub trait Directory {
    /// The attributes of an entity, if the directory knows it. The id is in lookup form.
    fn entity(&self, uid: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError>;
}

/// The directory could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the directory cannot be read: {0}")]
pub struct DirectoryError(pub String);

/// What facts are drawn from.
#[derive(Clone, Copy)]
pub struct ExtractInputs<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The salt of the facts document.
    pub salt: Salt,
    /// The time that the facts speak of.
    pub now: Timestamp,
    /// Who makes the call.
    pub actor: &'a ActorName,
    /// The bundle in force.
    pub bundle: &'a CompiledBundle,
    /// The call.
    pub call: &'a Call,
    /// The call's commitment.
    pub call_ref: CallRef,
    /// The intent that the call claims, whether or not it was found.
    pub claimed_intent: Option<IntentRef>,
    /// The live turns, the newest first; the first is the one that the call names. Empty when
    /// there is no live intent.
    pub chain: &'a [ChainTurn<'a>],
    /// The results of earlier calls of the session, in the order of the log.
    pub results: &'a [SeenResult<'a>],
    /// Where entities come from.
    pub directory: &'a dyn Directory,
    /// The directory's revision.
    pub directory_revision: Option<u64>,
    /// The credential that asks.
    pub credential: CredentialId,
    /// The review that is used up, if there is one.
    pub review: Option<EntryId>,
}

/// Draws the facts. What an agent sent never makes it fail: an obstacle then stands in the facts.
pub fn extract(inputs: &ExtractInputs<'_>) -> Result<Facts, DirectoryError> {
    Ok(Facts {
        tenant: inputs.tenant.clone(),
        extractor: EXTRACTOR,
        now: inputs.now,
        actor: inputs.actor.clone(),
        action: ActionName::unknown(),
        inputs: Inputs {
            call: inputs.call_ref,
            bundle: inputs.bundle.policy_ref(),
            claimed_intent: inputs.claimed_intent,
            intents: inputs
                .chain
                .iter()
                .map(|turn| IntentInput {
                    intent_ref: turn.intent_ref,
                    entry: turn.entry,
                })
                .collect(),
            results: inputs.results.iter().map(|seen| seen.result_ref).collect(),
            directory_revision: inputs.directory_revision,
            counters: Vec::new(),
            review: inputs.review,
            credential: inputs.credential,
        },
        targets: Vec::new(),
        context: Map::new(),
        requests: Vec::new(),
        entities: Vec::new(),
        obstacle: None,
        obstacle_at: None,
        salt: inputs.salt,
    })
}
