//! Streams of events, upstreams that are slow, broken or hostile, and calls that wait for a person.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::world::{
    JSON, PATIENCE, Relayed, Reply, Seen, Upstream, World, answer, begin, chunk, content, end,
    error_code, is_refused_call, lookup, raw, read_chunk, read_head, read_reply, request, say,
    stateless, with_meta,
};

fn response(seen: &Seen, text: &str) -> String {
    json!({"jsonrpc": "2.0", "id": seen.json()["id"], "result": content(text)}).to_string()
}

fn lookup_call(id: i64) -> String {
    let params = json!({"name": "crm.lookup", "arguments": lookup()});
    request(json!(id), "tools/call", &with_meta(params, &json!({})))
}

/// An upstream behind TLS, as far as a connection to it is of interest.
fn behind_tls(to: SocketAddr) -> SocketAddr {
    let file = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/it/tls");
        path.join(name)
    };
    let chain = CertificateDer::pem_file_iter(file("cert.pem")).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let mut plain = tokio::net::TcpStream::connect(to).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut stream, &mut plain).await;
                    }
                });
            }
        });
    });
    receiver.recv().unwrap()
}

#[test]
fn an_upstream_behind_tls_is_who_its_certificate_says() {
    let world = World::new();
    let upstream = Upstream::stateless(|seen, stream| say(seen, stream, "found"));
    let port = behind_tls(upstream.address).port();
    let ca = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/it/tls/cert.pem");
    let headers = stateless("tools/call", Some("crm.lookup"));
    let url = format!("https://localhost:{port}/mcp");
    let relay = world.relay_with(&url, |options| options.upstream_ca = Some(ca.clone()));
    let reply = relay.post(&headers, &lookup_call(1));
    assert_eq!(
        reply.json()["result"]["content"][0]["text"],
        "found",
        "{reply:?}"
    );
    // The system knows no such certificate, and another name is another server.
    let before = upstream.seen().len();
    let unknown = world.relay_with(&url, |_| {});
    let other = format!("https://127.0.0.2:{port}/mcp");
    let other = world.relay_with(&other, |options| options.upstream_ca = Some(ca.clone()));
    for relay in [unknown, other] {
        assert_eq!(error_code(&relay.post(&headers, &lookup_call(1))), -32011);
    }
    assert_eq!(upstream.seen().len(), before);
}

/// Whether a call that was let through came to nothing, and the client was told.
fn is_broken(reply: &Reply) -> bool {
    is_refused_call(reply) || reply.json()["error"].is_object()
}

#[test]
fn an_event_arrives_whole_however_it_is_cut() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| {
        let response = response(seen, "caf\u{e9} \u{1f600}");
        let told = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;
        let (head, tail) = response.split_at(response.find(",\"result\"").unwrap() + 1);
        let text = format!(
            "\u{feff}: hello\r\nretry: 3000\r\n\r\nevent: message\r\ndata: {told}\r\n\r\nevent: endpoint\ndata: /evil\n\nid: 1\rdata: {head}\rdata:{tail}\r\r"
        );
        begin(stream);
        for piece in text.as_bytes().chunks(3) {
            chunk(stream, piece);
        }
        end(stream);
    });
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let params =
        json!({"name": "crm.lookup", "arguments": lookup(), "_meta": {"progressToken": 1}});
    let body = request(json!(1), "tools/call", &params);
    let reply = relay.post(&[("mcp-session-id", &session)], &body);
    let text = reply.text();
    assert!(
        text.contains("id: 1\n") && text.contains("retry: 3000\n"),
        "{text}"
    );
    assert!(!text.contains("evil"), "{text}");
    assert!(text.contains("notifications/progress"), "{text}");
    let data: String = text
        .split("id: 1\n")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let message: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(
        message["result"]["content"][0]["text"],
        "caf\u{e9} \u{1f600}"
    );
    world.await_phases(&["finished"]);
}

