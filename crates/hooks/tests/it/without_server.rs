//! Whatever goes wrong, a call is answered with a refusal: with no server, with events that nobody
//! can read, with a configuration that is not there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use countersign_client::Token;
use countersign_hooks::claude::{EVENTS, Output, respond};
use countersign_hooks::limits::EVENT_BYTES;
use countersign_hooks::{Config, SdkPrompts, Tokens};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

fn config(dir: &Path) -> PathBuf {
    // A port that nobody listens on: it is reserved (RFC 6335) and never given out.
    config_of(dir, "http://127.0.0.1:1")
}

fn config_of(dir: &Path, server: &str) -> PathBuf {
    let path = dir.join("claude-code.toml");
    let config = Config {
        server: server.parse().unwrap(),
        ca_file: None,
        principal: "user:jo".to_owned(),
        actor: "agent:claude-code".to_owned(),
        more_actors: Vec::new(),
        channel: "claude-code".to_owned(),
        state: dir.join("state"),
        review_wait_s: 1,
        request_timeout_s: 1,
        turn_ttl_s: 60,
        sdk_prompts: SdkPrompts::System,
        credentials: Default::default(),
        tokens: Tokens {
            agent: Token::new("cs_a"),
            ingress: Token::new("cs_i"),
            tool: Token::new("cs_t"),
            listen: None,
        },
    };
    config.write(&path).unwrap();
    path
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = config(dir.path());
    (dir, path)
}

fn event(name: &str) -> Value {
    json!({
        "session_id": "s1", "cwd": "/", "prompt_id": "p1", "permission_mode": "default",
        "hook_event_name": name, "prompt": "do it", "tool_name": "Bash",
        "tool_input": {"command": "ls"}, "tool_use_id": "toolu_1", "tool_response": "x",
        "agent_id": "a1", "agent_type": "Explore",
    })
}

/// A decision to deny in the one place where it counts, or exit code 2 with a reason.
fn is_refusal(output: &Output) -> bool {
    if output.code == 2 {
        return !output.stderr.trim().is_empty() && output.stdout.is_empty();
    }
    let answer: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
    let decision = &answer["hookSpecificOutput"];
    output.code == 0
        && decision["hookEventName"] == "PreToolUse"
        && decision["permissionDecision"] == "deny"
        && decision["permissionDecisionReason"]
            .as_str()
            .is_some_and(|reason| reason.contains("countersign"))
}

#[test]
fn without_a_server_calls_are_refused_and_nothing_else_is_blocked() {
    let (_dir, config) = place();
    for name in EVENTS {
        let output = respond(event(name).to_string().as_bytes(), Some(&config));
        match *name {
            "PreToolUse" => assert!(is_refusal(&output), "{output:?}"),
            // A change that switched hooks off must not wait for a server.
            "ConfigChange" => assert!(is_refusal(&output), "{output:?}"),
            // A call that has run and was never approved is told of, whether or not anybody listens.
            _ => {
                assert_eq!(output.code, 0, "{name}: {output:?}");
                let said = !output.stdout.is_empty();
                assert_eq!(said, *name != "SubagentStart", "{name}: {output:?}");
                assert!(!output.stdout.contains("permissionDecision"), "{output:?}");
            }
        }
    }
}

#[test]
fn a_prompt_that_cannot_be_noted_is_kept_back() {
    let (dir, config) = place();
    std::fs::write(dir.path().join("state"), "in the way").unwrap();
    let output = respond(
        event("UserPromptSubmit").to_string().as_bytes(),
        Some(&config),
    );
    assert_eq!(output.code, 2, "{output:?}");
    let output = respond(event("PreToolUse").to_string().as_bytes(), Some(&config));
    assert!(is_refusal(&output), "{output:?}");
}

#[test]
fn without_a_configuration_calls_are_refused() {
    let (dir, config) = place();
    let call = event("PreToolUse").to_string();
    let missing = dir.path().join("nothing.toml");
    assert!(is_refusal(&respond(call.as_bytes(), Some(&missing))));
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o604)).unwrap();
    assert!(is_refusal(&respond(call.as_bytes(), Some(&config))));
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    for text in ["", "server = 1", "\u{0}", "server = \"http://127.0.0.1:1\""] {
        std::fs::write(&config, text).unwrap();
        assert!(
            is_refusal(&respond(call.as_bytes(), Some(&config))),
            "{text}"
        );
        let prompt = event("UserPromptSubmit").to_string();
        assert_eq!(respond(prompt.as_bytes(), Some(&config)).code, 2);
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("claude-code.toml");
    let made = std::process::Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(&pipe)
        .status()
        .unwrap();
    assert!(made.success());
    let call = event("PreToolUse").to_string();
    let (told, answered) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(respond(call.as_bytes(), Some(&pipe))));
    let answer = answered.recv_timeout(std::time::Duration::from_secs(20));
    assert!(is_refusal(&answer.expect("it does not wait for a writer")));
}

