//! The call, the reasoning that came with it, and the result that came of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Document, MIB, Salt};
use crate::ids::EntryId;
use crate::names::TenantId;
use crate::refs::{CallRef, ReasoningRef, ResultRef, Sha256};

/// One tool call, with its exact arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tenant.
    pub tenant: TenantId,
    /// The tool's name, as the agent gave it.
    pub tool: String,
    /// The arguments.
    pub args: Value,
    /// SHA-256 of the arguments' canonical JSON.
    pub args_sha256: Sha256,
    /// The client's own id of the call, for joining records.
    pub external_call_id: Option<String>,
    /// What will be sent, where the surface that asks also forwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<Wire>,
    /// Where the caller works, where paths of the call are relative to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Workspace>,
    /// The digest of the tool's definition as its server lists it now, where the surface that asks
    /// sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Sha256>,
    /// Keeps the arguments from being guessed.
    pub salt: Salt,
}

impl Document for Call {
    const KIND: &'static str = "call";
    const MAX_BYTES: usize = 8 * MIB;
    type Ref = CallRef;
}

/// The very bytes that a forwarding surface will send, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// How the bytes are framed, such as `mcp` or `http`.
    pub profile: String,
    /// Where they go.
    pub destination: String,
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
}

/// Where a coding assistant works, as the surface in front of it found it. Paths are absolute and
/// hold no `.`, `..` or doubled separators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// The directory of the project.
    pub root: String,
    /// The directory that relative paths begin at.
    pub cwd: String,
    /// What paths really are where a symbolic link is in the way: an absolute path as it is
    /// written, and what it leads to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
}

/// What the agent said of its reasons. Evidence, never authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reasoning {
    /// The tenant.
    pub tenant: TenantId,
    /// The agent's words.
    pub text: String,
    /// Keeps the text from being guessed.
    pub salt: Salt,
}

impl Document for Reasoning {
    const KIND: &'static str = "reasoning";
    const MAX_BYTES: usize = MIB;
    type Ref = ReasoningRef;
}

/// What a tool's side reported of one execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolResult {
    /// The tenant.
    pub tenant: TenantId,
    /// The decision whose call ran.
    pub decision: EntryId,
    /// The tool that ran.
    pub tool: String,
    /// The arguments of that call, unless they are long: by them a turn can name the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    /// Whether the agent itself reported it. Then it is a correspondent's words, whatever the
    /// manifest says of the tool.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_agent: bool,
    /// Whether the tool says that it failed.
    pub is_error: bool,
    /// How long it took, in milliseconds, where the surface that reports has measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What it returned: JSON, or a string of text.
    pub result: Value,
    /// Keeps the result from being guessed.
    pub salt: Salt,
}

impl Document for ToolResult {
    const KIND: &'static str = "result";
    const MAX_BYTES: usize = 16 * MIB;
    type Ref = ResultRef;
}
