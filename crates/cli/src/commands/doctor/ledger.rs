//! Whether what a surface says stands in a ledger.

use countersign_client::{Client, ClientError};
use countersign_core::entry::{AnyEntry, Body, Decision};
use countersign_core::json::CanonicalJson;
use countersign_core::time::Timestamp;
use countersign_merkle::leaf_hash;
use countersign_note::{TlogProof, VerifierKey};
use countersign_wire::RawJson;
use serde_json::Value;

/// Who answers for a decision, and with which key.
pub(super) struct Ledger {
    client: Client,
    log_key: VerifierKey,
    /// Whether the key was known before, and not taken from the server itself.
    pub(super) is_known: bool,
    /// Whether the client may read any entry, and not only its own decisions.
    is_auditor: bool,
}

/// A decision that stands in the ledger.
pub(super) struct Proved {
    pub(super) decision: Decision,
    pub(super) timestamp: Timestamp,
}

impl Ledger {
    /// `log_key`: the one that is known of this server; without it, the server's own word is taken.
    pub(super) fn of(
        client: Client,
        log_key: Option<&str>,
        is_auditor: bool,
    ) -> Result<Self, String> {
        let (text, is_known) = match log_key {
            Some(key) => (key.to_owned(), true),
            None => (client.head().map_err(said)?.log_key, false),
        };
        let log_key = VerifierKey::parse(&text).map_err(|error| error.to_string())?;
        Ok(Self {
            client,
            log_key,
            is_known,
            is_auditor,
        })
    }

    /// The decision of this id, with a proof that was checked.
    pub(super) fn decision(&self, entry_id: &str) -> Result<Proved, String> {
        let entry = match self.is_auditor {
            true => self.client.entry(entry_id).map(|answer| answer.entry),
            false => self
                .client
                .decision(entry_id, None)
                .map(|answer| answer.entry),
        };
        self.prove(&entry.map_err(said)?, entry_id)
    }

    /// Checks an entry as a server answered it.
    pub(super) fn prove(&self, entry: &RawJson, entry_id: &str) -> Result<Proved, String> {
        let mut members: Value =
            serde_json::from_str(entry.get()).map_err(|error| error.to_string())?;
        let proof = members.as_object_mut().and_then(|it| it.remove("proof"));
        let Some(Value::String(proof)) = proof else {
            return Err("the entry came without a proof".to_owned());
        };
        let leaf = CanonicalJson::of(&members).map_err(|error| error.to_string())?;
        let proof = TlogProof::parse(&proof).map_err(|error| error.to_string())?;
        proof
            .verify(
                &leaf_hash(leaf.as_bytes()),
                std::slice::from_ref(&self.log_key),
            )
            .map_err(|error| format!("its proof does not hold: {error}"))?;
        let entry = AnyEntry::from_leaf(leaf.as_bytes()).map_err(|error| error.to_string())?;
        if entry.entry_id().to_string() != entry_id {
            return Err(format!(
                "the server gave entry {} in its place",
                entry.entry_id()
            ));
        }
        match entry.body() {
            Some(Body::Decision(decision)) => Ok(Proved {
                decision: decision.clone(),
                timestamp: entry.timestamp(),
            }),
            _ => Err(format!("the entry is a {}, not a decision", entry.kind())),
        }
    }
}

/// The id of an entry that a text names.
pub(super) fn entry_in(text: &str) -> Option<String> {
    let is_of_ulid = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
    let mut words = text.split(|c: char| !is_of_ulid(c));
    let found = words.find(|word| word.len() == 26 && word.starts_with('0'));
    found.map(str::to_owned)
}

/// What a client's error says, with what may help.
pub(super) fn said(error: ClientError) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_what_a_model_is_told() {
        let id = "01KAQ3W9T4XGQZ9V2N6PTJD8RC";
        let text = format!("countersign rejected this call: X (y). Entry {id}. Do not try again");
        assert_eq!(entry_in(&text).as_deref(), Some(id));
        assert_eq!(entry_in("countersign could not decide this call"), None);
        assert_eq!(entry_in(&format!("{id}0")), None);
    }
}
