//! What passes, how it arrives, and what the ledger says of it.

use countersign_client::ClientError;
use countersign_core::entry::{ExecutionPhase, PermitRefusal, Role};
use countersign_core::json::CanonicalJson;
use countersign_gate::UpstreamOptions;
use countersign_wire::ConsumeRequest;
use serde_json::json;

use crate::tool::Tool;
use crate::world::{MAIL, ROUTES, World, mail_args, ok};

#[test]
fn a_call_passes_once_as_the_very_bytes_that_were_approved() {
    let world = World::new(Tool::saying(&ok("application/json", r#"{"id": "m-1"}"#)));
    let permit = world.mail_permit();
    let reply = world.ask(
        "POST",
        "/v1/send",
        &[
            ("countersign-permit", &permit),
            ("accept", "application/json"),
            ("x-http-method-override", "DELETE"),
            ("connection", "x-more"),
            ("x-more", "1"),
        ],
        MAIL,
    );
    assert_eq!(
        (reply.status, reply.text().as_str()),
        (200, r#"{"id": "m-1"}"#)
    );
    let sent = world.tool.sent();
    let [sent] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(sent.line(), "POST /v1/send HTTP/1.1");
    assert_eq!(sent.body, MAIL.as_bytes());
    assert_eq!(sent.fields("host"), [world.tool.address.to_string()]);
    assert_eq!(sent.fields("content-length"), [MAIL.len().to_string()]);
    assert_eq!(sent.fields("accept"), ["application/json"]);
    for name in [
        "countersign-permit",
        "x-http-method-override",
        "x-more",
        "transfer-encoding",
    ] {
        assert_eq!(sent.fields(name), [""; 0], "{name}");
    }
    assert_eq!(
        world.phases(),
        [ExecutionPhase::Started, ExecutionPhase::Finished]
    );
    assert_eq!(world.result(), json!({"id": "m-1"}));
    let entry = reply.field("countersign-execution").unwrap().to_owned();
    world.client(Role::Auditor).entry(&entry).unwrap();

    let again = world.send(&permit);
    assert_eq!(
        (again.status, again.code().as_str()),
        (403, "permit-refused")
    );
    assert_eq!(world.refusals()[0].reason, PermitRefusal::Used);
    assert_eq!(world.tool.sent().len(), 1);
}

#[test]
fn the_execution_is_in_the_ledger_before_the_call_leaves() {
    // The tool asks the ledger itself, while the call is at it.
    let (told, asked) = std::sync::mpsc::channel::<Box<dyn Fn() -> usize + Send>>();
    let (counted, count) = std::sync::mpsc::channel();
    let tool = Tool::doing(Box::new(move |_| {
        counted.send(asked.recv().unwrap()()).unwrap();
        ok("text/plain", "sent").into_bytes()
    }));
    let world = World::new(tool);
    let auditor = world.client(Role::Auditor);
    let started = move || {
        let query = countersign_client::EntriesQuery {
            kind: Some("execution".to_owned()),
            ..Default::default()
        };
        auditor.entries(&query).unwrap().entries.len()
    };
    told.send(Box::new(started)).unwrap();
    assert_eq!(world.send(&world.mail_permit()).status, 200);
    assert_eq!(count.recv().unwrap(), 1);
    assert_eq!(world.result(), json!("sent"));
}

#[test]
fn of_many_at_once_one_leaves() {
    let world = World::new(Tool::saying(&ok("text/plain", "sent")));
    let permit = world.mail_permit();
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| usize::from(world.send(&permit).status == 200)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!((passed, world.tool.sent().len()), (1, 1));
}

#[test]
fn arguments_come_from_the_query_too_and_errors_are_results() {
    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone";
    let world = World::new(Tool::saying(answer));
    let wire = world.wire("GET", "/v1/inbox?message=a%20b&limit=5", b"");
    let permit = world.approve(
        "inbox.read",
        &json!({"message": "a b", "limit": 5}),
        Some(wire),
    );
    let fields = [
        ("countersign-permit", permit.as_str()),
        ("content-type", "text/html"),
    ];
    let other = world.ask("GET", "/v1/inbox?message=a%20b&limit=6", &fields, "");
    assert_eq!(other.status, 403, "{other:?}");
    let reply = world.ask("GET", "/v1/inbox?message=a%20b&limit=5", &fields, "");
    assert_eq!((reply.status, reply.text().as_str()), (404, "none"));
    let sent = world.tool.sent().pop().unwrap();
    assert_eq!(sent.line(), "GET /v1/inbox?message=a%20b&limit=5 HTTP/1.1");
    assert_eq!(sent.fields("content-type"), [""; 0]);
    assert_eq!(world.executions().pop().unwrap().is_error, Some(true));
    assert_eq!(world.result(), json!("none"));
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    let other = Tool::saying(&ok("text/plain", "elsewhere"));
    let answer = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/v1/send\r\ncontent-length: 0\r\n\r\n",
        other.url()
    );
    let world = World::new(Tool::saying(&answer));
    let reply = world.send(&world.mail_permit());
    assert_eq!(reply.status, 307);
    assert!(reply.field("location").is_some());
    assert!(other.sent().is_empty());
}

#[test]
fn a_permit_without_bytes_passes_only_where_the_routes_say_so() {
    let world = World::new(Tool::saying(&ok("text/plain", "sent")));
    let reply = world.send(&world.approve("email.send", &mail_args(), None));
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (403, "permit-refused")
    );
    assert_eq!(world.refusals()[0].reason, PermitRefusal::Arguments);

    let routes = format!("wire = \"optional\"\n{ROUTES}");
    let tool = Tool::saying(&ok("text/plain", "sent"));
    let world = World::with(tool, &routes, &UpstreamOptions::default());
    // The same arguments in another spelling are the same call.
    let spelt = mail_args().to_string();
    let permit = world.approve("email.send", &mail_args(), None);
    let fields = [("countersign-permit", permit.as_str())];
    assert_eq!(world.ask("POST", "/v1/send", &fields, &spelt).status, 200);
    // A permit that names bytes is for these bytes, here too.
    let permit = world.mail_permit();
    let fields = [("countersign-permit", permit.as_str())];
    assert_eq!(world.ask("POST", "/v1/send", &fields, &spelt).status, 403);
    assert_eq!(world.send(&permit).status, 200);
}

#[test]
fn the_upstream_may_have_another_name_in_permits() {
    let routes = format!("destination = \"https://mail.example\"\n{ROUTES}");
    let tool = Tool::saying(&ok("text/plain", "sent"));
    let world = World::with(tool, &routes, &UpstreamOptions::default());
    assert_eq!(world.send(&world.mail_permit()).status, 403);
    let mut wire = world.wire("POST", "/v1/send", MAIL.as_bytes());
    wire.destination = "https://mail.example/v1/send".to_owned();
    let permit = world.approve("email.send", &mail_args(), Some(wire));
    assert_eq!(world.send(&permit).status, 200);
}

/// A tool's side that is a Rust program needs no gate.
#[test]
fn a_rust_service_does_the_same_with_the_client() {
    let world = World::new(Tool::saying(""));
    let client = world.client(Role::Tool);
    let request = |permit: String| ConsumeRequest {
        permit,
        audience: "tool:email.send".to_owned(),
        tool: "email.send".to_owned(),
        args_sha256: CanonicalJson::of(&mail_args())
            .unwrap()
            .digest()
            .to_string(),
        wire: None,
    };
    let permit = world.approve("email.send", &mail_args(), None);
    let execution = client.start_execution(&request(permit.clone())).unwrap();
    assert_eq!(execution.consumed().action, "email.send");
    execution.finish(Some(json!("sent")), false).unwrap();
    let Err(ClientError::Problem { problem, .. }) = client.start_execution(&request(permit)) else {
        panic!("a permit was used twice");
    };
    assert_eq!(problem.code, "permit-refused");
    assert!(problem.entry_id.is_some());

    let permit = world.approve("email.send", &mail_args(), None);
    drop(client.start_execution(&request(permit)).unwrap());
    let permit = world.approve("email.send", &mail_args(), None);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _execution = client.start_execution(&request(permit)).unwrap();
        panic!("the tool fails");
    }));
    assert!(panicked.is_err());
    use ExecutionPhase::{Finished, Started, Unknown};
    assert_eq!(
        world.phases(),
        [Started, Finished, Started, Unknown, Started, Unknown]
    );
}