#[test]
fn an_upstream_that_dies_leaves_an_unknown_execution() {
    let world = World::new();
    let at = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::of_sessions(move |seen, stream| {
        match at.fetch_add(1, Ordering::SeqCst) {
            0 => drop(stream.shutdown(std::net::Shutdown::Both)),
            1 => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"jsonrpc\"");
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
            2 => {
                begin(stream);
                chunk(
                    stream,
                    format!("data: {}\n", response(seen, "half")).as_bytes(),
                );
                end(stream);
            }
            3 => raw(
                stream,
                "307 Temporary Redirect",
                &[("location", "http://127.0.0.1:1/")],
                b"",
            ),
            4 => raw(stream, "500 Internal Server Error", &[], b"oh"),
            5 => raw(stream, "202 Accepted", &[], b""),
            6 => raw(stream, "200 OK", JSON, b"[1]"),
            7 => raw(
                stream,
                "200 OK",
                JSON,
                br#"{"jsonrpc":"2.0","id":99,"result":{}}"#,
            ),
            8 => {
                let gzip = [
                    ("content-type", "application/json"),
                    ("content-encoding", "gzip"),
                ];
                raw(stream, "200 OK", &gzip, response(seen, "x").as_bytes());
            }
            9 => raw(
                stream,
                "200 OK",
                &[("content-type", "text/html")],
                b"<html>",
            ),
            10 => {
                let two =
                    response(seen, "one").replacen("\"result\"", "\"result\":{},\"result\"", 1);
                raw(stream, "200 OK", JSON, two.as_bytes());
            }
            11 => {
                let long = "x".repeat(70_000);
                let headers = [("content-type", "application/json"), ("x-long", &long)];
                raw(stream, "200 OK", &headers, response(seen, "x").as_bytes());
            }
            12 => raw(
                stream,
                "200 OK",
                JSON,
                response(seen, &"x".repeat(17 << 20)).as_bytes(),
            ),
            _ => {
                begin(stream);
                let long = format!("data: {}\n\n", response(seen, &"x".repeat(17 << 20)));
                chunk(stream, long.as_bytes());
                end(stream);
            }
        }
    });
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    for id in 0..14 {
        let reply = relay.call(&session, id, "crm.lookup", &lookup());
        assert!(is_broken(&reply), "{id}: {reply:?}");
        assert_eq!(reply.json()["id"], id);
    }
    world.await_phases(&["unknown"; 14]);
    // The id is free again, and the session goes on.
    let ping = request(json!(0), "ping", &json!({}));
    let reply = relay.post(&[("mcp-session-id", &session)], &ping);
    assert_eq!(reply.json()["result"], json!({}));
}

