//! The policy bundle: rules, schema, manifests and settings as one versioned document.

use serde::{Deserialize, Serialize};

use super::{Document, ToolManifest, VaultSettings, WatchSettings};
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
    /// How long a person may take to answer an escalation, in seconds.
    #[serde(skip_serializing_if = "is_usual_escalation")]
    pub escalation_ttl_s: u32,
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
    /// How long sealed records are kept, and what it takes to open them.
    #[serde(skip_serializing_if = "VaultSettings::is_default")]
    pub vault: VaultSettings,
}

/// How long an escalation stays open unless the bundle says otherwise, in seconds: 15 minutes.
pub const ESCALATION_TTL_S: u32 = 900;

// What was stored without the setting reads back as the same bytes.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_usual_escalation(seconds: &u32) -> bool {
    *seconds == ESCALATION_TTL_S
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
            escalation_ttl_s: ESCALATION_TTL_S,
            unknown_tools: UnknownTools::default(),
            watch: WatchSettings::default(),
            publishing: PublishingSettings::default(),
            utc_offset_min: 0,
            vault: VaultSettings::default(),
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
