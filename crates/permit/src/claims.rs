//! What a permit says.

use countersign_core::document::Wire;
use countersign_core::ids::{EntryId, PermitId};
use countersign_core::names::{ActionName, ActorName, TenantId};
use countersign_core::refs::{IntentRef, PolicyRef, Sha256};
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The claims of a permit, all of them: others are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who signed it: the server's name.
    pub iss: String,
    /// The actor that may make the call.
    pub sub: ActorName,
    /// The tool's side that may take it.
    pub aud: String,
    /// The permit's own id.
    pub jti: PermitId,
    /// When it was signed, in seconds since 1970.
    pub iat: u64,
    /// When it ends, in seconds since 1970: from this second on it is no longer good.
    pub exp: u64,
    /// What the call does.
    pub action: ActionName,
    /// The tool's exact name.
    pub tool: String,
    /// SHA-256 of the arguments' canonical JSON.
    pub args_sha256: Sha256,
    /// What will be sent, where the surface that asked also forwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<Wire>,
    /// The decision that approved the call.
    pub entry_id: EntryId,
    /// The intent that the call rests on; `null` where policy let it pass without one.
    pub intent_ref: Option<IntentRef>,
    /// The bundle that permitted it.
    pub policy_ref: PolicyRef,
    /// The tenant.
    pub tenant: TenantId,
}

impl Claims {
    /// `iat` and `exp` of a permit that is signed at `now` and good for `ttl_s` seconds. A fraction
    /// of a second is dropped from both.
    pub fn lifetime(now: Timestamp, ttl_s: u32) -> (u64, u64) {
        let issued = u64::try_from(now.as_millis()).unwrap_or(0) / 1000;
        (issued, issued.saturating_add(u64::from(ttl_s)))
    }

    /// When it was signed.
    pub fn issued_at(&self) -> Timestamp {
        from_seconds(self.iat)
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        from_seconds(self.exp)
    }
}

fn from_seconds(seconds: u64) -> Timestamp {
    let millis = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis)
}
