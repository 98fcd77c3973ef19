//! The JSON that webhooks carry.

use countersign_core::time::Timestamp;
use serde_json::{Value, json};

use crate::message::{Message, Opened};
use crate::text::Told;

/// The type of a digest.
const DIGEST: &str = "countersign.digest";
/// The type of a test.
const TEST: &str = "countersign.test";

/// The payload of what is told: `type`, `timestamp`, `data`.
pub(crate) fn payload(told: &Told<'_>, now: Timestamp, link: Option<&str>) -> Value {
    match told {
        Told::One { message, opened } => event(message, *opened, link),
        Told::Digest { messages, more } => {
            let events: Vec<Value> = messages
                .iter()
                .map(|message| event(message, None, link))
                .collect();
            json!({
                "type": DIGEST,
                "timestamp": now.to_string(),
                "data": {"messages": events, "more": more},
            })
        }
        Told::Test { origin } => test_payload(now, origin),
    }
}

fn test_payload(now: Timestamp, origin: &str) -> Value {
    json!({
        "type": TEST,
        "timestamp": now.to_string(),
        "data": {"origin": origin, "text": "this is a test; nothing happened"},
    })
}

fn event(message: &Message, opened: Option<&Opened>, link: Option<&str>) -> Value {
    let text = |it: Option<String>| it.map_or(Value::Null, Value::String);
    let mut data = json!({
        "flag": message.flag.to_string(),
        "detector": message.detector.name(),
        "severity": message.severity.name(),
        "actor": text(message.actor.as_ref().map(ToString::to_string)),
        "onset": message.onset.to_string(),
        "onset_at": text(message.onset_at.map(|at| at.to_string())),
        "turn": text(message.turn.map(|turn| turn.to_string())),
        "after": text(message.after.map(|after| after.to_string())),
        "count": message.count,
        "stopped": message.stopped,
        "passed": message.passed,
        "policy_held": message.policy_held(),
        "entries": message.entries.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "entry": message.place.id.to_string(),
        "index": message.place.index,
        "origin": message.origin,
    });
    if let Some(data) = data.as_object_mut() {
        if let Some(link) = link {
            data.insert("link".to_owned(), linked(link, message).into());
        }
        if let Some(opened) = opened.filter(|opened| !opened.is_empty()) {
            let turn: Vec<Value> = opened
                .turn
                .iter()
                .map(|part| json!({"by": part.by, "text": part.text}))
                .collect();
            let opened = json!({"turn": turn, "call": opened.call, "note": opened.note});
            data.insert("opened".to_owned(), opened);
        }
    }
    json!({
        "type": message.change.event(),
        "timestamp": message.at.to_string(),
        "data": data,
    })
}

/// The address under which people look at a flag.
pub(crate) fn linked(link: &str, message: &Message) -> String {
    link.replace("{flag}", &message.flag.to_string())
}
