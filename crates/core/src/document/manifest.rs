//! What a bundle knows of one tool: its arguments, what it acts on, what it returns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::commands::CommandsDeclaration;
use crate::names::ActionName;
use crate::refs::Sha256;

/// What is known of one tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolManifest {
    /// The tool's exact name.
    pub tool: String,
    /// What a call of it does.
    pub action: ActionName,
    /// How far the call reaches.
    pub effect: Effect,
    /// What the tool is for.
    #[serde(default)]
    pub description: String,
    /// The digest of the tool's definition as its server listed it when a person confirmed this
    /// manifest: a call that states another one is rejected. It is the SHA-256 of the canonical JSON
    /// of the members `name`, `title`, `description`, `inputSchema`, `outputSchema` and `annotations`
    /// of the definition, as far as it has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Sha256>,
    /// The JSON Schema (2020-12) of its arguments.
    pub arguments: Value,
    /// Which arguments are targets.
    #[serde(default)]
    pub targets: Vec<TargetDeclaration>,
    /// What each argument is for, by the JSON Pointer of the argument (`/to`; below an array, the
    /// pointer goes on without an index: `/attachments/file_id`). The longest pointer counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, ArgumentRole>,
    /// What the tool returns, and who wrote which part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<ResultManifest>,
    /// The words by which a turn speaks of this action, by language (`en`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, ActionWords>,
    /// What the call does beside `action`. Each is judged; the call takes the worst.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<EffectDeclaration>,
    /// That an argument is a command line, and what such lines do. A line that does nothing of all
    /// that is the tool's `action`, without targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Box<CommandsDeclaration>>,
}

/// What an argument is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArgumentRole {
    /// Who, where, which object.
    Identity,
    /// How much, how many, when.
    Quantity,
    /// Words for a reader. What stands in them (addresses, links, accounts) has sources of its own.
    Text,
    /// What only its owner may know.
    Secret,
}

impl ArgumentRole {
    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Quantity => "quantity",
            Self::Text => "text",
            Self::Secret => "secret",
        }
    }
}

/// What a tool returns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResultManifest {
    /// How a result is read.
    pub format: ResultFormat,
    /// Whether only the operator's own people and systems write what the tool returns. A field's
    /// own label counts more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub first_party: bool,
    /// Labels of fields. What no label names is a correspondent's (or first-party), and public.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldLabel>,
}

/// How a result is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultFormat {
    /// JSON, as it was reported.
    #[default]
    Json,
    /// A string that is a JSON text.
    #[serde(rename = "json-text")]
    JsonText,
    /// A string that is a YAML text.
    Yaml,
    /// Text: it has no fields, and so none that is trusted.
    Text,
}

/// Who wrote a field of a result, and who may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldLabel {
    /// A JSON Pointer (RFC 6901; `*` stands for any item or member) or a JSONPath (RFC 9535) of
    /// names, indices and wildcards into the result.
    pub at: String,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrity: Option<Integrity>,
    /// Who may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidentiality: Option<Confidentiality>,
    /// The Cedar entity type of what stands there. A field with a type grounds targets of that type
    /// only: the name of a channel is no address, whatever it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
}

/// Who wrote a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// Anybody: a mail's author, a web page.
    Correspondent,
    /// The operator's own people and systems.
    FirstParty,
    /// The system itself: an id, a sender that it authenticated.
    System,
}

/// Who may read a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidentiality {
    /// Anybody.
    Public,
    /// Those whom it concerns.
    Private,
    /// Its owner only.
    Secret,
}

impl Confidentiality {
    /// The name in documents and policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Secret => "secret",
        }
    }
}

/// The words by which a turn speaks of an action. Each is a word or a few, in any case; verbs are
/// given in their base form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActionWords {
    /// What is done: `send`, `write`.
    pub verbs: Vec<String>,
    /// To what: `mail`, `message`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nouns: Vec<String>,
}

/// One more thing that a call does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectDeclaration {
    /// What it is.
    pub action: ActionName,
    /// How far it reaches.
    pub effect: Effect,
    /// A JSONPath (RFC 9535) into the arguments: the effect is there if it finds something. Without
    /// it, every call has the effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Which arguments it acts on.
    #[serde(default)]
    pub targets: Vec<TargetDeclaration>,
}

/// How far a call reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It changes nothing.
    Read,
    /// It changes something that can be changed back.
    Write,
    /// It cannot be taken back.
    Irreversible,
}

impl Effect {
    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Irreversible => "irreversible",
        }
    }
}

/// Which argument is a target, and how to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetDeclaration {
    /// A JSON Pointer (RFC 6901, begins with `/`) or a JSONPath (RFC 9535, begins with `$`) into
    /// the arguments. An array at a pointer stands for each of its items.
    pub at: String,
    /// How the value is read.
    #[serde(rename = "type")]
    pub kind: TargetType,
    /// The Cedar entity type that stands for it; the directory's entities of this type describe it.
    pub entity: String,
    /// Whether the call may leave it out.
    #[serde(default)]
    pub optional: bool,
}

/// How a target's value is read, compared and looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetType {
    /// An e-mail address (RFC 5321 section 4.1.2).
    Email,
    /// A domain name.
    Domain,
    /// A URL.
    Url,
    /// An opaque id, such as a ticket's number, an account or a user's name.
    Id,
    /// A path in a file system.
    Path,
}
