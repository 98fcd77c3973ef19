//! `countersign demo` as a newcomer runs it: in a directory of their own, more than once.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The binary in a directory, with nothing of this machine's own profile.
fn countersign(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .current_dir(dir)
        .env("HOME", dir)
        .env("NO_COLOR", "1");
    for variable in [
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "COUNTERSIGN_URL",
        "COUNTERSIGN_TOKEN",
        "COUNTERSIGN_PROFILE",
    ] {
        command.env_remove(variable);
    }
    command
}

fn run(command: &mut Command) -> (Output, String) {
    let ran = command.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    (ran, said)
}

fn demo_json(dir: &Path, args: &[&str]) -> Value {
    let (ran, said) = run(countersign(dir).arg("demo").args(args).arg("--json"));
    assert!(ran.status.success(), "{said}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn the_story_goes_as_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let summary = demo_json(dir.path(), &[]);
    assert_eq!(summary["mail"]["messages"], 1);
    assert_eq!(
        summary["mail"]["recipients"],
        serde_json::json!(["billing@customer.example"])
    );
    let attempts = summary["attempts"].as_array().unwrap();
    assert!(attempts.len() >= 5);
    for attempt in attempts {
        assert_eq!(attempt["outcome"], "rejected", "{attempt}");
        assert!(
            !attempt["reasons"].as_array().unwrap().is_empty(),
            "{attempt}"
        );
    }
    assert_eq!(
        attempts[0]["reasons"],
        serde_json::json!(["no-churned-contacts"])
    );
    assert_eq!(summary["flag"]["detector"], "burst");
    assert_eq!(summary["flag"]["onset"], attempts[0]["entry_id"]);
    assert_eq!(summary["verified"]["evening"]["word"], "unanchored");
    assert_eq!(summary["verified"]["morning"]["word"], "trusted");
    assert_eq!(summary["verified"]["changed"]["word"], "failed");
    assert_eq!(
        summary["verified"]["changed"]["finding"]["entry_id"],
        attempts[0]["entry_id"]
    );
    assert!(summary["verified"]["morning"]["rejudged"].as_u64().unwrap() >= 10);
}

#[test]
fn a_second_run_takes_the_next_name_and_disturbs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = demo_json(dir.path(), &[]);
    let second = demo_json(dir.path(), &[]);
    assert_eq!(first["directory"], "./countersign-demo");
    assert_eq!(second["directory"], "./countersign-demo-2");
    assert_ne!(first["log_key"], second["log_key"]);
    let named = demo_json(dir.path(), &["--dir", "a name"]);
    assert_eq!(named["directory"], "a name");
    let (again, said) = run(countersign(dir.path()).args(["demo", "--dir", "a name"]));
    assert_eq!(again.status.code(), Some(2), "{said}");
    assert!(said.contains("a name") && said.contains("hint:"), "{said}");
}

#[test]
fn the_text_fits_the_terminal_and_tells_each_part() {
    let dir = tempfile::tempdir().unwrap();
    let (ran, said) = run(countersign(dir.path()).arg("demo"));
    assert!(ran.status.success(), "{said}");
    let text = String::from_utf8(ran.stdout).unwrap();
    // The commands hold the path of the program, which is as long as it is.
    let (story, commands) = text.split_once("6  Look further").unwrap();
    assert!(
        commands.contains(" verify ./countersign-demo/export"),
        "{commands}"
    );
    for line in story.lines() {
        assert!(
            line.chars().count() <= 100,
            "{} columns: {line}",
            line.chars().count()
        );
    }
    assert!(!text.contains('\u{1b}'), "colour without a terminal");
    for part in [
        "1 message, to billing@customer.example",
        "burst",
        "no-churned-contacts",
        "a correspondent's words, which carry no authority",
        "trusted",
        "unanchored",
        "failed",
        "for other arguments",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn secrets_are_where_only_their_owner_reads_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (ran, said) = run(countersign(dir.path()).arg("demo"));
    assert!(ran.status.success(), "{said}");
    let home = dir.path().join("countersign-demo");
    let mode = |name: &str| {
        std::fs::metadata(home.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("."), 0o700);
    assert_eq!(mode("profile.toml"), 0o600);
    assert_eq!(mode("data"), 0o700);
    assert!(!said.contains("cs_"), "a token in the output");
}

/// The commands that the demo prints work as they are printed, but for the port.
#[test]
fn the_commands_to_look_further_work() {
    let dir = tempfile::tempdir().unwrap();
    let summary = demo_json(dir.path(), &[]);
    let commands: Vec<&str> = summary["commands"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let (serve, others) = commands.split_first().unwrap();
    assert!(serve.contains(" serve "), "{serve}");
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let script = format!(
        "set -eu\n{serve} --listen {address} >served 2>&1 &\nserver=$!\ntrap 'kill $server' EXIT\n\
         for _ in $(seq 200); do grep -q {address} served && break; sleep 0.05; done\n{}\n",
        others.join("\n")
    );
    let mut shell = Command::new("bash");
    shell
        .arg("-c")
        .arg(&script)
        .current_dir(dir.path())
        .env("HOME", dir.path())
        .env_remove("COUNTERSIGN_PROFILE");
    let (ran, said) = run(&mut shell);
    assert!(
        ran.status.success(),
        "{said}\n{}",
        std::fs::read_to_string(dir.path().join("served")).unwrap_or_default()
    );
    assert!(
        said.contains("no-churned-contacts") && said.contains("trusted"),
        "{said}"
    );
}
