//! What is said of and around requests, and those who do not keep to HTTP.

use std::io::{BufReader, Read as _, Write as _};
use std::time::{Duration, Instant};

use countersign_api::ServerConfig;
use serde_json::json;

use crate::world::{World, call, is_closed, read_reply};

#[test]
fn what_is_not_there_is_a_problem_document() {
    let world = World::new();
    world
        .ask("GET", "/", None, &[], None)
        .problem(404, "no-such-route");
    world
        .ask("GET", "/v1/turns/", Some("ingress"), &[], None)
        .problem(404, "no-such-route");
    world
        .ask("GET", "/v1//turns", None, &[], None)
        .problem(404, "no-such-route");
    let reply = world.ask("DELETE", "/v1/turns", Some("ingress"), &[], None);
    reply.problem(405, "method-not-allowed");
    assert_eq!(reply.header("allow"), Some("POST"));
    world
        .ask("BREW", "/v1/flags", None, &[], None)
        .problem(405, "method-not-allowed");
}

#[test]
fn unknown_or_doubled_query_parameters_are_errors() {
    let world = World::new();
    for path in [
        "/v1/entries?actr=agent:support",
        "/v1/entries?limit=1&limit=2",
        "/v1/entries?limit=0",
        "/v1/entries?limit=501",
        "/v1/entries?limit=-1",
        "/v1/entries?order=random",
        "/v1/entries?cursor=x",
        "/v1/entries?since=yesterday",
        "/v1/entries?outcome=maybe",
        "/v1/entries?intent=sha256:x",
        "/v1/flags?all=true",
        "/v1/entries/01HYB7K3M4FXQZ9V2N6PTJD8RC?proof=no",
        "/v1/entries/not-an-id",
        "/v1/entries/%ff",
        "/v1/decisions/01HYB7K3M4FXQZ9V2N6PTJD8RC?wait_s=61",
        "/v1/decisions/01HYB7K3M4FXQZ9V2N6PTJD8RC?wait_s=soon",
    ] {
        world.get("auditor", path).problem(400, "malformed-request");
    }
    for path in [
        "/healthz?x=1",
        "/v1/head?x",
        "/metrics?a=b",
        "/log/acme/1/checkpoint?v=2",
    ] {
        world
            .ask("GET", path, None, &[], None)
            .problem(400, "malformed-request");
    }
    // What is personal is looked up only by those who may open records.
    world
        .get("auditor", "/v1/entries?session=sess-1")
        .problem(403, "wrong-role");
}

#[test]
fn every_answer_has_an_id_of_ours_and_echoes_a_valid_trace() {
    let world = World::new();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("traceparent", trace), ("x-request-id", "mine")];
    let reply = world.ask("GET", "/v1/head", None, &headers, None);
    assert_eq!(reply.header("traceparent"), Some(trace));
    assert_eq!(
        reply.header("x-trace-id"),
        Some("4bf92f3577b34da6a3ce929d0e0e4736")
    );
    assert_eq!(reply.header("x-request-id").map(str::len), Some(26));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let other = world.ask("GET", "/v1/head", None, &[("traceparent", "00-evil")], None);
    assert_eq!(other.header("traceparent"), None);
    assert_ne!(other.header("x-request-id"), reply.header("x-request-id"));
}

#[test]
fn metrics_count_and_say_nothing_of_anybody() {
    let world = World::new();
    let intent_ref = world.intent_ref();
    for to in ["billing@customer.example", "jane@former.example"] {
        world
            .post("agent", "/v1/decisions", &call(&intent_ref, to))
            .expect(200);
    }
    world
        .ask("POST", "/v1/decisions", Some("agent"), &[], Some(b"{"))
        .problem(400, "malformed-json");
    world
        .ask("GET", "/v1/nowhere/secret@person.example", None, &[], None)
        .problem(404, "no-such-route");
    world
        .ask("PERSON", "/v1/flags", None, &[], None)
        .problem(405, "method-not-allowed");
    let text = world.ask("GET", "/metrics", None, &[], None).text();
    for line in [
        "countersign_decisions_total{outcome=\"approved\"} 1",
        "countersign_decisions_total{outcome=\"rejected\"} 2",
        "countersign_http_requests_total{route=\"/v1/decisions\",method=\"POST\",status=\"200\"} 2",
        "countersign_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"} 1",
        "countersign_http_requests_total{route=\"/v1/flags\",method=\"other\",status=\"405\"} 1",
        "countersign_ledger_halted 0",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    for word in ["example", "agent:", "cs_", "sha256", "PERSON", "secret"] {
        assert!(!text.contains(word), "{word}\n{text}");
    }
}

