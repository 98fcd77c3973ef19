//! Clients that want more than they may.

use std::io::{BufReader, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::world::{
    Upstream, World, error_code, is_refused_call, lookup, mail, read_reply, request, say,
    stateless, with_meta,
};

fn tools_call(id: i64, tool: &str) -> String {
    let args = match tool {
        "crm.lookup" => lookup(),
        _ => mail("jane@former.example"),
    };
    let params = with_meta(json!({"name": tool, "arguments": args}), &json!({}));
    request(json!(id), "tools/call", &params)
}

#[test]
fn headers_that_differ_from_the_body_are_refused() {
    let world = World::new();
    let upstream = Upstream::stateless(|seen, stream| say(seen, stream, "x"));
    let relay = world.relay(&upstream);
    let body = tools_call(1, "email.send");
    let lookalike = format!("=?base64?{}?=", STANDARD.encode("em\u{430}il.send"));
    let joined = format!("=?base64?{}?=", STANDARD.encode("email.send\u{200d}"));
    let version = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "tools/call");
    let name = ("mcp-name", "email.send");
    let cases: Vec<Vec<(&str, &str)>> = vec![
        stateless("tools/call", Some("crm.lookup")),
        stateless("tools/list", Some("email.send")),
        stateless("tools/list", None),
        stateless("tools/call", None),
        stateless("tools/call", Some(&lookalike)),
        stateless("tools/call", Some(&joined)),
        stateless("tools/call", Some("=?base64?ZW1haWwuc2VuZA?=")),
        stateless("tools/call", Some("Email.Send")),
        vec![version, method, name, ("mcp-name", "crm.lookup")],
        vec![version, method, name, name],
        vec![version, method, method, name],
        vec![version, version, method, name],
        vec![version, name],
        vec![version, method, name, ("mcp-param-to", "somebody")],
        vec![("mcp-protocol-version", "2025-11-25"), method, name],
        vec![method, name],
    ];
    for headers in cases {
        let reply = relay.post(&headers, &body);
        assert_eq!(reply.status, 400, "{headers:?}: {reply:?}");
        assert_eq!(error_code(&reply), -32020, "{headers:?}: {reply:?}");
    }
    let other = [("mcp-protocol-version", "2026-07-29"), method, name];
    let reply = relay.post(&other, &body);
    assert_eq!(
        (reply.status, error_code(&reply)),
        (400, -32022),
        "{reply:?}"
    );
    assert_eq!(reply.json()["error"]["data"]["supported"][0], "2026-07-28");
    assert!(upstream.asked("tools/call").is_empty());
    assert!(world.outcomes().is_empty());
    let right = format!("=?base64?{}?=", STANDARD.encode("email.send"));
    let reply = relay.post(&stateless("tools/call", Some(&right)), &body);
    assert!(is_refused_call(&reply), "{reply:?}");
    assert_eq!(world.outcomes(), ["rejected"]);
}

