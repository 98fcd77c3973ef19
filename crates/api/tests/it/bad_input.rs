//! What is wrong with a request for a decision gets a clear error or a recorded rejection, and
//! never an approval.

use std::io::{BufReader, Write as _};

use serde_json::{Value, json};

use crate::world::{AGENT, Reply, World, call, read_reply, turn_body};

fn decide(world: &World, body: &[u8]) -> Reply {
    world.ask("POST", "/v1/decisions", Some("agent"), &[], Some(body))
}

/// An error whose entry is a rejection that says nothing of what was sent.
fn recorded(world: &World, reply: &Reply, status: u16, code: &str) -> Value {
    let entry = rejected(world, reply, status, code);
    assert_eq!(entry["call_ref"], Value::Null);
    entry
}

/// An error whose entry is a rejection.
fn rejected(world: &World, reply: &Reply, status: u16, code: &str) -> Value {
    let problem = reply.problem(status, code);
    let entry = world.entry(
        problem["entry_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{problem}")),
    );
    assert_eq!(entry["kind"], "decision");
    assert_eq!(entry["outcome"], "rejected");
    entry
}

#[test]
fn bodies_that_are_no_strict_json_are_recorded_rejections() {
    let world = World::new();
    let good = call(&world.intent_ref(), "billing@customer.example");
    let args =
        |args: &str| format!(r#"{{"tool":"email.send","actor":"{AGENT}","args":{{"x":{args}}}}}"#);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let doubled = good
        .to_string()
        .replacen('{', r#"{"tool":"email.send","#, 1);
    let bodies: [(&str, Vec<u8>); 15] = [
        ("nothing", Vec::new()),
        ("half", good.to_string().into_bytes()[..20].to_vec()),
        ("two values", format!("{good}{good}").into_bytes()),
        ("duplicate key", doubled.into_bytes()),
        (
            "duplicate key in the arguments",
            args(r#"{"a":1,"a":2}"#).into_bytes(),
        ),
        (
            "duplicate key in another spelling",
            args(r#"{"a":1,"\u0061":2}"#).into_bytes(),
        ),
        ("2^53+1", args("9007199254740993").into_bytes()),
        ("NaN", args("NaN").into_bytes()),
        ("1e400", args("1e400").into_bytes()),
        (
            "a decimal that no double has",
            args("0.1000000000000000055").into_bytes(),
        ),
        ("lone surrogate", args(r#""\ud800""#).into_bytes()),
        ("depth 200", args(&deep).into_bytes()),
        ("no utf-8", b"{\"tool\":\"\xff\"}".to_vec()),
        ("byte order mark", format!("\u{feff}{good}").into_bytes()),
        ("a comment", format!("/**/{good}").into_bytes()),
    ];
    for (what, body) in bodies {
        let size = world.size();
        let entry = recorded(&world, &decide(&world, &body), 400, "malformed-json");
        assert_eq!(
            entry["reasons"],
            json!(["countersign.malformed-call"]),
            "{what}"
        );
        assert_eq!(world.size(), size + 1, "{what}");
    }
}

#[test]
fn json_of_another_shape_is_a_recorded_rejection() {
    let world = World::new();
    let good = call(&world.intent_ref(), "billing@customer.example");
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body
    };
    let without = |member: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        body
    };
    let bodies = [
        with("mode", json!("shadow")),
        with("outcome", json!("approved")),
        with("tool", json!("")),
        with("tool", json!(7)),
        with("args", json!([])),
        with("args", json!("{}")),
        with("actor", json!("agent:Support\u{0}")),
        with("intent_ref", json!("sha256:short")),
        with("intent_ref", json!("SHA256:".to_owned() + &"A".repeat(64))),
        with("links", json!({"resolves": "01HYB7K3M4FXQZ9V2N6PTJD8RC"})),
        with("session", json!("two words")),
        without("tool"),
        without("args"),
        without("actor"),
        json!([]),
        json!(null),
    ];
    for body in bodies {
        recorded(
            &world,
            &decide(&world, body.to_string().as_bytes()),
            400,
            "malformed-request",
        );
    }
    let long = with("reasoning", json!("x".repeat(70_000)));
    recorded(
        &world,
        &decide(&world, long.to_string().as_bytes()),
        413,
        "too-large",
    );
    let long = with("args", json!({"body": "x".repeat(4_200_000)}));
    recorded(
        &world,
        &decide(&world, long.to_string().as_bytes()),
        413,
        "too-large",
    );
}

#[test]
fn a_well_formed_call_that_may_not_be_made_is_a_rejection_with_its_reason() {
    let world = World::new();
    let intent_ref = world.intent_ref();
    let good = call(&intent_ref, "billing@customer.example");
    let mut elsewhere = turn_body();
    elsewhere["actors"] = json!(["agent:other"]);
    elsewhere["session"] = json!("sess-2");
    let foreign = world.post("ingress", "/v1/turns", &elsewhere).expect(201)["intent_ref"].clone();
    let mut short = turn_body();
    short["expires_in_s"] = json!(1);
    short["session"] = json!("sess-3");
    let expired = world.post("ingress", "/v1/turns", &short).expect(201)["intent_ref"].clone();
    world.clock().turn(1_500);
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body
    };
    let unknown = format!("sha256:{}", "0".repeat(64));
    let cases = [
        ("unknown tool", with("tool", json!("rm.rf")), None),
        (
            "schema mismatch",
            with("args", json!({"to": "billing@customer.example"})),
            Some("countersign.schema-mismatch"),
        ),
        (
            "member that the schema does not know",
            with(
                "args",
                json!({"to": ["billing@customer.example"], "subject": "", "body": "", "x": 1}),
            ),
            Some("countersign.schema-mismatch"),
        ),
        (
            "no intent",
            with("intent_ref", json!(null)),
            Some("countersign.no-permit"),
        ),
        (
            "an intent that nobody registered",
            with("intent_ref", json!(unknown)),
            Some("countersign.no-permit"),
        ),
        (
            "an intent for another actor",
            with("intent_ref", foreign),
            Some("countersign.no-permit"),
        ),
        (
            "an expired intent",
            with("intent_ref", expired),
            Some("countersign.no-permit"),
        ),
        (
            "another session's intent",
            with("session", json!("sess-2")),
            Some("countersign.no-permit"),
        ),
        (
            "an address from the correspondent's words",
            call(&intent_ref, "jane@former.example"),
            Some("countersign.no-permit"),
        ),
    ];
    for (what, body, reason) in cases {
        let answer = decide(&world, body.to_string().as_bytes()).expect(200);
        assert_eq!(answer["outcome"], "rejected", "{what}: {answer}");
        assert_eq!(answer["permit"], Value::Null, "{what}");
        if let Some(reason) = reason {
            assert_eq!(answer["reasons"][0]["id"], reason, "{what}: {answer}");
        }
        assert_eq!(
            world.entry(answer["entry_id"].as_str().unwrap())["outcome"],
            "rejected"
        );
    }
    let approved = decide(&world, good.to_string().as_bytes()).expect(200);
    assert_eq!(
        approved["outcome"], "approved",
        "the good call itself: {approved}"
    );
}

#[test]
fn an_actor_that_the_credential_does_not_cover_is_forbidden_and_recorded() {
    let world = World::new();
    let mut body = call(&world.intent_ref(), "billing@customer.example");
    body["actor"] = json!("agent:other");
    let entry = rejected(
        &world,
        &decide(&world, body.to_string().as_bytes()),
        403,
        "out-of-bounds",
    );
    assert_ne!(entry["call_ref"], Value::Null, "the call itself is sealed");
    assert_eq!(
        entry["actor"], AGENT,
        "the entry names who asked, not whom it claimed to be"
    );
}

#[test]
fn a_hundred_megabytes_are_answered_without_being_read_and_recorded() {
    let world = World::new();
    let head = format!(
        "POST /v1/decisions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        world.token("agent")
    );
    // Declared: the answer is there although not one byte of the body was sent.
    let mut stream = world.connect();
    stream
        .write_all(format!("{head}content-length: 104857600\r\n\r\n").as_bytes())
        .unwrap();
    let reply = read_reply(&mut BufReader::new(&mut stream)).unwrap();
    recorded(&world, &reply, 413, "too-large");
    assert_eq!(reply.header("connection"), Some("close"));
    drop(stream);
    // Not declared: sent in chunks until the server no longer takes any.
    let mut stream = world.connect();
    let mut reading = stream.try_clone().unwrap();
    stream
        .write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())
        .unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 0x10_0000], b"\r\n"].concat();
    let sender = std::thread::spawn(move || {
        (0..100)
            .take_while(|_| stream.write_all(&chunk).is_ok())
            .count()
    });
    let reply = read_reply(&mut BufReader::new(&mut reading)).unwrap();
    drop(reading);
    let sent = sender.join().unwrap();
    recorded(&world, &reply, 413, "too-large");
    assert!(sent < 100, "all of it was taken");
}