#[test]
fn an_upstream_that_does_not_answer_in_time_is_given_up() {
    let world = World::new();
    let at = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::of_sessions(move |_, stream| {
        if at.fetch_add(1, Ordering::SeqCst) > 0 {
            begin(stream);
            chunk(stream, b"data: {");
        }
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let relay = world.relay_with(&upstream.url(), |options| {
        options.timeouts.first_byte = Duration::from_millis(400);
        options.timeouts.silence = Duration::from_millis(400);
    });
    let session = relay.initialize(&json!({}));
    for id in 0..2 {
        assert!(is_broken(&relay.call(
            &session,
            id,
            "crm.lookup",
            &lookup()
        )));
    }
    world.await_phases(&["unknown", "unknown"]);
}

#[test]
fn a_result_is_recorded_although_its_client_has_gone() {
    let world = World::new();
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::of_sessions(move |seen, stream| {
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        say(seen, stream, "late");
    });
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let params = json!({"name": "crm.lookup", "arguments": lookup()});
    let body = request(json!(1), "tools/call", &params);
    let stream = relay.begin(&[("mcp-session-id", &session)], &body);
    await_calls(&upstream, 1);
    drop(stream);
    go.send(()).unwrap();
    world.await_phases(&["finished"]);
}

#[test]
fn a_stateless_client_that_goes_cancels_its_call() {
    let world = World::new();
    let (ended, at_end) = mpsc::channel::<usize>();
    let upstream = Upstream::stateless(move |_, stream| {
        begin(stream);
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest).unwrap_or(0);
        let _ = ended.send(read);
    });
    let relay = world.relay(&upstream);
    let body = lookup_call(1);
    let headers = stateless("tools/call", Some("crm.lookup"));
    let stream = relay.begin(&headers, &body);
    await_calls(&upstream, 1);
    drop(stream);
    at_end
        .recv_timeout(PATIENCE)
        .expect("the upstream's connection ends");
    world.await_phases(&["unknown"]);
}

#[test]
fn no_approval_is_left_alone_by_clients_that_run_away() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "done"));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let of_session = [("mcp-session-id", session.as_str())];
    let stateless = stateless("tools/call", Some("crm.lookup"));
    for id in 0..40 {
        let params = json!({"name": "crm.lookup", "arguments": lookup()});
        let old = request(json!(id), "tools/call", &params);
        let bytes = match id % 2 {
            0 => relay.request("POST", &of_session, Some(old.as_bytes())),
            _ => relay.request("POST", &stateless, Some(lookup_call(id).as_bytes())),
        };
        let mut stream = relay.connect();
        stream.write_all(&bytes).unwrap();
        // Some go at once, some while the call is judged, some while it is made.
        std::thread::sleep(Duration::from_micros(u64::try_from(id).unwrap() * 500));
    }
    let begun = std::time::Instant::now();
    // On a busy machine a call may be refused as contended: results of its session keep coming in.
    let approved = || {
        let outcomes = world.outcomes();
        outcomes.iter().filter(|it| *it == "approved").count()
    };
    let mut quiet = 0;
    // Until nothing has come for a second: who has gone may still be judged.
    while quiet < 20 {
        // In this order: a call is approved before it ends.
        let (ended, approved) = (world.phases().len(), approved());
        quiet = match approved == ended && approved > 0 {
            true => quiet + 1,
            false => 0,
        };
        assert!(
            begun.elapsed() < PATIENCE,
            "{approved} approved, {ended} ended"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_older_client_cancels_a_call_at_a_newer_upstream() {
    let world = World::new();
    let (ended, at_end) = mpsc::channel::<usize>();
    let upstream = Upstream::stateless(move |_, stream| {
        begin(stream);
        let mut rest = Vec::new();
        let _ = ended.send(stream.read_to_end(&mut rest).unwrap_or(0));
    });
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let headers = [("mcp-session-id", session.as_str())];
    let params = json!({"name": "crm.lookup", "arguments": lookup()});
    let body = request(json!("a"), "tools/call", &params);
    let stream = relay.begin(&headers, &body);
    await_calls(&upstream, 1);
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": "a"}});
    assert_eq!(relay.post(&headers, &cancel.to_string()).status, 202);
    at_end
        .recv_timeout(PATIENCE)
        .expect("the upstream's connection ends");
    // What is cancelled is not answered.
    let reply = read_reply(&mut BufReader::new(stream)).expect("an end");
    assert!(reply.messages().is_empty(), "{reply:?}");
    world.await_phases(&["unknown"]);
}

#[test]
fn a_slow_call_hinders_no_other_of_its_session() {
    let world = World::new();
    let at = Arc::new(AtomicUsize::new(0));
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::of_sessions(move |seen, stream| {
        if at.fetch_add(1, Ordering::SeqCst) == 0 {
            wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        say(seen, stream, "done");
    });
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| relay.call(&session, 1, "crm.lookup", &lookup()));
        await_calls(&upstream, 1);
        // The same id is not taken twice at a time.
        let same = relay.call(&session, 1, "crm.lookup", &lookup());
        assert!(same.status == 400 || is_broken(&same), "{same:?}");
        let second = relay.call(&session, 2, "crm.lookup", &lookup());
        assert_eq!(second.json()["result"]["isError"], false, "{second:?}");
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap().json()["id"], 1);
    });
    world.await_phases(&["finished", "finished"]);
}

#[test]
fn a_stop_of_the_relay_is_an_unknown_execution() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|_, stream| {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let body = request(
        json!(1),
        "tools/call",
        &json!({"name": "crm.lookup", "arguments": lookup()}),
    );
    let stream = relay.begin(&[("mcp-session-id", &session)], &body);
    await_calls(&upstream, 1);
    drop(relay);
    let reply = read_reply(&mut BufReader::new(stream)).expect("an answer");
    assert!(is_broken(&reply), "{reply:?}");
    assert_eq!(world.phases(), ["unknown"]);
}

