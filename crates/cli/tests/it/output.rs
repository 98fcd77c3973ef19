//! What is printed where, and for whom.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::newcomer::{MAIL, OTHER_MAIL};
use crate::support::{Home, ran};

#[test]
fn every_answer_is_a_document_if_asked() {
    let home = Home::new();
    let server = home.serve(&[]);
    let turn = home.json(0, &["turn", "Send billing@customer.example the refund"]);
    let intent = turn["intent_ref"].as_str().unwrap();
    assert_eq!(turn["intent"]["parts"][0]["by"], "principal");
    let approved = home.json(0, &["decide", "email.send", MAIL, "--intent", intent]);
    let id = approved["entry_id"].as_str().unwrap();
    assert!(approved["permit"].is_string() && approved["entry"]["proof"].is_string());
    assert_eq!(
        home.json(1, &["decide", "email.send", OTHER_MAIL, "--intent", intent])["outcome"],
        "rejected"
    );
    assert!(
        home.json(0, &["execution", id, "--result", "{\"ok\": true}"])["result_ref"].is_string()
    );
    assert_eq!(
        home.json(0, &["entries", "--limit", "2"])["entries"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert!(home.json(0, &["entries", "show", id])["index"].is_u64());
    assert_eq!(home.json(0, &["explain", id])["turn"]["state"], "sealed");
    assert_eq!(
        home.json(0, &["vault", "open", intent, "--purpose", "a test"])["kind"],
        "intent"
    );
    assert!(home.json(0, &["flags"])["flags"].is_array());
    assert!(home.json(0, &["credential", "list"])["credentials"].is_array());
    assert!(home.json(0, &["key", "show"])["root_key_fingerprint"].is_string());
    assert_eq!(home.json(0, &["checkpoint"])["signature_checked"], true);
    assert_eq!(
        home.json(0, &["policy", "check", "mail-agent"])["name"],
        "mail-agent"
    );
    assert_eq!(
        home.json(0, &["policy", "show"])["content"]["name"],
        "mail-agent"
    );
    assert!(home.json(0, &["policy", "show", "--schema"])["schema"].is_string());
    assert_eq!(
        home.json(0, &["policy", "list"])["bundles"][0]["in_force"],
        true
    );
    assert!(home.json(1, &["policy", "diff", "mail-agent", "allow-all"])["differences"].is_array());
    assert!(
        home.json(0, &["directory", "put", "Contact", "a@b.example", "{}"])["entry"]["proof"]
            .is_string()
    );
    assert!(home.json(0, &["stop", "agent:local"])["entry"]["proof"].is_string());
    assert!(home.json(0, &["revoke", intent])["entry"]["proof"].is_string());
    assert!(home.json(0, &["export", "ex"])["size"].is_u64());
    assert_eq!(home.json(4, &["verify", "ex"])["word"], "unanchored");
    // What the server refuses is its own document.
    let problem = home.json(1, &["revoke", intent]);
    assert_eq!(
        (problem["code"].as_str(), problem["status"].as_u64()),
        (Some("conflict"), Some(409))
    );
    server.stop();
}

#[test]
fn colour_is_for_terminals_and_for_those_who_want_it() {
    if Command::new("script")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        eprintln!("SKIPPED: there is no `script` here to make a terminal with");
        return;
    }
    let home = Home::new();
    let line = format!(
        "{} policy check mail-agent",
        env!("CARGO_BIN_EXE_countersign")
    );
    let on_terminal = |no_colour: Option<&str>| {
        let mut command = Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .current_dir(home.path(""))
            .env("HOME", home.path(""))
            .env("TERM", "xterm");
        command
            .env_remove("NO_COLOR")
            .env_remove("COUNTERSIGN_PROFILE");
        if let Some(value) = no_colour {
            command.env("NO_COLOR", value);
        }
        ran(command).out
    };
    assert!(
        on_terminal(None).contains("\u{1b}[32mthe bundle passes"),
        "no colour on a terminal"
    );
    assert!(
        on_terminal(Some("")).contains("\u{1b}[32m"),
        "an empty NO_COLOR does not count"
    );
    assert!(!on_terminal(Some("1")).contains('\u{1b}'));
    assert!(
        !home
            .ok(&["policy", "check", "mail-agent"])
            .contains('\u{1b}')
    );
}

#[test]
fn text_of_an_agent_cannot_steer_the_terminal() {
    let home = Home::new();
    let server = home.serve(&[]);
    let intent = home.ok(&["turn", "Clear \u{1b}[2J the \u{202e}screen"]);
    let args =
        r#"{"to": ["x\u001b]0;owned\u0007@evil.test"], "subject": "\u001b[31m", "body": "a\rb"}"#;
    let reasoning = "trust me \u{1b}[2K\u{9b}31m";
    let rejected = home.json(
        1,
        &[
            "decide",
            "email.send",
            args,
            "--intent",
            &intent,
            "--reasoning",
            reasoning,
        ],
    );
    let id = rejected["entry_id"].as_str().unwrap();
    let shown = home.ok(&["explain", id, "--purpose", "a \u{1b} test"]);
    assert!(shown.contains("trust me \\u{1b}[2K\\u{9b}31m"), "{shown:?}");
    let forbidden = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!shown.contains(forbidden), "{shown:?}");
    assert!(!home.ok(&["entries"]).contains(forbidden));
    server.stop();
}

