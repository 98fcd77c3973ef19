//! The explanation of one decision.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{RawJson, ReasonView};

/// Why a decision came out as it did. What the caller may not open is shown as sealed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The entry's id.
    pub entry_id: String,
    /// The leaf index.
    pub index: u64,
    /// When it was committed.
    pub timestamp: String,
    /// What the call does.
    pub action: String,
    /// Who asked.
    pub actor: String,
    /// What was decided.
    pub outcome: String,
    /// Why, for people.
    pub reasons: Vec<ReasonView>,
    /// What a reader must know to understand it: why a named turn did not count, what of the
    /// arguments does not fit.
    pub notes: Vec<String>,
    /// Whether a live turn was behind the call; if not, nobody's words were looked at.
    pub is_mandated: bool,
    /// The policies that determined it, with their text.
    pub policies: Vec<PolicyView>,
    /// The bundle that was in force.
    pub policy_ref: String,
    /// The bundle's name.
    pub bundle_name: String,
    /// The turn: the intent document.
    pub turn: Sealable,
    /// The call: tool and arguments.
    pub call: Sealable,
    /// What the agent gave as its reasoning.
    pub reasoning: Sealable,
    /// The facts document.
    pub facts: Sealable,
    /// What the call acts on, and where each value came from; empty while the facts are sealed.
    pub targets: Vec<TargetView>,
    /// The values of arguments that are no targets, and what stands in texts, with where each came
    /// from; empty while the facts are sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueView>,
    /// Where no rule permitted the call: what the rules that could have permitted it asked for in
    /// vain, at most 16; empty while the facts are sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<LackView>,
    /// What the proof shows.
    pub proof: ProofView,
    /// The entry, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
    /// The entry of the vault access that this explanation was, if it opened anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_access: Option<String>,
}

/// A document that the caller may or may not see.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Sealable {
    /// There is none.
    Absent,
    /// There is one; the caller may not open it, or stated no purpose.
    Sealed {
        /// Its commitment.
        #[serde(rename = "ref")]
        reference: String,
    },
    /// It was erased.
    Erased {
        /// Its commitment.
        #[serde(rename = "ref")]
        reference: String,
    },
    /// Here it is.
    Open {
        /// Its commitment.
        #[serde(rename = "ref")]
        reference: String,
        /// The document.
        #[schema(value_type = Object)]
        document: Value,
    },
}

/// A policy that determined the verdict.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// Its `@id`.
    pub id: String,
    /// The file in the bundle.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// Its text.
    pub source: String,
}

/// One thing that a call acts on, and where its value came from.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
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
}

/// The value of an argument that is no target, or what stands in a text, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValueView {
    /// The JSON Pointer of the value, or of the text, in the arguments.
    pub at: String,
    /// What the argument is for: `identity`, `quantity`, `text` or `secret`.
    pub role: String,
    /// The value.
    pub value: String,
    /// The sources that hold.
    pub sources: Vec<String>,
    /// Where the value was found, authority or not.
    pub evidence: Vec<EvidenceView>,
}

/// A rule that could have permitted something, and did not.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LackView {
    /// Its `@id`.
    pub policy: String,
    /// The JSON Pointer of the target, where the call has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The first of its conditions that did not hold, as Cedar writes it.
    pub condition: String,
    /// What that condition asked of sources, beside what there was: a sentence for each value.
    pub sources: Vec<String>,
}

/// A place where a value was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceView {
    /// In words.
    pub text: String,
    /// Whether these words carry authority.
    pub grounds: bool,
}

/// What the proof of an entry shows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    /// `included`: the entry is in the tree of the checkpoint.
    pub status: String,
    /// The log's origin.
    pub origin: String,
    /// The size of the tree that the checkpoint signs.
    pub tree_size: u64,
}
