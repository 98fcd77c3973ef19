//! A server's life: signals, crashes, locks, addresses.

use std::io::{Read as _, Write as _};

use crate::newcomer::MAIL;
use crate::support::{Home, Serving, ran};

#[test]
fn a_signal_ends_it_gracefully() {
    for name in ["TERM", "INT"] {
        let home = Home::new();
        let mut server = home.serve(&[]);
        home.ok(&["turn", "Hello"]);
        server.signal(name);
        assert_eq!(server.ended(), Some(0), "{}", server.log());
        assert!(server.log().contains("stopping"), "{}", server.log());
        let down = home.run(&["turn", "Hello"]);
        assert_eq!(down.code, 2);
        assert!(
            down.err.contains("could not be reached") && down.err.contains("hint: start a server"),
            "{}",
            down.err
        );
    }
}

#[test]
fn a_second_signal_does_not_wait_for_requests_in_work() {
    let home = Home::new();
    let mut server = home.serve(&[]);
    let profile = std::fs::read_to_string(home.profile()).unwrap();
    let token = profile
        .lines()
        .find_map(|line| line.strip_prefix("ingress = "))
        .unwrap();
    let address = server.url.strip_prefix("http://").unwrap();
    let mut half = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/turns HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n",
        token.trim_matches('"')
    );
    half.write_all(head.as_bytes()).unwrap();
    // The server asks for the body, so it waits for it now.
    let mut answer = [0; 12];
    half.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    server.signal("TERM");
    server.wait_for_log("stopping");
    server.signal("TERM");
    assert_eq!(server.ended(), Some(2), "{}", server.log());
}

#[test]
fn a_ledger_that_stops_ends_the_server_with_a_code_of_its_own() {
    let home = Home::new();
    let mut server = home.serve(&[]);
    let database = rusqlite::Connection::open(home.path("data/countersign/ledger.db")).unwrap();
    let side = home.path("side.db");
    let attach = format!("ATTACH '{}' AS side", side.display());
    database
        .execute_batch(&format!(
            "{attach}; CREATE TABLE side.kept AS SELECT * FROM head"
        ))
        .unwrap();
    home.ok(&["turn", "Released"]);
    // Somebody else writes a head that does not extend the one that was released.
    database
        .execute_batch("DELETE FROM head; INSERT INTO head SELECT * FROM side.kept")
        .unwrap();
    let refused = home.run(&["turn", "Not any more"]);
    assert_eq!(refused.code, 2, "{}\n{}", refused.out, refused.err);
    assert!(refused.err.contains("ledger-halted"), "{}", refused.err);
    assert_eq!(server.ended(), Some(3), "{}", server.log());
    assert!(
        server.log().contains("the ledger has stopped"),
        "{}",
        server.log()
    );
    assert_eq!(home.run(&["serve", "--listen", "127.0.0.1:0"]).code, 3);
}

#[test]
fn what_was_answered_outlives_a_kill() {
    let home = Home::new();
    let mut server = home.serve(&[]);
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    let answers: Vec<String> = (0..5)
        .map(|_| {
            home.json(0, &["decide", "email.send", MAIL, "--intent", &intent])["entry_id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    home.ok(&["checkpoint", "--save", "kept"]);
    server.signal("KILL");
    assert_eq!(server.ended(), None);

    let server = home.serve(&[]);
    for entry in &answers {
        home.ok(&["entries", "show", entry]);
    }
    home.ok(&["turn", "And it goes on"]);
    home.ok(&["export", "ex"]);
    let report = home.json(4, &["verify", "ex", "--checkpoint", "kept"]);
    assert_eq!(report["ranges"][0]["word"], "trusted", "{report}");
    assert_eq!(report["findings_total"], 0, "{report}");
    server.stop();
}

#[test]
fn one_directory_has_one_server() {
    let home = Home::new();
    let server = home.serve(&[]);
    let second = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 2, "{}", second.out);
    assert!(
        second.err.contains("is in use by another process"),
        "{}",
        second.err
    );
    assert!(
        second.err.lines().any(|line| line.starts_with("hint: ")),
        "{}",
        second.err
    );
    // The first one is none the worse for it.
    home.ok(&["turn", "Hello"]);
    server.stop();
}

#[test]
fn an_address_in_use_leaves_nothing_behind() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = home.run(&["serve", "--listen", &address]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains(&address)
            && refused.err.contains("hint: another process listens there"),
        "{}",
        refused.err
    );
    assert!(!home.path("data/countersign").exists() && !home.profile().exists());
}

#[test]
fn tokens_do_not_cross_a_network_in_the_clear() {
    let home = Home::new();
    let refused = home.run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("0.0.0.0:0") && refused.err.contains("--behind-proxy"),
        "{}",
        refused.err
    );
    assert!(!home.path("data/countersign").exists());
    let mut command = home.command(&["serve", "--listen", "0.0.0.0:0", "--behind-proxy"]);
    command.env("XDG_DATA_HOME", home.path("data"));
    let server = Serving::start(command, home.path("log"));
    assert!(
        server.url.starts_with("http://127.0.0.1:"),
        "{}",
        server.url
    );
    home.ok(&["turn", "Hello"]);
}

