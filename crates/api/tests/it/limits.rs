//! Rates, queues, caps, and stopping.

use std::io::{BufReader, Write as _};
use std::num::NonZeroU32;
use std::thread;
use std::time::{Duration, Instant};

use countersign_api::{RateLimit, ServerConfig};
use serde_json::json;

use crate::world::{AGENT, World, call, connect, exchange, is_closed, read_reply};

fn rate(per_second: u32, burst: u32) -> Option<RateLimit> {
    let limit = |value| NonZeroU32::new(value).unwrap();
    Some(RateLimit {
        per_second: limit(per_second),
        burst: limit(burst),
    })
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back_and_the_ledger_counts_it() {
    let world = World::with(ServerConfig {
        rate: rate(1, 3),
        ..ServerConfig::default()
    });
    let intent_ref = world.intent_ref();
    let body = call(&intent_ref, "billing@customer.example");
    let replies: Vec<_> = (0..5)
        .map(|_| world.post("agent", "/v1/decisions", &body))
        .collect();
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert!(!refused.is_empty(), "{replies:?}");
    for reply in &refused {
        let problem = reply.problem(429, "rate-limited");
        assert_eq!(
            problem.get("entry_id"),
            None,
            "each refusal is an entry of its own"
        );
        assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    }
    // Whoever asks too much can still be stopped, and can stop: those count apart.
    let other = world.post("ingress", "/v1/turns", &crate::world::turn_body());
    assert_eq!(other.status, 201, "one credential's rate is not another's");
    assert_eq!(world.service().flush_throttled().unwrap(), 1);
    let page = world
        .get("auditor", "/v1/entries?kind=throttled")
        .expect(200);
    assert_eq!(page["entries"][0]["entry"]["requests"], refused.len());
    let text = world.ask("GET", "/metrics", None, &[], None).text();
    assert!(
        text.contains(&format!(
            "countersign_throttled_requests_total {}",
            refused.len()
        )),
        "{text}"
    );
}

#[test]
fn stops_pass_when_the_ordinary_rate_is_used_up() {
    let world = World::with(ServerConfig {
        rate: rate(1, 1),
        ..ServerConfig::default()
    });
    let throttled = (0..10).any(|_| world.get("admin", "/v1/flags").status == 429);
    assert!(throttled);
    world
        .post(
            "admin",
            "/v1/stop",
            &json!({"scope": "actor", "actor": AGENT}),
        )
        .expect(200);
}

#[test]
fn failed_authentications_are_slowed_and_do_not_lock_others_out() {
    let world = World::new();
    let guess = || {
        world.ask(
            "GET",
            "/v1/flags",
            None,
            &[("authorization", "Bearer guess")],
            None,
        )
    };
    let refused = (0..200)
        .map(|_| guess())
        .find(|reply| reply.status == 429)
        .expect("a limit");
    refused.problem(429, "rate-limited");
    assert!(refused.header("retry-after").is_some());
    world.get("auditor", "/v1/flags").expect(200);
}

#[test]
fn a_full_queue_is_answered_503_and_urgent_requests_pass_it() {
    let world = World::with(ServerConfig {
        at_once: 1,
        waiting: 0,
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
    let stop = json!({"scope": "actor", "actor": "agent:other"}).to_string();
    let stop = world.request(
        "POST",
        "/v1/stop",
        Some("admin"),
        &[],
        Some(stop.as_bytes()),
    );
    world.clock().close();
    thread::scope(|scope| {
        let first = scope.spawn(|| exchange(&mut world.connect(), &request));
        world.clock().await_waiting(1);
        let busy = exchange(&mut world.connect(), &request);
        busy.problem(503, "busy");
        assert_eq!(busy.header("retry-after"), Some("1"));
        // It has a thread of its own, and waits for the time as the first one does.
        let urgent = scope.spawn(|| exchange(&mut world.connect(), &stop));
        world.clock().await_waiting(2);
        world.clock().open();
        assert_eq!(first.join().unwrap().expect(200)["outcome"], "approved");
        urgent.join().unwrap().expect(200);
    });
}

#[test]
fn connections_over_the_cap_are_told_so_and_come_in_when_there_is_room() {
    let world = World::with(ServerConfig {
        connections: 2,
        ..ServerConfig::default()
    });
    let request = world.request("GET", "/v1/head", None, &[], None);
    let mut first = world.connect();
    exchange(&mut first, &request).expect(200);
    let mut second = world.connect();
    exchange(&mut second, &request).expect(200);
    let mut third = world.connect();
    let away = exchange(&mut third, &request);
    away.problem(503, "too-many-connections");
    drop(first);
    let begun = Instant::now();
    loop {
        let reply = exchange(&mut world.connect(), &request);
        if reply.status == 200 {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the place does not become free"
        );
    }
}

#[test]
fn a_connection_is_closed_at_its_age_between_two_requests() {
    let world = World::with(ServerConfig {
        connection_age: Duration::from_millis(200),
        ..ServerConfig::default()
    });
    let mut stream = world.connect();
    exchange(
        &mut stream,
        &world.request("GET", "/v1/head", None, &[], None),
    )
    .expect(200);
    assert!(is_closed(&mut stream));
}

#[test]
fn a_server_that_stops_finishes_what_it_is_at_and_takes_nothing_new() {
    let mut world = World::new();
    let body = call(&world.intent_ref(), "billing@customer.example").to_string();
    let request = world.request(
        "POST",
        "/v1/decisions",
        Some("agent"),
        &[],
        Some(body.as_bytes()),
    );
    let address = world.address();
    let mut idle = world.connect();
    exchange(
        &mut idle,
        &world.request("GET", "/v1/head", None, &[], None),
    )
    .expect(200);
    world.clock().close();
    let asking = thread::spawn(move || exchange(&mut connect(address), &request));
    world.clock().await_waiting(1);
    world.begin_stop();
    assert!(is_closed(&mut idle), "an idle connection is kept");
    assert!(!world.is_stopped(), "stopped with a request in work");
    world.clock().open();
    assert_eq!(asking.join().unwrap().expect(200)["outcome"], "approved");
    world.await_stop();
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "still listening"
    );
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let mut world = World::with(ServerConfig {
        drain: Duration::from_millis(300),
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
    let mut stalled = world.connect();
    stalled.write_all(&request[..request.len() - 1]).unwrap();
    // On its way to the route, or not yet: in both cases it must not hold the server.
    world.await_stop();
    let answered = read_reply(&mut BufReader::new(&mut stalled));
    assert!(answered.is_none_or(|reply| reply.status != 200));
}

#[test]
fn work_that_takes_too_long_is_answered_as_unknown_and_still_ends() {
    let world = World::with(ServerConfig {
        work_timeout: Duration::from_millis(300),
        ..ServerConfig::default()
    });
    let body = call(&world.intent_ref(), "billing@customer.example").to_string();
    let headers = [("idempotency-key", "k")];
    let ask = || {
        world.ask(
            "POST",
            "/v1/decisions",
            Some("agent"),
            &headers,
            Some(body.as_bytes()),
        )
    };
    world.clock().close();
    ask().problem(504, "timed-out");
    world.clock().open();
    assert_eq!(ask().expect(200)["outcome"], "approved");
    let page = world
        .get("auditor", "/v1/entries?kind=decision")
        .expect(200);
    assert_eq!(
        page["entries"].as_array().unwrap().len(),
        1,
        "it was decided twice: {page}"
    );
}

#[test]
fn a_large_call_is_decided_as_a_small_one_and_small_ones_need_not_wait_for_it() {
    let world = World::new();
    let intent = world.intent_ref();
    let decide = |body: &str| {
        let mut call = call(&intent, "billing@customer.example");
        call["args"]["body"] = body.into();
        let call = call.to_string();
        let reply = world.ask(
            "POST",
            "/v1/decisions",
            Some("agent"),
            &[],
            Some(call.as_bytes()),
        );
        reply.expect(200)["outcome"].clone()
    };
    for bytes in [10, 60 * 1024, 70 * 1024, 500 * 1024] {
        assert_eq!(decide(&"x".repeat(bytes)), "approved", "{bytes}");
    }
    // As many that take long as judge at a time do not keep a request from its answer.
    world.clock().close();
    std::thread::scope(|scope| {
        let stuck: Vec<_> = (0..8).map(|_| scope.spawn(|| decide("slow"))).collect();
        world.clock().await_waiting(2);
        world
            .ask("GET", "/openapi.json", None, &[], None)
            .expect(200);
        world.clock().open();
        for stuck in stuck {
            assert_eq!(stuck.join().unwrap(), "approved");
        }
    });
}
