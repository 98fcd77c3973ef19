//! The closed set of checks.

use serde::{Serialize, Serializer};

macro_rules! checks {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal,)*) => {
        /// Which check did not hold. The codes are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $($(#[doc = $doc])* $name,)*
        }

        impl Check {
            /// Every check.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What the check asks.
            pub fn describe(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)*).trim_ascii(),)* }
            }
        }
    };
}

checks! {
    /// The checkpoint is a signed note in the form of tlog-checkpoint.
    CheckpointFormat = "checkpoint-format",
    /// A key that the caller gave has signed the checkpoint.
    CheckpointSignature = "checkpoint-signature",
    /// The log begins with the entries of the checkpoint that the caller holds.
    HeldCheckpoint = "held-checkpoint",
    /// The log has at least the size of the checkpoint that the caller holds.
    Truncated = "truncated",
    /// Every tile of a log of this size is there.
    TileMissing = "tile-missing",
    /// Every tile has the length and the parts that tlog-tiles gives it.
    TileForm = "tile-form",
    /// The hash tiles hold the hashes of the leaves.
    HashTile = "hash-tile",
    /// The leaves hash to the checkpoint's root.
    Root = "root",
    /// Every leaf is the canonical JSON of an entry with exactly its kind's members.
    Leaf = "leaf",
    /// The first leaf, and no other, is a genesis.
    Genesis = "genesis",
    /// The genesis names the origin of the checkpoint.
    Origin = "origin",
    /// The root key of the genesis is the one that the caller gave.
    RootKey = "root-key",
    /// The root key has signed the genesis and every key entry.
    RootSignature = "root-signature",
    /// The key that signed the checkpoint is one that the log granted and did not revoke.
    LogKey = "log-key",
    /// Keys are granted once, and revoked only after that.
    KeyHistory = "key-history",
    /// Times never go back.
    Time = "time",
    /// An entry's id is unique in the log.
    EntryId = "entry-id",
    /// Every link names an earlier entry of a fitting kind, and those that a kind needs are there.
    Link = "link",
    /// A decision names the bundle that was in force.
    PolicyInForce = "policy-in-force",
    /// Bundles come into force one after the other, each stored before.
    PolicyHistory = "policy-history",
    /// The parts of a bundle are in the log and hash to its ref.
    Bundle = "bundle",
    /// The intent of an entry is registered, alive, of its session, and names its actor.
    Intent = "intent",
    /// Turns are registered once, and rest on earlier ones of their session.
    IntentHistory = "intent-history",
    /// The credential of an entry was granted, not revoked, and may do this.
    Credential = "credential",
    /// Credentials are granted once, by an admin, without roles that must stay apart.
    CredentialHistory = "credential-history",
    /// Nothing is approved while a stop is in force.
    Stopped = "stopped",
    /// Members of an entry do not contradict each other.
    Members = "members",
    /// The reasons of a decision are sorted, and stand in its bundle or are built in.
    Reasons = "reasons",
    /// A delegation narrows, and ends with the intent.
    Delegation = "delegation",
    /// Executions are of approved decisions, and carry their intent and session.
    Execution = "execution",
    /// A permit that was used up is of an approval that still held, and one that was refused was refused for what the log shows.
    Permit = "permit",
    /// What is good for one use is used once.
    UsedOnce = "used-once",
    /// A review answers the escalation that it names, and its reviewer has signed it.
    Review = "review",
    /// An opening that needs two people was asked for by one and confirmed in time by another.
    Opening = "opening",
    /// What is under legal hold is not erased, and a hold is lifted only from what it was placed on.
    Hold = "hold",
    /// An erasure is complete once, after it was requested, with the epoch of keys that ended.
    Erasure = "erasure",
    /// A flag's entries are what its detector looks for, in the order of the log.
    Flag = "flag",
    /// Sessions open before they close and hold nothing in between, and each held as many turns, decisions and executions as its end says.
    SessionCounts = "session-counts",
    /// A decision adds to the counters of its bundle what the call does if it was approved, and nothing else; and its facts say of counters and earlier decisions what the entries do.
    Counts = "counts",
    /// A document hashes to the ref that names it.
    DocumentHash = "document-hash",
    /// A document is of the kind that its ref stands for, and of this tenant.
    DocumentKind = "document-kind",
    /// A document says what the entry that names it says.
    DocumentContent = "document-content",
    /// A document that is neither given nor erased.
    DocumentMissing = "document-missing",
    /// Drawn again from their inputs, the facts are the same.
    RejudgeFacts = "rejudge-facts",
    /// Judged again, the verdict is the same.
    RejudgeVerdict = "rejudge-verdict",
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
