//! Sessions and delegation from the command line, over HTTP.

use serde_json::Value;

use crate::support::{Home, ran};

const CALL: &str = r#"{"to": ["a@b.example"], "subject": "Refund", "body": "It was made."}"#;

#[test]
fn a_session_is_opened_first_and_a_helper_acts_by_delegation() {
    let home = Home::new();
    let server = home.serve(&[]);
    let opened = home.ok(&["session", "open", "s1"]);
    let (_, entry) = opened.split_once("opened with entry ").unwrap();
    let again = home.ok(&["session", "open", "s1"]);
    assert_eq!(again, format!("open since entry {entry}"));
    let turn = home.ok(&["turn", "Write to a@b.example", "--session", "s1"]);
    let added = home.json(
        0,
        &[
            "credential",
            "add",
            "--role",
            "agent",
            "--actor",
            "agent:local",
            "--actor",
            "agent:local/",
        ],
    );
    let token = added["token"].as_str().unwrap().to_owned();
    let team = |code: i32, args: &[&str]| -> String {
        let mut command = home.command(args);
        command.env("COUNTERSIGN_TOKEN", &token);
        let ran = ran(command);
        assert_eq!(ran.code, code, "{args:?}\n{}\n{}", ran.out, ran.err);
        ran.out
    };
    let helper = "agent:local/mailer";
    let mail = |code| {
        let words = [
            "decide",
            "email.send",
            CALL,
            "--intent",
            &turn,
            "--actor",
            helper,
            "--json",
        ];
        let out = team(code, &words);
        serde_json::from_str::<Value>(&out).unwrap()
    };
    mail(1);
    let by_session = [
        "delegate",
        "--session",
        "s1",
        "--action",
        "email.send",
        "agent:local",
        helper,
    ];
    let given = team(0, &by_session).trim().to_owned();
    assert_eq!(mail(0)["entry"]["links"]["delegation"], given);
    // The same again is the same entry; more than was given is none.
    let same = [
        "delegate",
        "--intent",
        &turn,
        "--action",
        "email.send",
        "agent:local",
        helper,
    ];
    assert_eq!(team(0, &same).trim(), given);
    let listed = home.ok(&["entries", "--kind", "delegation"]);
    let row = format!("agent:local gives {helper} email.send");
    assert!(listed.contains(&row), "{listed}");
    team(
        1,
        &[
            "delegate",
            "--intent",
            &turn,
            "--action",
            "crm.lookup",
            helper,
            "agent:local/two",
        ],
    );
    // An actor that the credential does not speak for gets nothing by it.
    let ran = home.run(&[
        "delegate",
        "--intent",
        &turn,
        "agent:local",
        "agent:elsewhere",
    ]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("out-of-bounds"), "{}", ran.err);
    // It ends with the session, whose end counts its decision and not what named no turn.
    let closed = home.ok(&["session", "close", "s1"]);
    assert!(
        closed.ends_with("1 turns, 1 decisions, 0 executions"),
        "{closed}"
    );
    mail(1);
    server.stop();
}
