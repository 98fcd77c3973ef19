//! What the members of entries hold beside refs and names: small records and closed sets.

use serde::{Deserialize, Serialize};

use crate::ids::EntryId;
use crate::names::{ActorName, CheckpointText, Origin, ReasonId};
use crate::pseudonym::Pseudonym;

/// The log that another one continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// Its origin.
    pub origin: Origin,
    /// Its last known checkpoint.
    pub checkpoint: Option<CheckpointText>,
}

/// Earlier entries of the same tenant that an entry refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// The decision that this is an execution of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<EntryId>,
    /// The review that this decision used up, or the escalation that a review answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<EntryId>,
    /// The escalation that this closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolves: Option<EntryId>,
    /// The delegation by which the actor reaches the intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegation: Option<EntryId>,
    /// The decision whose call this one changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modifies: Option<EntryId>,
    /// The decision that this one follows up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<EntryId>,
    /// The enforced decision beside which this verdict of a bundle in shadow was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadows: Option<EntryId>,
    /// The flag that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<EntryId>,
    /// The legal hold that this lifts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<EntryId>,
}

/// What a decision added to a declared counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// The counter's declared name.
    pub counter: ReasonId,
    /// What it is keyed by.
    pub key: Pseudonym,
    /// What was added.
    pub delta: i64,
    /// Stands for the value that was met, where different values are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Pseudonym>,
}

/// Actors that a credential may speak for: an exact name, or a prefix that ends in `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ActorPattern(String);

impl ActorPattern {
    /// Whether the pattern covers `actor`.
    pub fn covers(&self, actor: &ActorName) -> bool {
        actor.matches(&self.0)
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ActorPattern {
    type Error = crate::names::NameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = text.strip_suffix('/').unwrap_or(&text);
        name.parse::<ActorName>()?;
        Ok(Self(text))
    }
}

impl From<ActorPattern> for String {
    fn from(pattern: ActorPattern) -> Self {
        pattern.0
    }
}

macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every member of the set.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in documents.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

closed_set! {
    /// Where a call came in.
    Surface {
        /// The HTTP API.
        Api = "api",
        /// The MCP relay.
        Relay = "relay",
        /// The gate before an HTTP tool.
        Gate = "gate",
        /// A hook of a coding assistant.
        Hook = "hook",
        /// The agent's own process.
        InProcess = "in-process",
    }
}
closed_set! {
    /// Whether a decision had an effect.
    Mode {
        /// It had.
        Enforced = "enforced",
        /// It was made only to be looked at.
        Shadow = "shadow",
    }
}
closed_set! {
    /// What a revocation concerns.
    RevocationScope {
        /// One turn.
        Turn = "turn",
        /// One actor.
        Actor = "actor",
        /// Everything.
        Everything = "everything",
    }
}
closed_set! {
    /// What a revocation does.
    RevocationEffect {
        /// It stops.
        Stop = "stop",
        /// It lifts an earlier stop.
        Resume = "resume",
    }
}
closed_set! {
    /// What happened to a bundle.
    PolicyPhase {
        /// It is in the log.
        Stored = "stored",
        /// It judges from now on.
        InForce = "in-force",
        /// It judges beside the one in force from now on, and nothing comes of it.
        Shadow = "shadow",
        /// It no longer judges beside the one in force.
        ShadowEnd = "shadow-end",
        /// The newest decisions were judged under it again.
        Replayed = "replayed",
    }
}
closed_set! {
    /// What happened to a credential or key.
    GrantChange {
        /// It holds from now on.
        Granted = "granted",
        /// It no longer holds.
        Revoked = "revoked",
    }
}
closed_set! {
    /// What a credential may do.
    Role {
        /// Registers turns.
        Ingress = "ingress",
        /// Asks for decisions.
        Agent = "agent",
        /// Checks permits and reports executions.
        Tool = "tool",
        /// Decides escalations.
        Reviewer = "reviewer",
        /// Publishes bundles and directory data.
        Author = "author",
        /// Reads entries, proofs and flags.
        Auditor = "auditor",
        /// Opens sealed records.
        VaultReader = "vault-reader",
        /// Manages credentials.
        Admin = "admin",
    }
}
closed_set! {
    /// What a key is for.
    KeyPurpose {
        /// Signs checkpoints.
        Log = "log",
        /// Signs permits.
        Permit = "permit",
    }
}
closed_set! {
    /// How far an execution came.
    ExecutionPhase {
        /// The call is about to leave.
        Started = "started",
        /// It came back.
        Finished = "finished",
        /// It left, and nobody knows what became of it.
        Unknown = "unknown",
    }
}
closed_set! {
    /// What a reviewer answered.
    ReviewAnswer {
        /// The call may be made.
        Approve = "approve",
        /// It may not.
        Reject = "reject",
    }
}
closed_set! {
    /// Why a permit was refused.
    PermitRefusal {
        /// It had been used.
        Used = "used",
        /// It had ended.
        Expired = "expired",
        /// It is for another tool, or another tool's side.
        Audience = "audience",
        /// It is for other arguments or other bytes.
        Arguments = "arguments",
        /// It cannot be read, its signature is not one of ours, or it is not as it was issued.
        Signature = "signature",
        /// Its intent has ended.
        Intent = "intent",
        /// The bundle that permitted the call is no longer in force.
        Policy = "policy",
        /// Its actor or everything was stopped, or the credential that asked for it revoked.
        Stopped = "stopped",
    }
}
closed_set! {
    /// How far an erasure came.
    ErasurePhase {
        /// The live keys are gone.
        Requested = "requested",
        /// No backup opens the records either.
        Complete = "complete",
    }
}
closed_set! {
    /// How far an opening of sealed records came that needs two people.
    AccessPhase {
        /// One asked; nothing was opened.
        Requested = "requested",
        /// Another one agreed; nothing was opened.
        Confirmed = "confirmed",
    }
}
closed_set! {
    /// What happened to a legal hold.
    HoldChange {
        /// It holds from now on.
        Placed = "placed",
        /// It no longer holds.
        Lifted = "lifted",
    }
}
closed_set! {
    /// What a flag's detector looks for.
    Detector {
        /// Many rejections in a short time.
        Burst = "burst",
        /// Calls without a live intent.
        Unmandated = "unmandated",
        /// Calls of tools that their servers list otherwise than when a person confirmed them.
        ToolChanged = "tool-changed",
        /// After a rejection, the same intent tried other arguments, tools or targets.
        Retry = "retry",
        /// An actor reached for something that it had never acted on.
        NovelTarget = "novel-target",
        /// An actor was at work at an hour at which it never was.
        OffHours = "off-hours",
        /// Many turns came upon one target that none had named before.
        Spread = "spread",
        /// Approved calls of which nobody reported that they ran.
        MissingExecution = "missing-execution",
        /// Something ran that was not approved.
        UnapprovedExecution = "unapproved-execution",
        /// A reader opened sealed records out of its pattern.
        ReadingAround = "reading-around",
        /// A new bundle permitted what the one before it had just rejected, and it was used.
        Loosened = "loosened",
    }
}
closed_set! {
    /// How grave a flag is.
    Severity {
        /// Worth knowing.
        Notice = "notice",
        /// Worth looking at today.
        Warning = "warning",
        /// Worth waking somebody.
        Critical = "critical",
    }
}
closed_set! {
    /// What is new about a flag.
    FlagChange {
        /// There are more entries.
        Grown = "grown",
        /// Somebody took note of it.
        Acknowledged = "acknowledged",
    }
}
