//! Clients and upstreams of the same revision, and of two.

use serde_json::{Value, json};

use super::world::{
    Upstream, World, error_code, is_refused_call, lookup, mail, request, say, stateless, with_meta,
};

#[test]
fn a_session_is_relayed_and_its_calls_are_judged() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "found"));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    assert_ne!(session, "upstream-1");
    let reply = relay.call(&session, 1, "crm.lookup", &lookup());
    assert_eq!(reply.json()["result"]["content"][0]["text"], "found");
    let refused = relay.call(&session, 2, "email.send", &mail("jane@former.example"));
    assert!(is_refused_call(&refused), "{refused:?}");
    assert_eq!(world.outcomes(), ["approved", "rejected"]);
    world.await_phases(&["finished"]);
    let calls = upstream.asked("tools/call");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].header("mcp-session-id"), Some("upstream-1"));
    assert_eq!(calls[0].header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(calls[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn the_bytes_that_were_judged_are_the_bytes_that_leave() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "found"));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let body = "{ \"jsonrpc\":\"2.0\",\"id\":  7,\"method\":\"tools\\/call\", \"params\":{\"_meta\":{\"x\":1.50},\"arguments\":{\"contact\":\"billing@customer\\u002eexample\"},\"name\":\"crm.lookup\"}}";
    let reply = relay.post(&[("mcp-session-id", &session)], body);
    assert_eq!(reply.json()["result"]["isError"], false, "{reply:?}");
    assert_eq!(upstream.asked("tools/call")[0].body, body);
    is_judged_as_sent(&world, body);
}

#[test]
fn a_stateless_client_before_a_stateless_upstream() {
    let world = World::new();
    let upstream = Upstream::stateless(|seen, stream| say(seen, stream, "found"));
    let relay = world.relay(&upstream);
    let params = json!({"name": "crm.lookup", "arguments": lookup()});
    let reply = relay.call_stateless(1, "crm.lookup", params.clone());
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json()["result"]["content"][0]["text"],
        "found",
        "{reply:?}"
    );
    assert_eq!(reply.header("mcp-session-id"), None);
    let call = &upstream.asked("tools/call")[0];
    assert_eq!(call.header("mcp-name"), Some("crm.lookup"));
    // The tool has been listed by now: it mirrors an argument, and the header has to be there.
    let missing = relay.call_stateless(2, "crm.lookup", params.clone());
    assert_eq!((missing.status, error_code(&missing)), (400, -32020));
    let mut headers = stateless("tools/call", Some("crm.lookup"));
    headers.push(("mcp-param-contact", "billing@customer.example"));
    let body = request(json!(3), "tools/call", &with_meta(params, &json!({})));
    let reply = relay.post(&headers, &body);
    assert_eq!(
        reply.json()["result"]["content"][0]["text"],
        "found",
        "{reply:?}"
    );
    let calls = upstream.asked("tools/call");
    assert_eq!(
        calls[1].header("mcp-param-contact"),
        Some("billing@customer.example")
    );
    assert_eq!(calls[1].body, body);
}

#[test]
fn a_list_is_filtered_and_private() {
    let world = World::new();
    let upstream = Upstream::stateless(|seen, stream| say(seen, stream, "x"));
    let relay = world.relay(&upstream);
    let body = request(json!(1), "tools/list", &with_meta(json!({}), &json!({})));
    let result = relay.post(&stateless("tools/list", None), &body).json()["result"].clone();
    let names = result["tools"].as_array().unwrap().iter();
    let names: Vec<&str> = names.filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(
        names,
        ["crm.lookup", "email.send", "ticket.update"],
        "{result}"
    );
    assert_eq!(
        (&result["cacheScope"], &result["ttlMs"]),
        (&json!("private"), &json!(0))
    );
}

