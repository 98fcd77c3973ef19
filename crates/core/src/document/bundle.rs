//! The policy bundle: rules, schema, manifests and settings as one versioned document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Document;
use crate::limits::BUNDLE_BYTES;
use crate::names::{ActionName, TenantId};
use crate::refs::PolicyRef;

/// A bundle as a tenant's document. Public within the log: it has no salt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The tenant.
    pub tenant: TenantId,
    /// What its author wrote.
    pub content: BundleContent,
}

impl Document for Bundle {
    const KIND: &'static str = "bundle";
    const MAX_BYTES: usize = BUNDLE_BYTES;
    type Ref = PolicyRef;
}

/// What the author of a bundle writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleContent {
    /// A short name for people.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Cedar policies, file by file.
    pub policies: Vec<PolicyFile>,
    /// A Cedar schema fragment that declares the entity types of the directory.
    #[serde(default)]
    pub schema: String,
    /// One manifest per tool.
    pub tools: Vec<ToolManifest>,
    /// Declared counters.
    #[serde(default)]
    pub counters: Vec<CounterDeclaration>,
    /// Literals of policies that look like a person's address or account, and that the author says
    /// may stand in the log for ever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<String>,
    /// Settings.
    #[serde(default)]
    pub settings: Settings,
}

/// A file of Cedar policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// The file's name, for error messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

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

/// A declared counter: what calls before this one came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterDeclaration {
    /// Its name: lower-case letters, digits and `_`, beginning with a letter.
    pub name: String,
    /// What is counted.
    pub kind: CounterKind,
    /// The actions whose approved calls count.
    pub actions: Vec<ActionName>,
    /// For a sum, the JSON Pointer of the argument that is added up; for distinct values, that of
    /// the argument whose values are told apart, or nothing for the targets of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// Of a sum: how many decimal places count. With 2, `12.5` counts as 1250.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub decimals: u8,
    /// Whose calls are counted together.
    pub key: CounterKey,
    /// How long a call counts, in seconds; without it, as long as what it is keyed by lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_s: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CounterKind {
    /// Calls.
    Count,
    /// Different values.
    CountDistinct,
    /// The sum of an argument.
    Sum,
}

/// What a counter is keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CounterKey {
    /// The actor that makes the call.
    Actor,
    /// The turn that the call names.
    Intent,
    /// The session of that turn.
    Session,
    /// The person whose turn it is.
    Principal,
    /// Each target by itself.
    Target,
}

/// Settings that are versioned with the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How long a permit is good for, in seconds.
    pub permit_ttl_s: u32,
    /// What becomes of a call whose tool no manifest names.
    pub unknown_tools: UnknownTools,
    /// What the detectors look for.
    pub watch: WatchSettings,
    /// What it takes to put another bundle in place of this one.
    #[serde(skip_serializing_if = "PublishingSettings::is_default")]
    pub publishing: PublishingSettings,
    /// How far the clock of `context.time` is ahead of UTC, in minutes: -840 to 840.
    #[serde(skip_serializing_if = "is_no_offset")]
    pub utc_offset_min: i32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_no_offset(minutes: &i32) -> bool {
    *minutes == 0
}

/// What it takes to put another bundle in place of the one that says so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PublishingSettings {
    /// Whether one author stores a bundle and another one puts it in force.
    pub two_person: bool,
    /// Whether recorded decisions must have been judged under the new bundle first.
    pub replay: bool,
}

impl PublishingSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            permit_ttl_s: 60,
            unknown_tools: UnknownTools::default(),
            watch: WatchSettings::default(),
            publishing: PublishingSettings::default(),
            utc_offset_min: 0,
        }
    }
}

/// What becomes of a call whose tool no manifest names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTools {
    /// It is rejected, whatever the policies say.
    #[default]
    Reject,
    /// It is judged as the action `countersign.unknown`, without arguments and targets.
    Judge,
}

/// What the detectors look for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchSettings {
    /// How many rejections of one actor, or under one intent, within the window raise a flag.
    pub burst_rejections: u32,
    /// The window, in seconds.
    pub burst_window_s: u32,
    /// How many calls without a live intent, of one actor within the window, raise a flag.
    pub unmandated_calls: u32,
    /// The window, in seconds.
    pub unmandated_window_s: u32,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            burst_rejections: 3,
            burst_window_s: 600,
            unmandated_calls: 1,
            unmandated_window_s: 600,
        }
    }
}