#[test]
fn a_broken_stream_is_resumed_where_it_can_be() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| {
        if seen.method == "POST" {
            begin(stream);
            chunk(stream, b"id: s-1\ndata: \n\n");
            return end(stream);
        }
        begin(stream);
        assert_eq!(seen.header("last-event-id"), Some("s-1"));
        let response = json!({"jsonrpc": "2.0", "id": 1, "result": content("resumed")});
        chunk(stream, format!("id: s-2\ndata: {response}\n\n").as_bytes());
        let told = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
        chunk(stream, format!("data: {told}\n\n").as_bytes());
        // An answer to nothing, and a request that is not relayed.
        let unasked = json!({"jsonrpc": "2.0", "id": 77, "result": content("unasked")});
        chunk(stream, format!("data: {unasked}\n\n").as_bytes());
        let calls_back = r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"x"}}"#;
        chunk(stream, format!("data: {calls_back}\n\n").as_bytes());
        end(stream);
    });
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    let reply = relay.call(&session, 1, "crm.lookup", &lookup());
    assert_eq!(
        (reply.status, reply.messages().len()),
        (200, 0),
        "{reply:?}"
    );
    assert!(reply.text().contains("id: s-1\n"), "{reply:?}");
    assert!(world.phases().is_empty());
    let headers = [
        ("mcp-session-id", session.as_str()),
        ("last-event-id", "s-1"),
    ];
    let stream = relay.send(&relay.request("GET", &headers, None));
    let messages = stream.messages();
    assert_eq!(messages.len(), 2, "{stream:?}");
    assert_eq!(messages[0]["result"]["content"][0]["text"], "resumed");
    world.await_phases(&["finished"]);
    let get = upstream
        .seen()
        .into_iter()
        .find(|seen| seen.method == "GET")
        .unwrap();
    assert_eq!(get.header("mcp-session-id"), Some("upstream-1"));
    // The server that called back was told that it cannot.
    await_seen(&upstream, |seen| seen.body.contains("-32601"));
}

#[test]
fn a_stream_that_is_not_resumed_is_an_unknown_execution_when_the_relay_stops() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|_, stream| {
        begin(stream);
        chunk(stream, b"id: s-1\ndata: \n\n");
        end(stream);
    });
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    relay.call(&session, 1, "crm.lookup", &lookup());
    assert!(world.phases().is_empty());
    drop(relay);
    assert_eq!(world.phases(), ["unknown"]);
}

#[test]
fn an_ended_session_of_the_upstream_ends_ours() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|_, stream| raw(stream, "404 Not Found", &[], b""));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({}));
    assert_eq!(relay.call(&session, 1, "crm.lookup", &lookup()).status, 404);
    let again = relay.call(&session, 2, "crm.lookup", &lookup());
    assert_eq!((again.status, upstream.asked("tools/call").len()), (404, 1));
    world.await_phases(&["unknown"]);
}

#[test]
fn a_stateless_client_does_not_notice_that_a_session_behind_it_ended() {
    let world = World::new();
    let at = Arc::new(AtomicUsize::new(0));
    let upstream =
        Upstream::of_sessions(
            move |seen, stream| match at.fetch_add(1, Ordering::SeqCst) {
                0 => raw(stream, "404 Not Found", &[], b""),
                _ => answer(seen, stream, &[], &json!({"content": []})),
            },
        );
    let relay = world.relay(&upstream);
    let headers = stateless("tools/call", Some("crm.lookup"));
    let reply = relay.post(&headers, &lookup_call(1));
    assert_eq!(
        reply.json()["result"]["resultType"],
        "complete",
        "{reply:?}"
    );
    assert_eq!(upstream.asked("initialize").len(), 2);
    world.await_phases(&["finished"]);
}

