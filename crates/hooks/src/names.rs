//! How what an assistant names becomes a name of the ledger's.

use sha2::{Digest as _, Sha256};

use crate::error::HookError;

/// Longest id of a session, in bytes: what the server takes.
const SESSION_BYTES: usize = 128;
/// Longest encoded name of a subagent; a longer one is named by its digest.
const SUBAGENT_BYTES: usize = 64;

/// The id of a session: the channel, a colon, and the client's own id.
pub fn session_name(channel: &str, id: &str) -> Result<String, HookError> {
    let name = format!("{channel}:{id}");
    let fits = !id.is_empty()
        && name.len() <= SESSION_BYTES
        && name.bytes().all(|byte| byte.is_ascii_graphic());
    match fits {
        true => Ok(name),
        false => Err(HookError::Event(format!(
            "the session's id `{}` is not 1 to {} visible ASCII characters",
            shown(id),
            SESSION_BYTES - channel.len().min(SESSION_BYTES) - 1
        ))),
    }
}

/// The actor that stands for a subagent of this type. Two types never have one actor: what cannot
/// stand in a name is written as `@` and two hex digits.
pub fn actor_of_subagent(parent: &str, agent_type: &str) -> String {
    let mut name = String::new();
    for byte in agent_type.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                name.push(char::from(byte));
            }
            other => name.push_str(&format!("@{other:02x}")),
        }
    }
    if name.is_empty() || name.len() > SUBAGENT_BYTES {
        let digest = digest(&[agent_type.as_bytes()]);
        name = format!("@@{}", digest.get(..32).unwrap_or_default());
    }
    format!("{parent}/{name}")
}

/// Hex of the SHA-256 over parts, each with its length before it.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// `sha256:` and hex of the SHA-256 of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// The digest of JSON arguments, however their members are ordered and spaced; `None` if they are no JSON.
pub(crate) fn args_digest(args: &str) -> Option<String> {
    let mut value: serde_json::Value = serde_json::from_str(args).ok()?;
    value.sort_all_objects();
    Some(sha256(value.to_string().as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Text from outside as it may stand in a message: short, without control characters.
pub(crate) fn shown(text: &str) -> String {
    cut(text, 80).escape_debug().to_string()
}

/// The beginning of a text, at most so many bytes, ending between characters.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_types_of_subagents_have_one_actor() {
        let actor = |agent_type: &str| actor_of_subagent("agent:a", agent_type);
        assert_eq!(actor("general-purpose"), "agent:a/general-purpose");
        assert_eq!(actor("my plugin:x"), "agent:a/my@20plugin@3ax");
        let long = "x".repeat(65);
        let names = [
            "", "a b", "a-b", "a/b", "a@2fb", "@", "@@", "ä", "..", &long, "\n",
        ];
        let actors: std::collections::BTreeSet<_> = names.iter().map(|name| actor(name)).collect();
        assert_eq!(actors.len(), names.len());
        assert!(actors.iter().all(|actor| actor.len() <= 128));
        assert!(actors.iter().all(|actor| actor.matches('/').count() == 1));
    }

    #[test]
    fn arguments_are_the_same_however_they_are_written() {
        let digest = |args: &str| args_digest(args).unwrap();
        assert_eq!(
            digest("{\"a\": 1, \"b\": {\"d\": [2], \"c\": \"x\"}}"),
            digest("{\"b\":{\"c\":\"\\u0078\",\"d\":[2]},\"a\":1}")
        );
        assert_ne!(digest("{\"a\":1}"), digest("{\"a\":\"1\"}"));
        assert_ne!(digest("[1,2]"), digest("[2,1]"));
    }

    #[test]
    fn a_session_that_is_no_name_is_refused() {
        assert_eq!(session_name("c", "00ab").unwrap(), "c:00ab");
        for id in ["", "a b", "ä", "a\n", &"x".repeat(127)] {
            assert!(session_name("c", id).is_err(), "{id:?}");
        }
    }
}
