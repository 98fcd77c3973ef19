//! Tools as their server lists them: which of them the client sees, and what they were.

use std::collections::{BTreeSet, HashMap};

use countersign_core::json;
use countersign_core::json::CanonicalJson;
use countersign_core::limits::TOOL_NAME_BYTES;
use countersign_core::refs::Sha256;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Revision;
use super::conversation::Relay;
use super::decide::folded;
use super::methods::is_reserved;
use crate::jsonrpc::RawObject;
use crate::limits::{KNOWN_TOOLS, LISTED_TOOLS, MESSAGE_BYTES};

/// The members of a definition that say what the tool is.
const DEFINING: [&str; 6] = [
    "name",
    "description",
    "inputSchema",
    "outputSchema",
    "annotations",
    "title",
];

/// The digest of a tool's definition, given as the JSON text that its server listed: SHA-256 of the
/// canonical JSON of what says what the tool is. A definition that has no canonical JSON (a number
/// that does not survive it) has the digest of its text as it stands. `None` if it is no object, or
/// one that two readers could read differently: some take `Description` for `description`.
pub fn definition_digest(definition: &str) -> Option<Sha256> {
    let object = RawObject::read(definition).ok()?;
    let is_other = |name: &str| {
        let is_like = |known: &str| known != name && folded(known) == folded(name);
        DEFINING.into_iter().any(is_like)
    };
    if object.members().any(|(name, _)| is_other(name)) {
        return None;
    }
    let mut kept = Map::new();
    for name in DEFINING {
        let Some(text) = object.value(name) else {
            continue;
        };
        match json::parse(text.as_bytes(), MESSAGE_BYTES) {
            Ok(value) => kept.insert(name.to_owned(), value),
            Err(_) => return Some(Sha256::of(definition.as_bytes())),
        };
    }
    let canonical = CanonicalJson::of(&Value::Object(kept)).ok()?;
    Some(Sha256::of(canonical.as_bytes()))
}

/// What the server's tools were when it listed them last.
#[derive(Default)]
pub(super) struct Definitions {
    digests: HashMap<String, Sha256>,
    /// Whether the server said that its list has changed, or never gave one.
    is_listed: bool,
}

impl Definitions {
    pub(super) fn of(&self, tool: &str) -> Option<Sha256> {
        self.digests.get(tool).copied()
    }

    pub(super) fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// The server says that its list has changed.
    pub(super) fn outdated(&mut self) {
        self.is_listed = false;
    }

    /// The server was asked, whatever it answered: nobody waits for it again until it says that its
    /// list has changed.
    pub(super) fn asked(&mut self) {
        self.is_listed = true;
    }

    fn learn(&mut self, tool: &str, digest: Sha256) {
        if self.digests.len() < KNOWN_TOOLS || self.digests.contains_key(tool) {
            self.digests.insert(tool.to_owned(), digest);
        }
    }
}

/// Why an answer to `tools/list` is not handed on.
pub(super) struct BadList(pub(super) String);

/// Remembers what the server lists, without showing it to anybody.
pub(super) fn learn(relay: &Relay, result: &str) -> Result<Vec<Listed>, BadList> {
    let bad = |reason: &str| BadList(format!("the server's list of tools {reason}"));
    let object =
        RawObject::read(result).map_err(|error| bad(&format!("is unreadable: {error}")))?;
    let tools = object.value("tools").unwrap_or("[]");
    let tools: Vec<&RawValue> =
        serde_json::from_str(tools).map_err(|error| bad(&format!("is unreadable: {error}")))?;
    if tools.len() > LISTED_TOOLS {
        return Err(bad(&format!(
            "names {} tools; allowed are {LISTED_TOOLS}",
            tools.len()
        )));
    }
    let mut listed = Vec::new();
    for tool in tools {
        let definition = RawObject::read(tool.get()).ok();
        let name = definition
            .and_then(|definition| definition.value("name"))
            .and_then(|name| serde_json::from_str::<String>(name).ok())
            .filter(|name| name.len() <= TOOL_NAME_BYTES);
        let digest = definition_digest(tool.get());
        match (name, digest) {
            (Some(name), Some(digest)) if !is_reserved(&name) => listed.push(Listed {
                name,
                digest,
                definition: tool.get().to_owned(),
            }),
            _ => relay.notice("a tool was hidden: its definition is unreadable, or its name one that resources and prompts are judged by"),
        }
    }
    let is_last = object
        .value("nextCursor")
        .is_none_or(|cursor| cursor == "null");
    let doubled = doubled(&listed);
    if !doubled.is_empty() {
        relay.notice("tools were hidden: the server lists several under one name");
    }
    relay.with_definitions(|known| {
        for tool in &listed {
            // Which of two is meant is the reader's choice: no confirmed definition is it.
            let digest = match doubled.contains(&tool.name) {
                true => Sha256::of(b""),
                false => tool.digest,
            };
            known.learn(&tool.name, digest);
        }
        known.is_listed |= is_last;
    });
    listed.retain(|tool| !doubled.contains(&tool.name));
    Ok(listed)
}

