//! Escalations that wait for a person, what the person is shown, and the answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{DecisionAnswer, EvidenceView, RawJson, ReasonView, ValueView};

/// The escalations that wait for an answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReviewList {
    /// Those that end soonest come first.
    pub reviews: Vec<OpenReview>,
    /// Whether there are more than are listed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// An escalation that waits for an answer. It holds no plaintext.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenReview {
    /// The entry of the escalated decision.
    pub decision: String,
    /// When it was escalated.
    pub timestamp: String,
    /// Until when it can be answered.
    pub deadline: String,
    /// What the call does.
    pub action: String,
    /// Who wants to make it.
    pub actor: String,
    /// The rules that ask.
    pub reasons: Vec<ReasonView>,
    /// Where the call came in.
    pub surface: String,
    /// Whether every rule that asks lets the person whose turn it is answer.
    pub requester_may_answer: bool,
}

/// What a reviewer is shown. That it was opened is an entry.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReviewShown {
    /// Commits to `statement`. The reviewer signs it.
    pub shown_ref: String,
    /// The statement of what was shown: its SHA-256 is `shown_ref`, and its `text` is `shown` as
    /// JSON.
    #[schema(value_type = Object)]
    pub statement: RawJson,
    /// What was shown.
    pub shown: Shown,
    /// The call document: its SHA-256 is `shown.call_ref`.
    #[schema(value_type = Object)]
    pub call: RawJson,
    /// The documents of the turns, in the order of `shown.turns`: their SHA-256 are those refs.
    #[schema(value_type = Vec<Object>)]
    pub turns: Vec<RawJson>,
    /// The entry that says that all this was opened, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// What a person needs to answer an escalation, as it is committed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The entry of the escalated decision.
    pub decision: String,
    /// The credential of the reviewer.
    pub reviewer: String,
    /// When it was escalated.
    pub timestamp: String,
    /// Until when it can be answered.
    pub deadline: String,
    /// Commits to the call.
    pub call_ref: String,
    /// The bundle that escalated it.
    pub policy_ref: String,
    /// The bundle's name.
    pub bundle_name: String,
    /// The turn that it rests on.
    pub intent_ref: Option<String>,
    /// Everything that the judge looked at.
    pub facts_ref: String,
    /// What the call does.
    pub action: String,
    /// All that it does, where that is more than one thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Who wants to make it.
    pub actor: String,
    /// Where it came in.
    pub surface: String,
    /// The tool.
    pub tool: String,
    /// The rules that ask, with their text.
    pub rules: Vec<ShownRule>,
    /// Whether every rule that asks lets the person whose turn it is answer.
    pub requester_may_answer: bool,
    /// The turns that are shown, the one that the call names first.
    pub turns: Vec<String>,
    /// How many earlier turns were looked at and are not shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_turns: u32,
    /// What the call acts on.
    pub targets: Vec<ShownTarget>,
    /// The other values, those that nothing grounds first.
    pub values: Vec<ValueView>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_values: u32,
    /// What the call carries out of fields that not everybody may read; at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carries: Vec<ShownCarried>,
    /// What the agent gave as its reasons: evidence, never authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// What differs from the newest call of the same actor, action and tool that was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ShownBefore>,
    /// Places where a text was cut, as JSON Pointers into this document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
}

/// A rule that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownRule {
    /// Its `@id`.
    pub id: String,
    /// Its `@reason`.
    pub text: String,
    /// Its text.
    pub source: String,
    /// Whether it lets the person whose turn it is answer.
    pub requester_may_answer: bool,
}

/// One thing that the call acts on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownTarget {
    /// The JSON Pointer of the value in the arguments.
    pub at: String,
    /// The value.
    pub value: String,
    /// The sources that hold, as policies see them.
    pub sources: Vec<String>,
    /// Where the value was found, authority or not.
    pub evidence: Vec<EvidenceView>,
    /// What the directory says of it.
    #[schema(value_type = Object)]
    pub directory: Option<Value>,
    /// Whether a call of the same action on it was approved before, by anybody.
    pub approved_before: bool,
}

/// An argument that holds something of a field that not everybody may read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownCarried {
    /// The JSON Pointer of the argument's value.
    pub at: String,
    /// Who may read the field, as the manifest labels it.
    pub label: String,
}

/// An earlier call of the same actor, action and tool that was approved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownBefore {
    /// Its decision.
    pub decision: String,
    /// When it was approved.
    pub timestamp: String,
    /// Whether it was of the same session. Of another one, what it held is not shown.
    pub same_session: bool,
    /// Which arguments differ; at most 32.
    pub differs: Vec<ShownDifference>,
}

/// An argument that differs from the earlier call's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownDifference {
    /// The JSON Pointer of the value in the arguments.
    pub at: String,
    /// What the earlier call held there, as JSON; nothing if it held none, or is of another session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// What this one holds there, as JSON; nothing if it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

/// The answer to an escalation: by a reviewer, signed, or by the ingress that registered the turn,
/// for the person whose turn it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    /// The entry of the escalated decision.
    pub decision: String,
    /// `approve` or `reject`.
    pub answer: String,
    /// Of a reviewer: what was shown, as the server said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_ref: Option<String>,
    /// Of an ingress: the text that the person was shown; at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// When the answer ends, at most a day ahead. A reviewer signs it; of an ingress it is the
    /// escalation's deadline unless it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Makes the answer good for one use: 16 to 64 characters of base64url. A reviewer signs it; of
    /// an ingress the server makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Of a reviewer: its key's signature, base64url, over `countersign/review/v1`, the log's
    /// origin and the members of the entry without `signature`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// An answer that is in the ledger, and what came of it. Both were committed together.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReviewAnswered {
    /// The entry of the review, with its proof.
    #[schema(value_type = Object)]
    pub review: RawJson,
    /// The decision, judged again with the answer. Its permit is for the agent alone, which reads it
    /// there.
    pub decision: DecisionAnswer,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
