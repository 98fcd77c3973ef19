//! Between revisions: what has to be said differently when a client and the upstream speak two of
//! them. Everything that is not named here passes as it is.
//!
//! A request for an upstream of 2026-07-28 needs members of `_meta` that an older client does not
//! write, and an older upstream may refuse those that a newer client writes. They are put into the
//! text, or taken out of it, before it is judged, so that what is judged and hashed is what is sent;
//! all other bytes stay.

use serde_json::{Map, Value, json};

use super::mirror::{LEGACY, LEGACY_ALL, META_CAPABILITIES, META_CLIENT, META_VERSION, MODERN};
use crate::jsonrpc::{self, Id, Kind, Message, RawObject};

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Who the relay says that it is, where it asks for itself.
fn ourselves() -> Value {
    json!({"name": "countersign", "version": env!("CARGO_PKG_VERSION")})
}

/// The id of a request of the relay's own.
pub(crate) fn own_id(what: &str) -> Id {
    Id::Text(format!("countersign-{what}"))
}

/// A request of the relay's own for `server/discover`.
pub(crate) fn discover() -> Vec<u8> {
    let params =
        json!({"_meta": {META_VERSION: MODERN, META_CLIENT: ourselves(), META_CAPABILITIES: {}}});
    jsonrpc::request(&own_id("discover"), "server/discover", &params)
}

/// A request of the relay's own for `initialize`, for a client that has no such thing.
pub(crate) fn initialize() -> Vec<u8> {
    let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": ourselves()});
    jsonrpc::request(&own_id("initialize"), "initialize", &params)
}

/// What follows upon `initialize`.
pub(crate) fn initialized() -> Vec<u8> {
    br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_vec()
}

/// The same request with the members of `_meta` that revision 2026-07-28 requires. `None` if the
/// client has written one of them itself, or a `_meta` that is no object.
pub(crate) fn with_meta(message: &Message, client: &Value) -> Option<Vec<u8>> {
    let client = match client {
        Value::Object(_) => client.clone(),
        _ => ourselves(),
    };
    // The relay declares nothing in an older client's name: it could not bring it the questions.
    let members = format!(
        "\"{META_VERSION}\":\"{MODERN}\",\"{META_CAPABILITIES}\":{{}},\"{META_CLIENT}\":{client}"
    );
    let content = message.content();
    if content.is_empty() {
        let open = message.text().trim_end().strip_suffix('}')?;
        return Some(format!("{open},\"params\":{{\"_meta\":{{{members}}}}}}}").into_bytes());
    }
    let params = RawObject::read(content).ok()?;
    let Some(meta) = params.value("_meta") else {
        let content = put_in(content, &format!("\"_meta\":{{{members}}}"))?;
        return Some(message.with_content(&content));
    };
    let known = RawObject::read(meta).ok()?;
    let taken = [META_VERSION, META_CAPABILITIES, META_CLIENT];
    if taken.iter().any(|name| known.value(name).is_some()) {
        return None;
    }
    let place = jsonrpc::place(content, meta);
    let mut content = content.to_owned();
    content.replace_range(place, &put_in(meta, &members)?);
    Some(message.with_content(&content))
}

/// The same request without the members of `_meta` that belong to revision 2026-07-28: an upstream
/// of an earlier one may hold them against the revision that was agreed on. `None` if `_meta` is no
/// object.
pub(crate) fn without_meta(message: &Message) -> Option<Vec<u8>> {
    let content = message.content();
    let meta = match content {
        "" => None,
        content => RawObject::read(content).ok()?.value("_meta"),
    };
    let Some(meta) = meta else {
        return Some(message.bytes().to_vec());
    };
    let own = [META_VERSION, META_CAPABILITIES, META_CLIENT];
    let members = RawObject::read(meta).ok()?;
    let kept = members.members().filter(|(name, _)| !own.contains(name));
    let kept: Vec<String> = kept
        .map(|(name, value)| format!("{}:{value}", Value::from(name)))
        .collect();
    let mut content = content.to_owned();
    let place = jsonrpc::place(message.content(), meta);
    content.replace_range(place, &format!("{{{}}}", kept.join(",")));
    Some(message.with_content(&content))
}

/// An object's text with these members before its own.
fn put_in(object: &str, members: &str) -> Option<String> {
    let rest = object.strip_prefix('{')?;
    let comma = if rest.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    Some(format!("{{{members}{comma}{rest}"))
}

/// What the relay answers to an older client's `initialize`, from what the upstream says of itself.
pub(crate) fn initialize_result(asked: Option<&str>, discovered: &Value) -> Value {
    let version = asked
        .filter(|asked| LEGACY_ALL.contains(asked))
        .unwrap_or(LEGACY);
    let server = discovered.get("serverInfo");
    let server = server.or_else(|| discovered.get("_meta")?.get(SERVER_INFO));
    let mut result = json!({"protocolVersion": version,
        "capabilities": capabilities(discovered),
        "serverInfo": server.cloned().unwrap_or_else(ourselves)});
    copy(discovered, "instructions", &mut result);
    result
}

/// What the relay answers to `server/discover`, from an older upstream's result of `initialize`.
pub(crate) fn discover_result(initialized: &Value) -> Value {
    let server = initialized
        .get("serverInfo")
        .cloned()
        .unwrap_or_else(ourselves);
    let mut result = json!({"resultType": "complete", "supportedVersions": [MODERN],
        "capabilities": capabilities(initialized), "serverInfo": server,
        "ttlMs": 0, "cacheScope": "private", "_meta": {SERVER_INFO: server}});
    copy(initialized, "instructions", &mut result);
    result
}

