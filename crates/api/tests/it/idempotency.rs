//! One key, one decision.

use std::thread;

use crate::world::{Reply, World, call};

fn decide(world: &World, key: &str, body: &str) -> Reply {
    let headers = [("idempotency-key", key)];
    world.ask(
        "POST",
        "/v1/decisions",
        Some("agent"),
        &headers,
        Some(body.as_bytes()),
    )
}

#[test]
fn the_same_request_gets_the_same_entry_and_permit_and_another_a_conflict() {
    let world = World::new();
    let body = call(&world.intent_ref(), "billing@customer.example").to_string();
    let first = decide(&world, "k-1", &body).expect(200);
    let size = world.size();
    let again = decide(&world, "k-1", &body).expect(200);
    assert_eq!(again["entry_id"], first["entry_id"]);
    assert_eq!(again["permit"], first["permit"]);
    // The same members in another spelling are another body: what is hashed is what was sent.
    let other = format!("{body} ");
    let problem = decide(&world, "k-1", &other).problem(409, "idempotency-conflict");
    assert_eq!(problem["entry_id"], first["entry_id"]);
    assert_eq!(world.size(), size, "a replay is no entry");
    let fresh = decide(&world, "k-2", &body).expect(200);
    assert_ne!(fresh["entry_id"], first["entry_id"]);
}

#[test]
fn sixteen_at_once_with_one_key_are_one_entry() {
    let world = World::new();
    let body = call(&world.intent_ref(), "billing@customer.example").to_string();
    let size = world.size();
    let answers: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| decide(&world, "k", &body).expect(200)))
            .collect();
        asking
            .into_iter()
            .map(|asking| asking.join().unwrap())
            .collect()
    });
    for answer in &answers {
        assert_eq!(answer["entry_id"], answers[0]["entry_id"]);
        assert_eq!(answer["permit"], answers[0]["permit"]);
    }
    assert_eq!(world.size(), size + 1);
}

#[test]
fn keys_of_no_use_are_refused_and_recorded() {
    let world = World::new();
    let body = call(&world.intent_ref(), "billing@customer.example").to_string();
    for bad in ["", "with space", &"k".repeat(256), "schl\u{fc}ssel"] {
        let problem = decide(&world, bad, &body).problem(400, "malformed-request");
        let entry = world.entry(problem["entry_id"].as_str().unwrap());
        assert_eq!(entry["outcome"], "rejected", "{bad}");
    }
    let headers = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let twice = world.ask(
        "POST",
        "/v1/decisions",
        Some("agent"),
        &headers,
        Some(body.as_bytes()),
    );
    assert!(twice.problem(400, "malformed-request")["entry_id"].is_string());
}