#[test]
fn bodies_that_two_readers_could_take_differently_never_leave() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "x"));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let call = r#""method":"tools/call","params":{"name":"crm.lookup","arguments":{"contact":"billing@customer.example"}}"#;
    let mail = r#""params":{"name":"email.send","arguments":{"to":["jane@former.example"],"subject":"s","body":"b"}}"#;
    let cases = [
        format!(r#"{{"jsonrpc":"2.0","id":1,"id":2,{call}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,{call},{mail}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,{call},"\u0070arams":{{}}}}"#),
        format!(r#"[{{"jsonrpc":"2.0","id":1,{call}}}]"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,{call}}}{{"jsonrpc":"2.0","id":2,{call}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,{call},"result":{{}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,{call},"Params":{{}}}}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm.lookup","name":"email.send","arguments":{}}}"#.to_owned(),
        format!(r#"{{"jsonrpc":"2.0","id":null,{call}}}"#),
        format!("\u{feff}{{\"jsonrpc\":\"2.0\",\"id\":1,{call}}}"),
        String::new(),
    ];
    for body in &cases {
        let reply = relay.post(&[("mcp-session-id", &session)], body);
        let refused = reply.status == 400 || is_refused_call(&reply);
        assert!(refused, "{body}: {reply:?}");
    }
    // A call without an id cannot be answered, and does not leave either.
    let told = format!(r#"{{"jsonrpc":"2.0",{call}}}"#);
    assert_eq!(
        relay.post(&[("mcp-session-id", &session)], &told).status,
        202
    );
    assert!(upstream.asked("tools/call").is_empty());
    let outcomes = world.outcomes();
    assert!(
        !outcomes.is_empty() && outcomes.iter().all(|it| it == "rejected"),
        "{outcomes:?}"
    );
}

#[test]
fn hosts_origins_and_forms_that_are_not_ours_are_turned_away() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "x"));
    let relay = world.relay(&upstream);
    let port = relay.address.port();
    let body = request(
        json!(1),
        "initialize",
        &json!({"protocolVersion": "2025-11-25", "capabilities": {}}),
    );
    let rebound = format!("evil.example:{port}");
    let own = format!("http://localhost:{port}");
    let cases: [(&[(&str, &str)], u16); 11] = [
        (&[("host", &rebound)], 403),
        (&[("host", "evil.example")], 403),
        (&[("origin", "http://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("origin", "http://localhost:1")], 403),
        (&[("origin", &own), ("origin", "http://evil.example")], 400),
        (&[("content-type", "text/plain")], 415),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            415,
        ),
        (&[("content-encoding", "gzip")], 415),
        (&[("accept", "application/json")], 406),
        (
            &[
                ("content-type", "application/json"),
                ("content-type", "text/plain"),
            ],
            400,
        ),
    ];
    for (headers, status) in cases {
        assert_eq!(relay.post(headers, &body).status, status, "{headers:?}");
    }
    assert!(upstream.seen().is_empty());
    let reply = relay.post(&[("origin", &own)], &body);
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some(own.as_str())
    );
    let elsewhere = String::from_utf8(relay.request("POST", &[], Some(b"{}"))).unwrap();
    for path in [
        "/",
        "/mcp/",
        "/mcp?x=1",
        "/MCP",
        "//mcp",
        "http://evil.example/mcp",
    ] {
        let bytes = elsewhere.replacen("/mcp", path, 1);
        let status = relay.send(bytes.as_bytes()).status;
        assert!(matches!(status, 403 | 404), "{path}: {status}");
    }
}

#[test]
fn a_session_is_its_clients_alone() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "x"));
    let relay = world.relay_with(&upstream.url(), |options| {
        let tokens = "one-one-one-one-1\ntwo-two-two-two-2";
        options.client_tokens = countersign_mcp::http::read_tokens(tokens).unwrap();
    });
    let one = ("authorization", "Bearer one-one-one-one-1");
    let two = ("authorization", "Bearer two-two-two-two-2");
    let session = relay.initialize_as(&[one], &json!({}));
    let id = ("mcp-session-id", session.as_str());
    let body = request(
        json!(1),
        "tools/call",
        &json!({"name": "crm.lookup", "arguments": lookup()}),
    );
    for headers in [&[two, id][..], &[two, ("mcp-session-id", "upstream-1")]] {
        assert_eq!(relay.post(headers, &body).status, 404);
        assert_eq!(relay.send(&relay.request("GET", headers, None)).status, 404);
        assert_eq!(
            relay.send(&relay.request("DELETE", headers, None)).status,
            404
        );
    }
    assert_eq!(relay.post(&[id], &body).status, 401);
    assert_eq!(relay.post(&[one, two, id], &body).status, 400);
    assert_eq!(relay.post(&[one, id, id], &body).status, 400);
    assert_eq!(relay.post(&[one], &body).status, 400);
    assert!(upstream.asked("tools/call").is_empty() && world.outcomes().is_empty());
    let reply = relay.post(&[one, id], &body);
    assert_eq!(reply.json()["result"]["isError"], false, "{reply:?}");
    assert_eq!(
        upstream.asked("tools/call")[0].header("authorization"),
        None
    );
    assert_eq!(
        relay
            .send(&relay.request("DELETE", &[one, id], None))
            .status,
        204
    );
    assert_eq!(relay.post(&[one, id], &body).status, 404);
    assert!(upstream.seen().iter().any(|seen| seen.method == "DELETE"));
}