#[test]
fn what_authorizes_a_client_stays_here_unless_it_is_to_go_on() {
    let world = World::new();
    let upstream = Upstream::stateless(|seen, stream| say(seen, stream, "x"));
    let mut headers = stateless("tools/call", Some("crm.lookup"));
    headers.push(("authorization", "Bearer of-the-client"));
    headers.push(("cookie", "a=b"));
    let said = |edit: fn(&mut countersign_mcp::http::HttpOptions)| {
        let relay = world.relay_with(&upstream.url(), edit);
        assert_eq!(relay.post(&headers, &lookup_call(1)).status, 200);
        let call = upstream.asked("tools/call").pop().unwrap();
        assert_eq!(call.header("cookie"), None);
        call.header("authorization").map(str::to_owned)
    };
    assert_eq!(said(|_| {}), None);
    assert_eq!(
        said(|options| options.forward_authorization = true).as_deref(),
        Some("Bearer of-the-client")
    );
    let own = said(|options| {
        let text = "Authorization: Bearer of-the-relay\n";
        options.upstream_headers = countersign_mcp::http::UpstreamHeaders::read(text).unwrap();
    });
    assert_eq!(own.as_deref(), Some("Bearer of-the-relay"));
}

#[test]
fn an_upstream_that_wants_to_know_who_asks_is_heard_by_the_client() {
    let world = World::new();
    let upstream = Upstream::start(|_, stream| {
        let challenge = [("www-authenticate", "Bearer resource_metadata=\"x\"")];
        raw(stream, "401 Unauthorized", &challenge, b"");
    });
    let relay = world.relay_with(&upstream.url(), |options| {
        options.forward_authorization = true
    });
    let headers = stateless("tools/call", Some("crm.lookup"));
    let old = request(
        json!(1),
        "initialize",
        &json!({"protocolVersion": "2025-11-25", "capabilities": {}}),
    );
    for reply in [relay.post(&headers, &lookup_call(1)), relay.post(&[], &old)] {
        assert_eq!(reply.status, 401);
        assert_eq!(
            reply.header("www-authenticate"),
            Some("Bearer resource_metadata=\"x\"")
        );
    }
    // Where the authorization is the relay's own, the challenge is not the client's business.
    let relay = world.relay(&upstream);
    assert_eq!(error_code(&relay.post(&headers, &lookup_call(1))), -32011);
    assert!(world.outcomes().is_empty());
}

#[test]
fn a_list_that_stays_open_is_open_at_once() {
    let world = World::new();
    let upstream = Upstream::stateless(|seen, stream| {
        begin(stream);
        let told =
            r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}"#;
        chunk(stream, format!("data: {told}\n\n").as_bytes());
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let _ = seen;
    });
    let relay = world.relay(&upstream);
    let body = request(
        json!(1),
        "subscriptions/listen",
        &with_meta(json!({}), &json!({})),
    );
    let headers = stateless("subscriptions/listen", None);
    let stream = relay.begin(&headers, &body);
    let mut reader = BufReader::new(stream);
    assert_eq!(read_head(&mut reader).unwrap().0, 200);
    let first = String::from_utf8(read_chunk(&mut reader).unwrap()).unwrap();
    assert!(first.contains("acknowledged"), "{first}");
}

const TICKET: &str = "4821";

fn ticket() -> Value {
    json!({"ticket": TICKET, "status": "solved"})
}

#[test]
fn a_stateless_client_is_asked_and_tries_again() {
    let world = World::new();
    let upstream = Upstream::stateless(|seen, stream| say(seen, stream, "closed"));
    let relay = world.relay(&upstream);
    let headers = stateless("tools/call", Some("ticket.update"));
    let params = |answer: Option<(&str, &Value)>| {
        let mut params = json!({"name": "ticket.update", "arguments": ticket()});
        if let Some((action, state)) = answer {
            let content = json!({"answer": "approve"});
            params["inputResponses"] = json!({"approve": {"action": action, "content": content}});
            params["requestState"] = state.clone();
        }
        with_meta(params, &json!({"elicitation": {}}))
    };
    let asked = relay
        .post(&headers, &request(json!(1), "tools/call", &params(None)))
        .json();
    let result = &asked["result"];
    assert_eq!(result["resultType"], "input_required", "{asked}");
    let question = result["inputRequests"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap();
    assert_eq!(question["method"], "elicitation/create");
    assert!(upstream.asked("tools/call").is_empty());
    let state = &result["requestState"];
    let again = params(Some(("accept", state)));
    let done = relay
        .post(&headers, &request(json!(2), "tools/call", &again))
        .json();
    assert_eq!(done["result"]["content"][0]["text"], "closed", "{done}");
    assert_eq!(done["id"], 2);
    world.await_phases(&["started", "finished"]);
    assert_eq!(world.outcomes(), ["escalated", "approved"]);
    // An answer is good once.
    let third = relay.post(&headers, &request(json!(3), "tools/call", &again));
    assert!(is_broken(&third), "{third:?}");
    assert_eq!(upstream.asked("tools/call").len(), 1);
}

#[test]
fn a_client_with_a_session_is_asked_on_the_stream_of_its_call() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "closed"));
    let relay = world.relay(&upstream);
    let session = relay.initialize(&json!({"elicitation": {}}));
    let (message, reply) = asked(&relay, &session, "accept");
    assert_eq!(message["method"], "elicitation/create", "{message}");
    assert_eq!(reply["result"]["content"][0]["text"], "closed", "{reply}");
    world.await_phases(&["started", "finished"]);
    let (_, reply) = asked(&relay, &session, "decline");
    assert_eq!(reply["result"]["isError"], true, "{reply}");
    assert_eq!(upstream.asked("tools/call").len(), 1);
}

