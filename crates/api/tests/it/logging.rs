//! What the server writes into its log, and what it does not.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{World, call};

static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static BEGUN: Once = Once::new();

struct Written;

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WRITTEN
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// Everything from now on, of every library, of every test of this process.
fn listen() {
    BEGUN.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(Written)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

fn written() -> String {
    let bytes = WRITTEN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    String::from_utf8(bytes).unwrap()
}

/// The line of a request.
fn line(request_id: &str) -> Value {
    let written = written();
    let line = written
        .lines()
        .find(|line| line.contains(request_id) && line.contains("latency_us"));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no line of {request_id}"))).unwrap()
}

#[test]
fn a_request_is_one_line_of_what_may_be_known() {
    listen();
    let world = World::new();
    let body = call(&world.intent_ref(), "billing@customer.example").to_string();
    let trace = [(
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )];
    let reply = world.ask(
        "POST",
        "/v1/decisions",
        Some("agent"),
        &trace,
        Some(body.as_bytes()),
    );
    let answer = reply.json();
    let fields = line(reply.header("x-request-id").unwrap())["fields"].clone();
    assert_eq!(fields["method"], "POST");
    assert_eq!(fields["route"], "/v1/decisions");
    assert_eq!(fields["status"], 200);
    assert_eq!(fields["outcome"], "approved");
    assert_eq!(fields["entry_id"], answer["entry_id"]);
    assert_eq!(fields["credential"], answer["entry"]["credential"]);
    assert_eq!(fields["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let reply = world.ask("POST", "/v1/decisions", Some("agent"), &[], Some(b"{"));
    let fields = line(reply.header("x-request-id").unwrap())["fields"].clone();
    assert_eq!(fields["code"], "malformed-json");
    assert_eq!(fields["entry_id"], reply.json()["entry_id"]);
}

#[test]
fn no_body_token_or_query_value_comes_into_the_log() {
    listen();
    let world = World::new();
    let secret = "Zq7Xw3";
    let mut body = call(&world.intent_ref(), &format!("{secret}@customer.example"));
    body["reasoning"] = secret.into();
    let bytes = body.to_string();
    world.post("agent", "/v1/decisions", &body).expect(200);
    let half = &bytes.as_bytes()[..bytes.len() - 3];
    world
        .ask("POST", "/v1/decisions", Some("agent"), &[], Some(half))
        .problem(400, "malformed-json");
    let doubled = format!(r#"{{"{secret}":1,"{secret}":2}}"#);
    world
        .ask(
            "POST",
            "/v1/turns",
            Some("ingress"),
            &[],
            Some(doubled.as_bytes()),
        )
        .problem(400, "malformed-json");
    for path in [
        format!("/v1/entries?session={secret}"),
        format!("/v1/entries?order={secret}"),
        format!("/v1/entries?{secret}=1"),
        format!("/v1/entries/{secret}"),
        format!("/v1/{secret}"),
        format!("/v1/directory/Contact/{secret}@customer.example"),
        format!("/log/{secret}/1/checkpoint"),
    ] {
        world.get("auditor", &path);
    }
    world.put(
        "author",
        &format!("/v1/directory/Contact/{secret}@x.example"),
        &[],
        &Value::Null,
    );
    let guessed = format!("Bearer cs_{secret}");
    world.ask(
        "GET",
        "/v1/flags",
        None,
        &[("authorization", &guessed), ("x-secret", secret)],
        None,
    );
    world.ask(secret, "/v1/flags", None, &[("content-type", secret)], None);
    let written = written();
    assert!(written.contains("latency_us"), "nothing is logged");
    for (number, line) in written.lines().enumerate() {
        assert!(!line.contains(secret), "line {number}: {line}");
        for role in ["agent", "ingress", "auditor", "author"] {
            assert!(!line.contains(world.token(role)), "line {number}: {line}");
        }
    }
}
