//! Erasing at the command line: what is shown before, what is asked, what stays, and that the log
//! still verifies, also when the server is killed in between.

use serde_json::Value;

use crate::newcomer::MAIL;
use crate::support::{Home, copy, files};

const PERSON: &str = "billing@customer.example";

fn erase<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec![
        "vault",
        "erase",
        "--subject",
        PERSON,
        "--authority",
        "request 7",
    ];
    args.extend(more);
    args
}

#[test]
fn a_person_is_erased_and_the_log_still_verifies() {
    let home = Home::new();
    let server = home.serve(&[]);
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    home.expect(0, &["decide", "email.send", MAIL, "--intent", &intent]);
    let listed = home.json(0, &["entries", "--kind", "decision"]);
    let text = listed.to_string();
    let call = text.split("\"call_ref\":\"").nth(1).unwrap();
    let call = call.split('"').next().unwrap().to_owned();
    home.json(0, &["vault", "open", &call, "--purpose", "before"]);

    let planned = home.json(0, &erase(&["--dry-run"]));
    assert_eq!(planned["dry_run"], true);
    assert!(planned["records"].as_u64().unwrap() >= 4, "{planned}");
    let unasked = home.run(&erase(&[]));
    assert_eq!(unasked.code, 2, "nobody sits there: {}", unasked.err);
    assert!(unasked.err.contains("--yes"), "{}", unasked.err);
    let missing = home.run(&["vault", "erase", "--authority", "x", "--yes"]);
    assert_eq!(missing.code, 2, "{}", missing.err);

    let erased = home.run(&erase(&["--yes"]));
    assert_eq!(erased.code, 0, "{}", erased.err);
    for told in ["records were erased", " call\n", " turn\n", "withdrawn"] {
        assert!(erased.out.contains(told), "{}", erased.out);
    }
    for told in ["commitments", "backups", "countersign vault complete"] {
        assert!(erased.err.contains(told), "{}", erased.err);
    }
    let again = home.run(&erase(&["--yes"]));
    assert_eq!(again.code, 1, "nothing is left: {}", again.out);

    let opened = home.run(&["vault", "open", &call, "--purpose", "after"]);
    assert_ne!(opened.code, 0);
    assert!(opened.err.contains("was erased at"), "{}", opened.err);
    let explained = home.json(0, &["explain", last_decision(&listed)]);
    assert_eq!(explained["call"]["state"], "erased", "{explained}");

    // Killed: nothing comes back, and a copy made then verifies, too.
    let data = home.path("data/countersign");
    server.signal("KILL");
    drop(server);
    copy(&data, &home.path("killed"));
    let server = home.serve(&[]);
    let opened = home.run(&["vault", "open", &call, "--purpose", "after"]);
    assert!(opened.err.contains("was erased at"), "{}", opened.err);
    home.ok(&["export", "ex", "--documents", "--purpose", "audit"]);
    let verified = home.json(4, &["verify", "ex"]);
    assert_eq!(verified["findings_total"], 0, "{verified}");
    server.stop();
    home.expect(0, &["fsck", data.to_str().unwrap()]);
    let mut left = files(&data);
    left.extend(files(&home.path("ex")));
    left.extend(files(&home.path("killed")));
    for file in left {
        let bytes = std::fs::read(&file).unwrap();
        let person = PERSON.as_bytes();
        let is_there = bytes.windows(person.len()).any(|it| it == person);
        assert!(!is_there, "{}", file.display());
    }
}

#[test]
fn what_is_under_hold_is_said() {
    let home = Home::new();
    let _server = home.serve(&[]);
    let intent = home.ok(&["turn", "Send billing@customer.example the refund"]);
    home.expect(0, &["decide", "email.send", MAIL, "--intent", &intent]);
    let mut hold = erase(&[]);
    hold[1] = "hold";
    home.json(0, &hold);
    for (options, code) in [(["--yes"], 1), (["--dry-run"], 0)] {
        let refused = home.run(&erase(&options));
        assert_eq!(refused.code, code, "{}", refused.err);
        assert!(
            refused.out.contains("nothing can be erased"),
            "{}",
            refused.out
        );
        for told in ["--except-held", "countersign vault holds"] {
            assert!(refused.err.contains(told), "{}", refused.err);
        }
    }
}

fn last_decision(listed: &Value) -> &str {
    let entry = &listed["entries"][0];
    let id = entry["entry"]["entry_id"].as_str();
    id.or(entry["entry_id"].as_str()).unwrap()
}
