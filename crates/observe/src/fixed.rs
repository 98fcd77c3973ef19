//! What a live service draws or is given, and a report holds still: the same transcript gives the
//! same report.

use countersign_core::document::{EntityUid, Salt};
use countersign_core::ids::EntryId;
use countersign_core::names::TenantId;
use countersign_core::random::Random;
use countersign_judge::{Directory, DirectoryError};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whose calls are judged, in documents that nobody keeps.
pub(super) const TENANT: &str = "observed";
/// The agent.
pub(super) const ACTOR: &str = "agent:observed";
/// The person.
pub(super) const PRINCIPAL: &str = "user:observed";
/// The way by which the turns came in.
pub(super) const CHANNEL: &str = "transcript";

#[expect(
    clippy::expect_used,
    reason = "a constant text of this build, held by a test"
)]
pub(super) fn tenant() -> TenantId {
    TENANT.parse().expect("the tenant's name fits its syntax")
}

struct Zeros;

impl Random for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// No document leaves the program, so none needs to be kept from being guessed.
pub(super) fn salt() -> Salt {
    Salt::fresh(&Zeros)
}

/// An entry that stands for the n-th event of a session.
pub(super) fn entry(n: usize) -> EntryId {
    EntryId::from_bytes(u128::try_from(n).unwrap_or(u128::MAX).to_be_bytes())
}

/// A transcript comes without a directory.
pub(super) struct NoDirectory;

impl Directory for NoDirectory {
    fn entity(&self, _: &EntityUid) -> Result<Option<BTreeMap<String, Value>>, DirectoryError> {
        Ok(None)
    }
}