#[test]
fn tls_is_checked_by_the_client() {
    let home = Home::new();
    let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls");
    let (cert, key) = (format!("{tls}/cert.pem"), format!("{tls}/key.pem"));
    let server = home.serve(&["--tls-cert", &cert, "--tls-key", &key]);
    assert!(
        server.url.starts_with("https://127.0.0.1:"),
        "{}",
        server.url
    );
    let unknown = home.run(&["turn", "Hello"]);
    assert_eq!(unknown.code, 2, "{}", unknown.out);
    assert!(unknown.err.contains("tls"), "{}", unknown.err);
    home.ok(&["turn", "Hello", "--ca-file", &cert]);
    // A key is no certificate.
    let wrong = home.run(&["turn", "Hello", "--ca-file", &key]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("holds no certificate"), "{}", wrong.err);
    server.stop();
}

#[test]
fn a_service_without_a_home_keeps_its_profile_with_its_data() {
    let home = Home::new();
    let data = home.path("state");
    let mut command = home.command(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    command
        .arg(&data)
        .env_remove("HOME")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME");
    // What systemd sets for a unit whose output goes to the journal, where tokens would stay.
    command.env("JOURNAL_STREAM", "8:123");
    let server = Serving::start(command, home.path("log"));
    assert!(!server.said.join("\n").contains("cs_"), "{:?}", server.said);
    let profile = data.join("profile.toml");
    home.ok(&["--profile", profile.to_str().unwrap(), "turn", "Hello"]);

    // A home that nothing can be written to, as of a hardened unit.
    let data = home.path("state2");
    let mut command = home.command(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    command
        .arg(&data)
        .env("XDG_CONFIG_HOME", "/proc/config")
        .env("JOURNAL_STREAM", "8:123");
    let server = Serving::start(command, home.path("log2"));
    assert!(!server.said.join("\n").contains("cs_"), "{:?}", server.said);
    let profile = data.join("profile.toml");
    home.ok(&["--profile", profile.to_str().unwrap(), "turn", "Hello"]);

    let mut homeless = home.command(&["serve"]);
    homeless
        .env_remove("HOME")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME");
    let refused = ran(homeless);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("--data"), "{}", refused.err);
}

#[test]
fn the_log_is_json_if_asked_and_holds_no_text_of_a_turn() {
    let home = Home::new();
    let server = home.serve(&["--log-format", "json", "--log-level", "debug"]);
    let turn = [
        "turn",
        "Send billing@customer.example the secret-word",
        "--as",
        "user:secret-principal",
    ];
    let intent = home.ok(&turn);
    home.expect(
        1,
        &[
            "decide",
            "email.send",
            r#"{"to": ["a@secret-target.test"]}"#,
            "--intent",
            &intent,
        ],
    );
    let log = server.log();
    let events: Vec<serde_json::Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert!(
        events
            .iter()
            .any(|event| event["route"] == "/v1/decisions" && event["outcome"] == "rejected"),
        "{log}"
    );
    assert!(!log.contains("secret-"), "{log}");
    assert!(!log.contains("cs_"), "{log}");
    server.stop();
}

#[test]
fn init_makes_what_serve_then_uses() {
    let home = Home::new();
    let made = home.json(
        0,
        &[
            "init",
            "--tenant",
            "acme",
            "--public-name",
            "log.acme.example",
            "--bundle",
            "allow-all",
        ],
    );
    assert_eq!(made["event"], "begun");
    assert_eq!(made["credentials"].as_array().unwrap().len(), 9);
    let again = home.run(&["init"]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("holds a log already"), "{}", again.err);
    let data = home.path("data/countersign");
    let keys = home.json(0, &["key", "show", "--data", data.to_str().unwrap()]);
    assert_eq!(keys["origin"], "log.acme.example/log/acme/1");
    let server = home.serve(&[]);
    // Stops nothing, as it says, not even without a turn.
    home.expect(0, &["decide", "anything.at.all", "{}"]);
    server.stop();
}

#[test]
fn a_log_that_lost_entries_is_not_continued() {
    let home = Home::new();
    let data = home.path("data/countersign");
    home.serve(&[]).stop();
    // After a graceful stop the whole log is in the one file.
    assert!(!data.join("ledger.db-wal").exists());
    let kept = home.path("old.db");
    std::fs::copy(data.join("ledger.db"), &kept).unwrap();
    let server = home.serve(&[]);
    home.ok(&["turn", "Hello"]);
    server.stop();
    std::fs::copy(&kept, data.join("ledger.db")).unwrap();
    let refused = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(
        refused.err.contains("rolled back") && refused.err.contains("hint: "),
        "{}",
        refused.err
    );
}
