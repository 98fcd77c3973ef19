//! Sealed records at the command line: opened by two people, held, released, erased.

use serde_json::Value;

use crate::newcomer::MAIL;
use crate::support::{Home, Serving, copy};

/// A server whose bundle demands what `settings` say, and the call of a decision.
fn world(settings: &str) -> (Home, Serving, String) {
    let home = Home::new();
    let bundles = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bundles");
    copy(&bundles.join("mail-agent"), &home.path("bundle"));
    let head = home.path("bundle/bundle.toml");
    let text = std::fs::read_to_string(&head).unwrap();
    std::fs::write(&head, format!("{text}\n[settings.vault]\n{settings}\n")).unwrap();
    let server = home.serve(&["--bundle", "bundle"]);
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    home.ok(&["decide", "email.send", MAIL, "--intent", &intent]);
    let listed = home.json(0, &["entries", "--kind", "decision"]);
    let entry = &listed["entries"][0]["entry"];
    let call = entry["call_ref"]
        .as_str()
        .or(entry["body"]["call_ref"].as_str());
    let call = call.unwrap().to_owned();
    (home, server, call)
}

fn reader(home: &Home) -> String {
    home.ok(&["credential", "add", "--role", "vault-reader"])
}

#[test]
fn two_people_open_a_record_with_what_each_is_told_to_run() {
    let (home, _server, call) = world("four_eyes = true");
    let asked = home.run(&["vault", "open", &call, "--purpose", "case 4711"]);
    assert_eq!(asked.code, 1, "nothing is open: {}", asked.err);
    let request = asked.out.trim().to_owned();
    assert!(
        asked
            .err
            .contains(&format!("countersign vault confirm {request}"))
    );
    let then = format!("countersign vault open {call} --request {request}");
    assert!(asked.err.contains(&then), "{}", asked.err);

    let early = home.run(&["vault", "open", &call, "--request", &request]);
    assert_eq!(early.code, 1, "{}", early.err);
    assert!(early.err.contains("nobody has confirmed"), "{}", early.err);
    let own = home.run(&["vault", "confirm", &request, "--yes"]);
    assert_eq!(own.code, 1, "{}", own.err);
    assert!(own.err.contains("another person"), "{}", own.err);
    let unasked = home.run(&["vault", "confirm", &request]);
    assert_eq!(unasked.code, 2, "nobody sits there: {}", unasked.err);

    let second = reader(&home);
    let confirmed = home.run(&["--token", &second, "vault", "confirm", &request, "--yes"]);
    assert_eq!(confirmed.code, 0, "{}", confirmed.err);
    assert!(
        confirmed.err.contains("for: case 4711"),
        "{}",
        confirmed.err
    );
    let opened = home.json(0, &["vault", "open", &call, "--request", &request]);
    assert_eq!(opened["kind"], "call");
    let twice = home.run(&["vault", "open", &call, "--request", &request]);
    assert!(twice.err.contains("used up"), "{}", twice.err);

    // Whoever waits opens as soon as the other has said yes.
    let mut waiting = home
        .command(&[
            "vault",
            "open",
            &call,
            "--purpose",
            "again",
            "--wait",
            "--json",
        ])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let request = loop {
        let listed = home.json(0, &["entries", "--kind", "vault-access"]);
        let newest = &listed["entries"][0];
        let text = newest.to_string();
        if text.contains("\"requested\"") {
            break id_in(newest);
        }
        assert!(waiting.try_wait().unwrap().is_none(), "it has ended");
    };
    home.ok(&["--token", &second, "vault", "confirm", &request, "--yes"]);
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let opened: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(opened["kind"], "call");
}

fn id_in(listed: &Value) -> String {
    let id = listed["entry"]["entry_id"].as_str();
    id.or(listed["entry_id"].as_str()).unwrap().to_owned()
}

#[test]
fn what_is_held_is_listed_and_cannot_be_erased_until_it_is_released() {
    let (home, _server, call) = world("opened_per_hour = 1");
    let held = home.json(
        0,
        &["vault", "hold", "--ref", &call, "--authority", "order 12"],
    );
    assert_eq!(held["records"], 1);
    let hold = held["holds"][0].as_str().unwrap().to_owned();
    assert!(home.ok(&["vault", "holds"]).contains(&hold));
    let erase = ["vault", "erase", "--ref", &call, "--authority", "request 3"];
    let refused = home.run(&[&erase[..], &["--yes"]].concat());
    assert_ne!(refused.code, 0, "{}", refused.err);
    let said = format!("{}{}", refused.out, refused.err);
    assert!(said.contains("hold") || said.contains("held"), "{said}");

    let opened = ["vault", "open", &call, "--purpose", "a look"];
    home.ok(&opened);
    let second = home.run(&opened);
    assert_eq!(second.code, 1);
    assert!(second.err.contains("within the hour"), "{}", second.err);
    assert!(second.err.contains("ask again in"), "{}", second.err);

    let authority = held["authority_ref"].as_str().unwrap();
    let lifted = home.json(
        0,
        &[
            "vault",
            "release",
            "--all-of",
            authority,
            "--authority",
            "closed",
        ],
    );
    assert_eq!(lifted["records"], 1);
    assert!(
        home.ok(&["vault", "holds"])
            .contains("nothing is under hold")
    );
    home.ok(&[&erase[..], &["--yes"]].concat());
}
