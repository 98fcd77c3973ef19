//! What holds for any bytes that a coding assistant or an agent host says to the hook, and for any
//! settings file that it is put into.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use countersign_client::Token;
use countersign_hooks::claude::settings::{Changed, Wanted, inspect, install, uninstall};
use countersign_hooks::claude::{EVENTS, Output};
use countersign_hooks::{Config, SdkPrompts, Tokens, agent_hooks, claude};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// An event: a call is denied in the one form that counts, whatever else stands in it, and nothing is
/// approved, since there is no server that could have.
pub(crate) fn hook_event(data: &[u8]) {
    let output = claude::respond(data, Some(config()));
    // What no member depends on may hold what is no text.
    let text = String::from_utf8_lossy(data);
    let name = serde_json::from_str::<Value>(&text).ok();
    let name = name.and_then(|event| Some(event.get("hook_event_name")?.as_str()?.to_owned()));
    is_no_approval(&output);
    match name.as_deref() {
        Some("PreToolUse") => assert!(is_denial(&output) || is_block(&output), "{output:?}"),
        Some(event) if EVENTS.contains(&event) => {}
        // It stands too deep, or has too large a number, for this reader.
        None if serde_json::from_str::<IgnoredAny>(&text).is_ok() => {}
        // What nobody can read may have been a call.
        None => assert!(is_denial(&output) || is_block(&output), "{output:?}"),
        Some(_) => assert!(
            is_block(&output) || output.stdout.is_empty(),
            "an event that is not known has an opinion: {output:?}"
        ),
    }
}

fn is_no_approval(output: &Output) {
    assert!(output.code == 0 || output.code == 2, "{output:?}");
    assert!(output.code == 0 || is_block(output), "{output:?}");
    assert!(output.stderr.is_empty() || output.code == 2, "{output:?}");
    if output.stdout.is_empty() {
        return;
    }
    // One line of JSON, without anything that a terminal would act on.
    let line = output.stdout.strip_suffix('\n').unwrap();
    assert!(!line.contains(char::is_control), "{output:?}");
    let said: Value = serde_json::from_str(line).unwrap();
    let own = &said["hookSpecificOutput"];
    let decision = own.get("permissionDecision").and_then(Value::as_str);
    assert!(decision.is_none_or(|it| it == "deny"), "{output:?}");
    for text in [
        &said["systemMessage"],
        &own["permissionDecisionReason"],
        &own["additionalContext"],
    ] {
        is_plain(text.as_str().unwrap_or_default());
    }
}

fn is_denial(output: &Output) -> bool {
    let said: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
    let own = &said["hookSpecificOutput"];
    let reason = own["permissionDecisionReason"].as_str();
    output.code == 0
        && own["hookEventName"] == "PreToolUse"
        && own["permissionDecision"] == "deny"
        && reason.is_some_and(|reason| reason.contains("countersign"))
}

fn is_block(output: &Output) -> bool {
    output.code == 2 && output.stdout.is_empty() && !output.stderr.trim().is_empty()
}

/// Nothing hidden stands in it, and nothing that turns a text around.
fn is_plain(text: &str) {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
    };
    assert!(!text.contains(hidden), "{text:?}");
}

/// A context: the verdict is one of the contract's, and a call is denied.
pub(crate) fn agent_context(data: &[u8]) {
    let verdict = agent_hooks::respond(data, Some(config()));
    let text = String::from_utf8_lossy(data);
    let context: Value = serde_json::from_str(&text).unwrap_or_default();
    let is_denied = verdict["decision"] == "deny";
    assert!(is_denied || verdict["decision"] == "allow", "{verdict}");
    if is_denied {
        let reason = verdict["reason"].as_str().unwrap();
        assert!(reason.starts_with("countersign."), "{verdict}");
        let message = verdict["message"].as_str().unwrap();
        assert!(!message.is_empty());
        is_plain(message);
    }
    for warning in verdict["warnings"].as_array().into_iter().flatten() {
        is_plain(warning["message"].as_str().unwrap());
    }
    // Only where nothing is about to be done may a host go on that no server was asked for.
    let point = context["interception_point"].as_str().unwrap_or_default();
    let harmless = [
        "pre_model_call",
        "post_model_call",
        "output",
        "input",
        "agent_startup",
        "post_tool_call",
        "agent_shutdown",
    ];
    let is_context = context["spec"] == agent_hooks::SPEC && harmless.contains(&point);
    assert!(is_denied || is_context, "{verdict}");
    assert!(verdict.get("approval").is_none() && verdict.get("evidence").is_none());
}

