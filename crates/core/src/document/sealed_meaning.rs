//! Small sealed documents: what a pseudonym stands for, and what a person stated.

use serde::{Deserialize, Serialize};

use super::{Document, MIB, Salt};
use crate::names::TenantId;
use crate::pseudonym::{Pseudonym, PseudonymKind};
use crate::refs::{PseudonymRef, StatementRef};

/// What a pseudonym stands for. Destroying it cuts the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PseudonymMeaning {
    /// The tenant.
    pub tenant: TenantId,
    /// The pseudonym.
    pub pseudonym: Pseudonym,
    /// What kind of thing it stands for.
    pub of: PseudonymKind,
    /// The thing itself.
    pub value: String,
    /// Keeps the value from being guessed.
    pub salt: Salt,
}

impl Document for PseudonymMeaning {
    const KIND: &'static str = "pseudonym";
    const MAX_BYTES: usize = 64 * 1024;
    type Ref = PseudonymRef;
}

/// What a person stated, such as the purpose of opening a record, or was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The tenant.
    pub tenant: TenantId,
    /// The words.
    pub text: String,
    /// Keeps the words from being guessed.
    pub salt: Salt,
}

impl Document for Statement {
    const KIND: &'static str = "statement";
    const MAX_BYTES: usize = MIB;
    type Ref = StatementRef;
}
