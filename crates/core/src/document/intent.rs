//! The intent document: one registered turn.

use serde::{Deserialize, Serialize};

use super::{Document, MIB, Salt};
use crate::ids::{CredentialId, IntentId};
use crate::names::{ActorName, ChannelName, PrincipalName, SessionId, TenantId};
use crate::refs::{IntentRef, Sha256};
use crate::time::Timestamp;

/// A registered turn: who said what, through which channel, for whom, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The tenant.
    pub tenant: TenantId,
    /// The turn's id.
    pub intent_id: IntentId,
    /// Whose turn it is.
    pub principal: PrincipalName,
    /// What kind of author started the turn.
    pub author: Author,
    /// The way by which it came in.
    pub channel: ChannelName,
    /// The session that it belongs to.
    pub session: SessionId,
    /// Which agents may act on it; never empty.
    pub actors: Vec<ActorName>,
    /// The text, in parts by whose words they are.
    pub parts: Vec<TurnPart>,
    /// The session's previous turn, set by the service.
    pub parent: Option<IntentRef>,
    /// The standing human instruction that a turn without a principal's part rests on.
    pub mandate: Option<IntentRef>,
    /// The credential of the ingress.
    pub registered_by: CredentialId,
    /// How far the ingress is from the agent.
    pub assurance: Assurance,
    /// When it was registered.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Keeps the text from being guessed.
    pub salt: Salt,
}

impl Document for Intent {
    const KIND: &'static str = "intent";
    const MAX_BYTES: usize = 8 * MIB;
    type Ref = IntentRef;
}

/// A stretch of a turn's text with one author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnPart {
    /// Whose words these are; set by the ingress, never by the content.
    pub by: PartBy,
    /// The media type of the text.
    pub media_type: String,
    /// The text.
    pub text: String,
    /// The digest of the bytes as they came, where they were no UTF-8 or were cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_sha256: Option<Sha256>,
}

/// Whose words a part is. Only the principal's carry authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartBy {
    /// The person whose turn it is.
    Principal,
    /// Somebody else: a mail, a ticket, quoted text.
    Correspondent,
    /// The surrounding system.
    System,
    /// The agent.
    Agent,
}

/// What kind of author started a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    /// A person.
    Human,
    /// A clock.
    Schedule,
    /// Another system.
    System,
}

impl Author {
    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Schedule => "schedule",
            Self::System => "system",
        }
    }
}

/// How far the ingress is from the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// They run as the same user of one machine.
    SameUid,
    /// They are apart.
    Separate,
    /// The turn is signed.
    Signed,
}

impl Assurance {
    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::SameUid => "same-uid",
            Self::Separate => "separate",
            Self::Signed => "signed",
        }
    }
}
