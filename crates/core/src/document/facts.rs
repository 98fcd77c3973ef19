//! The facts document: everything that the judge looked at for one call.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ArgumentRole, Confidentiality, Document, EntityUid, Integrity, MIB, PartBy, Salt};
use crate::entry::ReviewAnswer;
use crate::ids::{CredentialId, EntryId};
use crate::names::{ActionName, ActorName, ReasonId, TenantId};
use crate::pseudonym::Pseudonym;
use crate::refs::{CallRef, FactsRef, IntentRef, PolicyRef, ResultRef};
use crate::time::Timestamp;

/// Everything that the judge looked at for one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The tenant.
    pub tenant: TenantId,
    /// Changes whenever any fact changes for the same inputs.
    pub extractor: u32,
    /// The time that the facts speak of.
    pub now: Timestamp,
    /// Who makes the call.
    pub actor: ActorName,
    /// What the call does.
    pub action: ActionName,
    /// All that it does, where that is more than one thing; `action` is the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionName>,
    /// What the facts were drawn from.
    pub inputs: Inputs,
    /// What the call acts on, with where each value came from.
    pub targets: Vec<TargetFact>,
    /// The values of arguments that are no targets, and what stands in texts, with where each came
    /// from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueFact>,
    /// What arguments hold of fields that not everybody may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<CarriedFact>,
    /// The members of the context that all requests share, in Cedar's JSON form.
    pub context: Map<String, Value>,
    /// One Cedar request per target, or one for the call itself.
    pub requests: Vec<CedarRequest>,
    /// The slice of the directory that the requests can reach.
    pub entities: Vec<EntityFact>,
    /// Why the call could not be judged by policy, where that is so: a built-in reason's name.
    pub obstacle: Option<String>,
    /// The JSON Pointer (RFC 6901) of the argument that is in the way, where it is one.
    pub obstacle_at: Option<String>,
    /// Keeps the content from being guessed.
    pub salt: Salt,
}

impl Facts {
    /// All that the call does, each once, [`Facts::action`] first.
    pub fn done(&self) -> impl Iterator<Item = &ActionName> {
        let others = self.actions.iter();
        std::iter::once(&self.action).chain(others.filter(|action| **action != self.action))
    }
}

impl Document for Facts {
    const KIND: &'static str = "facts";
    const MAX_BYTES: usize = 32 * MIB;
    type Ref = FactsRef;
}

/// What facts are drawn from: drawn again from the same inputs, they are the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The call.
    pub call: CallRef,
    /// The rules, whose manifests say how to read the call.
    pub bundle: PolicyRef,
    /// The intent that the call claimed, whether or not it was found.
    pub claimed_intent: Option<IntentRef>,
    /// The live chain of turns, the newest first; empty when there is no live intent.
    pub intents: Vec<IntentInput>,
    /// The results of earlier calls of the session, in the order of the log.
    pub results: Vec<ResultRef>,
    /// The revision of the directory: the leaf index of its last change, if it ever changed.
    pub directory_revision: Option<u64>,
    /// The counters as they stood.
    pub counters: Vec<CounterFact>,
    /// What came before, where the policies ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryFact>,
    /// The review that is used up, if there is one.
    pub review: Option<ReviewFact>,
    /// The credential that asked.
    pub credential: CredentialId,
}

/// A person's answer to the escalation of this very call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewFact {
    /// The entry of the review.
    pub entry: EntryId,
    /// The escalated decision that it answers.
    pub escalation: EntryId,
    /// The answer.
    pub answer: ReviewAnswer,
    /// The bundle that escalated the call: under another one the answer is void.
    pub policy_ref: PolicyRef,
    /// The rules that asked. Only these does an approval lift.
    pub reasons: BTreeSet<ReasonId>,
    /// Who answered.
    pub by: ReviewBy,
}

/// Who answered an escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewBy {
    /// A reviewer who is somebody else than the principal of the turn.
    Reviewer,
    /// The principal, or the turn's ingress in the principal's name.
    Requester,
}

/// One turn of the live chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentInput {
    /// The turn.
    pub intent_ref: IntentRef,
    /// The entry that registered it.
    pub entry: EntryId,
}

/// A counter's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterFact {
    /// The counter's declared name.
    pub counter: String,
    /// What it is keyed by; absent where the call has none such, and then the value is 0.
    pub key: Option<Pseudonym>,
    /// The target that it is of, from 0, where it is keyed by target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
    /// The value before this call.
    pub value: i64,
    /// What this call adds if it is approved.
    pub adds: i64,
}

/// What came before this call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryFact {
    /// The size of the log that counters and history were read from.
    pub as_of: u64,
    /// Of each target, in order: whether a call of the same action on it was approved before.
    pub approved_before: Vec<bool>,
    /// Whether a call of the same action on the same targets was rejected before under the turn that
    /// this call names.
    pub rejected_before: bool,
}

