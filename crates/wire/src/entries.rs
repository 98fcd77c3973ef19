//! Entries and the head of the log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::RawJson;

/// One entry, with its place in the log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EntryAnswer {
    /// The leaf index: the order of the log.
    pub index: u64,
    /// The entry. Where it has a `proof`: without that member, its canonical JSON is the leaf.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// A proof of an entry.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProofAnswer {
    /// The entry's id.
    pub entry_id: String,
    /// The leaf index.
    pub index: u64,
    /// How many entries the checkpoint in the proof covers.
    pub size: u64,
    /// Whether the quorum of the server's witnesses has cosigned that checkpoint.
    pub witnessed: bool,
    /// The proof, a C2SP tlog-proof.
    pub proof: String,
}

/// A page of entries.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EntryPage {
    /// The entries, in the order that was asked for, without proofs.
    pub entries: Vec<EntryAnswer>,
    /// Pass as `cursor` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The head of the log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Head {
    /// The log's origin.
    pub origin: String,
    /// How many entries it holds.
    pub size: u64,
    /// The key that signs its checkpoints, as a C2SP verifier key.
    pub log_key: String,
    /// The root key, as a C2SP verifier key.
    pub root_key: String,
    /// The signed checkpoint.
    pub checkpoint: String,
}
