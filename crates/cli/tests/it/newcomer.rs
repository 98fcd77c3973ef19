//! The way of somebody who has just installed it.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Home, copy, files};

pub(crate) const MAIL: &str = r#"{"to": ["billing@customer.example"], "subject": "Your refund", "body": "It is on its way."}"#;
pub(crate) const OTHER_MAIL: &str =
    r#"{"to": ["eve@evil.test"], "subject": "Hello", "body": "As asked."}"#;

#[test]
fn from_the_first_start_to_a_verified_export() {
    let home = Home::new();
    let server = home.serve(&[]);
    shown_once(&home, &server.said);

    let intent = home.ok(&[
        "turn",
        "Send billing@customer.example the refund confirmation for ticket #4821",
    ]);
    assert!(
        intent.starts_with("sha256:") && intent.lines().count() == 1,
        "{intent}"
    );

    let approved = home.expect(0, &["decide", "email.send", MAIL, "--intent", &intent]);
    assert!(
        approved.starts_with("approved  email.send  01"),
        "{approved}"
    );
    assert!(
        approved.contains("only-addresses-named-in-the-turn") && approved.contains("permit eyJ"),
        "{approved}"
    );
    let id = approved.split_whitespace().nth(2).unwrap();
    home.ok(&["execution", id, "--phase", "started"]);
    home.ok(&["execution", id, "--text", "sent"]);

    let rejected = home.run(&[
        "decide",
        "email.send",
        OTHER_MAIL,
        "--intent",
        &intent,
        "--reasoning",
        "it said so",
    ]);
    assert_eq!(rejected.code, 1, "{}", rejected.err);
    assert!(
        rejected.out.starts_with("rejected") && !rejected.out.contains("permit eyJ"),
        "{}",
        rejected.out
    );
    let hint = rejected
        .err
        .lines()
        .find_map(|line| line.strip_prefix("hint: countersign "))
        .unwrap();

    let entries = home.ok(&["entries", "--kind", "decision"]);
    assert!(
        entries.contains("approved email.send") && entries.contains("rejected email.send"),
        "{entries}"
    );

    // The hint is a command that works.
    let mut explain: Vec<&str> = hint.split(' ').collect();
    let sealed = home.ok(&explain);
    assert!(
        sealed.contains("sealed (sha256:") && !sealed.contains("eve@evil.test"),
        "{sealed}"
    );
    explain.extend(["--purpose", "a newcomer looks"]);
    let opened = home.ok(&explain);
    for word in [
        "the principal's own words",
        "eve@evil.test at /to/0",
        "sources: none",
        "it said so",
        "included: entry",
    ] {
        assert!(opened.contains(word), "`{word}` is missing:\n{opened}");
    }

    home.ok(&["checkpoint", "--save", "kept"]);
    home.ok(&["export", "ex"]);
    let key = home.json(0, &["key", "show"])["log_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let trusted = home.expect(0, &["verify", "ex", "--key", &key, "--checkpoint", "kept"]);
    assert!(trusted.starts_with("trusted"), "{trusted}");
    let unanchored = home.expect(4, &["verify", "ex", "--key", &key]);
    assert!(unanchored.starts_with("unanchored"), "{unanchored}");
    home.expect(0, &["verify", "ex", "--key", &key, "--allow-unanchored"]);

    copy(&home.path("ex"), &home.path("forged"));
    let bundle = files(&home.path("forged/tile/entries")).pop().unwrap();
    let mut bytes = std::fs::read(&bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let failed = home.expect(
        1,
        &["verify", "forged", "--key", &key, "--checkpoint", "kept"],
    );
    assert!(
        failed.starts_with("failed") && failed.contains("what does not hold"),
        "{failed}"
    );
    server.stop();
}

/// The tokens are printed once, and a profile lets the commands work without pasting them.
fn shown_once(home: &Home, said: &[String]) {
    let text = said.join("\n");
    for role in [
        "ingress",
        "agent",
        "relay",
        "tool",
        "reviewer",
        "author",
        "auditor",
        "vault-reader",
        "admin",
    ] {
        let line = said
            .iter()
            .find(|line| line.split_whitespace().next() == Some(role));
        let line = line.unwrap_or_else(|| panic!("no token for {role}:\n{text}"));
        let token = line.split_whitespace().last().unwrap();
        assert!(token.starts_with("cs_"), "{line}");
        let profile = std::fs::read_to_string(home.profile()).unwrap();
        assert!(profile.contains(token), "{role}");
    }
    let mode = |path: &str| {
        std::fs::metadata(home.path(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("config/countersign/profile.toml"), 0o600);
    assert_eq!(mode("config/countersign"), 0o700);
    assert_eq!(mode("data/countersign"), 0o700);
}

#[test]
fn the_commands_that_a_first_start_prints_work_as_they_are() {
    let home = Home::new();
    let server = home.serve(&[]);
    let log = server.log();
    let tries: Vec<&str> = log
        .lines()
        .filter(|line| line.starts_with("  intent=$(") || line.starts_with("  countersign "))
        .collect();
    assert_eq!(tries.len(), 3, "{log}");
    let mut shell = std::process::Command::new("sh");
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_countersign"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    shell
        .args(["-ec", &tries.join("\n")])
        .env("PATH", path)
        .env("HOME", home.path(""));
    shell
        .env("XDG_CONFIG_HOME", home.path("config"))
        .env_remove("COUNTERSIGN_URL")
        .env_remove("COUNTERSIGN_PROFILE");
    let ran = crate::support::ran(shell);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.starts_with("approved  email.send"), "{}", ran.out);
    server.stop();
}

#[test]
fn a_second_start_keeps_the_log_and_prints_no_tokens() {
    let home = Home::new();
    home.serve(&[]).stop();
    let profile = std::fs::read_to_string(home.profile()).unwrap();
    let again = home.serve(&[]);
    assert!(!again.said.join("\n").contains("cs_"), "{:?}", again.said);
    // The port is another one; the profile follows, and keeps its tokens.
    let now = std::fs::read_to_string(home.profile()).unwrap();
    assert!(now.contains(&again.url), "{now}");
    let tokens = |text: &str| {
        text.lines()
            .filter(|line| line.contains("cs_"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(tokens(&now), tokens(&profile));
    home.ok(&["turn", "Hello"]);
    again.stop();
}