fn copy(from: &Value, member: &str, to: &mut Value) {
    if let (Some(value), Some(members)) = (from.get(member), to.as_object_mut()) {
        members.insert(member.to_owned(), value.clone());
    }
}

/// What a server can do, without what needs a stream of its own or a question to the client.
fn capabilities(of: &Value) -> Value {
    let all = of.get("capabilities").and_then(Value::as_object);
    let mut kept = Map::new();
    for name in [
        "tools",
        "prompts",
        "resources",
        "completions",
        "experimental",
    ] {
        if let Some(capability) = all.and_then(|all| all.get(name)) {
            let mut capability = capability.clone();
            if let Some(members) = capability.as_object_mut() {
                members.remove("listChanged");
                members.remove("subscribe");
            }
            kept.insert(name.to_owned(), capability);
        }
    }
    Value::Object(kept)
}

/// A result of an older upstream with the members that revision 2026-07-28 requires.
pub(crate) fn with_result_type(bytes: Vec<u8>, method: &str) -> Vec<u8> {
    let Ok(message) = Message::read(bytes.clone()) else {
        return bytes;
    };
    let is_result = matches!(
        message.kind(),
        Kind::Response {
            is_error: false,
            ..
        }
    );
    let Some(result) = RawObject::read(message.content())
        .ok()
        .filter(|_| is_result)
    else {
        return bytes;
    };
    let listed = matches!(
        method,
        "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list"
    );
    let required = [
        ("resultType", "\"complete\"", true),
        ("ttlMs", "0", listed || method == "resources/read"),
        (
            "cacheScope",
            "\"private\"",
            listed || method == "resources/read",
        ),
    ];
    let missing = required
        .iter()
        .filter(|(name, _, needed)| *needed && result.value(name).is_none())
        .map(|(name, value, _)| format!("\"{name}\":{value}"));
    let missing: Vec<String> = missing.collect();
    match put_in(message.content(), &missing.join(",")) {
        Some(content) if !missing.is_empty() => message.with_content(&content),
        _ => bytes,
    }
}

/// Whether a result asks for something that an older client cannot be asked for.
pub(crate) fn asks_for_input(bytes: &[u8]) -> bool {
    let Ok(message) = Message::read(bytes.to_vec()) else {
        return false;
    };
    let result = RawObject::read(message.content()).ok();
    let kind = result.and_then(|result| result.value("resultType").map(str::to_owned));
    kind.is_some_and(|kind| kind != "\"complete\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(text: &str) -> Option<String> {
        let message = Message::read(text.as_bytes().to_vec()).unwrap();
        let bytes = with_meta(&message, &json!({"name": "c", "version": "1"}))?;
        let again = Message::read(bytes.clone()).unwrap();
        let params = again.strict().unwrap().unwrap();
        assert_eq!(params["_meta"][META_VERSION], MODERN);
        Some(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn members_of_meta_are_added_and_every_other_byte_stays() {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{ "name":"t","arguments":{"x": 1.50} }}"#;
        let out = spliced(call).unwrap();
        assert!(
            out.ends_with(r#", "name":"t","arguments":{"x": 1.50} }}"#),
            "{out}"
        );
        assert!(
            out.starts_with(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"#)
        );
        let own = r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{ "progressToken" : 7 },"a":"\u0041"}}"#;
        let out = spliced(own).unwrap();
        assert!(
            out.ends_with(r#", "progressToken" : 7 },"a":"\u0041"}}"#),
            "{out}"
        );
        assert!(
            spliced(r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{}}}"#).is_some()
        );
        assert!(spliced(r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{ }}"#).is_some());
        assert!(spliced("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\" } \n").is_some());
    }

    #[test]
    fn a_client_cannot_speak_for_the_bridge() {
        for meta in [
            r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
            r#"{"io.modelcontextprotocol\/clientCapabilities":{"elicitation":{}}}"#,
            "null",
            "[]",
        ] {
            let text =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"_meta":{meta}}}}}"#);
            assert_eq!(spliced(&text), None, "{meta}");
        }
    }

    #[test]
    fn only_the_members_of_the_newer_revision_are_taken_out() {
        let of = |meta: &str| {
            let text = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a" : 1.0,"_meta":{meta} ,"b":[]}}}}"#
            );
            let message = Message::read(text.into_bytes()).unwrap();
            without_meta(&message).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        let all = r#"{ "io.modelcontextprotocol/protocolVersion":"2026-07-28","k\u0065y": 1.50,"io.modelcontextprotocol\/clientInfo":{},"io.modelcontextprotocol/clientCapabilities":{}}"#;
        assert!(
            of(all)
                .unwrap()
                .ends_with(r#""params":{"a" : 1.0,"_meta":{"key":1.50} ,"b":[]}}"#)
        );
        assert!(of("{}").unwrap().contains(r#""_meta":{} ,"#));
        assert_eq!(of("7"), None);
    }

    #[test]
    fn results_gain_only_what_they_lack() {
        let of = |text: &str, method| {
            String::from_utf8(with_result_type(text.as_bytes().to_vec(), method)).unwrap()
        };
        assert_eq!(
            of(
                r#"{"jsonrpc":"2.0","id":1,"result":{ "content":[] }}"#,
                "tools/call"
            ),
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete", "content":[] }}"#
        );
        let whole = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"x"}}"#;
        assert_eq!(of(whole, "tools/call"), whole);
        let list = of(
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[],"ttlMs":5}}"#,
            "tools/list",
        );
        assert!(list.contains(r#""cacheScope":"private","tools""#) && !list.contains("ttlMs\":0"));
        let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#;
        assert_eq!(of(error, "tools/call"), error);
    }
}