#[test]
fn a_response_is_no_request() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "x"));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({"elicitation": {}}));
    let before = upstream.seen().len();
    // An answer that nobody asked for, and one that is a call as well.
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}"#;
    assert_eq!(
        relay.post(&[("mcp-session-id", &session)], answer).status,
        202
    );
    let both = r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{"name":"crm.lookup"}}"#;
    assert_eq!(
        relay.post(&[("mcp-session-id", &session)], both).status,
        400
    );
    assert_eq!(upstream.seen().len(), before);
    let stateless_answer = relay.post(&stateless("tools/call", Some("x")), answer);
    assert_eq!(stateless_answer.status, 400);
    // The handshake of older revisions is not for a session that has begun, nor for a newer one.
    let body = request(
        json!(9),
        "initialize",
        &json!({"protocolVersion": "2025-11-25", "capabilities": {}}),
    );
    assert_eq!(
        relay.post(&[("mcp-session-id", &session)], &body).status,
        400
    );
    let modern = request(json!(9), "initialize", &with_meta(json!({}), &json!({})));
    assert_eq!(
        relay.post(&stateless("initialize", None), &modern).status,
        404
    );
    assert_eq!(upstream.asked("initialize").len(), 2);
}

#[test]
fn a_body_that_is_too_long_or_half_written_never_leaves() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "x"));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let id = ("mcp-session-id", session.as_str());
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"crm.lookup","arguments":{{"contact":"{}"}}}}}}"#,
        "x".repeat(17 * 1024 * 1024)
    );
    let mut stream = relay.connect();
    let bytes = relay.request("POST", &[id], Some(long.as_bytes()));
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&bytes));
    let reply = read_reply(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
    assert_eq!(reply.status, 413, "{}", reply.text());
    let _ = stream.shutdown(std::net::Shutdown::Both);
    let _ = writing.join().unwrap();
    let whole = relay.request("POST", &[id], Some(tools_call(1, "crm.lookup").as_bytes()));
    for cut in [whole.len() - 1, whole.len() - 40, whole.len() / 2, 10] {
        let mut half = relay.connect();
        half.write_all(&whole[..cut]).unwrap();
        half.shutdown(std::net::Shutdown::Write).unwrap();
        let reply = read_reply(&mut BufReader::new(half));
        assert!(reply.is_none_or(|reply| reply.status >= 400));
    }
    stream = relay.connect();
    let smuggled = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef";
    stream.write_all(smuggled.as_bytes()).unwrap();
    assert_eq!(read_reply(&mut BufReader::new(stream)).unwrap().status, 400);
    assert!(upstream.asked("tools/call").is_empty());
}

#[test]
fn a_head_has_a_size_and_a_body_may_come_in_pieces() {
    let world = World::new();
    let upstream = Upstream::stateless(|seen, stream| say(seen, stream, "found"));
    let relay = world.relay(&upstream);
    let body = tools_call(1, "crm.lookup");
    let long = "x".repeat(70 * 1024);
    let headers = [
        &stateless("tools/call", Some("crm.lookup"))[..],
        &[("x-long", &long)],
    ]
    .concat();
    assert_eq!(relay.post(&headers, &body).status, 431);
    let many: Vec<String> = (0..120).map(|at| format!("x-{at}")).collect();
    let mut headers = stateless("tools/call", Some("crm.lookup"));
    headers.extend(many.iter().map(|name| (name.as_str(), "1")));
    assert_eq!(relay.post(&headers, &body).status, 431);
    assert!(upstream.seen().is_empty());
    let mut chunked = stateless("tools/call", Some("crm.lookup"));
    chunked.push(("transfer-encoding", "chunked"));
    let mut bytes = relay.request("POST", &chunked, None);
    for piece in body.as_bytes().chunks(7) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let reply = relay.send(&bytes);
    assert_eq!(
        reply.json()["result"]["content"][0]["text"],
        "found",
        "{reply:?}"
    );
    assert_eq!(upstream.asked("tools/call")[0].body, body);
    // Both lengths at once are one request too many for somebody in between.
    let mut both = chunked.clone();
    both.push(("content-length", "3"));
    let mut bytes = relay.request("POST", &both, None);
    bytes.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(relay.send(&bytes).status, 400);
    assert_eq!(upstream.asked("tools/call").len(), 1);
}

#[test]
fn those_who_dawdle_hinder_nobody() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "found"));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let whole = relay.request("POST", &[], Some(tools_call(1, "crm.lookup").as_bytes()));
    let mut slow = Vec::new();
    for at in 0..150 {
        let mut stream = relay.connect();
        // Some stop in the head, some in the body.
        let cut = if at % 2 == 0 { 20 } else { whole.len() - 5 };
        stream.write_all(&whole[..cut]).unwrap();
        slow.push(stream);
    }
    let reply = relay.call(&session, 1, "crm.lookup", &lookup());
    assert_eq!(reply.json()["result"]["content"][0]["text"], "found");
    drop(slow);
}
