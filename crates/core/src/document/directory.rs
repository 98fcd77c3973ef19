//! The directory: entities that policies speak of, and the changes to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Document, MIB, Salt};
use crate::names::TenantId;
use crate::refs::ChangesetRef;

/// A Cedar entity's type and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityUid {
    /// The type, such as `Contact`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id, such as an address in its lookup form.
    pub id: String,
}

/// A set of changes that took effect together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changeset {
    /// The tenant.
    pub tenant: TenantId,
    /// The changes, in order.
    pub changes: Vec<DirectoryChange>,
    /// Keeps the content from being guessed.
    pub salt: Salt,
}

impl Document for Changeset {
    const KIND: &'static str = "changeset";
    const MAX_BYTES: usize = 16 * MIB;
    type Ref = ChangesetRef;
}

/// One entity put or removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryChange {
    /// Which entity.
    pub entity: EntityUid,
    /// Its attributes from now on; `None` removes the entity.
    pub attributes: Option<BTreeMap<String, Value>>,
}