#[test]
fn a_new_client_before_an_old_upstream() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| {
        let result = json!({"content": [{"type": "text", "text": "found"}]});
        super::world::answer(seen, stream, &[], &result);
    });
    let relay = world.relay(&upstream);
    let discover = request(
        json!(1),
        "server/discover",
        &with_meta(json!({}), &json!({})),
    );
    let reply = relay.post(&stateless("server/discover", None), &discover);
    let result = reply.json()["result"].clone();
    assert_eq!(
        result["supportedVersions"],
        json!(["2026-07-28"]),
        "{reply:?}"
    );
    assert_eq!(result["serverInfo"]["name"], "old");
    assert_eq!(result["instructions"], "be kind");
    let params = json!({"name": "crm.lookup", "arguments": lookup()});
    let body = request(json!(2), "tools/call", &with_meta(params, &json!({})));
    let reply = relay.post(&stateless("tools/call", Some("crm.lookup")), &body);
    let result = reply.json()["result"].clone();
    assert_eq!(result["resultType"], "complete", "{reply:?}");
    assert_eq!(result["content"][0]["text"], "found");
    let call = &upstream.asked("tools/call")[0];
    let kept = "\"arguments\":{\"contact\":\"billing@customer.example\"},\"_meta\":{}}}";
    assert!(call.body.contains(kept), "{}", call.body);
    is_judged_as_sent(&world, &call.body);
    assert_eq!(call.header("mcp-session-id"), Some("upstream-1"));
    assert_eq!(call.header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(upstream.asked("initialize").len(), 1);
    let list = request(json!(3), "tools/list", &with_meta(json!({}), &json!({})));
    let result = relay.post(&stateless("tools/list", None), &list).json()["result"].clone();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["cacheScope"], "private");
}

#[test]
fn an_old_client_before_a_new_upstream() {
    let world = World::new();
    let upstream = Upstream::stateless(|seen, stream| say(seen, stream, "found"));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({"elicitation": {}}));
    let ping = request(json!(1), "ping", &json!({}));
    let headers = [("mcp-session-id", session.as_str())];
    assert_eq!(relay.post(&headers, &ping).json()["result"], json!({}));
    let own = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{ \"name\":\"crm.lookup\",  \"arguments\":{\"contact\":\"billing@customer.example\"}}}";
    let reply = relay.post(&headers, own);
    assert_eq!(
        reply.json()["result"]["content"][0]["text"],
        "found",
        "{reply:?}"
    );
    let call = &upstream.asked("tools/call")[0];
    let kept = own.split_once("{ ").unwrap().1;
    assert!(call.body.ends_with(kept), "{}", call.body);
    assert_eq!(call.header("mcp-name"), Some("crm.lookup"));
    assert_eq!(call.header("mcp-session-id"), None);
    assert_eq!(
        call.header("mcp-param-contact"),
        Some("billing@customer.example")
    );
    is_judged_as_sent(&world, &call.body);
    for method in ["logging/setLevel", "resources/subscribe"] {
        let body = request(
            json!(3),
            method,
            &json!({"level": "info", "uri": "file:///a"}),
        );
        assert_ne!(relay.post(&headers, &body).json()["error"], Value::Null);
    }
    let stream = relay.send(&relay.request("GET", &headers, None));
    assert_eq!(stream.status, 405);
}

#[test]
fn an_unreachable_upstream_is_an_error_and_nothing_is_judged() {
    let world = World::new();
    let relay = world.relay_with("http://127.0.0.1:1/mcp", |_| {});
    let params = json!({"name": "crm.lookup", "arguments": lookup()});
    let reply = relay.call_stateless(1, "crm.lookup", params);
    assert_eq!(error_code(&reply), -32011, "{reply:?}");
    let body = request(
        json!(1),
        "initialize",
        &json!({"protocolVersion": "2025-11-25",
        "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
    );
    let reply = relay.post(&[], &body);
    assert_eq!(error_code(&reply), -32011, "{reply:?}");
    assert_eq!(reply.header("mcp-session-id"), None);
    assert!(world.outcomes().is_empty());
}

/// Whether the first decision's call states the hash of these bytes.
fn is_judged_as_sent(world: &World, body: &str) {
    let decisions = world.entries("decision");
    let call_ref = decisions[0]["call_ref"].as_str().unwrap();
    let opened = world
        .client("vault-reader")
        .open(call_ref, "a test")
        .unwrap();
    let document = serde_json::to_value(&opened).unwrap().to_string();
    let digest = countersign_core::refs::Sha256::of(body.as_bytes()).to_string();
    assert!(document.contains(&digest), "{document}");
}