/// One thing that the call acts on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetFact {
    /// The JSON Pointer (RFC 6901) of the value in the arguments.
    pub at: String,
    /// The value as the call holds it.
    pub value: String,
    /// The entity that stands for it in the Cedar request.
    pub entity: EntityUid,
    /// Where the value came from, as far as that grounds it.
    pub sources: BTreeSet<Source>,
    /// Every place where the value was found, authority or not.
    pub evidence: Vec<Evidence>,
    /// The actions of the calls whose results are documents that the turn names and that hold the
    /// value.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub named_in: BTreeSet<ActionName>,
}

/// The value of an argument that is no target, or what stands in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueFact {
    /// The JSON Pointer (RFC 6901) of the value, or of the text, in the arguments.
    pub at: String,
    /// What the argument is for.
    pub role: ArgumentRole,
    /// Of what stands in a text: what it is, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<TextEntity>,
    /// The value as the call holds it.
    pub value: String,
    /// Where the value came from.
    pub sources: BTreeSet<Source>,
    /// Every place where the value was found, authority or not.
    pub evidence: Vec<Evidence>,
    /// As in a target.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub named_in: BTreeSet<ActionName>,
}

/// What stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextEntity {
    /// What it is.
    pub kind: EntityKind,
    /// Where it begins, in bytes from the start of the text.
    pub offset: u64,
}

/// What can stand in a text and lead somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityKind {
    /// An e-mail address.
    Email,
    /// A domain by itself.
    Domain,
    /// A URL.
    Url,
    /// An international bank account number (ISO 13616).
    Iban,
    /// A phone number.
    Phone,
    /// A path in a file system.
    Path,
}

/// What an argument holds of a field that not everybody may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarriedFact {
    /// The JSON Pointer of the argument's value.
    pub at: String,
    /// Who may read the field.
    pub label: Confidentiality,
    /// The result that holds it.
    pub result_ref: ResultRef,
    /// The JSON Pointer of the field in the result.
    pub pointer: String,
}

/// Where an argument's value came from. All that hold are given; policy says which suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The principal's words in the turn that the call names.
    User,
    /// The principal's words in an earlier live turn of the session.
    UserEarlier,
    /// A field that the manifest says the system wrote.
    SystemField,
    /// A field of a tool whose results are first-party only.
    FirstPartyField,
    /// The same record as something that the user named.
    RecordLinked,
    /// A document that the user named.
    NamedDocument,
    /// Anywhere in an output.
    AnyOutput,
    /// The directory knows the value.
    Directory,
    /// A person approved this value.
    Approved,
    /// Shown by the agent, then confirmed by the person.
    Confirmed,
    /// Nowhere.
    None,
}

impl Source {
    /// All sources, the one with the most authority first. What policies see of an argument with
    /// several values is the first of these that each value has.
    pub const BY_AUTHORITY: [Self; 11] = [
        Self::User,
        Self::Confirmed,
        Self::Approved,
        Self::UserEarlier,
        Self::SystemField,
        Self::FirstPartyField,
        Self::Directory,
        Self::RecordLinked,
        Self::NamedDocument,
        Self::AnyOutput,
        Self::None,
    ];

    /// The name in documents and policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::UserEarlier => "user_earlier",
            Self::SystemField => "system_field",
            Self::FirstPartyField => "first_party_field",
            Self::RecordLinked => "record_linked",
            Self::NamedDocument => "named_document",
            Self::AnyOutput => "any_output",
            Self::Directory => "directory",
            Self::Approved => "approved",
            Self::Confirmed => "confirmed",
            Self::None => "none",
        }
    }
}

/// A place where a value was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The place.
    pub place: Place,
    /// The words that were found there, if they differ from the value.
    pub as_written: Option<String>,
    /// Whether the words only look like the value to a reader, and are another one.
    pub look_alike: bool,
    /// In a result: who wrote the field, where its whole text is the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrity: Option<Integrity>,
}

/// Where in a session something stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Place {
    /// In a part of a turn.
    Turn {
        /// The turn.
        intent_ref: IntentRef,
        /// The part, from 0.
        part: u32,
        /// Whose words it is.
        by: PartBy,
        /// Where in the part's text, in bytes from its start.
        offset: u64,
    },
    /// In the result of an earlier call.
    Result {
        /// The result.
        result_ref: ResultRef,
        /// The tool that returned it.
        tool: String,
        /// The JSON Pointer of the field that holds it; empty for the whole result.
        pointer: String,
    },
    /// In the directory.
    Directory,
}

/// One Cedar request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CedarRequest {
    /// The id of the principal entity: the actor.
    pub principal: String,
    /// The id of the action entity.
    pub action: String,
    /// The target, or the call.
    pub resource: EntityUid,
    /// The members of the context that are this request's own, in Cedar's JSON form; those that
    /// all requests share stand in [`Facts::context`].
    pub context: Map<String, Value>,
}

/// An entity of the directory's slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityFact {
    /// Which entity.
    pub entity: EntityUid,
    /// Its attributes, in Cedar's JSON form.
    pub attributes: BTreeMap<String, Value>,
}