/// A settings file: the hooks get in or it is left alone, what is not ours stays as it was, and out
/// they come again, which leaves the text that stood there.
pub(crate) fn hook_settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let path = place().join("settings.json");
    let standing = || std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text).unwrap();
    let bare = match uninstall(&path) {
        Ok(_) => standing(),
        Err(_) => {
            assert_eq!(standing(), text, "what is refused is left alone");
            assert!(install(&path, &wanted()).is_err());
            return;
        }
    };
    std::fs::write(&path, text).unwrap();
    let changed = install(&path, &wanted());
    let Ok(changed) = changed else {
        assert_eq!(standing(), text, "what is refused is left alone");
        return;
    };
    let installed = standing();
    assert_eq!(changed == Changed::Nothing, installed == text);
    // A number that is too large for it, or one that stands too deep, is for it no JSON.
    if let Ok(settings) = serde_json::from_str::<Value>(&installed) {
        let found = inspect(&path).unwrap();
        assert_eq!(found.handlers.len(), EVENTS.len(), "{installed}");
        for event in EVENTS {
            let list = settings["hooks"][event].as_array().unwrap();
            let ours = list.iter().filter(|group| is_ours(group)).count();
            assert_eq!(ours, 1, "{event}: {installed}");
        }
    }
    assert_eq!(install(&path, &wanted()).unwrap(), Changed::Nothing);
    assert_eq!(standing(), installed);
    uninstall(&path).unwrap();
    let left = standing();
    assert_eq!(uninstall(&path).unwrap(), Changed::Nothing);
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    let (Some(before), Some(after)) = (value(&bare), value(&left)) else {
        return;
    };
    assert_eq!(after, without_empty(before.clone()), "{bare}\n{left}");
    // Nothing tells an empty list that stood there from one that we made.
    let is_blank = before.as_object().is_some_and(serde_json::Map::is_empty);
    if before == after && !is_blank {
        assert_eq!(left, bare, "{installed}");
    }
}

/// What is left where our hooks were put in and taken out: an event's list that was empty is gone,
/// and so is an object `hooks` that then holds nothing.
fn without_empty(mut settings: Value) -> Value {
    let Some(hooks) = settings.get_mut("hooks").and_then(Value::as_object_mut) else {
        return settings;
    };
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    hooks.retain(|event, list| !(EVENTS.contains(&event.as_str()) && is_empty(list)));
    if hooks.is_empty() {
        settings.as_object_mut().unwrap().shift_remove("hooks");
    }
    settings
}

fn is_ours(group: &Value) -> bool {
    let is_ours = |handler: &Value| {
        let words = handler["args"].as_array().map(Vec::as_slice);
        let begins =
            words.is_some_and(|words| words.starts_with(&[json!("hook"), json!("claude-code")]));
        begins && handler["command"] == json!(wanted().binary.to_str())
    };
    let handlers = group["hooks"].as_array();
    handlers.is_some_and(|handlers| handlers.iter().any(is_ours))
}

fn wanted() -> Wanted {
    Wanted {
        binary: "/usr/bin/countersign".into(),
        config: "/home/jo/.config/countersign/hooks/claude-code.toml".into(),
        review_wait_s: 50,
    }
}

/// A directory of this thread's own.
fn place() -> PathBuf {
    thread_local! {
        static DIR: tempfile::TempDir = tempfile::tempdir().unwrap();
    }
    DIR.with(|dir| dir.path().to_owned())
}

/// A configuration whose server nobody listens for: its port is reserved (RFC 6335) and never given
/// out.
fn config() -> &'static Path {
    static WRITTEN: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = WRITTEN.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hook.toml");
        let config = Config {
            server: "http://127.0.0.1:1".parse().unwrap(),
            ca_file: None,
            principal: "user:jo".to_owned(),
            actor: "agent:claude-code".to_owned(),
            more_actors: Vec::new(),
            channel: "claude-code".to_owned(),
            state: dir.path().join("state"),
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
        (dir, path)
    });
    path
}
