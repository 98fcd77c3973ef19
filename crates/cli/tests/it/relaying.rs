//! `countersign mcp` as a process: what the server gets of it, and how both end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Home, ran};

const PATIENCE: Duration = Duration::from_secs(60);
/// A server that notes its environment and what it started, and answers one message.
const SERVER: &str = "env > server.env; sleep 600 & echo $! > started; \
    read -r line; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}'; wait";

fn relay(home: &Home, server: &str) -> Child {
    let mut command = home.command(&["mcp", "--", "sh", "-c", server]);
    command
        .env("COUNTERSIGN_TOOL_TOKEN", "cs_not_for_the_server")
        .env("COUNTERSIGN_INGRESS_TOKEN", "cs_not_for_the_server")
        .env("OTHER", "kept")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn answered(relay: &mut Child) -> String {
    let ping = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    let to = relay.stdin.as_mut().unwrap();
    to.write_all(ping.as_bytes()).unwrap();
    let mut line = String::new();
    let mut from = BufReader::new(relay.stdout.as_mut().unwrap());
    from.read_line(&mut line).unwrap();
    line
}

fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

fn await_end(pid: &str) {
    let begun = Instant::now();
    while is_alive(pid) {
        assert!(begun.elapsed() < PATIENCE, "{pid} goes on");
        std::thread::yield_now();
    }
}

#[test]
fn a_signal_ends_the_server_and_all_that_it_started() {
    let home = Home::new();
    let _serving = home.serve(&[]);
    let mut relay = relay(&home, SERVER);
    assert_eq!(
        answered(&mut relay),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
    );
    let environment = std::fs::read_to_string(home.path("server.env")).unwrap();
    assert!(environment.contains("OTHER=kept"));
    assert!(
        !environment.contains("COUNTERSIGN_") && !environment.contains("cs_not"),
        "{environment}"
    );
    let started = std::fs::read_to_string(home.path("started")).unwrap();
    assert!(is_alive(&started));
    let id = relay.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(relay.wait().unwrap().code(), Some(0));
    await_end(&started);
}

#[test]
fn a_server_that_ends_takes_the_relay_with_it() {
    let home = Home::new();
    let _serving = home.serve(&[]);
    let mut relay = relay(&home, "sleep 600 & echo $! > started; exit 9");
    assert_eq!(relay.wait().unwrap().code(), Some(9));
    await_end(&std::fs::read_to_string(home.path("started")).unwrap());
}

#[test]
fn without_credentials_or_a_server_there_is_no_relay() {
    let home = Home::new();
    let none = ran(home.command(&["mcp", "--", "true"]));
    assert_eq!(none.code, 2);
    assert!(none.err.contains("no token"), "{}", none.err);
    let _serving = home.serve(&[]);
    let missing = ran(home.command(&["mcp", "--", "./no-such-server"]));
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("cannot be started"), "{}", missing.err);
    let nothing = ran(home.command(&["mcp"]));
    assert_eq!(nothing.code, 2);
}
