//! Which logs and witnesses to believe, as a text (C2SP tlog-policy).

mod evaluate;
mod parse;

pub use evaluate::{PolicyEvidence, PolicyOutcome};
pub use parse::{LineProblem, MAX_DEFINITIONS, MAX_POLICY_LEN, PolicyError};

use crate::key::VerifierKey;
use std::fmt;

/// Logs, witnesses, and the rule for how many of the latter must have cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogPolicy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    // INVARIANT: the members of a group stand before it.
    groups: Vec<Group>,
    quorum: Quorum,
}

/// A log whose checkpoints are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    key: VerifierKey,
    url: Option<OpaqueText>,
}

/// A witness whose cosignatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    name: OpaqueText,
    key: VerifierKey,
    url: Option<OpaqueText>,
}

/// A name or URL of a policy: bytes that are compared, never interpreted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpaqueText(Vec<u8>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: OpaqueText,
    threshold: usize,
    members: Vec<Member>,
}

/// Something that can have witnessed a checkpoint, by its position in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quorum {
    NoWitnesses,
    Of(Member),
}

impl TlogPolicy {
    /// The logs that are believed; none if the application knows them from elsewhere.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Keys of a type that cannot be checked here: they never contribute to a quorum.
    pub fn unsupported_keys(&self) -> impl Iterator<Item = &VerifierKey> {
        let logs = self.logs.iter().map(PolicyLog::key);
        let witnesses = self.witnesses.iter().map(PolicyWitness::key);
        logs.chain(witnesses)
            .filter(|key| !key.signature_type().is_supported())
    }
}

impl PolicyLog {
    /// The log's key, whose name is the origin of its checkpoints.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Where the log is, if the policy says so.
    pub const fn url(&self) -> Option<&OpaqueText> {
        self.url.as_ref()
    }
}

impl PolicyWitness {
    /// What the policy calls the witness; it means nothing outside of it.
    pub const fn name(&self) -> &OpaqueText {
        &self.name
    }

    /// The witness's key.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Where the witness is, if the policy says so.
    pub const fn url(&self) -> Option<&OpaqueText> {
        self.url.as_ref()
    }
}

impl OpaqueText {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// For people: bytes that are not UTF-8 are replaced.
impl fmt::Display for OpaqueText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(&self.0).fmt(f)
    }
}

impl fmt::Debug for OpaqueText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}
