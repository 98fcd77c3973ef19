//! A ledger that is away, a tool that dies, a client that leaves.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use countersign_core::entry::ExecutionPhase::{Finished, Started, Unknown};
use countersign_gate::UpstreamOptions;

use crate::tool::Tool;
use crate::world::{MAIL, PATIENCE, ROUTES, World, ok};

#[test]
fn nothing_leaves_while_the_ledger_is_away() {
    let mut world = World::new(Tool::saying(&ok("text/plain", "sent")));
    let permit = world.mail_permit();
    world.end_server();
    let reply = world.send(&permit);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (503, "ledger-unavailable")
    );
    assert!(world.tool.sent().is_empty() && world.executions().is_empty());
}

#[test]
fn a_tool_that_dies_leaves_a_call_of_which_nobody_knows() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal",
        "no http at all\r\n\r\n",
    ] {
        let world = World::new(Tool::saying(answer));
        let permit = world.mail_permit();
        let reply = world.send(&permit);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (502, "upstream-failed"),
            "{answer:?}"
        );
        assert_eq!(world.phases(), [Started, Unknown], "{answer:?}");
        assert_eq!(world.send(&permit).status, 403);
        assert_eq!(world.tool.sent().len(), 1);
    }
}

#[test]
fn a_tool_that_is_away_or_slow_is_the_same() {
    let mut tool = Tool::saying("");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    tool.address = gone.local_addr().unwrap();
    drop(gone);
    let world = World::new(tool);
    assert_eq!(world.send(&world.mail_permit()).code(), "upstream-failed");
    assert_eq!(world.phases(), [Started, Unknown]);

    let (end, ended) = mpsc::channel::<()>();
    let slow = Tool::doing(Box::new(move |_| {
        let _ = ended.recv_timeout(PATIENCE);
        Vec::new()
    }));
    let options = UpstreamOptions {
        timeout: Duration::from_millis(300),
        ..UpstreamOptions::default()
    };
    let world = World::with(slow, ROUTES, &options);
    assert_eq!(world.send(&world.mail_permit()).code(), "upstream-failed");
    assert_eq!(world.phases(), [Started, Unknown]);
    drop(end);
}

#[test]
fn an_answer_that_is_too_long_is_withheld_and_the_call_has_ended() {
    let options = UpstreamOptions {
        answer_bytes: 1_000,
        ..UpstreamOptions::default()
    };
    let tool = Tool::saying(&ok("text/plain", &"x".repeat(1_001)));
    let world = World::with(tool, ROUTES, &options);
    let reply = world.send(&world.mail_permit());
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (502, "answer-too-large")
    );
    assert_eq!(world.phases(), [Started, Finished]);
    assert_eq!(world.executions()[1].result_ref, None);
    let tool = Tool::saying(&ok("text/plain", &"x".repeat(1_000)));
    let world = World::with(tool, ROUTES, &options);
    assert_eq!(world.send(&world.mail_permit()).status, 200);
}

/// A mail that is at the tool, which answers with this text when it is told to go on.
fn in_the_tool(text: &'static str) -> (World, TcpStream, mpsc::Sender<()>) {
    let (at_tool, arrived) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let tool = Tool::doing(Box::new(move |_| {
        at_tool.send(()).unwrap();
        may_go_on.recv().unwrap();
        ok("text/plain", text).into_bytes()
    }));
    let world = World::new(tool);
    let permit = world.mail_permit();
    let head = format!(
        "POST /v1/send HTTP/1.1\r\nhost: gate\r\ncontent-type: application/json\r\ncountersign-permit: {permit}\r\ncontent-length: {}\r\n\r\n{MAIL}",
        MAIL.len()
    );
    let mut stream = world.connect();
    stream.write_all(head.as_bytes()).unwrap();
    arrived.recv_timeout(PATIENCE).unwrap();
    (world, stream, go_on)
}

/// Later calls are judged by results. What the ledger does not have, the agent does not get.
#[test]
fn a_result_that_cannot_be_recorded_is_withheld() {
    let (mut world, mut stream, go_on) = in_the_tool("the secret");
    world.end_server();
    go_on.send(()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(
        answer.contains("result-not-recorded") && !answer.contains("the secret"),
        "{answer}"
    );
    assert_eq!(world.phases(), [Started]);
}

#[test]
fn a_call_whose_client_has_gone_is_reported_and_a_gate_that_ends_waits_for_it() {
    let (mut world, stream, go_on) = in_the_tool("sent");
    drop(stream);
    let release = std::thread::spawn(move || go_on.send(()).unwrap());
    world.end_gate();
    release.join().unwrap();
    assert_eq!(world.phases(), [Started, Finished]);
}
