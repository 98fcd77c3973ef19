//! The policy bundle: rules, schema, manifests and settings as one versioned document.

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

/// A declared counter. Reserved: version 0.1 refuses a bundle that declares one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterDeclaration {
    /// The counter's name.
    pub name: String,
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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            permit_ttl_s: 60,
            unknown_tools: UnknownTools::default(),
            watch: WatchSettings::default(),
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