#[test]
fn events_that_nobody_can_read_are_refused() {
    let (_dir, config) = place();
    let with = |name: &str, value: Value| {
        let mut call = event("PreToolUse");
        call[name] = value;
        call.to_string()
    };
    let without = |name: &str| {
        let mut call = event("PreToolUse");
        call.as_object_mut().unwrap().remove(name);
        call.to_string()
    };
    let call = event("PreToolUse").to_string();
    let mut events = vec![
        String::new(),
        " ".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "\"PreToolUse\"".to_owned(),
        call.replacen('}', "", 1),
        call.get(..call.len() - 1).unwrap().to_owned(),
        format!("{call}{call}"),
        call.replacen("\"tool_name\"", "\"tool_name\":\"Read\",\"tool_name\"", 1),
        call.replacen("PreToolUse", "preToolUse", 1),
        call.replacen("PreToolUse", "PermissionRequest", 1),
        call.replacen("PreToolUse", "SomethingNew", 1),
        call.replacen("PreToolUse", "", 1),
        "[".repeat(100_000),
        format!("{{\"a\":{}", "{\"a\":".repeat(100_000)),
        with("tool_name", json!("")),
        with("tool_name", json!(["Bash"])),
        with("tool_use_id", json!("")),
        with("tool_input", Value::Null),
        with("session_id", json!("a b")),
        with("session_id", json!("x".repeat(200))),
        with("session_id", json!("")),
        with("cwd", json!("relative")),
        with("cwd", json!("/\u{0}")),
        with("prompt_id", json!(7)),
    ];
    for name in [
        "session_id",
        "hook_event_name",
        "tool_name",
        "tool_input",
        "tool_use_id",
        "cwd",
    ] {
        events.push(without(name));
    }
    for event in events {
        let output = respond(event.as_bytes(), Some(&config));
        let short: String = event.chars().take(200).collect();
        assert!(is_refusal(&output), "{short}: {output:?}");
    }
    assert!(is_refusal(&respond(&b"\xff\xfe{}"[..], Some(&config))));
}

#[test]
fn an_event_without_end_is_refused() {
    let (_dir, config) = place();
    let begun = std::io::repeat(b' ');
    assert!(is_refusal(&respond(begun, Some(&config))));
    let long = "x".repeat(usize::try_from(EVENT_BYTES).unwrap());
    let mut call = event("PreToolUse");
    call["tool_input"] = json!({"command": long});
    assert!(is_refusal(&respond(
        call.to_string().as_bytes(),
        Some(&config)
    )));
}

#[test]
fn a_server_that_never_answers_is_a_refusal() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let config = config_of(dir.path(), &server);
    // The system takes the connection, and nobody reads from it.
    let output = respond(event("PreToolUse").to_string().as_bytes(), Some(&config));
    assert!(is_refusal(&output), "{output:?}");
    assert!(output.stdout.contains("did not answer"), "{output:?}");
}

#[test]
fn only_events_that_decide_nothing_have_no_opinion() {
    for name in [
        "Stop",
        "Notification",
        "PostToolBatch",
        "SubagentStop",
        "PreCompact",
    ] {
        let output = respond(event(name).to_string().as_bytes(), None);
        assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{name}");
    }
}

#[test]
fn a_reader_that_fails_or_panics_is_a_refusal() {
    struct Bad(bool);
    impl std::io::Read for Bad {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            assert!(!self.0, "somebody's defect");
            Err(std::io::Error::other("broken"))
        }
    }
    let (_dir, config) = place();
    for panics in [true, false] {
        assert!(is_refusal(&respond(Bad(panics), Some(&config))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// No bytes get a call through without a server, and none take the handler down.
    #[test]
    fn no_bytes_are_an_approval(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), cut in any::<bool>()) {
        let (_dir, config) = place();
        let mut call = event("PreToolUse").to_string().into_bytes();
        let at = at.index(call.len());
        let end = if cut { call.len() } else { (at + bytes.len()).min(call.len()) };
        call.splice(at..end, bytes);
        let output = respond(&call[..], Some(&config));
        prop_assert!(!output.stdout.contains("\"allow\"") && !output.stdout.contains("\"ask\""));
        prop_assert!(output.code == 0 || output.code == 2);
        // What is still seen as the event of a call is answered.
        let name = serde_json::from_slice::<Value>(&call).ok().map(|event| event["hook_event_name"].clone());
        if name == Some(json!("PreToolUse")) {
            prop_assert!(is_refusal(&output), "{:?}", output);
        }
    }
}