#[test]
fn data_goes_to_stdout_and_all_else_to_stderr() {
    let home = Home::new();
    let server = home.serve(&[]);
    let turn = home.run(&["turn", "Hello"]);
    assert_eq!(turn.out.lines().count(), 1);
    assert!(turn.err.contains("registered in session"), "{}", turn.err);
    let refused = home.run(&["explain", "01HYB7K3M4FXQZ9V2N6PTJD8RC"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(
        refused.err.starts_with("error: there is no decision"),
        "{}",
        refused.err
    );
    let usage = home.run(&["turn"]);
    assert_eq!((usage.code, usage.out.as_str()), (2, ""));
    assert_eq!(home.run(&["--version"]).code, 0);
    assert_eq!(home.run(&[]).code, 2);
    server.stop();
}

#[test]
fn whoever_stops_reading_does_not_change_the_answer() {
    let home = Home::new();
    let binary = env!("CARGO_BIN_EXE_countersign");
    let line = format!("{{ {binary} policy diff mail-agent allow-all; echo $? >code; }} | true");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &line])
        .current_dir(home.path(""))
        .env("HOME", home.path(""));
    let ran = ran(shell);
    assert_eq!(ran.err, "");
    assert_eq!(
        std::fs::read_to_string(home.path("code")).unwrap().trim(),
        "1"
    );
}

#[test]
fn every_command_explains_itself() {
    let home = Home::new();
    let commands = [
        "demo",
        "serve",
        "init",
        "turn",
        "decide",
        "execution",
        "stop",
        "revoke",
        "entries",
        "entries show",
        "explain",
        "policy check",
        "policy publish",
        "policy activate",
        "policy show",
        "policy list",
        "policy diff",
        "directory load",
        "directory put",
        "credential add",
        "credential revoke",
        "credential list",
        "key show",
        "flags",
        "vault open",
        "checkpoint",
        "export",
        "verify",
    ];
    for command in commands {
        let mut args: Vec<&str> = command.split(' ').collect();
        args.push("--help");
        let help = home.ok(&args);
        assert!(help.contains("Usage: countersign"), "{command}: {help}");
        assert!(!help.contains("cs_"), "{command}");
    }
    // A token in the environment is not printed by --help.
    let mut command = home.command(&["turn", "--help"]);
    command.env("COUNTERSIGN_TOKEN", "cs_secret");
    assert!(!ran(command).out.contains("cs_secret"));
    let _: Value = home.json(0, &["policy", "check", "allow-all"]);
}
