//! The credentials of a hook: one per role, and none with two.

use std::collections::BTreeMap;

use countersign_client::{Client, Token};
use countersign_core::random::bytes32;
use countersign_hooks::{Config, Tokens};
use countersign_keys::SystemRandom;
use countersign_wire::NewCredential;

use super::Surface;
use crate::error::CliError;

/// An entry id that no log has: asking for it tells whether a token is one.
const NO_ENTRY: &str = "00000000000000000000000000";

/// What was granted.
pub(super) struct Granted {
    pub(super) ids: BTreeMap<String, String>,
    pub(super) tokens: Tokens,
}

impl Granted {
    /// What a standing configuration holds.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            ids: config.credentials.clone(),
            tokens: config.tokens.clone(),
        }
    }
}

/// Grants the credentials. `actors`: whom they may speak for; `user`: whose they are, where root grants them.
pub(super) fn grant(
    admin: &Client,
    surface: Surface,
    actors: &[String],
    user: Option<&str>,
) -> Result<Granted, CliError> {
    let name = |role: &str| Some(name(surface, role, user));
    let role = |role: &str| NewCredential {
        roles: vec![role.to_owned()],
        name: name(role),
        ..NewCredential::default()
    };
    let agent = NewCredential {
        actors: actors.to_vec(),
        surface: Some("hook".to_owned()),
        ..role("agent")
    };
    let ingress = NewCredential {
        actors: actors.to_vec(),
        authors: ["human", "schedule", "system"].map(str::to_owned).to_vec(),
        channels: vec![surface.name().to_owned()],
        // The assistant, its tools and this file are one user's.
        assurance: Some("same-uid".to_owned()),
        own_sessions: true,
        ..role("ingress")
    };
    let mut ids = BTreeMap::new();
    let mut one = |name: &str, credential: &NewCredential| -> Result<Token, CliError> {
        let created = admin.add_credential(credential)?;
        ids.insert(name.to_owned(), created.credential);
        Ok(Token::new(&created.token))
    };
    let tokens = Tokens {
        agent: one("agent", &agent)?,
        ingress: one("ingress", &ingress)?,
        tool: one("tool", &role("tool"))?,
        listen: (surface == Surface::AgentHooks).then(listen_token),
    };
    Ok(Granted { ids, tokens })
}

fn name(surface: Surface, role: &str, user: Option<&str>) -> String {
    match user {
        None => format!("hook {} ({role})", surface.name()),
        Some(user) => format!("hook {} ({role}) of {user}", surface.name()),
    }
}

/// Revokes what was granted to a user by these names, but for what stays. It goes by what the server
/// knows: a file that the user can write names whatever the user likes.
pub(super) fn revoke_of(
    admin: &Client,
    surface: Surface,
    user: &str,
    kept: &BTreeMap<String, String>,
) -> Result<usize, CliError> {
    let names = ["agent", "ingress", "tool"].map(|role| name(surface, role, Some(user)));
    let mut revoked = 0;
    for credential in admin.credentials()?.credentials {
        let is_named = credential.name.is_some_and(|name| names.contains(&name));
        let is_kept = kept.values().any(|kept| *kept == credential.credential);
        if is_named && !is_kept && !credential.revoked {
            admin.revoke_credential(&credential.credential)?;
            revoked += 1;
        }
    }
    Ok(revoked)
}

/// Whether a standing configuration's tokens are all ones that the server knows.
pub(super) fn are_good(client: &Client, tokens: &Tokens) -> Result<bool, CliError> {
    for token in [&tokens.agent, &tokens.ingress, &tokens.tool] {
        let asked = client.with_token(token.clone()).decision(NO_ENTRY, None);
        match asked {
            Err(error) if error.code() == Some("unauthenticated") => return Ok(false),
            Err(error) if error.code().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
    }
    Ok(true)
}

/// Revokes the credentials of a configuration; those that are revoked already, or are not there, stay so.
pub(super) fn revoke(admin: &Client, config: &Config) -> Result<usize, CliError> {
    let mut revoked = 0;
    for credential in config.credentials.values() {
        match admin.revoke_credential(credential) {
            Ok(_) => revoked += 1,
            Err(error) if matches!(error.code(), Some("conflict" | "not-found")) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(revoked)
}

fn listen_token() -> Token {
    let hex: String = bytes32(&SystemRandom)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Token::new(&format!("csl_{hex}"))
}
