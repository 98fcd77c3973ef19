//! What a host is told (§5).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::HookError;
use crate::handler::{Ruling, Verdict};
use crate::text;

pub(super) fn allow() -> Value {
    json!({"decision": "allow"})
}

/// Allowed, with a concern that the host records.
pub(super) fn warned(message: &str) -> Value {
    json!({
        "decision": "allow",
        "warnings": [{"reason": "countersign.notice", "message": text::visible(message)}],
    })
}

pub(super) fn deny(reason: &str, message: &str) -> Value {
    json!({"decision": "deny", "reason": reason, "message": text::visible(message)})
}

pub(super) fn failed(error: &HookError) -> Value {
    let message = text::failed(&error.to_string(), error.hint().as_deref());
    deny("countersign.error", &message)
}

/// The verdict on a call. An escalation can be lifted by the host's own approval only where the rules
/// let the person answer whose turn it is.
pub(super) fn decided(ruling: &Ruling, server: &str) -> Value {
    let reason = ruling.reason.as_deref().unwrap_or("countersign.no-reason");
    let mut verdict = match ruling.verdict {
        Verdict::Allowed => allow(),
        Verdict::Ask => {
            let mut verdict = deny(reason, &ruling.text);
            put(
                &mut verdict,
                "approval",
                json!({"countersign": {"decision": ruling.entry_id}}),
            );
            verdict
        }
        Verdict::Unanswered | Verdict::Refused => deny(reason, &ruling.text),
    };
    put(&mut verdict, "evidence", evidence(ruling, server));
    verdict
}

/// Points to the entry and its proof (§5.3): log and entry, which can be checked offline.
fn evidence(ruling: &Ruling, server: &str) -> Value {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        proof: String,
    }
    let entry: Option<Entry> = serde_json::from_str(ruling.entry.get()).ok();
    let proof = entry.map(|entry| entry.proof).unwrap_or_default();
    // In a tlog-proof the checkpoint stands behind an empty line, and begins with the log's origin.
    let origin = proof
        .split_once("\n\n")
        .and_then(|(_, note)| note.lines().next());
    let id = &ruling.entry_id;
    json!({
        "artefact": format!("{}#{id}", origin.unwrap_or("countersign")),
        "verification_pointers": {
            "entry": format!("{server}/v1/entries/{id}"),
            "proof": format!("{server}/v1/entries/{id}/proof"),
        },
    })
}

fn put(verdict: &mut Value, name: &str, value: Value) {
    if let Some(members) = verdict.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