#[test]
fn a_body_of_another_media_type_is_a_recorded_rejection() {
    let world = World::new();
    let body = call(&world.intent_ref(), "billing@customer.example").to_string();
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
    ] {
        let headers = [("content-type", media_type)];
        let reply = world.ask(
            "POST",
            "/v1/decisions",
            Some("agent"),
            &headers,
            Some(body.as_bytes()),
        );
        recorded(&world, &reply, 415, "unsupported-media-type");
    }
    let unknown = world.ask(
        "POST",
        "/v1/decisions?shadow=1",
        Some("agent"),
        &[],
        Some(body.as_bytes()),
    );
    recorded(&world, &unknown, 400, "malformed-request");
}

#[test]
fn turns_with_anything_amiss_are_refused_and_leave_no_entry() {
    let world = World::new();
    let with = |member: &str, value: Value| {
        let mut body = turn_body();
        body[member] = value;
        body.to_string().into_bytes()
    };
    let doubled = turn_body()
        .to_string()
        .replacen('{', r#"{"channel":"other","#, 1);
    let part = |by: &str| json!([{"by": by, "text": "x"}]);
    let cases: [(Vec<u8>, u16, &str); 12] = [
        (doubled.into_bytes(), 400, "malformed-json"),
        (b"{".to_vec(), 400, "malformed-json"),
        (
            with("intent_id", json!("01HYB7K3M4FXQZ9V2N6PTJD8RC")),
            400,
            "malformed-request",
        ),
        (with("actors", json!([])), 400, "malformed-request"),
        (
            with("actors", json!(["agent:support/"])),
            403,
            "out-of-bounds",
        ),
        (
            with("actors", json!(["agent:nobody"])),
            403,
            "out-of-bounds",
        ),
        (with("parts", json!([])), 400, "malformed-request"),
        (with("parts", part("user")), 400, "malformed-request"),
        (
            with("parts", part("correspondent")),
            400,
            "malformed-request",
        ),
        (with("expires_in_s", json!(0)), 400, "malformed-request"),
        (
            with("expires_in_s", json!(2_592_001)),
            400,
            "malformed-request",
        ),
        (
            with(
                "parts",
                json!([{"by": "principal", "text": "x".repeat(1024 * 1024 + 1)}]),
            ),
            413,
            "too-large",
        ),
    ];
    let size = world.size();
    for (body, status, code) in cases {
        let reply = world.ask("POST", "/v1/turns", Some("ingress"), &[], Some(&body));
        let problem = reply.problem(status, code);
        assert_eq!(problem.get("entry_id"), None);
    }
    assert_eq!(world.size(), size);
}

#[test]
fn a_clock_that_runs_backwards_stops_deciding_and_says_so() {
    let world = World::new();
    let body = call(&world.intent_ref(), "billing@customer.example");
    world.clock().turn(-60_000);
    let reply = world.post("agent", "/v1/decisions", &body);
    reply.problem(503, "clock-behind");
    let health = world.ask("GET", "/healthz", None, &[], None).expect(503);
    assert_eq!(health["status"], "failing");
    assert!(
        health["reasons"][0].as_str().unwrap().contains("clock"),
        "{health}"
    );
    world.clock().turn(60_000);
    assert_eq!(
        world.post("agent", "/v1/decisions", &body).expect(200)["outcome"],
        "approved"
    );
    world.ask("GET", "/healthz", None, &[], None).expect(200);
}
