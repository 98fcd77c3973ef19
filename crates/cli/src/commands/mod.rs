//! One module per command: its options, and what it does.

pub(crate) mod backup;
pub(crate) mod checkpoint;
pub(crate) mod credential;
pub(crate) mod decide;
pub(crate) mod delegate;
pub(crate) mod directory;
pub(crate) mod doctor;
pub(crate) mod entries;
pub(crate) mod execution;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod flags;
pub(crate) mod fsck;
pub(crate) mod gate;
pub(crate) mod hook;
pub(crate) mod key;
pub(crate) mod manifest;
pub(crate) mod mcp;
pub(crate) mod monitor;
pub(crate) mod notify;
pub(crate) mod observe;
pub(crate) mod policy;
pub(crate) mod reconcile;
pub(crate) mod restore;
pub(crate) mod reviews;
pub(crate) mod revoke;
pub(crate) mod session;
pub(crate) mod stop;
pub(crate) mod turn;
pub(crate) mod vault;
pub(crate) mod verify;

use countersign_wire::RawJson;
use serde::Deserialize;

/// The id of an entry that a server answered with.
fn entry_id(entry: &RawJson) -> String {
    #[derive(Deserialize)]
    struct Id {
        entry_id: String,
    }
    serde_json::from_str::<Id>(entry.get())
        .map(|id| crate::render::plain(&id.entry_id))
        .unwrap_or_default()
}
