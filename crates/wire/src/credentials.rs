//! Credentials.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::RawJson;

/// A credential to grant. `agent` with `ingress`, `agent` with `reviewer`, and `ingress` with `reviewer` are refused.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    /// What it may do: `ingress`, `agent`, `tool`, `reviewer`, `author`, `auditor`,
    /// `vault-reader`, `admin`.
    pub roles: Vec<String>,
    /// A name for people; not in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which actors it may speak for or, for an ingress, name: exact names, or prefixes ending in `/`.
    #[serde(default)]
    pub actors: Vec<String>,
    /// For an ingress: which kinds of authors its turns may have; empty for any.
    #[serde(default)]
    pub authors: Vec<String>,
    /// For an ingress: which channels its turns may come by; empty for any.
    #[serde(default)]
    pub channels: Vec<String>,
    /// For an ingress: the only session that it may register turns in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// For an ingress: `same-uid`, `separate` (default) or `signed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<String>,
    /// For a reviewer: base64url of the raw Ed25519 public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// What its decisions state as `surface`: `api` (default), `relay`, `gate` or `hook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<String>,
    /// For a reviewer or a vault-reader: the person whose credential it is, such as
    /// `user:jo@acme.example`. Nobody reviews what was done in their own name, unless the rule lets
    /// them, and nobody confirms an opening of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// For an ingress: whether it may register turns only in sessions that it opened itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_sessions: bool,
}

/// A new credential. The token is shown once, here.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CredentialCreated {
    /// The credential's id.
    pub credential: String,
    /// The bearer token.
    pub token: String,
    /// The entry that granted it, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// The credentials.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CredentialList {
    /// The credentials, oldest first.
    pub credentials: Vec<CredentialView>,
}

/// A credential, without its token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CredentialView {
    /// The credential's id.
    pub credential: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do.
    pub roles: Vec<String>,
    /// Which actors it may speak for.
    pub actors: Vec<String>,
    /// Whether it was revoked.
    pub revoked: bool,
}
