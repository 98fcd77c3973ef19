//! Configuration file, environment, options, profiles.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Home, Serving};

/// The data directory that a server says it uses.
fn data_of(server: &Serving) -> String {
    let last = server.said.last().unwrap();
    let event: serde_json::Value = serde_json::from_str(last).unwrap();
    let data = Path::new(event["data"].as_str().unwrap()).to_owned();
    data.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn options_come_before_the_environment_and_that_before_the_file() {
    let home = Home::new();
    std::fs::write(
        home.path("c.toml"),
        "data = \"by-file\"\nrate_per_s = 50\nlog_level = \"warn\"\n",
    )
    .unwrap();
    let serve = |options: &[&str], variable: Option<&str>| {
        let mut command = home.command(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--json",
            "--config",
            "c.toml",
        ]);
        command.args(options);
        if let Some(data) = variable {
            command.env("COUNTERSIGN_DATA", data);
        }
        Serving::start(command, home.path("log"))
    };
    assert_eq!(data_of(&serve(&[], None)), "by-file");
    assert_eq!(
        data_of(&serve(&[], Some("by-environment"))),
        "by-environment"
    );
    assert_eq!(
        data_of(&serve(&["--data", "by-option"], Some("by-environment"))),
        "by-option"
    );
}

#[test]
fn a_key_that_nothing_reads_is_refused_by_its_name() {
    let home = Home::new();
    let refused = |text: &str| {
        std::fs::write(home.path("c.toml"), text).unwrap();
        let ran = home.run(&["serve", "--config", "c.toml"]);
        assert_eq!(ran.code, 2, "{}", ran.out);
        assert!(!home.path("data/countersign").exists());
        ran.err
    };
    let near = refused("listn = \"127.0.0.1:1\"\n");
    assert!(
        near.contains("`listn`") && near.contains("hint: did you mean `listen`?"),
        "{near}"
    );
    let far = refused("colour = true\n");
    assert!(
        far.contains("`colour`") && far.contains("hint: settings are"),
        "{far}"
    );
    let shape = refused("listen = 80\n");
    assert!(shape.contains("line 1"), "{shape}");
    let missing = home.run(&["serve", "--config", "not-there.toml"]);
    assert_eq!(missing.code, 2);
}

#[test]
fn a_profile_that_others_may_read_is_not_used() {
    let home = Home::new();
    let server = home.serve(&[]);
    let mode = |mode: u32| {
        std::fs::set_permissions(home.profile(), std::fs::Permissions::from_mode(mode)).unwrap()
    };
    for loose in [0o640, 0o604, 0o660] {
        mode(loose);
        let refused = home.run(&["turn", "Hello"]);
        assert_eq!(refused.code, 2);
        assert!(
            refused.err.contains(&format!("{loose:04o}"))
                && refused.err.contains("hint: chmod 600"),
            "{}",
            refused.err
        );
        assert!(!refused.err.contains("cs_"));
    }
    mode(0o600);
    home.ok(&["turn", "Hello"]);
    server.stop();
}

#[test]
fn a_second_log_does_not_take_the_first_ones_profile_away() {
    let home = Home::new();
    let first = home.serve(&[]);
    let profile = std::fs::read_to_string(home.profile()).unwrap();
    let second = home.serve(&["--data", "other"]);
    let log = second.log();
    assert!(
        log.contains("is another log's profile and stays")
            && log.contains(&format!(
                " --profile {}",
                home.path("other/profile.toml").display()
            )),
        "{log}"
    );
    assert_eq!(std::fs::read_to_string(home.profile()).unwrap(), profile);
    let own = "other/profile.toml";
    assert_eq!(
        std::fs::metadata(home.path(own))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    // Both logs are within reach.
    let head = |options: &[&str]| {
        let mut args = options.to_vec();
        args.extend(["key", "show"]);
        home.json(0, &args)["origin"].as_str().unwrap().to_owned()
    };
    assert_ne!(head(&["--profile", own]), head(&[]));
    second.stop();
    // It is said at every start, and the profile of each log follows its own server.
    let second = home.serve(&["--data", "other"]);
    second.wait_for_log("is of another log");
    assert_ne!(head(&["--profile", own]), head(&[]));
    assert_eq!(std::fs::read_to_string(home.profile()).unwrap(), profile);
    first.stop();
    second.stop();
}

#[test]
fn a_server_that_the_profile_does_not_know_is_not_sent_its_tokens() {
    let home = Home::new();
    let server = home.serve(&[]);
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let url = format!("http://{}", stranger.local_addr().unwrap());
    let refused = home.run(&["--server", &url, "turn", "Hello"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("no token") && refused.err.contains("hint: "),
        "{}",
        refused.err
    );
    assert_eq!(stranger.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    server.stop();
}

#[test]
fn environment_and_options_override_the_profile() {
    let home = Home::new();
    let server = home.serve(&[]);
    let wrong_role = |command: &mut std::process::Command| {
        let ran = crate::support::ran(std::mem::replace(
            command,
            std::process::Command::new("true"),
        ));
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.err.contains("wrong-role"), "{}", ran.err);
    };
    let profile = std::fs::read_to_string(home.profile()).unwrap();
    let token = profile
        .lines()
        .find_map(|line| line.strip_prefix("auditor = "))
        .unwrap()
        .trim_matches('"')
        .to_owned();
    wrong_role(
        home.command(&["turn", "Hello"])
            .env("COUNTERSIGN_TOKEN", &token),
    );
    wrong_role(&mut home.command(&["turn", "Hello", "--token", &token]));
    let mut elsewhere = home.command(&["turn", "Hello"]);
    elsewhere.env("COUNTERSIGN_PROFILE", home.path("not-there.toml"));
    let missing = crate::support::ran(elsewhere);
    assert_eq!(missing.code, 2);
    assert!(
        missing.err.contains("there is no such profile"),
        "{}",
        missing.err
    );
    let bad = home.run(&["--server", "127.0.0.1:1", "turn", "Hello"]);
    assert_eq!(bad.code, 2);
    assert!(bad.err.contains("no address of a server"), "{}", bad.err);
    server.stop();
}