/// The names that stand in a list more than once.
fn doubled(listed: &[Listed]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let twice = listed
        .iter()
        .filter(|tool| !seen.insert(tool.name.as_str()));
    twice.map(|tool| tool.name.clone()).collect()
}

/// A tool of a list.
pub(super) struct Listed {
    pub(super) name: String,
    /// Of this very definition: what else was listed meanwhile says nothing of it.
    pub(super) digest: Sha256,
    definition: String,
}

/// The answer to `tools/list` as the client may see it: without the tools that no policy could
/// permit to the actor, and for nobody else to keep.
pub(super) fn filtered(relay: &Relay, result: &str, revision: Revision) -> Result<String, BadList> {
    let listed = learn(relay, result)?;
    let visible = relay.visible(&listed).map_err(|error| {
        BadList(format!(
            "countersign could not be asked which tools may be shown: {error}"
        ))
    })?;
    let shown: Vec<&str> = listed
        .iter()
        .filter(|tool| visible.contains(&tool.name))
        .map(|tool| tool.definition.as_str())
        .collect();
    let object = RawObject::read(result).map_err(|error| BadList(error.to_string()))?;
    let mut members: Vec<String> = Vec::new();
    for (name, value) in object.members() {
        let value = match name {
            "tools" => format!("[{}]", shown.join(",")),
            "ttlMs" | "cacheScope" => continue,
            // Some readers would take it for the list.
            other if folded(other) == "tools" => continue,
            _ => value.to_owned(),
        };
        let name = serde_json::to_string(name).unwrap_or_default();
        members.push(format!("{name}:{value}"));
    }
    if revision == Revision::Stateless {
        members.push("\"ttlMs\":0".to_owned());
        members.push("\"cacheScope\":\"private\"".to_owned());
    }
    Ok(format!("{{{}}}", members.join(",")))
}

/// The names that a server's answer says are visible, among those that were asked for.
pub(super) fn among(names: &[&str], prefix: &str, visible: &[String]) -> BTreeSet<String> {
    let visible: BTreeSet<&str> = visible.iter().map(String::as_str).collect();
    names
        .iter()
        .filter(|name| visible.contains(format!("{prefix}{name}").as_str()))
        .map(|name| (*name).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_what_defines_a_tool_and_of_nothing_else() {
        let digest = |text: &str| definition_digest(text).unwrap();
        let one = digest(r#"{"name":"a","description":"b","inputSchema":{"type":"object","x":1}}"#);
        let same = r#"{ "inputSchema" : {"x":1.0,"type":"object"}, "description":"\u0062","name":"a", "icons":[], "_meta":{"k":1}}"#;
        assert_eq!(digest(same), one);
        for other in [
            r#"{"name":"a","description":"c","inputSchema":{"type":"object","x":1}}"#,
            r#"{"name":"a","description":"b","inputSchema":{"type":"object","x":2}}"#,
            r#"{"name":"a","description":"b","inputSchema":{"type":"object","x":1},"annotations":{}}"#,
            r#"{"name":"a","description":"b","inputSchema":{"type":"object","x":1},"title":"b"}"#,
        ] {
            assert_ne!(digest(other), one, "{other}");
        }
        let canonical = br#"{"description":"b","inputSchema":{"type":"object","x":1},"name":"a"}"#;
        assert_eq!(one, Sha256::of(canonical));
    }

    #[test]
    fn what_has_no_canonical_json_has_a_digest_all_the_same() {
        let big = r#"{"name":"a","inputSchema":{"maximum":18446744073709551615}}"#;
        let other = r#"{"name":"a","inputSchema":{"maximum":18446744073709551614}}"#;
        assert_ne!(
            definition_digest(big).unwrap(),
            definition_digest(other).unwrap()
        );
        assert_eq!(definition_digest(r#"{"name":"a","name":"b"}"#), None);
        assert_eq!(definition_digest("[]"), None);
        for other in [
            "Description",
            "DESCRIPTION",
            "in\u{17f}tructions",
            "de\u{17f}cription",
        ] {
            let text = format!(r#"{{"name":"a","description":"b","{other}":"c"}}"#);
            let is_hidden = definition_digest(&text).is_none();
            assert_eq!(is_hidden, !other.starts_with("in"), "{other}");
        }
    }
}