#[test]
fn a_head_that_does_not_end_is_cut_in_time() {
    let world = World::with(ServerConfig {
        header_timeout: Duration::from_millis(300),
        ..ServerConfig::default()
    });
    let begun = Instant::now();
    let mut slow = world.connect();
    slow.write_all(b"GET /v1/head HTTP/1.1\r\nhost: x\r\nx-slow: ")
        .unwrap();
    let mut drip = slow.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        while drip.write_all(b"a").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let mut idle = world.connect();
    assert!(is_closed(&mut idle), "an idle connection stays");
    let mut rest = Vec::new();
    // Closed or reset: in any case at an end.
    let _ = slow.read_to_end(&mut rest);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    dripping.join().unwrap();
}

#[test]
fn a_body_that_does_not_end_is_answered_in_time_and_one_that_breaks_off_is_no_call() {
    let world = World::with(ServerConfig {
        body_timeout: Duration::from_millis(300),
        ..ServerConfig::default()
    });
    let body = call(&world.intent_ref(), "billing@customer.example").to_string();
    let request = world.request(
        "POST",
        "/v1/decisions",
        Some("agent"),
        &[],
        Some(body.as_bytes()),
    );
    let half = &request[..request.len() - 10];
    let size = world.size();
    let mut cut = world.connect();
    cut.write_all(half).unwrap();
    drop(cut);
    let mut slow = world.connect();
    slow.write_all(half).unwrap();
    let reply = read_reply(&mut BufReader::new(&mut slow)).unwrap();
    let problem = reply.problem(408, "body-timeout");
    let entry = world.entry(problem["entry_id"].as_str().unwrap());
    assert_eq!(entry["outcome"], "rejected");
    assert_eq!(
        world.size(),
        size + 1,
        "the one that broke off is recorded, too"
    );
    assert!(is_closed(&mut slow));
}

#[test]
fn what_is_no_http_ends_the_connection_and_what_came_before_it_is_answered() {
    let world = World::new();
    let good = world.request("GET", "/v1/head", None, &[], None);
    let mut stream = world.connect();
    stream
        .write_all(&[&good, b"\x00\x01 garbage\r\n\r\n".as_slice()].concat())
        .unwrap();
    let mut reader = BufReader::new(&mut stream);
    assert_eq!(read_reply(&mut reader).unwrap().status, 200);
    assert_eq!(read_reply(&mut reader).map(|reply| reply.status), Some(400));
    assert!(read_reply(&mut reader).is_none(), "the connection goes on");
    for bad in [
        b"GET /v1/head HTTP/1.1\r\nhost: x\r\nx: a\rb\r\n\r\n".as_slice(),
        b"GET /v1/head HTTP/1.1\r\nhost: x\r\nbad name: a\r\n\r\n",
        b"GET /v1/head HTTP/1.1\r\nhost: x\r\n folded: a\r\n\r\n",
        b"GET /v1/head HTTP/1.1\r\nhost: x\r\nx: \x00\r\n\r\n",
        b"GET /v1/head\n\n",
        b"POST /v1/turns HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"POST /v1/turns HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/turns HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = world.connect();
        stream.write_all(bad).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let reply = read_reply(&mut BufReader::new(&mut stream));
        assert!(reply.is_none_or(|reply| reply.status >= 400), "{}", String::from_utf8_lossy(bad));
    }
    world.ask("GET", "/v1/head", None, &[], None).expect(200);
}

#[test]
fn a_header_cannot_be_smuggled_through_an_echoed_value() {
    let world = World::new();
    for path in [
        "/v1/entries?order=a%0d%0aset-cookie:%20x=1",
        "/v1/entries/a%0d%0aset-cookie:x=1",
    ] {
        let reply = world.get("auditor", path);
        reply.problem(400, "malformed-request");
        assert_eq!(reply.header("set-cookie"), None);
    }
}

#[test]
fn heads_that_are_too_long_are_refused() {
    let world = World::new();
    let long = "a".repeat(100_000);
    let reply = world.ask("GET", "/v1/head", None, &[("x-long", &long)], None);
    assert_eq!(reply.status, 431);
    let many = vec![("x-many", "1"); 150];
    assert_eq!(world.ask("GET", "/v1/head", None, &many, None).status, 431);
}

#[test]
fn a_body_where_none_belongs_is_refused() {
    let world = World::new();
    let path = format!("/v1/turns/{}/revoke", world.intent_ref());
    world
        .post("ingress", &path, &json!({"scope": "turn"}))
        .problem(400, "malformed-request");
    for path in ["acknowledge", "close"] {
        let path = format!("/v1/flags/01HYB7K3M4FXQZ9V2N6PTJD8RC/{path}");
        let why = json!({"reason": "it would be lost"});
        let reply = world.post("admin", &path, &why);
        reply.problem(400, "malformed-request");
        let reply = world.ask(
            "POST",
            &path,
            Some("admin"),
            &[("content-length", "0")],
            None,
        );
        reply.problem(404, "not-found");
    }
    world
        .ask(
            "POST",
            &path,
            Some("ingress"),
            &[("content-length", "0")],
            None,
        )
        .expect(200);
}