#[test]
fn an_answer_in_another_session_approves_nothing() {
    let world = World::new();
    let upstream = Upstream::of_sessions(|seen, stream| say(seen, stream, "closed"));
    let relay = world.relay(&upstream);
    let one = relay.initialize(&json!({"elicitation": {}}));
    let two = relay.initialize(&json!({"elicitation": {}}));
    let params = json!({"name": "ticket.update", "arguments": ticket()});
    let body = request(json!(1), "tools/call", &params);
    let own = [("mcp-session-id", one.as_str())];
    let stream = relay.begin(&own, &body);
    let mut reader = BufReader::new(stream);
    assert_eq!(read_head(&mut reader).unwrap().0, 200);
    let question = next_message(&mut reader);
    let answer = |action: &str| {
        json!({"jsonrpc": "2.0", "id": question["id"],
            "result": {"action": action, "content": {"answer": "approve"}}})
        .to_string()
    };
    let other = [("mcp-session-id", two.as_str())];
    assert_eq!(relay.post(&other, &answer("accept")).status, 202);
    assert_eq!(relay.post(&own, &answer("decline")).status, 202);
    let reply = next_message(&mut reader);
    assert_eq!(reply["result"]["isError"], true, "{reply}");
    assert_eq!(world.outcomes(), ["escalated", "rejected"]);
    assert!(upstream.asked("tools/call").is_empty());
}

/// Makes a call that is asked about, and answers on a connection of its own: the question, and the
/// call's answer.
fn asked(relay: &Relayed, session: &str, action: &str) -> (Value, Value) {
    let params = json!({"name": "ticket.update", "arguments": ticket()});
    let body = request(json!(action), "tools/call", &params);
    let headers = [("mcp-session-id", session)];
    let stream = relay.begin(&headers, &body);
    let mut reader = BufReader::new(stream);
    assert_eq!(read_head(&mut reader).unwrap().0, 200);
    let question = next_message(&mut reader);
    let content = json!({"answer": "approve"});
    let answer = json!({"jsonrpc": "2.0", "id": question["id"],
        "result": {"action": action, "content": content}});
    assert_eq!(relay.post(&headers, &answer.to_string()).status, 202);
    let reply = next_message(&mut reader);
    (question, reply)
}

fn next_message(reader: &mut BufReader<TcpStream>) -> Value {
    loop {
        let chunk = String::from_utf8(read_chunk(reader).expect("an event")).unwrap();
        let data = chunk.lines().find_map(|line| line.strip_prefix("data: "));
        if let Some(data) = data {
            return serde_json::from_str(data).unwrap();
        }
    }
}

fn await_calls(upstream: &Upstream, count: usize) {
    let begun = std::time::Instant::now();
    while upstream.asked("tools/call").len() < count {
        assert!(begun.elapsed() < PATIENCE, "no call arrived");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn await_seen(upstream: &Upstream, is_it: impl Fn(&Seen) -> bool) {
    let begun = std::time::Instant::now();
    while !upstream.seen().iter().any(&is_it) {
        assert!(begun.elapsed() < PATIENCE, "it was not sent");
        std::thread::sleep(Duration::from_millis(10));
    }
}
